// SPDX-License-Identifier: Apache-2.0
#include "app/cli/context.h"
#include "app/cli/share_argument.h"

#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct CreateOptions {
    std::string name;
    std::vector<std::string> shares;
    std::optional<std::uint64_t> memory;
    std::optional<std::uint64_t> cpus;
    std::string image;
};

int create(Context& context, const CreateOptions& options) {
    json::object params{{"name", options.name}};
    json::array shares;
    for (const auto& argument : options.shares) {
        auto share = shareFrom(argument);
        if (!share) {
            return context.failed(share.error());
        }
        shares.push_back(std::move(*share));
    }
    if (!shares.empty()) {
        params["shares"] = std::move(shares);
    }
    if (options.memory) {
        params["memory_mib"] = *options.memory;
    }
    if (options.cpus) {
        params["cpus"] = *options.cpus;
    }
    if (!options.image.empty()) {
        params["image"] = options.image;
    }
    return context.show("agent.create", std::move(params), [](const json::object& result) {
        const auto& agent = objectAt(result, "agent");
        const auto name = shown(textAt(agent, "name"), 40);
        std::string out = "Agent " + name + " is made.\n";
        for (const auto& share : listAt(agent, "shares")) {
            if (share.is_object()) {
                out += "  " + shown(pathAt(share.get_object(), "dir"), 400) + " is " +
                       shown(textAt(share.get_object(), "guest_path"), 300) + " in its machine (" +
                       shown(textAt(share.get_object(), "mode"), 20) + ")\n" + chosenText(share.get_object());
            }
        }
        return out + "Start it with: carrel start " + name + "\n";
    });
}

void addDoctor(CLI::App& app, Context& context) {
    auto* verb =
        app.add_subcommand("doctor", "Find out what works on this computer, and what to do about the rest");
    auto fresh = std::make_shared<bool>(false);
    verb->add_flag("--fresh", *fresh, "Probe again instead of using the remembered answer");
    verb->callback([&context, fresh] {
        context.action = [&context, fresh] {
            json::object params;
            if (*fresh) {
                params["fresh"] = true;
            }
            bool ok = false;
            auto result = context.call("doctor", std::move(params));
            if (!result) {
                return context.failed(result.error());
            }
            ok = flagAt(*result, "ok");
            if (context.format == Format::Json) {
                context.printJson(*result);
            } else {
                context.print(doctorText(*result));
            }
            if (!ok) {
                return context.failed(Error{ErrorCode::Unsupported, "no machine can run on this computer",
                                            "The findings say why.", 0, nullptr});
            }
            return context.done();
        };
    });
}

void addCreate(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("create", "Make an agent with a machine of its own");
    auto options = std::make_shared<CreateOptions>();
    verb->add_option("NAME", options->name, "1 to 32 lower-case letters, digits and hyphens")->required();
    verb->add_option("--share", options->shares,
                     "A folder for it to work on, DIR[:read-only|review]; may be given several times")
        ->type_name("DIR[:MODE]")
        ->allow_extra_args(false);
    verb->add_option("--memory", options->memory, "Memory of the machine, in MiB")->type_name("MIB");
    verb->add_option("--cpus", options->cpus, "Processors of the machine")->type_name("N");
    verb->add_option("--image", options->image, "Its image, as 'carrel image list' shows it")
        ->type_name("IMAGE");
    verb->footer("Example: carrel create clerk --share ~/papers --share ~/reference:read-only");
    verb->callback(
        [&context, options] { context.action = [&context, options] { return create(context, *options); }; });
}

// Verbs that take an agent's name and nothing else.
void addNamed(CLI::App& app, Context& context, const std::string& name, const std::string& help,
              const std::string& method, Context::Render render) {
    auto* verb = app.add_subcommand(name, help);
    auto agent = std::make_shared<std::string>();
    verb->add_option("NAME", *agent, "The agent")->required();
    verb->callback([&context, agent, method, render = std::move(render)] {
        context.action = [&context, agent, method, render] {
            return context.show(method, json::object{{"agent", *agent}}, render);
        };
    });
}

void addDelete(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("delete", "Delete an agent, its disk and its history");
    auto agent = std::make_shared<std::string>();
    auto discard = std::make_shared<bool>(false);
    verb->add_option("NAME", *agent, "The agent")->required();
    verb->add_flag("--discard", *discard, "Even if changes are staged: forget them");
    verb->callback([&context, agent, discard] {
        context.action = [&context, agent, discard] {
            json::object params{{"agent", *agent}};
            if (*discard) {
                params["discard"] = true;
            }
            return context.show("agent.delete", std::move(params), [](const json::object& result) {
                return "Agent " + shown(textAt(result, "deleted"), 40) + " is deleted.\n";
            });
        };
    });
}

void addEngine(CLI::App& app, Context& context) {
    auto* engine = app.add_subcommand("engine", "The process behind all commands; it starts by itself");
    engine->require_subcommand(1);
    engine->add_subcommand("info", "Which engine runs")->callback([&context] {
        context.start = api::Start::Never;
        context.action = [&context] {
            return context.show("engine.info", {}, [](const json::object& info) {
                return "Carrel " + shown(textAt(info, "version"), 40) + ", process " +
                       std::to_string(numberAt(info, "pid")) + ", since " +
                       timeText(textAt(info, "started")) + ", " +
                       countText(numberAt(info, "agents_running"), "agent runs", "agents run") +
                       ", data in " + shown(textAt(info, "home"), 400) + "\n";
            });
        };
    });
    engine->add_subcommand("stop", "End the engine; machines go on, and the next command starts it again")
        ->callback([&context] {
            context.start = api::Start::Never;
            context.action = [&context] {
                return context.show("engine.stop", {},
                                    [](const json::object&) { return "The engine ends.\n"; });
            };
        });
}

} // namespace

void addMachineVerbs(CLI::App& app, Context& context) {
    addDoctor(app, context);
    addCreate(app, context);
    addNamed(app, context, "start", "Start an agent's machine", "agent.start", startText);
    addNamed(app, context, "stop", "Stop an agent's machine; its work stays", "agent.stop",
             [](const json::object& result) {
                 const auto name = shown(textAt(objectAt(result, "agent"), "name"), 40);
                 return "Agent " + name + (flagAt(result, "stopped") ? " is stopped.\n" : " did not run.\n");
             });
    addDelete(app, context);
    app.add_subcommand("list", "List all agents")->callback([&context] {
        context.action = [&context] {
            return context.show("agent.list", {}, [](const json::object& result) {
                return agentsText(listAt(result, "agents"));
            });
        };
    });
    addEngine(app, context);
}

} // namespace carrel::cli
