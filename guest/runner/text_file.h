// SPDX-License-Identifier: Apache-2.0
// Reading and writing a text file for an agent program that asks its client to (Agent Client Protocol, "File System"). It is done by a
// process of the agent's own, in its root and with its rights (a role of carrel-ask, which lies there): whatever the agent has put in the
// way of a path, it reaches what it could reach anyway.
//
//   carrel-ask text-file read PATH LINE LIMIT MOST    the text on standard output; LIMIT 0: to the end
//   carrel-ask text-file write PATH SIZE              what is on standard input, once that has ended: so many bytes, else nothing is done
//   ends with 0, or with one of TextFileEnd and a sentence on standard error
//
// Thread: pure but for the file.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace carrel::runner {

inline constexpr const char* kTextFileRole = "text-file";
enum TextFileEnd : int { kTextFileDone = 0, kTextFileFailed = 1, kTextFileNotFound = 2, kTextFileWrongWords = 3 };

struct Lines {
    std::uint64_t first = 1;
    std::uint64_t count = 0; // 0: all
};
// With their newlines, as bytes. NotFound; LimitExceeded: more than `most` bytes; Refused: no regular file; Io.
[[nodiscard]] Result<std::string> readTextFile(const std::string& path, Lines lines, std::size_t most);
// Makes the file, and the folders that lead to it, where they are not there. What a path leads to is written to, not replaced: its
// rights, its owner and its other names stay. NotFound, Refused, Io.
[[nodiscard]] Status writeTextFile(const std::string& path, const std::string& content);

// The role, with what follows its name; on descriptors 0 to 2.
[[nodiscard]] int runTextFile(const std::vector<std::string>& words);

} // namespace carrel::runner
