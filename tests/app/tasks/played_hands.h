// SPDX-License-Identifier: Apache-2.0
// An agent whose machine is played: it starts and stops by a word, runs one agent program as guestd does (guest/protocol/agent_talk.h), and
// that does what a test says.
#pragma once

#include "app/tasks/lane.h"

#include <QTemporaryDir>
#include <QTest>

#include <atomic>
#include <condition_variable>
#include <utility>

namespace carrel::testing {

class PlayedHands final : public tasks::AgentHands {
public:
    using Machine = tasks::AgentHands::Machine;
    struct Noted {
        activity::EventKind kind;
        std::string subject;
        boost::json::object detail;
        activity::Provenance provenance;
    };

    explicit PlayedHands(std::filesystem::path folder)
        : m_folder(std::move(folder)) {}

    // What the program does when it is told something; by default it says "done" and ends its turn.
    std::function<void(PlayedHands&, const talk::Prompt&)> onPrompt = [](PlayedHands& self, const talk::Prompt& prompt) {
        self.tell(talk::Text{prompt.turn, "done"});
        self.endTurn(prompt.turn);
    };
    std::function<void(PlayedHands&, const talk::Start&)> onStart = [](PlayedHands& self, const talk::Start& start) {
        self.tell(talk::Started{"played", "1", "s-1", true, start.load.has_value(), {}, {}});
    };
    std::function<void(PlayedHands&)> onCancel = [](PlayedHands& self) {
        if (self.turn() != 0) {
            self.endTurn(self.turn(), talk::TurnStop::Cancelled);
        }
    };
    std::function<Status()> starting = [] { return Status(); };
    std::atomic<bool> logFails = false;
    std::atomic<bool> refusesPrompts = false;
    std::atomic<bool> unreachable = false; // every call is answered Unavailable

    // By the program.
    void tell(talk::What what) {
        const std::lock_guard lock(m_mutex);
        m_updates.push_back({++m_number, talk::fitted(std::move(what))});
        m_news.notify_all();
    }
    void endTurn(std::uint64_t turn, talk::TurnStop stop = talk::TurnStop::EndTurn, std::string message = {}) {
        {
            const std::lock_guard lock(m_mutex);
            m_turn = 0;
        }
        tell(talk::TurnEnded{turn, stop, std::move(message), {}});
    }
    void programEnds(std::string how) {
        tell(talk::Ended{std::move(how), 1, {}, "its last words"});
        const std::lock_guard lock(m_mutex);
        m_over = true;
    }
    // Its machine.
    // Its guestd begins anew, and knows of no run.
    void forgetRun() {
        const std::lock_guard lock(m_mutex);
        m_run = m_turn = m_number = 0;
        m_updates.clear();
        m_news.notify_all();
    }
    // It is being stopped, and tells of its program once more before it is gone.
    void stopsAndTells(talk::What what) {
        {
            const std::lock_guard lock(m_mutex);
            m_machine = Machine::Coming;
            m_tellsLast = true;
        }
        tell(std::move(what));
    }
    void set(Machine machine) {
        {
            const std::lock_guard lock(m_mutex);
            if (machine == Machine::Off) {
                m_run = m_turn = m_number = 0;
                m_updates.clear();
            }
            m_machine = machine;
            m_news.notify_all();
        }
        if (changed) {
            changed();
        }
    }
    std::function<void()> changed;
    [[nodiscard]] std::uint64_t turn() const { return locked(m_turn); }
    [[nodiscard]] std::vector<talk::Prompt> prompts() const { return locked(m_prompts); }
    [[nodiscard]] std::vector<talk::Start> starts() const { return locked(m_starts); }
    [[nodiscard]] std::vector<talk::Permit> permits() const { return locked(m_permits); }
    [[nodiscard]] std::vector<Noted> noted(activity::EventKind kind) const {
        std::vector<Noted> out;
        for (const auto& each : locked(m_noted)) {
            if (each.kind == kind) {
                out.push_back(each);
            }
        }
        return out;
    }
    std::atomic<std::uint64_t> waits = 0; // for machines that were to start

    // AgentHands
    [[nodiscard]] std::string id() const override { return "0123456789abcdef"; }
    [[nodiscard]] std::string name() const override { return "desk"; }
    [[nodiscard]] std::filesystem::path folder() const override { return m_folder; }
    [[nodiscard]] Machine machine() const override {
        ++looks;
        return locked(m_machine);
    }
    mutable std::atomic<std::uint64_t> looks = 0; // the lane looks once in each of its rounds
    [[nodiscard]] std::string pausedWhy() const override { return locked(m_pausedWhy); }
    void pause(std::string why) { // as Carrel does, by itself
        {
            const std::lock_guard lock(m_mutex);
            m_pausedWhy = std::move(why);
        }
        set(Machine::Paused);
    }
    [[nodiscard]] Status startMachine(std::stop_token) override {
        ++waits;
        CARREL_TRY(starting());
        set(Machine::Ready);
        return {};
    }
    [[nodiscard]] Result<bool> pauseMachine(const std::string& why) override {
        if (machine() != Machine::Ready) {
            return false;
        }
        pause(why);
        return true;
    }
    [[nodiscard]] Status resumeMachine(std::stop_token) override {
        set(Machine::Ready);
        return {};
    }
    [[nodiscard]] Result<std::vector<talk::Update>> talk(const talk::Call& call, std::stop_token stop) override {
        if (machine() != Machine::Ready && !locked(m_tellsLast)) {
            return fail(ErrorCode::Refused, "the agent desk does not run");
        }
        if (unreachable) {
            return fail(ErrorCode::Unavailable, "the channel began anew");
        }
        const auto told = carrel::talk::callFrom(methodOf(call), paramsOf(call)); // as it would arrive
        if (!told) {
            return fail(told.error());
        }
        return std::visit([&](const auto& each) { return take(each, stop); }, *told);
    }
    [[nodiscard]] Result<std::map<std::string, std::string>> environment() override { return std::map<std::string, std::string>{{"OWN", "1"}}; }
    [[nodiscard]] std::string workFolder() const override { return "/workspace"; }
    [[nodiscard]] Result<std::uint64_t> note(activity::EventKind kind, std::string subject, boost::json::object detail,
                                             activity::Provenance provenance) override {
        if (logFails) {
            return fail(ErrorCode::Io, "the disk is full");
        }
        const std::lock_guard lock(m_mutex);
        m_noted.push_back({kind, std::move(subject), std::move(detail), provenance});
        return m_noted.size();
    }
    [[nodiscard]] Result<std::vector<std::string>> showFiles(std::uint64_t task, const std::vector<std::filesystem::path>& files) override {
        std::vector<std::string> out;
        for (const auto& file : files) {
            out.push_back("/workspace/attachments/" + std::to_string(task) + "/" + file.filename().string());
        }
        return out;
    }
    [[nodiscard]] std::uint64_t staged() override { return 3; }

private:
    using Answer = Result<std::vector<talk::Update>>;
    template <typename Value> Value locked(const Value& value) const {
        const std::lock_guard lock(m_mutex);
        return value;
    }
    Answer take(const talk::Start& start, const std::stop_token&) {
        {
            const std::lock_guard lock(m_mutex);
            if (m_run != 0 && !m_over && m_run != start.run) {
                return fail(ErrorCode::Conflict, "another run goes on");
            }
            if (m_run == start.run) {
                return std::vector<talk::Update>();
            }
            m_run = start.run;
            m_over = false;
            m_turn = m_number = 0;
            m_updates.clear();
            m_starts.push_back(start);
        }
        onStart(*this, start);
        return std::vector<talk::Update>();
    }
    Answer take(const talk::Prompt& prompt, const std::stop_token&) {
        {
            const std::lock_guard lock(m_mutex);
            if (prompt.run != m_run) {
                return fail(ErrorCode::NotFound, "no such run");
            }
            if (m_over) {
                return fail(ErrorCode::Conflict, "the agent program has ended"); // as guestd does
            }
            if (refusesPrompts) {
                return fail(ErrorCode::Malformed, "what was said makes no sense");
            }
            if (!m_prompts.empty() && m_prompts.back().run == prompt.run && m_prompts.back().turn == prompt.turn) {
                return std::vector<talk::Update>();
            }
            m_prompts.push_back(prompt);
            m_turn = prompt.turn;
        }
        onPrompt(*this, prompt);
        return std::vector<talk::Update>();
    }
    Answer take(const talk::Cancel&, const std::stop_token&) {
        onCancel(*this);
        return std::vector<talk::Update>();
    }
    Answer take(const talk::Permit& permit, const std::stop_token&) {
        const std::lock_guard lock(m_mutex);
        m_permits.push_back(permit);
        m_news.notify_all();
        return std::vector<talk::Update>();
    }
    Answer take(const talk::SetMode&, const std::stop_token&) { return std::vector<talk::Update>(); }
    Answer take(const talk::Stop& stop, const std::stop_token&) {
        bool ends = false;
        {
            const std::lock_guard lock(m_mutex);
            ends = stop.run == m_run && !m_over;
        }
        if (ends) {
            programEnds("It was ended.");
        }
        return std::vector<talk::Update>();
    }
    Answer take(const talk::Updates& wanted, const std::stop_token& stop) {
        const std::stop_callback wake(stop, [this] {
            const std::lock_guard lock(m_mutex);
            m_news.notify_all();
        });
        std::unique_lock lock(m_mutex);
        const auto some = [&] {
            std::vector<talk::Update> out;
            for (const auto& update : m_updates) {
                if (update.number > wanted.after) {
                    out.push_back(update);
                }
            }
            return out;
        };
        m_news.wait_for(lock, wanted.most, [&] { return stop.stop_requested() || (m_machine != Machine::Ready && !m_tellsLast) || wanted.run != m_run || !some().empty(); });
        if (stop.stop_requested()) {
            return fail(ErrorCode::Cancelled, "called off");
        }
        if (!std::exchange(m_tellsLast, false) && m_machine != Machine::Ready) {
            return fail(ErrorCode::Cancelled, "it does not run");
        }
        if (wanted.run != m_run) {
            return fail(ErrorCode::NotFound, "no such run");
        }
        return talk::updatesFrom(wanted.after, talk::answerWith(some()));
    }

    std::filesystem::path m_folder;
    mutable std::mutex m_mutex;
    std::condition_variable m_news;
    Machine m_machine = Machine::Off;
    std::string m_pausedWhy;
    std::uint64_t m_run = 0, m_turn = 0, m_number = 0;
    bool m_over = false;
    bool m_tellsLast = false;
    std::vector<talk::Update> m_updates;
    std::vector<talk::Prompt> m_prompts;
    std::vector<talk::Start> m_starts;
    std::vector<talk::Permit> m_permits;
    std::vector<Noted> m_noted;
};

// A lane over it, which can be put away and opened again as a new engine does.
class LaneWorld {
public:
    LaneWorld()
        : hands(std::make_shared<PlayedHands>(std::filesystem::path(m_dir.path().toStdString()) / "tasks")) {
        hands->changed = [this] {
            const std::lock_guard lock(m_mutex);
            if (lane) {
                lane->wake();
            }
        };
        open();
    }
    ~LaneWorld() { close(); }
    // The lane has gone round so often since; false: it does not.
    [[nodiscard]] bool goesRound(int times) const {
        for (int i = 0; i < times; ++i) {
            const auto before = hands->looks.load();
            lane->wake();
            if (!QTest::qWaitFor([&] { return hands->looks > before; }, 20'000)) {
                return false;
            }
        }
        return true;
    }
    void open() {
        auto opened = tasks::Lane::open(world(), hands, [this] { ++changes; }, {std::chrono::seconds(1), std::chrono::milliseconds(1), std::chrono::milliseconds(50), patience});
        const std::lock_guard lock(m_mutex);
        lane = opened ? std::move(*opened) : nullptr;
    }
    void close() {
        std::unique_ptr<tasks::Lane> old;
        {
            const std::lock_guard lock(m_mutex);
            old = std::move(lane);
        }
    }
    tasks::TaskView add(const std::string& text, const std::function<void(tasks::NewTask&)>& more = {}) {
        tasks::NewTask wanted;
        wanted.text = text;
        if (more) {
            more(wanted);
        }
        return lane->add(wanted).value();
    }
    [[nodiscard]] tasks::TaskRecord task(std::uint64_t id) const { return lane->find(id).value().record; }
    [[nodiscard]] bool is(std::uint64_t id, tasks::TaskState state) const { return task(id).state == state; }
    [[nodiscard]] bool waits(std::uint64_t id, tasks::WaitsFor what) const {
        const auto of = task(id);
        const auto* const first = tasks::waitsFor(of);
        return of.state == tasks::TaskState::Waiting && first != nullptr && first->what == what;
    }
    [[nodiscard]] std::vector<tasks::Item> items(std::uint64_t id, tasks::ItemKind kind) const {
        std::vector<tasks::Item> out;
        for (const auto& told : lane->story(id).value()->since(0, 100'000).items) {
            if (told.what.kind == kind) {
                out.push_back(told.what);
            }
        }
        return out;
    }
    [[nodiscard]] std::string over() const {
        const std::lock_guard lock(m_mutex);
        return m_over;
    }
    void setOver(std::string why) {
        {
            const std::lock_guard lock(m_mutex);
            m_over = std::move(why);
        }
        lane->wake();
    }

    QTemporaryDir m_dir;
    std::shared_ptr<PlayedHands> hands;
    std::unique_ptr<tasks::Lane> lane;
    std::atomic<std::uint64_t> changes = 0;
    std::atomic<std::int64_t> now = 1'800'000'000'000;
    std::atomic<bool> hasModel = true;
    std::chrono::milliseconds patience{30'000};
    std::vector<tasks::Attention> attention() const {
        const std::lock_guard lock(m_mutex);
        return m_attention;
    }
    std::atomic<bool> isCounting = false; // the time of a task
    std::vector<std::string> complaints() const {
        const std::lock_guard lock(m_mutex);
        return m_complaints;
    }

    tasks::World world() {
        tasks::World out;
        out.brain = [this](const std::string&, const std::string& program, const std::string& provider) -> Result<tasks::Brain> {
            if (!hasModel) {
                return fail(ErrorCode::NotFound, "no model yet", "Add one");
            }
            return tasks::Brain{program.empty() ? "carrel" : program, provider.empty() ? "house" : provider, {"/bin/agent"}, {{"MODEL", "m"}}};
        };
        out.ticks = [](const std::string&) {};
        out.useBegins = [this](const std::string&, std::uint64_t) { isCounting = true; };
        out.useEnds = [this](const std::string&, std::uint64_t) { isCounting = false; };
        out.used = [](const std::string&, std::uint64_t) { return tasks::UsedSoFar(); };
        out.overBudget = [this](const std::string&, std::uint64_t) -> std::optional<std::string> {
            const std::lock_guard lock(m_mutex);
            return m_over.empty() ? std::nullopt : std::optional(m_over);
        };
        out.moreBudget = [this](const std::string&, std::uint64_t) -> Status {
            const std::lock_guard lock(m_mutex);
            m_over.clear();
            return {};
        };
        out.setBudget = [](const std::string&, std::uint64_t, const tasks::TaskBudget&) { return Status(); };
        out.attention = [this](const std::string&, std::uint64_t, tasks::Attention why) {
            const std::lock_guard lock(m_mutex);
            m_attention.push_back(why);
        };
        out.nowMs = [this] { return now.load(); };
        out.complain = [this](std::string_view words) {
            const std::lock_guard lock(m_mutex);
            m_complaints.emplace_back(words);
        };
        return out;
    }

private:
    mutable std::mutex m_mutex;
    std::string m_over;
    std::vector<tasks::Attention> m_attention;
    std::vector<std::string> m_complaints;
};

} // namespace carrel::testing
