// SPDX-License-Identifier: Apache-2.0
// Files with contents, and nothing else: opening never waits, and never wakes a device, a FIFO or a socket; a file is replaced whole, so
// that nobody sees half of it. Thread: any. See open(2) on O_PATH, rename(2).
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <functional>
#include <sys/stat.h>

namespace carrel::agent {

enum class FinalLink { Follow, Refuse };

struct PlainFile {
    UniqueFd file; // to read, from its beginning
    struct stat about {};
};

// Relative to the folder `at` (or AT_FDCWD). NotFound; InvalidArgument where it is something else, with what it is and what to do. Io.
[[nodiscard]] Result<PlainFile> openPlainFile(int at, const std::string& path, FinalLink link);

// What a type of file is called: "file", "folder", "link", "fifo", "socket", "device".
[[nodiscard]] const char* typeName(mode_t mode);

// The next piece of it, at its end an empty one.
[[nodiscard]] Result<std::string_view> readPiece(int file, char* space, std::size_t size);
// LimitExceeded where it is longer than `most`.
[[nodiscard]] Result<std::string> readWhole(int file, std::size_t most);

// The one name of a file that is there: no links, no "..". NotFound, Io.
[[nodiscard]] Result<std::string> realPath(const std::string& path);

enum class Replaced { New, Old };
// Puts a file with this content at `path`: in the place of the plain file that is there (links are followed; its permissions are kept,
// and its owner where this process may give files away), or a new one, with the folders above it. Other hard links keep what they had. On
// an error nothing has changed but that there may be new folders. Refused: a file that may not be written. InvalidArgument: something
// other than a plain file is there. Io.
[[nodiscard]] Result<Replaced> replaceFile(const std::string& path, std::string_view content);

} // namespace carrel::agent
