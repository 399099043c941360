// SPDX-License-Identifier: Apache-2.0
// The verbs of tasks over a whole engine, whose agent's machine and program a test plays.
#include "tests/app/engine/running_engine.h"

#include "guest/protocol/agent_talk.h"

#include <QTest>

#include <fstream>

using namespace carrel;
using carrel::engine::test::RunningEngine;
namespace json = boost::json;

namespace {

// An agent program as guestd tells of it, in the stand-in clerk's hands.
class Program {
public:
    explicit Program(RunningEngine& e) {
        for (const char* method : {"agent.start", "agent.prompt", "agent.cancel", "agent.permit", "agent.stop", "agent.updates"}) {
            e.clerks.on(method, [this, method](const json::object& params) { return answer(talk::callFrom(method, params).value()); });
        }
    }
    std::function<void(Program&, const talk::Prompt&)> onPrompt = [](Program& self, const talk::Prompt& prompt) {
        self.tell(talk::Text{prompt.turn, "all done"});
        self.tell(talk::TurnEnded{prompt.turn, talk::TurnStop::EndTurn, {}, {}});
    };
    void tell(talk::What what) { // on the clerk's thread
        m_updates.push_back({m_updates.size() + 1, std::move(what)});
    }
    std::atomic<unsigned> permits = 0, cancels = 0;
    [[nodiscard]] std::optional<talk::Start> started() {
        const std::lock_guard lock(m_mutex);
        return m_start;
    }

private:
    agents::test::StandInClerks::Answer answer(const talk::Call& call) {
        if (const auto* start = std::get_if<talk::Start>(&call)) {
            const std::lock_guard lock(m_mutex);
            m_start = *start;
            m_updates.clear();
            tell(talk::Started{"played", "1", "s-1", true, false, {}, {}});
        } else if (const auto* prompt = std::get_if<talk::Prompt>(&call)) {
            onPrompt(*this, *prompt);
        } else if (std::holds_alternative<talk::Permit>(call)) {
            ++permits;
            tell(talk::TurnEnded{1, talk::TurnStop::EndTurn, {}, {}});
        } else if (std::holds_alternative<talk::Cancel>(call)) {
            if (cancels++ == 0) {
                tell(talk::TurnEnded{1, talk::TurnStop::Cancelled, {}, {}});
            }
        } else if (const auto* wanted = std::get_if<talk::Updates>(&call)) {
            std::vector<talk::Update> some;
            for (const auto& update : m_updates) {
                if (update.number > wanted->after) {
                    some.push_back(update);
                }
            }
            return talk::answerWith(some);
        }
        return json::object{};
    }

    std::vector<talk::Update> m_updates;
    std::mutex m_mutex;
    std::optional<talk::Start> m_start;
};

} // namespace

class TestTaskVerbs : public QObject {
    Q_OBJECT
private slots:
    void withoutAProviderItSaysHowToAddOne() {
        RunningEngine e;
        const auto given = e.good("task.add", {{"agent", "ann"}, {"text", "sort"}});
        QCOMPARE(given.at("task").at("id"), json::value(1));
        const auto task = waitFor(e, [](const json::object& task) { return task.at("state") == "waiting"; });
        QVERIFY(task.at("waits_for").at("kind") == "provider");
        QVERIFY(std::string(task.at("waits_for").at("hint").as_string()).find("carrel provider add") != std::string::npos);
        QVERIFY(e.ask("task.answer", {{"agent", "ann"}, {"task", 1}}).error().code == ErrorCode::InvalidArgument);
        QCOMPARE(e.good("task.cancel", {{"agent", "ann"}, {"task", 1}}).at("task").at("state"), json::value("cancelled"));
    }

    void fromGivenToDone() {
        RunningEngine e;
        Program program(e);
        useModel(e);
        std::ofstream(e.w.folder / "receipt.txt") << "tea 3.10";
        (void)e.good("task.add", {{"agent", "ann"}, {"text", "Sort these\nplease"}, {"files", {(e.w.folder / "receipt.txt").string()}}});
        const auto task = waitFor(e, [](const json::object& task) { return task.at("state") == "done"; });
        QVERIFY(task.at("summary") == "all done" && task.at("title") == "Sort these" && task.at("provider") == "house" && task.at("turns") == 1);
        QVERIFY(task.at("events").at("first").as_int64() > 0 && task.at("events").at("last").as_int64() > task.at("events").at("first").as_int64());
        const auto start = program.started();
        QVERIFY(start && start->argv.front() == "/run/carrel/bin/carrel-agent");
        QCOMPARE(start->environment.at("CARREL_MODEL_URL"), std::string("http://host.carrel.internal:11434/v1"));
        const auto seen = e.good("task.watch", {{"agent", "ann"}, {"task", 1}, {"after", 0}});
        const auto& items = seen.at("items").as_array();
        QVERIFY(items.size() == 2 && items[0].at("kind") == "user" && items[1].at("text") == "all done");
        QCOMPARE(items[0].at("files").at(0), json::value("/workspace/attachments/1/receipt.txt"));
        QVERIFY(e.good("task.watch", {{"agent", "ann"}, {"task", 1}, {"after", seen.at("mark")}}).at("items").as_array().empty());
        // A copy, in a folder that its machine only reads.
        bool shared = false;
        const auto shares = e.good("share.list", {{"agent", "ann"}});
        for (const auto& share : shares.at("shares").as_array()) {
            shared = shared || (share.at("name") == "attachments" && share.at("mode") == "read-only");
        }
        QVERIFY(shared);
        QVERIFY(e.good("task.list", {{"agent", "ann"}}).at("tasks").as_array().size() == 1 && e.good("task.list").at("tasks").as_array().size() == 1);
        std::set<std::string> kinds;
        const auto timeline = e.good("timeline", {{"agent", "ann"}});
        for (const auto& event : timeline.at("events").as_array()) {
            kinds.insert(std::string(event.at("kind").as_string()));
        }
        for (const char* kind : {"task.added", "task.begun", "task.ended"}) {
            QVERIFY2(kinds.contains(kind), kind);
        }
        (void)e.good("task.say", {{"agent", "ann"}, {"task", 1}, {"text", "and the totals"}});
        QVERIFY(waitFor(e, [](const json::object& task) { return task.at("state") == "done" && task.at("turns") == 2; }).at("unsaid") == 0);
    }

    void aPermissionIsAskedAndAnswered() {
        RunningEngine e;
        Program program(e);
        useModel(e);
        program.onPrompt = [](Program& self, const talk::Prompt& prompt) {
            self.tell(talk::Permission{prompt.turn, 4, "rm -r \x1b[31m/x", "t1", {{"y", "Yes", talk::OptionKind::AllowOnce}}});
        };
        (void)e.good("task.add", {{"agent", "ann"}, {"text", "tidy"}, {"permissions", "ask"}});
        const auto task = waitFor(e, [](const json::object& task) { return task.at("state") == "waiting"; });
        QVERIFY(task.at("waits_for").at("kind") == "permission" && task.at("waits_for").at("request") == 4);
        QVERIFY(e.ask("task.answer", {{"agent", "ann"}, {"task", 1}, {"request", 5}}).error().code == ErrorCode::Conflict);
        (void)e.good("task.answer", {{"agent", "ann"}, {"task", 1}, {"request", 4}, {"option", "y"}});
        (void)waitFor(e, [](const json::object& task) { return task.at("state") == "done"; });
        QCOMPARE(program.permits.load(), 1U);
    }

    void aTaskThatGoesOnIsCancelled() {
        RunningEngine e;
        Program program(e);
        useModel(e);
        program.onPrompt = [](Program&, const talk::Prompt&) {};
        (void)e.good("task.add", {{"agent", "ann"}, {"text", "tidy"}});
        (void)waitFor(e, [](const json::object& task) { return task.at("state") == "working"; });
        (void)e.good("task.cancel", {{"agent", "ann"}, {"task", 1}});
        (void)waitFor(e, [](const json::object& task) { return task.at("state") == "cancelled"; });
        QVERIFY(program.cancels >= 1);
    }

    void scheduledOnesAreListedAndTakenOff() {
        RunningEngine e;
        const auto task = e.good("task.add", {{"agent", "ann"}, {"text", "tidy"}, {"at", "2199-01-01T10:00:00+01:00"}, {"every_s", 3600}}).at("task");
        QVERIFY(task.at("state") == "scheduled" && task.at("next") == "2199-01-01T09:00:00.000Z" && task.at("every_s") == 3600);
        QCOMPARE(e.good("task.cancel", {{"agent", "ann"}, {"task", 1}}).at("task").at("state"), json::value("cancelled"));
        for (const char* at : {"tomorrow", "2199-02-30T10:00:00Z", "2199-01-01T10:00:00"}) {
            QVERIFY2(e.ask("task.add", {{"agent", "ann"}, {"text", "tidy"}, {"at", at}}).error().code == ErrorCode::Malformed, at);
        }
    }

    void whatCannotBeAttachedIsSaid() {
        RunningEngine e;
        std::ofstream(e.w.folder / ".env") << "KEY=1";
        std::filesystem::create_directory(e.w.folder / "folder");
        for (const auto& [file, code] : {std::pair{".env", ErrorCode::Refused}, {"folder", ErrorCode::InvalidArgument}, {"absent", ErrorCode::NotFound}}) {
            const auto given = e.ask("task.add", {{"agent", "ann"}, {"text", "sort"}, {"files", {(e.w.folder / file).string()}}});
            QVERIFY2(!given && given.error().code == code, file);
        }
        QVERIFY(e.good("task.list").at("tasks").as_array().empty());
        QVERIFY(e.ask("task.add", {{"agent", "ann"}, {"text", "sort"}, {"program", "no-such"}}).error().code == ErrorCode::NotFound);
        QVERIFY(e.ask("task.watch", {{"agent", "ann"}, {"task", 9}, {"after", 0}}).error().code == ErrorCode::NotFound);
    }

private:
    static void useModel(RunningEngine& e) {
        (void)e.good("provider.add", {{"name", "house"}, {"api", "openai"}, {"url", "http://localhost:11434/v1"}, {"model", "m"}});
        (void)e.good("provider.use", {{"agent", "ann"}, {"provider", "house"}});
    }
    static json::object waitFor(RunningEngine& e, const std::function<bool(const json::object&)>& is) {
        for (;;) { // each change of it is news
            const auto mark = e.good("task.list").at("mark");
            const auto task = e.good("task.watch", {{"agent", "ann"}, {"task", 1}, {"after", 0}}).at("task").as_object();
            if (is(task)) {
                return task;
            }
            (void)e.good("task.wait", {{"mark", mark}});
        }
    }
};

QTEST_GUILESS_MAIN(TestTaskVerbs)
#include "test_task_verbs.moc"
