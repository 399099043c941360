// SPDX-License-Identifier: Apache-2.0
#include "app/tasks/programs.h"

#include "app/tasks/program_template.h"
#include "app/tasks/program_texts.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>

namespace carrel::tasks {

namespace json = boost::json;

namespace {

std::string at(const std::map<std::string, std::string>& environment, const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
}

std::string listed(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& each : words) {
        out += (out.empty() ? "" : ", ") + each;
    }
    return out;
}

std::vector<std::string> interfacesOf(const Program& program) {
    std::vector<std::string> out;
    for (const auto& each : program.speaks) {
        out.push_back(each.first);
    }
    return out;
}

// Who would speak with such a model.
std::vector<std::string> programsFor(const std::string& api) {
    std::vector<std::string> out;
    for (const auto& each : programs() ? *programs() : std::vector<Program>()) {
        const auto all = interfacesOf(each);
        if (std::ranges::find(all, api) != all.end()) {
            out.push_back(each.name);
        }
    }
    return out;
}

void add(std::map<std::string, std::string>& to, const ProgramEnvironment& of, const TemplateWords& words) {
    const auto put = [&](const std::string& name, std::optional<std::string> value) {
        if (value) {
            to[name] = std::move(*value);
        }
    };
    for (const auto& [name, text] : of.texts) {
        put(name, filled(text, words));
    }
    for (const auto& [name, value] : of.json) {
        put(name, filledJson(value, words));
    }
}

} // namespace

const Result<std::vector<Program>>& programs() {
    static const auto kAll = programsFrom(programsText());
    return kAll;
}

Result<Program> findProgram(std::string_view name) {
    const auto& all = programs();
    if (!all) {
        return fail(all.error());
    }
    std::vector<std::string> known;
    for (const auto& each : *all) {
        if (each.name == (name.empty() ? kBuiltIn : name)) {
            return each;
        }
        known.push_back(each.name);
    }
    return fail(ErrorCode::NotFound, "there is no agent program of that name", "There are: " + listed(known));
}

std::string folderOf(const Program& program) {
    return "/opt/agents/" + program.name;
}

Result<Brain> brainOf(const std::string& name, const std::string& provider, const std::map<std::string, std::string>& environment) {
    const auto program = findProgram(name);
    if (!program) {
        return fail(program.error());
    }
    const auto api = at(environment, "CARREL_MODEL_API");
    const auto speaks = std::ranges::find(program->speaks, api, &std::pair<std::string, ProgramEnvironment>::first);
    if (speaks == program->speaks.end()) {
        return fail(ErrorCode::Unsupported, program->title + " does not speak with the model of " + provider + ", whose interface is " + api,
                    "It speaks " + listed(interfacesOf(*program)) + ": let the agent use such a provider, or give the task to one of these: " + listed(programsFor(api)));
    }
    TemplateWords words{at(environment, "CARREL_MODEL_URL"), at(environment, "CARREL_MODEL"), at(environment, "CARREL_MODEL_KEY"), provider, folderOf(*program), program->window};
    if (words.key.empty()) {
        words.key = program->noKey;
    }
    const auto window = at(environment, "CARREL_MODEL_WINDOW");
    if (std::uint64_t tokens = 0; std::from_chars(window.data(), window.data() + window.size(), tokens).ec == std::errc()) {
        words.window = tokens;
    }
    Brain out{program->name, provider, {}, {}};
    for (const auto& word : program->argv) {
        out.argv.push_back(filled(word, words).value_or(std::string()));
    }
    add(out.environment, program->environment, words);
    add(out.environment, speaks->second, words);
    return out;
}

Installation installationOf(const Program& program) {
    json::object wanted, locked;
    for (const auto& each : program.install->packages) {
        wanted[each.name] = each.version;
        locked["node_modules/" + each.name] = json::object{{"version", each.version}, {"integrity", each.integrity}};
    }
    const json::object self{{"name", "carrel-agent-program"}, {"version", "1.0.0"}};
    auto package = self;
    package["private"] = true;
    package["dependencies"] = wanted;
    auto root = self;
    root["dependencies"] = wanted;
    json::object packages{{"", std::move(root)}};
    for (auto& each : locked) {
        packages[each.key()] = std::move(each.value());
    }
    auto lock = self;
    lock["lockfileVersion"] = 3;
    lock["requires"] = true;
    lock["packages"] = std::move(packages);
    Installation out;
    out.script = installScriptText();
    out.argv = {"bash", "-c", out.script, "install-program", folderOf(program), json::serialize(package), json::serialize(lock)};
    for (const auto& file : program.install->files) {
        out.argv.push_back(file.name);
        out.argv.push_back(file.text);
    }
    return out;
}

} // namespace carrel::tasks
