// SPDX-License-Identifier: Apache-2.0
// What agents and tasks have used, over engines that come and go; what cannot be read or written lets nobody ask.
#include "app/providers/usage_book.h"

#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::providers;
using namespace std::chrono_literals;
using relay::ModelUse;

namespace {

ModelUse used(std::uint64_t input, std::uint64_t output = 0, const std::string& model = "claude-haiku-4-5") {
    return {.model = model, .input = input, .output = output, .status = 200};
}

struct World {
    QTemporaryDir dir;
    std::chrono::steady_clock::time_point now{1h};
    std::optional<std::chrono::nanoseconds> cpu;
    std::optional<UsageBook> book;
    std::vector<std::string> told;
    World() { start(); }
    void start() { // another engine
        book.emplace(UsageBook::Setup{.file = [this](const std::string& agent) { return file(agent); },
                                      .cpuTime = [this](const std::string&) { return cpu; },
                                      .now = [this] { return now; },
                                      .wallMs = [] { return std::int64_t{1'790'000'000'000}; }});
        book->onCounted([this](const std::string& agent) {
            (void)book->over(agent); // a listener may ask
            told.push_back(agent);
        });
    }
    [[nodiscard]] std::filesystem::path file(const std::string& agent) const { return dir.path().toStdString() + "/" + agent + ".json"; }
    [[nodiscard]] Used of(const std::string& agent, const std::string& task = {}) {
        return task.empty() ? book->used(agent).value() : book->used(agent, task).value();
    }
};

} // namespace

class TestUsageBook : public QObject {
    Q_OBJECT
private slots:
    void ofAgentsAndTasks() {
        World w;
        QVERIFY(w.book->count("ann", used(100), Paid::ByTable)); // no task is under way
        w.book->begin("ann", "t1");
        QVERIFY(w.book->count("ann", used(10, 1), Paid::ByTable));
        w.book->end("ann", "t2"); // none that is under way
        QVERIFY(w.book->count("ann", used(10, 1), Paid::Nothing));
        w.book->end("ann", "t1");
        w.book->begin("ann", "t2");
        QVERIFY(w.book->count("ann", {.status = 429}, Paid::ByTable));
        QVERIFY(w.book->count("bob", used(7), Paid::ByTable));
        QCOMPARE(w.of("ann").tokens(), std::uint64_t{122});
        QCOMPARE(w.of("ann").requests, std::uint64_t{4});
        QCOMPARE(w.of("ann", "t1").input, std::uint64_t{20});
        QCOMPARE(w.of("ann", "t1").cost, MicroDollars{15}); // 10 and 5; the other was free
        QCOMPARE(w.of("ann", "t2"), (Used{.requests = 1}));
        QCOMPARE(w.of("ann", "t3"), Used{});
        QCOMPARE(w.of("bob").tokens(), std::uint64_t{7});
        QCOMPARE(w.told.size(), std::size_t{6});
        QVERIFY(!w.book->over("ann"));
    }

    void anotherEngineGoesOn() {
        World w;
        QVERIFY(w.book->setBudget("ann", {.tokens = 1000}));
        w.book->begin("ann", "t1");
        QVERIFY(w.book->setBudget("ann", "t1", {.money = 5 * kDollar}));
        QVERIFY(w.book->count("ann", used(999), Paid::ByTable));
        const auto before = std::pair(w.of("ann"), w.of("ann", "t1"));
        w.start();
        QCOMPARE(w.of("ann"), before.first);
        QCOMPARE(w.of("ann", "t1"), before.second);
        QVERIFY(w.book->budgetOf("ann").value() == Budget{.tokens = 1000});
        QVERIFY(w.book->budgetOf("ann", "t1").value() == Budget{.money = 5 * kDollar});
        QCOMPARE(w.book->since("ann").value(), std::int64_t{1'790'000'000'000});
        QVERIFY(!w.book->whyNotAsk("ann"));
        QVERIFY(w.book->count("ann", used(1), Paid::ByTable));
        QCOMPARE(w.book->whyNotAsk("ann"), std::optional<std::string>("Of this agent the budget of 1,000 tokens is used up: 1,000 were used. It goes on when the "
                                                                      "owner allows more (carrel budget)"));
        QVERIFY(w.book->setBudget("ann", {.tokens = 2000})); // and counts anew
        QVERIFY(!w.book->over("ann") && w.of("ann") == Used{});
        QCOMPARE(w.of("ann", "t1").tokens(), std::uint64_t{999}); // that engine did not know that it goes on
    }

    // At any moment: what count() answered well to is there.
    void whatWasCountedOutlivesKill9() {
        QTemporaryDir dir;
        const auto file = dir.path().toStdString() + "/ann.json";
        std::uint64_t counted = 0;
        for (int round = 0; round < 5; ++round) {
            int pipe[2];
            QVERIFY(::pipe(pipe) == 0);
            const auto child = ::fork();
            if (child == 0) {
                UsageBook book({.file = [&](const std::string&) { return std::filesystem::path(file); }});
                for (;;) {
                    const char good = book.count("ann", used(1), Paid::ByTable) ? '1' : '0';
                    (void)!::write(pipe[1], &good, 1);
                }
            }
            ::close(pipe[1]);
            char good = 0;
            for (int i = 0; i < 20 && ::read(pipe[0], &good, 1) == 1; ++i) {
                QCOMPARE(good, '1');
                ++counted;
            }
            (void)::kill(child, SIGKILL);
            (void)::waitpid(child, nullptr, 0);
            while (::read(pipe[0], &good, 1) == 1) {
                ++counted;
            }
            ::close(pipe[0]);
            UsageBook book({.file = [&](const std::string&) { return std::filesystem::path(file); }});
            const auto kept = book.used("ann").value().input;
            QVERIFY2(kept == counted || kept == counted + 1, std::to_string(kept).c_str()); // written, and not told
            counted = kept;
        }
    }

    void ofTheTaskUnderWay() {
        World w;
        QVERIFY(w.book->setBudget("ann", "t1", {.tokens = 10}));
        w.book->begin("ann", "t1");
        QVERIFY(w.book->count("ann", used(10), Paid::ByTable));
        QVERIFY(w.book->over("ann")->text.starts_with("Of this task the budget of 10 tokens"));
        w.book->end("ann", "t1");
        QVERIFY(w.book->over("ann") && w.book->over("ann", "t1")); // what it has left running asks on
        QVERIFY(!w.book->over("ann", "t2"));                       // another may go on
        w.book->begin("ann", "t2");
        QVERIFY(!w.book->over("ann") && w.book->over("ann", "t1"));
        w.book->begin("ann", "t1");
        QVERIFY(w.book->over("ann").has_value());
        QVERIFY(w.book->setBudget("ann", "t1", {.tokens = 20})); // what it has used stays
        QVERIFY(!w.book->over("ann"));
        QCOMPARE(w.of("ann", "t1").tokens(), std::uint64_t{10});
    }

    // A program that a turn leaves behind is that task's until another begins.
    void whatIsLeftRunningIsTheLastTasks() {
        World w;
        QVERIFY(w.book->setBudget("ann", "t1", {.tokens = 10}));
        w.book->begin("ann", "t1");
        QVERIFY(w.book->count("ann", used(4), Paid::ByTable));
        w.book->end("ann", "t1");
        QVERIFY(!w.book->whyNotAsk("ann"));
        QVERIFY(w.book->count("ann", used(6), Paid::ByTable));
        QCOMPARE(w.of("ann", "t1").tokens(), std::uint64_t{10});
        QVERIFY(w.book->whyNotAsk("ann")->starts_with("Of this task"));
        w.book->begin("ann", "t2");
        QVERIFY(!w.book->whyNotAsk("ann"));
        QVERIFY(w.book->count("ann", used(6), Paid::ByTable));
        QCOMPARE(w.of("ann", "t1").tokens(), std::uint64_t{10});
    }

    // Nor while a turn that was broken off without its end waits for the owner, and is begun again.
    void noTimePassesWhileNobodyWorks() {
        World w;
        w.cpu = 0s;
        w.book->begin("ann", "t1");
        w.now += 2s;
        w.cpu = 1s;
        w.book->end("ann", "t1");
        w.now += 1h;
        w.cpu = 50s;
        w.book->tick("ann");
        w.book->begin("ann", "t1");
        w.now += 3s;
        w.cpu = 52s;
        w.book->tick("ann");
        QCOMPARE(w.of("ann", "t1").time, 5s);
        w.now += 1h;
        w.cpu = 90s;
        w.book->begin("ann", "t1");
        w.now += 1s;
        w.book->tick("ann");
        QCOMPARE(w.of("ann", "t1").time, 6s);
        QCOMPARE(w.of("ann", "t1").cpu, 3s);
    }

    void timeCountsWhileATaskIsUnderWay() {
        World w;
        w.now += 1h;
        w.cpu = 100s;
        w.book->tick("ann");
        w.book->begin("ann", "t1");
        w.now += 1500ms;
        w.cpu = 102s;
        w.book->tick("ann");
        QCOMPARE(w.of("ann").time, 1s);
        w.now += 500ms;
        w.cpu = 3s; // of another machine
        w.book->tick("ann");
        QCOMPARE(w.of("ann", "t1").time, 2s);
        QCOMPARE(w.of("ann", "t1").cpu, 5s);
        w.cpu.reset(); // it has none now
        w.now += 1s;
        w.book->end("ann", "t1");
        w.now += 1h;
        w.book->tick("ann");
        QCOMPARE(w.of("ann").time, 3s);
        QCOMPARE(w.of("ann").cpu, 5s);
        w.start();
        QCOMPARE(w.of("ann").time, 3s);
        QVERIFY(w.book->setBudget("ann", {.time = 2s}));
        w.book->begin("ann", "t2");
        w.now += kKeepTime;
        w.book->tick("ann");
        QVERIFY(w.book->over("ann")->bound == Bound::Time);
        w.start(); // killed: it was written by then
        QCOMPARE(w.of("ann", "t2").time, kKeepTime);
    }

    void whatCannotBeReadLetsNobodyAsk() {
        for (const auto* text : {"", "{", "{}", R"({"schema":2,"since_ms":0,"budget":{},"used":{},"tasks":[]})", "[1]"}) {
            World w;
            std::ofstream(w.file("ann")) << text;
            QVERIFY(w.book->whyNotAsk("ann")->find("cannot be read") != std::string::npos);
            QVERIFY(!w.book->used("ann") && !w.book->budgetOf("ann") && !w.book->since("ann"));
            w.book->begin("ann", "t1");
            QVERIFY(!w.book->count("ann", used(1), Paid::ByTable));
            QVERIFY(w.book->whyNotAsk("ann"));
            const auto no = w.book->setBudget("ann", "t1", {.tokens = 5});
            QVERIFY(!no && no.error().text().find("would not be held to it") != std::string::npos && !no.error().hint.empty());
            QVERIFY(!w.book->setBudget("ann", "t1", {}));
            QVERIFY(w.book->setBudget("ann", {})); // the owner's word
            QVERIFY(!w.book->whyNotAsk("ann"));
            QVERIFY(w.book->count("ann", used(1), Paid::ByTable));
            w.start();
            QCOMPARE(w.of("ann").input, std::uint64_t{1});
        }
    }

    void whatCannotBeWrittenLetsNobodyAskWhoHasABudget() {
        World w;
        QVERIFY(w.book->setBudget("ann", {.tokens = 1000}));
        QVERIFY(w.book->count("bob", used(1), Paid::ByTable));
        QVERIFY(::chmod(w.dir.path().toUtf8().constData(), 0500) == 0);
        if (::geteuid() == 0) {
            QSKIP("root writes anywhere");
        }
        QVERIFY(!w.book->count("ann", used(1), Paid::ByTable) && !w.book->count("bob", used(1), Paid::ByTable));
        QVERIFY(w.book->whyNotAsk("ann")->find("cannot be written down") != std::string::npos);
        QVERIFY(!w.book->whyNotAsk("bob")); // nobody limits it
        QVERIFY(!w.book->setBudget("ann", {.tokens = 5}));
        QVERIFY(w.book->budgetOf("ann").value() == Budget{.tokens = 1000});
        QVERIFY(::chmod(w.dir.path().toUtf8().constData(), 0700) == 0);
        QVERIFY(!w.book->whyNotAsk("ann"));
        w.start();
        QCOMPARE(w.of("ann").input, std::uint64_t{1}); // nothing was lost
    }

    void theOldestTasksGo() {
        World w;
        QVERIFY(w.book->setBudget("ann", "scheduled", {.tokens = 7}));
        QVERIFY(w.book->setBudget("ann", "waits", {.tokens = 8}));
        w.book->begin("ann", "waits"); // with a budget: it goes after those without
        for (std::size_t i = 0; i < kMaxTasksKept + 5; ++i) {
            w.book->begin("ann", "t" + std::to_string(i));
            QVERIFY(w.book->count("ann", used(3), Paid::ByTable));
        }
        for (int engines = 0; engines < 2; ++engines) {
            QCOMPARE(w.of("ann", "t0"), Used{});
            QCOMPARE(w.of("ann", "t132").input, std::uint64_t{3});
            QVERIFY(w.book->budgetOf("ann", "scheduled").value() == Budget{.tokens = 7});
            QVERIFY(w.book->budgetOf("ann", "waits").value() == Budget{.tokens = 8});
            w.start();
        }
    }

    // Never the budget of one that has not begun: there are as many as there is room for, and one works beside them.
    void waitingBudgetsStay() {
        World w;
        w.book->begin("ann", "under way");
        for (std::size_t i = 0; i < kMaxTasksKept - 1; ++i) {
            QVERIFY(w.book->setBudget("ann", "t" + std::to_string(i), {.tokens = 1 + i}));
        }
        const auto more = w.book->setBudget("ann", "more", {.tokens = 5});
        QVERIFY(!more && more.error().code == ErrorCode::LimitExceeded && !more.error().hint.empty());
        QVERIFY(w.book->setBudget("ann", "more", {})); // it has none
        QVERIFY(w.book->setBudget("ann", "t3", {.tokens = 9})); // another for one that has one
        QVERIFY(w.book->count("ann", used(3), Paid::ByTable));
        QCOMPARE(w.of("ann", "under way").input, std::uint64_t{3});
        w.book->begin("ann", "another");
        for (int engines = 0; engines < 2; ++engines) {
            QVERIFY(w.book->budgetOf("ann", "t0").value() == Budget{.tokens = 1});
            QVERIFY(w.book->budgetOf("ann", "t126").value() == Budget{.tokens = 127});
            w.start();
        }
        QVERIFY(w.book->setBudget("ann", "t0", {})); // cancelled
        QVERIFY(w.book->setBudget("ann", "more", {.tokens = 5}));
        w.book->begin("ann", "t1");
        QVERIFY(w.book->setBudget("ann", "even more", {.tokens = 5}));
        QVERIFY(w.book->budgetOf("ann", "t1").value() == Budget{.tokens = 2});
    }

    void badBudgetsAreNone() {
        World w;
        QVERIFY(!w.book->setBudget("ann", {.tokens = 0}) && !w.book->setBudget("ann", "t", {.money = 0}));
        QVERIFY(w.book->budgetOf("ann").value().isNone());
    }
};

QTEST_GUILESS_MAIN(TestUsageBook)
#include "test_usage_book.moc"
