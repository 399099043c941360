// SPDX-License-Identifier: Apache-2.0
// The rules of one home: in a sealed file, read again whenever it has changed, and the one place that says what they say.
//
// A file that is not as Carrel left it, is older than the newest one, has gone, is of a newer version or cannot be read,
// and a key that is not to be had: each is a trouble, and while there is one everything is denied. Nothing is asked then
// either: what a rule denies must not be put to a person as if it were open. reset() ends it, by the owner's word.
//
// A rule with an end counts until that time of the day, and never longer than that from when this object first saw it: a
// clock that is set back does not lengthen it (clock.h). Set back while no Carrel runs it does; only a clock that nobody can
// set would tell.
//
// Thread: any; blocks for the disk and the keyring. Owns its keeper; the clock outlives it.
#pragma once

#include "app/policy/clock.h"
#include "app/policy/rules.h"
#include "app/policy/rules_text.h"
#include "app/policy/seal.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace carrel::policy {

class RuleBook final : public Rules {
public:
    RuleBook(std::filesystem::path file, std::unique_ptr<SealKeeper> keeper, const Clock& clock);

    [[nodiscard]] Verdict decide(std::span<const Request> requests) override;
    [[nodiscard]] std::optional<Request> asRead(const Request& connection) override;
    [[nodiscard]] Result<RuleSet> rules();

    // Writes down each rule that comes, and those that go with their session: called with the rule as it will be kept, or as it
    // is, right before. An error keeps a rule from being added, and none from being taken away.
    enum class Change { Added, SessionOver };
    using Recorder = std::function<Status(Change change, const Rule& rule)>;
    void setRecorder(Recorder recorder) { m_recorder = std::move(recorder); } // once, before anything is asked
    [[nodiscard]] Result<Rule> add(Rule rule) override;
    // `before`: likewise; an error of it: it is not removed.
    using Before = std::function<Status(const Rule& rule)>;
    [[nodiscard]] Result<Rule> remove(std::uint64_t id, const Before& before = {});
    [[nodiscard]] Result<std::optional<Rule>> find(const Rule& like) override;
    [[nodiscard]] Result<std::vector<Rule>> endSessions(std::string_view agent, std::string_view but) override;
    // It is deleted: nobody has that id again.
    [[nodiscard]] Result<std::vector<Rule>> forget(std::string_view agent);
    // Instead of all there is, or of what cannot be read: with new numbers, in the order given. `before`: as above, with what
    // was there, as far as it could be read, and what comes. Answers what came.
    struct Replaced {
        std::vector<Rule> gone, come;
    };
    using BeforeReset = std::function<Status(const Replaced& rules)>;
    [[nodiscard]] Result<Replaced> reset(std::vector<Rule> rules, const BeforeReset& before = {});

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
    [[nodiscard]] Result<std::vector<Rule>> removeWhere(const std::function<bool(const Rule&)>& which, const Before& before = {});
    void taken(); // m_set is another one
    void payKeeper();
    // Those that count at that moment; takes m_mutex.
    [[nodiscard]] Result<std::shared_ptr<const std::vector<Rule>>> counting(Moment now);
    [[nodiscard]] bool over(const Rule& rule, Moment now) const;

    std::filesystem::path m_file;
    std::unique_ptr<SealKeeper> m_keeper;
    const Clock& m_clock;
    std::mutex m_mutex;
    Recorder m_recorder;
    std::optional<Look> m_seen;
    std::optional<SealKeeper::Kept> m_kept;
    RuleSet m_set;
    std::shared_ptr<const std::vector<Rule>> m_counting; // those of m_set that are not over; never changed, so that many
                                                         // can be judged by them at once
    std::map<std::uint64_t, std::int64_t> m_ends; // by rule that has one: by the steady clock
    std::optional<Error> m_trouble;
    std::uint64_t m_nextId = 1;             // no number below it is given again
    std::optional<std::int64_t> m_owesFrom; // the keeper does not know the newest serial, and is told again from then on
};

} // namespace carrel::policy
