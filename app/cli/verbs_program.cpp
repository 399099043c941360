// SPDX-License-Identifier: Apache-2.0
// carrel task programs, carrel task install: agent programs of others.
#include "app/cli/context.h"
#include "app/cli/review_dialogue.h"
#include "app/cli/session.h"

#include "hypervisor/confine/confine.h"

#include <iostream>
#include <memory>
#include <unistd.h>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct ProgramOptions {
    std::string agent, program;
    bool yes = false;
};

std::string programsText(const json::object& result) {
    Table table({"NAME", "PROGRAM", "MODELS", "INSTALLED", ""});
    for (const auto& value : listAt(result, "programs")) {
        if (!value.is_object()) {
            continue;
        }
        const auto& of = value.get_object();
        std::string apis;
        for (const auto& each : listAt(of, "apis")) {
            apis += each.is_string() ? (apis.empty() ? "" : ", ") + std::string(each.get_string()) : "";
        }
        const auto* installed = of.if_contains("installed");
        const bool known = installed != nullptr && installed->is_bool();
        const bool everywhere = objectAt(of, "install").empty();
        table.add({textAt(of, "name"), shown(textAt(of, "title"), 40), apis,
                   everywhere ? "in every machine" : !known ? "" : installed->get_bool() ? textAt(objectAt(of, "install"), "version") : "no", shown(textAt(of, "about"), 80)});
    }
    return table.text() + "Install one: carrel task install NAME PROGRAM. Work with it: carrel task NAME \"…\" --program PROGRAM\n";
}

std::string installText(const json::object& program, const std::string& agent) {
    const auto& install = objectAt(program, "install");
    std::string out = textAt(program, "title") + " " + textAt(install, "version") + " is installed in the machine of " + shown(agent, 40) + ", below " + textAt(install, "folder") +
                      ", by the network that this agent may use.\nPackages of the npm registry, each held to the checksum that Carrel knows; no script of theirs is run:\n";
    for (const auto& each : listAt(install, "packages")) {
        if (each.is_object()) {
            out += "  " + textAt(each.get_object(), "name") + " " + textAt(each.get_object(), "version") + "\n";
        }
    }
    for (const auto& each : listAt(install, "files")) {
        if (each.is_object()) {
            out += "Beside them, " + textAt(each.get_object(), "name") + ":\n" + textAt(each.get_object(), "text");
        }
    }
    return out + "By this script, there:\n\n" + textAt(install, "script") + "\n";
}

Result<json::object> wanted(Context& context, const ProgramOptions& options) {
    const auto all = context.call("task.programs", {{"agent", options.agent}});
    if (!all) {
        return fail(all.error());
    }
    std::string known;
    for (const auto& each : listAt(*all, "programs")) {
        if (each.is_object() && textAt(each.get_object(), "name") == options.program) {
            return each.get_object();
        }
        known += each.is_object() ? (known.empty() ? "" : ", ") + textAt(each.get_object(), "name") : "";
    }
    return fail(Error{ErrorCode::NotFound, "there is no agent program " + shown(options.program, 40), "There are: " + known, 0, nullptr});
}

int install(Context& context, const ProgramOptions& options) {
    const auto program = wanted(context, options);
    if (!program) {
        return context.failed(program.error());
    }
    if (!options.yes && !objectAt(*program, "install").empty()) {
        std::cerr << installText(*program, options.agent);
        if (!canAsk()) {
            return context.failed({ErrorCode::Refused, "nothing was installed: there is no terminal to ask on", "Look at this, then use --yes", 0, nullptr});
        }
        forgetTyped();
        if (!asksUser("Install it?", Answer::Letter)) {
            return context.failed({ErrorCode::Cancelled, "nothing was installed", "All is as before", 0, nullptr});
        }
    }
    auto signals = catchSignals();
    if (!signals) {
        return context.failed(signals.error());
    }
    const auto opened = context.call("task.install", {{"agent", options.agent}, {"program", options.program}});
    if (!opened) {
        return context.failed(opened.error());
    }
    SessionSetup setup;
    setup.channel = context.takeDescriptor();
    if (!setup.channel) {
        return context.failed({ErrorCode::Malformed, "the engine's answer came without a session", {}, 0, nullptr});
    }
    // From here on this process reads a guest's bytes (I1, I11), as that of exec does.
    setup.confine = [] { return confine::restrictSyscalls(confine::SyscallProfile::TerminalViewer); };
    if (context.format == Format::Json) {
        setup.output = STDERR_FILENO; // the answer alone goes to the standard output
    }
    const auto status = runSession(std::move(setup), std::move(*signals));
    if (!status) {
        return context.failed(status.error());
    }
    if (context.format == Format::Json) {
        context.printJson(*opened);
    }
    return context.done(*status);
}

} // namespace

void addProgramVerbs(CLI::App& app, Context& context) {
    auto options = std::make_shared<ProgramOptions>();
    auto* task = app.get_subcommand("task");
    auto* list = task->add_subcommand("programs", "List the agent programs that there are, and which of them an agent's machine has");
    list->add_option("NAME", options->agent, "The agent");
    list->callback([&context, options] {
        context.action = [&context, options] {
            return context.show("task.programs", options->agent.empty() ? json::object{} : json::object{{"agent", options->agent}}, programsText);
        };
    });
    auto* verb = task->add_subcommand("install", "Install an agent program in an agent's machine, after it was shown how");
    verb->add_option("NAME", options->agent, "The agent")->required();
    verb->add_option("PROGRAM", options->program, "Which: carrel task programs")->required();
    verb->add_flag("--yes", options->yes, "Do not ask");
    verb->footer("The agent needs the package registries: carrel net allow NAME package-registries. The first one takes some minutes in a machine\n"
                 "that has no npm yet. Example: carrel task install desk opencode");
    verb->callback([&context, options] { context.action = [&context, options] { return install(context, *options); }; });
}

} // namespace carrel::cli
