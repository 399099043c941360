// SPDX-License-Identifier: Apache-2.0
// Signing, searching, shortening and recordings of a log that is open.
#include "app/activity/verifier.h"
#include "tests/app/activity/log_of_tests.h"

#include <QFileInfo>
#include <QTemporaryDir>
#include <QTest>

#include <thread>

using namespace carrel;
using namespace carrel::activity;
using namespace carrel::activity::tests;

namespace {

std::vector<std::uint64_t> found(ActivityLog& log, const std::string& words, std::optional<std::uint64_t> before = {}, std::size_t limit = 100) {
    std::vector<std::uint64_t> out;
    const auto events = log.search({words, before, limit}).value();
    for (const auto& each : events) {
        out.push_back(each.seq);
    }
    return out;
}
using Seqs = std::vector<std::uint64_t>;

std::string why(const Result<Verdict>& verdict) {
    return !verdict ? verdict.error().text() : verdict->wrong ? verdict->wrong->error.text() : "";
}

} // namespace

class TestLogKeeping : public QObject {
    Q_OBJECT
private slots:
    void nothingIsSignedWithoutAKey() {
        QTemporaryDir folder;
        auto log = ActivityLog::open(folder.filePath("a.db").toStdString()).value();
        QVERIFY(log->signHead("asked").error().code == ErrorCode::NotFound);
        (void)log->append(note("a")).value();
        QVERIFY(log->signHead("asked").error().code == ErrorCode::Unavailable);
        QVERIFY(!log->newestSignedHead().value());
        log->signWith(keyOf(1));
        QVERIFY(!log->signHead("not one word"));
        const auto head = log->signHead("asked").value();
        QVERIFY(isGenuine(head) && head.seq == 1 && head.log == log->id());
        QCOMPARE(log->signHead("session").value(), head); // the same event is signed once
        QCOMPARE(log->newestSignedHead().value().value(), head);
        (void)log->append(note("b")).value();
        QCOMPARE(log->signHead("session").value().seq, 2U);
    }

    void allWordsMustBeThere() {
        const LogOfTests of;
        auto log = ActivityLog::open(of.file).value();
        auto event = note("receipts/Müller \"March\".txt");
        event.detail["why"] = "the owner's word";
        const auto seq = log->append(event).value().seq;
        QCOMPARE(found(*log, "muller march"), Seqs{seq});
        QCOMPARE(found(*log, "MARCH receipts"), Seqs{seq});
        QCOMPARE(found(*log, "rece*"), Seqs{seq});
        QCOMPARE(found(*log, "rece"), Seqs{});
        QCOMPARE(found(*log, "owner march june"), Seqs{});
        QCOMPARE(found(*log, "recording.chunk"), (Seqs{13, 12}));
        QCOMPARE(found(*log, "note", {}, 3), (Seqs{25, 24, 23})); // by their kind, engine.note
        QCOMPARE(found(*log, "note", 22, 3), (Seqs{21, 20, 19}));
        // Found without a new opening, and after one.
        const auto later = log->append(note("march again")).value().seq;
        QCOMPARE(found(*log, "march"), (Seqs{later, seq}));
        log.reset();
        log = ActivityLog::open(of.file).value();
        QCOMPARE(found(*log, "march"), (Seqs{later, seq}));
    }

    // What FTS5 has words for is a word like others.
    void nothingIsAnOperator_data() {
        QTest::addColumn<QString>("words");
        for (const char* words : {"note OR", "note AND x", "NOT note", "subject:note", "{subject}", "note NEAR x", "\"", "'", "note\"; DROP TABLE event; --", "-", "*",
                                  "a\"*", "+", "note + x"}) {
            QTest::newRow(words) << QString(words);
        }
    }
    void nothingIsAnOperator() {
        QFETCH(QString, words);
        const LogOfTests of;
        auto log = ActivityLog::open(of.file).value();
        const auto result = log->search({words.toStdString(), {}, 10});
        QVERIFY2(result, result ? "" : result.error().text().c_str());
        QVERIFY(result->empty());
        QCOMPARE(found(*log, "^note").size(), std::size_t{20}); // a sign is no part of a word
        QCOMPARE(found(*log, "(note").size(), std::size_t{20});
    }

    void noWordIsAnError() {
        const LogOfTests of;
        auto log = ActivityLog::open(of.file).value();
        for (const std::string& words : {std::string(), std::string(" \n"), std::string(5000, 'a')}) {
            QVERIFY(log->search({words, {}, 10}).error().code == ErrorCode::InvalidArgument);
        }
    }

    // The words of many events are indexed in parts, between which others write.
    void whatIsWrittenWhileItIsIndexedIsFound() {
        QTemporaryDir folder;
        auto log = ActivityLog::open(folder.filePath("a.db").toStdString()).value();
        for (int i = 0; i < 20; ++i) {
            QVERIFY(log->appendUnflushed(std::vector<Event>(1000, note("page"))));
        }
        std::jthread writer([&] { (void)log->append(note("meanwhile")).value(); });
        QCOMPARE(found(*log, "page", {}, 2).size(), std::size_t{2});
        writer.join();
        QCOMPARE(found(*log, "meanwhile").size(), std::size_t{1});
        // What was left out is not found, and what comes after is.
        log->signWith(keyOf(1));
        QVERIFY(log->cut(19'998));
        QVERIFY(found(*log, "page").size() <= 2);
        (void)log->append(note("afterwards")).value();
        QCOMPARE(found(*log, "afterwards").size(), std::size_t{1});
    }

    void aDamagedIndexIsMadeAnew() {
        const LogOfTests of;
        QCOMPARE(found(*ActivityLog::open(of.file).value(), "note").size(), std::size_t{20});
        QVERIFY(run(of.file, "UPDATE event_words_data SET block = x'00ff00ff' WHERE id > 10"));
        QCOMPARE(found(*ActivityLog::open(of.file).value(), "note").size(), std::size_t{20});
        QVERIFY(!verifyLog(of.file).value().wrong); // it is no evidence
    }

    void aShorterLogCanStillBeVerified() {
        const LogOfTests of;
        const auto copy = of.path("copy.db").toStdString();
        {
            auto log = ActivityLog::open(of.file).value();
            QVERIFY(log->cut(5).error().code == ErrorCode::Unavailable);
            log->signWith(of.key);
            QVERIFY(log->cut(24).error().code == ErrorCode::InvalidArgument);
            (void)found(*log, "note");
            QVERIFY(log->cut(5));
            QVERIFY(log->cut(5)); // gone already
            QCOMPARE(log->size().value().first, 6U);
            QCOMPARE(found(*log, "note").size(), std::size_t{15});
        }
        auto verdict = verifyLog(of.file, {of.key->publicKey(), of.last});
        QCOMPARE(why(verdict), std::string());
        QCOMPARE(verdict->cut->seq, 5U);
        QCOMPARE(verdict->first, 6U);
        QCOMPARE(verdict->last.seq, 25U); // with the event that says so
        QCOMPARE(verdict->recorded, 2U);
        {
            auto log = ActivityLog::open(of.file).value();
            log->signWith(of.key);
            QVERIFY(log->cut(12)); // in the middle of a recording: its first piece goes
            QCOMPARE(log->chunks(1).value().size(), std::size_t{1});
        }
        verdict = verifyLog(of.file, {of.key->publicKey(), of.last});
        QCOMPARE(why(verdict), std::string());
        QCOMPARE(verdict->recorded, 1U);
        {
            auto log = ActivityLog::open(of.file).value();
            log->signWith(of.key);
            QVERIFY(log->cut(20));
            QVERIFY(log->recordings().value().empty());
            QCOMPARE(log->beginRecording({"exec", "sh", 80, 24}).value(), 2U); // no number twice
            QVERIFY(log->cut(log->head().seq - 1));
            QVERIFY(log->append(note("goes on")));
        }
        verdict = verifyLog(of.file, {of.key->publicKey(), {}});
        QCOMPARE(why(verdict), std::string());
    }

    // Once more in another order: what a cut says cannot be made greater, nor taken from elsewhere.
    void aCutIsNotForged_data() {
        QTest::addColumn<QString>("sql");
        QTest::newRow("moved") << "UPDATE cut SET seq = 7; DELETE FROM event WHERE seq <= 7";
        QTest::newRow("another hash") << "UPDATE cut SET hash = zeroblob(32)";
        QTest::newRow("taken away") << "DELETE FROM cut";
        QTest::newRow("what was cut, put back") << "INSERT INTO event SELECT 5, time_ns, kind, provenance, subject, detail, hash FROM event WHERE seq = 6";
    }
    void aCutIsNotForged() {
        QFETCH(QString, sql);
        const LogOfTests of;
        {
            auto log = ActivityLog::open(of.file).value();
            log->signWith(of.key);
            QVERIFY(log->cut(5));
        }
        QVERIFY(run(of.file, sql.toStdString()));
        QVERIFY(verifyLog(of.file).value().wrong);
    }

    void itIsKnownWhatToCut() {
        QTemporaryDir folder;
        auto log = ActivityLog::open(folder.filePath("a.db").toStdString()).value();
        log->signWith(keyOf(1));
        QCOMPARE(log->lastBefore(INT64_MAX).value(), 0U);
        QCOMPARE(log->lastToFit(0).value(), 0U);
        std::vector<Event> events;
        for (int i = 1; i <= 2000; ++i) {
            auto event = note(std::string(500, 'x'));
            event.timeNs = i;
            events.push_back(event);
        }
        QVERIFY(log->appendUnflushed(std::move(events)));
        QCOMPARE(log->lastBefore(0).value(), 0U);
        QCOMPARE(log->lastBefore(1001).value(), 1000U);
        QCOMPARE(log->lastBefore(INT64_MAX).value(), 2000U);
        const auto before = log->size().value().bytes;
        QCOMPARE(log->lastToFit(before).value(), 0U);
        const auto half = log->lastToFit(before / 2).value();
        QVERIFY2(half > 900 && half < 1300, qPrintable(QString::number(half)));
        QVERIFY(log->cut(half));
        QVERIFY(log->size().value().bytes <= before / 2);
        QCOMPARE(log->lastToFit(before / 2).value(), 0U);
    }

    // Many events go in parts; the file gets smaller, and each part's end could be the last.
    void muchIsCutInParts() {
        QTemporaryDir folder;
        const auto file = folder.filePath("a.db").toStdString();
        auto log = ActivityLog::open(file).value();
        log->signWith(keyOf(1));
        for (int i = 0; i < 12; ++i) {
            QVERIFY(log->appendUnflushed(std::vector<Event>(1000, note(std::string(300, 'x')))));
        }
        (void)found(*log, "x");
        (void)log->signHead("session").value();
        log.reset();
        const auto before = QFileInfo(QString::fromStdString(file)).size();
        log = ActivityLog::open(file).value();
        log->signWith(keyOf(1));
        QVERIFY(log->cut(11'500));
        const auto size = log->size().value();
        QCOMPARE(size.first, 11'501U);
        QCOMPARE(log->query({{}, {EventKind::LogCut}}).value().size(), std::size_t{1});
        QCOMPARE(log->query({{}, {EventKind::LogCut}}).value()[0].event.detail.at("up_to").to_number<int>(), 11'500);
        QCOMPARE(found(*log, "note", {}, 1000).size(), std::size_t{500});
        log.reset();
        QVERIFY(QFileInfo(QString::fromStdString(file)).size() < before / 5);
        const auto verdict = verifyLog(file, {keyOf(1)->publicKey(), {}});
        QCOMPARE(why(verdict), std::string());
        QCOMPARE(verdict->first, 11'501U);
        auto database = Database::open(file).value();
        auto cuts = database.prepare("SELECT count(*) FROM cut").value();
        QVERIFY(cuts.step().value() && cuts.number(0) == 1);
    }

    void piecesComeInOrder() {
        QTemporaryDir folder;
        auto log = ActivityLog::open(folder.filePath("a.db").toStdString()).value();
        const auto one = log->beginRecording({"exec", "sh", 80, 24}).value();
        const auto two = log->beginRecording({"terminal", "bash", 120, 40}).value();
        QCOMPARE(one, 1U);
        QCOMPARE(two, 2U);
        const auto add = [&](std::uint64_t of, std::uint64_t number, std::uint64_t first, std::uint64_t last) {
            return log->addChunk({{of, number, first, last, 3}, "abc"}).has_value();
        };
        QVERIFY(!add(one, 2, 0, 1)); // not the next one
        QVERIFY(!add(3, 1, 0, 1));   // of none
        QVERIFY(add(one, 1, 0, 10) && add(two, 1, 0, 5) && add(one, 2, 20, 30) && add(one, 3, 30, 30));
        QVERIFY(!add(one, 3, 31, 32) && !add(one, 4, 9, 8));
        QCOMPARE(log->chunkAt(one, 0).value().place.number, 1U);
        QCOMPARE(log->chunkAt(one, 19).value().place.number, 1U);
        QCOMPARE(log->chunkAt(one, 20).value().place.number, 2U);
        QCOMPARE(log->chunkAt(one, 1'000'000).value().place.number, 3U);
        QVERIFY(log->chunkAt(3, 0).error().code == ErrorCode::NotFound);
        QVERIFY(log->endRecording(one) && log->endRecording(one));
        QVERIFY(!add(one, 4, 40, 50)); // it is over
        const auto all = log->recordings().value();
        QCOMPARE(all.size(), std::size_t{2});
        QCOMPARE(all[0].chunks, 3U);
        QCOMPARE(all[0].bytes, 9U);
        QCOMPARE(all[0].lastUs, 30U);
        QVERIFY(all[0].endedNs >= all[0].startedNs && all[1].endedNs == 0);
        QCOMPARE(log->query({{}, {EventKind::RecordingEnded}}).value().size(), std::size_t{1});
        QVERIFY(!log->addChunk({{two, 2, 6, 7, 1}, std::string(kMaxChunkBytes + 1, 'x')}));
        QVERIFY(!log->beginRecording({"exec", "\xff", 1, 1}) && !log->beginRecording({"", "a", 1, 1}));
    }

    void aChangedPieceIsNotPlayed() {
        const LogOfTests of;
        QVERIFY(run(of.file, "UPDATE recording_chunk SET data = x'00' WHERE number = 2"));
        auto log = ActivityLog::open(of.file).value();
        QVERIFY(log->chunk(1, 1));
        QVERIFY(log->chunk(1, 2).error().code == ErrorCode::Conflict);
    }
};

QTEST_APPLESS_MAIN(TestLogKeeping)
#include "test_log_keeping.moc"
