// SPDX-License-Identifier: Apache-2.0
// carrel-agent as a client has it: started, spoken with in the Agent Client Protocol, with a played model at its other end.
#pragma once

#include "guest/acp/session.h"
#include "tests/guest/acp/peer_pair.h"
#include "tests/support/model_server/raw_client.h"

#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <fstream>
#include <iterator>
#include <spawn.h>
#include <sys/wait.h>

namespace carrel::agent::test {

namespace json = boost::json;
using carrel::acp::Outcome;
using carrel::test::model::kGuard;
using carrel::test::model::ModelServer;
using carrel::test::model::q;
using carrel::test::model::saying;
using carrel::test::model::serverOf;

inline std::string textOf(const json::value& value) {
    return std::string(value.as_string().data(), value.as_string().size());
}

// One run of the program.
class AgentRun {
public:
    explicit AgentRun(const std::vector<std::string>& environment) {
        acp::test::Pipe to;
        acp::test::Pipe from;
        posix_spawn_file_actions_t actions{};
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, to.read.get(), STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, from.write.get(), STDOUT_FILENO);
        std::vector<char*> variables;
        for (const auto& each : environment) {
            variables.push_back(const_cast<char*>(each.c_str()));
        }
        variables.push_back(nullptr);
        char name[] = CARREL_BIN_DIR "/carrel-agent";
        char* const arguments[] = {name, nullptr};
        if (::posix_spawn(&m_pid, name, &actions, nullptr, arguments, variables.data()) != 0) {
            throw std::runtime_error("the agent cannot be started");
        }
        ::posix_spawn_file_actions_destroy(&actions);
        m_peer = std::make_unique<acp::Peer>(std::move(from.read), std::move(to.write));
        if (!m_peer->start(notes)) {
            throw std::runtime_error("no conversation with the agent");
        }
    }
    ~AgentRun() {
        m_peer.reset(); // closes its input: it ends
        (void)wait();
    }
    AgentRun(const AgentRun&) = delete;
    AgentRun& operator=(const AgentRun&) = delete;

    [[nodiscard]] acp::Peer& peer() { return *m_peer; }
    Outcome ask(std::string_view method, json::object params) { return m_peer->ask(method, std::move(params), {}); }
    void kill() {
        ::kill(m_pid, SIGKILL);
        (void)wait();
    }
    // Its exit status, after its input was closed.
    int end() {
        m_peer.reset();
        return wait();
    }
    [[nodiscard]] pid_t pid() const { return m_pid; }

    acp::test::Notes notes;

private:
    int wait() {
        if (m_pid <= 0) {
            return m_status;
        }
        while (::waitpid(m_pid, &m_status, 0) < 0 && errno == EINTR) {
        }
        m_pid = 0;
        return m_status;
    }
    pid_t m_pid = 0;
    int m_status = 0;
    std::unique_ptr<acp::Peer> m_peer;
};

// The program, its folders and its model: what a test begins with.
class AgentRig {
public:
    // `turns`: of the scenario (scenario.h), of a model "m" with the key "a-key".
    explicit AgentRig(const std::string& api, const std::string& turns, std::vector<std::string> more = {})
        : server(serverOf(q(turns)))
        , m_environment(std::move(more)) {
        const auto address = server->url() + (api == "openai" ? "/v1" : "");
        for (const auto& each : {"CARREL_MODEL_API=" + api, "CARREL_MODEL_URL=" + address, std::string("CARREL_MODEL=m"),
                                 std::string("CARREL_MODEL_KEY=a-key"), "CARREL_AGENT_HOME=" + home(), std::string("PATH=/usr/bin:/bin")}) {
            const auto name = each.substr(0, each.find('=') + 1);
            if (std::none_of(m_environment.begin(), m_environment.end(), [&](const auto& given) { return given.starts_with(name); })) {
                m_environment.push_back(each);
            }
        }
        for (const char* passed : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
            if (const char* value = std::getenv(passed); value != nullptr) {
                m_environment.push_back(std::string(passed) + "=" + value);
            }
        }
        restart();
    }
    void restart() {
        run.reset();
        run = std::make_unique<AgentRun>(m_environment);
        (void)run->ask("initialize", acp::toJson(acp::InitializeParams{}));
    }
    [[nodiscard]] std::string home() const { return m_home.path().toStdString(); }
    [[nodiscard]] std::string work() const { return m_work.path().toStdString(); }
    [[nodiscard]] std::string get(const std::string& name) const {
        std::ifstream file(work() + "/" + name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    // Of a session that begins.
    std::string begin() {
        const auto made = run->ask("session/new", acp::toJson(acp::SessionPlace{"", work()}));
        if (!made) {
            throw std::runtime_error(made.error().message);
        }
        session = textOf(made->at("sessionId"));
        return session;
    }
    [[nodiscard]] json::object promptParams(const std::string& text) const { return acp::toJson(acp::Prompt{session, {acp::TextBlock{text}}}); }
    Outcome prompt(const std::string& text) { return run->ask("session/prompt", promptParams(text)); }
    // "end_turn", or "error CODE message — hint".
    static std::string words(const Outcome& outcome) {
        if (outcome) {
            return textOf(outcome->at("stopReason"));
        }
        const auto error = acp::errorOf(outcome.error());
        return "error " + std::to_string(outcome.error().code) + " " + error.message + " — " + error.hint;
    }
    // All that was shown so far, a word for each; of texts what belongs together is one.
    std::vector<std::string> shown() {
        const std::scoped_lock lock(run->notes.mutex);
        std::vector<std::string> out;
        std::string last;
        for (const auto& each : run->notes.notifications) {
            const auto update = acp::updateFrom(each.params);
            if (!update) {
                out.push_back("what? " + update.error().message);
                continue;
            }
            const auto& fields = update->update;
            if (const auto* id = fields.if_contains("messageId")) {
                const auto text = textOf(fields.at("content").at("text"));
                if (text.empty()) {
                    continue; // there for what stands beside it
                }
                const auto mark = update->kind + textOf(*id);
                if (mark == last) {
                    out.back() += text;
                } else {
                    out.push_back(update->kind.substr(0, update->kind.find("_chunk")) + ": " + text);
                }
                last = mark;
                continue;
            }
            last.clear();
            if (update->kind == "plan") {
                out.push_back("plan of " + std::to_string(fields.at("entries").as_array().size()));
            } else {
                out.push_back(update->kind + " " + textOf(fields.at("toolCallId")) + " " + textOf(fields.at("status")) +
                              (fields.contains("title") ? " " + textOf(fields.at("title")) : ""));
            }
        }
        return out;
    }
    // The update of this kind about this call.
    json::object updateOf(std::string_view kind, std::string_view call) {
        const std::scoped_lock lock(run->notes.mutex);
        for (const auto& each : run->notes.notifications) {
            const auto update = acp::updateFrom(each.params);
            if (update && update->kind == kind && textOf(update->update.at("toolCallId")) == call) {
                return update->update;
            }
        }
        return {};
    }
    void waitForUpdate(std::string_view kind) {
        run->notes.wait([&] {
            return std::any_of(run->notes.notifications.begin(), run->notes.notifications.end(), [&](const auto& each) {
                const auto update = acp::updateFrom(each.params);
                return update && update->kind == kind;
            });
        });
    }
    // What did not go as the scenario says.
    [[nodiscard]] QByteArray failures() const {
        std::string out;
        for (const auto& each : server->failures()) {
            out += each + "\n";
        }
        return QByteArray::fromStdString(out);
    }

    std::unique_ptr<ModelServer> server;
    std::unique_ptr<AgentRun> run;
    std::string session;

private:
    QTemporaryDir m_home;
    QTemporaryDir m_work;
    std::vector<std::string> m_environment;
};

// Calls of bash, say, as the parts of an answer: j-words for the arguments, see q().
inline std::string calling(const std::string& id, const std::string& tool, const std::string& arguments) {
    return "{'tool':'" + tool + "','id':'" + id + "','arguments':" + arguments + "}";
}

} // namespace carrel::agent::test
