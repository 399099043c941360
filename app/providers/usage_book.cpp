// SPDX-License-Identifier: Apache-2.0
#include "app/providers/usage_book.h"

#include "app/files/durable_file.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace carrel::providers {

namespace json = boost::json;
using std::chrono::nanoseconds;

namespace {

constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxFileBytes = 1024 * 1024;
constexpr std::size_t kMaxTaskName = 256;

std::int64_t msOfThisComputer() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

} // namespace

UsageBook::UsageBook(Setup setup)
    : m_to(std::move(setup)) {}

void UsageBook::onCounted(Listener listener) {
    m_listener = std::move(listener);
}

void UsageBook::tell(const std::string& agent) const {
    if (m_listener) {
        m_listener(agent);
    }
}

std::optional<nanoseconds> UsageBook::cpuOf(const std::string& agent) const {
    return m_to.cpuTime ? m_to.cpuTime(agent) : std::nullopt;
}

UsageBook::Agent UsageBook::read(const std::filesystem::path& file) const {
    Agent out;
    const auto text = files::readWhole(file, kMaxFileBytes);
    if (!text && text.error().code == ErrorCode::NotFound) {
        return out;
    }
    const auto object = text ? parseJsonObject(*text, {kMaxFileBytes, 5}) : fail(text.error());
    Agent broken;
    broken.unreadable = Error{ErrorCode::Malformed, "what the agent has used, and its budget, cannot be read", "Set a budget anew, or none: carrel budget NAME none",
                              0, object ? nullptr : std::make_shared<Error>(object.error())};
    if (!object) {
        return broken;
    }
    JsonFields fields(*object, "usage");
    const auto schema = fields.number("schema");
    out.sinceMs = fields.signedNumber("since_ms");
    const auto partFrom = [](JsonFields& from) -> Result<Part> {
        auto budget = budgetFrom(from.object("budget"));
        auto used = usedFrom(from.object("used"));
        if (!budget || !used) {
            return fail(budget ? used.error() : budget.error());
        }
        const bool hasUsed = !(*used == Used());
        return Part{*budget, std::move(*used), hasUsed};
    };
    auto all = partFrom(fields);
    bool good = all.has_value() && schema == kSchema;
    for (const auto& each : fields.array("tasks", kMaxTasksKept)) {
        if (!each.is_object()) {
            return broken;
        }
        JsonFields inner(each.get_object(), "usage.tasks");
        const auto name = inner.string("task", kMaxTaskName);
        auto part = partFrom(inner);
        if (const bool hasBegun = inner.optionalBoolean("begun"); part) {
            part->hasBegun = part->hasBegun || hasBegun;
        }
        good = good && part && inner.finish() && out.tasks.emplace(name, part ? std::move(*part) : Part()).second;
        out.order.push_back(name);
    }
    if (!good || !fields.finish()) {
        return broken;
    }
    out.all = std::move(*all);
    return out;
}

UsageBook::Agent& UsageBook::of(const std::string& agent) {
    const auto at = m_agents.find(agent);
    return at != m_agents.end() ? at->second : m_agents.emplace(agent, read(m_to.file(agent))).first->second;
}

Status UsageBook::write(const std::string& name, Agent& agent) {
    if (agent.unreadable) {
        return fail(*agent.unreadable);
    }
    json::array tasks;
    for (const auto& each : agent.order) {
        const auto& part = agent.tasks.at(each);
        tasks.push_back(json::object{{"task", each}, {"begun", part.hasBegun}, {"budget", toJson(part.budget)}, {"used", toJson(part.used)}});
    }
    const json::object object{{"schema", kSchema},
                              {"since_ms", agent.sinceMs},
                              {"budget", toJson(agent.all.budget)},
                              {"used", toJson(agent.all.used)},
                              {"tasks", std::move(tasks)}};
    auto written = files::replaceDurably(m_to.file(name), json::serialize(object));
    agent.hasFailed = !written;
    agent.isChanged = !written;
    agent.kept = m_to.now();
    return written;
}

UsageBook::Part& UsageBook::taskOf(Agent& agent, const std::string& task) {
    const auto known = std::find(agent.order.begin(), agent.order.end(), task);
    if (known != agent.order.end()) {
        agent.order.erase(known);
    } else if (agent.order.size() >= kMaxTasksKept) {
        const auto oldest = [&](bool withBudget) {
            return std::find_if(agent.order.begin(), agent.order.end(), [&](const std::string& each) {
                const auto& part = agent.tasks.at(each);
                return each != agent.task && !part.mustStay() && part.budget.isNone() != withBudget;
            });
        };
        auto at = oldest(false);
        at = at != agent.order.end() ? at : oldest(true);
        if (at != agent.order.end()) { // setBudget() sees to it that there is one
            agent.tasks.erase(*at);
            agent.order.erase(at);
        }
    }
    agent.order.push_back(task);
    return agent.tasks[task];
}

// Counts the time since the last look, where a task is under way.
void UsageBook::pass(Agent& agent, std::optional<nanoseconds> cpu) {
    const auto now = m_to.now();
    if (agent.isUnderWay) {
        agent.time += now - agent.looked;
        if (cpu) {
            agent.cpu += agent.cpuAt && *agent.cpuAt <= *cpu ? *cpu - *agent.cpuAt : *cpu; // less than before: another machine's
        }
        const auto time = std::chrono::duration_cast<Seconds>(agent.time);
        const auto worked = std::chrono::duration_cast<Seconds>(agent.cpu);
        agent.time -= time;
        agent.cpu -= worked;
        auto& part = agent.tasks.at(agent.task);
        for (auto* used : {&agent.all.used, &part.used}) {
            used->time += time;
            used->cpu += worked;
        }
        agent.isChanged = agent.isChanged || time != Seconds(0) || worked != Seconds(0);
    }
    agent.looked = now;
    agent.cpuAt = cpu ? cpu : agent.cpuAt;
}

void UsageBook::begin(const std::string& agent, const std::string& task) {
    const auto cpu = cpuOf(agent);
    const std::lock_guard lock(m_mutex);
    auto& it = of(agent);
    it.isUnderWay = false; // whoever begins anew has looked away since, and may have waited for the owner
    pass(it, cpu);
    it.task.clear();
    taskOf(it, task).hasBegun = true;
    it.task = task;
    it.isUnderWay = true;
    it.cpuAt = cpu ? cpu : nanoseconds(0); // a machine that is only started counts from its beginning
    (void)write(agent, it).has_value();    // hasFailed says so
}

void UsageBook::tick(const std::string& agent) {
    const auto cpu = cpuOf(agent);
    {
        const std::lock_guard lock(m_mutex);
        auto& it = of(agent);
        pass(it, cpu);
        if (it.isChanged && m_to.now() - it.kept >= kKeepTime) {
            (void)write(agent, it).has_value();
        }
    }
    tell(agent);
}

void UsageBook::end(const std::string& agent, const std::string& task) {
    const auto cpu = cpuOf(agent);
    {
        const std::lock_guard lock(m_mutex);
        auto& it = of(agent);
        if (it.task != task || !it.isUnderWay) {
            return;
        }
        pass(it, cpu);
        it.isUnderWay = false;
        (void)write(agent, it).has_value();
    }
    tell(agent);
}

Status UsageBook::count(const std::string& agent, const relay::ModelUse& use, Paid paid) {
    const auto cost = m_to.prices->cost(use, paid);
    const auto written = [&] {
        const std::lock_guard lock(m_mutex);
        auto& it = of(agent);
        add(it.all.used, use, cost);
        if (!it.task.empty()) {
            add(it.tasks.at(it.task).used, use, cost);
        }
        return write(agent, it);
    }();
    tell(agent);
    return written;
}

Result<UsageBook::Part> UsageBook::partOf(const std::string& agent, const std::string& task) {
    const std::lock_guard lock(m_mutex);
    const auto& it = of(agent);
    if (it.unreadable) {
        return fail(*it.unreadable);
    }
    if (task.empty()) {
        return it.all;
    }
    const auto at = it.tasks.find(task);
    return at == it.tasks.end() ? Part() : at->second;
}

Result<Used> UsageBook::used(const std::string& agent) {
    return used(agent, {});
}

Result<Used> UsageBook::used(const std::string& agent, const std::string& task) {
    return partOf(agent, task).map([](Part part) { return std::move(part.used); });
}

Result<Budget> UsageBook::budgetOf(const std::string& agent) {
    return budgetOf(agent, {});
}

Result<Budget> UsageBook::budgetOf(const std::string& agent, const std::string& task) {
    return partOf(agent, task).map([](const Part& part) { return part.budget; });
}

Result<std::int64_t> UsageBook::since(const std::string& agent) {
    const std::lock_guard lock(m_mutex);
    const auto& it = of(agent);
    return it.unreadable ? Result<std::int64_t>(fail(*it.unreadable)) : it.sinceMs;
}

Status UsageBook::setBudget(const std::string& agent, const Budget& budget) {
    CARREL_TRY(check(budget));
    {
        const std::lock_guard lock(m_mutex);
        auto& it = of(agent);
        auto next = it;
        if (next.unreadable) {
            next = Agent{};
            if (!it.task.empty()) {
                next.task = it.task;
                taskOf(next, it.task).hasBegun = true;
                next.isUnderWay = it.isUnderWay;
            }
            next.looked = it.looked;
            next.cpuAt = it.cpuAt;
        }
        next.all = {budget, {}};
        next.sinceMs = m_to.wallMs ? m_to.wallMs() : msOfThisComputer();
        CARREL_TRY(write(agent, next));
        it = std::move(next);
    }
    tell(agent);
    return {};
}

Status UsageBook::setBudget(const std::string& agent, const std::string& task, const Budget& budget) {
    CARREL_TRY(check(budget));
    {
        const std::lock_guard lock(m_mutex);
        auto& it = of(agent);
        const auto known = it.tasks.find(task);
        const auto waiting = std::count_if(it.tasks.begin(), it.tasks.end(), [](const auto& each) { return each.second.mustStay(); });
        // One place stays for the task that works.
        if (!budget.isNone() && (known == it.tasks.end() || known->second.budget.isNone()) && waiting >= static_cast<std::ptrdiff_t>(kMaxTasksKept) - 1) {
            return fail(ErrorCode::LimitExceeded, "As many tasks of this agent as can be kept wait with a budget of their own, and one more would not be held to its",
                        "Let some of them work first, or limit the agent as a whole: carrel budget");
        }
        if (budget.isNone() && known == it.tasks.end()) {
            return it.unreadable ? fail(*it.unreadable) : Status(); // it has none
        }
        auto next = it;
        taskOf(next, task).budget = budget;
        if (auto written = write(agent, next); !written) {
            return fail(written.error().wrap("The budget of this task could not be set, so that it would not be held to it", written.error().hint));
        }
        it = std::move(next);
    }
    tell(agent);
    return {};
}

bool UsageBook::hasBudget(const Agent& agent) {
    return !agent.all.budget.isNone() || (!agent.task.empty() && !agent.tasks.at(agent.task).budget.isNone());
}

std::optional<Over> UsageBook::over(const std::string& agent) {
    const std::lock_guard lock(m_mutex);
    auto& it = of(agent);
    return standingOf(agent, it, it.task);
}

std::optional<Over> UsageBook::over(const std::string& agent, const std::string& task) {
    const std::lock_guard lock(m_mutex);
    return standingOf(agent, of(agent), task);
}

std::optional<Over> UsageBook::standingOf(const std::string& agent, Agent& it, const std::string& task) {
    if (it.unreadable) {
        return Over{Bound::Tokens, "The budget of this agent cannot be read, so that nothing can be held to it"};
    }
    if (it.hasFailed && hasBudget(it) && !write(agent, it)) {
        return Over{Bound::Tokens, "What this agent uses cannot be written down, so that its budget cannot be kept"};
    }
    const auto said = [](std::optional<Over> one, std::string_view whose) {
        if (one) {
            one->text = "Of this " + std::string(whose) + " " + one->text;
        }
        return one;
    };
    if (auto one = standing(it.all.budget, it.all.used)) {
        return said(std::move(one), "agent");
    }
    const auto part = it.tasks.find(task);
    return part == it.tasks.end() ? std::nullopt : said(standing(part->second.budget, part->second.used), "task");
}

std::optional<std::string> UsageBook::whyNotAsk(const std::string& agent) {
    auto why = over(agent);
    return why ? std::optional(std::move(why->text) + ". It goes on when the owner allows more (carrel budget)") : std::nullopt;
}

void UsageBook::forget(const std::string& agent) {
    const std::lock_guard lock(m_mutex);
    m_agents.erase(agent);
}

} // namespace carrel::providers
