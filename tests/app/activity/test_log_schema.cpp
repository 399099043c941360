// SPDX-License-Identifier: Apache-2.0
// A file of an earlier version becomes one of today's without an event touched; what is none of ours is left alone.
#include "app/activity/activity_log.h"
#include "app/activity/schema.h"

#include <QStringList>
#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::activity;

namespace {

// As version 1 made it, byte for byte what its program ran.
constexpr char kVersionOne[] = R"sql(
PRAGMA journal_mode=WAL; PRAGMA application_id=1130459724; PRAGMA user_version=1;
CREATE TABLE event (
  seq INTEGER PRIMARY KEY CHECK (seq > 0),
  time_ns INTEGER NOT NULL,
  kind TEXT NOT NULL,
  provenance TEXT NOT NULL CHECK (provenance IN ('host', 'guest')),
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
)sql";

std::int64_t count(Database& database, const std::string& table) {
    auto statement = database.prepare("SELECT count(*) FROM " + table);
    return statement && statement->step() ? statement->number(0) : -1;
}

} // namespace

class TestLogSchema : public QObject {
    Q_OBJECT
private slots:
    void anOlderLogGoesOn() {
        QTemporaryDir folder;
        const auto file = folder.filePath("a.db").toStdString();
        Hash hash{};
        {
            auto database = Database::open(file);
            QVERIFY(database && database->run(kVersionOne));
            auto made = chainHash({}, 1, 7, {"engine.note", "host", "before", "{}"});
            QVERIFY(made);
            hash = *made;
            auto insert = database->prepare("INSERT INTO event VALUES (1, 7, 'engine.note', 'host', 'before', '{}', ?)");
            QVERIFY(insert);
            insert->bindBlob(1, hash.data(), hash.size());
            QVERIFY(insert->step());
        }
        {
            auto log = ActivityLog::open(file);
            QVERIFY2(log, log ? "" : log.error().text().c_str());
            QCOMPARE((*log)->head().seq, 1U);
            QCOMPARE((*log)->head().hash, hash);
            Event event;
            event.subject = "after";
            QVERIFY((*log)->append(event));
            QVERIFY((*log)->verify(Head{1, hash}));
        }
        auto database = Database::open(file);
        QVERIFY(database);
        QCOMPARE(database->pragma("user_version").value(), kSchemaVersion);
        QCOMPARE(count(*database, "log"), 1);
        QVERIFY(checkSchema(*database));
    }

    void twoLogsAreToldApart() {
        QTemporaryDir folder;
        QStringList ids;
        for (const char* name : {"a.db", "b.db"}) {
            auto database = Database::open(folder.filePath(name).toStdString());
            QVERIFY(database && prepareSchema(*database) && prepareSchema(*database));
            auto id = database->prepare("SELECT hex(id) FROM log");
            QVERIFY(id && id->step());
            ids << QString::fromStdString(id->text(0));
        }
        QCOMPARE(ids[0].size(), 32);
        QVERIFY(ids[0] != ids[1]);
    }

    void whatIsNotOursIsLeftAlone_data() {
        QTest::addColumn<QString>("sql");
        QTest::addColumn<int>("code");
        QTest::newRow("a later version") << "PRAGMA application_id=1130459724; PRAGMA user_version=3" << int(ErrorCode::Unsupported);
        QTest::newRow("another program's") << "CREATE TABLE t (a)" << int(ErrorCode::Malformed);
        QTest::newRow("another program's, with a version of ours") << "PRAGMA user_version=1; CREATE TABLE t (a)" << int(ErrorCode::Malformed);
        QTest::newRow("a version that never was") << "PRAGMA application_id=1130459724; PRAGMA user_version=-1" << int(ErrorCode::Malformed);
    }
    void whatIsNotOursIsLeftAlone() {
        QFETCH(QString, sql);
        QFETCH(int, code);
        QTemporaryDir folder;
        auto database = Database::open(folder.filePath("a.db").toStdString());
        QVERIFY(database && database->run(sql.toStdString()));
        const auto before = database->pragma("user_version").value();
        const auto prepared = prepareSchema(*database);
        const auto checked = checkSchema(*database);
        QVERIFY(!prepared && !checked);
        QCOMPARE(int(prepared.error().code), code);
        QCOMPARE(int(checked.error().code), code);
        QCOMPARE(database->pragma("user_version").value(), before);
        QCOMPARE(count(*database, "sqlite_schema"), sql.contains("TABLE") ? 1 : 0);
    }

    // What a crash in the middle would leave: nothing of the new version.
    void itIsAllOrNothing() {
        QTemporaryDir folder;
        auto database = Database::open(folder.filePath("a.db").toStdString());
        QVERIFY(database && database->run(kVersionOne) && database->run("CREATE TABLE recording_chunk (in_the_way)"));
        QVERIFY(!prepareSchema(*database));
        QCOMPARE(database->pragma("user_version").value(), 1);
        QCOMPARE(count(*database, "sqlite_schema WHERE name = 'signed_head'"), 0);
    }
};

QTEST_APPLESS_MAIN(TestLogSchema)
#include "test_log_schema.moc"
