// SPDX-License-Identifier: Apache-2.0
// Placeholders: files that a sync program leaves where it keeps the real ones elsewhere. What is in them is not the file's
// content, and to delete or rename one is to do that to the file itself, on a server and on every other computer.
//
// On Linux they are ordinary files of a name and a size of their own: the "virtual files" of the Nextcloud and ownCloud
// clients are NAME.nextcloud and NAME.owncloud and hold one blank. Where a sync program is a file system of its own (FUSE),
// a read fetches the file or fails, and there is nothing to know. macOS and Windows mark theirs by flags of the file
// (SF_DATALESS, FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS): those will be asked for here, too. Not by how much of it is on the
// disk: a file that is one hole is a file. Thread: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace carrel::clerk {

enum class Placeholder { Nextcloud, OwnCloud };

// Of a plain file with this name (the last one of its path) and size.
[[nodiscard]] std::optional<Placeholder> placeholderOf(std::string_view name, std::uint64_t size);
// The program whose it is, as it calls itself.
[[nodiscard]] std::string_view programOf(Placeholder kind);

} // namespace carrel::clerk
