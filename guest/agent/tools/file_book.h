// SPDX-License-Identifier: Apache-2.0
// Which contents of which files a conversation has seen: what an edit may start from. By contents and not by times: two changes within
// one tick of a clock have the same time, and a file that was only touched is still what was seen. Nobody's secret hangs on the sum: it is
// there against mistakes. Owner: one for each conversation; it outlives the tools. Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::agent {

// A sum of contents that come piece by piece (FNV-1a, of 64 bits), and their size.
class ContentSum {
public:
    void feed(std::string_view piece);
    bool operator==(const ContentSum&) const = default;

private:
    std::uint64_t m_sum = 14695981039346656037U;
    std::uint64_t m_bytes = 0;
};
[[nodiscard]] ContentSum sumOf(std::string_view content);

// The longest file that an edit takes: longer ones are not noted.
inline constexpr std::size_t kMostEdited = 8 * 1024 * 1024;

class FileBook {
public:
    // `path`: the file's one name, see realPath().
    void note(const std::string& path, const ContentSum& seen);
    [[nodiscard]] std::optional<ContentSum> seen(const std::string& path) const;
    // Whoever looks at a file in order to change it holds this until it has: changes come one after the other.
    [[nodiscard]] std::unique_lock<std::mutex> changing() { return std::unique_lock(m_changing); }

private:
    mutable std::mutex m_mutex;
    std::mutex m_changing;
    std::map<std::string, ContentSum> m_seen;
};

} // namespace carrel::agent
