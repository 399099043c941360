// SPDX-License-Identifier: Apache-2.0
#include "app/cli/render_approval.h"

namespace carrel::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kCellColumns = 200; // the whole of it is shown by rules show
constexpr std::size_t kNoteColumns = 80;

std::string sentence(std::string text) {
    while (!text.empty() && text.back() == '.') {
        text.pop_back();
    }
    return text + ".";
}

std::string numbered(const json::object& rule) {
    const auto id = numberAt(rule, "id");
    return id == 0 ? std::string("a rule") : "rule " + std::to_string(id);
}

} // namespace

std::string rulesTroubleText(const json::object& trouble) {
    if (trouble.empty()) {
        return {};
    }
    std::string out = "The rules cannot be used, so everything is denied and nothing is asked: " +
                      sentence(shown(textAt(trouble, "message"), 1000));
    if (const auto remedy = textAt(trouble, "remedy"); !remedy.empty()) {
        out += " " + sentence(shown(remedy, 1000));
    }
    return out + "\n";
}

std::string ruleText(const json::object& rule) {
    std::string out = barred(textAt(rule, "words"));
    if (const auto note = textAt(rule, "note"); !note.empty()) {
        out += "  Your note:\n" + barred(note);
    }
    return out + "  In the file of rules:\n" + barredBlock(textAt(rule, "toml"));
}

std::string rulesText(const json::array& rules) {
    std::string out;
    for (const auto& value : rules) {
        if (value.is_object()) {
            const auto& rule = value.get_object();
            const auto note = textAt(rule, "note");
            out += "  " + numbered(rule) + ":\n" + barred(textAt(rule, "words")) + (note.empty() ? "" : "    your note:\n" + barred(note));
        }
    }
    return out.empty() ? "  none: you are asked about everything\n" : out;
}

std::string ruleListText(const json::object& result) {
    if (const auto& trouble = objectAt(result, "trouble"); !trouble.empty()) {
        return rulesTroubleText(trouble);
    }
    const auto& rules = listAt(result, "rules");
    if (rules.empty()) {
        return "There are no rules: you are asked about everything. Sets to begin from: carrel rules presets\n";
    }
    Table table({"ID", "DOES", "RULE"});
    for (const auto& value : rules) {
        if (value.is_object()) {
            const auto& rule = value.get_object();
            const auto note = textAt(rule, "note");
            table.add({std::to_string(numberAt(rule, "id")), shown(textAt(rule, "effect"), 10),
                       shown(textAt(rule, "words"), kCellColumns) + (note.empty() ? "" : " (" + shown(note, kNoteColumns) + ")")});
        }
    }
    return table.text() + "All of one: carrel rules show ID. A rule that denies always wins.\n";
}

std::string ruleTestText(const json::object& result) {
    if (const auto& trouble = objectAt(result, "trouble"); !trouble.empty()) {
        return "It would be denied. " + rulesTroubleText(trouble);
    }
    const auto answer = textAt(result, "answer");
    const auto& rule = objectAt(result, "rule");
    if (answer == "ask") {
        return "You would be asked: no rule decides it.\n";
    }
    std::string out = answer == "allow" ? "It would be allowed without asking" : "It would be denied without asking";
    if (rule.empty()) {
        return out + ".\n";
    }
    return out + ", by " + numbered(rule) + ":\n" + ruleText(rule);
}

std::string presetsText(const json::object& result, std::string_view how) {
    std::string out;
    for (const auto& value : listAt(result, "presets")) {
        if (!value.is_object()) {
            continue;
        }
        const auto& preset = value.get_object();
        out += shown(textAt(preset, "name"), 40) + ": " + shown(textAt(preset, "description"), 1000) + "\n";
        for (const auto& rule : listAt(preset, "rules")) {
            if (rule.is_object()) {
                out += barred(textAt(rule.get_object(), "words"));
            }
        }
    }
    return out.empty() ? "This Carrel comes with no sets of rules.\n"
                       : out + "Begin from one: " + std::string(how) + "\n";
}

} // namespace carrel::cli
