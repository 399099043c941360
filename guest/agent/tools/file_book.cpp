// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/file_book.h"

namespace carrel::agent {

void ContentSum::feed(std::string_view piece) {
    constexpr std::uint64_t prime = 1099511628211U;
    for (const char byte : piece) {
        m_sum = (m_sum ^ static_cast<unsigned char>(byte)) * prime;
    }
    m_bytes += piece.size();
}

ContentSum sumOf(std::string_view content) {
    ContentSum out;
    out.feed(content);
    return out;
}

void FileBook::note(const std::string& path, const ContentSum& seen) {
    const std::scoped_lock lock(m_mutex);
    m_seen.insert_or_assign(path, seen);
}

std::optional<ContentSum> FileBook::seen(const std::string& path) const {
    const std::scoped_lock lock(m_mutex);
    const auto found = m_seen.find(path);
    return found == m_seen.end() ? std::nullopt : std::optional(found->second);
}

} // namespace carrel::agent
