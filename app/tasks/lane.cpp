// SPDX-License-Identifier: Apache-2.0
#include "app/tasks/lane.h"

#include "guest/protocol/share_path.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>

namespace carrel::tasks {

namespace fs = std::filesystem;
namespace json = boost::json;
using activity::EventKind;
using activity::Provenance;

namespace {

constexpr std::size_t kMaxTasks = 5000;      // of one agent
constexpr std::size_t kMaxStoriesAtHand = 8;

Status checkText(const std::string& text) {
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
        return fail(ErrorCode::InvalidArgument, "there is no word in it", "Say what is to be done");
    }
    if (text.size() > talk::kMaxPromptBytes) {
        return fail(ErrorCode::LimitExceeded, "that is longer than 64 KiB", "Put long texts into a file, and attach it");
    }
    if (!isUtf8(text)) {
        return fail(ErrorCode::InvalidArgument, "that is not UTF-8", "");
    }
    return {};
}

Status checkSize(const std::string& text, const std::vector<std::string>& files) {
    const talk::Prompt prompt{1, 1, text, files};
    return json::serialize(talk::paramsOf(prompt)).size() <= talk::kMaxCallBytes - 1024
               ? Status()
               : Status(fail(ErrorCode::LimitExceeded, "that is longer than can be said at once", "Put it into a file, and attach it"));
}

} // namespace

Lane::Lane(World world, AgentPtr hands, std::function<void()> changed, Pace pace)
    : m_world(std::move(world))
    , m_hands(std::move(hands))
    , m_agent(m_hands->id())
    , m_name(m_hands->name())
    , m_folder(m_hands->folder())
    , m_changed(std::move(changed))
    , m_pace(pace) {}

Result<std::unique_ptr<Lane>> Lane::open(World world, AgentPtr hands, std::function<void()> changed, Pace pace) {
    std::unique_ptr<Lane> lane(new Lane(std::move(world), std::move(hands), std::move(changed), pace));
    CARREL_TRY(lane->load());
    lane->m_thread = std::thread([raw = lane.get()] { raw->run(); });
    return lane;
}

Lane::~Lane() {
    stop();
}

void Lane::stop() {
    {
        const std::lock_guard lock(m_mutex);
        m_stopped = true;
        m_stop.request_stop();
        m_startStop.request_stop();
        m_wake.notify_all();
    }
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

Status Lane::load() {
    std::error_code error;
    fs::create_directory(m_folder, error); // not what it is in: of a deleted agent nothing comes back
    if (error) {
        return failErrno("making the folder of an agent's tasks", error.value());
    }
    for (auto each = fs::directory_iterator(m_folder, error); !error && each != fs::directory_iterator(); each.increment(error)) {
        std::uint64_t number = 0;
        const auto name = each->path().stem().string();
        const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), number);
        if (bad == std::errc() && end == name.data() + name.size()) {
            m_highest = std::max(m_highest, number); // whatever becomes of the file
        }
        if (each->path().extension() != ".json") {
            continue;
        }
        auto task = loadTask(each->path());
        if (!task) {
            m_world.complain(m_name + ": " + task.error().text());
            continue;
        }
        if (task->cancelling) {
            m_cancels.insert(task->id);
        }
        m_tasks.emplace(task->id, std::move(*task));
    }
    return error ? Status(failErrno("reading the folder of an agent's tasks", error.value())) : Status();
}

fs::path Lane::fileOf(std::uint64_t id) const {
    return m_folder / (std::to_string(id) + ".json");
}

TaskView Lane::viewOf(const TaskRecord& of) const {
    TaskView out{of, m_world.used(m_agent, of.id), of.workedMs};
    if (of.id == m_now && m_turnSince) {
        out.workedMs += static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - *m_turnSince).count());
    }
    return out;
}

Result<TaskRecord*> Lane::findIn(std::uint64_t id) {
    const auto found = m_tasks.find(id);
    if (found == m_tasks.end()) {
        return fail(ErrorCode::NotFound, "agent " + m_name + " has no task " + std::to_string(id), "See: carrel task list " + m_name);
    }
    return &found->second;
}

TaskRecord Lane::record(std::uint64_t id) const {
    const std::lock_guard lock(m_mutex);
    return m_tasks.at(id);
}

void Lane::update(std::uint64_t id, const std::function<void(TaskRecord&)>& change) {
    {
        const std::lock_guard lock(m_mutex);
        auto& task = m_tasks.at(id);
        change(task);
        if (auto kept = save(task, fileOf(id)); !kept) {
            m_world.complain(m_name + ": task " + std::to_string(id) + " is not kept: " + kept.error().text());
        }
        bump(id);
    }
    toldChanged();
}

void Lane::settleState(TaskRecord& task) {
    if (task.open) {
        task.state = waitsFor(task) != nullptr ? TaskState::Waiting : TaskState::Working;
    }
}

void Lane::bump(std::uint64_t id) {
    if (const auto story = m_stories.find(id); story != m_stories.end()) {
        story->second->bump();
    }
}

void Lane::touch(std::uint64_t id, const std::function<void(TaskRecord&)>& change) {
    {
        const std::lock_guard lock(m_mutex);
        change(m_tasks.at(id));
        bump(id);
    }
    toldChanged();
}

Result<TaskView> Lane::add(const NewTask& wanted) {
    CARREL_TRY(checkText(wanted.text));
    if (wanted.files.size() > talk::kMaxFiles) {
        return fail(ErrorCode::LimitExceeded, "more than 64 files at once", "Share the folder that they are in");
    }
    if (wanted.everyS != 0 && wanted.everyS < 60) {
        return fail(ErrorCode::InvalidArgument, "a task cannot be repeated more often than every minute", "");
    }
    TaskRecord task;
    {
        const std::lock_guard lock(m_mutex);
        if (m_stopped) {
            return fail(ErrorCode::Unavailable, "the engine is ending", "Try again");
        }
        if (m_tasks.size() >= kMaxTasks) {
            return fail(ErrorCode::LimitExceeded, "agent " + m_name + " has as many tasks as one may", "Make another agent");
        }
        task.id = ++m_highest;
        // Its number is taken from here on, whatever becomes of it.
        m_tasks.emplace(task.id, TaskRecord{task.id}).first->second.state = TaskState::Cancelled;
    }
    const auto give = [&]() -> Result<TaskView> {
        task.title = titleOf(wanted.text);
        task.program = wanted.program;
        task.provider = wanted.provider;
        task.permissions = wanted.permissions;
        task.createdMs = task.queuedMs = now();
        task.everyS = wanted.everyS;
        task.budget = wanted.budget;
        const bool later = wanted.atMs > task.createdMs || wanted.everyS != 0;
        task.state = later ? TaskState::Scheduled : TaskState::Queued;
        task.nextMs = later ? std::max(wanted.atMs, wanted.atMs == 0 ? task.createdMs : std::int64_t{0}) : 0;
        auto files = wanted.files.empty() ? Result<std::vector<std::string>>(std::vector<std::string>()) : m_hands->showFiles(task.id, wanted.files);
        if (!files) {
            return fail(std::move(files).error());
        }
        CARREL_TRY(checkSize(wanted.text, *files));
        task.unsaid.push_back({wanted.text, std::move(*files)});
        json::object detail{{"task", task.id}, {"by", "owner"}, {"files", wanted.files.size()}};
        if (later) {
            detail["at"] = activity::formatTime(task.nextMs * 1'000'000);
            detail["every_s"] = task.everyS;
        }
        const auto noted = m_hands->note(EventKind::TaskAdded, task.title, std::move(detail), Provenance::Host);
        if (!noted) {
            return fail(noted.error());
        }
        task.firstEvent = task.lastEvent = *noted;
        if (!task.budget.isEmpty()) {
            CARREL_TRY(m_world.setBudget(m_agent, task.id, task.budget));
        }
        const std::lock_guard lock(m_mutex);
        CARREL_TRY(save(task, fileOf(task.id)));
        m_tasks[task.id] = task;
        knock();
        return viewOf(task);
    };
    auto given = give();
    if (!given) {
        const std::lock_guard lock(m_mutex);
        m_tasks.erase(task.id);
        return given;
    }
    toldChanged();
    return given;
}

Result<TaskView> Lane::say(std::uint64_t id, const std::string& text, const std::vector<fs::path>& files) {
    CARREL_TRY(checkText(text));
    if (auto there = find(id); !there) {
        return there;
    }
    auto shown = files.empty() ? Result<std::vector<std::string>>(std::vector<std::string>()) : m_hands->showFiles(id, files);
    if (!shown) {
        return fail(std::move(shown).error());
    }
    CARREL_TRY(checkSize(text, *shown));
    Result<TaskView> out = fail(ErrorCode::Internal, "nothing was said");
    {
        const std::lock_guard lock(m_mutex);
        m_patience.erase(id);
        auto& task = m_tasks.at(id);
        if (task.state == TaskState::Scheduled) {
            return fail(ErrorCode::Refused, "that task has not begun", "Cancel it, and give another");
        }
        if (task.cancelling) {
            return fail(ErrorCode::Refused, "that task is being cancelled", "Say it again when it has ended");
        }
        if (task.unsaid.size() >= kMaxUnsaid) {
            return fail(ErrorCode::LimitExceeded, "as much waits to be said as may", "Wait until the agent has answered");
        }
        auto next = task;
        next.unsaid.push_back({text, std::move(*shown)});
        if (isOver(next.state)) {
            next.state = TaskState::Queued;
            next.queuedMs = now();
            next.trouble.reset();
        }
        CARREL_TRY(save(next, fileOf(id)));
        task = std::move(next);
        bump(id);
        knock();
        out = viewOf(task);
    }
    toldChanged();
    return out;
}

Result<TaskView> Lane::cancel(std::uint64_t id) {
    std::uint64_t run = 0;
    {
        const std::lock_guard lock(m_mutex);
        const auto found = findIn(id);
        if (!found) {
            return fail(found.error());
        }
        if (isOver((*found)->state)) {
            return viewOf(**found);
        }
    }
    // What only takes away goes ahead whatever the log says.
    if (auto noted = m_hands->note(EventKind::TaskCancelled, record(id).title, {{"task", id}, {"by", "owner"}}, Provenance::Host); !noted) {
        m_world.complain(m_name + ": " + noted.error().text());
    }
    {
        const std::lock_guard lock(m_mutex);
        auto& task = m_tasks.at(id);
        if (isOver(task.state)) {
            return viewOf(task);
        }
        if (task.open || id == m_now) { // its thread clears what is unsaid when the turn is over
            m_cancels.insert(id);
            task.cancelling = true;
            run = task.open && task.told ? task.run : 0;
            if (!task.open) {
                m_startStop.request_stop();
            }
        } else {
            task.state = TaskState::Cancelled;
            task.unsaid.clear();
            task.waiting.reset();
            task.endedMs = now();
        }
        bump(id);
        if (auto kept = save(task, fileOf(id)); !kept) {
            m_world.complain(m_name + ": task " + std::to_string(id) + " is not kept: " + kept.error().text());
        }
        knock();
    }
    if (run != 0) {
        (void)m_hands->talk(talk::Cancel{run}, m_stop.get_token()); // the thread says it again until the turn is over
    }
    m_world.attention(m_agent, id, Attention::None);
    toldChanged();
    return find(id);
}

Result<TaskView> Lane::answer(std::uint64_t id, std::uint64_t request, const std::optional<std::string>& option) {
    TaskRecord task;
    std::string words = "no, by you";
    {
        const std::lock_guard lock(m_mutex);
        const auto found = findIn(id);
        if (!found) {
            return fail(found.error());
        }
        task = **found;
    }
    const auto asked = std::find_if(task.asks.begin(), task.asks.end(), [&](const Waiting& each) { return each.request == request; });
    if (asked == task.asks.end()) {
        return fail(ErrorCode::Conflict, "that task does not wait for this answer any more", "See: carrel task show " + m_name + " " + std::to_string(id));
    }
    if (option) {
        const auto& options = asked->options;
        const auto chosen = std::find_if(options.begin(), options.end(), [&](const talk::Option& each) { return each.id == *option; });
        if (chosen == options.end()) {
            return fail(ErrorCode::InvalidArgument, "that is none of its answers", "");
        }
        words = std::string(talk::toString(chosen->kind)) + ", by you";
    }
    const auto noted = m_hands->note(EventKind::TaskAnswered, "permission",
                                     {{"task", id}, {"by", "owner"}, {"option", option ? json::value(*option) : json::value(nullptr)}, {"agent_says", asked->text}},
                                     Provenance::Host);
    if (!noted) {
        return fail(noted.error());
    }
    if (auto said = m_hands->talk(talk::Permit{task.run, request, option}, m_stop.get_token()); !said) {
        return fail(said.error().wrap("The answer did not reach the agent", "Answer again"));
    }
    if (auto told = story(id); told) {
        (void)(*told)->answered(request, words);
    }
    update(id, [&](TaskRecord& of) {
        of.lastEvent = *noted;
        std::erase_if(of.asks, [&](const Waiting& each) { return each.request == request; });
        settleState(of);
    });
    m_world.attention(m_agent, id, Attention::None);
    return find(id);
}

Result<TaskView> Lane::goOn(std::uint64_t id) {
    TaskRecord task;
    {
        const std::lock_guard lock(m_mutex);
        const auto found = findIn(id);
        if (!found) {
            return fail(found.error());
        }
        task = **found;
    }
    if (!task.waiting) {
        return fail(ErrorCode::Conflict, "that task does not wait for this", "See: carrel task show " + m_name + " " + std::to_string(id));
    }
    const auto noted = m_hands->note(EventKind::TaskAnswered, std::string(toString(task.waiting->what)),
                                     {{"task", id}, {"by", "owner"}, {"why", task.waiting->text}}, Provenance::Host);
    if (!noted) {
        return fail(noted.error());
    }
    if (task.waiting->what == WaitsFor::Budget) {
        CARREL_TRY(m_world.moreBudget(m_agent, id));
    }
    update(id, [&](TaskRecord& of) {
        of.lastEvent = *noted;
        of.waiting.reset();
        of.state = TaskState::Queued;
        settleState(of);
    });
    {
        const std::lock_guard lock(m_mutex);
        m_patience.erase(id);
        m_goOns.insert(id);
        knock();
    }
    m_world.attention(m_agent, id, Attention::None);
    return find(id);
}

Result<TaskView> Lane::find(std::uint64_t id) const {
    const std::lock_guard lock(m_mutex);
    const auto found = m_tasks.find(id);
    if (found == m_tasks.end() || found->second.title.empty()) { // one that is being added is not there yet
        return fail(ErrorCode::NotFound, "agent " + m_name + " has no task " + std::to_string(id), "See: carrel task list " + m_name);
    }
    return viewOf(found->second);
}

std::vector<TaskView> Lane::list() const {
    const std::lock_guard lock(m_mutex);
    std::vector<TaskView> out;
    for (auto each = m_tasks.rbegin(); each != m_tasks.rend(); ++each) {
        if (!each->second.title.empty()) {
            out.push_back(viewOf(each->second));
        }
    }
    return out;
}

Result<std::shared_ptr<Story>> Lane::story(std::uint64_t id) {
    const std::lock_guard lock(m_mutex);
    if (const auto found = findIn(id); !found) {
        return fail(found.error());
    }
    if (const auto known = m_stories.find(id); known != m_stories.end()) {
        return known->second;
    }
    auto opened = Story::open(m_folder / (std::to_string(id) + ".jsonl"));
    if (!opened) {
        return opened;
    }
    for (auto each = m_stories.begin(); m_stories.size() >= kMaxStoriesAtHand && each != m_stories.end();) {
        each = each->second.use_count() == 1 && each->first != m_now ? m_stories.erase(each) : std::next(each);
    }
    m_stories.emplace(id, *opened);
    return opened;
}

void Lane::wake() {
    const std::lock_guard lock(m_mutex);
    knock();
}

void Lane::knock() {
    ++m_knocks;
    m_wake.notify_all();
}

} // namespace carrel::tasks
