// SPDX-License-Identifier: Apache-2.0
// Which notifications there are, without a bus: what they say, how many, and how often.
#include "app/desktop/alarm_notices.h"
#include "app/desktop/approval_notices.h"
#include "app/desktop/notice_board.h"
#include "app/desktop/task_notices.h"

#include <QTest>
#include <QXmlStreamReader>

#include <set>

using namespace carrel;
using namespace carrel::desktop;
using policy::Action;
using policy::Risk;

namespace {

Waiting of(std::uint64_t id, Risk risk = Risk::Routine) {
    return {id, 1, "desk", Action::Apply, risk, 3};
}

// A server that takes everything at once.
struct Screen {
    NoticeBoard board;
    std::map<std::uint32_t, std::uint64_t> shown; // by the server's number: the key
    std::uint32_t last = 0;
    int appeared = 0, replaced = 0;
    std::int64_t now = 1'000'000;
    explicit Screen(NoticeBoard::Limits limits = {})
        : board(limits) {}
    void settle() {
        for (int i = 0; i < 1000; ++i) {
            const auto step = board.next(now);
            if (!step) {
                return;
            }
            if (step->kind == NoticeBoard::Step::Kind::Close) {
                shown.erase(step->server);
                continue;
            }
            const auto number = step->server == 0 ? ++last : step->server;
            ++(step->server == 0 ? appeared : replaced);
            shown[number] = step->key;
            board.shown(*step, number, now);
        }
        QFAIL("it never comes to rest");
    }
    void after(std::int64_t ms) {
        now += ms;
        settle();
    }
    [[nodiscard]] std::set<std::uint64_t> keys() const {
        std::set<std::uint64_t> out;
        for (const auto& [number, key] : shown) {
            out.insert(key);
        }
        return out;
    }
    [[nodiscard]] std::uint32_t numberOf(std::uint64_t key) const {
        for (const auto& [number, each] : shown) {
            if (each == key) {
                return number;
            }
        }
        return 0;
    }
};

struct Told final : Notifier {
    std::vector<std::string> words;
    void show(const Waiting& waiting) override {
        words.push_back("show " + std::to_string(waiting.id) + " " + waiting.agentName + " " + std::to_string(waiting.items));
    }
    void withdraw(std::uint64_t id) override { words.push_back("withdraw " + std::to_string(id)); }
};

} // namespace

class TestNoticeBoard : public QObject {
    Q_OBJECT
private slots:
    void words() {
        auto words = wordsFor(of(12));
        QCOMPARE(words.summary, std::string("An agent waits for your answer"));
        QCOMPARE(words.body, std::string("The agent desk asks to have 3 changes applied.\nLook at it with: carrel show 12"));
        QVERIFY(words.urgency == Urgency::Normal);
        words = wordsFor({7, 1, "desk", Action::Network, Risk::High, 1});
        QVERIFY(words.summary.starts_with("High risk") && words.body.find("high risk") != std::string::npos);
        QVERIFY(words.urgency == Urgency::Critical);
        std::set<std::string> all;
        for (const auto action : {Action::Apply, Action::Folder, Action::Network, Action::Credential, Action::Forward, Action::Program}) {
            all.insert(wordsFor({1, 1, "desk", action, Risk::Routine, 1}).body);
        }
        QCOMPARE(all.size(), std::size_t{6});
        QVERIFY(wordsForMore(1, 0).summary.starts_with("1 more request waits"));
        QVERIFY(wordsForMore(4, 2).urgency == Urgency::Critical);
    }

    void anAlarmSaysWhatItIs() {
        const Waiting paused{kFirstAlarm, 1, "desk", Action::Apply, Risk::High, 1, Waiting::What::CanaryLeft};
        auto words = wordsFor(paused);
        QCOMPARE(words.summary, std::string("High risk: an agent was paused"));
        QCOMPARE(words.body, std::string("The agent desk was about to send one of your canaries. Nobody has got all of it, and the agent stands still.\n"
                                         "See where it was to go with: carrel timeline desk"));
        QVERIFY(words.urgency == Urgency::Critical);
        auto runs = paused;
        runs.what = Waiting::What::CanaryStillRuns;
        words = wordsFor(runs);
        QVERIFY(words.summary.find("could not be paused") != std::string::npos && words.body.find("carrel stop") != std::string::npos);
    }

    // An agent can fill the screen with requests, and not keep an alarm from it.
    void anAlarmComesBeforeAllAndWithinNoLimit() {
        Screen s;
        for (std::uint64_t id = 1; id <= 20; ++id) {
            s.board.open(of(id, Risk::High));
            s.after(1);
        }
        for (std::uint64_t id = 1; id <= 10; ++id) { // and use up what may appear in a minute
            s.board.close(id);
            s.after(1);
        }
        QVERIFY(s.board.due());
        const auto before = s.keys();
        for (std::uint64_t n = 0; n < 3; ++n) {
            s.board.open({kFirstAlarm + n, 1, "desk", Action::Apply, Risk::High, 1, Waiting::What::CanaryLeft});
        }
        s.after(1);
        for (std::uint64_t n = 0; n < 3; ++n) {
            QVERIFY(s.keys().contains(kFirstAlarm + n));
        }
        for (const auto key : before) {
            QVERIFY(s.keys().contains(key)); // in nobody's place
        }
        s.board.close(kFirstAlarm);
        s.after(1);
        QVERIFY(!s.keys().contains(kFirstAlarm));
    }

    void alarmsAreShownUntilTheyAreOver() {
        Told told;
        AlarmNotices alarms(told, [](std::string_view agent) { return "name of " + std::string(agent); });
        alarms.over("ann");
        alarms.raised("ann", Waiting::What::CanaryLeft);
        alarms.raised("bob", Waiting::What::CanaryStillRuns);
        alarms.raised("ann", Waiting::What::CanaryLeft); // the same one, renewed
        alarms.over("ann");
        alarms.over("ann");
        alarms.raised("ann", Waiting::What::CanaryLeft);
        const auto id = [](std::uint64_t n) { return std::to_string(kFirstAlarm + n); };
        QCOMPARE(told.words, (std::vector<std::string>{"show " + id(0) + " name of ann 1", "show " + id(1) + " name of bob 1",
                                                       "show " + id(0) + " name of ann 1", "withdraw " + id(0), "show " + id(2) + " name of ann 1"}));
    }

    void tasksAreShownUntilTheyAreOver() {
        Told told;
        TaskNotices tasks(told, [](std::string_view agent) { return "name of " + std::string(agent); });
        tasks.raised("ann", 7, Waiting::What::TaskAsks);
        tasks.raised("ann", 7, Waiting::What::TaskReview); // the same one
        tasks.raised("ann", 8, Waiting::What::TaskFailed); // the next one: what the one before came to is no news any more
        tasks.raised("bob", 3, Waiting::What::TaskDone);
        tasks.over("ann", 7);
        tasks.over("carl", 8);
        tasks.over("ann", 8);
        const auto id = [](std::uint64_t n) { return std::to_string(kFirstTask + n); };
        QCOMPARE(told.words, (std::vector<std::string>{"show " + id(0) + " name of ann 1", "show " + id(0) + " name of ann 1", "withdraw " + id(0),
                                                       "show " + id(1) + " name of ann 1", "show " + id(2) + " name of bob 1", "withdraw " + id(1)}));
        told.words.clear();
        for (std::uint64_t n = 0; n < TaskNotices::kMost; ++n) {
            tasks.raised("agent " + std::to_string(n), 1, Waiting::What::TaskDone);
        }
        QCOMPARE(told.words.back(), "withdraw " + id(2)); // the oldest makes room
    }

    // However many an agent has finished, there is room for what waits for an answer.
    void tasksThatAreDoneLeaveRoom() {
        struct Board final : Notifier {
            void show(const Waiting& waiting) override { board.open(waiting); }
            void withdraw(std::uint64_t id) override { board.close(id); }
            NoticeBoard board{NoticeBoard::Limits{}};
        } to;
        TaskNotices tasks(to, [](std::string_view agent) { return std::string(agent); });
        for (std::uint64_t n = 1; n <= 10; ++n) {
            tasks.raised("ann", n, Waiting::What::TaskReview);
        }
        tasks.raised("bob", 1, Waiting::What::TaskAsks);
        std::set<std::string> shown;
        while (const auto step = to.board.next(0)) {
            shown.insert(step->words.summary);
            if (step->kind == NoticeBoard::Step::Kind::Show) {
                to.board.shown(*step, static_cast<std::uint32_t>(shown.size()), 0);
            }
        }
        QCOMPARE(shown, (std::set<std::string>{"An agent is done", "An agent waits for your answer"}));
    }

    void whatIsSaidOfTasks() {
        std::set<std::string> bodies;
        for (const auto what : {Waiting::What::TaskAsks, Waiting::What::TaskBudget, Waiting::What::TaskMachine, Waiting::What::TaskModel, Waiting::What::TaskReview,
                                Waiting::What::TaskDone, Waiting::What::TaskFailed}) {
            Waiting waiting{kFirstTask, 1, "desk", Action::Apply, Risk::Routine, 1, what, 12};
            const auto words = wordsFor(waiting);
            QVERIFY(words.urgency == Urgency::Normal && words.body.find("desk") != std::string::npos);
            QVERIFY(words.body.find(what == Waiting::What::TaskReview ? "carrel changes desk" : "carrel task show desk 12") != std::string::npos);
            bodies.insert(words.body);
        }
        QCOMPARE(bodies.size(), std::size_t{7});
    }

    // Whatever an agent is called, the body is well-formed, has no element, and reads as DisplayText made it.
    void nastyNames_data() {
        QTest::addColumn<QByteArray>("name");
        const auto row = [](const char* title, const QByteArray& name) { QTest::newRow(title) << name; };
        row("markup", "<b>yes</b><img src=\"file:///etc/passwd\"/><a href='http://example.org'>x</a>");
        row("entity", "&amp;&lt;&#60;&unknown;");
        row("open", "<i");
        row("quotes", "\"'`");
        row("cdata", "]]><![CDATA[x");
        row("line", "desk asks nothing\nThe agent good");
        row("escape", "\x1b[31mred\x1b]0;t\x07");
        row("bidi", "\xe2\x80\xaekсed\xe2\x80\xac");
        row("invisible", "de\xe2\x80\x8bsk\xef\xbb\xbf");
        row("not utf-8", "\xff\xfe\xc0\xaf\xed\xa0\x80");
        row("nul", QByteArray("a\0<b>", 5));
        row("flood", QByteArray("a") + QByteArray("\xcc\x81").repeated(500));
        row("long", QByteArray("<&>").repeated(100'000));
    }
    void nastyNames() {
        nastyName(of(3));
        nastyName({kFirstTask, 1, "desk", Action::Apply, Risk::Routine, 1, Waiting::What::TaskAsks, 5});
        nastyName({kFirstAlarm, 1, "desk", Action::Apply, Risk::High, 1, Waiting::What::CanaryLeft});
    }
    static void nastyName(Waiting waiting) {
        QFETCH(QByteArray, name);
        const auto harmless = wordsFor(waiting);
        waiting.agentName = name.toStdString();
        const auto words = wordsFor(waiting);
        QCOMPARE(words.summary, harmless.summary); // nothing of it in there
        QVERIFY(words.body.size() < 2000);
        QCOMPARE(std::count(words.body.begin(), words.body.end(), '\n'), std::ptrdiff_t{1});
        QVERIFY(QString::fromStdString(words.body).toStdString() == words.body); // UTF-8
        QXmlStreamReader reader("<body>" + QByteArray::fromStdString(words.body) + "</body>");
        QString text;
        int elements = 0;
        while (!reader.atEnd()) {
            reader.readNext();
            elements += reader.isStartElement() ? 1 : 0;
            text += reader.isCharacters() ? reader.text().toString() : QString();
        }
        QVERIFY2(!reader.hasError(), qPrintable(reader.errorString()));
        QCOMPARE(elements, 1);
        QVERIFY(text.startsWith("The agent "));
        for (const auto c : text) {
            QVERIFY(c.isPrint() || c == '\n' || c.category() == QChar::Mark_NonSpacing);
        }
    }

    void oneEachThenOneThatCounts() {
        Screen s;
        for (std::uint64_t id = 1; id <= 9; ++id) {
            s.board.open(of(id));
        }
        s.settle();
        QVERIFY((s.keys() == std::set<std::uint64_t>{0, 1, 2, 3}));
        s.board.close(2); // and the oldest of the others comes in its place
        s.after(60'000);
        QVERIFY((s.keys() == std::set<std::uint64_t>{0, 1, 3, 4}));
        for (std::uint64_t id = 1; id <= 9; ++id) {
            s.board.close(id);
        }
        s.after(1);
        QVERIFY(s.shown.empty());
    }

    void highRiskComesFirst() {
        Screen s;
        for (std::uint64_t id = 1; id <= 5; ++id) {
            s.board.open(of(id, id == 5 ? Risk::High : Risk::Routine));
        }
        s.settle();
        QVERIFY((s.keys() == std::set<std::uint64_t>{0, 5, 1, 2}));
    }

    void whatChangesIsReplacedAndNotTooOften() {
        Screen s;
        auto waiting = of(1);
        s.board.open(waiting);
        s.settle();
        for (int i = 0; i < 50; ++i) {
            ++waiting.revision;
            ++waiting.items;
            s.board.open(waiting);
            s.after(100);
        }
        QCOMPARE(s.replaced, 0);
        QVERIFY(s.board.due() && *s.board.due() == 1'000'000 + 15'000);
        s.now = *s.board.due();
        s.settle();
        QCOMPARE(s.replaced, 1);
        QCOMPARE(s.appeared, 1);
        s.after(600'000);
        QCOMPARE(s.replaced, 1); // once is enough
        s.board.open(waiting);   // the same again
        s.after(600'000);
        QCOMPARE(s.replaced, 1);
    }

    void aFloodIsBounded() {
        Screen s;
        for (std::uint64_t id = 1; id <= 10'000; ++id) { // asked and taken back
            s.board.open(of(id));
            s.after(1);
            s.board.close(id);
        }
        QCOMPARE(s.appeared, 6);
        s.board.open(of(20'000));
        s.settle();
        QVERIFY(s.board.due());
        s.now = *s.board.due();
        s.settle();
        QVERIFY(s.keys().contains(20'000));
        NoticeBoard many({});
        for (std::uint64_t id = 1; id <= 100'000; ++id) {
            many.open(of(id));
        }
        QCOMPARE(many.next(0)->key, std::uint64_t{1});
    }

    void whatAPersonClosesStaysClosed() {
        Screen s;
        auto waiting = of(1);
        s.board.open(waiting);
        s.settle();
        const auto close = [&](std::uint64_t key) {
            const auto number = s.numberOf(key);
            s.shown.erase(number);
            s.board.closedByServer(number);
        };
        close(1);
        ++waiting.revision;
        s.board.open(waiting);
        s.after(600'000);
        s.board.renewed();
        s.after(600'000);
        QCOMPARE(s.appeared, 1);
        waiting.risk = Risk::High; // that they have not seen
        s.board.open(waiting);
        s.after(600'000);
        QCOMPARE(s.appeared, 2);
        close(1);
        s.after(600'000);
        QCOMPARE(s.appeared, 2);
        // The one that counts: until there are more.
        for (std::uint64_t id = 2; id <= 6; ++id) {
            s.board.open(of(id));
        }
        s.after(600'000);
        QVERIFY((s.keys() == std::set<std::uint64_t>{0, 2, 3, 4}));
        close(0);
        s.board.close(6);
        s.after(600'000);
        QVERIFY(!s.keys().contains(0));
        s.board.open(of(7));
        s.board.open(of(8));
        s.after(600'000);
        QVERIFY(s.keys().contains(0));
    }

    void whatFailsIsNotTriedForEver() {
        NoticeBoard board({});
        board.open(of(1));
        board.failed(*board.next(0));
        QVERIFY(!board.next(1'000'000));
        board.renewed();
        QVERIFY(board.next(1'000'000));
        board.failed(*board.next(1'000'000));
        auto waiting = of(1);
        waiting.items = 9;
        board.open(waiting);
        QVERIFY(board.next(1'000'000));
    }

    void whatIsOverMeanwhileIsClosed() {
        NoticeBoard board({});
        board.open(of(1));
        const auto step = board.next(0);
        board.close(1);
        board.shown(*step, 77, 0);
        const auto then = board.next(0);
        QVERIFY(then && then->kind == NoticeBoard::Step::Kind::Close && then->server == 77);
        QVERIFY(!board.next(0) && board.onScreen().empty());
        // And what has changed meanwhile is shown as it is.
        board.open(of(2));
        const auto old = board.next(0);
        auto waiting = of(2);
        waiting.items = 8;
        ++waiting.revision;
        board.open(waiting);
        board.shown(*old, 78, 0);
        const auto again = board.next(60'000);
        QVERIFY(again && again->server == 78 && again->words == wordsFor(waiting));
    }

    void theQueuesWordsInAnyOrder() {
        Told told;
        ApprovalNotices notices(told, [](std::string_view id) { return "name of " + std::string(id); });
        policy::Approval approval;
        approval.id = 4;
        approval.agent = "a1";
        approval.about = "SECRET about";
        approval.question.itemCount = 2;
        approval.question.claim = "SECRET claim";
        notices.changed(approval, 1);
        QCOMPARE(told.words.back(), std::string("show 4 name of a1 2"));
        auto closed = approval;
        closed.state = policy::ApprovalState::Denied;
        notices.changed(closed, 3);
        QCOMPARE(told.words.back(), std::string("withdraw 4"));
        notices.changed(approval, 2); // late
        QCOMPARE(told.words.size(), std::size_t{2});
        notices.changed(approval, 5); // opened again
        QCOMPARE(told.words.size(), std::size_t{3});
        notices.changed(closed, 6);
        for (std::uint64_t id = 100; id < 10'000; ++id) { // and it does not keep all of them
            closed.id = id;
            notices.changed(closed, id);
        }
        closed.id = 9'999;
        closed.state = policy::ApprovalState::Open;
        const auto before = told.words.size();
        notices.changed(closed, 9'998);
        QCOMPARE(told.words.size(), before);
    }
};

QTEST_GUILESS_MAIN(TestNoticeBoard)
#include "test_notice_board.moc"
