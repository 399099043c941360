// SPDX-License-Identifier: Apache-2.0
// An agent's way to the network: its mode, what goes on there, sets of rules to begin from.
#include "app/cli/render_approval.h"
#include "app/cli/review_dialogue.h"

#include <iostream>
#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct NetOptions {
    std::string agent;
    std::string mode;
    std::string preset;
    std::uint64_t number = 0;
    bool yes = false;
};

std::string modeWords(std::string_view mode) {
    return mode == "offline"     ? "has no network"
           : mode == "ask"       ? "reaches what rules allow; you are asked about anything else"
           : mode == "allowlist" ? "reaches what rules allow, and nothing else"
                                 : shown(mode, 20);
}

std::string modeText(const json::object& result) {
    const auto mode = textAt(result, "mode");
    return "Agent " + shown(textAt(result, "agent"), 40) + " " + modeWords(mode) + " (" + shown(mode, 20) + ").\n";
}

std::string placeText(const json::object& connection) {
    const auto host = shown(textAt(connection, "host"), 253);
    const bool bare = host.find(':') != std::string::npos;
    return (bare ? "[" + host + "]" : host) + ":" + std::to_string(numberAt(connection, "port"));
}

std::string liveText(const json::object& result) {
    std::string out = modeText(result);
    const auto& connections = listAt(result, "connections");
    if (const auto waiting = numberAt(result, "waiting"); waiting > 0) {
        out += countText(waiting, "connection waits", "connections wait") + " for an answer, or for the other side.\n";
    }
    if (connections.empty()) {
        return out + "Nothing is connected.\n";
    }
    Table table({"NO", "HOST", "ADDRESS", "SENT", "RECEIVED", "AGE", "BY", "HELD TO THE HOST"});
    for (const auto& value : connections) {
        if (!value.is_object()) {
            continue;
        }
        const auto& one = value.get_object();
        const auto address = textAt(one, "address");
        const auto rule = numberAt(one, "rule");
        const auto treat = textAt(one, "treat");
        table.add({std::to_string(numberAt(one, "number")), placeText(one), address.empty() ? "unchecked" : shown(address, 60), bytesText(numberAt(one, "sent")),
                   bytesText(numberAt(one, "received")), spanText(static_cast<std::int64_t>(numberAt(one, "age_ms") / 1000)),
                   rule != 0 ? "rule " + std::to_string(rule) : "request " + std::to_string(numberAt(one, "approval")),
                   treat == "tls"         ? "by its TLS name"
                   : treat == "http"      ? "by its HTTP name"
                   : treat == "terminate" ? "each request is read"
                                          : "no: anything goes"});
    }
    return out + table.text();
}

std::string cutText(const json::object& result) {
    const auto& one = objectAt(result, "connection");
    return "Cut: " + placeText(one) + ", after " + bytesText(numberAt(one, "sent")) + " sent and " + bytesText(numberAt(one, "received")) + " received.\n" +
           (numberAt(one, "rule") != 0 ? "Rule " + std::to_string(numberAt(one, "rule")) + " allows the agent to connect there anew.\n" : "");
}

int allow(Context& context, const NetOptions& options) {
    if (!options.yes && !canAsk()) {
        return context.failed(Error{ErrorCode::Refused, "no rule was kept: there is no terminal to ask on",
                                    "Look at them with 'carrel net presets', then use --yes.", 0, nullptr});
    }
    json::object params{{"agent", options.agent}, {"preset", options.preset}};
    if (!options.yes) {
        auto looked = params;
        looked["preview"] = true;
        const auto preview = context.call("net.allow", looked);
        if (!preview) {
            return context.failed(preview.error());
        }
        if (!listAt(*preview, "rules").empty()) {
            std::cerr << "These rules would be kept:\n" << rulesText(listAt(*preview, "rules"));
            forgetTyped();
            if (!asksUser("Keep them?", Answer::Letter)) {
                return context.failed(Error{ErrorCode::Cancelled, "no rule was kept", "All is as before.", 0, nullptr});
            }
        }
    }
    return context.show("net.allow", params, [](const json::object& result) {
        const auto& rules = listAt(result, "rules");
        std::string out = rules.empty() ? "There are rules that say all of this already.\n"
                                        : countText(rules.size(), "rule is", "rules are") + " kept, and count from now on:\n" + rulesText(rules);
        if (textAt(result, "mode") == "offline") {
            const auto agent = shown(textAt(result, "agent"), 40);
            out += "The agent " + agent + " has no network all the same. Give it some: carrel net mode " + agent + " allowlist\n";
        }
        return out;
    });
}

} // namespace

void addNetworkVerbs(CLI::App& app, Context& context) {
    auto* net = app.add_subcommand("net", "Say how an agent reaches the network, and see what goes on there");
    net->require_subcommand(1);
    auto options = std::make_shared<NetOptions>();
    auto* mode = net->add_subcommand("mode", "Show how an agent reaches the network, or change it; at once, whatever goes on");
    mode->add_option("NAME", options->agent, "The agent")->required();
    mode->add_option("MODE", options->mode, "offline, ask or allowlist")->check(CLI::IsMember({"offline", "ask", "allowlist"}));
    mode->footer("offline: not at all; what is connected is cut. ask: what no rule speaks of is asked. allowlist: that is denied.\n"
                 "Example: carrel net mode clerk ask");
    mode->callback([&context, options] {
        context.action = [&context, options] {
            json::object params{{"agent", options->agent}};
            if (!options->mode.empty()) {
                params["mode"] = options->mode;
            }
            return context.show("net.mode", std::move(params), modeText);
        };
    });
    auto* live = net->add_subcommand("live", "List an agent's connections as they are, with what went through them");
    live->add_option("NAME", options->agent, "The agent")->required();
    live->footer("Example: carrel net live clerk");
    live->callback([&context, options] {
        context.action = [&context, options] { return context.show("net.live", json::object{{"agent", options->agent}}, liveText); };
    });
    auto* cut = net->add_subcommand("cut", "End one of an agent's connections at once");
    cut->add_option("NAME", options->agent, "The agent")->required();
    cut->add_option("NUMBER", options->number, "As 'carrel net live' shows it")->required();
    cut->footer("Where a rule allows it, the agent may connect anew: carrel rules remove, or carrel net mode NAME offline.\n"
                "Example: carrel net cut clerk 4");
    cut->callback([&context, options] {
        context.action = [&context, options] {
            return context.show("net.cut", json::object{{"agent", options->agent}, {"number", options->number}}, cutText);
        };
    });
    net->add_subcommand("presets", "List the sets of rules for the network that Carrel comes with")->callback([&context] {
        context.action = [&context] { return context.show("net.presets", json::object{}, [](const json::object& result) {
            return presetsText(result, "carrel net allow NAME PRESET");
        }); };
    });
    auto* preset = net->add_subcommand("allow", "Keep the rules of such a set for an agent, after they were shown");
    preset->add_option("NAME", options->agent, "The agent")->required();
    preset->add_option("PRESET", options->preset, "As 'carrel net presets' lists them")->required();
    preset->add_flag("--yes", options->yes, "Do not ask");
    preset->footer("They are rules like all others: carrel rules list. Example: carrel net allow clerk package-registries");
    preset->callback([&context, options] {
        context.action = [&context, options] { return allow(context, *options); };
    });
}

} // namespace carrel::cli
