// SPDX-License-Identifier: Apache-2.0
// Verbs of tasks: what agents are given to do, how it goes, and what the owner answers.
#include "app/engine/engine.h"
#include "app/tasks/programs.h"

#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::engine {

namespace json = boost::json;
using tasks::Lane;
using tasks::TaskRecord;
using tasks::TaskView;

namespace {

constexpr std::size_t kMaxText = talk::kMaxPromptBytes;
constexpr std::size_t kMaxListed = 500;

json::value timeOrNull(std::int64_t ms) {
    return ms <= 0 ? json::value(nullptr) : json::value(activity::formatTime(ms * 1'000'000));
}

json::value describe(const tasks::Waiting* waiting) {
    if (waiting == nullptr) {
        return nullptr;
    }
    json::object out{{"kind", toString(waiting->what)}, {"text", waiting->text}, {"hint", waiting->hint}};
    if (waiting->what == tasks::WaitsFor::Permission) {
        json::array options;
        for (const auto& option : waiting->options) {
            options.push_back(json::object{{"id", option.id}, {"name", option.name}, {"kind", talk::toString(option.kind)}});
        }
        out["request"] = waiting->request;
        out["question"] = waiting->question;
        out["options"] = std::move(options);
    }
    return out;
}

json::object describe(const std::string& agent, const TaskView& view) {
    const auto& of = view.record;
    json::array plan;
    for (const auto& step : of.plan) {
        plan.push_back(json::object{{"text", step.text}, {"priority", talk::toString(step.priority)}, {"status", talk::toString(step.status)}});
    }
    return {{"agent", agent},
            {"id", of.id},
            {"title", of.title},
            {"state", toString(of.state)},
            {"program", of.program},
            {"provider", of.provider},
            {"created", activity::formatTime(of.createdMs * 1'000'000)},
            {"begun", timeOrNull(of.begunMs)},
            {"ended", timeOrNull(of.endedMs)},
            {"worked_ms", view.workedMs},
            {"turns", of.turns},
            {"unsaid", of.unsaid.size()},
            {"plan", std::move(plan)},
            {"waits_for", describe(waitsFor(of))},
            {"error", of.trouble ? json::value(json::object{{"message", of.trouble->message}, {"hint", of.trouble->hint}}) : json::value(nullptr)},
            {"summary", of.summary},
            {"usage",
             json::object{{"requests", view.used.requests},
                          {"input_tokens", view.used.inputTokens},
                          {"output_tokens", view.used.outputTokens},
                          {"cost", view.used.dollars ? json::value(*view.used.dollars) : json::value(nullptr)},
                          {"estimated", view.used.estimated}}},
            {"events", json::object{{"first", of.firstEvent}, {"last", of.lastEvent}}},
            {"staged", of.staged},
            {"next", timeOrNull(of.nextMs)},
            {"every_s", of.everyS}};
}

struct Place {
    std::string agent;
    std::shared_ptr<Lane> lane;
};

Result<Place> laneFor(Engine& engine, const api::Call& call, const std::string& name) {
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    auto lane = engine.tasks().of((*agent)->id());
    if (!lane) {
        return fail(std::move(lane).error());
    }
    return Place{(*agent)->name(), std::move(*lane)};
}

Result<json::value> answerWith(const Place& place, const Result<TaskView>& view) {
    if (!view) {
        return fail(view.error());
    }
    return json::object{{"task", describe(place.agent, *view)}};
}

std::vector<std::filesystem::path> filesFrom(JsonFields& fields) {
    std::vector<std::filesystem::path> out;
    for (const auto& each : fields.optionalArray("files", talk::kMaxFiles)) {
        if (!each.is_string() || each.get_string().empty() || each.get_string().front() != '/') {
            fields.problem("files", "holds something that is no absolute path");
            break;
        }
        out.emplace_back(std::string(each.get_string()));
    }
    return out;
}

tasks::TaskBudget budgetFrom(JsonFields& fields) {
    tasks::TaskBudget out;
    if (const auto* object = fields.optionalObject("budget")) {
        JsonFields from(*object, "budget");
        out = {from.optionalNumber("tokens"), from.optionalNumber("micro_dollars"), from.optionalNumber("wall_s"), from.optionalNumber("cpu_s")};
        for (const auto& each : {out.tokens, out.microDollars, out.wallSeconds, out.cpuSeconds}) {
            if (each && *each == 0) {
                from.problem("tokens", "or another bound is nothing");
            }
        }
        if (!from.finish()) {
            fields.problem("budget", "cannot be read");
        }
    }
    return out;
}

Result<json::value> add(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "task.add");
    const auto name = fields.string("agent", 256);
    tasks::NewTask wanted;
    wanted.text = fields.string("text", kMaxText);
    wanted.files = filesFrom(fields);
    wanted.program = fields.optionalString("program", 64).value_or("");
    wanted.provider = fields.optionalString("provider", 64).value_or("");
    if (const auto permissions = fields.optionalString("permissions", 16)) {
        const auto known = tasks::permissionsFrom(*permissions);
        if (!known) {
            fields.problem("permissions", "is neither allow nor ask");
        }
        wanted.permissions = known.value_or(tasks::Permissions::Ask);
    }
    if (const auto at = fields.optionalString("at", 40)) {
        const auto ms = activity::parseTime(*at);
        if (!ms) {
            fields.problem("at", "is no time as RFC 3339 has it");
        }
        wanted.atMs = ms.value_or(0);
    }
    wanted.everyS = fields.optionalNumber("every_s", 31'622'400).value_or(0);
    wanted.budget = budgetFrom(fields);
    CARREL_TRY(fields.finish());
    const auto place = laneFor(engine, call, name);
    if (!place) {
        return fail(place.error());
    }
    if (auto known = tasks::findProgram(wanted.program); !known) {
        return fail(std::move(known).error());
    }
    return answerWith(*place, place->lane->add(wanted));
}

Result<json::value> say(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "task.say");
    const auto name = fields.string("agent", 256);
    const auto id = fields.number("task", talk::kMaxNumber);
    const auto text = fields.string("text", kMaxText);
    const auto files = filesFrom(fields);
    CARREL_TRY(fields.finish());
    const auto place = laneFor(engine, call, name);
    if (!place) {
        return fail(place.error());
    }
    return answerWith(*place, place->lane->say(id, text, files));
}

Result<json::value> list(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "task.list");
    const auto name = fields.optionalString("agent", 256);
    const auto most = fields.optionalNumber("limit", kMaxListed).value_or(100);
    CARREL_TRY(fields.finish());
    const auto mark = engine.taskNews().mark(); // before what it stands for is looked at
    std::vector<std::shared_ptr<agents::Agent>> agents;
    if (name) {
        auto agent = engine.agentFor(call, *name);
        if (!agent) {
            return fail(std::move(agent).error());
        }
        agents.push_back(std::move(*agent));
    } else {
        agents = engine.agentsFor(call);
    }
    struct Listed {
        std::string agent;
        TaskView view;
    };
    std::vector<Listed> all;
    for (const auto& agent : agents) {
        const auto lane = engine.tasks().of(agent->id());
        if (!lane) {
            return fail(lane.error());
        }
        for (auto& view : (*lane)->list()) {
            all.push_back({agent->name(), std::move(view)});
        }
    }
    std::stable_sort(all.begin(), all.end(), [](const Listed& a, const Listed& b) { return a.view.record.createdMs > b.view.record.createdMs; });
    json::array out;
    for (const auto& each : all) {
        if (out.size() == most) {
            break;
        }
        out.push_back(describe(each.agent, each.view));
    }
    return json::object{{"tasks", std::move(out)}, {"mark", mark}};
}

Result<json::value> wait(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "task.wait");
    const auto than = fields.optionalNumber("mark");
    CARREL_TRY(fields.finish());
    const auto mark = engine.taskNews().waitOther(than, call.stop());
    if (!mark) {
        return fail(mark.error());
    }
    return json::object{{"mark", *mark}};
}

Result<json::value> watch(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "task.watch");
    const auto name = fields.string("agent", 256);
    const auto id = fields.number("task", talk::kMaxNumber);
    const auto after = fields.number("after", talk::kMaxNumber);
    const bool waits = fields.optionalBoolean("wait");
    CARREL_TRY(fields.finish());
    const auto place = laneFor(engine, call, name);
    if (!place) {
        return fail(place.error());
    }
    const auto story = place->lane->story(id);
    if (!story) {
        return fail(story.error());
    }
    auto general = engine.taskNews().mark(); // before what it stands for is looked at
    while (waits && (*story)->mark() == after) {
        const auto mark = engine.taskNews().waitOther(general, call.stop());
        if (!mark) {
            return fail(mark.error());
        }
        general = *mark;
    }
    const auto news = (*story)->since(after);
    const auto view = place->lane->find(id); // it may be newer than the mark, which then is told once more
    if (!view) {
        return fail(view.error());
    }
    json::array items;
    for (const auto& told : news.items) {
        items.push_back(tasks::describe(told));
    }
    return json::object{{"task", describe(place->agent, *view)}, {"items", std::move(items)}, {"mark", news.mark}, {"more", news.more}};
}

Result<json::value> cancel(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "task.cancel");
    const auto name = fields.string("agent", 256);
    const auto id = fields.number("task", talk::kMaxNumber);
    CARREL_TRY(fields.finish());
    const auto place = laneFor(engine, call, name);
    if (!place) {
        return fail(place.error());
    }
    return answerWith(*place, place->lane->cancel(id));
}

Result<json::value> answer(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "task.answer");
    const auto name = fields.string("agent", 256);
    const auto id = fields.number("task", talk::kMaxNumber);
    const auto request = fields.optionalNumber("request", talk::kMaxNumber);
    const auto option = fields.optionalString("option", talk::kMaxIdBytes);
    const bool goesOn = fields.optionalBoolean("go_on");
    CARREL_TRY(fields.finish());
    if (goesOn == request.has_value() || (option && !request)) {
        return fail(ErrorCode::InvalidArgument, "that answers nothing: it is a permission's request, with or without an option, or to go on");
    }
    const auto place = laneFor(engine, call, name);
    if (!place) {
        return fail(place.error());
    }
    return answerWith(*place, goesOn ? place->lane->goOn(id) : place->lane->answer(id, *request, option));
}

} // namespace

void addTaskVerbs(Engine& engine, api::Handlers& to) {
    const auto put = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    put("task.add", add);
    put("task.say", say);
    put("task.list", list);
    put("task.wait", wait);
    put("task.watch", watch);
    put("task.cancel", cancel);
    put("task.answer", answer);
}

} // namespace carrel::engine
