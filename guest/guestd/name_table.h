// SPDX-License-Identifier: Apache-2.0
// Which synthetic address stands for which name. A name keeps its number while it is in use; at most kMaxNames are kept,
// and the one that was used least recently goes first. Numbers are given out in turn, so that one that was given up is
// another name's only after all the others have been: a program that still has the address then reaches nobody.
// Thread: one.
#pragma once

#include "guest/guestd/net_places.h"

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace carrel::guestd {

class NameTable {
public:
    // Far more than any program talks to; a crawler that passes it goes on, its oldest names forgotten.
    static constexpr std::size_t kMaxNames = 16384;

    explicit NameTable(std::size_t most = kMaxNames);
    NameTable(const NameTable&) = delete;
    NameTable& operator=(const NameTable&) = delete;

    // The name's, new if need be. `name` as net::isHostName() has it.
    [[nodiscard]] NameNumber numberFor(std::string_view name);
    // Nothing: nobody's now. Counts as use.
    [[nodiscard]] std::optional<std::string> nameOf(NameNumber number);
    [[nodiscard]] std::size_t size() const { return m_byName.size(); }

private:
    struct Entry {
        std::string name;
        NameNumber number = 0;
    };
    using Entries = std::list<Entry>; // used last first
    void use(Entries::iterator entry) { m_entries.splice(m_entries.begin(), m_entries, entry); }

    std::size_t m_most;
    Entries m_entries;
    std::unordered_map<std::string_view, Entries::iterator> m_byName; // of the entries' own text
    std::unordered_map<NameNumber, Entries::iterator> m_byNumber;
    NameNumber m_next = kFirstName;
};

} // namespace carrel::guestd
