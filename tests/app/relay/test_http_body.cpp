// SPDX-License-Identifier: Apache-2.0
// Bodies come out of their framing in any pieces, and a framing that is not in order is refused (RFC 9112, sections 6 and 7).
#include "app/relay/http_body.h"

#include <QTest>

using namespace carrel;
using namespace carrel::relay;

namespace {

struct Read {
    std::string body;
    std::string rest; // what does not belong to it
    bool done = false;
    bool good = true;
};
Read read(BodyEnd end, const std::string& text, std::size_t piece) {
    BodyReader reader(end);
    Read out;
    for (std::size_t at = 0; at < text.size(); at += piece) {
        auto in = asBytes(std::string_view(text).substr(at, piece));
        while (!in.empty()) {
            const auto step = reader.next(in);
            if (!step) {
                out.good = false;
                return out;
            }
            out.body += asText(step->data);
            in = in.subspan(step->taken);
            if (step->taken == 0) {
                out.rest += asText(in);
                break;
            }
        }
    }
    out.done = reader.isDone();
    return out;
}
Read chunked(const std::string& text, std::size_t piece = 1'000'000) {
    return read({BodyEnd::Kind::Chunked, 0}, text, piece);
}

} // namespace

class TestHttpBody : public QObject {
    Q_OBJECT
private slots:
    void chunksAreTakenApartWhereverTheyAreCut() {
        const std::string text = "5\r\nhello\r\n00A;name=\"value\";x\r\n, you\r\nall\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\nGET /";
        for (std::size_t piece = 1; piece <= text.size(); ++piece) {
            const auto got = chunked(text, piece);
            QVERIFY(got.good && got.done);
            QCOMPARE(got.body, std::string("hello, you\r\nall"));
            QCOMPARE(got.rest, std::string("GET /"));
        }
    }

    void aChunkThatIsNotInOrderIsRefused_data() {
        QTest::addColumn<QByteArray>("text");
        const std::pair<const char*, std::string> rows[] = {
            {"no size", "\r\nhello\r\n0\r\n\r\n"},
            {"not hexadecimal", "g\r\nhello\r\n"},
            {"with a prefix", "0x5\r\nhello\r\n"},
            {"signed", "-5\r\nhello\r\n"},
            {"plus", "+5\r\nhello\r\n"},
            {"a blank before", " 5\r\nhello\r\n"},
            {"something behind", "5 6\r\nhello\r\n"},
            {"overflowing", "10000000000000005\r\nhello\r\n"},
            {"a lone LF", "5\nhello\r\n0\r\n\r\n"},
            {"a lone LF behind data", "5\r\nhello\n0\r\n\r\n"},
            {"a lone CR", "5\rhello\r\n"},
            {"longer than it says", "5\r\nhello!\r\n0\r\n\r\n"},
            {"a long extension", "5;" + std::string(kMaxChunkLine, 'x') + "\r\nhello\r\n"},
            {"NUL in an extension", std::string("5;a\0b\r\nhello\r\n", 14)},
            {"a trailer that is none", "0\r\nnonsense\r\n\r\n"},
            {"a folded trailer", "0\r\nA: b\r\n c\r\n\r\n"},
            {"long trailers", "0\r\nA: " + std::string(kMaxTrailers, 'x') + "\r\n\r\n"},
        };
        for (const auto& [name, text] : rows) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
        std::string many = "0\r\n";
        for (std::size_t i = 0; i < kMaxTrailers / 100 + 2; ++i) {
            many += "A: " + std::string(100, 'x') + "\r\n";
        }
        QTest::newRow("many trailers") << QByteArray::fromStdString(many + "\r\n");
        std::string costly;
        for (std::size_t i = 0; i < kMaxExtensions / 200 + 2; ++i) {
            costly += "1;" + std::string(200, 'x') + "\r\na\r\n";
        }
        QTest::newRow("many extensions") << QByteArray::fromStdString(costly + "0\r\n\r\n");
    }
    void aChunkThatIsNotInOrderIsRefused() {
        QFETCH(QByteArray, text);
        for (const std::size_t piece : {std::size_t(1), std::size_t(7), std::size_t(1'000'000)}) {
            QVERIFY(!chunked(text.toStdString(), piece).good);
        }
    }

    void aLengthIsKept() {
        const auto got = read({BodyEnd::Kind::Length, 5}, "hello, and more", 3);
        QCOMPARE(got.body, std::string("hello"));
        QVERIFY(got.done && got.rest == ", and more");
        QVERIFY(!read({BodyEnd::Kind::Length, 50}, "hello", 3).done);
        QVERIFY(read({BodyEnd::Kind::Length, 0}, "", 1).done && read({}, "", 1).done);
    }

    void whoMayEndWhere() {
        BodyReader toEnd({BodyEnd::Kind::Connection, 0});
        QVERIFY(!toEnd.isDone() && toEnd.mayEndHere());
        BodyReader half({BodyEnd::Kind::Length, 2});
        QVERIFY(half.next(asBytes("a")).has_value() && !half.mayEndHere());
        BodyReader open({BodyEnd::Kind::Chunked, 0});
        QVERIFY(open.next(asBytes("1\r\n")).has_value() && !open.mayEndHere());
    }
};

QTEST_GUILESS_MAIN(TestHttpBody)
#include "test_http_body.moc"
