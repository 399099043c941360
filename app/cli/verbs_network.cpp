// SPDX-License-Identifier: Apache-2.0
// An agent's way to the network: its mode, how much it may carry, what goes on there, sets of rules to begin from.
#include "app/cli/render_approval.h"
#include "app/cli/review_dialogue.h"
#include "guest/protocol/byte_amount.h"

#include <iostream>
#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct NetOptions {
    std::string agent;
    std::string mode;
    std::string preset;
    std::string rate, day;
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

// Of what is limited; empty where nothing is.
std::string limitsText(const json::object& limits) {
    const auto rate = numberAt(limits, "rate");
    const auto day = numberAt(limits, "day");
    const auto used = numberAt(limits, "used");
    std::string out;
    if (rate > 0) {
        out += "All its connections together carry " + amountText(rate) + " a second at most.\n";
    }
    if (day > 0) {
        out += std::string(rate > 0 ? "They carry " : "All its connections together carry ") + amountText(day) + " a day at most; " +
               (used >= day ? "that is used up, so nothing is connected to until tomorrow." : bytesText(used) + " are used today.") + "\n";
    }
    return out;
}

std::string limitText(const json::object& result) {
    const auto& limits = objectAt(result, "limits");
    const auto agent = shown(textAt(result, "agent"), 40);
    if (const auto text = limitsText(limits); !text.empty()) {
        return "Agent " + agent + ":\n" + text;
    }
    return "Agent " + agent + " may carry as much as it likes, as fast as it can; " + bytesText(numberAt(limits, "used")) + " today.\n";
}

// "none" or an amount, with "/s" behind it or not.
Result<std::uint64_t> limitFrom(std::string_view text, const char* option, std::string_view example) {
    if (text == "none") {
        return 0;
    }
    for (const std::string_view end : {"/s", "/day"}) {
        if (text.ends_with(end) && (end == "/s") == (std::string_view(option) == "--rate")) {
            text.remove_suffix(end.size());
        }
    }
    const auto amount = amountFrom(text);
    if (!amount || *amount == 0) {
        return fail(ErrorCode::InvalidArgument, std::string(option) + " takes a whole number of bytes with its unit, or none",
                    "For example " + std::string(option) + " " + std::string(example));
    }
    return *amount;
}

int limit(Context& context, const NetOptions& options) {
    json::object params{{"agent", options.agent}};
    struct Option {
        const char* key;
        const char* name;
        const std::string& text;
        const char* example;
    };
    for (const auto& each : {Option{"rate", "--rate", options.rate, "5MiB/s"}, Option{"day", "--day", options.day, "2GiB"}}) {
        if (each.text.empty()) {
            continue;
        }
        const auto bytes = limitFrom(each.text, each.name, each.example);
        if (!bytes) {
            return context.failed(bytes.error());
        }
        params[each.key] = *bytes;
    }
    return context.show("net.limit", std::move(params), limitText);
}

std::string placeText(const json::object& connection) {
    const auto host = shown(textAt(connection, "host"), 253);
    const bool bare = host.find(':') != std::string::npos;
    return (bare ? "[" + host + "]" : host) + ":" + std::to_string(numberAt(connection, "port"));
}

std::string liveText(const json::object& result) {
    std::string out = modeText(result) + limitsText(objectAt(result, "limits"));
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
    auto* limit = net->add_subcommand("limit", "Show how much an agent's connections may carry, all together, or change it; at once");
    limit->add_option("NAME", options->agent, "The agent")->required();
    limit->add_option("--rate", options->rate, "At most so much a second, as 5MiB/s, or none");
    limit->add_option("--day", options->day, "At most so much a day, as 2GiB, or none");
    limit->footer("What is sent and what is received is added up. When a day is used up its connections are cut, and no other is made until\n"
                  "the next day of this computer's clock, or until you allow more. Example: carrel net limit clerk --rate 5MiB/s --day 2GiB");
    limit->callback([&context, options] {
        context.action = [&context, options] { return carrel::cli::limit(context, *options); };
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
