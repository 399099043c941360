// SPDX-License-Identifier: Apache-2.0
#include "app/cli/context.h"
#include "app/cli/duration.h"

#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

constexpr char kMay[] =
    "A client may run commands in its agents, look at what they changed and read their timeline. It may not apply, undo,\n"
    "discard, start, stop, share, or make tokens. What it did is marked with its name in the timeline.\n";

std::string agentsOf(const json::object& client) {
    std::string out;
    for (const auto& agent : listAt(client, "agents")) {
        if (agent.is_string()) {
            out += (out.empty() ? "" : ", ") + shown(std::string(agent.get_string()), 40);
        }
    }
    return out;
}

std::string madeText(const json::object& result) {
    const auto& client = objectAt(result, "client");
    return "Client " + shown(textAt(client, "name"), 40) + " may work with " + agentsOf(client) + " until " +
           timeText(textAt(client, "ends")) + ".\nIts token, which is shown this once:\n\n    " +
           shown(textAt(result, "token"), 100) +
           "\n\nGive it to the program as CARREL_TOKEN. The socket for it is\n    " + shown(textAt(result, "socket"), 200) +
           "\nA sandbox gets the folder of that socket and no other of Carrel's (CARREL_CLIENT_SOCKET names the socket there).\n";
}

std::string clientsText(const json::object& result) {
    const auto& clients = listAt(result, "clients");
    if (clients.empty()) {
        return "No clients are let in. Make a token for one with: carrel token create NAME --agent AGENT\n";
    }
    Table table({"CLIENT", "AGENTS", "ENDS", "LAST USED", "NOW"});
    for (const auto& value : clients) {
        if (value.is_object()) {
            const auto& client = value.get_object();
            const auto used = textAt(client, "used");
            const auto connections = numberAt(client, "connections");
            table.add({shown(textAt(client, "name"), 40), agentsOf(client),
                       timeText(textAt(client, "ends")) + (flagAt(client, "ended") ? " (ended)" : ""),
                       used.empty() ? "not since the engine began" : timeText(used),
                       connections == 0 ? "" : countText(connections, "connection", "connections")});
        }
    }
    return table.text();
}

struct TokenOptions {
    std::string name;
    std::vector<std::string> agents;
    std::string time = "30d";
};

int create(Context& context, const TokenOptions& options) {
    const auto time = durationFrom(options.time);
    if (!time) {
        return context.failed(Error{ErrorCode::InvalidArgument, "the time is not one that can be read",
                                    "Write 90s, 10m, 12h or 30d; a year (365d) at most.", 0, nullptr});
    }
    return context.show("token.create",
                        json::object{{"name", options.name},
                                     {"agents", json::value_from(options.agents)},
                                     {"seconds", static_cast<std::uint64_t>(time->count())}},
                        madeText);
}

} // namespace

void addTokenVerbs(CLI::App& app, Context& context) {
    auto* token = app.add_subcommand("token", "Let other programs work with agents, without your rights");
    token->require_subcommand(1);
    auto options = std::make_shared<TokenOptions>();

    auto* make = token->add_subcommand("create", "Make a token for a client, and show it once");
    make->add_option("NAME", options->name, "What the client shall be called in the timeline")->required();
    make->add_option("--agent", options->agents, "An agent that it may work with; may be given several times")
        ->type_name("A")
        ->required()
        ->allow_extra_args(false);
    make->add_option("--for", options->time, "For how long: 12h, 30d (the default), 365d at most")->type_name("T");
    make->footer(std::string(kMay) + "Example: carrel token create editor --agent clerk --for 7d");
    make->callback([&context, options] { context.action = [&context, options] { return create(context, *options); }; });

    auto* list = token->add_subcommand("list", "List the clients that are let in");
    list->callback([&context] {
        context.action = [&context] { return context.show("token.list", json::object{}, clientsText); };
    });

    auto* revoke = token->add_subcommand("revoke", "Let a client in no more, and end what it has running");
    revoke->add_option("NAME", options->name, "The client, as 'carrel token list' shows it")->required();
    revoke->callback([&context, options] {
        context.action = [&context, options] {
            return context.show("token.revoke", json::object{{"name", options->name}}, [](const json::object& result) {
                return "Client " + shown(textAt(objectAt(result, "client"), "name"), 40) +
                       " is let in no more. Its connections and commands are ended.\n";
            });
        };
    });
}

} // namespace carrel::cli
