// SPDX-License-Identifier: Apache-2.0
// carrel-player as it is shipped: which pictures come of which pieces, what it does with hostile ones, and that it is confined (I1)
// before the first of them.
#include "app/api/player_wire.h"
#include "app/api/terminal_process.h"
#include "app/api/terminal_wire.h"
#include "app/recording/chunk.h"

#include <QFile>
#include <QIODevice>
#include <QTest>

#include <array>
#include <functional>
#include <poll.h>
#include <sys/socket.h>

using namespace carrel;
using namespace carrel::api::player;
using recording::CastEvent;

namespace {

constexpr int kGuardMs = 60'000; // it only ends a test that hangs

Piece piece(Piece::How how, std::uint64_t firstUs, const std::string& screen, const std::vector<CastEvent>& events, std::uint16_t columns = 40, std::uint16_t rows = 5) {
    auto raw = recording::chunkHead(columns, rows, screen);
    auto us = firstUs;
    for (const auto& event : events) {
        raw += recording::castLine(event, us);
        us = event.us;
    }
    return {how, firstUs, recording::compress(raw).value()};
}

// The window's two lines.
class Rig {
public:
    Rig() {
        std::array<int, 2> ends{-1, -1};
        (void)!::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data());
        m_line = UniqueFd(ends[0]);
        if (auto started = api::TerminalProcess::start(CARREL_BIN_DIR "/carrel-player", UniqueFd(ends[1]))) {
            m_process = std::move(*started);
        }
    }
    void give(const Piece& piece) { raw(encode(piece)); }
    void raw(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto sent = ::send(m_line.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return;
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    void toPicture(const std::string& bytes) { (void)::send(m_process->link(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    // What is drawn by then, and when the next comes.
    std::optional<std::uint64_t> drawUntil(std::uint64_t us) {
        raw(encode(Until{++m_order, us}));
        (void)until([&] { return gone || (answer && answer->order == m_order); });
        const auto next = answer ? answer->nextUs : std::nullopt;
        return next;
    }
    bool until(const std::function<bool()>& holds) {
        while (!holds()) {
            std::array<pollfd, 2> polled{pollfd{m_lineGone ? -1 : m_line.get(), POLLIN, 0}, pollfd{gone ? -1 : m_process->link(), POLLIN, 0}};
            if ((gone && m_lineGone) || ::poll(polled.data(), polled.size(), kGuardMs) <= 0) {
                return holds();
            }
            std::array<char, 65536> buffer;
            if (polled[0].revents != 0) {
                const auto got = ::recv(m_line.get(), buffer.data(), buffer.size(), 0);
                m_lineGone = got <= 0;
                m_answers.feed({buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
                while (auto next = m_answers.next().value_or(std::nullopt)) {
                    answer = decodeDrawn(*next).value();
                }
            }
            if (polled[1].revents != 0) {
                const auto got = ::recv(m_process->link(), buffer.data(), buffer.size(), MSG_DONTWAIT);
                gone = got <= 0;
                m_pictures.feed({buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
                while (auto next = m_pictures.next().value_or(std::nullopt)) {
                    take(api::terminal::decodeToWindow(*next).value());
                }
            }
        }
        return true;
    }
    [[nodiscard]] std::string text() const {
        std::string out;
        for (const auto& line : rows) {
            std::string row;
            for (const auto& cell : line) {
                row += cell.count == 0 ? ' ' : static_cast<char>(cell.points[0]);
            }
            out += row.substr(0, row.find_last_not_of(' ') + 1) + '\n';
        }
        return out.substr(0, out.find_last_not_of('\n') + 1);
    }
    bool shows(const std::string& wanted) {
        return until([&] { return text() == wanted; });
    }
    [[nodiscard]] pid_t pid() const { return m_process ? m_process->pid() : -1; }

    bool confined = false, gone = false;
    std::size_t scrolled = 0;
    api::terminal::ScreenState screen;
    std::vector<api::terminal::Line> rows;
    std::optional<Drawn> answer;
    std::optional<api::terminal::Ended> ended;

private:
    void take(api::terminal::ToWindow message) {
        if (std::holds_alternative<api::terminal::Confined>(message)) {
            confined = true;
        } else if (auto* frame = std::get_if<api::terminal::Frame>(&message)) {
            screen = frame->screen;
            scrolled += frame->scrolled.size();
            rows.resize(screen.rows);
            for (auto& [number, line] : frame->rows) {
                rows[number] = std::move(line);
            }
            toPicture(encode(api::terminal::Seen{}));
        } else {
            ended = std::get<api::terminal::Ended>(message);
        }
    }

    UniqueFd m_line;
    std::optional<api::TerminalProcess> m_process;
    api::terminal::MessageSplitter m_answers{kMaxToWindow};
    api::terminal::MessageSplitter m_pictures{api::terminal::kMaxToWindow};
    std::uint32_t m_order = 0;
    bool m_lineGone = false;
};

using How = Piece::How;

} // namespace

class TestPlayer : public QObject {
    Q_OBJECT
private slots:
    void drawsWhatHappenedUntilThen() {
        Rig rig;
        rig.give(piece(How::BeginsAnew, 100, "", {{100, 'o', "one"}, {200, 'i', "never shown"}, {300, 'o', " two"}, {400, 'o', " three"}}));
        QCOMPARE(rig.drawUntil(99), std::optional<std::uint64_t>(100));
        QCOMPARE(rig.drawUntil(100), std::optional<std::uint64_t>(200));
        QVERIFY(rig.shows("one"));
        QCOMPARE(rig.drawUntil(350), std::optional<std::uint64_t>(400));
        QVERIFY(rig.shows("one two"));
        QCOMPARE(rig.drawUntil(1'000'000), std::optional<std::uint64_t>());
        QVERIFY(rig.shows("one two three"));
        QCOMPARE(rig.screen.columns, std::uint16_t{40});
        // The next goes on where it is; its own screen is for whoever begins there.
        rig.give(piece(How::GoesOn, 500, "its screen", {{500, 'o', "\r\nfour"}}));
        QCOMPARE(rig.drawUntil(500), std::optional<std::uint64_t>());
        QVERIFY(rig.shows("one two three\nfour"));
    }
    // Whatever was shown before: one piece is enough.
    void aMomentIsSoughtByOnePiece() {
        Rig rig;
        rig.give(piece(How::BeginsAnew, 0, "", {{0, 'o', "a\r\nb\r\nc\r\nd\r\ne"}}));
        (void)rig.drawUntil(0);
        QVERIFY(rig.shows("a\nb\nc\nd\ne"));
        rig.give(piece(How::BeginsAnew, 9'000'000, "\x1b[Hthe screen then", {{9'000'000, 'o', "\r\nlater"}, {9'500'000, 'r', "20x3"}}));
        (void)rig.drawUntil(0);
        QVERIFY(rig.shows("the screen then"));
        (void)rig.drawUntil(9'100'000);
        QVERIFY(rig.shows("the screen then\nlater"));
        (void)rig.drawUntil(9'500'000);
        QVERIFY(rig.until([&] { return rig.screen.rows == 3 && rig.screen.columns == 20; }));
    }
    // What is left of the one before is drawn, too, where the next is given early; and what leaves the screen is not told.
    void nothingIsLeftOut() {
        Rig rig;
        std::vector<CastEvent> many;
        for (std::uint64_t i = 0; i < 3000; ++i) {
            many.push_back({i, 'o', std::to_string(i) + "\r\n"});
        }
        rig.give(piece(How::BeginsAnew, 0, "", many));
        rig.give(piece(How::GoesOn, 5000, "", {{5000, 'o', "end"}}));
        (void)rig.drawUntil(5000);
        QVERIFY(rig.shows("2996\n2997\n2998\n2999\nend"));
        QCOMPARE(rig.scrolled, std::size_t{0});
    }
    // I11: also what was recorded passes the list of sequences.
    void sequencesArePassedByTheList() {
        Rig rig;
        rig.give(piece(How::BeginsAnew, 0, "a\x1b]0;title\x07", {{0, 'o', "b\x1b[6n\x1b]52;c;AAAA\x07 c"}}));
        (void)rig.drawUntil(0);
        QVERIFY(rig.shows("ab c"));
    }

    void aHostilePieceEndsIt_data() {
        QTest::addColumn<QByteArray>("data");
        const auto packed = [](const std::string& raw) { return QByteArray::fromStdString(recording::compress(raw).value()); };
        const auto head = recording::chunkHead(40, 5, "hostile") + recording::castLine({0, 'o', "hostile"}, 0);
        QTest::newRow("nothing") << QByteArray();
        QTest::newRow("no zstd") << QByteArray(1000, 'x');
        QTest::newRow("cut") << packed(head).chopped(1);
        QTest::newRow("another event") << packed(head + "[0.1, \"x\", \"\"]\n");
        QTest::newRow("no size") << packed(head + "[0.1, \"r\", \"40 by 5\"]\n");
        QTest::newRow("a size with a tail") << packed(head + "[0.1, \"r\", \"40x5x\"]\n");
        QTest::newRow("a negative size") << packed(head + "[0.1, \"r\", \"40x-5\"]\n");
        QTest::newRow("a huge size") << packed(head + "[0.1, \"r\", \"70000x5\"]\n");
        QTest::newRow("too long") << packed(head + std::string(recording::kMaxChunkRaw, ' '));
        QTest::newRow("deep") << packed(head + std::string(100'000, '[') + "\n");
    }
    void aHostilePieceEndsIt() {
        QFETCH(QByteArray, data);
        Rig rig;
        rig.give(piece(How::BeginsAnew, 0, "", {{0, 'o', "good"}}));
        (void)rig.drawUntil(0);
        QVERIFY(rig.shows("good"));
        rig.give({How::GoesOn, 0, data.toStdString()});
        (void)rig.drawUntil(UINT64_MAX);
        QVERIFY(rig.until([&] { return rig.gone; }));
        QCOMPARE(rig.text(), std::string("good"));
        QVERIFY(rig.ended && rig.ended->how == api::terminal::Ended::How::Failed && rig.ended->error.message.find("this piece of the recording") == 0);
    }
    // What came before it is shown to its end, also where the window takes its time.
    void whatCameBeforeIsShown() {
        Rig rig;
        rig.raw(encode(piece(How::BeginsAnew, 0, "", {{0, 'o', "good"}})) + encode(Until{1, 0}) + encode(Piece{How::GoesOn, 0, "hostile"}) + encode(Until{2, 0}));
        QVERIFY(rig.until([&] { return rig.gone; }));
        QCOMPARE(rig.text(), std::string("good"));
        QVERIFY(rig.ended.has_value());
    }
    // A size that no terminal has here is brought within bounds.
    void sizesAreBounded() {
        Rig rig;
        rig.give(piece(How::BeginsAnew, 0, "", {{1, 'o', "x"}, {2, 'r', "9999x9999"}}, 1, 1));
        (void)rig.drawUntil(1);
        QVERIFY(rig.until([&] { return rig.screen.columns == api::terminal::kMinColumns && rig.screen.rows == api::terminal::kMinRows; }));
        (void)rig.drawUntil(2);
        QVERIFY(rig.until([&] { return rig.screen.columns == api::terminal::kMaxColumns && rig.screen.rows == api::terminal::kMaxRows; }));
    }

    void nonsenseEndsIt_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<bool>("byItsOrders");
        QTest::newRow("an order too long") << QByteArray("\xff\xff\xff\x7f", 4) << true;
        QTest::newRow("an unknown order") << QByteArray("\x01\0\0\0\x09", 5) << true;
        QTest::newRow("an order with a tail") << QByteArray::fromStdString(encode(Until{1, 1})).replace(0, 1, "\x0e") + 'x' << true;
        QTest::newRow("typed") << QByteArray::fromStdString(encode(api::terminal::Input{"x"})) << false;
        QTest::newRow("no message") << QByteArray("\x01\0\0\0\x09", 5) << false;
    }
    void nonsenseEndsIt() {
        QFETCH(QByteArray, bytes);
        QFETCH(bool, byItsOrders);
        Rig rig;
        QVERIFY(rig.until([&] { return rig.confined; }));
        if (byItsOrders) {
            rig.raw(bytes.toStdString());
        } else {
            rig.toPicture(bytes.toStdString());
        }
        QVERIFY(rig.until([&] { return rig.gone; }));
        QVERIFY(!rig.ended);
    }
    // I1, at the program as it is shipped.
    void confinedBeforeTheFirstPiece() {
        Rig rig;
        QVERIFY(rig.until([&] { return rig.confined; }));
        QFile status(QString("/proc/%1/status").arg(rig.pid()));
        QVERIFY(status.open(QIODevice::ReadOnly));
        const auto text = status.readAll();
        QVERIFY(text.contains("Seccomp:\t2\n") && text.contains("NoNewPrivs:\t1\n"));
    }
    void wordsAreReadStrictly() {
        for (const auto& bad : {std::string(), std::string("\x01"), std::string("\x01\x02") + std::string(8, '\0'), std::string("\x02") + std::string(11, '\0'),
                                std::string("\x02") + std::string(13, '\0'), std::string("\x03") + std::string(5, '\0')}) {
            QVERIFY(!decodeToPlayer(bad));
        }
        for (const auto& bad : {std::string(), std::string("\x03"), std::string("\x03") + std::string(4, '\0'), std::string("\x03\0\0\0\0\x01", 6), std::string("\x03\0\0\0\0\x02", 6),
                                std::string("\x03\0\0\0\0\0\0", 7), std::string("\x02\0\0\0\0\0", 6)}) {
            QVERIFY(!decodeDrawn(bad));
        }
        const auto good = decodeDrawn(encode(Drawn{7, 1ULL << 40U}).substr(4)).value();
        QVERIFY(good.order == 7 && good.nextUs == 1ULL << 40U);
    }
};

QTEST_GUILESS_MAIN(TestPlayer)
#include "test_player.moc"
