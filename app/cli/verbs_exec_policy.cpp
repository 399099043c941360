// SPDX-License-Identifier: Apache-2.0
// carrel policy exec: which programs run in an agent's machine, by what they are made of.
#include "app/cli/context.h"

#include <algorithm>
#include <memory>
#include <tuple>

namespace carrel::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kShownNote = 280;

std::string modeWords(const std::string& mode, const std::string& unknown) {
    if (mode == "observe") {
        return "everything runs";
    }
    if (mode == "deny") {
        return "everything runs but what is denied";
    }
    return std::string("only what the image brought and what is allowed runs; ") +
           (unknown == "ask" ? "about anything else you are asked" : "anything else is refused");
}

std::string scopeWords(const std::string& scope) {
    return scope == "carrel" ? "by Carrel itself" : scope == "everywhere" ? "for every agent" : scope == "session" ? "until it is stopped" : "for this agent";
}

std::string listText(const json::object& result, const char* key, const char* title) {
    std::string out;
    const auto* list = result.if_contains(key);
    if (list == nullptr || !list->is_array() || list->get_array().empty()) {
        return out;
    }
    out += std::string(title) + "\n";
    for (const auto& each : list->get_array()) {
        if (!each.is_object()) {
            continue;
        }
        const auto& one = each.get_object();
        const auto sha256 = textAt(one, "sha256");
        const auto note = shown(textAt(one, "note"), kShownNote);
        const auto until = textAt(one, "until");
        const auto rule = numberAt(one, "rule");
        out += "  " + (sha256.empty() ? std::string("every program") : shown(sha256, 64)) + "  " + scopeWords(textAt(one, "scope")) +
               (one.contains("code") ? ", and makes code" : "") + (until.empty() ? "" : ", until " + timeText(until)) + (rule == 0 ? "" : " (rule " + std::to_string(rule) + ")") +
               (note.empty() ? "" : ": " + note) + "\n";
    }
    return out;
}

std::string programsText(const json::object& result) {
    const auto mode = textAt(result, "mode");
    std::string out = "In the machine of agent " + shown(textAt(result, "agent"), 40) + " " + modeWords(mode, textAt(result, "unknown")) + " (mode " + mode + ").\n";
    if (mode == "deny") {
        out += "That stops known files, and nobody who changes one byte of them: only the mode allow decides about what is new.\n";
    }
    const auto* image = result.if_contains("image_programs");
    if (image != nullptr && image->is_number()) {
        out += "Its image brought " + countText(numberAt(result, "image_programs"), "program or library", "programs and libraries") + ".\n";
    } else {
        out += "Its image has no list of its programs, so the mode allow cannot be used: carrel image build makes one that has.\n";
    }
    if (const auto* installed = result.if_contains("installed"); installed != nullptr && installed->is_array()) {
        out += "Installed by apt in this agent, and signed by Debian:\n";
        for (const auto& each : installed->get_array()) {
            if (each.is_object()) {
                const auto& one = each.get_object();
                out += "  " + shown(textAt(one, "package"), 128) + " " + shown(textAt(one, "version"), 128) + ", " +
                       countText(numberAt(one, "programs"), "program or library", "programs and libraries") + "\n";
            }
        }
    }
    out += listText(result, "deny", "Denied:") + listText(result, "allow", "Allowed:");
    if (const auto trouble = objectAt(result, "trouble"); !trouble.empty()) {
        out += shown(textAt(trouble, "message"), 400) + ". " + shown(textAt(trouble, "remedy"), 400) + ".\n";
    }
    const auto* force = result.if_contains("in_force");
    if (force == nullptr || !force->is_bool() || !force->get_bool()) {
        out += "Its machine does not run, or has not been told all of it yet; it counts from the moment in which it is.\n";
    }
    return out;
}

struct ExecOptions {
    std::string agent, mode, unknown, sha256, note;
    bool everywhere = false;
    bool code = false;
    bool ofImage = false;
};

int set(Context& context, const ExecOptions& options) {
    json::object params{{"agent", options.agent}};
    if (!options.mode.empty()) {
        params["mode"] = options.mode;
    }
    if (!options.unknown.empty()) {
        params["unknown"] = options.unknown;
    }
    if (params.size() == 1) {
        return context.failed({ErrorCode::InvalidArgument, "nothing is said of which programs run", "Give a mode (observe, deny or allow), or --unknown", 0, nullptr});
    }
    return context.show("programs.set", std::move(params), [](const json::object& result) {
        const auto* force = result.if_contains("in_force");
        const bool runs = force != nullptr && force->is_bool() && force->get_bool();
        return programsText(result) + (runs ? "What runs in it now keeps the memory and the files that it has; after a stop and a start nothing of that is left.\n" : "");
    });
}

int put(Context& context, const char* verb, const ExecOptions& options) {
    json::object params{{"agent", options.agent}, {"sha256", options.sha256}};
    if (options.everywhere) {
        params["everywhere"] = true;
    }
    if (options.code) {
        params["code"] = true;
    }
    if (options.ofImage) {
        params["of_image"] = true;
    }
    if (!options.note.empty()) {
        params["note"] = options.note;
    }
    return context.show(verb, std::move(params), programsText);
}

} // namespace

void addExecPolicyVerbs(CLI::App& app, Context& context) {
    auto options = std::make_shared<ExecOptions>();
    auto* policy = app.add_subcommand("policy", "Say what runs in agents' machines");
    policy->require_subcommand(1);
    auto* programs = policy->add_subcommand("exec", "Say which programs run in an agent's machine, by their content");
    programs->require_subcommand(1);
    programs->footer("A program is known by the SHA-256 of its file, whatever it is called and however it is started; the machine's kernel\n"
                     "looks at it. sha256sum prints it, and the timeline shows it. What is denied for one agent or for all never runs;\n"
                     "rules that say so are among those of: carrel rules list\n"
                     "Example: carrel policy exec deny clerk 275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f --note \"a test file\"");
    const auto verb = [&](const char* name, const char* what, auto does) {
        auto* one = programs->add_subcommand(name, what);
        one->add_option("NAME", options->agent, "The agent")->required();
        one->callback([&context, options, does] { context.action = [&context, options, does] { return does(context, *options); }; });
        return one;
    };
    verb("show", "Show which programs run in an agent's machine", [](Context& to, const ExecOptions& of) {
        return to.show("programs.show", {{"agent", of.agent}}, programsText);
    });
    auto* one = verb("set", "Say which programs run from now on: observe, deny or allow", [](Context& to, const ExecOptions& of) { return cli::set(to, of); });
    one->add_option("MODE", options->mode, "observe: all. deny: all but what is denied. allow: only what is known")->check(CLI::IsMember({"observe", "deny", "allow"}));
    one->add_option("--unknown", options->unknown, "Under allow: ask about what is unknown, or refuse it")->check(CLI::IsMember({"ask", "refuse"}));
    for (const auto& [name, method, what] : {std::tuple{"deny", "programs.deny", "Never again: let a program run no more"},
                                             std::tuple{"allow", "programs.allow", "Let a program run, under the mode allow"},
                                             std::tuple{"remove", "programs.remove", "Take away what was said of a program"}}) {
        auto* each = verb(name, what, [method = method](Context& to, const ExecOptions& of) { return put(to, method, of); });
        each->add_option("SHA256", options->sha256, "Of the program's file: 64 hexadecimal digits")->required();
        each->add_flag("--everywhere", options->everywhere, "Of every agent, not of this one alone");
        if (std::string_view(method) != "programs.remove") {
            each->add_option("--note", options->note, "What it is, and why");
        }
        if (std::string_view(method) == "programs.deny") {
            each->add_flag("--of-image", options->ofImage, "Also one that the agent's image brought, such as a shell");
        }
        if (std::string_view(method) == "programs.allow") {
            each->add_flag("--code", options->code, "And let it make code in memory while it runs, as just-in-time compilers do");
        }
    }
}

} // namespace carrel::cli
