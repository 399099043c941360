// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/agent_talk.h"

#include "guest/protocol/change_report.h"
#include "guest/protocol/control.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <array>

namespace carrel::talk {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxPath = 4096;
constexpr std::array<std::string_view, std::variant_size_v<Call>> kMethods{"agent.start",  "agent.prompt", "agent.cancel", "agent.permit",
                                                                           "agent.mode",   "agent.stop",   "agent.updates"};

std::uint64_t positive(JsonFields& fields, const char* key) {
    const auto number = fields.number(key, kMaxNumber);
    if (number == 0) {
        fields.problem(key, "is none");
    }
    return number;
}

void checkPath(JsonFields& fields, const char* key, const std::string& path) {
    if (path.empty() || path.front() != '/' || path.find('\0') != std::string::npos || !isUtf8(path)) {
        fields.problem(key, "is no absolute path");
    }
}

Result<Call> startFrom(JsonFields& fields, std::uint64_t run) {
    Start out;
    out.run = run;
    out.argv = fields.strings("argv", control::kMaxArgvItems, control::kMaxArgvBytes);
    if (out.argv.empty() || out.argv.front().empty()) {
        fields.problem("argv", "names no program");
    }
    const auto hasNul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
    if (std::any_of(out.argv.begin(), out.argv.end(), hasNul)) {
        fields.problem("argv", "holds a NUL");
    }
    std::size_t bytes = 0;
    for (const auto& [key, value] : fields.object("env")) {
        const auto* text = value.if_string();
        const std::string name(key);
        if (text == nullptr || name.empty() || name.find('=') != std::string::npos || hasNul(name) || hasNul(std::string(*text))) {
            fields.problem("env", "holds no variable");
            break;
        }
        bytes += name.size() + text->size();
        out.environment.emplace(name, *text);
    }
    if (out.environment.size() > kMaxEnvironment || bytes > kMaxEnvironmentBytes) {
        fields.problem("env", "is too long");
    }
    out.cwd = fields.string("cwd", kMaxPath);
    checkPath(fields, "cwd", out.cwd);
    out.load = fields.optionalString("load", kMaxIdBytes);
    CARREL_TRY(fields.finish());
    return Call(std::move(out));
}

Result<Call> promptFrom(JsonFields& fields, std::uint64_t run) {
    Prompt out;
    out.run = run;
    out.turn = positive(fields, "turn");
    out.text = fields.string("text", kMaxPromptBytes);
    if (out.text.empty() || !isUtf8(out.text)) {
        fields.problem("text", out.text.empty() ? "is empty" : "is not UTF-8");
    }
    out.files = fields.strings("files", kMaxFiles, kMaxPath);
    for (const auto& file : out.files) {
        checkPath(fields, "files", file);
    }
    CARREL_TRY(fields.finish());
    return Call(std::move(out));
}

} // namespace

bool isMethod(std::string_view method) {
    return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

std::string_view methodOf(const Call& call) {
    return kMethods[call.index()];
}

json::object paramsOf(const Call& call) {
    json::object out = std::visit([](const auto& each) { return json::object{{"run", each.run}}; }, call);
    if (const auto* start = std::get_if<Start>(&call)) {
        out["argv"] = json::array(start->argv.begin(), start->argv.end());
        json::object env;
        for (const auto& [name, value] : start->environment) {
            env[name] = value;
        }
        out["env"] = std::move(env);
        out["cwd"] = start->cwd;
        if (start->load) {
            out["load"] = *start->load;
        }
    } else if (const auto* prompt = std::get_if<Prompt>(&call)) {
        out["turn"] = prompt->turn;
        out["text"] = prompt->text;
        out["files"] = json::array(prompt->files.begin(), prompt->files.end());
    } else if (const auto* permit = std::get_if<Permit>(&call)) {
        out["request"] = permit->request;
        if (permit->option) {
            out["option"] = *permit->option;
        }
    } else if (const auto* mode = std::get_if<SetMode>(&call)) {
        out["mode"] = mode->mode;
    } else if (const auto* updates = std::get_if<Updates>(&call)) {
        out["after"] = updates->after;
        out["seconds"] = updates->most.count();
    }
    return out;
}

Result<Call> callFrom(std::string_view method, const json::object& params) {
    if (!isMethod(method)) {
        return fail(ErrorCode::Unsupported, "there is no such call");
    }
    if (json::serialize(params).size() > kMaxCallBytes) {
        return fail(ErrorCode::Malformed, std::string(method) + ": is too long");
    }
    JsonFields fields(params, method);
    const auto run = positive(fields, "run");
    Call out;
    if (method == "agent.start") {
        return startFrom(fields, run);
    }
    if (method == "agent.prompt") {
        return promptFrom(fields, run);
    }
    if (method == "agent.permit") {
        const auto request = positive(fields, "request");
        out = Permit{run, request, fields.optionalString("option", kMaxIdBytes)};
    } else if (method == "agent.mode") {
        out = SetMode{run, fields.string("mode", kMaxIdBytes)};
    } else if (method == "agent.updates") {
        const auto after = fields.number("after", kMaxNumber);
        out = Updates{run, after, std::chrono::seconds(fields.number("seconds", static_cast<std::uint64_t>(kMaxUpdatesWait.count())))};
    } else if (method == "agent.cancel") {
        out = Cancel{run};
    } else {
        out = Stop{run};
    }
    CARREL_TRY(fields.finish());
    return out;
}

json::object answerWith(std::span<const Update> updates) {
    json::array list;
    std::size_t bytes = 32; // of what is around them
    for (const auto& update : updates) {
        auto one = toJson(update);
        bytes += json::serialize(one).size() + 1;
        if (list.size() == kMaxUpdatesInAnswer || (!list.empty() && bytes > kMaxAnswerBytes)) {
            break;
        }
        list.push_back(std::move(one));
    }
    return {{"updates", std::move(list)}};
}

Result<std::vector<Update>> updatesFrom(std::uint64_t after, const json::object& answer) {
    JsonFields fields(answer, "agent.updates");
    std::vector<Update> out;
    for (const auto& item : fields.array("updates", kMaxUpdatesInAnswer)) {
        const auto* object = item.if_object();
        auto update = object == nullptr ? Result<Update>(fail(ErrorCode::Malformed, "agent.updates: an update is not an object")) : updateFrom(*object);
        if (!update) {
            return fail(std::move(update).error());
        }
        if (update->number <= (out.empty() ? after : out.back().number)) {
            return fail(ErrorCode::Malformed, "agent.updates: the numbers do not go up");
        }
        out.push_back(std::move(*update));
    }
    CARREL_TRY(fields.finish());
    return out;
}

} // namespace carrel::talk
