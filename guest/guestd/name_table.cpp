// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/name_table.h"

namespace carrel::guestd {

NameTable::NameTable(std::size_t most)
    : m_most(std::clamp<std::size_t>(most, 1, kMaxNames)) {}

NameNumber NameTable::numberFor(std::string_view name) {
    if (const auto known = m_byName.find(name); known != m_byName.end()) {
        use(known->second);
        return known->second->number;
    }
    if (m_entries.size() == m_most) {
        const auto& oldest = m_entries.back();
        m_byNumber.erase(oldest.number);
        m_byName.erase(oldest.name);
        m_entries.pop_back();
    }
    while (m_byNumber.contains(m_next)) { // ends: there are far more numbers than names
        m_next = m_next == kLastName ? kFirstName : m_next + 1;
    }
    m_entries.push_front({std::string(name), m_next});
    m_byName.emplace(m_entries.front().name, m_entries.begin());
    m_byNumber.emplace(m_next, m_entries.begin());
    const NameNumber number = m_next;
    m_next = m_next == kLastName ? kFirstName : m_next + 1;
    return number;
}

std::optional<std::string> NameTable::nameOf(NameNumber number) {
    const auto known = m_byNumber.find(number);
    if (known == m_byNumber.end()) {
        return std::nullopt;
    }
    use(known->second);
    return known->second->name;
}

} // namespace carrel::guestd
