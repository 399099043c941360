// SPDX-License-Identifier: Apache-2.0
// model-server SCENARIO.json [PORT]: a ModelServer by hand, and for a test in another language. It prints its port, a line for each
// request on the standard error, and takes "release NAME" on the standard input. It ends by SIGINT or SIGTERM, with the failures of
// the scenario on the standard error: 0 where there are none, else 1; 2: the scenario or the port is not good.
#include "tests/support/model_server/model_server.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

using namespace carrel;
using namespace carrel::test::model;

namespace {

int say(const std::string& what) {
    std::cerr << "model-server: " + what + "\n";
    return 2;
}

// Lines of the standard input until a signal comes.
void obey(ModelServer& server, int signals) {
    std::string heard;
    pollfd both[] = {{signals, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    while (::poll(both, 2, -1) >= 0 && both[0].revents == 0) {
        char piece[1024];
        const auto got = ::read(STDIN_FILENO, piece, sizeof piece);
        if (got <= 0) {
            both[1].fd = -1; // nothing more will be said
            continue;
        }
        heard.append(piece, static_cast<std::size_t>(got));
        for (auto end = heard.find('\n'); end != std::string::npos; end = heard.find('\n')) {
            const auto line = heard.substr(0, end);
            heard.erase(0, end + 1);
            constexpr std::string_view kRelease = "release ";
            if (line.starts_with(kRelease)) {
                server.release(line.substr(kRelease.size()));
            } else {
                (void)say("only \"release NAME\" is known, and not: " + line);
            }
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    ModelServerOptions options;
    const bool hasPort = argc == 3;
    if (hasPort) {
        const auto* end = argv[2] + std::strlen(argv[2]);
        if (const auto read = std::from_chars(argv[2], end, options.port); read.ec != std::errc() || read.ptr != end) {
            return say(std::string(argv[2]) + " is no port");
        }
    }
    if (argc != 2 && !hasPort) {
        return say("call it with a scenario's file (tests/support/model_server/scenario.h) and, if you like, a port");
    }
    std::ifstream file(argv[1], std::ios::binary);
    if (!file) {
        return say(std::string("cannot read ") + argv[1]);
    }
    auto scenario = parseScenario(std::string(std::istreambuf_iterator<char>(file), {}));
    if (!scenario) {
        return say(std::string(argv[1]) + ": " + scenario.error().text());
    }
    sigset_t ends;
    (void)::sigemptyset(&ends);
    (void)::sigaddset(&ends, SIGINT);
    (void)::sigaddset(&ends, SIGTERM);
    (void)::pthread_sigmask(SIG_BLOCK, &ends, nullptr); // before there are threads, which inherit it
    const UniqueFd signals(::signalfd(-1, &ends, SFD_CLOEXEC));
    options.log = [](const std::string& line) { std::cerr << line + "\n"; };
    const auto server = ModelServer::start(std::move(*scenario), std::move(options));
    if (!server) {
        return say(server.error().text());
    }
    std::cout << (*server)->port() << std::endl;
    obey(**server, signals.get());
    const auto failures = (*server)->failures();
    for (const auto& failure : failures) {
        std::cerr << failure + "\n";
    }
    return failures.empty() ? 0 : 1;
}
