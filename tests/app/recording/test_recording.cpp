// SPDX-License-Identifier: Apache-2.0
// What becomes of a terminal's bytes in a recording: events and pieces, what is masked, what of the input is kept.
#include "app/recording/cast_writer.h"

#include <QTest>

using namespace carrel;
using namespace carrel::recording;

namespace {

SecretMarks marksOf(const std::vector<std::string>& secrets) {
    std::array<std::uint8_t, 24> random{};
    for (std::size_t i = 0; i < random.size(); ++i) {
        random[i] = static_cast<std::uint8_t>(i * 37 + 11);
    }
    auto out = SecretMarks::withSalt(random);
    for (const auto& secret : secrets) {
        (void)out.add(secret);
    }
    return SecretMarks::decode(out.encode()).value();
}

std::string joined(const std::vector<Piece>& pieces) {
    std::string out;
    for (const auto& piece : pieces) {
        out += piece.bytes;
    }
    return out;
}

std::string masked(const std::vector<std::string>& secrets, const std::string& text, std::size_t step) {
    SecretMask mask(marksOf(secrets));
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += step) {
        out += joined(mask.feed(at, text.substr(at, step)));
    }
    return out + joined(mask.finish());
}

std::string textOf(const ChunkContent& content, char code) {
    std::string out;
    for (const auto& event : content.events) {
        out += event.code == code ? event.text : "";
    }
    return out;
}

ChunkContent read(CastWriter& writer) {
    const auto piece = writer.take();
    return piece ? readChunk(piece->data, piece->firstUs).value() : ChunkContent{};
}

} // namespace

class TestRecording : public QObject {
    Q_OBJECT

private slots:
    void eventsComeBackWithTheirMoments() {
        CastWriter writer(80, 24, marksOf({}));
        writer.output(1'500'000, "one\r\n");
        writer.resize(2'000'000, 100, 30);
        writer.output(2'000'250, "zwei \xc3");
        writer.output(2'000'500, "\xbc\r\n");
        writer.finish();
        const auto piece = writer.take();
        QVERIFY(piece.has_value());
        QCOMPARE(piece->firstUs, std::uint64_t{1'500'000});
        QCOMPARE(piece->lastUs, std::uint64_t{2'000'500});
        const auto content = readChunk(piece->data, piece->firstUs).value();
        const std::vector<CastEvent> expected{
            {1'500'000, 'o', "one\r\n"}, {2'000'000, 'r', "100x30"}, {2'000'250, 'o', "zwei "}, {2'000'500, 'o', "\xc3\xbc\r\n"}};
        QVERIFY(content.events == expected);
        QVERIFY(!writer.take());
    }

    void theNextPieceBeginsWithTheScreenAsItIs() {
        CastWriter writer(20, 4, marksOf({}));
        writer.output(0, "a\r\nb \x1b[1;31mred\x1b[0m\r\n");
        QVERIFY(read(writer).screen.find("red") == std::string::npos); // it began empty
        writer.output(10, "later");
        const auto second = read(writer);
        terminal::Screen drawn(4, 20);
        terminal::Screen straight(4, 20);
        for (std::string_view rest = second.screen; !rest.empty(); rest.remove_prefix(std::min<std::size_t>(rest.size(), 64))) {
            drawn.feed(rest.substr(0, 64));
        }
        straight.feed("a\r\nb \x1b[1;31mred\x1b[0m\r\n");
        QVERIFY(second.screen.find("red") != std::string::npos);
        QCOMPARE(drawn.redraw(), straight.redraw());
        QCOMPARE(textOf(second, 'o'), std::string("later"));
    }

    void aCredentialIsMaskedWhereverItBeginsAndHoweverItIsCut() {
        const std::string secret = "sk-ant-0123456789abcdef";
        for (std::size_t before = 0; before < 4; ++before) {
            for (const std::size_t step : {1U, 2U, 7U, 1000U}) {
                const auto text = std::string(before, 'x') + secret + " and \r\n" + secret + "tail";
                const auto out = masked({secret, "another-secret-of-one"}, text, step);
                QCOMPARE(out, std::string(before, 'x') + std::string(secret.size(), '*') + " and \r\n" + std::string(secret.size(), '*') + "tail");
            }
        }
        QCOMPARE(masked({secret}, "sk-ant-0123456789abcdeX", 3), std::string("sk-ant-0123456789abcdeX")); // it looks at all of it
        // base64 of "xx" + secret
        const auto out = masked({secret}, "eHhzay1hbnQtMDEyMzQ1Njc4OWFiY2RlZg==", 5);
        QVERIFY2(out.find("YW50LTAxMjM0NTY3ODlhYmNk") == std::string::npos && out.find("1Njc4OWFi") == std::string::npos, out.c_str());
    }

    void overlappingCredentialsAreBothMasked() {
        QCOMPARE(masked({"abcdefgh", "efghijkl"}, "-abcdefghijkl-", 3), std::string("-************-"));
    }

    // I6: also in the screen at a piece's beginning, across pieces, and where a sequence that is left out stood in its midst.
    void noPieceHoldsACredential() {
        const std::string secret = "hunter2-hunter2-hunter2";
        CastWriter writer(80, 24, marksOf({secret}));
        writer.output(1, "key=" + secret.substr(0, 9));
        const auto first = writer.take(); // whatever is in it
        writer.output(2, "\x1b]0;title\x07" + secret.substr(9) + "\r\n$ ");
        const auto second = writer.take();
        writer.output(3, "after");
        writer.finish();
        const auto third = writer.take();
        std::string all;
        for (const auto* piece : {&first, &second, &third}) {
            if (*piece) {
                const auto content = readChunk((*piece)->data, (*piece)->firstUs).value();
                all += textOf(content, 'o');
                QVERIFY(content.screen.find("hunter2") == std::string::npos);
            }
        }
        QCOMPARE(all, "key=" + std::string(secret.size(), '*') + "\r\n$ after");
    }

    void aLineThatTheTerminalShowedIsKept() {
        CastWriter writer(80, 24, marksOf({"very-secret-word"}));
        const auto say = [&](const std::string& line) {
            for (const char each : line) {
                writer.input(1, std::string(1, each));
                writer.output(2, std::string(1, each));
            }
            writer.input(3, "\r");
            writer.output(4, "\r\nresult\r\n$ ");
        };
        say("ls -l");
        say("echo very-secret-word");
        writer.finish();
        QCOMPARE(textOf(read(writer), 'i'), std::string("ls -l\recho ****************\r"));
    }

    void aPasswordIsNever_data() {
        QTest::addColumn<QString>("shown");
        QTest::newRow("nothing") << "";
        QTest::newRow("asterisks") << "*******";
        QTest::newRow("the beginning") << "hun";
        QTest::newRow("each twice") << "hhuunntteerr";
    }
    void aPasswordIsNever() {
        QFETCH(QString, shown);
        CastWriter writer(80, 24, marksOf({}));
        writer.output(0, "Password: ");
        writer.input(1, "hunter2");
        writer.output(2, shown.toStdString());
        writer.input(3, "\r");
        writer.output(4, "\r\nhunter2\r\n$ "); // later is too late: it is not the echo
        writer.input(5, "ok");
        writer.output(6, "ok");
        writer.input(7, "\r");
        writer.output(8, "\r\n");
        writer.finish();
        QCOMPARE(textOf(read(writer), 'i'), std::string("ok\r"));
    }

    void passwordsTypedAheadAreNotKept() {
        CastWriter writer(80, 24, marksOf({}));
        writer.input(1, "su\rhunter2\rls\r");
        writer.output(2, "su\r\nPassword: \r\n$ ls\r\n");
        writer.input(3, "id\r");
        writer.output(4, "$ id\r\n$ ");
        writer.input(5, "pwd\r");
        writer.output(6, "pwd\r\n");
        writer.finish();
        const auto kept = textOf(read(writer), 'i');
        QVERIFY2(kept.find("hunter") == std::string::npos, kept.c_str());
        QVERIFY(kept.starts_with("su\r"));
        QVERIFY(kept.ends_with("pwd\r"));
    }

    void whatIsNotAChunkIsRefused() {
        const auto good = compress(chunkHead(80, 24, "") + castLine({5, 'o', "x"}, 0)).value();
        QVERIFY(readChunk(good, 0));
        for (std::size_t cut = 0; cut < good.size(); ++cut) {
            QVERIFY(!readChunk(std::string_view(good).substr(0, cut), 0));
        }
        for (const std::string& raw :
             {std::string(), std::string("[]\n"), chunkHead(0, 24, ""), chunkHead(80, 24, "") + "[0.1, \"x\", \"\"]\n", chunkHead(80, 24, "") + "[-0.1, \"o\", \"\"]\n",
              chunkHead(80, 24, "") + "[0.1, \"o\", \"\"]", chunkHead(80, 24, "") + "[1e300, \"o\", \"\"]\n"}) {
            QVERIFY2(!readChunk(compress(raw).value(), 0), raw.c_str());
        }
        QVERIFY(readChunk(compress(std::string(kMaxChunkRaw + 1, 'x')).value(), 0).error().code == ErrorCode::LimitExceeded);
    }

    void marksAreReadStrictly() {
        const auto good = marksOf({"some-secret-text"}).encode();
        QVERIFY(!SecretMarks::decode(good.substr(1)));
        QVERIFY(!SecretMarks::decode(""));
        auto zero = good;
        zero[24] = zero[25] = zero[26] = zero[27] = '\0';
        QVERIFY(!SecretMarks::decode(zero));
        QVERIFY(good.find("some-secret-text") == std::string::npos);
    }
};

QTEST_GUILESS_MAIN(TestRecording)
#include "test_recording.moc"
