// SPDX-License-Identifier: Apache-2.0
#include "app/cli/cli.h"

#include "app/api/home.h"
#include "app/cli/context.h"
#include "app/cli/session.h"

#include <algorithm>
#include <iostream>

namespace carrel::cli {

namespace {

constexpr int kExitUsage = 2;
constexpr char kTokenFileOption[] = "--token-file";

// The command of exec is not for the option parser: everything after the first "--" is taken away before.
struct Arguments {
    std::vector<std::string> own;
    std::vector<std::string> command;
    bool session = false; // exec or shell
};

Arguments split(int argc, char** argv) {
    Arguments arguments;
    std::vector<std::string> all(argv + std::min(argc, 1), argv + argc);
    auto verb = all.begin();
    while (verb != all.end() && verb->starts_with('-')) {
        const auto words = *verb == kTokenFileOption ? 2 : 1; // the one option before the verb that has a value
        verb += std::min<std::ptrdiff_t>(words, all.end() - verb);
    }
    arguments.session = verb != all.end() && (*verb == "exec" || *verb == "shell");
    const auto dashes = arguments.session ? std::find(all.begin(), all.end(), "--") : all.end();
    arguments.own.assign(all.begin(), dashes);
    if (dashes != all.end()) {
        arguments.command.assign(dashes + 1, all.end());
    }
    return arguments;
}

int usage(CLI::App& app, const CLI::ParseError& error, bool session) {
    if (error.get_exit_code() == 0) { // --help, --version
        return app.exit(error);
    }
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    std::cerr << "carrel: " << shown(message, 400) << ". See: carrel --help\n";
    return session ? kExitOwnFailure : kExitUsage;
}

// --json may stand before or after the verb; exec and shell, whose output is the command's own, do not know
// it.
void addJsonFlags(CLI::App& app, Context& context) {
    for (auto* verb : app.get_subcommands([](CLI::App*) { return true; })) {
        const auto inner = verb->get_subcommands([](CLI::App*) { return true; });
        if (!inner.empty()) {
            addJsonFlags(*verb, context);
        }
        const bool answers = inner.empty() || verb->get_require_subcommand_min() == 0; // by itself
        if (answers && verb->get_name() != "exec" && verb->get_name() != "shell") {
            verb->add_flag_callback(
                "--json", [&context] { context.format = Format::Json; },
                "Print the answer as JSON (the schemas are in share/carrel/schema)");
        }
    }
}

} // namespace

void addEverything(CLI::App& app, Context& context, const std::vector<std::string>& command) {
    app.description("A whole Linux machine for each AI agent, with a clerk at the door");
    app.set_version_flag("--version", std::string("carrel ") + CARREL_VERSION);
    app.require_subcommand(1);
    app.footer("Data is kept in ~/.local/share/carrel, or where CARREL_HOME says. Help on a verb: carrel "
               "VERB --help\n"
               "First steps: carrel doctor; carrel image build; carrel demo; carrel create clerk --share "
               "~/papers; carrel "
               "start clerk;\n"
               "carrel shell clerk; carrel changes clerk; carrel apply clerk; carrel approvals");
    app.add_option(kTokenFileOption, context.tokenFile,
                   "Be a client, with the token in this file (or in the variable CARREL_TOKEN)")
        ->type_name("FILE");
    addMachineVerbs(app, context);
    addPauseVerbs(app, context);
    addSessionVerbs(app, context, command);
    addShareVerbs(app, context);
    addReviewVerbs(app, context);
    addApprovalVerbs(app, context);
    addDecideVerbs(app, context);
    addRuleVerbs(app, context);
    addNetworkVerbs(app, context);
    addForwardVerbs(app, context);
    addExecPolicyVerbs(app, context);
    addCredentialVerbs(app, context);
    addCanaryVerbs(app, context);
    addProviderVerbs(app, context);
    addBudgetVerb(app, context);
    addTaskVerbs(app, context);
    addProgramVerbs(app, context);
    addTimelineVerb(app, context);
    addLogVerbs(app, context);
    addRecordVerbs(app, context);
    addExportVerb(app, context);
    addDemoVerb(app, context);
    addImageVerbs(app, context);
    addTokenVerbs(app, context);
    addJsonFlags(app, context);
}

int run(int argc, char** argv) {
    auto arguments = split(argc, argv);
    Context context;
    CLI::App app{"", "carrel"};
    try {
        addEverything(app, context, arguments.command);
        std::reverse(arguments.own.begin(), arguments.own.end()); // the parser takes them from the back
        app.parse(arguments.own);
    } catch (const CLI::ParseError& error) {
        return usage(app, error, arguments.session);
    } catch (const CLI::Error& error) {
        return context.failed(Error{ErrorCode::Internal, error.what(), {}, 0, nullptr});
    }
    if (auto allowed = api::refuseRoot(); !allowed) {
        const int status = context.failed(allowed.error());
        return arguments.session ? kExitOwnFailure : status;
    }
    return context.action();
}

} // namespace carrel::cli
