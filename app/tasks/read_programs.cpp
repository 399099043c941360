// SPDX-License-Identifier: Apache-2.0
// Reads resources/agent/programs.toml, strictly: what is not known there is wrong.
#include "app/tasks/programs.h"

#include <boost/json/parse.hpp>
#include <toml++/toml.h>

#include <algorithm>
#include <set>

namespace carrel::tasks {

namespace json = boost::json;

namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::string_view kInterfaces[] = {"anthropic", "openai", "gemini"};
constexpr std::int64_t kMaxMemory = 1'000'000; // MiB

tl::unexpected<Error> malformed(const std::string& what) {
    return fail(ErrorCode::Malformed, "What Carrel knows of agent programs cannot be read: " + what, "This build of Carrel is damaged: install it again");
}

bool areAll(std::string_view text, std::string_view also) {
    return !text.empty() && std::ranges::all_of(text, [&](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.find(c) != std::string_view::npos; });
}
bool isVariable(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; });
}
// As npm has them; one with a "." or ".." for a folder would lie elsewhere.
bool isPackage(std::string_view name) {
    const auto slash = name.find('/');
    const auto scoped = name.starts_with('@') && slash != std::string_view::npos;
    const auto own = scoped ? name.substr(slash + 1) : name;
    return areAll(own, "-_.") && own.front() != '.' && (!scoped || areAll(name.substr(1, slash - 1), "-_"));
}

// The keys of one table. The first that is wrong is kept; whatever is not asked for is wrong, too.
class Keys {
public:
    Keys(const toml::table& table, std::string what)
        : m_table(table)
        , m_what(std::move(what)) {}
    template <class Value> std::optional<Value> optional(std::string_view key) {
        m_known.insert(std::string(key));
        const auto* node = m_table.get(key);
        auto value = node == nullptr ? std::nullopt : node->value_exact<Value>();
        if (node != nullptr && !value) {
            problem(key, "is of another kind");
        }
        return value;
    }
    template <class Value> Value get(std::string_view key) {
        auto value = optional<Value>(key);
        if (!value) {
            problem(key, "is missing");
        }
        return value.value_or(Value());
    }
    std::string text(std::string_view key, bool (*fits)(std::string_view), const char* why) {
        auto out = get<std::string>(key);
        if (!fits(out)) {
            problem(key, why);
        }
        return out;
    }
    std::uint64_t number(std::string_view key, std::int64_t value) {
        if (value < 1) {
            problem(key, "is no number of them");
        }
        return static_cast<std::uint64_t>(std::max<std::int64_t>(value, 1));
    }
    const toml::table* table(std::string_view key) {
        m_known.insert(std::string(key));
        const auto* node = m_table.get(key);
        if (node != nullptr && !node->is_table()) {
            problem(key, "is no table");
        }
        return node == nullptr ? nullptr : node->as_table();
    }
    std::map<std::string, std::string> variables(std::string_view key) {
        std::map<std::string, std::string> out;
        if (const auto* all = table(key)) {
            for (const auto& [name, node] : *all) {
                const auto value = node.value_exact<std::string>();
                if (!isVariable(name.str()) || !value) {
                    problem(key, "holds something that is no variable with a text");
                    break;
                }
                out[std::string(name.str())] = *value;
            }
        }
        return out;
    }
    std::vector<const toml::table*> tables(std::string_view key) {
        std::vector<const toml::table*> out;
        m_known.insert(std::string(key));
        if (const auto* node = m_table.get(key)) {
            for (std::size_t i = 0; node->is_array() && i < node->as_array()->size(); ++i) {
                out.push_back(node->as_array()->get(i)->as_table());
            }
            if (!node->is_array() || std::ranges::find(out, nullptr) != out.end()) {
                problem(key, "is no list of tables");
                out.clear();
            }
        }
        return out;
    }
    std::vector<std::string> words(std::string_view key) {
        std::vector<std::string> out;
        m_known.insert(std::string(key));
        const auto* list = m_table.get_as<toml::array>(key);
        for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
            out.push_back(list->get(i)->value_exact<std::string>().value_or(""));
        }
        if (out.empty() || std::ranges::find(out, std::string()) != out.end()) {
            problem(key, "is no list of words");
        }
        return out;
    }
    void problem(std::string_view key, std::string_view why) {
        if (m_problem.empty() && !why.empty()) {
            m_problem = m_what + ": " + std::string(key) + " " + std::string(why);
        }
    }
    // What is wrong; empty: nothing.
    const std::string& finish() {
        for (const auto& [key, node] : m_table) {
            if (!m_known.contains(std::string(key.str()))) {
                problem(key.str(), "is nothing that is known");
            }
        }
        return m_problem;
    }

private:
    const toml::table& m_table;
    std::string m_what;
    std::set<std::string> m_known;
    std::string m_problem;
};

// Both kinds; a variable is of one of them.
ProgramEnvironment environmentFrom(Keys& keys) {
    ProgramEnvironment out;
    out.texts = keys.variables("environment");
    for (const auto& [name, text] : keys.variables("json")) {
        json::error_code failed;
        out.json[name] = json::parse(text, failed);
        if (failed || out.texts.contains(name)) {
            keys.problem("json", "holds something that is no JSON, or stands there twice");
        }
    }
    return out;
}

// What is wrong with it is wrong with `keys`.
ProgramInstall installFrom(Keys& keys, const toml::table& table, const std::string& what) {
    Keys own(table, what);
    ProgramInstall out;
    out.version = own.get<std::string>("version");
    for (const auto* each : own.tables("package")) {
        Keys package(*each, what);
        out.packages.push_back({package.text("name", isPackage, "is no name of a package"),
                                package.text("version", [](std::string_view text) { return areAll(text, ".-+"); }, "is none"),
                                package.text("integrity", [](std::string_view text) { return text.starts_with("sha512-") && text.ends_with("==") && text.size() == 95; }, "is no SHA-512")});
        own.problem("package", package.finish());
    }
    for (const auto* each : own.tables("file")) {
        Keys file(*each, what);
        out.files.push_back({file.text("name", [](std::string_view text) { return areAll(text, ".-") && text.front() != '.'; }, "is no name"), file.get<std::string>("text")});
        own.problem("file", file.finish());
    }
    if (out.packages.empty() || out.version.empty()) {
        own.problem("package", "is missing");
    }
    keys.problem("install", own.finish());
    return out;
}

Result<Program> programFrom(const toml::table& table) {
    const auto* named = table.get_as<std::string>("name");
    const auto what = named != nullptr ? named->get() : "a program";
    Keys keys(table, what);
    Program out;
    out.name = keys.text("name", [](std::string_view text) { return areAll(text, "-") && text.size() <= 32; }, "is no name");
    out.title = keys.get<std::string>("title");
    out.about = keys.get<std::string>("about");
    out.memoryMib = keys.number("memory", std::min(keys.get<std::int64_t>("memory"), kMaxMemory));
    if (const auto window = keys.optional<std::int64_t>("window")) {
        out.window = keys.number("window", *window);
    }
    out.noKey = keys.optional<std::string>("no_key").value_or("");
    out.argv = keys.words("argv");
    out.environment = environmentFrom(keys);
    for (const auto* each : keys.tables("speaks")) {
        Keys speaks(*each, what);
        const auto api = speaks.get<std::string>("api");
        const bool twice = std::ranges::any_of(out.speaks, [&](const auto& other) { return other.first == api; });
        if (std::ranges::find(kInterfaces, api) == std::end(kInterfaces) || twice) {
            speaks.problem("api", "is no interface that is known, or stands there twice");
        }
        out.speaks.emplace_back(api, environmentFrom(speaks));
        keys.problem("speaks", speaks.finish());
    }
    if (out.speaks.empty()) {
        keys.problem("speaks", "is missing");
    }
    if (const auto* install = keys.table("install")) {
        out.install = installFrom(keys, *install, what);
    }
    if (const auto& wrong = keys.finish(); !wrong.empty()) {
        return malformed(wrong);
    }
    return out;
}

} // namespace

Result<std::vector<Program>> programsFrom(std::string_view text) {
    toml::table table;
    try {
        table = toml::parse(text);
    } catch (const toml::parse_error& error) {
        return malformed("line " + std::to_string(error.source().begin.line) + ": " + std::string(error.description()));
    }
    Keys keys(table, "the list");
    if (keys.get<std::int64_t>("version") != kVersion) {
        keys.problem("version", "is another one");
    }
    std::vector<Program> out;
    for (const auto* each : keys.tables("program")) {
        auto program = programFrom(*each);
        if (!program) {
            return fail(std::move(program).error());
        }
        if (std::ranges::any_of(out, [&](const Program& other) { return other.name == program->name; })) {
            return malformed(program->name + " stands there twice");
        }
        out.push_back(std::move(*program));
    }
    if (out.empty() || out.front().name != kBuiltIn || out.front().install) {
        keys.problem("program", "does not begin with Carrel's own, which is in every machine");
    }
    if (const auto& wrong = keys.finish(); !wrong.empty()) {
        return malformed(wrong);
    }
    return out;
}

} // namespace carrel::tasks
