// SPDX-License-Identifier: Apache-2.0
// Server-sent events, in whatever pieces they arrive.
#include "guest/agent/sse_reader.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agent;

namespace {

// "type=data|type=data", of a stream that arrives in pieces of this many bytes.
std::string read(std::string_view stream, std::size_t piece, SseReader& reader) {
    std::string out;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
        const auto events = reader.feed(stream.substr(at, piece));
        if (!events) {
            return "failed";
        }
        for (const auto& event : *events) {
            out += (out.empty() ? "" : "|") + event.type + "=" + event.data;
        }
    }
    return out;
}

} // namespace

class TestSseReader : public QObject {
    Q_OBJECT
private slots:
    void whatTheStandardSays_data() {
        QTest::addColumn<QByteArray>("stream");
        QTest::addColumn<QByteArray>("events");
        const auto row = [](const char* name, const QByteArray& stream, const QByteArray& events) {
            QTest::newRow(name) << stream << events;
        };
        row("nothing", "", "");
        row("one", "data: a\n\n", "message=a");
        row("named", "event: ping\ndata: {}\n\n", "ping={}");
        row("a name is for one event", "event: a\ndata: 1\n\ndata: 2\n\n", "a=1|message=2");
        row("a name without data is no event", "event: a\n\ndata: 2\n\n", "message=2");
        row("the last of two names", "event: a\nevent: b\ndata: 1\n\n", "b=1");
        row("CRLF", "event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", "a=1|message=2");
        row("CR", "event: a\rdata: 1\r\rdata: 2\r\r", "a=1|message=2");
        row("all three", "data: 1\r\ndata: 2\rdata: 3\n\r\ndata: 4\n\n", "message=1\n2\n3|message=4");
        row("a field by CRLF, the end by LF", "data: 1\r\n\n", "message=1");
        row("LF and CR are two ends", "data: 1\n\rdata: 2\n\n", "message=1|message=2");
        row("a byte order mark",
            "\xef\xbb\xbf"
            "data: 1\n\n",
            "message=1");
        row("a second one is text",
            "data: 1\n\n\xef\xbb\xbf"
            "data: 2\n\n",
            "message=1");
        row("comments", ": hello\ndata: 1\n:\n:data: 2\n\n", "message=1");
        row("one space is taken away", "data:1\ndata:  2\ndata: \n\n", "message=1\n 2\n");
        row("a field without a colon", "data\n\n", "message=");
        row("two of them", "data\ndata\n\n", "message=\n");
        row("colons in a value", "data: a: b:c\n\n", "message=a: b:c");
        row("other fields", "id: 7\nretry: 10\nfoo: bar\ndata: 1\ndatas: 2\nDATA: 3\n data: 4\n\n", "message=1");
        row("not ended", "data: 1\n\ndata: 2\n", "message=1");
        row("blank lines", "\n\n\ndata: 1\n\n\n\n", "message=1");
        row("a NUL", QByteArray("data: a\0b\n\n", 11), QByteArray("message=a\0b", 11));
    }
    void whatTheStandardSays() {
        QFETCH(QByteArray, stream);
        QFETCH(QByteArray, events);
        for (std::size_t piece = 1; piece < 12; ++piece) {
            SseReader reader;
            QCOMPARE(QByteArray::fromStdString(read({stream.constData(), std::size_t(stream.size())}, piece, reader)), events);
        }
    }

    void anEventIsThereWithItsBlankLine() {
        SseReader reader;
        QCOMPARE(reader.feed("data: 1\r\n\r")->size(), std::size_t(1)); // what follows the CR may be long in coming
        QVERIFY(!reader.isWithinEvent());
        QCOMPARE(reader.feed("\n")->size(), std::size_t(0));
        QVERIFY(!reader.isWithinEvent());
        QCOMPARE(reader.feed("da")->size(), std::size_t(0));
        QVERIFY(reader.isWithinEvent());
        QCOMPARE(reader.feed("ta: 2\n")->size(), std::size_t(0));
        QVERIFY(reader.isWithinEvent());
        QCOMPARE(reader.feed("\n")->front().data, std::string("2"));
        QVERIFY(!reader.isWithinEvent());
    }

    void aLineIsBounded() {
        for (std::size_t piece = 1; piece < 12; ++piece) {
            SseReader fits({.line = 10, .event = 100});
            QCOMPARE(read("data: 1234\n\n", piece, fits), std::string("message=1234"));
            SseReader reader({.line = 10, .event = 100});
            QCOMPARE(read("data: 12345\n\n", piece, reader), std::string("failed"));
            const auto after = reader.feed("data: 1\n\n"); // it stays so
            QVERIFY(!after && after.error().code == ErrorCode::LimitExceeded && !after.error().hint.empty());
        }
        SseReader comments({.line = 10, .event = 100});
        QCOMPARE(read(": 123456789", 100, comments), std::string("failed")); // also where it would be no text, and has no end
    }

    void anEventIsBounded() {
        for (std::size_t piece = 1; piece < 12; ++piece) {
            SseReader fits({.line = 100, .event = 8});
            QCOMPARE(read("data: 123\ndata: 456\n\ndata: 1234567\n\n", piece, fits), std::string("message=123\n456|message=1234567"));
            SseReader reader({.line = 100, .event = 8});
            QCOMPARE(read("data: 123\ndata: 456\ndata: 7\n\n", piece, reader), std::string("failed"));
            SseReader many({.line = 100, .event = 8});
            QCOMPARE(read("data:\ndata:\ndata:\ndata:\ndata:\ndata:\ndata:\ndata:\ndata:\ndata:\n\n", piece, many), std::string("failed"));
        }
    }
};

QTEST_GUILESS_MAIN(TestSseReader)
#include "test_sse_reader.moc"
