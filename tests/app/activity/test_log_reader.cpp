// SPDX-License-Identifier: Apache-2.0
// Reading a log's file to hand it on: of one moment, as it is stored, and told where it is not what was written.
#include "app/activity/log_reader.h"
#include "tests/app/activity/log_of_tests.h"

#include <QTest>

#include <algorithm>

using namespace carrel;
using namespace carrel::activity;
using namespace carrel::activity::tests;

namespace {

std::vector<StoredEvent> all(LogReader& reader, std::uint64_t after = 0) {
    std::vector<StoredEvent> out;
    (void)reader.events(after, [&](const StoredEvent& event) -> Status {
        out.push_back(event);
        return {};
    }).has_value();
    return out;
}

std::size_t wrongs(const std::vector<StoredEvent>& events) {
    return std::size_t(std::count_if(events.begin(), events.end(), [](const auto& event) { return !event.asWritten; }));
}

} // namespace

class TestLogReader : public QObject {
    Q_OBJECT
private slots:
    void eventsComeAsTheyAreStored() {
        const LogOfTests of;
        auto reader = LogReader::open(of.file).value();
        const auto events = all(reader);
        QCOMPARE(events.size(), std::size_t{24});
        QCOMPARE(wrongs(events), std::size_t{0});
        QCOMPARE(events[0].previous, Hash{});
        QCOMPARE(events[1].previous, events[0].hash);
        QCOMPARE(events[0].detail, std::string(R"({"n":1})"));
        QCOMPARE(events[9].signedHead, textOf(of.first));
        QCOMPARE(events[23].signedHead, textOf(of.last));
        QCOMPARE(events[8].signedHead, std::string());
        QCOMPARE(reader.eventCount().value(), std::uint64_t{24});
        const auto some = all(reader, 20);
        QCOMPARE(some.size(), std::size_t{4});
        QCOMPARE(some[0].previous, events[19].hash);
        QCOMPARE(wrongs(some), std::size_t{0});
        QCOMPARE(reader.beforeNewest(4).value(), std::uint64_t{20});
        QCOMPARE(reader.beforeNewest(24).value(), std::uint64_t{0});
    }

    void itIsOfOneMoment() {
        const LogOfTests of;
        auto log = ActivityLog::open(of.file).value();
        auto reader = LogReader::open(of.file).value();
        (void)log->append(note("later")).value();
        QCOMPARE(reader.eventCount().value(), std::uint64_t{24});
        QCOMPARE(all(reader).size(), std::size_t{24});
        QCOMPARE(LogReader::open(of.file).value().eventCount().value(), std::uint64_t{25});
    }

    void afterACutItGoesOn() {
        const LogOfTests of;
        {
            auto log = ActivityLog::open(of.file).value();
            log->signWith(of.key);
            QVERIFY(log->cut(10));
        }
        auto reader = LogReader::open(of.file).value();
        const auto events = all(reader);
        QCOMPARE(events.front().seq, std::uint64_t{11});
        QCOMPARE(wrongs(events), std::size_t{0});
        QVERIFY(events.front().previous == of.first.hash);
    }

    void recordingsComeInTheirOrder() {
        const LogOfTests of;
        auto reader = LogReader::open(of.file).value();
        const auto rows = reader.recordings().value();
        QCOMPARE(rows.size(), std::size_t{1});
        QCOMPARE(rows[0].lastUs, std::uint64_t{9'000'000});
        std::string data;
        QVERIFY(reader.chunks(rows[0].id, [&](const RecordingChunk& chunk) -> Status {
            data += chunk.data + "|";
            return {};
        }));
        QCOMPARE(data, std::string("the first piece|the second|"));
    }

    void aSignatureIsNoneUnlessItIsGenuine() {
        const LogOfTests of;
        QVERIFY(run(of.file, "UPDATE signed_head SET signature = zeroblob(64) WHERE seq = 24"));
        auto reader = LogReader::open(of.file).value();
        const auto events = all(reader);
        QCOMPARE(events[23].signedHead, std::string());
        QCOMPARE(events[23].asWritten, false);
        QCOMPARE(wrongs(events), std::size_t{1});
    }

    void aPieceThatWasChangedIsNotGiven() {
        const LogOfTests of;
        QVERIFY(run(of.file, "UPDATE recording_chunk SET data = x'00' WHERE number = 2"));
        auto reader = LogReader::open(of.file).value();
        int given = 0;
        const auto done = reader.chunks(1, [&](const RecordingChunk&) -> Status {
            ++given;
            return {};
        });
        QVERIFY(!done && done.error().code == ErrorCode::Conflict);
        QCOMPARE(given, 1);
    }

    void whatIsNoLogIsRefused() {
        const LogOfTests of;
        QVERIFY(LogReader::open(of.path("none").toStdString()).error().code == ErrorCode::NotFound);
        QVERIFY(run(of.file, "CREATE VIEW other AS SELECT * FROM event"));
        QVERIFY(LogReader::open(of.file).error().code == ErrorCode::Conflict);
        QVERIFY(run(of.file, "PRAGMA user_version=99"));
        QVERIFY(LogReader::open(of.file).error().code == ErrorCode::Unsupported);
    }
};

QTEST_GUILESS_MAIN(TestLogReader)
#include "test_log_reader.moc"
