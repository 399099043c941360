// SPDX-License-Identifier: Apache-2.0
// What a signed list says of its indices, and what an index says of packages: the two steps from a signature to a package's SHA-256.
// https://wiki.debian.org/DebianRepository/Format, deb822(5). Thread: values.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"
#include "guest/worktree/sha256.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::packages {

inline constexpr std::size_t kMaxIndices = 64;                        // of one list
inline constexpr std::uint64_t kMaxIndexBytes = 512ULL * 1024 * 1024; // Debian's largest has about 50 MiB
inline constexpr std::size_t kMaxIndexLine = 64 * 1024;               // a longer one is passed over
inline constexpr std::size_t kMaxNameBytes = 128;                     // of a package, its version, its architecture

// As it lies on the disk when it was fetched: without compression.
struct Index {
    std::string path; // main/binary-amd64/Packages
    std::string sha256;
    std::uint64_t bytes = 0;
    friend bool operator==(const Index&, const Index&) = default;
};
// Those of packages that hold programs, of what signedText() (signed_text.h) returned. By SHA-256 alone.
[[nodiscard]] std::vector<Index> indicesIn(std::string_view list);

struct Package {
    std::string name, version, architecture; // printable ASCII
    friend bool operator==(const Package&, const Package&) = default;
};

// Reads an index in pieces and looks for the packages whose .deb has one of these contents. What it finds counts when all of the index
// was read and is the one that was meant.
class IndexSearch {
public:
    explicit IndexSearch(const std::set<std::string, std::less<>>& wanted); // SHA-256; borrowed
    void feed(ByteSpan piece);
    // The object is used up. Refused: it is another index.
    [[nodiscard]] Result<std::map<std::string, Package>> finish(const Index& meant);

private:
    void line(std::string_view text);
    void endOfOne();

    const std::set<std::string, std::less<>>& m_wanted;
    worktree::Sha256 m_hash;
    std::uint64_t m_bytes = 0;
    std::string m_line;
    bool m_tooLong = false;
    Package m_one;
    std::string m_sha256;
    std::map<std::string, Package> m_found;
};

} // namespace carrel::packages
