// SPDX-License-Identifier: Apache-2.0
// What a stranger finds out about a log's file, with the public key and with a head that was handed out; every attack by the first
// event that is wrong.
#include "app/activity/verifier.h"
#include "tests/app/activity/log_of_tests.h"

#include <QDir>
#include <QTest>

#include <filesystem>
#include <fstream>

using namespace carrel;
using namespace carrel::activity;
using namespace carrel::activity::tests;

namespace {

enum class With { Nothing, Key, Head };

Trust trustOf(const LogOfTests& log, With with) {
    Trust trust;
    if (with == With::Key) {
        trust.key = log.key->publicKey();
    }
    if (with == With::Head) {
        trust.kept = log.last;
    }
    return trust;
}

} // namespace

Q_DECLARE_METATYPE(With)

class TestLogVerifier : public QObject {
    Q_OBJECT
private slots:
    void whatWasNotTouchedHolds() {
        const LogOfTests log;
        for (const auto with : {With::Nothing, With::Key, With::Head}) {
            const auto verdict = verifyLog(log.file, trustOf(log, with));
            QVERIFY2(verdict, verdict ? "" : verdict.error().text().c_str());
            QVERIFY2(!verdict->wrong, verdict->wrong ? verdict->wrong->error.text().c_str() : "");
            QCOMPARE(verdict->first, 1U);
            QCOMPARE(verdict->last.seq, 24U);
            QCOMPARE(verdict->recorded, 2U);
            QCOMPARE(verdict->newest.value(), log.last);
            QVERIFY(!verdict->cut);
        }
    }

    // What came after the newest signature is chained, and the verdict says up to where it is signed.
    void whatIsNotSignedYetIsSaid() {
        const LogOfTests log;
        (void)ActivityLog::open(log.file).value()->append(note("later")).value();
        const auto verdict = verifyLog(log.file, trustOf(log, With::Head)).value();
        QVERIFY(!verdict.wrong);
        QCOMPARE(verdict.last.seq, 25U);
        QCOMPARE(verdict.newest->seq, 24U);
    }

    void nothingIsWrittenBesideACopy() {
        const LogOfTests log;
        QVERIFY(QDir().mkdir(log.path("elsewhere")));
        const auto copy = (log.path("elsewhere") + "/a ?#%41.db").toStdString();
        std::filesystem::copy_file(log.file, copy);
        QVERIFY(!verifyLog(copy).value().wrong);
        QCOMPARE(QDir(log.path("elsewhere")).entryList(QDir::Files | QDir::Hidden).size(), 1);
    }

    // While its engine writes: what is in the journal counts.
    void aLogInUseIsReadToItsEnd() {
        const LogOfTests log;
        auto writer = ActivityLog::open(log.file).value();
        (void)writer->append(note("now")).value();
        QCOMPARE(verifyLog(log.file).value().last.seq, 25U);
        (void)writer->append(note("and now")).value();
        QCOMPARE(verifyLog(log.file).value().last.seq, 26U);
    }

    void attacks_data() {
        QTest::addColumn<QString>("sql");
        QTest::addColumn<int>("anew"); // from where the attacker makes the chain anew; 0: not at all
        QTest::addColumn<With>("with");
        QTest::addColumn<qulonglong>("wrong");
        QTest::addColumn<QString>("says");
        const auto row = [](const char* name, const char* sql, int anew, With with, int wrong, const char* says) {
            QTest::newRow(name) << QString(sql) << anew << with << qulonglong(wrong) << QString(says);
        };
        row("an edit", "UPDATE event SET subject = 'x' WHERE seq = 4", 0, With::Nothing, 4, "was changed");
        row("an edit of its time", "UPDATE event SET time_ns = 1 WHERE seq = 4", 0, With::Nothing, 4, "was changed");
        row("whose word it is", "UPDATE event SET provenance = 'guest' WHERE seq = 4", 0, With::Nothing, 4, "was changed");
        row("an edit, chained anew", "UPDATE event SET subject = 'x' WHERE seq = 4", 4, With::Nothing, 10, "is not the one that was signed");
        row("an edit, chained anew, later", "UPDATE event SET subject = 'x' WHERE seq = 12", 12, With::Nothing, 24, "is not the one that was signed");
        row("an edit, chained anew, signatures gone", "UPDATE event SET subject = 'x' WHERE seq = 4; DELETE FROM signed_head", 4, With::Head, 24,
            "the one whose head was handed out");
        row("deleted", "DELETE FROM event WHERE seq = 4", 0, With::Nothing, 4, "is missing");
        row("the first deleted", "DELETE FROM event WHERE seq = 1", 0, With::Nothing, 1, "is missing");
        row("deleted and closed up", "DELETE FROM event WHERE seq = 4; UPDATE event SET seq = seq + 1000 WHERE seq > 4; UPDATE event SET seq = seq - 1001 WHERE seq > 1000", 4,
            With::Nothing, 10, "is not the one that was signed");
        row("re-ordered", "UPDATE event SET seq = 1000 WHERE seq = 4; UPDATE event SET seq = 4 WHERE seq = 5; UPDATE event SET seq = 5 WHERE seq = 1000", 0,
            With::Nothing, 4, "was changed");
        row("re-ordered, chained anew",
            "UPDATE event SET seq = 1000 WHERE seq = 4; UPDATE event SET seq = 4 WHERE seq = 5; UPDATE event SET seq = 5 WHERE seq = 1000", 4, With::Nothing, 10,
            "is not the one that was signed");
        // Two signatures at their places, and what is between them from elsewhere.
        row("put in between", "UPDATE event SET seq = seq + 1000 WHERE seq > 4; INSERT INTO event SELECT 5, time_ns, kind, provenance, 'x', detail, hash FROM event "
                              "WHERE seq = 4; UPDATE event SET seq = seq - 999 WHERE seq > 1000", 5, With::Nothing, 10, "is not the one that was signed");
        row("cut off at its end", "DELETE FROM event WHERE seq > 20", 0, With::Nothing, 21, "its end was cut off");
        row("cut off with its signatures", "DELETE FROM event WHERE seq > 20; DELETE FROM signed_head WHERE seq > 20", 0, With::Head, 21, "older copy");
        row("emptied", "DELETE FROM event; DELETE FROM signed_head; DELETE FROM recording_chunk", 0, With::Head, 1, "older copy");
        row("cut off at its beginning", "DELETE FROM event WHERE seq < 4", 0, With::Nothing, 1, "is missing");
        row("with a cut that nobody signed",
            "DELETE FROM event WHERE seq < 4; INSERT INTO cut SELECT 3, zeroblob(32), 1, key, signature FROM signed_head LIMIT 1", 0, With::Nothing, 4, "not genuine");
        row("a signature changed", "UPDATE signed_head SET signature = zeroblob(64) WHERE seq = 10", 0, With::Nothing, 10, "not genuine");
        row("a reason changed", "UPDATE signed_head SET reason = 'asked' WHERE seq = 10", 0, With::Nothing, 10, "not genuine");
        row("a signature moved", "UPDATE signed_head SET seq = 11 WHERE seq = 10", 0, With::Nothing, 11, "is not the one that was signed");
        row("a signature of what is not there", "INSERT INTO signed_head SELECT 99, hash, time_ns, reason, key, signature FROM signed_head WHERE seq = 10", 0,
            With::Nothing, 25, "its end was cut off");
        row("another log's name", "UPDATE log SET id = zeroblob(16)", 0, With::Nothing, 10, "not genuine");
        row("another log's name, with a head", "UPDATE log SET id = zeroblob(16)", 0, With::Head, 1, "another log");
        row("no name", "DELETE FROM log", 0, With::Nothing, 1, "lost its name");
        row("a piece of a recording changed", "UPDATE recording_chunk SET data = x'78' WHERE number = 2", 0, With::Nothing, 13, "was changed");
        row("with its sum", "UPDATE recording_chunk SET data = x'', sha256 = x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' WHERE number = 2", 0,
            With::Nothing, 13, "was changed");
        row("a piece gone", "DELETE FROM recording_chunk WHERE number = 1", 0, With::Nothing, 12, "is missing");
        row("pieces swapped", "UPDATE recording_chunk SET number = 9 WHERE number = 1; UPDATE recording_chunk SET number = 1 WHERE number = 2; "
                              "UPDATE recording_chunk SET number = 2 WHERE number = 9", 0, With::Nothing, 12, "was changed");
        row("a piece too many", "INSERT INTO recording_chunk SELECT 7, number, first_us, last_us, raw_bytes, sha256, data FROM recording_chunk", 0, With::Nothing, 25,
            "no event of it tells");
        row("a piece moved in time", "UPDATE recording_chunk SET first_us = 1 WHERE number = 2", 0, With::Nothing, 13, "was changed");
        row("a recording renamed", "UPDATE recording SET title = 'ls'", 0, With::Nothing, 11, "was changed");
        row("a recording moved in time", "UPDATE recording SET started_ns = 1", 0, With::Nothing, 11, "was changed");
        row("a recording that never ended", "UPDATE recording SET ended_ns = NULL", 0, With::Nothing, 14, "was changed");
        row("a recording gone", "DELETE FROM recording", 0, With::Nothing, 11, "is missing");
        row("a recording too many", "INSERT INTO recording SELECT 2, started_ns, kind, title, columns, rows, NULL FROM recording", 0, With::Nothing, 25, "no event of it tells");
        row("an index that answers in place of the events",
            "CREATE INDEX by_seq ON event (seq, time_ns, kind, provenance, subject, detail, hash)", 0, With::Nothing, 0, "tables of the activity log were changed");
        row("a trigger", "CREATE TRIGGER quiet AFTER INSERT ON event BEGIN DELETE FROM event WHERE seq = new.seq; END", 0, With::Nothing, 0,
            "tables of the activity log were changed");
        row("a table more", "CREATE TABLE more (a)", 0, With::Nothing, 0, "tables of the activity log were changed");
        row("the words' table of another kind", "DROP TABLE event_words; CREATE TABLE event_words (kind, subject, detail)", 0, With::Nothing, 0,
            "tables of the activity log were changed");
        row("a view in place of the events",
            "ALTER TABLE event RENAME TO hidden; CREATE VIEW event AS SELECT * FROM hidden", 0, With::Nothing, 0, "tables of the activity log were changed");
        row("a table of another form", "ALTER TABLE event ADD COLUMN more TEXT", 0, With::Nothing, 0, "tables of the activity log were changed");
    }
    void attacks() {
        QFETCH(QString, sql);
        QFETCH(int, anew);
        QFETCH(With, with);
        QFETCH(qulonglong, wrong);
        QFETCH(QString, says);
        const LogOfTests log;
        QVERIFY(run(log.file, sql.toStdString()));
        QVERIFY(anew == 0 || chainAnew(log.file, static_cast<std::uint64_t>(anew)));
        const auto verdict = verifyLog(log.file, trustOf(log, with));
        QVERIFY2(verdict, verdict ? "" : verdict.error().text().c_str());
        QVERIFY(verdict->wrong);
        const auto text = QString::fromStdString(verdict->wrong->error.text());
        QVERIFY2(text.contains(says), qPrintable(text));
        QCOMPARE(qulonglong(verdict->wrong->seq), wrong);
        // What comes before is told, and what is not there is never said to hold.
        QVERIFY(verdict->last.seq < std::max<qulonglong>(wrong, 1));
    }

    // The pieces are whole, but the index by which a reader finds them by their time leads to others.
    void anIndexThatLeadsElsewhereIsFound() {
        const LogOfTests log;
        QVERIFY(run(log.file, "CREATE TABLE other (recording, first_us); INSERT INTO other VALUES (1, 7000000), (1, 0); CREATE INDEX ours ON other (recording, first_us)"));
        std::int64_t page = 0;
        {
            auto database = Database::open(log.file).value();
            auto select = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'ours'").value();
            QVERIFY(select.step().value());
            page = select.number(0);
        }
        QVERIFY(run(log.file, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage = " + std::to_string(page) +
                                  " WHERE name = 'recording_chunk_time'; DELETE FROM sqlite_schema WHERE name IN ('other', 'ours')"));
        {
            auto opened = ActivityLog::open(log.file).value();
            QCOMPARE(opened->chunkAt(1, 8'000'000).value().place.number, 1U); // a reader is fooled
        }
        const auto verdict = verifyLog(log.file).value();
        QVERIFY(verdict.wrong);
        QVERIFY2(verdict.wrong->error.text().find("list of the recordings' pieces") != std::string::npos, verdict.wrong->error.text().c_str());
    }

    // Somebody who writes everything anew and signs it with a key of their own.
    void aForeignKeyIsFound() {
        const LogOfTests log;
        const auto foreign = keyOf(2);
        QVERIFY(run(log.file, "UPDATE event SET subject = 'x' WHERE seq = 4; DELETE FROM signed_head") && chainAnew(log.file, 4));
        {
            auto opened = ActivityLog::open(log.file).value();
            opened->signWith(foreign);
            (void)opened->signHead("session").value();
        }
        QVERIFY(!verifyLog(log.file).value().wrong); // by itself it is a log like any
        const auto withKey = verifyLog(log.file, trustOf(log, With::Key)).value();
        QVERIFY(withKey.wrong && withKey.wrong->seq == 24);
        const auto withHead = verifyLog(log.file, trustOf(log, With::Head)).value();
        QVERIFY(withHead.wrong && withHead.wrong->seq == 24);
    }

    void twoKeysInOneLogAreFound() {
        const LogOfTests log;
        {
            auto opened = ActivityLog::open(log.file).value();
            opened->signWith(keyOf(2));
            (void)opened->append(note("more")).value();
            (void)opened->signHead("session").value();
        }
        const auto verdict = verifyLog(log.file).value();
        QVERIFY(verdict.wrong && verdict.wrong->seq == 25);
        QVERIFY(verdict.wrong->error.text().find("another key") != std::string::npos);
    }

    // Replaced by an older copy of itself, which is whole.
    void anOlderCopyIsFoundByAHead() {
        const LogOfTests log;
        const auto copy = log.path("copy.db").toStdString();
        std::filesystem::copy_file(log.file, copy);
        SignedHead newer;
        {
            auto opened = ActivityLog::open(log.file).value();
            opened->signWith(log.key);
            (void)opened->append(note("more")).value();
            newer = opened->signHead("session").value();
        }
        Trust trust;
        trust.kept = newer;
        QVERIFY(!verifyLog(log.file, trust).value().wrong);
        const auto verdict = verifyLog(copy, trust).value();
        QVERIFY(verdict.wrong && verdict.wrong->seq == 25);
    }

    // A head is not believed because somebody hands it in.
    void aHeadThatIsNotGenuineIsRefused() {
        const LogOfTests log;
        Trust trust = trustOf(log, With::Head);
        trust.kept->seq = 20;
        QVERIFY(verifyLog(log.file, trust).error().code == ErrorCode::InvalidArgument);
        trust = trustOf(log, With::Head);
        trust.key = keyOf(2)->publicKey();
        QVERIFY(verifyLog(log.file, trust).error().code == ErrorCode::InvalidArgument);
    }

    void whatIsNoLogIsSaid() {
        const LogOfTests log;
        const auto other = log.path("other").toStdString();
        QVERIFY(verifyLog(other).error().code == ErrorCode::NotFound);
        std::ofstream(other) << "no database at all, but some text of its own that is long enough to be looked at as one by a reader";
        QVERIFY(verifyLog(other).error().code == ErrorCode::Malformed);
        std::ofstream(other, std::ios::trunc).flush();
        QVERIFY(verifyLog(other).error().code == ErrorCode::Malformed);
        QVERIFY(run(log.file, "PRAGMA user_version=99"));
        QVERIFY(verifyLog(log.file).error().code == ErrorCode::Unsupported);
        QVERIFY(run(log.file, "PRAGMA user_version=1"));
        QVERIFY(verifyLog(log.file).error().code == ErrorCode::Unsupported);
    }

    // A page of the file is lost: what comes before it still holds, and the event from which on it cannot be read is named.
    void aDamagedPageIsNamed() {
        const LogOfTests log;
        {
            auto opened = ActivityLog::open(log.file).value();
            for (int i = 0; i < 2000; ++i) {
                auto event = note(std::string(100, 'x'));
                (void)opened->appendUnflushed({event}).has_value();
            }
        }
        const auto size = std::filesystem::file_size(log.file);
        {
            std::fstream raw(log.file, std::ios::in | std::ios::out | std::ios::binary);
            raw.seekp(static_cast<std::streamoff>(size / 4096 / 2 * 4096));
            raw << std::string(4096, '\xff');
        }
        const auto verdict = verifyLog(log.file).value();
        QVERIFY(verdict.wrong);
        QVERIFY(verdict.wrong->seq > 24 && verdict.wrong->seq < 2024);
        QCOMPARE(verdict.last.seq, verdict.wrong->seq - 1);
        QVERIFY(verdict.wrong->error.code == ErrorCode::Malformed);
    }
};

QTEST_APPLESS_MAIN(TestLogVerifier)
#include "test_log_verifier.moc"
