// SPDX-License-Identifier: Apache-2.0
#include "app/tasks/task.h"

#include "app/files/durable_file.h"
#include "guest/protocol/plain_text.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace carrel::tasks {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxRecordBytes = 8 * 1024 * 1024;
constexpr std::array<std::string_view, 8> kStates{"scheduled", "queued", "starting", "working", "waiting", "done", "failed", "cancelled"};
constexpr std::array<std::string_view, 4> kWaits{"permission", "budget", "machine", "provider"};
constexpr std::array<std::string_view, 2> kPermissions{"allow", "ask"};

template <typename Enum, std::size_t N> std::optional<Enum> find(const std::array<std::string_view, N>& words, std::string_view text) {
    const auto* const at = std::find(words.begin(), words.end(), text);
    return at == words.end() ? std::nullopt : std::optional(static_cast<Enum>(at - words.begin()));
}

json::object toJson(const Waiting& of) {
    json::array options;
    for (const auto& option : of.options) {
        options.push_back(json::object{{"id", option.id}, {"name", option.name}, {"kind", talk::toString(option.kind)}});
    }
    return {{"kind", toString(of.what)}, {"text", of.text}, {"hint", of.hint}, {"request", of.request}, {"question", of.question}, {"options", std::move(options)}};
}

template <typename Value> Value orProblem(JsonFields& fields, const char* key, std::optional<Value> value) {
    if (!value) {
        fields.problem(key, "is no word that is known");
    }
    return value.value_or(Value{});
}

// Each of a list of objects; what cannot be read is a problem of the whole.
template <typename Read> void each(JsonFields& fields, const char* key, std::size_t most, Read read) {
    for (const auto& item : fields.array(key, most)) {
        const auto* object = item.if_object();
        if (object == nullptr) {
            fields.problem(key, "holds something that is no object");
            return;
        }
        JsonFields one(*object, key);
        read(one);
        if (!one.finish()) {
            fields.problem(key, "holds something that cannot be read");
            return;
        }
    }
}

Waiting waitingFrom(JsonFields& fields, const json::object& object) {
    JsonFields from(object, "waiting");
    Waiting out;
    out.what = orProblem(from, "kind", waitsForFrom(from.string("kind", 16)));
    out.text = from.string("text", 8192);
    out.hint = from.string("hint", 8192);
    out.request = from.number("request", talk::kMaxNumber);
    out.question = from.optionalBoolean("question");
    each(from, "options", talk::kMaxOptions, [&](JsonFields& one) {
        talk::Option option;
        option.id = one.string("id", talk::kMaxIdBytes);
        option.name = one.string("name", talk::kMaxNameBytes);
        option.kind = orProblem(one, "kind", talk::optionKindFrom(one.string("kind", 16)));
        out.options.push_back(std::move(option));
    });
    if (!from.finish()) {
        fields.problem("waiting", "cannot be read");
    }
    return out;
}

json::object toJson(const TaskBudget& of) {
    json::object out;
    const auto put = [&](const char* key, const std::optional<std::uint64_t>& value) {
        if (value) {
            out[key] = *value;
        }
    };
    put("tokens", of.tokens);
    put("micro_dollars", of.microDollars);
    put("wall_s", of.wallSeconds);
    put("cpu_s", of.cpuSeconds);
    return out;
}

} // namespace

std::string_view toString(TaskState state) { return kStates[static_cast<std::size_t>(state)]; }
std::optional<TaskState> taskStateFrom(std::string_view text) { return find<TaskState>(kStates, text); }
bool isOver(TaskState state) { return state == TaskState::Done || state == TaskState::Failed || state == TaskState::Cancelled; }
std::string_view toString(WaitsFor what) { return kWaits[static_cast<std::size_t>(what)]; }
std::optional<WaitsFor> waitsForFrom(std::string_view text) { return find<WaitsFor>(kWaits, text); }
std::string_view toString(Permissions permissions) { return kPermissions[static_cast<std::size_t>(permissions)]; }
std::optional<Permissions> permissionsFrom(std::string_view text) { return find<Permissions>(kPermissions, text); }

const Waiting* waitsFor(const TaskRecord& task) {
    return task.waiting ? &*task.waiting : task.asks.empty() ? nullptr : &task.asks.front();
}

std::string titleOf(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    text = begin == std::string_view::npos ? std::string_view() : text.substr(begin);
    text = text.substr(0, text.find_first_of("\r\n"));
    return text.size() <= kMaxTitleBytes ? plainText(text, kMaxTitleBytes) : plainText(text, kMaxTitleBytes - 3) + "…";
}

Status save(const TaskRecord& of, const std::filesystem::path& file) {
    json::array unsaid;
    for (const auto& saying : of.unsaid) {
        unsaid.push_back(json::object{{"text", saying.text}, {"files", json::array(saying.files.begin(), saying.files.end())}});
    }
    json::array plan;
    for (const auto& step : of.plan) {
        plan.push_back(json::object{{"text", step.text}, {"priority", talk::toString(step.priority)}, {"status", talk::toString(step.status)}});
    }
    json::object out{{"schema", kSchema},
                     {"id", of.id},
                     {"title", of.title},
                     {"state", toString(of.state)},
                     {"program", of.program},
                     {"provider", of.provider},
                     {"permissions", toString(of.permissions)},
                     {"created_ms", of.createdMs},
                     {"begun_ms", of.begunMs},
                     {"ended_ms", of.endedMs},
                     {"queued_ms", of.queuedMs},
                     {"worked_ms", of.workedMs},
                     {"turns", of.turns},
                     {"unsaid", std::move(unsaid)},
                     {"run", of.run},
                     {"gone", of.gone},
                     {"stray", of.stray},
                     {"session", of.session},
                     {"open", of.open},
                     {"told", of.told},
                     {"plan", std::move(plan)},
                     {"summary", of.summary},
                     {"first_event", of.firstEvent},
                     {"last_event", of.lastEvent},
                     {"staged", of.staged},
                     {"next_ms", of.nextMs},
                     {"every_s", of.everyS},
                     {"cancelling", of.cancelling},
                     {"budget", toJson(of.budget)}};
    json::array asks;
    for (const auto& each : of.asks) {
        asks.push_back(toJson(each));
    }
    out["asks"] = std::move(asks);
    if (of.waiting) {
        out["waiting"] = toJson(*of.waiting);
    }
    if (of.trouble) {
        out["trouble"] = json::object{{"message", of.trouble->message}, {"hint", of.trouble->hint}};
    }
    return files::replaceDurably(file, json::serialize(out));
}

Result<TaskRecord> loadTask(const std::filesystem::path& file) {
    const auto text = files::readWhole(file, kMaxRecordBytes);
    if (!text) {
        return fail(text.error());
    }
    const auto object = parseJsonObject(*text, {kMaxRecordBytes, 8});
    const auto broken = [&](const Error& error) {
        return fail(error.wrap("The task in " + file.filename().string() + " was written by a newer version of Carrel, or its file is damaged",
                               "Update Carrel, or restore the file from a backup"));
    };
    if (!object) {
        return broken(object.error());
    }
    JsonFields fields(*object, "task");
    if (fields.number("schema") != kSchema) {
        return broken(Error{ErrorCode::Unsupported, "it is of another version", "", 0, nullptr});
    }
    TaskRecord out;
    out.id = fields.number("id", talk::kMaxNumber);
    out.title = fields.string("title", kMaxTitleBytes);
    out.state = orProblem(fields, "state", taskStateFrom(fields.string("state", 16)));
    out.program = fields.string("program", 64);
    out.provider = fields.string("provider", 64);
    out.permissions = orProblem(fields, "permissions", permissionsFrom(fields.string("permissions", 16)));
    out.createdMs = fields.signedNumber("created_ms");
    out.begunMs = fields.signedNumber("begun_ms");
    out.endedMs = fields.signedNumber("ended_ms");
    out.queuedMs = fields.signedNumber("queued_ms");
    out.workedMs = fields.number("worked_ms");
    out.turns = fields.number("turns", talk::kMaxNumber);
    each(fields, "unsaid", kMaxUnsaid + 4, [&](JsonFields& one) {
        Saying saying;
        saying.text = one.string("text", 64 * 1024);
        saying.files = one.strings("files", 64, 4096);
        out.unsaid.push_back(std::move(saying));
    });
    out.run = fields.number("run", talk::kMaxNumber);
    out.gone = fields.boolean("gone");
    out.stray = fields.boolean("stray");
    out.session = fields.string("session", talk::kMaxIdBytes);
    out.open = fields.boolean("open");
    out.told = fields.boolean("told");
    each(fields, "plan", talk::kMaxPlan, [&](JsonFields& one) {
        talk::PlanEntry step;
        step.text = one.string("text", talk::kMaxPlanBytes);
        step.priority = orProblem(one, "priority", talk::priorityFrom(one.string("priority", 16)));
        step.status = orProblem(one, "status", talk::stepStatusFrom(one.string("status", 16)));
        out.plan.push_back(std::move(step));
    });
    out.summary = fields.string("summary", kMaxSummaryBytes);
    out.firstEvent = fields.number("first_event");
    out.lastEvent = fields.number("last_event");
    out.staged = fields.number("staged");
    out.nextMs = fields.signedNumber("next_ms");
    out.everyS = fields.number("every_s");
    if (const auto* budget = fields.optionalObject("budget")) {
        JsonFields from(*budget, "budget");
        out.budget = {from.optionalNumber("tokens"), from.optionalNumber("micro_dollars"), from.optionalNumber("wall_s"), from.optionalNumber("cpu_s")};
        if (!from.finish()) {
            fields.problem("budget", "cannot be read");
        }
    }
    out.cancelling = fields.boolean("cancelling");
    for (const auto& item : fields.array("asks", kMaxAsks)) {
        if (!item.is_object()) {
            fields.problem("asks", "holds something that is no object");
            break;
        }
        out.asks.push_back(waitingFrom(fields, item.get_object()));
    }
    if (const auto* waiting = fields.optionalObject("waiting")) {
        out.waiting = waitingFrom(fields, *waiting);
    }
    if (const auto* trouble = fields.optionalObject("trouble")) {
        JsonFields from(*trouble, "trouble");
        out.trouble = Trouble{from.string("message", 8192), from.string("hint", 8192)};
        if (!from.finish()) {
            fields.problem("trouble", "cannot be read");
        }
    }
    if (out.id == 0) {
        fields.problem("id", "is none");
    }
    if (auto good = fields.finish(); !good) {
        return broken(good.error());
    }
    return out;
}

} // namespace carrel::tasks
