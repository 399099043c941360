// SPDX-License-Identifier: Apache-2.0
// What a window takes from the program that draws a terminal: one form of each message, and nothing else (I7, I11).
#include "app/api/terminal_wire.h"

#include <QTest>

using namespace carrel;
using namespace carrel::api::terminal;

namespace {

std::string bodyOf(const std::string& message) {
    return message.substr(4);
}

Cell cellOf(std::uint32_t point, std::uint8_t columns = 1, Style style = {}) {
    Cell cell;
    cell.points[0] = point;
    cell.count = 1;
    cell.columns = columns;
    cell.style = style;
    return cell;
}

ScreenState screenOf(std::uint16_t rows, std::uint16_t columns) {
    ScreenState out;
    out.rows = rows;
    out.columns = columns;
    return out;
}

Line richLine() {
    Style red;
    red.attributes = kBold | kStrike;
    red.foreground = {Colour::Kind::Indexed, 9, 0, 0};
    red.background = {Colour::Kind::Rgb, 1, 2, 3};
    Line line{cellOf('a'), cellOf(0x6f22, 2, red), cellOf('b', 1, red), cellOf('e')};
    line[3].points[1] = 0x301;
    line[3].count = 2;
    return line;
}

std::string bytes(std::initializer_list<int> numbers) {
    std::string out;
    for (const int number : numbers) {
        out += static_cast<char>(number);
    }
    return out;
}

// A frame of 24 by 80 with these lines, whose counts and bytes are the caller's.
std::string frameWith(const std::string& tail) {
    return bytes({2, 24, 0, 80, 0, 1, 0, 0, 0, 0, 0, 0}) + tail;
}

} // namespace

class TestTerminalWire : public QObject {
    Q_OBJECT
private slots:
    void framesComeBack() {
        auto screen = screenOf(24, 80);
        screen.cursorRow = 23;
        screen.cursorColumn = 79;
        screen.cursorShape = CursorShape::Bar;
        screen.cursorBlinks = screen.alternate = screen.cursorKeys = screen.bracketedPaste = screen.bell = screen.inputLost = true;
        screen.cursorVisible = false;
        FrameWriter writer(screen);
        const auto line = encodeLine(richLine());
        QVERIFY(writer.addScrolled(line) && writer.addScrolled(encodeLine({})) && writer.addRow(0, encodeLine({})) && writer.addRow(23, line));
        const auto decoded = decodeToWindow(bodyOf(writer.finish()));
        QVERIFY(decoded);
        const auto& frame = std::get<Frame>(*decoded);
        QVERIFY(frame.screen == screen);
        QCOMPARE(frame.scrolled.size(), std::size_t{2});
        QVERIFY(decodeLine(frame.scrolled[0]) && *decodeLine(frame.scrolled[0]) == richLine());
        QCOMPARE(frame.rows.size(), std::size_t{2});
        QVERIFY(frame.rows[0].second.empty() && frame.rows[1].first == 23 && frame.rows[1].second == richLine());
    }

    void theOthersComeBack() {
        const auto confined = decodeToWindow(bodyOf(encode(Confined{6})));
        QVERIFY(confined && std::get<Confined>(*confined).landlockAbi == 6);
        Ended end{Ended::How::Failed, 3, Error{ErrorCode::NotFound, std::string(2000, 'm'), "hint", 0, nullptr}};
        const auto ended = decodeToWindow(bodyOf(encode(end)));
        QVERIFY(ended);
        const auto& told = std::get<Ended>(*ended);
        QVERIFY(told.how == end.how && told.number == 3 && told.error.code == ErrorCode::NotFound && told.error.hint == "hint");
        QCOMPARE(told.error.message.size(), kMaxWords);
        const auto input = decodeToTerminal(bodyOf(encode(Input{std::string("\0\x1b[A", 4)})));
        QVERIFY(input && std::get<Input>(*input).bytes == std::string("\0\x1b[A", 4));
        const auto size = decodeToTerminal(bodyOf(encode(Resize{kMaxRows, kMinColumns})));
        QVERIFY(size && std::get<Resize>(*size).rows == kMaxRows && std::get<Resize>(*size).columns == kMinColumns);
        QVERIFY(decodeToTerminal(bodyOf(encode(Seen{}))));
    }

    void blanksAtTheEndAreNotSent() {
        Line line{cellOf('a'), Cell{}, Cell{}};
        QCOMPARE(encodeLine(line), encodeLine({cellOf('a')}));
        line.back().style.background = {Colour::Kind::Indexed, 4, 0, 0}; // but one that shows a colour is
        QCOMPARE(decodeLine(encodeLine(line))->size(), std::size_t{3});
    }

    void whatIsRefused_data() {
        QTest::addColumn<QByteArray>("message");
        const auto row = [](const char* name, const std::string& message) { QTest::newRow(name) << QByteArray::fromStdString(message); };
        const auto one = bytes({0, 0, 1, 0, 0, 0}); // nothing scrolled, one row, number 0; then its line
        row("nothing", "");
        row("an unknown kind", bytes({99}));
        row("a message for the other side", bytes({4, 'x'}));
        row("no ABI", bytes({1}));
        row("more after the ABI", bytes({1, 1, 1}));
        row("too few rows", bytes({2, 1, 0, 80, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
        row("too many columns", bytes({2, 24, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
        row("unknown flags", bytes({2, 24, 0, 80, 0, 0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
        row("an unknown cursor", bytes({2, 24, 0, 80, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0}));
        row("a cursor below", bytes({2, 24, 0, 80, 0, 1, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0}));
        row("a cursor beside", bytes({2, 24, 0, 80, 0, 1, 0, 0, 0, 0, 80, 0, 0, 0, 0, 0}));
        row("cut short", frameWith(bytes({0})));
        row("more at the end", frameWith(bytes({0, 0, 0, 0, 0})));
        row("more scrolled than is allowed", frameWith(bytes({1, 4}) + std::string(2 * 1025, '\0') + bytes({0, 0})));
        row("more rows than there are", frameWith(bytes({0, 0, 25, 0})));
        row("a row that is not there", frameWith(bytes({0, 0, 1, 0, 24, 0, 0, 0})));
        row("a row twice", frameWith(bytes({0, 0, 2, 0, 3, 0, 0, 0, 3, 0, 0, 0})));
        row("rows in disorder", frameWith(bytes({0, 0, 2, 0, 3, 0, 0, 0, 2, 0, 0, 0})));
        row("fewer cells than it says", frameWith(one + bytes({2, 0, 1, 'a', 0, 0})));
        row("more cells than columns", frameWith(one + bytes({81, 0}) + [] {
                                                     std::string out;
                                                     for (int i = 0; i < 81; ++i) {
                                                         out += bytes({1, 'a', 0, 0});
                                                     }
                                                     return out;
                                                 }()));
        row("wide cells beyond the columns", frameWith(one + bytes({41, 0}) + [] {
                                                           std::string out;
                                                           for (int i = 0; i < 41; ++i) {
                                                               out += bytes({9, 'a', 0, 0});
                                                           }
                                                           return out;
                                                       }()));
        row("an unknown head", frameWith(one + bytes({1, 0, 0x21, 'a', 0, 0})));
        row("six characters", frameWith(one + bytes({1, 0, 6, 'a', 0, 0, 1, 3, 0, 1, 3, 0, 1, 3, 0, 1, 3, 0, 1, 3, 0})));
        row("a blank at the end", frameWith(one + bytes({1, 0, 0})));
        row("a space as a character", frameWith(one + bytes({1, 0, 1, ' ', 0, 0})));
        row("a control character", frameWith(one + bytes({1, 0, 1, 0x1b, 0, 0})));
        row("a line end", frameWith(one + bytes({1, 0, 1, '\n', 0, 0})));
        row("a C1 control", frameWith(one + bytes({1, 0, 1, 0x9b, 0, 0})));
        row("a bidirectional override", frameWith(one + bytes({1, 0, 1, 0x2e, 0x20, 0})));
        row("a zero-width joiner", frameWith(one + bytes({1, 0, 1, 0x0d, 0x20, 0})));
        row("a joiner as a mark", frameWith(one + bytes({1, 0, 2, 'a', 0, 0, 0x0d, 0x20, 0})));
        row("a letter as a mark", frameWith(one + bytes({1, 0, 2, 'a', 0, 0, 'b', 0, 0})));
        row("a mark alone", frameWith(one + bytes({1, 0, 1, 1, 3, 0})));
        row("private use", frameWith(one + bytes({1, 0, 1, 0, 0xe0, 0})));
        row("a surrogate", frameWith(one + bytes({1, 0, 1, 0, 0xd8, 0})));
        row("beyond Unicode", frameWith(one + bytes({1, 0, 1, 0, 0, 0x11})));
        row("unknown attributes", frameWith(one + bytes({1, 0, 0x11, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 0})));
        row("an unknown colour", frameWith(one + bytes({1, 0, 0x11, 1, 3, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 0})));
        row("an index with more", frameWith(one + bytes({1, 0, 0x11, 1, 1, 7, 1, 0, 0, 0, 0, 0, 'a', 0, 0})));
        row("a default colour with more", frameWith(one + bytes({1, 0, 0x11, 1, 0, 7, 0, 0, 0, 0, 0, 0, 'a', 0, 0})));
        row("a style that is no other", frameWith(one + bytes({1, 0, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 0})));
        row("an unknown end", bytes({3, 6, 0, 0, 0, 0, 0, 0}));
        row("an unknown error", bytes({3, 0, 0, 99, 0, 0, 0, 0}));
        row("words too long", bytes({3, 0, 0, 0, 1, 2}) + std::string(513, 'x') + bytes({0, 0}));
        row("words cut short", bytes({3, 0, 0, 0, 5, 0, 'a'}));
        row("more after the end", bytes({3, 0, 0, 0, 0, 0, 0, 0, 0}));
    }
    void whatIsRefused() {
        QFETCH(QByteArray, message);
        const auto decoded = decodeToWindow(message.toStdString());
        QVERIFY(!decoded);
        QVERIFY(decoded.error().code == ErrorCode::Malformed);
    }
    // The rows above differ from this by what they name.
    void whatIsNot() {
        const auto one = bytes({0, 0, 1, 0, 0, 0});
        QVERIFY(decodeToWindow(frameWith(bytes({0, 0, 0, 0}))));
        QVERIFY(decodeToWindow(frameWith(one + bytes({1, 0, 1, 'a', 0, 0}))));
        QVERIFY(decodeToWindow(frameWith(one + bytes({1, 0, 2, 'a', 0, 0, 1, 3, 0}))));
        QVERIFY(decodeToWindow(frameWith(one + bytes({1, 0, 0x11, 1, 1, 7, 0, 0, 0, 0, 0, 0, 'a', 0, 0}))));
        QVERIFY(decodeToWindow(bytes({3, 5, 0, 12, 0, 0, 0, 0})));
    }

    void theOtherSideIsStrictToo() {
        for (const auto& message : {bytes({4}), bytes({4}) + std::string(kMaxInput + 1, 'x'), bytes({5, 24, 0, 80}), bytes({5, 1, 0, 80, 0}),
                                    bytes({5, 24, 0, 4, 0}), bytes({5, 24, 0, 80, 0, 0}), bytes({6, 0}), bytes({2}), std::string()}) {
            QVERIFY(!decodeToTerminal(message));
        }
    }

    void aStreamIsCut() {
        const auto first = encode(Input{"one"});
        const auto second = encode(Seen{});
        const auto stream = first + second + first.substr(0, 6);
        for (std::size_t step = 1; step <= stream.size(); ++step) {
            MessageSplitter splitter(kMaxToTerminal);
            std::vector<std::string> got;
            for (std::size_t at = 0; at < stream.size(); at += step) {
                splitter.feed(std::string_view(stream).substr(at, step));
                for (auto next = splitter.next(); next && *next; next = splitter.next()) {
                    got.push_back(**next);
                }
            }
            QCOMPARE(got.size(), std::size_t{2});
            QCOMPARE(got[0], bodyOf(first));
            QCOMPARE(got[1], bodyOf(second));
        }
    }

    void aWrongLengthIsTheEnd() {
        for (const auto& length : {bytes({0, 0, 0, 0}), bytes({2, 0x80, 0, 0}), bytes({-1, -1, -1, -1})}) {
            MessageSplitter splitter(kMaxToTerminal);
            splitter.feed(length);
            QVERIFY(!splitter.next());
            splitter.feed(encode(Seen{}));
            QVERIFY(!splitter.next());
        }
    }

    void aFrameHasItsBounds() {
        FrameWriter many(screenOf(24, 80));
        const auto empty = encodeLine({});
        for (std::size_t i = 0; i < kMaxScrolled; ++i) {
            QVERIFY(many.addScrolled(empty));
        }
        QVERIFY(!many.addScrolled(empty));
        QVERIFY(decodeToWindow(bodyOf(many.finish())));
        Line costly;
        for (std::size_t i = 0; i < kMaxColumns; ++i) {
            Style style;
            style.attributes = i % 2 == 0 ? kBold : kItalic;
            auto cell = cellOf('a', 1, style);
            for (std::size_t mark = 1; mark < kMaxCharacters; ++mark) {
                cell.points[mark] = 0x301;
            }
            cell.count = kMaxCharacters;
            costly.push_back(cell);
        }
        const auto line = encodeLine(costly);
        QCOMPARE(line.size(), kMaxLineBytes);
        FrameWriter large(screenOf(kMaxRows, kMaxColumns));
        std::uint16_t rows = 0;
        while (large.addRow(rows, line)) {
            ++rows;
        }
        QVERIFY(rows > 100 && rows < kMaxRows);
        const auto message = large.finish();
        QVERIFY(message.size() - 4 <= kMaxToWindow);
        const auto decoded = decodeToWindow(bodyOf(message));
        QVERIFY(decoded && std::get<Frame>(*decoded).rows.size() == rows && std::get<Frame>(*decoded).rows.back().second == costly);
    }
};

QTEST_GUILESS_MAIN(TestTerminalWire)
#include "test_terminal_wire.moc"
