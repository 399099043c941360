// SPDX-License-Identifier: Apache-2.0
// The rules of one home: in a sealed file, read again whenever it has changed, and the one place that says what they say.
//
// A file that is not as Carrel left it, is older than the newest one, has gone, is of a newer version or cannot be read,
// and a key that is not to be had: each is a trouble, and while there is one everything is denied. Nothing is asked then
// either: what a rule denies must not be put to a person as if it were open. reset() ends it, by the owner's word.
//
// Thread: any; blocks for the disk and the keyring. Owns its keeper.
#pragma once

#include "app/policy/decide.h"
#include "app/policy/rules_text.h"
#include "app/policy/seal.h"

#include <filesystem>
#include <memory>
#include <mutex>

namespace carrel::policy {

class RuleBook {
public:
    RuleBook(std::filesystem::path file, std::unique_ptr<SealKeeper> keeper);

    struct Verdict {
        Answer answer = Answer::Deny;
        std::optional<Rule> rule;     // that decided
        std::optional<Error> trouble; // that denies everything
    };
    [[nodiscard]] Verdict decide(const Request& request, std::int64_t nowMs);
    [[nodiscard]] Result<RuleSet> rules();

    // Durable before it answers. The number is given; what is given as one is not looked at.
    [[nodiscard]] Result<Rule> add(Rule rule);
    [[nodiscard]] Result<Rule> remove(std::uint64_t id);
    // Instead of all there is, or of what cannot be read: with new numbers, in the order given.
    [[nodiscard]] Status reset(std::vector<Rule> rules);

private:
    struct Look { // of the file, to see that it has changed
        std::uint64_t device = 0, inode = 0, size = 0;
        std::int64_t mtimeNs = 0, ctimeNs = 0;
        bool there = false;
        friend bool operator==(const Look&, const Look&) = default;
    };
    // Under m_mutex.
    [[nodiscard]] Look look() const;
    void refresh();
    [[nodiscard]] Result<RuleSet> read();
    [[nodiscard]] Status write(RuleSet next);

    std::filesystem::path m_file;
    std::unique_ptr<SealKeeper> m_keeper;
    std::mutex m_mutex;
    std::optional<Look> m_seen;
    std::optional<SealKeeper::Kept> m_kept;
    RuleSet m_set;
    std::optional<Error> m_trouble;
};

} // namespace carrel::policy
