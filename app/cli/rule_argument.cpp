// SPDX-License-Identifier: Apache-2.0
#include "app/cli/rule_argument.h"

#include "app/cli/duration.h"
#include "app/cli/since.h"
#include "guest/protocol/share_path.h"

#include <array>
#include <ctime>
#include <filesystem>

namespace carrel::cli {

namespace json = boost::json;

const char* const kFieldsHelp =
    "Fields by action. apply: folder, path (a pattern: * within one folder, docs/** all below), change (created, modified,\n"
    "deleted, renamed, mode, link). folder: folder, mode. network: host, port, method, path. credential: name, host.\n"
    "forward: port. program: sha256. A field that is not given matches anything.\n";

namespace {

std::string rfc3339(std::int64_t ms) {
    const std::time_t seconds = ms / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 40> out{};
    std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%S.000Z", &parts);
    return out.data();
}

// None: without an end.
Result<std::optional<std::string>> endOf(const RuleArguments& arguments) {
    if (arguments.time.empty() && arguments.until.empty()) {
        return std::optional<std::string>();
    }
    const auto now = std::int64_t{std::time(nullptr)} * 1000;
    if (!arguments.time.empty() && !arguments.until.empty()) {
        return fail(ErrorCode::InvalidArgument, "a rule has one end", "Give --for or --until, not both.");
    }
    if (!arguments.time.empty()) {
        const auto time = durationFrom(arguments.time);
        if (!time || time->count() < 1) {
            return fail(ErrorCode::InvalidArgument, "the time is not one that can be read", "Write 90s, 10m, 12h or 30d.");
        }
        return std::optional(rfc3339(now + time->count() * 1000));
    }
    const auto moment = momentFrom(arguments.until);
    if (!moment) {
        return fail(ErrorCode::InvalidArgument, "the end is not a time that can be read",
                    "Write 2026-03-01 or 2026-03-01T14:30, with Z for UTC; how long is for --for.");
    }
    if (*moment <= now) {
        return fail(ErrorCode::InvalidArgument, "the rule would be over already", "Give --until a time that is still to come.");
    }
    return std::optional(rfc3339(*moment));
}

// A folder is matched by its whole name, so a short one is completed as a shell would mean it.
Result<std::string> valueOf(const std::string& name, std::string value) {
    if (name == "folder" && value.starts_with('~')) {
        return fail(ErrorCode::InvalidArgument, "a folder is not found by ~ there", "Write it out, as /home/ada/papers.");
    }
    if (name == "folder") {
        std::error_code ec;
        auto folder = std::filesystem::absolute(value, ec).lexically_normal();
        if (value.empty() || ec) {
            return fail(ErrorCode::InvalidArgument, "the folder is empty or cannot be made absolute");
        }
        if (!folder.has_filename() && folder.has_relative_path()) { // a trailing slash
            folder = folder.parent_path();
        }
        value = folder.native();
    }
    if (!isUtf8(value)) {
        return fail(ErrorCode::InvalidArgument, "the field " + shown(name, 40) + " is not UTF-8", "No rule can say such a name.");
    }
    return value;
}

Result<std::vector<std::pair<std::string, std::string>>> fieldsOf(const RuleArguments& arguments) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& text : arguments.fields) {
        const auto equals = text.find('=');
        const auto name = text.substr(0, equals);
        if (equals == std::string::npos || name.empty() ||
            name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") != std::string::npos) {
            return fail(ErrorCode::InvalidArgument, "a field cannot be read", "Write --field NAME=VALUE, as --field host=example.org.");
        }
        auto value = valueOf(name, text.substr(equals + 1));
        if (!value) {
            return fail(std::move(value).error());
        }
        out.emplace_back(name, std::move(*value));
    }
    return out;
}

} // namespace

void addRequestOptions(CLI::App& verb, RuleArguments& into) {
    verb.add_option("--action", into.action, "What it is about")
        ->required()
        ->check(CLI::IsMember({"apply", "folder", "network", "credential", "forward", "program"}))
        ->type_name("ACTION");
    verb.add_option("--agent", into.agent, "Only this agent; without it, any")->type_name("A");
    verb.add_option("--field", into.fields, "What of it; may be given several times")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
}

Result<json::object> ruleWantedFrom(const RuleArguments& arguments) {
    json::object rule{{"effect", arguments.allow ? "allow" : "deny"}, {"action", arguments.action}};
    if (!arguments.agent.empty()) {
        rule["agent"] = arguments.agent;
    }
    auto fields = fieldsOf(arguments);
    if (!fields) {
        return fail(std::move(fields).error());
    }
    json::object byName;
    for (auto& [name, value] : *fields) {
        auto& values = byName[name];
        if (!values.is_array()) {
            values = json::array{};
        }
        values.get_array().emplace_back(std::move(value));
    }
    if (!byName.empty()) {
        rule["fields"] = std::move(byName);
    }
    if (arguments.high) {
        rule["high"] = true;
    }
    auto end = endOf(arguments);
    if (!end) {
        return fail(std::move(end).error());
    }
    if (*end) {
        rule["until"] = **end;
    }
    if (!arguments.note.empty()) {
        if (!isUtf8(arguments.note)) {
            return fail(ErrorCode::InvalidArgument, "the note is not UTF-8");
        }
        rule["note"] = arguments.note;
    }
    return rule;
}

Result<json::object> requestFrom(const RuleArguments& arguments) {
    json::object request{{"action", arguments.action}};
    if (!arguments.agent.empty()) {
        request["agent"] = arguments.agent;
    }
    if (arguments.high) {
        request["high"] = true;
    }
    auto fields = fieldsOf(arguments);
    if (!fields) {
        return fail(std::move(fields).error());
    }
    json::object byName;
    for (auto& [name, value] : *fields) {
        if (!byName.emplace(name, std::move(value)).second) {
            return fail(ErrorCode::InvalidArgument, "the field " + name + " is given twice", "A request has one value of each.");
        }
    }
    if (!byName.empty()) {
        request["fields"] = std::move(byName);
    }
    return request;
}

} // namespace carrel::cli
