// SPDX-License-Identifier: Apache-2.0
#include "app/engine/agent_asks.h"

#include "app/policy/approval_words.h"

#include <algorithm>
#include <system_error>

namespace carrel::engine {

using policy::Approval;
using policy::ApprovalState;
using policy::EffectState;
using policy::Submitted;

namespace {

tl::unexpected<Error> noSuch(std::uint64_t id) {
    return fail(ErrorCode::NotFound, "this agent has made no request " + std::to_string(id) + ", or it was long ago",
                "\"carrel-ask why\" lists the last ones");
}

tl::unexpected<Error> stopping() {
    return fail(ErrorCode::Unavailable, "Carrel is being stopped", "Ask again later");
}

bool looksAtWork(const ask::Question& question) {
    return std::holds_alternative<ask::Apply>(question);
}

ask::Standings one(std::uint64_t id, ask::State state, std::string words) {
    return {{id, state, std::move(words)}};
}

ask::Standings answerOf(const Submitted& submitted) {
    switch (submitted.kind) {
    case Submitted::Kind::Allowed:
        return one(submitted.id, ask::State::Allowed, "It is allowed");
    case Submitted::Kind::Denied:
        return one(submitted.id, ask::State::Denied, submitted.why);
    case Submitted::Kind::Waiting:
        return one(submitted.id, ask::State::Open, "It waits for an answer");
    case Submitted::Kind::TurnedAway:
        break;
    }
    return one(submitted.id, ask::State::Cancelled, submitted.why);
}

// As the host's verbs name things: by the share's name.
Result<agents::ReviewSelection> selectionOf(const agents::Agent& agent, const std::vector<ask::Place>& places) {
    agents::ReviewSelection out;
    for (const auto& place : places) {
        const auto name = agent.shareName(place.share);
        if (!name) {
            return fail(ErrorCode::NotFound, "a folder of that name is not shared with this agent any more");
        }
        out.paths.push_back(place.path.isRoot() ? *name : *name + "/" + std::string(place.path.text()));
    }
    return out;
}

bool isBeingDone(const Approval& of) {
    return of.state == ApprovalState::Allowed && of.effect == EffectState::None && policy::isCarriedOut(of.action);
}

} // namespace

ask::Standing standingOf(const Approval& of) {
    if (isBeingDone(of)) {
        return {of.id, ask::State::Open, "It is allowed, and is being done"};
    }
    auto state = ask::State::Open;
    switch (of.state) {
    case ApprovalState::Open:
        break;
    case ApprovalState::Allowed:
        state = of.effect == EffectState::Failed       ? ask::State::Cancelled
                : of.effect == EffectState::NeverBegan ? ask::State::Expired
                                                       : ask::State::Allowed;
        break;
    case ApprovalState::Denied:
        state = ask::State::Denied;
        break;
    case ApprovalState::Expired:
        state = ask::State::Expired;
        break;
    case ApprovalState::Cancelled:
        state = ask::State::Cancelled;
        break;
    }
    return {of.id, state, policy::toldAgent(of)};
}

AgentAsks::AgentAsks(Setup setup)
    : m_to(std::move(setup)) {}

AgentAsks::~AgentAsks() {
    stop();
}

Status AgentAsks::mayTake(const std::string& agent, const ask::Question& question) {
    if (m_stopped) {
        return stopping();
    }
    std::size_t all = 0;
    std::size_t looks = 0;
    for (const auto& [number, each] : m_running) {
        if (each.agent == agent && !each.answered) {
            ++all;
            looks += each.looks ? 1U : 0U;
        }
    }
    if (all >= ask::kMaxUnderWay) {
        return fail(ErrorCode::LimitExceeded, "too many programs of this agent wait for an answer",
                    "Wait until one has it, or end one");
    }
    if (!looksAtWork(question)) {
        return {};
    }
    if (looks >= kMaxLooks) {
        return fail(ErrorCode::LimitExceeded, "too many programs of this agent ask for its changes to be applied",
                    "Wait until one is told the number of its request, and ask for more at once");
    }
    auto& last = m_looks[agent];
    const auto now = Clock::now();
    while (!last.empty() && now - last.front() >= std::chrono::minutes(1)) {
        last.pop_front();
    }
    if (last.size() >= kMaxLooksPerMinute) {
        return fail(ErrorCode::LimitExceeded, "this agent asks too often for its changes to be applied",
                    "Wait a minute, and ask for more at once");
    }
    last.push_back(now);
    return {};
}

std::vector<std::jthread> AgentAsks::takeDone() {
    std::vector<std::jthread> out;
    for (auto at = m_running.begin(); at != m_running.end();) {
        if (at->second.done) {
            out.push_back(std::move(at->second.thread));
            at = m_running.erase(at);
        } else {
            ++at;
        }
    }
    return out;
}

void AgentAsks::asked(const std::string& agent, const ask::Question& question, agents::AnswerAsk answer) {
    std::vector<std::jthread> done; // they have nothing left to do but to end
    Status taken;
    {
        const std::lock_guard lock(m_mutex);
        done = takeDone();
        taken = mayTake(agent, question);
        if (taken) {
            const auto number = m_next++;
            auto& entry = m_running[number];
            entry.agent = agent;
            entry.looks = looksAtWork(question);
            try {
                entry.thread = std::jthread([this, number, agent, question, answer](const std::stop_token& stop) {
                    auto out = answerTo(agent, question, stop);
                    {
                        const std::lock_guard answered(m_mutex); // whoever has its answer has its place again
                        m_running.at(number).answered = true;
                    }
                    answer(std::move(out));
                    const std::lock_guard finished(m_mutex);
                    m_running.at(number).done = true;
                });
            } catch (const std::system_error&) {
                m_running.erase(number);
                taken = fail(ErrorCode::Unavailable, "this computer has no room to answer now", "Ask again in a moment");
            }
        }
    }
    if (!taken) {
        answer(fail(std::move(taken).error()));
    }
}

void AgentAsks::callOff() {
    const std::lock_guard lock(m_mutex);
    m_stopped = true;
    for (auto& [number, each] : m_running) {
        each.thread.request_stop();
    }
}

void AgentAsks::stop() {
    callOff();
    for (;;) {
        std::jthread next;
        {
            const std::lock_guard lock(m_mutex);
            const auto at = std::find_if(m_running.begin(), m_running.end(), [](const auto& each) { return each.second.thread.joinable(); });
            if (at == m_running.end()) {
                return;
            }
            next = std::move(at->second.thread); // its entry stays: it marks it when it is done
        }
    }
}

AgentAsks::Answer AgentAsks::answerTo(const std::string& agent, const ask::Question& question, const std::stop_token& stop) {
    if (const auto* apply = std::get_if<ask::Apply>(&question)) {
        return this->apply(agent, *apply, stop);
    }
    if (const auto* folder = std::get_if<ask::Folder>(&question)) {
        return this->folder(agent, *folder);
    }
    if (const auto* forward = std::get_if<ask::Forward>(&question)) {
        return this->forward(agent, *forward);
    }
    if (const auto* wait = std::get_if<ask::Wait>(&question)) {
        return this->wait(agent, *wait, stop);
    }
    if (const auto* withdraw = std::get_if<ask::Withdraw>(&question)) {
        return this->withdraw(agent, *withdraw);
    }
    if (const auto* program = std::get_if<ask::Program>(&question)) {
        return this->program(agent, *program, stop);
    }
    if (const auto* installed = std::get_if<ask::Installed>(&question)) {
        return this->installed(agent, *installed);
    }
    return why(agent, std::get<ask::Why>(question));
}

// What went wrong may name files and folders of the host: that is for the engine's log.
tl::unexpected<Error> AgentAsks::failed(const Approvals::AgentPtr& agent, const Error& error) {
    if (error.code == ErrorCode::Cancelled || agent->state() == agents::AgentState::Paused) {
        return fail(ErrorCode::Unavailable, "Carrel is busy with this agent", "Ask again in a moment");
    }
    m_to.complain(agent->name() + ": what the agent asks for could not be put to you: " + error.text());
    if (error.code == ErrorCode::LimitExceeded) {
        return fail(ErrorCode::LimitExceeded, "that is too much to be asked for at once", "Name fewer files or folders");
    }
    return fail(ErrorCode::Unavailable, "it could not be asked: there is trouble on the host's side", "Ask again later");
}

AgentAsks::Answer AgentAsks::apply(const std::string& agent, const ask::Apply& question, const std::stop_token& stop) {
    const auto of = m_to.findAgent(agent);
    if (!of) {
        return stopping();
    }
    auto selection = selectionOf(*of, question.places);
    if (!selection) {
        return fail(std::move(selection).error());
    }
    const auto asked = m_to.approvals.askApply(of, *selection, question.reason, stop);
    if (!asked && asked.error().code == ErrorCode::NotFound) {
        return one(0, ask::State::Cancelled, "Nothing that could be applied is staged there");
    }
    if (!asked) {
        return stop.stop_requested() ? Answer(stopping()) : Answer(failed(of, asked.error()));
    }
    if (asked->submitted.kind != Submitted::Kind::Allowed || asked->submitted.id == 0) {
        return answerOf(asked->submitted);
    }
    return wait(agent, {asked->submitted.id, std::chrono::seconds(0)}, stop);
}

AgentAsks::Answer AgentAsks::folder(const std::string& agent, const ask::Folder& question) {
    const auto of = m_to.findAgent(agent);
    if (!of) {
        return stopping();
    }
    const auto submitted = m_to.approvals.askFolder(of, question.reason);
    return submitted ? Answer(answerOf(*submitted)) : Answer(failed(of, submitted.error()));
}

AgentAsks::Answer AgentAsks::forward(const std::string& agent, const ask::Forward& question) {
    const auto of = m_to.findAgent(agent);
    if (!of) {
        return stopping();
    }
    const auto submitted = m_to.approvals.askForward(of, question.port, question.reason);
    return submitted ? Answer(answerOf(*submitted)) : Answer(failed(of, submitted.error()));
}

AgentAsks::Answer AgentAsks::program(const std::string& agent, const ask::Program& question, const std::stop_token& stop) {
    const auto of = m_to.findAgent(agent);
    if (!of) {
        return stopping();
    }
    const auto submitted = m_to.approvals.askProgram(of, question);
    if (!submitted) {
        return failed(of, submitted.error());
    }
    return submitted->kind == Submitted::Kind::Allowed && submitted->id != 0 ? wait(agent, {submitted->id, std::chrono::seconds(0)}, stop)
                                                                             : Answer(answerOf(*submitted));
}

// No person is asked: a signature of Debian's is leave, and what it let in is told in the log.
AgentAsks::Answer AgentAsks::installed(const std::string& agent, const ask::Installed& question) {
    const auto of = m_to.findAgent(agent);
    if (!of) {
        return stopping();
    }
    const auto taken = of->takeInstalled(question);
    if (taken) {
        return one(0, ask::State::Allowed, "What was installed may run");
    }
    if (taken.error().code == ErrorCode::LimitExceeded) {
        m_to.complain(of->name() + ": " + taken.error().text());
        return one(0, ask::State::Denied, "There are too many programs");
    }
    return failed(of, taken.error());
}

AgentAsks::Answer AgentAsks::wait(const std::string& agent, const ask::Wait& question, const std::stop_token& stop) {
    const auto of = m_to.approvals.queue().wait(agent, question.id, stop, std::min(question.most, ask::kMaxWait),
                                                policy::ApprovalQueue::Until::Done);
    return of ? Answer(ask::Standings{standingOf(*of)}) : Answer(noSuch(question.id));
}

AgentAsks::Answer AgentAsks::withdraw(const std::string& agent, const ask::Withdraw& question) {
    if (!m_to.approvals.queue().withdraw(agent, question.id)) {
        return noSuch(question.id);
    }
    return why(agent, {question.id});
}

AgentAsks::Answer AgentAsks::why(const std::string& agent, const ask::Why& question) {
    auto all = m_to.approvals.queue().list(true);
    std::erase_if(all, [&](const Approval& each) { return each.agent != agent || (question.id && each.id != *question.id); });
    if (question.id && all.empty()) {
        return noSuch(*question.id);
    }
    ask::Standings out;
    for (auto each = all.rbegin(); each != all.rend() && out.size() < ask::kMaxListed; ++each) {
        out.push_back(standingOf(*each));
    }
    return out;
}

} // namespace carrel::engine
