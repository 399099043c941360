// SPDX-License-Identifier: Apache-2.0
// An engine that answers from a script, and a clerk's end of a session that does as the command's first word
// says.
#pragma once

#include "app/api/home.h"
#include "app/api/server.h"
#include "app/api/wire.h"
#include "guest/protocol/control.h"
#include "guest/protocol/mux.h"
#include "guest/protocol/rpc.h"
#include "tests/support/json_schema.h"

#include <boost/json.hpp>

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace carrel::test {

// The guest's side of one session, on a thread of its own.
class FakeClerk {
public:
    FakeClerk(UniqueFd socket, std::string script)
        : m_socket(std::move(socket))
        , m_script(std::move(script))
        , m_mux(Side::Guest, events()) {
        m_thread = std::thread([this] { run(); });
    }
    ~FakeClerk() {
        ::shutdown(m_socket.get(), SHUT_RDWR);
        m_thread.join();
    }

private:
    static constexpr std::uint32_t kBase = api::kExecSession * control::kSessionStreams;

    Mux::Events events() {
        Mux::Events events;
        events.data = [this](std::uint32_t stream, Bytes&& data) {
            m_mux.consumed(stream, data.size());
            if (stream == kBase) {
                onControl(std::string(asText(data)));
            } else if (stream == kBase + control::kSessionStdin) {
                (void)m_mux.sendBytes(kBase + control::kSessionStdout, data);
                if (m_script == "bash" && asText(data) == "\x04") { // as a shell that is told that there is no more
                    exit({{"code", 4}});
                }
            }
        };
        events.end = [this](std::uint32_t stream) {
            if (stream == kBase + control::kSessionStdin && (m_script == "cat" || m_script == "tty")) {
                exit({{"code", 3}});
            } else if (stream == kBase + control::kSessionStdin && m_script == "python3") {
                exit({{"code", 0}}); // after its script was echoed like cat's input
            }
        };
        events.accept = [](std::uint32_t stream) -> std::optional<StreamKind> {
            return stream == kBase ? StreamKind::Messages : StreamKind::Bytes;
        };
        return events;
    }
    void say(const json::object& message) {
        (void)m_mux.sendMessage(kBase, asBytes(json::serialize(message)));
    }
    void out(std::uint32_t stream, std::string_view text) {
        (void)m_mux.sendBytes(kBase + stream, asBytes(text));
    }
    void exit(json::object status) {
        m_mux.sendEnd(kBase + control::kSessionStdout);
        m_mux.sendEnd(kBase + control::kSessionStderr);
        say({{"exit", std::move(status)}});
    }
    void onControl(const std::string& text) {
        const auto message = json::parse(text).as_object();
        if (const auto* number = message.if_contains("signal")) {
            out(control::kSessionStdout, "signal " + json::serialize(*number) + "\n");
            if (m_script != "deaf") {
                exit({{"code", 0}});
            }
        } else if (m_script == "tty" && message.contains("resize")) {
            const auto& size = message.at("resize").as_object();
            out(control::kSessionStdout,
                "size " + json::serialize(size.at("rows")) + "x" + json::serialize(size.at("cols")) + "\r\n");
        }
    }
    void begin() {
        m_mux.beginLocal(api::kExecTag);
        m_mux.openStream(kBase, StreamKind::Messages);
        m_mux.openStream(kBase + control::kSessionStdout, StreamKind::Bytes);
        m_mux.openStream(kBase + control::kSessionStderr, StreamKind::Bytes);
        const auto error = [this](ErrorCode code) {
            say({{"error", toJson(Error{code, "no such luck", {}, 0, nullptr})}});
        };
        if (m_script == "notfound") {
            error(ErrorCode::NotFound);
        } else if (m_script == "cannot") {
            error(ErrorCode::Refused);
        } else if (m_script == "garbage") {
            say({{"exit", "soon"}});
        } else if (m_script == "lost") {
            ::shutdown(m_socket.get(), SHUT_RDWR);
        } else {
            say({{"started", json::object{}}});
            started();
        }
    }
    void started() {
        if (m_script == "both") {
            out(control::kSessionStdout, "to out\n");
            out(control::kSessionStderr, "to err\n");
            exit({{"code", 7}});
        } else if (m_script == "killed") {
            exit({{"signal", 15}});
        } else if (m_script == "nasty" || m_script == "tty") {
            out(control::kSessionStdout, "before\x1b]52;c;AAAA\x07\x1b[6n\x1b[31mafter\n");
            if (m_script == "nasty") {
                exit({{"code", 0}});
            }
        } else if (m_script == "big") {
            for (int i = 0; i < 64; ++i) {
                out(control::kSessionStdout, std::string(65536, static_cast<char>('a' + i % 26)));
            }
            exit({{"code", 0}});
        } else if (m_script == "deaf" || m_script == "signals") {
            out(control::kSessionStdout, "ready\n");
        }
    }
    void run() {
        begin();
        for (;;) {
            const Bytes bytes = m_mux.takeOutput();
            for (std::size_t at = 0; at < bytes.size();) {
                const ssize_t sent =
                    ::send(m_socket.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
                if (sent <= 0) {
                    return;
                }
                at += static_cast<std::size_t>(sent);
            }
            if (m_mux.hasOutput()) {
                continue;
            }
            std::byte buffer[16384];
            const ssize_t got = ::recv(m_socket.get(), buffer, sizeof buffer, 0);
            if (got <= 0) {
                return;
            }
            m_mux.feed({buffer, static_cast<std::size_t>(got)});
        }
    }

    UniqueFd m_socket;
    std::string m_script;
    Mux m_mux;
    std::thread m_thread;
};

class FakeEngine {
public:
    [[nodiscard]] static std::string goodToken() { return std::string(api::kTokenPrefix).append(64, 'a'); }

    struct Request {
        std::string client; // empty: the owner
        std::string verb;
        json::object params;
    };

    // Answers verbs with the first example of their schema unless told otherwise.
    FakeEngine(const api::Home& home, const std::string& schemas)
        : m_schemas(schemas) {
        api::Handlers handlers;
        for (const char* verb :
             {"doctor",      "image.build", "image.list",   "image.verify", "image.import", "agent.create",
              "net.mode", "net.limit", "net.live", "net.cut", "net.presets", "net.allow", "forward.open", "forward.list", "forward.close", "secret.open", "credential.add", "credential.list",
              "credential.remove", "credential.test", "credential.unlock", "credential.lock", "canary.add", "canary.list", "canary.plant", "canary.remove",
              "provider.add", "provider.list", "provider.presets", "provider.test", "provider.remove", "provider.use",
              "agent.start", "agent.stop",  "agent.delete", "agent.list",   "share.add",    "share.remove",
              "share.list",  "changes",     "diff",         "apply",        "discard",      "undo",
              "timeline",    "engine.info", "engine.stop",  "exec.open",    "history",
              "agent.pause", "agent.resume", "agent.pause_all", "agent.resume_all",
              "changes.wait", "share.mode",  "share.revoke", "token.create", "token.list", "token.revoke",
              "approval.list", "approval.show", "approval.shown", "approval.hold", "approval.preview", "approval.decide",
              "approval.reopen", "approval.stats", "approval.wait", "rule.list", "rule.show", "rule.test", "rule.preview",
              "rule.add", "rule.remove", "rule.import", "rule.export", "rule.presets", "budget.set", "budget.show", "programs.show", "programs.set", "programs.allow", "programs.deny", "programs.remove",
              "task.add", "task.say", "task.list", "task.wait", "task.watch", "task.cancel", "task.answer", "task.programs", "task.install", "log.head", "log.search", "log.keep", "recording.list", "recording.read"}) {
            const auto schema = m_schemas.load(std::string(verb) + ".json").as_object();
            m_answers[verb] = schema.at("examples").as_array().at(0).as_object().at("result");
            handlers[verb] = [this](api::Call& call) { return answer(call); };
        }
        api::ClientGate gate;
        gate.socket = *api::clientSocketPath(home);
        gate.wrongTokenPause = std::chrono::milliseconds(0);
        gate.admit = [](std::string_view token) -> Result<api::Admission> {
            if (token != goodToken()) {
                return fail(ErrorCode::Refused, "that token is not known here, or was revoked", "Ask the owner for a new one");
            }
            api::Admission in;
            in.caller.client = "editor";
            in.told = {{"client", "editor"}};
            return in;
        };
        m_server = std::move(
            api::Server::start(api::Listening{*api::socketPath(home), std::move(gate)}, std::move(handlers)).value());
    }
    ~FakeEngine() { m_server.reset(); }
    // What was written to secret.open's socket, the oldest first; waits until it is closed.
    std::string takeSecret() {
        UniqueFd from;
        {
            const std::lock_guard lock(m_mutex);
            if (m_secrets.empty()) {
                return "none was given";
            }
            from = std::move(m_secrets.front());
            m_secrets.pop_front();
        }
        std::string out;
        char piece[256];
        for (ssize_t got = 0; (got = ::read(from.get(), piece, sizeof piece)) > 0;) {
            out.append(piece, static_cast<std::size_t>(got));
        }
        return out;
    }

    void setAnswer(const std::string& verb, Result<json::value> answer) {
        const std::lock_guard lock(m_mutex);
        m_answers[verb] = std::move(answer);
    }
    // One after the other; after them the agent is gone.
    void setWaits(std::deque<json::value> waits) { setScript("changes.wait", std::move(waits)); }
    void setScript(const std::string& verb, std::deque<json::value> answers) {
        const std::lock_guard lock(m_mutex);
        m_scripts[verb] = std::move(answers);
    }
    [[nodiscard]] std::vector<Request> takeRequests() {
        const std::lock_guard lock(m_mutex);
        return std::exchange(m_requests, {});
    }
    [[nodiscard]] const Schemas& schemas() const { return m_schemas; }

private:
    Result<json::value> answer(api::Call& call) {
        const std::lock_guard lock(m_mutex);
        const std::string verb(call.verb());
        m_requests.push_back({call.caller().client, verb, call.params()});
        if (verb == "agent.start") {
            call.progress("kernel", "The kernel starts", 0.25);
        }
        if (const auto script = m_scripts.find(verb); script != m_scripts.end()) {
            if (script->second.empty()) {
                return fail(ErrorCode::NotFound, "there is no agent of that name");
            }
            auto next = std::move(script->second.front());
            script->second.pop_front();
            return next;
        }
        if (verb == "forward.open" && call.params().contains("hold")) {
            (void)call.event({{"forward", m_answers.at(verb)->at("forward")}});
        }
        if (verb == "timeline" && call.params().contains("follow")) {
            for (const auto& event : m_answers.at(verb)->as_object().at("events").as_array()) {
                (void)call.event(event.as_object());
            }
            return json::value{{"events", json::array{}}, {"next_seq", nullptr}};
        }
        if (verb == "secret.open") {
            int ends[2];
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
                return failErrno("socketpair");
            }
            call.attachDescriptor(UniqueFd(ends[0]));
            m_secrets.emplace_back(ends[1]);
        }
        if ((verb == "exec.open" || verb == "task.install") && m_answers.at(verb)) {
            int ends[2];
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
                return failErrno("socketpair");
            }
            call.attachDescriptor(UniqueFd(ends[0]));
            const auto* argv = call.params().if_contains("argv");
            m_clerks.emplace_back(UniqueFd(ends[1]), argv == nullptr ? std::string("both") : std::string(argv->as_array().at(0).as_string()));
        }
        return m_answers.at(verb);
    }

    Schemas m_schemas;
    std::mutex m_mutex;
    std::map<std::string, Result<json::value>> m_answers;
    std::map<std::string, std::deque<json::value>> m_scripts;
    std::vector<Request> m_requests;
    std::list<FakeClerk> m_clerks;
    std::deque<UniqueFd> m_secrets;
    std::unique_ptr<api::Server> m_server;
};

} // namespace carrel::test
