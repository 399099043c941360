// SPDX-License-Identifier: Apache-2.0
// Tells from its first bytes what kind of file somebody offers as a part of an image. Only raw ext4 disks are
// taken: a disk format with headers can name other files on the host, and QEMU would open them. Thread: pure
// functions.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"

#include <filesystem>

namespace carrel::images {

// Enough of a file's beginning for every check here.
inline constexpr std::size_t kSniffBytes = 4096;

// `head`: the first kSniffBytes or the whole file; `tail`: its last 512 bytes (a fixed VHD has its mark only
// there).
[[nodiscard]] Status checkRawExt4(ByteSpan head, ByteSpan tail);

enum class KernelKind { Elf, BzImage };
[[nodiscard]] Result<KernelKind> kernelKind(ByteSpan head);
[[nodiscard]] Status checkCpio(ByteSpan head);

// The first and the last bytes of a regular file; anything else (folder, device, link) is refused.
struct Edges {
    Bytes head;
    Bytes tail;
};
[[nodiscard]] Result<Edges> readEdges(const std::filesystem::path& path);

} // namespace carrel::images
