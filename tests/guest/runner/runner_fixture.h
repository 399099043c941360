// SPDX-License-Identifier: Apache-2.0
// A runner with plain processes of the test's own account, a played agent (tests/support/played_agent), and a host that fetches what is
// told.
#pragma once

#include "guest/runner/agent_runner.h"

#include <QTemporaryDir>
#include <boost/json.hpp>

#include <fstream>
#include <future>

namespace carrel::test {

inline const boost::json::object kInitialize{{"expect", "initialize"},
                                             {"params",
                                              {{"protocolVersion", 1},
                                               {"clientCapabilities", {{"fs", {{"readTextFile", true}, {"writeTextFile", true}}}, {"terminal", true}}},
                                               {"clientInfo", {{"name", "carrel"}}}}},
                                             {"result",
                                              {{"protocolVersion", 1},
                                               {"agentCapabilities", {{"loadSession", true}}},
                                               {"agentInfo", {{"name", "played"}, {"title", "Played agent"}, {"version", "7"}}},
                                               {"authMethods", boost::json::array{}}}}};
inline const boost::json::object kNewSession{{"expect", "session/new"}, {"params", {{"cwd", "*"}, {"mcpServers", boost::json::array{}}}}, {"result", {{"sessionId", "s1"}}}};
inline const boost::json::object kPrompted{{"expect", "session/prompt"}, {"params", {{"sessionId", "s1"}}}, {"as", "turn"}};
inline const boost::json::object kTurnDone{{"answer", "turn"}, {"result", {{"stopReason", "end_turn"}}}};

inline boost::json::object says(const std::string& text) {
    return {{"update", {{"sessionUpdate", "agent_message_chunk"}, {"content", {{"type", "text"}, {"text", text}}}}}};
}
// The beginning that every agent has, then `steps`.
inline boost::json::array begun(std::initializer_list<boost::json::object> steps) {
    boost::json::array out{kInitialize, kNewSession};
    out.insert(out.end(), steps.begin(), steps.end());
    return out;
}

// The host: asks, and keeps what it was told.
class Host {
public:
    explicit Host(runner::AgentRunner& runner, std::uint64_t run = 1)
        : m_runner(runner)
        , m_run(run) {}

    runner::AgentRunner::Answer ask(talk::Call call) {
        auto promise = std::make_shared<std::promise<runner::AgentRunner::Answer>>();
        auto answer = promise->get_future();
        m_runner.call(std::move(call), [promise](runner::AgentRunner::Answer given) { promise->set_value(std::move(given)); });
        return answer.get();
    }
    ErrorCode refusalOf(talk::Call call) {
        const auto answer = ask(std::move(call));
        return answer ? ErrorCode::Internal : answer.error().code;
    }
    Result<boost::json::value> play(const boost::json::array& script, std::map<std::string, std::string> environment = {},
                                    std::optional<std::string> load = {}) {
        const auto path = m_folder.filePath("script").toStdString();
        std::ofstream(path) << script;
        return ask(talk::Start{m_run, {CARREL_BIN_DIR "/played-agent", path}, std::move(environment), "/", std::move(load)});
    }
    // Whether so much is told in the end; not when nothing more is for so long that it never will be.
    bool until(const std::function<bool()>& done) {
        constexpr std::chrono::seconds kSilence{60};
        while (!done()) {
            const auto answer = ask(talk::Updates{m_run, after, kSilence});
            const auto* object = answer ? answer->if_object() : nullptr;
            const auto updates = object == nullptr ? Result<std::vector<talk::Update>>(fail(ErrorCode::Malformed, "no object")) : talk::updatesFrom(after, *object);
            if (!updates || updates->empty()) {
                return false;
            }
            after = updates->back().number;
            told.insert(told.end(), updates->begin(), updates->end());
        }
        return true;
    }
    template <class T> std::vector<T> all() const {
        std::vector<T> out;
        for (const auto& update : told) {
            if (const auto* one = std::get_if<T>(&update.what)) {
                out.push_back(*one);
            }
        }
        return out;
    }
    template <class T> bool hears(std::size_t times = 1) {
        return until([&] { return all<T>().size() >= times; });
    }
    template <class T> T last() const {
        const auto found = all<T>();
        return found.empty() ? T{} : found.back();
    }
    std::string text() const {
        std::string out;
        for (const auto& piece : all<talk::Text>()) {
            out += piece.text;
        }
        return out;
    }

    std::vector<talk::Update> told;
    std::uint64_t after = 0;

private:
    runner::AgentRunner& m_runner;
    std::uint64_t m_run;
    QTemporaryDir m_folder;
};

inline runner::AgentRunner::Settings plainSettings(runner::RunBounds bounds = {}) {
    return {[] { return std::make_shared<guestd::PlainSpawner>(); }, CARREL_BIN_DIR "/carrel-ask", bounds};
}

} // namespace carrel::test
