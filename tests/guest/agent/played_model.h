// SPDX-License-Identifier: Apache-2.0
// A model that says what a test wrote down, and everybody else whom a loop needs.
#pragma once

#include "guest/agent/loop.h"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace carrel::agent::test {

// One turn: these deltas, and then a failure, where there is one. `then`: called in the middle, after the deltas.
struct PlayedTurn {
    std::vector<Delta> deltas;
    std::optional<TurnFailure> failure;
    std::function<void()> then;
};

inline Delta call(std::size_t place, const char* id, const char* name) {
    return ToolBegun{place, id, name};
}
inline PlayedTurn says(const char* text, StopReason reason = StopReason::EndOfTurn) {
    return {{TextDelta{text}, Stopped{reason}}, {}, {}};
}
inline PlayedTurn calls(std::vector<std::pair<const char*, const char*>> namesAndInputs) {
    PlayedTurn out;
    std::size_t place = 0;
    for (const auto& [name, input] : namesAndInputs) {
        out.deltas.emplace_back(ToolBegun{place, "id" + std::to_string(place), name});
        out.deltas.emplace_back(ToolInput{place, input});
        ++place;
    }
    out.deltas.emplace_back(Stopped{StopReason::ToolUse});
    return out;
}

class PlayedModel final : public Model {
public:
    explicit PlayedModel(std::deque<PlayedTurn> turns)
        : m_turns(std::move(turns)) {}
    TurnStatus turn(const TurnRequest& request, TurnBuilder& builder, const std::function<void(const Delta&)>& shown,
                    const std::stop_token& stop) override {
        asked.emplace_back(request.messages.begin(), request.messages.end());
        tools = request.tools.size();
        if (m_turns.empty()) {
            return failTurn(FailureKind::Rejected, "the play is over");
        }
        const auto played = std::move(m_turns.front());
        m_turns.pop_front();
        for (const auto& delta : played.deltas) {
            if (auto added = builder.add(delta); !added) {
                return added;
            }
            shown(delta);
        }
        if (played.then) {
            played.then();
        }
        if (stop.stop_requested()) {
            return failTurn(FailureKind::Cancelled, "stopped");
        }
        return played.failure ? TurnStatus(failTurn(*played.failure)) : TurnStatus();
    }
    [[nodiscard]] std::size_t left() const { return m_turns.size(); }
    std::vector<std::vector<Message>> asked;
    std::size_t tools = 0;

private:
    std::deque<PlayedTurn> m_turns;
};

class PlayedTool final : public Tool {
public:
    PlayedTool(const char* name, std::function<ToolOutcome(const boost::json::object&, const std::stop_token&)> does)
        : m_spec{name, "Does something.", {{"type", "object"}}}
        , m_does(std::move(does)) {}
    const ToolSpec& spec() const override { return m_spec; }
    ToolOutcome run(const boost::json::object& input, const std::stop_token& stop) override { return m_does(input, stop); }

private:
    ToolSpec m_spec;
    std::function<ToolOutcome(const boost::json::object&, const std::stop_token&)> m_does;
};

class NoWaiter final : public Waiter {
public:
    Waited wait(std::chrono::milliseconds time, const std::stop_token& stop) override {
        waits.push_back(time.count());
        if (during) {
            during();
        }
        return stop.stop_requested() ? Waited::Stopped : Waited::Whole;
    }
    std::vector<std::int64_t> waits;
    std::function<void()> during;
};

// What happened, a line each.
class Told final : public LoopEvents {
public:
    void text(const std::string& piece) override { lines.push_back("text " + piece); }
    void thought(const std::string& piece) override { lines.push_back("thought " + piece); }
    void toolBegun(const ToolUse& use) override {
        lines.push_back("begun " + use.name);
        if (onBegun) {
            onBegun(use);
        }
    }
    void toolFinished(const ToolUse& use, const ToolResult& result, const std::optional<FileChange>& /*change*/) override {
        lines.push_back((result.isError ? "failed " : "finished ") + use.name);
    }
    void usage(const Usage& of) override { lines.push_back("usage " + std::to_string(of.window())); }
    void shortened() override { lines.push_back("shortened"); }
    void retrying(std::chrono::milliseconds wait, const Error& why) override {
        lines.push_back("retrying " + std::to_string(wait.count()) + " " + why.message);
    }
    void ended(const Ended& how) override { lines.push_back("ended " + std::string(toString(how.reason))); }
    std::vector<std::string> lines;
    std::function<void(const ToolUse&)> onBegun;
};

} // namespace carrel::agent::test
