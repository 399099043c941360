// SPDX-License-Identifier: Apache-2.0
// Commands in the agent's machine: the engine decides and writes down; the bytes go between the caller and the clerk.
#include "app/agents/agent.h"
#include "app/agents/attachments.h"

#include "guest/protocol/control.h"
#include "guest/protocol/plain_text.h"
#include "guest/protocol/strict_json.h"

#include <sys/socket.h>

#include <chrono>

namespace carrel::agents {

namespace json = boost::json;
using activity::EventKind;

namespace {

constexpr std::size_t kMaxLoggedCommand = 4096;
constexpr std::chrono::seconds kDoorPatience{15};

// As a person would type it, for the log; the exact words are in the detail where they fit.
std::string commandLine(const json::array& argv) {
    std::string out;
    for (const auto& word : argv) {
        const auto& text = word.get_string();
        if (!out.empty()) {
            out += ' ';
        }
        out.append(text.data(), text.size());
        if (out.size() > kMaxLoggedCommand) {
            out.resize(kMaxLoggedCommand);
            while (!isUtf8(out)) {
                out.pop_back();
            }
            return out + "…";
        }
    }
    return out;
}

} // namespace

// Where the clerk that has the terminals broke, nobody is there for a moment. That is no answer to give to a person: it is
// waited out.
Result<std::uint32_t> Agent::execAtDoor(Door& at, const json::object& start, int socket, const By& by) {
    const auto until = std::chrono::steady_clock::now() + kDoorPatience;
    for (;;) {
        if (!at.alive()) {
            const std::lock_guard operation(m_operation);
            if (auto working = workingDoor(); !working) {
                return fail(std::move(working).error());
            }
        }
        auto session = at.exec(start, socket, by.client.empty() ? std::nullopt : std::optional(by.ends));
        if (session || session.error().code != ErrorCode::Unavailable || std::chrono::steady_clock::now() >= until) {
            return session;
        }
        if (auto still = readyDoor(); !still) {
            return fail(std::move(still).error()); // it was paused or stopped meanwhile
        }
        std::unique_lock lock(m_mutex);
        m_tendDoor = true;
        m_wake.notify_all();
        m_wake.wait_for(lock, std::chrono::milliseconds(100));
    }
}

Result<std::map<std::string, std::string>> Agent::ownEnvironment() {
    auto out = canaryVariables();
    if (const auto own = credentials()) {
        auto placeholders = own->environment();
        if (!placeholders) {
            return fail(std::move(placeholders).error());
        }
        for (auto& [name, text] : *placeholders) {
            out[name] = text;
        }
    }
    return out;
}

std::string Agent::workFolder() const {
    std::string only;
    for (const auto& share : record().shares) {
        if (share.dir == file(kAttachments).string()) {
            continue;
        }
        if (!only.empty()) {
            return "/workspace";
        }
        only = share.name;
    }
    return only.empty() ? "/workspace" : "/workspace/" + only;
}

Result<std::uint32_t> Agent::exec(const json::object& params, UniqueFd& callerEnd, const By& by) {
    return run(params, callerEnd, by, {});
}

Result<std::uint32_t> Agent::run(const json::object& params, UniqueFd& callerEnd, const By& by, std::string logged) {
    JsonFields fields(params, "exec.open");
    fields.allow("agent");
    const auto& argv = fields.array("argv", control::kMaxArgvItems);
    std::size_t bytes = 0;
    for (const auto& word : argv) {
        if (!word.is_string()) {
            return fail(ErrorCode::InvalidArgument, "a command is a list of words");
        }
        bytes += word.get_string().size() + 1;
    }
    json::object start{{"argv", argv}, {"env", json::object{}}, {"tty", nullptr}};
    auto own = ownEnvironment();
    if (!own) {
        return fail(std::move(own).error());
    }
    for (const auto& [name, text] : *own) { // a caller's own variable of that name wins
        bytes += name.size() + text.size();
        start["env"].get_object()[name] = text;
    }
    if (const auto* env = fields.optionalObject("env")) {
        for (const auto& member : *env) {
            if (!member.value().is_string()) {
                return fail(ErrorCode::InvalidArgument, "an environment variable is not a text");
            }
            bytes += member.key().size() + member.value().get_string().size();
        }
        for (const auto& member : *env) {
            start["env"].get_object()[member.key()] = member.value();
        }
    }
    start["cwd"] = fields.optionalString("cwd", 4096).value_or(workFolder());
    if (const auto* tty = fields.optionalObject("tty")) {
        start["tty"] = *tty;
    }
    CARREL_TRY(fields.finish());
    // The link to the clerk and the guest's frame both carry it whole.
    if (argv.empty() || bytes > clerk::kMaxLinkMessage / 2) {
        return fail(ErrorCode::LimitExceeded, "the command is empty or longer than 64 KiB",
                    "Put long input into a file or into standard input");
    }
    if (by.ends.stop_requested()) {
        return fail(ErrorCode::Refused, "the client's token has ended");
    }
    auto at = readyDoor();
    if (!at) {
        return fail(std::move(at).error());
    }
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return failErrno("making the command's socket");
    }
    UniqueFd ours(ends[0]);
    UniqueFd clerks(ends[1]);
    // I5: written down before it runs.
    CARREL_TRY(note(EventKind::ExecStarted, logged.empty() ? commandLine(argv) : std::move(logged),
                    by.mark({{"cwd", start.at("cwd")}, {"terminal", start.at("tty").is_object()}, {"words", argv.size()}})));
    if (start.at("tty").is_object() && !m_services.recorderProgram.empty()) {
        auto recorded = recordTerminal("terminal", commandLine(argv), start.at("tty").get_object(), std::move(ours));
        if (!recorded) {
            noteAfter(EventKind::ExecEnded, "", by.mark({{"error", recorded.error().text()}}));
            return fail(std::move(recorded).error());
        }
        ours = std::move(*recorded);
    }
    auto session = execAtDoor(**at, start, clerks.get(), by);
    if (!session) {
        noteAfter(EventKind::ExecEnded, "", by.mark({{"error", session.error().text()}}));
        return fail(std::move(session).error());
    }
    callerEnd = std::move(ours);
    return *session;
}

Status Agent::noteClient(EventKind kind, const std::string& client, json::object detail) {
    if (kind == EventKind::ClientAllowed) {
        return note(kind, client, std::move(detail));
    }
    (void)noteOwing(kind, client, std::move(detail));
    return {};
}

namespace {

constexpr std::size_t kMaxWords = 2000; // a rule may hold a thousand paths; all of it stands in the rules' file

json::object shortened(json::object detail) {
    if (auto* toml = detail.if_contains("toml"); toml != nullptr && toml->is_string() && toml->get_string().size() > kMaxWords) {
        *toml = plainText(std::string(toml->get_string()), kMaxWords);
    }
    return detail;
}

} // namespace

Status Agent::noteRule(EventKind kind, std::string words, json::object detail) {
    return note(kind, plainText(words, kMaxWords), shortened(std::move(detail)));
}

void Agent::noteRuleOwing(EventKind kind, std::string words, json::object detail) {
    (void)noteOwing(kind, plainText(words, kMaxWords), shortened(std::move(detail)));
}

Status Agent::noteCredential(EventKind kind, const std::string& name, json::object detail) {
    return note(kind, name, std::move(detail));
}

void Agent::noteCredentialOwing(EventKind kind, const std::string& name, json::object detail) {
    (void)noteOwing(kind, name, std::move(detail));
}

Status Agent::noteCanary(EventKind kind, const std::string& name, json::object detail) {
    return note(kind, name, std::move(detail));
}

Status Agent::noteBudget(const std::string& words, json::object detail) {
    return note(EventKind::BudgetSet, words, std::move(detail));
}

json::object By::mark(json::object detail) const {
    if (!client.empty()) {
        detail["client"] = client;
    }
    return detail;
}

} // namespace carrel::agents
