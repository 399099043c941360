// SPDX-License-Identifier: Apache-2.0
// A copy that somebody is given: whole also while the engine writes.
#include "app/activity/log_copy.h"
#include "app/activity/verifier.h"
#include "tests/app/activity/log_of_tests.h"

#include <QFileInfo>
#include <QStringList>
#include <QTest>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace carrel;
using namespace carrel::activity;
using namespace carrel::activity::tests;

class TestLogCopy : public QObject {
    Q_OBJECT
private slots:
    // What is only in the journal yet is in it; a mere copy of the file would lack it.
    void whatIsInTheJournalIsInIt() {
        const LogOfTests of;
        auto log = ActivityLog::open(of.file).value();
        log->signWith(of.key);
        for (int i = 0; i < 30; ++i) {
            (void)log->append(note("more")).value();
        }
        const auto head = log->signHead("asked").value();
        const auto copy = of.path("copy.db");
        QVERIFY(copyLog(of.file, copy.toStdString()));
        const auto verdict = verifyLog(copy.toStdString(), {of.key->publicKey(), head}).value();
        QVERIFY2(!verdict.wrong, verdict.wrong ? verdict.wrong->error.text().c_str() : "");
        QCOMPARE(verdict.last.seq, head.seq);
        QCOMPARE(verdict.recorded, 2U);
        QCOMPARE(int(std::filesystem::status(copy.toStdString()).permissions()), 0600);
        QVERIFY(!QFileInfo::exists(copy + "-wal"));
        const auto mere = of.path("mere.db").toStdString();
        std::filesystem::copy_file(of.file, mere);
        QVERIFY(verifyLog(mere, {of.key->publicKey(), head}).value().wrong);
    }

    void itIsOfOneMoment() {
        const LogOfTests of;
        auto log = ActivityLog::open(of.file).value();
        log->signWith(of.key);
        std::atomic<bool> enough = false;
        std::thread writer([&] {
            while (!enough) {
                (void)log->appendUnflushed(std::vector<Event>(200, note(std::string(500, 'x')))).has_value();
                (void)log->signHead("interval").has_value();
            }
        });
        QStringList wrong;
        for (int i = 0; i < 5; ++i) {
            const auto head = log->newestSignedHead().value().value();
            const auto copy = of.path(("copy" + std::to_string(i)).c_str()).toStdString();
            const auto done = copyLog(of.file, copy);
            const auto verdict = done ? verifyLog(copy, {of.key->publicKey(), head}) : fail(done.error());
            if (!verdict || verdict->wrong) {
                wrong << QString::fromStdString((verdict ? verdict->wrong->error : verdict.error()).text());
            }
        }
        enough = true;
        writer.join();
        QVERIFY2(wrong.isEmpty(), qPrintable(wrong.join("; ")));
    }

    void nothingIsOverwritten() {
        const LogOfTests of;
        const auto there = of.path("there").toStdString();
        std::ofstream(there) << "mine";
        QVERIFY(copyLog(of.file, there).error().code == ErrorCode::Conflict);
        QCOMPARE(std::filesystem::file_size(there), 4U);
        QVERIFY(copyLog(of.path("none").toStdString(), of.path("to").toStdString()).error().code == ErrorCode::NotFound);
        QVERIFY(copyLog(there, of.path("to").toStdString()).error().code == ErrorCode::Malformed);
        QVERIFY(!QFileInfo::exists(of.path("to")));
        QVERIFY(!copyLog(of.file, of.path("no/where").toStdString()));
    }
};

QTEST_APPLESS_MAIN(TestLogCopy)
#include "test_log_copy.moc"
