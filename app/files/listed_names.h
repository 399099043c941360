// SPDX-License-Identifier: Apache-2.0
// guest/protocol/disk_names.h for many names at once: a change set names a hundred thousand, perhaps all in one folder, and
// to read it for each of them would take hours. What a folder lists is believed for kFresh; the user may rename something
// meanwhile, but nothing that a guest does changes a name on the host. Thread: one.
#pragma once

#include "guest/protocol/result.h"

#include <chrono>
#include <list>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <unordered_set>

namespace carrel::files {

class ListedNames {
public:
    // Of a name that is not in what was read: is that so, or may it have come since, by our own doing?
    enum class Missing { IsMissing, LookAgain };
    explicit ListedNames(Missing missing)
        : m_missing(missing) {}

    [[nodiscard]] Result<bool> lists(int folder, std::string_view name);
    [[nodiscard]] std::size_t reads() const { return m_reads; } // of whole folders; for tests

private:
    static constexpr std::chrono::seconds kFresh{1};
    static constexpr std::size_t kMostFolders = 16;     // those on the way to a path, mostly
    static constexpr std::size_t kMostNames = 500'000;  // of a folder; of a larger one each is looked for by itself
    struct Folder {
        dev_t device = 0;
        ino_t inode = 0;
        std::chrono::steady_clock::time_point readAt{};
        std::unordered_set<std::string> names;
    };
    [[nodiscard]] Result<bool> read(int folder, Folder& into) const; // false: too large

    Missing m_missing;
    std::list<Folder> m_folders; // the last one used first
    std::size_t m_reads = 0;
};

} // namespace carrel::files
