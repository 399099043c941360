// SPDX-License-Identifier: Apache-2.0
// Invariants I5 (durable before its effect) and I9 (provenance), and the chain as evidence.
#include "app/activity/activity_log.h"

#include <QStringList>
#include <QTemporaryDir>
#include <QTest>
#include <boost/json.hpp>
#include <sqlite3.h>

#include <csignal>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace carrel;
using namespace carrel::activity;

namespace {
int g_flushes = 0;
}
// In place of the C library's: how SQLite makes a transaction durable.
extern "C" int fdatasync(int fd) {
    ++g_flushes;
    return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
extern "C" int fsync(int fd) {
    ++g_flushes;
    return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace {
Event note(std::string subject, EventKind kind = EventKind::EngineNote) {
    Event event;
    event.kind = kind;
    event.subject = std::move(subject);
    event.detail = {{"n", 1}};
    return event;
}
bool tamper(const std::string& file, const char* sql) {
    sqlite3* handle = nullptr;
    sqlite3_open(file.c_str(), &handle);
    const bool done = sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK;
    sqlite3_close(handle);
    return done;
}
} // namespace

class TestActivityLog : public QObject {
    Q_OBJECT
private slots:
    void appendsQueriesVerifies() {
        QTemporaryDir folder;
        const auto file = folder.filePath("a.db").toStdString();
        auto log = ActivityLog::open(file);
        QVERIFY2(log, log ? "" : log.error().text().c_str());
        struct stat info {};
        QCOMPARE(::stat(file.c_str(), &info), 0);
        QCOMPARE(int(info.st_mode & 0777), 0600);
        for (int i = 1; i <= 10; ++i) {
            auto event =
                note("s" + std::to_string(i), i % 2 == 0 ? EventKind::ExecStarted : EventKind::FileRead);
            event.provenance = i == 3 ? Provenance::Guest : Provenance::Host;
            event.timeNs = i * 1'000'000'000LL;
            auto recorded = (*log)->append(std::move(event));
            QVERIFY(recorded);
            QCOMPARE(recorded->seq, std::uint64_t(i));
        }
        QCOMPARE((*log)->query({})->size(), std::size_t(10));
        QCOMPARE((*log)->query({.kinds = {EventKind::ExecStarted}})->size(), std::size_t(5));
        QCOMPARE((*log)->query({.sinceNs = 8'000'000'000LL})->size(), std::size_t(3));
        const auto page = *(*log)->query({.afterSeq = 2, .limit = 2});
        QCOMPARE(page.size(), std::size_t(2));
        QCOMPARE(page[0].event.subject, std::string("s3"));
        QVERIFY(page[0].event.provenance == Provenance::Guest);
        QCOMPARE(boost::json::serialize(toJson(page[0]).at("time")),
                 std::string("\"1970-01-01T00:00:03.000Z\""));
        const auto head = (*log)->head();
        QCOMPARE(*(*log)->verify(), head);
        log->reset();
        auto again = ActivityLog::open(file);
        QVERIFY(again);
        QCOMPARE((*again)->head(), head);
        QCOMPARE((*again)->append(note("x"))->seq, std::uint64_t(11));
        QVERIFY((*again)->verify(head));
    }

    void manyAreOneChainOrNone() {
        QTemporaryDir folder;
        const auto file = folder.filePath("a.db").toStdString();
        auto log = ActivityLog::open(file);
        QVERIFY((*log)->append(note("first")));
        QVERIFY((*log)->appendUnflushed({note("a"), note("b"), note("c")}));
        QVERIFY(!(*log)->appendUnflushed({note("d"), note(std::string(kMaxSubjectBytes + 1, 'x'))}));
        QVERIFY((*log)->append(note("last")));
        const auto all = *(*log)->query({});
        QStringList subjects;
        for (const auto& each : all) {
            subjects << QString::fromStdString(each.event.subject);
        }
        QCOMPARE(subjects, (QStringList{"first", "a", "b", "c", "last"}));
        QCOMPARE((*log)->head().seq, std::uint64_t(5));
        QVERIFY((*log)->verify((*log)->head()));
    }

    // I5: whatever became of events that need no flush, one that does is flushed.
    void appendFlushesAlsoAfterAFailedBatch() {
        QTemporaryDir folder;
        const auto file = folder.filePath("a.db").toStdString();
        auto log = ActivityLog::open(file);
        QVERIFY((*log)->append(note("first")));
        g_flushes = 0;
        QVERIFY((*log)->appendUnflushed({note("a")}));
        QCOMPARE(g_flushes, 0);
        sqlite3* other = nullptr;
        QCOMPARE(sqlite3_open(file.c_str(), &other), SQLITE_OK);
        QCOMPARE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
        QVERIFY(!(*log)->appendUnflushed({note("b")}));
        QCOMPARE(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
        sqlite3_close(other);
        g_flushes = 0;
        QVERIFY((*log)->append(note("c")));
        QVERIFY(g_flushes > 0);
    }

    void aSecondWriterIsRefused() {
        QTemporaryDir folder;
        const auto file = folder.filePath("a.db").toStdString();
        auto log = ActivityLog::open(file);
        QVERIFY(ActivityLog::open(file).error().code == ErrorCode::Refused);
    }

    void findsWhatWasDoneToIt_data() {
        QTest::addColumn<QByteArray>("sql");
        QTest::newRow("changed subject") << QByteArray("UPDATE event SET subject='other' WHERE seq=3");
        QTest::newRow("changed detail") << QByteArray("UPDATE event SET detail='{}' WHERE seq=3");
        QTest::newRow("changed provenance") << QByteArray("UPDATE event SET provenance='guest' WHERE seq=3");
        QTest::newRow("changed time") << QByteArray("UPDATE event SET time_ns=time_ns+1 WHERE seq=5");
        QTest::newRow("changed hash") << QByteArray("UPDATE event SET hash=zeroblob(32) WHERE seq=2");
        QTest::newRow("removed") << QByteArray("DELETE FROM event WHERE seq=3");
        QTest::newRow("removed first") << QByteArray("DELETE FROM event WHERE seq=1");
        QTest::newRow("removed and closed up")
            << QByteArray("DELETE FROM event WHERE seq=3; UPDATE event SET seq=seq-1 WHERE seq>3");
        QTest::newRow("re-ordered") << QByteArray("UPDATE event SET seq=100 WHERE seq=2; UPDATE event SET "
                                                  "seq=2 WHERE seq=3; UPDATE event SET seq=3 WHERE seq=100");
        QTest::newRow("cut off") << QByteArray("DELETE FROM event WHERE seq>3");
    }
    void findsWhatWasDoneToIt() {
        QFETCH(QByteArray, sql);
        QTemporaryDir folder;
        const auto file = folder.filePath("a.db").toStdString();
        Head head;
        {
            auto log = ActivityLog::open(file);
            for (int i = 1; i <= 5; ++i) {
                QVERIFY((*log)->append(note("s" + std::to_string(i))));
            }
            head = *(*log)->verify();
        }
        QVERIFY(ActivityLog::open(file).value()->verify(head)); // untouched it is good
        QVERIFY(tamper(file, sql.constData()));
        auto log = ActivityLog::open(file);
        QVERIFY(log);
        QVERIFY((*log)->verify(head).error().code == ErrorCode::Conflict);
    }

    void whatWasConfirmedOutlivesKill9() {
        QTemporaryDir folder;
        const auto file = folder.filePath("a.db").toStdString();
        int ends[2];
        QCOMPARE(::pipe(ends), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            auto log = ActivityLog::open(file);
            for (int i = 1; i <= 20; ++i) {
                if (!log || !(*log)->append(note(std::to_string(i)))) {
                    ::_exit(1);
                }
            }
            (void)!::write(ends[1], "x", 1);
            ::pause();
            ::_exit(0);
        }
        char byte = 0;
        ::close(ends[1]);
        QCOMPARE(::read(ends[0], &byte, 1), ssize_t(1));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        ::close(ends[0]);
        auto log = ActivityLog::open(file);
        QVERIFY(log);
        QCOMPARE((*log)->verify()->seq, std::uint64_t(20));
    }

    void whatCannotBeRecordedFails() {
        QTemporaryDir folder;
        const auto file = folder.filePath("a.db").toStdString();
        const pid_t child = ::fork();
        if (child == 0) { // a file size limit stands for a full disk
            ::signal(SIGXFSZ, SIG_IGN);
            auto log = ActivityLog::open(file);
            if (!log || !(*log)->append(note("before"))) {
                ::_exit(1);
            }
            const rlimit tight{100 * 1024, 100 * 1024};
            ::setrlimit(RLIMIT_FSIZE, &tight);
            for (int i = 0; i < 100; ++i) {
                const auto before = (*log)->head();
                auto event = note(std::string(8000, 'x'));
                if (!(*log)->append(std::move(event))) {
                    ::_exit((*log)->head() == before ? 42 : 2);
                }
            }
            ::_exit(3);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        QCOMPARE(WEXITSTATUS(status), 42);
        auto log = ActivityLog::open(file);
        QVERIFY(log);
        QVERIFY((*log)->verify());
        QVERIFY((*log)->append(note("after")));
    }

    void boundsAndForeignFiles() {
        QTemporaryDir folder;
        const auto file = folder.filePath("a.db").toStdString();
        auto log = ActivityLog::open(file);
        QVERIFY((*log)->append(note(std::string(kMaxSubjectBytes + 1, 'x'))).error().code ==
                ErrorCode::LimitExceeded);
        QVERIFY((*log)->append(note("\xff")).error().code == ErrorCode::Malformed);
        QCOMPARE((*log)->head().seq, std::uint64_t(0));
        const auto other = folder.filePath("b.db").toStdString();
        std::ofstream(other) << std::string(5000, 'z');
        QVERIFY(ActivityLog::open(other).error().code == ErrorCode::Malformed);
        const auto foreign = folder.filePath("c.db").toStdString();
        QVERIFY(tamper(foreign, "CREATE TABLE t (a)"));
        QVERIFY(ActivityLog::open(foreign).error().code == ErrorCode::Malformed);
    }

    void waitersWake() {
        QTemporaryDir folder;
        auto log = ActivityLog::open(folder.filePath("a.db").toStdString());
        bool seen = false;
        {
            std::jthread waiter([&](std::stop_token stop) { seen = (*log)->waitNewer(0, stop); });
            QVERIFY((*log)->append(note("x")));
            waiter.join();
        }
        QVERIFY(seen);
        std::jthread waiter([&](std::stop_token stop) { seen = (*log)->waitNewer(1, stop); });
        waiter.request_stop();
        waiter.join();
        QVERIFY(!seen);
    }

    void kindsHaveNames() {
        for (const auto kind : kEventKinds) {
            QCOMPARE(eventKindFrom(toString(kind)), std::optional(kind));
        }
        QVERIFY(!eventKindFrom("other"));
    }
};

QTEST_GUILESS_MAIN(TestActivityLog)
#include "test_activity_log.moc"
