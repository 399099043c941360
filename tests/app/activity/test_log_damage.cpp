// SPDX-License-Identifier: Apache-2.0
// A disk that fills up at any moment, and a file of which a page is lost: each is said plainly, and the rest of the log is kept.
#include "app/activity/verifier.h"
#include "tests/app/activity/log_of_tests.h"

#include <QStringList>
#include <QTemporaryDir>
#include <QTest>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sys/syscall.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::activity;
using namespace carrel::activity::tests;

namespace {

std::atomic<long> g_room = -1; // bytes that still fit on the disk; less than none: there is always room

} // namespace

// In place of the C library's, as SQLite calls them.
extern "C" ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
    if (g_room >= 0) {
        if (g_room < static_cast<long>(size)) {
            g_room = 0;
            errno = ENOSPC;
            return -1;
        }
        g_room -= static_cast<long>(size);
    }
    return ::syscall(SYS_pwrite64, fd, data, size, at);
}
extern "C" ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
    return pwrite64(fd, data, size, at);
}
extern "C" int fdatasync(int) { return 0; } // the real disk need not be waited for
extern "C" int fsync(int) { return 0; }

namespace {

struct Tried {
    std::uint64_t written = 0; // events that were confirmed
    QStringList said;          // what went wrong
};

// Something of everything that writes. What fails must leave the newest event where it was.
Tried useOf(ActivityLog& log) {
    Tried tried;
    const auto attempt = [&](std::uint64_t events, const auto& what) {
        const auto before = log.head();
        const auto done = what();
        if (done) {
            tried.written += events;
        } else {
            tried.said << QString::fromStdString(done.error().text());
        }
        if (log.head().seq != before.seq + (done ? events : 0)) {
            tried.said << "something else than was confirmed is there";
        }
        return done.has_value();
    };
    for (int round = 0; round < 3; ++round) {
        attempt(1, [&] { return log.append(note(std::string(5000, 'a'))); });
        const std::string subject(4000, 'c');
        attempt(3, [&] { return log.append(std::vector<WrittenEvent>(3, {EventKind::FileRead, Provenance::Guest, subject, "{}"})); });
        attempt(2, [&] { return log.appendUnflushed({note("e"), note(std::string(3000, 'f'))}); });
        std::uint64_t recording = 0;
        if (attempt(1, [&] {
                auto made = log.beginRecording({"exec", "sh", 80, 24});
                recording = made.value_or(0);
                return made;
            })) {
            attempt(1, [&] { return log.addChunk({{recording, 1, 0, 9, 20000}, std::string(20000, 'g')}); });
            attempt(1, [&] { return log.endRecording(recording); });
        }
        attempt(0, [&] { return log.signHead("session"); });
        attempt(0, [&] { return log.search({"note", {}, 10}); });
    }
    return tried;
}

} // namespace

class TestLogDamage : public QObject {
    Q_OBJECT
private slots:
    void cleanup() { g_room = -1; }

    void aFullDiskLosesNothing() {
        int failures = 0;
        for (long room = 0; room < 700'000; room += 17'321) {
            QTemporaryDir folder;
            const auto file = folder.filePath("a.db").toStdString();
            std::uint64_t written = 1;
            {
                auto log = ActivityLog::open(file).value();
                log->signWith(keyOf(1));
                (void)log->append(note("before")).value();
                g_room = room;
                const auto tried = useOf(*log);
                g_room = -1;
                written += tried.written;
                failures += static_cast<int>(tried.said.size());
                for (const auto& said : tried.said) {
                    QVERIFY2(said.contains("the disk is full"), qPrintable(said));
                }
                QCOMPARE(log->head().seq, written);
                (void)log->append(note("there is room again")).value();
                (void)log->signHead("session").value();
                QVERIFY(!log->search({"room", {}, 10}).value().empty());
            }
            const auto verdict = verifyLog(file, {keyOf(1)->publicKey(), {}}).value();
            QVERIFY2(!verdict.wrong, verdict.wrong ? verdict.wrong->error.text().c_str() : "");
            QCOMPARE(verdict.last.seq, written + 1);
            QVERIFY(verdict.newest.has_value());
        }
        QVERIFY2(failures > 40, qPrintable(QString::number(failures)));
    }

    // Nor does a log that is being shortened: it is as short as it got, and says so.
    void aFullDiskWhileItIsShortened() {
        int failures = 0;
        for (long room = 0; room < 4'000'000; room += 800'000) {
            const LogOfTests of;
            {
                auto log = ActivityLog::open(of.file).value();
                log->signWith(of.key);
                for (int i = 0; i < 11; ++i) {
                    QVERIFY(log->appendUnflushed(std::vector<Event>(1000, note(std::string(50, 'x')))));
                }
                g_room = room;
                const auto done = log->cut(10'500);
                g_room = -1;
                failures += done ? 0 : 1;
                QVERIFY2(done || done.error().text().find("the disk is full") != std::string::npos, done ? "" : done.error().text().c_str());
                QVERIFY(log->append(note("goes on")));
            }
            const auto verdict = verifyLog(of.file, {of.key->publicKey(), of.last}).value();
            QVERIFY2(!verdict.wrong, verdict.wrong ? verdict.wrong->error.text().c_str() : "");
            QVERIFY(ActivityLog::open(of.file).value()->query({{}, {EventKind::LogCut}}).value().size() == (verdict.cut ? 1U : 0U));
        }
        QVERIFY(failures > 0);
    }

    // A page in the middle of the events is lost.
    void aLostPageLeavesTheRest() {
        const LogOfTests of;
        {
            auto log = ActivityLog::open(of.file).value();
            for (int i = 0; i < 20; ++i) {
                QVERIFY(log->appendUnflushed(std::vector<Event>(100, note(std::string(100, 'x')))));
            }
        }
        const auto size = std::filesystem::file_size(of.file);
        {
            std::fstream raw(of.file, std::ios::in | std::ios::out | std::ios::binary);
            raw.seekp(static_cast<std::streamoff>(size / 4096 / 2 * 4096));
            raw << std::string(4096, '\xff');
        }
        const auto broken = verifyLog(of.file).value().wrong.value().seq;
        auto log = ActivityLog::open(of.file).value();
        QCOMPARE(log->head().seq, 2024U);
        QCOMPARE(log->append(note("after")).value().seq, 2025U);
        Query query;
        query.limit = broken - 1;
        QCOMPARE(log->query(query).value().size(), std::size_t{broken - 1});
        query = {};
        query.afterSeq = 1900;
        QCOMPARE(log->query(query).value().size(), std::size_t{125});
        query.afterSeq = broken - 1;
        const auto lost = log->query(query);
        QVERIFY(!lost && lost.error().code == ErrorCode::Malformed);
        QVERIFY(lost.error().text().find("cannot be read after event " + std::to_string(broken - 1)) != std::string::npos);
        QVERIFY(log->chunk(1, 2));
    }
};

QTEST_APPLESS_MAIN(TestLogDamage)
#include "test_log_damage.moc"
