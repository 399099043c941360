// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/agent_terminals.h"

#include "guest/acp/words.h"
#include "guest/protocol/control.h"
#include "guest/protocol/json_pick.h"

#include <algorithm>
#include <csignal>
#include <cstring>

namespace carrel::runner {

namespace json = boost::json;
namespace method = acp::method;

namespace {

constexpr std::size_t kMostPath = 4095;
constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kPiecesInTurn = 16; // then others have theirs
constexpr const char* kShell = "/bin/sh";

json::object exitJson(const Exit& exit) {
    json::object out{{"exitCode", nullptr}, {"signal", nullptr}};
    if (exit.code) {
        out["exitCode"] = *exit.code;
    } else if (exit.signal) {
        const char* name = ::sigabbrev_np(static_cast<int>(*exit.signal));
        out["signal"] = name != nullptr ? "SIG" + std::string(name) : std::to_string(*exit.signal);
    }
    return out;
}

bool hasNul(std::string_view text) {
    return text.find('\0') != std::string_view::npos;
}

// As agents write it: "make" with its arguments beside it, or "make && make install" as one text.
std::vector<std::string> argvOf(std::string_view command, std::vector<std::string> arguments, const std::map<std::string, std::string>& environment) {
    constexpr std::string_view kOfShell = " \t\n|&;<>()$`\\\"'*?[]#~=%!{}";
    if (arguments.empty() && command.find_first_of(kOfShell) != std::string_view::npos) {
        const auto shell = environment.find("SHELL");
        return {shell == environment.end() || shell->second.empty() ? kShell : shell->second, "-c", std::string(command)};
    }
    arguments.insert(arguments.begin(), std::string(command));
    return arguments;
}

} // namespace

bool AgentTerminals::isMethod(std::string_view name) {
    return name == method::kTerminalCreate || name == method::kTerminalOutput || name == method::kTerminalWait ||
           name == method::kTerminalKill || name == method::kTerminalRelease;
}

void AgentTerminals::request(const acp::Request& request) {
    const auto done = request.method == method::kTerminalCreate ? create(request) : answerAbout(request);
    if (!done) {
        const auto code = done.error().code == ErrorCode::Malformed  ? acp::Code::InvalidParams
                          : done.error().code == ErrorCode::NotFound ? acp::Code::NotFound
                                                                     : acp::Code::Internal;
        m_answer(request.id, tl::unexpected(acp::problemOf(done.error(), code)));
    }
}

Status AgentTerminals::create(const acp::Request& request) {
    JsonPick fields(request.params, request.method);
    const auto command = fields.text("command", Wanted::Always).value_or("");
    if (command.empty() || hasNul(command)) {
        fields.problem("command", "names no program");
    }
    std::size_t bytes = command.size();
    std::vector<std::string> arguments;
    if (const auto* given = fields.array("args")) {
        for (const auto& each : *given) {
            const auto* text = each.if_string();
            if (text == nullptr || hasNul({text->data(), text->size()})) {
                fields.problem("args", "holds something that is no argument");
                break;
            }
            bytes += text->size() + 1;
            arguments.emplace_back(text->data(), text->size());
        }
    }
    guestd::SpawnRequest spawn;
    spawn.environment = m_at.environment;
    if (const auto* given = fields.array("env")) {
        for (const auto& each : *given) {
            const json::object none;
            JsonPick variable(each.is_object() ? each.get_object() : none, "env");
            const auto name = variable.text("name", Wanted::Always).value_or("");
            const auto value = variable.text("value", Wanted::Always).value_or("");
            CARREL_TRY(variable.finish());
            if (name.empty() || hasNul(name) || hasNul(value) || name.find('=') != std::string_view::npos) {
                fields.problem("env", "holds something that is no variable");
                break;
            }
            bytes += name.size() + value.size() + 2;
            spawn.environment[std::string(name)] = value;
        }
    }
    spawn.cwd = fields.text("cwd").value_or(m_at.cwd);
    if (!spawn.cwd.starts_with('/') || spawn.cwd.size() > kMostPath || hasNul(spawn.cwd)) {
        fields.problem("cwd", "is no absolute path");
    }
    const auto limit = fields.number("outputByteLimit").value_or(kMostOutput);
    if (bytes > control::kMaxArgvBytes || arguments.size() >= control::kMaxArgvItems) {
        fields.problem("args", "are too long");
    }
    CARREL_TRY(fields.finish());
    if (m_terminals.size() >= kMostTerminals) {
        return fail(ErrorCode::LimitExceeded, "there are " + std::to_string(kMostTerminals) + " terminals already", "Release those that are done with");
    }
    const auto spawner = m_at.spawners();
    if (!spawner) {
        return fail(ErrorCode::Unavailable, "the agent's account is being set up again");
    }
    spawn.argv = argvOf(command, std::move(arguments), spawn.environment);
    auto child = Child::start(*spawner, std::move(spawn), Child::Errors::WithOutput, m_reaper);
    if (!child) {
        return fail(child.error());
    }
    (*child)->endInput();
    m_terminals.emplace("terminal-" + std::to_string(m_next++),
                        Terminal{std::move(*child), OutputTail(std::min<std::uint64_t>(limit, kMostOutput)), request.id, {}, false, false});
    return {};
}

Result<AgentTerminals::Terminal*> AgentTerminals::find(const acp::Request& request, std::string* id) {
    JsonPick fields(request.params, request.method);
    const auto name = fields.text("terminalId", Wanted::Always).value_or("");
    CARREL_TRY(fields.finish());
    const auto found = m_terminals.find(name);
    if (found == m_terminals.end() || found->second.created) {
        return fail(ErrorCode::NotFound, "there is no such terminal");
    }
    if (id != nullptr) {
        *id = found->first;
    }
    return &found->second;
}

Status AgentTerminals::answerAbout(const acp::Request& request) {
    std::string id;
    const auto found = find(request, &id);
    if (!found) {
        return fail(found.error());
    }
    Terminal& terminal = **found;
    if (request.method == method::kTerminalOutput) {
        json::object out{{"output", terminal.output.text()}, {"truncated", terminal.output.wasCut()}};
        if (terminal.isOver) {
            out["exitStatus"] = exitJson(*terminal.child->exit());
        }
        m_answer(request.id, std::move(out));
    } else if (request.method == method::kTerminalWait) {
        if (terminal.isOver) {
            m_answer(request.id, exitJson(*terminal.child->exit()));
        } else if (terminal.waiting.size() == kMostWaiting) {
            return fail(ErrorCode::LimitExceeded, "too many wait for that command already");
        } else {
            terminal.waiting.push_back(request.id);
        }
    } else if (request.method == method::kTerminalKill) {
        terminal.child->signal(SIGKILL);
        m_answer(request.id, json::object());
    } else {
        for (const auto& waits : terminal.waiting) {
            m_answer(waits, exitJson({std::nullopt, SIGKILL}));
        }
        m_terminals.erase(id);
        m_answer(request.id, json::object());
    }
    return {};
}

void AgentTerminals::cancel(const acp::Id& id) {
    for (auto& [name, terminal] : m_terminals) {
        if (std::erase(terminal.waiting, id) > 0) {
            m_answer(id, tl::unexpected<acp::Problem>({static_cast<std::int64_t>(acp::Code::Cancelled), "it was cancelled", nullptr}));
        }
    }
}

std::optional<std::string> AgentTerminals::textOf(std::string_view terminal) const {
    const auto found = m_terminals.find(terminal);
    return found == m_terminals.end() ? std::nullopt : std::optional(found->second.output.text());
}

bool AgentTerminals::haveChanged() const {
    return std::any_of(m_terminals.begin(), m_terminals.end(), [](const auto& each) { return each.second.hasChanged; });
}

std::vector<std::string> AgentTerminals::takeChanged() {
    std::vector<std::string> out;
    for (auto& [id, terminal] : m_terminals) {
        if (terminal.hasChanged) {
            terminal.hasChanged = false;
            out.push_back(id);
        }
    }
    return out;
}

void AgentTerminals::collectPoll(std::vector<pollfd>& into) const {
    for (const auto& [id, terminal] : m_terminals) {
        if (!terminal.isOver) {
            terminal.child->collectPoll(into);
        }
    }
}

void AgentTerminals::advance() {
    for (auto at = m_terminals.begin(); at != m_terminals.end();) {
        at = advance(at->first, at->second) ? std::next(at) : m_terminals.erase(at);
    }
}

bool AgentTerminals::advance(const std::string& id, Terminal& terminal) {
    if (terminal.isOver) {
        return true;
    }
    terminal.child->advance();
    if (terminal.child->began() == Child::Began::No) {
        m_answer(*terminal.created, tl::unexpected(acp::problemOf(terminal.child->whyNot())));
        return false;
    }
    if (terminal.created && (terminal.child->began() == Child::Began::Yes || terminal.child->exit())) {
        m_answer(*terminal.created, json::object{{"terminalId", id}});
        terminal.created.reset();
    }
    auto more = Child::More::Perhaps;
    for (std::size_t i = 0; i < kPiecesInTurn && more == Child::More::Perhaps; ++i) {
        std::string piece;
        more = terminal.child->readOutput(piece, kPiece);
        terminal.output.add(piece);
        terminal.hasChanged = terminal.hasChanged || !piece.empty();
    }
    // Also where others that it left behind hold the pipe still: the command's own words were all read.
    if (terminal.child->exit() && more != Child::More::Perhaps) {
        terminal.isOver = terminal.hasChanged = true;
        for (const auto& waits : terminal.waiting) {
            m_answer(waits, exitJson(*terminal.child->exit()));
        }
        terminal.waiting.clear();
    }
    return true;
}

} // namespace carrel::runner
