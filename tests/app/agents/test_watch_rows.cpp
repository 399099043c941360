// SPDX-License-Identifier: Apache-2.0
// What the log says of a machine's programs: each detail is one JSON object, whatever bytes the machine sends, and says who said so.
#include "app/agents/watch_rows.h"
#include "guest/protocol/share_path.h"
#include "guest/protocol/strict_json.h"

#include <QTest>

#include <boost/json.hpp>

#include <algorithm>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::watch;
using namespace std::string_view_literals;
using activity::EventKind;
namespace json = boost::json;

namespace {

Bytes batch(const std::vector<Event>& events) {
    Bytes all;
    for (const auto& event : events) {
        const auto wire = toWire(event).value();
        all.insert(all.end(), wire.begin(), wire.end());
    }
    return batchOf(events.size(), all);
}

const Process kProcess{12, 99};

} // namespace

class TestWatchRows : public QObject {
    Q_OBJECT

    WatchRows m_rows;
    void compare(decltype(Event::what) what, EventKind kind, std::string_view subject, const char* detail, std::uint32_t count = 1) {
        const auto bytes = batch({{count, 7, kProcess, std::move(what)}});
        const auto rows = m_rows.rowsOf(5, 100, bytes);
        QVERIFY(rows.has_value());
        QCOMPARE(rows->size(), std::size_t{1});
        QCOMPARE(rows->front().subject, subject);
        QCOMPARE(activity::toString(rows->front().kind), activity::toString(kind));
        QVERIFY(rows->front().provenance == activity::Provenance::Guest);
        auto expected = std::string(detail); // with ' for "
        std::replace(expected.begin(), expected.end(), '\'', '"');
        QCOMPARE(std::string(rows->front().detail), expected);
        QVERIFY(parseJsonObject(rows->front().detail).has_value());
        m_rows.done();
    }

private slots:
    void eachKindHasItsWords() {
        Digest digest{};
        digest[31] = std::byte{0xaf};
        compare(Started{{1, 2}, 100000, "/usr/bin/gcc", {"gcc", "a \"b\"\\\n\x01"}, true, digest}, EventKind::ProgramStarted, "/usr/bin/gcc",
                "{'process':'12.99','parent':'1.2','pid':12,'user':100000,'argv':['gcc','a \\'b\\'\\\\\\u000a\\u0001'],'cut':true,"
                "'sha256':'00000000000000000000000000000000000000000000000000000000000000af','at':7,'book':5,'number':100}");
        compare(Ended{0, 3, 2'500, 1'000, 40}, EventKind::ProgramEnded, "/usr/bin/gcc",
                "{'process':'12.99','code':3,'cpu_ms':3,'memory_kib':40,'at':7,'book':5,'number':100}");
        compare(Ended{9, 0, 0, 0, 0}, EventKind::ProgramEnded, "", "{'process':'12.99','signal':9,'cpu_ms':0,'memory_kib':0,'at':7,'book':5,'number':100}");
        compare(Started{{}, 0, "/bin/sh", {}, false, {}}, EventKind::ProgramStarted, "/bin/sh",
                "{'process':'12.99','pid':12,'user':0,'argv':[],'at':7,'book':5,'number':100}");
        compare(FileDone{FileDeed::Written, 0, "/d/"}, EventKind::FileWritten, "/d/", "{'process':'12.99','times':8,'at':7,'book':5,'number':100}", 8);
        compare(FileDone{FileDeed::FolderMade, 0, "/d"}, EventKind::FileCreated, "/d", "{'process':'12.99','folder':true,'at':7,'book':5,'number':100}");
        compare(FileDone{FileDeed::ModeChanged, 04755, "/d"}, EventKind::FileMode, "/d", "{'process':'12.99','mode':'4755','at':7,'book':5,'number':100}");
        compare(Renamed{"/a", "/b"}, EventKind::FileRenamed, "/a", "{'process':'12.99','to':'/b','at':7,'book':5,'number':100}");
        compare(NetTried{Transport::Tcp, 443, "\x0a\0\0\x01"sv, "example.org"}, EventKind::NetTried, "example.org:443",
                "{'process':'12.99','transport':'tcp','at':7,'book':5,'number':100}");
        compare(NetTried{Transport::Udp, 53, "\x0a\0\0\x01"sv, ""}, EventKind::NetTried, "10.0.0.1:53",
                "{'process':'12.99','transport':'udp','at':7,'book':5,'number':100}");
        compare(NetTried{Transport::Other, 0, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"sv, ""}, EventKind::NetTried, "[::1]:0",
                "{'process':'12.99','transport':'other','at':7,'book':5,'number':100}");
        compare(RightTried{Right::Capability, "SYS_MODULE"}, EventKind::RightsTried, "SYS_MODULE",
                "{'process':'12.99','right':'capability','at':7,'book':5,'number':100}");
        compare(Lost{true, 1, 2, 3, 4}, EventKind::WatchLost, "",
                "{'process':'12.99','programs':1,'files':2,'connections':3,'rights':4,'restarted':true,'at':7,'book':5,'number':100}");
    }

    // I9: a machine cannot make a row that says the host saw it, nor one of another kind or form, by what it names its things.
    void nothingThatAMachineNamesBecomesMore() {
        for (const auto text : {"\"},\"provenance\":\"host\",{\""sv, "\xff\xfe"sv, "\xed\xa0\x80"sv, "\xf0\x9f\x92\xa9"sv, "\x1b[2J\r\n\t\x7f"sv, "\xe2\x80\xae"sv}) {
            const auto bytes = batch({{1, 7, kProcess, Started{{}, 0, text, {text, text}, false, {}}}, {1, 7, kProcess, Renamed{text, text}}});
            const auto rows = m_rows.rowsOf(5, 1, bytes);
            QVERIFY(rows.has_value());
            for (const auto& row : *rows) {
                QVERIFY(row.provenance == activity::Provenance::Guest);
                QVERIFY(isUtf8(row.subject));
                const auto detail = parseJsonObject(row.detail);
                QVERIFY(detail.has_value());
                QVERIFY(!detail->contains("provenance"));
            }
            if (isUtf8(text)) {
                QCOMPARE(parseJsonObject((*rows)[1].detail)->at("to").as_string(), json::string_view(text));
            }
        }
    }

    void theLongestFitsTheLog() {
        const std::string path(kMaxPath, '\x01');
        const auto bytes = batch({{1, 7, kProcess, Started{{1, 1}, 0, path, {path}, true, Digest{}}}, {1, 7, kProcess, Renamed{path, path}}});
        const auto rows = m_rows.rowsOf(5, 1, bytes);
        QVERIFY(rows.has_value());
        for (const auto& row : *rows) {
            QVERIFY(row.subject.size() <= activity::kMaxSubjectBytes);
            QVERIFY(row.detail.size() <= activity::kMaxDetailBytes);
        }
    }

    void onlyTheLastRowSaysHowFar() {
        const auto bytes = batch({{1, 7, kProcess, Ended{}}, {1, 7, kProcess, Ended{}}, {1, 7, kProcess, Ended{}}});
        const auto rows = m_rows.rowsOf(5, 40, bytes);
        QVERIFY((*rows)[0].detail.find("book") == std::string_view::npos && (*rows)[1].detail.find("book") == std::string_view::npos);
        QVERIFY((*rows)[2].detail.ends_with("\"book\":5,\"number\":42}"));
        QVERIFY(m_rows.rowsOf(5, 43, batch({}))->empty());
        QVERIFY(!m_rows.rowsOf(5, 43, {}).has_value());
    }

    void aBatchThatIsReadAgainIsTheSame() { // its rows could not be written down
        WatchRows rows;
        const auto bytes = batch({{1, 7, kProcess, Started{{}, 0, "/bin/ls", {"ls"}, false, {}}}, {1, 8, kProcess, Ended{}}});
        for (int i = 0; i < 2; ++i) {
            QCOMPARE(rows.rowsOf(5, 1, bytes)->back().subject, "/bin/ls"sv);
        }
        rows.done();
        QCOMPARE(rows.rowsOf(5, 3, batch({{1, 9, kProcess, Ended{}}}))->back().subject, ""sv);
    }

    void manyProgramsAreForgottenInTheirOrder() {
        WatchRows rows;
        for (std::uint32_t pid = 0; pid < WatchRows::kMostPrograms + 1; ++pid) {
            QVERIFY(rows.rowsOf(1, 1, batch({{1, 1, {pid, 1}, Started{{}, 0, "/p", {}, false, {}}}})).has_value());
        }
        QCOMPARE(rows.rowsOf(1, 1, batch({{1, 1, {0, 1}, Ended{}}}))->front().subject, ""sv);
        QCOMPARE(rows.rowsOf(1, 1, batch({{1, 1, {1, 1}, Ended{}}}))->front().subject, "/p"sv);
    }
};

QTEST_GUILESS_MAIN(TestWatchRows)
#include "test_watch_rows.moc"
