// SPDX-License-Identifier: Apache-2.0
// Canaries: texts that show that an agent takes things along.
#include "app/cli/context.h"
#include "app/cli/render.h"

#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct CanaryOptions {
    std::string name, text, shape, at, env;
    std::vector<std::string> agents;
    bool texts = false;
};

std::string namesOf(const json::object& of) {
    std::string out;
    for (const auto& each : listAt(of, "agents")) {
        if (each.is_string()) {
            out += (out.empty() ? "" : ", ") + shown(std::string(each.get_string()), 40);
        }
    }
    return out.empty() ? "all" : out;
}

constexpr const char* kWhere = "It is looked for where requests are read: in plain HTTP, and at hosts that a credential or a rule with methods or paths\n"
                               "speaks of. What goes through unread may hold it.\n";

std::string addedText(const json::object& result) {
    const auto& of = objectAt(result, "canary");
    const auto name = shown(textAt(of, "name"), 64);
    return "Canary " + name + " is:\n\n  " + shown(textAt(of, "text"), 256) + "\n\nPut it where no agent has business with it: into a file of a shared folder, say, or\n" +
           "carrel canary plant " + name + " --env API_KEY, which gives it to agents like a key.\n" + kWhere;
}

std::string plantedText(const json::object& result) {
    const auto& of = objectAt(result, "canary");
    std::string out;
    if (const auto env = textAt(of, "env"); !env.empty()) {
        out = "It is in the variable " + shown(env, 64) + " of each agent that it is for, from its next command on.\n";
    }
    const auto at = textAt(of, "planted");
    return out + "Put this " + (at.empty() ? "into a file of a shared folder" : "there: " + shown(at, 400)) + ". Carrel writes nothing into your folders.\n\n  " +
           shown(textAt(of, "text"), 256) + "\n\n" + kWhere;
}

std::string listText(const json::object& result) {
    const auto& all = listAt(result, "canaries");
    if (all.empty()) {
        return "There are no canaries. Add one: carrel canary add NAME\n";
    }
    Table table({"NAME", "AGENTS", "PLANTED", "VARIABLE", "ADDED", "TEXT"});
    for (const auto& value : all) {
        if (value.is_object()) {
            const auto& of = value.get_object();
            const auto text = textAt(of, "text");
            table.add({shown(textAt(of, "name"), 64), namesOf(of), shown(textAt(of, "planted"), 60), shown(textAt(of, "env"), 64), timeText(textAt(of, "created")),
                       text.empty() ? "with --texts" : shown(text, 256)});
        }
    }
    return table.text();
}

void addAdd(CLI::App& canary, Context& context, const std::shared_ptr<CanaryOptions>& options) {
    auto* verb = canary.add_subcommand("add", "Keep a canary, and show its text; one is made where none is given");
    verb->add_option("NAME", options->name, "What you and the timeline call it")->required();
    auto* text = verb->add_option("--text", options->text, "What it is; it must stand nowhere else")->type_name("TEXT");
    verb->add_option("--shape", options->shape, "Of one that is made: token (like a service's key, and what it is where nothing is said), text (a word), aws (like an AKIA id)")
        ->check(CLI::IsMember({"token", "text", "aws"}))
        ->excludes(text);
    verb->add_option("--agents", options->agents, "For these alone; all where not given")->delimiter(',')->type_name("A")->allow_extra_args(false);
    verb->footer("An agent that sends it anywhere is paused, before all of it has gone; 'carrel timeline' tells where it was to go.\n"
                 "Examples: carrel canary add keys --shape aws --agents clerk\n"
                 "          carrel canary add diary --text kovaridulema-1843");
    verb->callback([&context, options] {
        context.action = [&context, options] {
            json::object params{{"name", options->name}};
            const auto put = [&](const char* name, const auto& given) {
                if (!given.empty()) {
                    params[name] = json::value_from(given);
                }
            };
            put("text", options->text);
            put("shape", options->shape);
            put("agents", options->agents);
            return context.show("canary.add", std::move(params), addedText);
        };
    });
}

void addPlant(CLI::App& canary, Context& context, const std::shared_ptr<CanaryOptions>& options) {
    auto* verb = canary.add_subcommand("plant", "Show what to plant, and keep where; or give it to agents as a variable");
    verb->add_option("NAME", options->name, "As 'carrel canary list' shows it")->required();
    verb->add_option("--at", options->at, "Where you put it: a note for yourself")->type_name("WHERE");
    verb->add_option("--env", options->env, "The variable that is to hold it in its agents' machines, like a key")->type_name("VAR");
    verb->footer("Carrel writes nothing into your folders: put the text there yourself.\n"
                 "Examples: carrel canary plant diary --at ~/papers/diary.txt\n"
                 "          carrel canary plant keys --env AWS_ACCESS_KEY_ID");
    verb->callback([&context, options] {
        context.action = [&context, options] {
            json::object params{{"name", options->name}};
            if (!options->at.empty()) {
                params["at"] = options->at;
            }
            if (!options->env.empty()) {
                params["env"] = options->env;
            }
            return context.show("canary.plant", std::move(params), plantedText);
        };
    });
}

} // namespace

void addCanaryVerbs(CLI::App& app, Context& context) {
    auto* canary = app.add_subcommand("canary", "Plant marked texts: an agent that sends one anywhere is paused");
    canary->require_subcommand(1);
    auto options = std::make_shared<CanaryOptions>();
    addAdd(*canary, context, options);
    addPlant(*canary, context, options);
    auto* list = canary->add_subcommand("list", "List the canaries");
    list->add_flag("--texts", options->texts, "With their texts");
    list->callback([&context, options] {
        context.action = [&context, options] {
            return context.show("canary.list", options->texts ? json::object{{"texts", true}} : json::object{}, listText);
        };
    });
    auto* remove = canary->add_subcommand("remove", "Look for one no more; where you put it, it stays");
    remove->add_option("NAME", options->name, "As 'carrel canary list' shows it")->required();
    remove->callback([&context, options] {
        context.action = [&context, options] {
            return context.show("canary.remove", json::object{{"name", options->name}}, [](const json::object& result) {
                const auto& of = objectAt(result, "canary");
                const auto at = textAt(of, "planted");
                return "Canary " + shown(textAt(of, "name"), 64) + " is looked for no more.\n" +
                       (at.empty() ? "" : "It may still be there: " + shown(at, 400) + "\n");
            });
        };
    });
}

} // namespace carrel::cli
