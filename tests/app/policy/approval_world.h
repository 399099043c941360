// SPDX-License-Identifier: Apache-2.0
// A queue over a clock that is turned, a log that can be full, rules in memory, and evidence that can go away.
#pragma once

#include "app/policy/approval_queue.h"
#include "tests/app/policy/turned_clock.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <memory>
#include <set>

namespace carrel::policy::test {

struct FullableSink final : ApprovalSink { // through the form that stands in the log
    std::vector<ApprovalRecord> rows;
    bool full = false;
    std::size_t room = SIZE_MAX; // full after so many more
    std::string bad;
    Status append(const ApprovalRecord& record) override {
        if (full || room == 0) {
            return fail(ErrorCode::Io, "the disk is full");
        }
        --room;
        auto read = recordFrom(kindOf(record), record.agent, record.atMs, detailOf(record));
        if (!read || !(*read == record)) {
            bad = std::string(kindOf(record)) + (read ? " comes back as another" : " " + read.error().text());
        }
        if (boost::json::serialize(detailOf(record)).size() > 64 * 1024) {
            bad = std::string(kindOf(record)) + " is too long";
        }
        rows.push_back(record);
        return {};
    }
    [[nodiscard]] std::size_t count(std::string_view kind) const {
        return static_cast<std::size_t>(
            std::count_if(rows.begin(), rows.end(), [&](const ApprovalRecord& row) { return kindOf(row) == kind; }));
    }
};

struct MemoryRules final : Rules {
    const Clock& clock;
    std::vector<Rule> rules;
    std::uint64_t next = 1;
    std::optional<Error> trouble;
    bool full = false;
    explicit MemoryRules(const Clock& at)
        : clock(at) {}
    Verdict decide(std::span<const Request> requests) override {
        if (trouble) {
            return {Answer::Deny, std::nullopt, trouble};
        }
        const auto one = decideAll(rules, requests, clock.now().wallMs);
        return {one.answer, one.rule == nullptr ? std::nullopt : std::optional(*one.rule), std::nullopt};
    }
    std::optional<Request> asRead(const Request& connection) override {
        return trouble ? std::nullopt : policy::asRead(rules, connection, clock.now().wallMs);
    }
    Result<Rule> add(Rule rule) override {
        CARREL_TRY(check(rule));
        if (full) {
            return fail(ErrorCode::Io, "the disk is full");
        }
        rule.id = next++;
        rules.push_back(rule);
        return rule;
    }
    Result<std::optional<Rule>> find(const Rule& like) override {
        for (auto rule : rules) {
            const auto id = std::exchange(rule.id, like.id);
            if (rule == like) {
                rule.id = id;
                return std::optional(rule);
            }
        }
        return std::optional<Rule>();
    }
    Result<std::vector<Rule>> endSessions(std::string_view agent, std::string_view but) override {
        std::vector<Rule> gone;
        std::erase_if(rules, [&](const Rule& rule) {
            const bool over = rule.agent == agent && !rule.session.empty() && rule.session != but;
            if (over) {
                gone.push_back(rule);
            }
            return over;
        });
        return gone;
    }
};

struct Folders final : Evidences { // by evidence's reference
    std::map<std::string, std::vector<Request>> there;
    Result<std::vector<Request>> itemsOf(const Approval& approval) override {
        const auto at = there.find(approval.question.evidence.reference);
        return at == there.end() ? Result<std::vector<Request>>(fail(ErrorCode::NotFound, "That review is no longer kept"))
                                 : at->second;
    }
};

struct Heard final : ApprovalListener {
    std::vector<std::pair<std::uint64_t, ApprovalState>> states;
    void changed(const Approval& approval, std::uint64_t /*number*/) override { states.emplace_back(approval.id, approval.state); }
};

struct Effects final : EffectStandings { // by request
    std::set<std::uint64_t> finished, unknown;
    std::string found;
    Result<Stands> standing(const Approval& approval) override {
        if (unknown.contains(approval.id)) {
            return fail(ErrorCode::Unavailable, "the folder cannot be reached");
        }
        return finished.contains(approval.id) ? Stands::Finished : Stands::NeverBegan;
    }
    std::string words(const Approval& approval) override { return found.empty() ? EffectStandings::words(approval) : found; }
};

struct World {
    TurnedClock clock;
    FullableSink sink;
    MemoryRules rules{clock};
    Folders folders;
    Heard heard;
    Effects effects;
    std::unique_ptr<ApprovalQueue> queue = make();

    std::unique_ptr<ApprovalQueue> make() {
        return std::make_unique<ApprovalQueue>(ApprovalServices{clock, rules, sink, folders, &heard});
    }
    Recovered restart(const std::string& session = "s1", const std::vector<std::string>& agents = {"ann"}) {
        queue = make();
        clock.at.steadyMs = 77; // of another process
        Recovered all;
        for (const auto& agent : agents) {
            std::vector<ApprovalRecord> rows;
            std::copy_if(sink.rows.begin(), sink.rows.end(), std::back_inserter(rows),
                         [&](const ApprovalRecord& row) { return row.agent == agent; });
            auto one = queue->recover(agent, session, rows, effects);
            const auto join = [](auto& to, auto& from) { to.insert(to.end(), from.begin(), from.end()); };
            join(all.misfits, one.misfits);
            join(all.reopened, one.reopened);
            join(all.unsettled, one.unsettled);
            join(all.rulesLost, one.rulesLost);
        }
        return all;
    }

    static Request item(Action action, std::map<std::string, std::string, std::less<>> fields, const std::string& agent = "ann") {
        Request out;
        out.agent = agent;
        out.session = "s1";
        out.action = action;
        out.fields = std::move(fields);
        return out;
    }
    static Ask connect(const std::string& host, const std::string& agent = "ann", const std::string& line = "GET /") {
        Ask ask;
        ask.agent = agent;
        ask.session = "s1";
        ask.task = "t1";
        ask.action = Action::Network;
        ask.about = host + ":443";
        ask.items = {item(Action::Network, {{"host", host}, {"port", "443"}}, agent)};
        ask.evidence = {files::Sha256::of(line + host), "request line"};
        ask.claim = "I need a package";
        return ask;
    }
    Ask apply(const std::string& content, const std::vector<std::string>& paths = {"a.txt"}) {
        Ask ask;
        ask.agent = "ann";
        ask.session = "s1";
        ask.action = Action::Apply;
        ask.about = "papers";
        for (const auto& path : paths) {
            ask.items.push_back(item(Action::Apply, {{"folder", "/home/ada/papers"}, {"path", path}, {"change", "created"}}));
        }
        ask.evidence = {files::Sha256::of(content), "review " + content};
        folders.there[ask.evidence.reference] = ask.items;
        return ask;
    }
    DecisionWanted on(std::uint64_t id, Effect effect, Scope scope = Scope::Once, const std::string& by = "ada") const {
        DecisionWanted out;
        out.id = id;
        out.effect = effect;
        out.scope = scope;
        out.by = by;
        if (const auto of = queue->find(id)) {
            out.digest = of->question.evidence.digest;
            out.asked = of->asked;
        }
        return out;
    }
    [[nodiscard]] ApprovalState state(std::uint64_t id) const {
        const auto of = queue->find(id);
        return of ? of->state : ApprovalState::Cancelled;
    }
    std::uint64_t opened(Ask ask) {
        const auto out = queue->submit(std::move(ask));
        return out && out->kind == Submitted::Kind::Waiting ? out->id : 0;
    }
};

} // namespace carrel::policy::test
