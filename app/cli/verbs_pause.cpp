// SPDX-License-Identifier: Apache-2.0
// The brake: pause and resume, of one agent or of all.
#include "app/cli/context.h"

#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

// Of both verbs, in the words of each.
struct Words {
    const char* verb;    // and the engine's, after "agent."
    const char* help;
    const char* none;    // with --all, where nothing was to be done
    const char* failed;  // "… could not be "
};
constexpr Words kPause{"pause", "Stop an agent's machine where it is, at once; everything in it stays, and goes on with resume",
                       "No agent runs.\n", "paused, and may run on"};
constexpr Words kResume{"resume", "Let a paused agent go on", "No agent is paused.\n", "resumed"};

// Empty: that one had nothing to do with it.
std::string outcomeText(const std::string& name, std::string_view outcome, std::string_view state) {
    const auto agent = "Agent " + shown(name, 40);
    if (outcome == "paused") {
        return agent + " is paused.\n";
    }
    if (outcome == "already-paused") {
        return agent + " was paused already.\n";
    }
    if (outcome == "resumed") {
        return agent + (state == "ready"    ? " goes on.\n"
                        : state == "failed" ? " goes on, but its machine has not answered yet.\n"
                                            : " goes on, and is " + shown(state, 20) + ".\n");
    }
    return {};
}

int ofOne(Context& context, const Words& words, const std::string& agent) {
    return context.show(std::string("agent.") + words.verb, {{"agent", agent}}, [](const json::object& result) {
        const auto& told = objectAt(result, "agent");
        const auto name = textAt(told, "name");
        const auto outcome = textAt(result, "outcome");
        auto text = outcomeText(name, outcome, textAt(told, "state"));
        if (const auto reason = textAt(told, "reason"); !reason.empty()) {
            text += "  " + shown(reason, 400) + "\n";
        }
        return !text.empty() ? text : "Agent " + shown(name, 40) + (outcome == "not-paused" ? " is not paused.\n" : " did not run.\n");
    });
}

int ofAll(Context& context, const Words& words) {
    context.onlyResults = true;
    const auto result = context.call(std::string("agent.") + words.verb + "_all", {});
    if (!result) {
        return context.failed(result.error());
    }
    std::string text;
    std::uint64_t failed = 0;
    for (const auto& value : listAt(*result, "agents")) {
        if (!value.is_object()) {
            continue;
        }
        const auto& agent = value.get_object();
        text += outcomeText(textAt(agent, "name"), textAt(agent, "outcome"), textAt(agent, "state"));
        if (textAt(agent, "outcome") == "failed") {
            ++failed;
            text += "Agent " + shown(textAt(agent, "name"), 40) + ": " + shown(textAt(agent, "why"), 400) + ". " +
                    shown(textAt(agent, "hint"), 400) + "\n";
        }
    }
    if (context.format == Format::Json) {
        context.printJson(*result);
    } else {
        context.print(text.empty() ? words.none : text);
    }
    if (failed > 0) {
        return context.failed(Error{ErrorCode::Unavailable,
                                    countText(failed, "agent", "agents") + " could not be " + words.failed, {}, 0, nullptr});
    }
    return context.done();
}

void add(CLI::App& app, Context& context, const Words& words) {
    struct Options {
        std::string agent;
        bool all = false;
    };
    auto* verb = app.add_subcommand(words.verb, words.help);
    auto options = std::make_shared<Options>();
    auto* agent = verb->add_option("NAME", options->agent, "The agent");
    verb->add_flag("--all", options->all, "All agents, each by itself and all at the same time")->excludes(agent);
    verb->callback([&context, &words, options] {
        if (options->agent.empty() && !options->all) {
            throw CLI::RequiredError("NAME or --all");
        }
        context.action = [&context, &words, options] {
            return options->all ? ofAll(context, words) : ofOne(context, words, options->agent);
        };
    });
}

} // namespace

void addPauseVerbs(CLI::App& app, Context& context) {
    add(app, context, kPause);
    add(app, context, kResume);
}

} // namespace carrel::cli
