// SPDX-License-Identifier: Apache-2.0
#include "app/cli/manual/man_page.h"

namespace carrel::cli {

namespace {

std::string bold(std::string_view text) {
    return "\\fB" + roffText(text) + "\\fR";
}

std::string italic(std::string_view text) {
    return "\\fI" + roffText(text) + "\\fR";
}

bool saidOnceForAll(const CLI::Option& option) {
    return option.check_lname("help") || option.check_lname("json");
}

std::string withoutLastBreaks(std::string text) {
    text.erase(text.find_last_not_of('\n') + 1);
    return text;
}

// CLI11 joins what a value is called and what it may be, MODE:{near,far}: they are said apart. DIR[:MODE] is only a name.
struct Value {
    std::string name;
    std::string mayBe;
};

Value valueOf(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    auto at = type.find(':');
    while (at != std::string::npos && at > 0 && type[at - 1] == '[') {
        at = type.find(':', at + 1);
    }
    return at == std::string::npos ? Value{type, ""} : Value{type.substr(0, at), type.substr(at + 1)};
}

// -a, --agent A
std::string heading(const CLI::Option& option) {
    if (option.nonpositional()) {
        std::string line;
        for (const auto& name : option.get_snames()) {
            line += (line.empty() ? "" : ", ") + bold("-" + name);
        }
        for (const auto& name : option.get_lnames()) {
            line += (line.empty() ? "" : ", ") + bold("--" + name);
        }
        const auto value = valueOf(option).name; // a flag has none
        return value.empty() ? line : line + " " + italic(value);
    }
    return italic(option.get_name(true));
}

std::string usage(const std::string& verb, const CLI::App& app) {
    std::string line = bold(verb);
    bool hasChoice = false;
    for (const auto* option : app.get_options()) {
        if (!option->nonpositional() || saidOnceForAll(*option)) {
            continue;
        }
        if (option->get_required()) {
            line += " " + heading(*option);
        } else {
            hasChoice = true;
        }
    }
    if (hasChoice) {
        line += " [" + italic("OPTION") + "]...";
    }
    for (const auto* option : app.get_options()) {
        if (!option->nonpositional()) {
            const auto name = heading(*option);
            line += option->get_required() ? " " + name : " [" + name + "]";
            line += option->get_items_expected_max() > 1 ? "..." : "";
        }
    }
    return line;
}

std::string optionLines(const CLI::App& app) {
    std::string out;
    for (const auto* option : app.get_options()) {
        if (saidOnceForAll(*option)) {
            continue;
        }
        out += ".TP\n" + heading(*option) + "\n" + roffText(option->get_description());
        if (const auto what = valueOf(*option).mayBe; !what.empty()) {
            out += ": " + roffText(what);
        }
        out += "\n";
    }
    return out;
}

void addVerb(std::string& out, const std::string& verb, const CLI::App& app, const std::string& common) {
    const auto inner = app.get_subcommands([](const CLI::App*) { return true; });
    if (inner.empty() || app.get_require_subcommand_min() == 0) { // it does something by itself
        out += ".SS " + bold(verb) + "\n" + usage(verb, app) + "\n.PP\n" + roffText(app.get_description()) + ".\n";
        out += optionLines(app);
        if (const auto more = withoutLastBreaks(app.get_footer()); more != withoutLastBreaks(common) && !more.empty()) {
            out += ".PP\n.nf\n" + roffText(more) + "\n.fi\n";
        }
    }
    for (const auto* each : inner) {
        addVerb(out, verb + " " + each->get_name(), *each, common);
    }
}

} // namespace

std::string roffText(std::string_view text) {
    std::string out;
    bool lineBegins = true;
    for (const char c : text) {
        if (lineBegins && (c == '.' || c == '\'')) {
            out += "\\&";
        }
        lineBegins = c == '\n';
        switch (c) {
        case '\\': out += "\\e"; break;
        case '-': out += "\\-"; break;
        case '\'': out += "\\(aq"; break;
        case '`': out += "\\(ga"; break;
        case '^': out += "\\(ha"; break;
        case '~': out += "\\(ti"; break;
        default: out += c;
        }
    }
    return out;
}

std::string roffVerbs(const CLI::App& app) {
    std::string out;
    for (const auto* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
        addVerb(out, "carrel " + verb->get_name(), *verb, app.get_footer());
    }
    return out;
}

} // namespace carrel::cli
