// SPDX-License-Identifier: Apache-2.0
// What a .deb would bring that can be run: the SHA-256 of each file that is executable or ELF, its own scripts among them. Read only
// when the whole of it is known by its SHA-256 to be what a signed index names (package_search.h): what it says is Debian's word, and
// what of it cannot be read is told, never guessed. Whole packages: never dpkg's list of checksums, which is the agent's to write.
//
// deb(5); the archives within are of tar's ustar form with GNU's long names and pax(1)'s, compressed by xz or gzip or not at all.
// Thread: pure functions.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"

#include <string>
#include <vector>

namespace carrel::packages {

inline constexpr std::size_t kMaxPrograms = 4000;                             // of one package
inline constexpr std::uint64_t kMaxDebBytes = 1024ULL * 1024 * 1024;          // as it was fetched
inline constexpr std::uint64_t kMaxUnpackedBytes = 8ULL * 1024 * 1024 * 1024; // and unpacked
inline constexpr std::size_t kMaxPathBytes = 160; // of a program, as it is told; a longer one is cut

struct Program {
    std::string sha256;
    std::string path; // "/usr/bin/env"; printable ASCII, '?' for what is not
    friend bool operator==(const Program&, const Program&) = default;
};

// Each content once, by its first name. Malformed; Unsupported: another compression, another form; LimitExceeded; Io.
[[nodiscard]] Result<std::vector<Program>> programsIn(int deb, std::uint64_t bytes);

} // namespace carrel::packages
