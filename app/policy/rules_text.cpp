// SPDX-License-Identifier: Apache-2.0
#include "app/policy/rules_text.h"

#include "app/policy/toml_guard.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>
#include <toml++/toml.h>

namespace carrel::policy {
namespace {

using std::chrono::milliseconds;
using std::chrono::sys_time;

tl::unexpected<Error> malformed(const std::string& what, const toml::node* at = nullptr) {
    std::string where;
    if (at != nullptr && at->source().begin.line > 0) {
        where = "line " + std::to_string(at->source().begin.line) + ": ";
    }
    return fail(ErrorCode::Malformed, "The rules cannot be read: " + where + what,
                "Mend that line, then try again");
}

// TOML's date and time with an offset. A local one would mean another moment wherever it is read.
std::optional<std::int64_t> momentOf(const toml::date_time& time) {
    if (!time.offset) {
        return std::nullopt;
    }
    const std::chrono::year_month_day day{std::chrono::year(time.date.year), std::chrono::month(time.date.month),
                                          std::chrono::day(time.date.day)};
    if (!day.ok()) {
        return std::nullopt;
    }
    const auto at = std::chrono::sys_days(day) + std::chrono::hours(time.time.hour) +
                    std::chrono::minutes(time.time.minute - time.offset->minutes) +
                    std::chrono::seconds(time.time.second);
    return std::chrono::duration_cast<milliseconds>(at.time_since_epoch()).count() +
           time.time.nanosecond / 1'000'000;
}

toml::date_time timeOf(std::int64_t ms) {
    const sys_time<milliseconds> at{milliseconds(ms)};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(at - day);
    toml::date_time out;
    out.date = toml::date(static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                          static_cast<unsigned>(date.day()));
    out.time = toml::time(static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                          static_cast<int>(time.seconds().count()),
                          static_cast<unsigned>(time.subseconds().count() * 1'000'000));
    out.offset = toml::time_offset(0, 0);
    return out;
}

// The keys of a table. The first one that is wrong is kept; whatever is not asked for is wrong, too.
class Keys {
public:
    explicit Keys(const toml::table& table)
        : m_table(table) {}

    const toml::node* take(std::string_view key) {
        m_taken.insert(std::string(key));
        return m_table.get(key);
    }
    template <class Value> std::optional<Value> get(std::string_view key, const char* kind) {
        const auto* node = take(key);
        if (node == nullptr) {
            return std::nullopt;
        }
        auto value = node->value_exact<Value>();
        if (!value) {
            problem(std::string(key) + " is not " + kind, node);
        }
        return value;
    }
    std::uint64_t number(std::string_view key) {
        const auto value = get<std::int64_t>(key, "a number");
        if (!value || *value < 0) {
            problem(std::string(key) + " is missing or less than 0", &m_table);
            return 0;
        }
        return static_cast<std::uint64_t>(*value);
    }
    std::string text(std::string_view key) {
        const auto value = get<std::string>(key, "text");
        if (value && value->empty()) { // left out it means something else
            problem(std::string(key) + " is empty", take(key));
        }
        return value.value_or("");
    }
    void problem(const std::string& what, const toml::node* at) {
        if (!m_error) {
            m_error = malformed(what, at).value();
        }
    }
    Status finish() {
        for (const auto& [key, node] : m_table) {
            if (!m_taken.contains(std::string(key.str()))) {
                problem("nothing is known of \"" + std::string(key.str()) + "\" there", &node);
            }
        }
        return m_error ? fail(*m_error) : Status();
    }

private:
    const toml::table& m_table;
    std::set<std::string> m_taken;
    std::optional<Error> m_error;
};

Result<Rule> ruleFrom(const toml::table& table) {
    Keys keys(table);
    Rule rule;
    rule.id = keys.number("id");
    const auto effect = effectFrom(keys.text("effect"));
    const auto actionName = keys.text("action");
    const auto action = actionFrom(actionName);
    if (!effect) {
        keys.problem("effect is neither \"allow\" nor \"deny\"", &table);
    }
    if (!action) {
        keys.problem("no action is called \"" + actionName + "\"", &table);
    }
    rule.effect = effect.value_or(Effect::Deny);
    rule.action = action.value_or(Action::Apply);
    rule.agent = keys.text("agent");
    rule.session = keys.text("session");
    rule.note = keys.text("note");
    rule.high = keys.get<bool>("high", "true or false").value_or(false);
    if (const auto until = keys.get<toml::date_time>("until", "a date and time")) {
        rule.untilMs = momentOf(*until);
        if (!rule.untilMs) {
            keys.problem("until has no offset, as Z or +01:00, or is no day", table.get("until"));
        }
    }
    for (const auto& field : fieldsOf(rule.action)) {
        const auto* node = keys.take(field.name);
        const auto* list = node == nullptr ? nullptr : node->as_array();
        if (node != nullptr && list == nullptr) {
            keys.problem(std::string(field.name) + " is not a list", node);
        }
        if (list == nullptr) {
            continue;
        }
        auto& values = rule.fields[std::string(field.name)];
        for (const auto& each : *list) {
            auto value = each.value_exact<std::string>();
            if (!value) {
                keys.problem(std::string(field.name) + " has something that is not text", &each);
            }
            values.push_back(std::move(value).value_or(""));
        }
    }
    CARREL_TRY(keys.finish());
    if (auto good = check(rule); !good) {
        return malformed(good.error().message, &table);
    }
    return rule;
}

toml::table tableOf(const Rule& rule) {
    toml::table out;
    out.insert("id", static_cast<std::int64_t>(rule.id));
    out.insert("effect", toString(rule.effect));
    out.insert("action", toString(rule.action));
    if (!rule.agent.empty()) {
        out.insert("agent", rule.agent);
    }
    if (!rule.session.empty()) {
        out.insert("session", rule.session);
    }
    if (rule.untilMs) {
        out.insert("until", timeOf(*rule.untilMs));
    }
    if (rule.high) {
        out.insert("high", true);
    }
    for (const auto& [name, values] : rule.fields) {
        toml::array list;
        for (const auto& value : values) {
            list.push_back(value);
        }
        out.insert(name, std::move(list));
    }
    if (!rule.note.empty()) {
        out.insert("note", rule.note);
    }
    return out;
}

std::string anyOf(const Rule& rule, std::string_view field, std::string_view otherwise, std::string_view before = {}) {
    const auto at = rule.fields.find(field);
    if (at == rule.fields.end()) {
        return std::string(otherwise);
    }
    std::string out;
    for (std::size_t i = 0; i < at->second.size(); ++i) {
        out += i == 0 ? std::string(before) : i + 1 == at->second.size() ? " or " : ", ";
        out += at->second[i];
    }
    return out;
}

bool isPattern(const Rule& rule) {
    const auto at = rule.fields.find("path");
    return at != rule.fields.end() &&
           std::any_of(at->second.begin(), at->second.end(), [](const std::string& each) { return each.find('*') != std::string::npos; });
}

} // namespace

std::string toToml(const Rule& rule) {
    std::ostringstream out;
    // Strings of one line and one kind: what toml_guard.h lets through again.
    out << "[[rule]]\n"
        << toml::toml_formatter(tableOf(rule), toml::format_flags::allow_unicode_strings | toml::format_flags::indentation) << "\n";
    return out.str();
}

std::string toToml(const RuleSet& set) {
    std::string out = "version = " + std::to_string(kRulesVersion) + "\nserial = " + std::to_string(set.serial) +
                      "\nnext_id = " + std::to_string(set.nextId) + "\n";
    for (const auto& rule : set.rules) {
        out += "\n" + toToml(rule);
    }
    return out;
}

Result<RuleSet> rulesFrom(std::string_view text) {
    if (text.size() > kMaxRulesText) {
        return fail(ErrorCode::LimitExceeded, "The rules are longer than " + std::to_string(kMaxRulesText) + " bytes",
                    "Take rules away that no longer count");
    }
    if (const auto trouble = refuseStrangeToml(text)) {
        return malformed("line " + std::to_string(trouble->line) + ": there is " + trouble->what);
    }
    toml::table table;
    try {
        table = toml::parse(text);
    } catch (const toml::parse_error& error) {
        return fail(ErrorCode::Malformed,
                    "The rules cannot be read: line " + std::to_string(error.source().begin.line) + ": " +
                        std::string(error.description()),
                    "Mend that line, then try again");
    }
    Keys keys(table);
    const auto version = keys.number("version");
    if (version != kRulesVersion && table.contains("version")) {
        return fail(ErrorCode::Unsupported,
                    "The rules are of version " + std::to_string(version) + ", and this Carrel knows version " +
                        std::to_string(kRulesVersion),
                    "Start the Carrel that wrote them; nothing is allowed until then");
    }
    RuleSet set;
    set.serial = keys.number("serial");
    set.nextId = keys.number("next_id");
    if (const auto* node = keys.take("rule")) {
        const auto* list = node->as_array();
        if (list == nullptr || list->size() > kMaxRules) {
            return malformed(list == nullptr ? "rule is not a list of tables" : "there are too many rules", node);
        }
        for (const auto& each : *list) {
            const auto* one = each.as_table();
            if (one == nullptr) {
                return malformed("a rule is not a table", &each);
            }
            auto rule = ruleFrom(*one);
            if (!rule) {
                return fail(std::move(rule).error());
            }
            if (rule->id == 0 || rule->id >= set.nextId || (!set.rules.empty() && rule->id <= set.rules.back().id)) {
                return malformed("the number of a rule is 0, out of order or not below next_id", one);
            }
            set.rules.push_back(std::move(*rule));
        }
    }
    CARREL_TRY(keys.finish());
    return set;
}

std::string describe(const Rule& rule, std::string_view agentName) {
    std::string out = rule.effect == Effect::Allow ? "Without asking, " : "Never, even when asked: ";
    out += rule.agent.empty() ? "any agent" : "the agent " + std::string(agentName);
    const char* may = rule.effect == Effect::Allow ? " may " : " may not ";
    out += may;
    switch (rule.action) {
    case Action::Apply:
        out += "have its changes applied (" + anyOf(rule, "change", "of any kind") + ") to " +
               anyOf(rule, "path", "anything") + " in " + anyOf(rule, "folder", "any shared folder");
        break;
    case Action::Folder:
        out += "be given " + anyOf(rule, "folder", "any folder") + anyOf(rule, "mode", "", ", mode ");
        break;
    case Action::Network:
        out += "connect to " + anyOf(rule, "host", "any host") + anyOf(rule, "port", "", ", port ") +
               anyOf(rule, "method", "", ", only with ") + anyOf(rule, "path", "", isPattern(rule) ? ", only to paths like " : ", only below ");
        break;
    case Action::Credential:
        out += "use " + anyOf(rule, "name", "any credential", "the credential ") + anyOf(rule, "host", "", " at ");
        break;
    case Action::Forward:
        out += "have what it serves at " + anyOf(rule, "port", "any port", "port ") + " of its machine shown in your browser";
        break;
    case Action::Program:
        out += "run " + anyOf(rule, "sha256", "any program", "the program with the content ");
        break;
    }
    if (rule.effect == Effect::Allow && rule.action == Action::Program) {
        out += rule.high ? ", and make code in memory" : "";
    } else if (rule.effect == Effect::Allow) {
        out += rule.high ? ", also at high risk" : ", unless the risk is high";
    }
    if (!rule.session.empty()) {
        out += ", until it is stopped";
    }
    if (rule.untilMs) {
        std::ostringstream until;
        until << timeOf(*rule.untilMs).date << " " << timeOf(*rule.untilMs).time;
        out += ", until " + until.str() + " UTC";
    }
    return out + ".";
}

} // namespace carrel::policy
