// SPDX-License-Identifier: Apache-2.0
// Who writes down what a machine tells of its programs: nothing twice and nothing left out, whatever fails; silence is told; and a machine
// that lies about what it told, or floods, harms nobody.
#include "app/agents/watcher.h"

#include <QTemporaryDir>
#include <QTest>

#include <boost/json.hpp>

#include <condition_variable>
#include <deque>

using namespace carrel;
using namespace carrel::agents;
using namespace std::chrono_literals;
using activity::EventKind;
using activity::Provenance;
namespace json = boost::json;

namespace {

constexpr std::uint64_t kBook = 77;

// A machine that tells numbered programs, and a log that may fail.
struct World {
    std::mutex mutex;
    bool runs = true, answers = true, logWorks = true;
    std::uint64_t book = kBook, told = 0, most = 0; // most: so many events there are
    std::size_t fileBytes = 0; // of the name of a file that each program writes besides, which is then an event of its own
    std::optional<json::object> lie;
    std::string why;
    std::optional<Error> refusal;
    QTemporaryDir folder;
    std::unique_ptr<activity::ActivityLog> log = activity::ActivityLog::open((folder.path() + "/log").toStdString()).value();
    std::vector<std::string> complaints;
    Watcher::Pace pace{.wait = 20ms, .silence = 100ms, .again = 5ms, .gather = 1ms};

    Result<json::object> ask(const watch::Ask& ask) {
        const std::lock_guard lock(mutex);
        if (!answers) {
            return fail(ErrorCode::Expired, "no answer came");
        }
        if (refusal) {
            return fail(*std::exchange(refusal, {}));
        }
        if (lie) {
            return *lie;
        }
        const auto from = ask.book == book ? ask.after : 0;
        Bytes events;
        std::size_t count = 0;
        const std::uint64_t each = fileBytes == 0 ? 1 : 2;
        for (auto n = from + 1; n <= most * each && count < 3; ++n, ++count) {
            const watch::Process process{static_cast<std::uint32_t>((n - 1) / each + 1), 1};
            const auto name = (n - 1) % each == 0 ? "/p" + std::to_string(process.pid) : "/" + std::string(fileBytes, 'f');
            watch::Event event{1, 1, process, watch::Started{{}, 0, name, {}, false, {}}};
            if ((n - 1) % each == 1) {
                event.what = watch::FileDone{watch::FileDeed::Written, 0, name};
            }
            const auto one = watch::toWire(event).value();
            events.insert(events.end(), one.begin(), one.end());
        }
        return watch::answerOf({book, from + 1, watch::batchOf(count, events), why});
    }
    Watcher::World world() {
        return {[this] {
                    const std::lock_guard lock(mutex);
                    return runs;
                },
                [this](const watch::Ask& what, std::stop_token) { return ask(what); },
                [this](std::span<const activity::WrittenEvent> events) -> Status {
                    const std::lock_guard lock(mutex);
                    return logWorks ? log->append(events) : Status(fail(ErrorCode::Io, "the disk is full"));
                },
                [this](std::string_view text) {
                    const std::lock_guard lock(mutex);
                    complaints.emplace_back(text);
                }};
    }
    void set(const std::function<void()>& change) {
        const std::lock_guard lock(mutex);
        change();
    }
    [[nodiscard]] std::vector<activity::Recorded> events(EventKind kind) const {
        activity::Query query;
        query.kinds = {kind};
        return log->query(query).value();
    }
    [[nodiscard]] std::size_t count(EventKind kind) const { return events(kind).size(); }
    [[nodiscard]] bool areInOrder() const {
        const auto all = events(EventKind::ProgramStarted);
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all[i].event.subject != "/p" + std::to_string(i + 1) || all[i].event.provenance != Provenance::Guest) {
                return false;
            }
        }
        return true;
    }
};

} // namespace

class TestWatcher : public QObject {
    Q_OBJECT
private slots:
    void allIsWrittenOnceAndInOrder() {
        World w;
        w.most = 50;
        {
            Watcher watcher(w.world(), w.pace, {});
            QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::ProgramStarted), std::size_t{50}, 60'000);
            w.set([&] { w.most = 60; });
            QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::ProgramStarted), std::size_t{60}, 60'000);
        }
        QVERIFY(w.areInOrder());
        QVERIFY(w.log->verify().has_value());
        const auto heard = Watcher::lastHeard(*w.log);
        QVERIFY(heard == (watch::Ask{kBook, 60, {}}));
        // Another engine goes on from there.
        w.most = 70;
        Watcher next(w.world(), w.pace, heard);
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::ProgramStarted), std::size_t{70}, 60'000);
        QVERIFY(w.areInOrder());
    }

    void aLogThatFailsLosesNothing() {
        World w;
        w.most = 10;
        w.logWorks = false;
        Watcher watcher(w.world(), w.pace, {});
        QTRY_VERIFY_WITH_TIMEOUT([&] {
            const std::lock_guard lock(w.mutex);
            return !w.complaints.empty();
        }(), 60'000);
        QTest::qWait(150); // longer than silence: the machine does tell, it is the log that fails
        w.set([&] { w.logWorks = true; });
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::ProgramStarted), std::size_t{10}, 60'000);
        QVERIFY(w.areInOrder());
        QCOMPARE(w.count(EventKind::WatchSilent), std::size_t{0});
        const std::lock_guard lock(w.mutex);
        QCOMPARE(w.complaints.size(), std::size_t{1});
        QVERIFY(w.complaints[0].find("Make room") == std::string::npos || w.complaints[0].find("the disk is full") != std::string::npos);
    }

    void silenceIsToldOnceAndItsEnd() {
        World w;
        w.answers = false;
        Watcher watcher(w.world(), w.pace, {});
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::WatchSilent), std::size_t{1}, 60'000);
        const auto told = w.events(EventKind::WatchSilent).front().event;
        QVERIFY(told.provenance == Provenance::Host);
        QVERIFY(told.detail.at("silent").as_bool());
        QTest::qWait(250);
        QCOMPARE(w.count(EventKind::WatchSilent), std::size_t{1});
        w.set([&] { w.answers = true; });
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::WatchSilent), std::size_t{2}, 60'000);
        QVERIFY(!w.events(EventKind::WatchSilent).back().event.detail.at("silent").as_bool());
    }

    void aMachineThatDoesNotRunIsNotSilent() {
        World w;
        w.answers = false;
        w.runs = false;
        Watcher watcher(w.world(), w.pace, {});
        QTest::qWait(300);
        QCOMPARE(w.count(EventKind::WatchSilent), std::size_t{0});
    }

    void aMachineThatSeesNothingSaysSo() {
        World w;
        w.why = "the kernel has no BTF";
        Watcher watcher(w.world(), w.pace, {});
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::WatchSilent), std::size_t{1}, 60'000);
        const auto told = w.events(EventKind::WatchSilent).front().event;
        QVERIFY(told.provenance == Provenance::Guest);
        QCOMPARE(std::string(told.detail.at("why").as_string()), std::string("the kernel has no BTF"));
    }

    // The wrong sequence, broken bytes, another form, no base64: none of it is written down, and it counts as silence.
    void lies_data() {
        QTest::addColumn<QByteArray>("answer");
        QTest::newRow("nothing") << QByteArray("{}");
        QTest::newRow("told before") << QByteArray(R"({"book":77,"first":3,"events":"AQAA"})");
        QTest::newRow("left out") << QByteArray(R"({"book":77,"first":9,"events":"AQAA"})");
        QTest::newRow("book 0") << QByteArray(R"({"book":0,"first":1,"events":"AQAA"})");
        QTest::newRow("another book, in its middle") << QByteArray(R"({"book":78,"first":5,"events":"AQAA"})");
        QTest::newRow("fewer bytes") << QByteArray(R"({"book":77,"first":5,"events":"AQEA"})");
        QTest::newRow("no base64") << QByteArray(R"({"book":77,"first":5,"events":"A!AA"})");
        QTest::newRow("more") << QByteArray(R"({"book":77,"first":5,"events":"AQAA","provenance":"host"})");
    }
    void lies() {
        QFETCH(QByteArray, answer);
        World w;
        w.most = 4;
        Watcher watcher(w.world(), w.pace, {});
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::ProgramStarted), std::size_t{4}, 60'000);
        w.set([&] { w.lie = json::parse(answer.toStdString()).as_object(); });
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::WatchSilent), std::size_t{1}, 60'000);
        w.set([&] {
            w.lie.reset();
            w.most = 6;
        });
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::ProgramStarted), std::size_t{6}, 60'000);
        QVERIFY(w.areInOrder());
    }

    void guestdBeginsAnew() {
        World w;
        w.most = 4;
        Watcher watcher(w.world(), w.pace, {});
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::ProgramStarted), std::size_t{4}, 60'000);
        w.set([&] { w.book = kBook + 1; });
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::ProgramStarted), std::size_t{8}, 60'000);
        w.set([&] { w.refusal = Error{ErrorCode::InvalidArgument, "the host asks for events that are not there", {}, 0, nullptr}; });
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::ProgramStarted), std::size_t{12}, 60'000); // from what it still has
    }

    void aFloodIsBoundedAndCounted() {
        World w;
        w.most = 100'000'000;
        w.pace.most = 100'000;
        w.pace.mostPrograms = 10'000;
        w.pace.perSecond = 0;
        Watcher watcher(w.world(), w.pace, {});
        QTRY_VERIFY_WITH_TIMEOUT(w.count(EventKind::WatchLost) >= 1, 60'000);
        const auto lost = w.events(EventKind::WatchLost).front().event;
        QVERIFY(lost.provenance == Provenance::Host);
        QVERIFY(lost.detail.at("refused").to_number<std::uint64_t>() > 0);
        QVERIFY(lost.detail.at("programs").to_number<std::uint64_t>() > 0);
        QVERIFY(w.count(EventKind::ProgramStarted) < 700);
    }

    void aFloodOfFilesHidesNoProgram() {
        World w;
        w.most = 300;
        w.fileBytes = 3000;
        w.pace.most = 100'000;
        w.pace.perSecond = 0;
        Watcher watcher(w.world(), w.pace, {});
        QTRY_COMPARE_WITH_TIMEOUT(w.count(EventKind::ProgramStarted), std::size_t{300}, 60'000);
        QVERIFY(w.areInOrder());
        QVERIFY(w.count(EventKind::FileWritten) < 50);
        QTRY_VERIFY_WITH_TIMEOUT(w.count(EventKind::WatchLost) >= 1, 60'000);
        QVERIFY(w.events(EventKind::WatchLost).front().event.detail.at("programs") == json::value(0));
        const auto last = w.events(EventKind::ProgramStarted).back().event.detail;
        QVERIFY(!last.contains("argv") && last.at("cut") == json::value(true));
        QTRY_VERIFY_WITH_TIMEOUT(Watcher::lastHeard(*w.log).after >= 600, 60'000);
    }
};

QTEST_GUILESS_MAIN(TestWatcher)
#include "test_watcher.moc"
