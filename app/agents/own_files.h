// SPDX-License-Identifier: Apache-2.0
// Which files in the user's folders are an agent's own: made where nothing was, by an apply of Carrel's, and
// since then changed by applies of this agent alone. All of it seen by the host: the path, and the SHA-256 of
// what the last apply left there. A file whose bytes are others now is not the agent's, whoever changed it;
// nothing that a guest claims counts.
//
// Kept in one file, replaced durably after an apply. What is missing, after a crash or past the bound, waits
// for review. Owner: the agent. Thread: the caller serialises.
#pragma once

#include "app/files/applier.h"
#include "app/files/frozen_set.h"

#include <filesystem>
#include <map>
#include <string>

namespace carrel::agents {

inline constexpr std::size_t kMaxOwnFiles = 10'000; // per share; then nothing new is remembered
// Names, over all shares; the same. Written, each byte takes six at most, and a file some hundred beside.
inline constexpr std::size_t kMaxOwnPathBytes = 24 * 1024 * 1024;

class OwnFiles {
public:
    // A file larger than any that is written is no error, but no list either: what is in it waits for review.
    [[nodiscard]] static Result<OwnFiles> open(std::filesystem::path file,
                                               std::size_t maxPathBytes = kMaxOwnPathBytes);

    // `path` holds exactly the bytes that the last apply left there, of a file that the agent made.
    [[nodiscard]] bool has(std::uint32_t share, const SharePath& path, const files::NodeState& now) const;
    // Is there any hope that it has, before the file is looked at?
    [[nodiscard]] bool knows(std::uint32_t share, const SharePath& path) const;
    // Takes over what an apply did.
    [[nodiscard]] Status applied(std::uint32_t share, const files::FrozenSet& set,
                                 const files::ApplyReport& report);
    [[nodiscard]] Status forget(std::uint32_t share);

private:
    OwnFiles(std::filesystem::path file, std::size_t maxPathBytes)
        : m_file(std::move(file))
        , m_maxPathBytes(maxPathBytes) {}
    [[nodiscard]] Status store() const;
    [[nodiscard]] std::size_t pathBytes() const;

    std::filesystem::path m_file;
    std::size_t m_maxPathBytes;
    std::map<std::uint32_t, std::map<std::string, std::string>> m_files; // share → path → hash
};

} // namespace carrel::agents
