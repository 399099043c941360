// SPDX-License-Identifier: Apache-2.0
#include "app/cli/context.h"
#include "app/cli/session.h"
#include "app/cli/terminal_mode.h"
#include "hypervisor/confine/confine.h"

#include <cstdlib>
#include <memory>
#include <unistd.h>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct SessionOptions {
    std::string agent;
    std::string cwd;
    std::vector<std::string> environment;
    std::vector<std::string> command;
    SessionKind kind = SessionKind::Pipes;
};

int ownFailure(Context& context, const Error& error, int status = kExitOwnFailure) {
    (void)context.failed(error);
    return status;
}

Result<json::object> parametersOf(const SessionOptions& options) {
    json::object params{{"agent", options.agent}, {"argv", json::value_from(options.command)}};
    if (!options.cwd.empty()) {
        params["cwd"] = options.cwd;
    }
    json::object environment;
    for (const auto& assignment : options.environment) {
        const auto equals = assignment.find('=');
        if (equals == 0 || equals == std::string::npos) {
            return fail(ErrorCode::InvalidArgument, "a variable is not written as NAME=VALUE");
        }
        environment[assignment.substr(0, equals)] = assignment.substr(equals + 1);
    }
    if (!environment.empty()) {
        params["env"] = std::move(environment);
    }
    params["tty"] = nullptr;
    if (options.kind == SessionKind::Terminal) {
        const auto size = terminalSize(STDIN_FILENO);
        const char* term = std::getenv("TERM"); // NOLINT(concurrency-mt-unsafe)
        const std::string_view name = term == nullptr || term[0] == '\0' ? "xterm" : term;
        params["tty"] = json::object{
            {"rows", size.rows}, {"cols", size.columns}, {"term", json::string(name.substr(0, 64))}};
    }
    return params;
}

int session(Context& context, const SessionOptions& options) {
    if (options.kind == SessionKind::Terminal &&
        (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0)) {
        return ownFailure(context, Error{ErrorCode::InvalidArgument, "a shell needs a terminal",
                                         "Use: carrel exec " + options.agent + " -- COMMAND", 0, nullptr});
    }
    auto params = parametersOf(options);
    if (!params) {
        return ownFailure(context, params.error());
    }
    auto signals = catchSignals();
    if (!signals) {
        return ownFailure(context, signals.error());
    }
    auto opened = context.call("exec.open", std::move(*params));
    if (!opened) {
        return ownFailure(context, opened.error());
    }
    SessionSetup setup;
    setup.channel = context.takeDescriptor();
    if (!setup.channel) {
        return ownFailure(
            context,
            Error{ErrorCode::Malformed, "the engine's answer came without a session", {}, 0, nullptr});
    }
    setup.kind = options.kind;
    // From here on this process reads a guest's bytes (I1, I11). Everything that it needs is open; the
    // terminal's settings go back by ioctl(2), which stays allowed; there is one thread.
    setup.confine = [] { return confine::restrictSyscalls(confine::SyscallProfile::TerminalViewer); };
    auto status = runSession(std::move(setup), std::move(*signals));
    return status ? *status : ownFailure(context, status.error(), exitStatusOf(status.error()));
}

} // namespace

void addSessionVerbs(CLI::App& app, Context& context, const std::vector<std::string>& command) {
    auto options = std::make_shared<SessionOptions>();
    options->command = command;
    const auto addCommon = [options](CLI::App* verb) {
        verb->add_option("NAME", options->agent, "The agent")->required();
        verb->add_option("--cwd", options->cwd, "The folder to start in, in the machine")->type_name("DIR");
        verb->add_option("--env", options->environment, "A variable, NAME=VALUE; may be given several times")
            ->type_name("K=V")
            ->allow_extra_args(false);
    };
    auto* exec = app.add_subcommand("exec", "Run a command in an agent's machine");
    addCommon(exec);
    exec->footer(
        "The command follows after --: carrel exec NAME -- CMD ARG...\n"
        "Its standard streams, signals and exit status pass through. Own failures: 125, 126 (it cannot be "
        "run),\n"
        "127 (there is no such command). Example: carrel exec clerk -- sh -c 'ls /workspace | wc -l'");
    exec->callback([&context, options] {
        context.action = [&context, options] {
            if (options->command.empty()) {
                return ownFailure(context, Error{ErrorCode::InvalidArgument, "there is no command",
                                                 "Write it after two hyphens: carrel exec NAME -- CMD ARG...",
                                                 0, nullptr});
            }
            return session(context, *options);
        };
    });
    auto* shell = app.add_subcommand("shell", "Open a terminal in an agent's machine");
    addCommon(shell);
    shell->footer("What would reach out of the terminal's window (clipboard, title, reports) is left out of "
                  "what it shows.");
    shell->callback([&context, options] {
        context.action = [&context, options] {
            options->kind = SessionKind::Terminal;
            if (options->command.empty()) {
                options->command = {"bash", "-l"};
            }
            return session(context, *options);
        };
    });
}

} // namespace carrel::cli
