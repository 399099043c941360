// SPDX-License-Identifier: Apache-2.0
// Recordings as asciicasts: what is written for good ones, to the byte, and what becomes of those that no recorder would make.
#include "app/export/asciicast.h"
#include "tests/app/export/session_log.h"

#include <QTest>

using namespace carrel;
using namespace carrel::exporting;
using namespace carrel::exporting::tests;

namespace {

std::string cast(SessionLog& log, CastVersion version, std::uint64_t recording = 0) {
    auto reader = log.reader();
    return written([&](const Sink& sink) { return writeAsciicast(reader, recording, version, sink); });
}

ErrorCode refusal(SessionLog& log, std::uint64_t recording = 0) {
    auto reader = log.reader();
    const auto result = writeAsciicast(reader, recording, CastVersion::Three, [](std::string_view) { return Status(); });
    return result ? ErrorCode::Internal : result.error().code;
}

std::vector<PieceOfTests> twoPieces() {
    return {{{{500'000, 'o', "one\r\n"}, {1'000'000, 'i', "ls\r"}, {2'250'000, 'r', "100x30"}}},
            {{{12'000'001, 'o', "\x1b[31mtwo\x1b[0m"}}, "one", 100, 30}};
}

} // namespace

class TestAsciicast : public QObject {
    Q_OBJECT
private slots:
    void versionThreeTellsIntervals() {
        SessionLog log;
        log.addRecording("sh -c \"x\"", twoPieces());
        QVERIFY(log.change("UPDATE recording SET started_ns = 1772366400900000000"));
        QCOMPARE(cast(log, CastVersion::Three),
                 std::string("{\"version\":3,\"term\":{\"cols\":80,\"rows\":24},\"timestamp\":1772366400,\"title\":\"sh -c \\\"x\\\"\"}\n"
                             "[0.500000, \"o\", \"one\\r\\n\"]\n[0.500000, \"i\", \"ls\\r\"]\n[1.250000, \"r\", \"100x30\"]\n"
                             "[9.750001, \"o\", \"\\u001b[31mtwo\\u001b[0m\"]\n"));
    }
    void versionTwoTellsMoments() {
        SessionLog log;
        log.addRecording("sh", twoPieces());
        QVERIFY(log.change("UPDATE recording SET started_ns = 1772366400900000000"));
        QCOMPARE(cast(log, CastVersion::Two),
                 std::string("{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1772366400,\"title\":\"sh\"}\n"
                             "[0.500000, \"o\", \"one\\r\\n\"]\n[1.000000, \"i\", \"ls\\r\"]\n[2.250000, \"r\", \"100x30\"]\n"
                             "[12.000001, \"o\", \"\\u001b[31mtwo\\u001b[0m\"]\n"));
    }
    void theNewestUnlessOneIsNamed() {
        SessionLog log;
        const auto first = log.addRecording("first", {{{{0, 'o', "1"}}}});
        log.addRecording("second", {{{{0, 'o', "2"}}}});
        QVERIFY(cast(log, CastVersion::Three).find("\"second\"") != std::string::npos);
        QVERIFY(cast(log, CastVersion::Three, first).find("\"first\"") != std::string::npos);
        QVERIFY(refusal(log, 99) == ErrorCode::NotFound);
    }
    void nothingIsNoCast() {
        SessionLog log;
        QVERIFY(refusal(log) == ErrorCode::NotFound);
        log.addRecording("empty", {});
        QVERIFY(refusal(log) == ErrorCode::NotFound);
    }

    // I11: whoever plays it is told to do nothing but to show text, whatever the recorder has let pass; also across events and pieces.
    void nothingButWhatATerminalMayBeToldIsInIt() {
        SessionLog log;
        log.addRecording("a\x1b]0;t\x07\xe2\x80\xae title", {{{{0, 'o', "x\x1b]52;c;AAAA\x07y\x1b[6n\x1b"}, {1, 'o', "]0;title"}}, "\x1b[c\x1b[2J"}, {{{2, 'o', "\x07z\xc2\x9b\x6en"}}}});
        const auto all = cast(log, CastVersion::Three);
        const auto head = all.substr(0, all.find('\n'));
        const auto text = all.substr(head.size());
        QVERIFY2(text.find("\"xy\"") != std::string::npos && text.find("AAAA") == std::string::npos && text.find("[6n") == std::string::npos &&
                     text.find("\"zn") != std::string::npos && text.find("]0;") == std::string::npos,
                 text.c_str());
        QVERIFY2(head.find("\\u001") == std::string::npos && head.find("\xe2\x80\xae") == std::string::npos, head.c_str());
    }

    void whereAPieceIsMissingTheScreenIsDrawn() {
        SessionLog log;
        const auto id = log.addRecording("sh", {{{{0, 'o', "first"}}}, {{{10, 'o', "second"}}, "drawn1"}, {{{20, 'o', "third"}}, "drawn2", 90, 20}});
        QVERIFY(log.change("DELETE FROM recording_chunk WHERE number = 2"));
        auto text = cast(log, CastVersion::Three, id);
        QVERIFY2(text.find("first") != std::string::npos && text.find("second") == std::string::npos && text.find("[0.000020, \"r\", \"90x20\"]") != std::string::npos &&
                     text.find("drawn2\"") != std::string::npos && text.find("third") != std::string::npos,
                 text.c_str());
        QVERIFY(log.change("DELETE FROM recording_chunk WHERE number = 1"));
        text = cast(log, CastVersion::Three, id);
        QVERIFY2(text.find("\"cols\":90,\"rows\":20") != std::string::npos && text.find("drawn2\"") != std::string::npos, text.c_str());
    }

    void hostilePiecesAreRefused() {
        for (const std::string& raw :
             {std::string("no json\n"), recording::chunkHead(641, 24, "") + "[0.1, \"o\", \"\"]\n",
              recording::chunkHead(80, 301, "") + "[0.1, \"o\", \"x\"]\n", recording::chunkHead(80, 24, "") + "[0.1, \"r\", \"9999x24\"]\n",
              recording::chunkHead(80, 24, "") + "[0.1, \"r\", \"80x24\\\"\"]\n", recording::chunkHead(80, 24, "") + "[0.1, \"r\", \"-1x-1\"]\n",
              recording::chunkHead(80, 24, "") + "[0.1, \"r\", \"x\"]\n", recording::chunkHead(80, 24, "") + "[0.1, \"m\", \"\"]\n",
              recording::chunkHead(80, 24, "") + "[0.1, \"o\", \"\xff\"]\n", std::string(recording::kMaxChunkRaw + 1, 'x')}) {
            SessionLog log;
            log.addRawRecording("sh", raw);
            const auto code = refusal(log);
            QVERIFY2(code == ErrorCode::Malformed || code == ErrorCode::LimitExceeded, raw.substr(0, 100).c_str());
        }
        SessionLog log;
        (void)log.addRecording("sh", {{{{0, 'o', "x"}}}});
        QVERIFY(log.change("UPDATE recording_chunk SET data = x'00'"));
        QVERIFY(refusal(log) == ErrorCode::Conflict);
    }

    void timeNeverGoesBack() {
        SessionLog log;
        log.addRecording("sh", {{{{5'000'000, 'o', "a"}}}, {{{1'000'000, 'o', "b"}}}});
        QVERIFY(log.change("UPDATE recording_chunk SET last_us = 9223372036854775807, first_us = 9223372036854775800 WHERE number = 2"));
        const auto text = cast(log, CastVersion::Two);
        QVERIFY2(text.find("[5.000000, \"o\", \"a\"]\n[4000000000.000000, \"o\", \"b\"]\n") != std::string::npos, text.c_str());
    }
};

QTEST_GUILESS_MAIN(TestAsciicast)
#include "test_asciicast.moc"
