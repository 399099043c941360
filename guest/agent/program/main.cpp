// SPDX-License-Identifier: Apache-2.0
// carrel-agent: the built-in agent of a machine. A client of the Agent Client Protocol speaks with it over its standard input and output;
// what it is told by its environment is in agent_settings.h.
#include "guest/agent/http_web.h"
#include "guest/agent/program/agent_service.h"
#include "guest/agent/tools/search_child.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <random>

using namespace carrel;
using namespace carrel::agent;

namespace {

constexpr const char* kSearch = "search"; // the role of a child of its own

int say(const char* text, int status) {
    (void)std::fputs(text, status == 0 ? stdout : stderr);
    return status;
}

// From now on the two ends belong to the protocol alone: whatever else reads or writes finds nothing there, or the standard error.
Status takeEnds(UniqueFd& in, UniqueFd& out) {
    in.reset(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    out.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!in || !out || !nothing || ::dup2(nothing.get(), STDIN_FILENO) < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        return failErrno("taking the standard input and output");
    }
    return {};
}

} // namespace

int main(int count, char** arguments) {
    if (count == 2 && std::strcmp(arguments[1], kSearch) == 0) {
        return runSearchChild();
    }
    if (count == 2 && std::strcmp(arguments[1], "--version") == 0) {
        return say("carrel-agent " CARREL_VERSION "\n", 0);
    }
    if (count != 1) {
        return say("carrel-agent is Carrel's built-in agent. It speaks the Agent Client Protocol (agentclientprotocol.com) over its standard\n"
                   "input and output, and is started by a client of that. It takes no arguments but --version. Its environment: CARREL_MODEL_API\n"
                   "(anthropic or openai), CARREL_MODEL_URL, CARREL_MODEL, and if there are any CARREL_MODEL_KEY, CARREL_MODEL_WINDOW (tokens),\n"
                   "CARREL_AGENT_HOME (where conversations lie) and CARREL_AGENT_MODE (work or ask).\n",
                   count == 2 && std::strcmp(arguments[1], "--help") == 0 ? 0 : 64);
    }
    (void)std::signal(SIGPIPE, SIG_IGN);
    UniqueFd in;
    UniqueFd out;
    if (auto taken = takeEnds(in, out); !taken) {
        return say((taken.error().text() + "\n").c_str(), 1);
    }
    auto settings = agentSettings([](const char* name) -> const char* { return std::getenv(name); });
    (void)::unsetenv("CARREL_MODEL_KEY"); // no command that it runs needs it
    HttpWeb web;
    ClockWaiter waiter;
    AgentParts parts{{"/proc/self/exe", kSearch}, web, waiter, [] {
                         static thread_local std::mt19937 random{std::random_device{}()};
                         return std::uniform_real_distribution<double>(0.0, 1.0)(random);
                     },
                     {}, {}};
    AgentService service(std::move(in), std::move(out), std::move(settings), parts);
    if (auto started = service.start(); !started) {
        return say((started.error().text() + "\n").c_str(), 1);
    }
    const auto why = service.waitForEnd();
    if (why.code != ErrorCode::Unavailable) {
        return say(("carrel-agent: " + why.text() + "\n").c_str(), 1);
    }
    return 0;
}
