// SPDX-License-Identifier: Apache-2.0
// A web server in an agent's machine, in your browser: shown what it means, said yes to, and then open for as long as you want.
#include "app/cli/duration.h"
#include "app/cli/render_approval.h"
#include "app/cli/review_dialogue.h"
#include "app/cli/watch.h"

#include <iostream>
#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct ForwardOptions {
    std::string agent;
    std::uint64_t port = 0;
    std::uint64_t number = 0;
    std::string time;
    bool background = false;
    bool yes = false;
};

std::string closeWords(std::string_view agent, const json::object& forward) {
    return "carrel forward close " + shown(agent, 40) + " " + std::to_string(numberAt(forward, "number"));
}

std::string listText(const json::object& result) {
    const auto& all = listAt(result, "forwards");
    const auto agent = shown(textAt(result, "agent"), 40);
    if (all.empty()) {
        return "Nothing of agent " + agent + " is shown to your browser.\n";
    }
    Table table({"ID", "PORT", "ADDRESS", "OPEN", "ALL", "SENT", "RECEIVED", "AGE", "UNTIL"});
    for (const auto& value : all) {
        if (!value.is_object()) {
            continue;
        }
        const auto& one = value.get_object();
        const auto until = textAt(one, "until");
        table.add({std::to_string(numberAt(one, "number")), std::to_string(numberAt(one, "port")), shown(textAt(one, "url"), 300),
                   std::to_string(numberAt(one, "open")), std::to_string(numberAt(one, "connections")), bytesText(numberAt(one, "sent")),
                   bytesText(numberAt(one, "received")), spanText(static_cast<std::int64_t>(numberAt(one, "age_ms") / 1000)),
                   until.empty() ? "" : timeText(until)});
    }
    return table.text() + "Close one: carrel forward close " + agent + " ID\n";
}

// True: go on. What is decided on is the machine's port, so that is what is typed.
Result<bool> isConfirmed(Context& context, const ForwardOptions& options) {
    if (options.yes) {
        return true;
    }
    if (!canAsk()) {
        return fail(Error{ErrorCode::Refused, "nothing was opened: there is no terminal to ask on", "Read 'carrel forward --help', then use --yes.", 0, nullptr});
    }
    const auto preview = context.call("forward.open", {{"agent", options.agent}, {"port", options.port}, {"preview", true}});
    if (!preview) {
        return fail(preview.error());
    }
    const auto port = std::to_string(options.port);
    std::cerr << "High risk: what agent " << shown(textAt(*preview, "agent"), 40) << " serves at port " << port
              << " of its machine would be shown in your browser.\n"
              << shown(textAt(*preview, "meaning"), 600) << "\n";
    forgetTyped();
    return asksForWord("Show it? Type " + port + " to do so:", port);
}

int open(Context& context, const ForwardOptions& options) {
    const auto time = durationFrom(options.time);
    if (!options.time.empty() && (!time || time->count() == 0)) {
        return context.failed(Error{ErrorCode::InvalidArgument, "that is no length of time: " + shown(options.time, 40), "Write it as 90s, 10m, 12h or 30d.", 0, nullptr});
    }
    const auto confirmed = isConfirmed(context, options);
    if (!confirmed) {
        return context.failed(confirmed.error());
    }
    if (!*confirmed) {
        return context.failed(Error{ErrorCode::Cancelled, "nothing was opened", "All is as before.", 0, nullptr});
    }
    json::object params{{"agent", options.agent}, {"port", options.port}};
    if (time) {
        params["seconds"] = time->count();
    }
    if (options.background) {
        return context.show("forward.open", std::move(params), [](const json::object& result) {
            const auto& forward = objectAt(result, "forward");
            return shown(textAt(forward, "url"), 300) + "\nUntil you close it, or the agent stops: " + closeWords(textAt(result, "agent"), forward) + "\n";
        });
    }
    params["hold"] = true;
    const auto result = context.call("forward.open", std::move(params), [&context](const json::object& event) {
        if (context.format == Format::Json) {
            context.printJson(event);
        } else {
            context.print(shown(textAt(objectAt(event, "forward"), "url"), 300) + "\nUntil Ctrl-C.\n");
        }
        endOnInterrupt(); // which ends this command, and so the forward
        return context.done() == 0 ? api::Flow::Continue : api::Flow::Stop;
    });
    if (!result) {
        return context.failed(result.error());
    }
    return context.failed(Error{ErrorCode::Cancelled, "it is closed: " + shown(textAt(*result, "ended"), 300), "", 0, nullptr});
}

} // namespace

void addForwardVerbs(CLI::App& app, Context& context) {
    auto options = std::make_shared<ForwardOptions>();
    auto* verb = app.add_subcommand("forward", "Show your browser a web server that an agent runs in its machine");
    verb->require_subcommand(0, 1);
    verb->add_option("NAME", options->agent, "The agent");
    verb->add_option("PORT", options->port, "Where the server listens in the machine, on its loopback")->check(CLI::Range(1, 65535));
    verb->add_flag("--background", options->background, "Until it is closed or the agent stops, and not until Ctrl-C");
    verb->add_option("--for", options->time, "For how long at most: 90s, 10m, 12h, 30d")->type_name("T");
    verb->add_flag("--yes", options->yes, "Do not ask");
    verb->footer("It is a way out for what the agent knows, and of high risk. Its pages run in your browser. They are kept from ordinary requests\n"
                 "to any other place; but not from leading the browser to another address, from having names looked up, nor in most browsers\n"
                 "from direct connections (WebRTC), which you do not see. What you type into a page the agent knows.\n"
                 "The address is a random name, answers to no other, and is good for this computer and your account alone.\n"
                 "Example: carrel forward clerk 8000 --for 2h");
    verb->callback([&context, options, verb] {
        if (!verb->get_subcommands().empty()) {
            return;
        }
        if (options->agent.empty() || options->port == 0) {
            throw CLI::RequiredError("NAME and PORT");
        }
        context.action = [&context, options] { return open(context, *options); };
    });
    auto* list = verb->add_subcommand("list", "List what of an agent is shown to your browser");
    list->add_option("NAME", options->agent, "The agent")->required();
    list->footer("Example: carrel forward list clerk");
    list->callback([&context, options] {
        context.action = [&context, options] { return context.show("forward.list", json::object{{"agent", options->agent}}, listText); };
    });
    auto* close = verb->add_subcommand("close", "End one of these, and what is connected to it, at once");
    close->add_option("NAME", options->agent, "The agent")->required();
    close->add_option("ID", options->number, "As 'carrel forward list' shows it")->required();
    close->footer("Example: carrel forward close clerk 1");
    close->callback([&context, options] {
        context.action = [&context, options] {
            return context.show("forward.close", json::object{{"agent", options->agent}, {"number", options->number}},
                                [](const json::object&) { return std::string("Closed.\n"); });
        };
    });
}

} // namespace carrel::cli
