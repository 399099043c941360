// SPDX-License-Identifier: Apache-2.0
// The terminal's widget, without a screen: what it paints, sends, copies, and asks before it pastes. With CARREL_TEST_PICTURES it
// leaves pictures of itself in that folder.
#include "tests/ui/terminal/screen_text.h"
#include "tests/ui/dark_palette.h"
#include "ui/terminal/terminal_colours.h"
#include "ui/terminal/terminal_view.h"

#include <QAccessible>
#include <QApplication>
#include <QClipboard>
#include <QDialog>
#include <QEvent>
#include <QInputMethodEvent>
#include <QPlainTextEdit>
#include <QPoint>
#include <QPointF>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QSize>
#include <QStringList>
#include <QTest>
#include <QWheelEvent>

using namespace carrel::ui;
using namespace carrel::test;
using namespace carrel::api::terminal;

namespace {

double luminance(const QColor& colour) {
    const auto part = [](double value) { return value <= 0.03928 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4); };
    return 0.2126 * part(colour.redF()) + 0.7152 * part(colour.greenF()) + 0.0722 * part(colour.blueF());
}

Line& operator+=(Line& line, const Line& more) {
    line.insert(line.end(), more.begin(), more.end());
    return line;
}

Style styled(std::uint8_t attributes, Colour text = {}, Colour ground = {}) {
    return {attributes, text, ground};
}
Colour indexed(int index) {
    return {Colour::Kind::Indexed, static_cast<std::uint8_t>(index), 0, 0};
}

Frame sample() {
    auto frame = frameOf({"ada@desk:~$ ls --color", "", "", "", "", "", "┌─────┬─────┐ ╔═══╦═══╗ ╭───╮ ┏━━┳━━┓", "│ one │ two │ ║ a ║ b ║ │ c │ ┃  ┃  ┃",
                          "├─────┼─────┤ ╠═══╬═══╣ ╰───╯ ┣━━╋━━┫", "└─────┴─────┘ ╚═══╩═══╝ ╘═╤═╛ ┗━━┻━━┛", "▁▂▃▄▅▆▇█▉▊▋▌▍▎▏ ░▒▓ ▖▗▘▙▚▛▜▝▞▟",
                          "漢字かな 한국어 wide", "emoji 😀 🚀 e\u0301 a\u0308\u0301 ｆｕｌｌ", "", "", "", "ada@desk:~$ "},
                         64);
    auto& rows = frame.rows;
    for (int i = 0; i < 16; ++i) {
        rows[1].second += lineOf(QString("%1 ").arg(i, 3), styled(0, indexed(i)));
        rows[2].second += lineOf(QString("%1 ").arg(i, 3), styled(kBold, indexed(i)));
        rows[3].second += lineOf("    ", styled(0, {}, indexed(i)));
    }
    for (int i = 0; i < 60; ++i) {
        rows[4].second += lineOf(" ", styled(0, {}, indexed(16 + i * 3)));
        rows[5].second += lineOf(" ", styled(0, {}, {Colour::Kind::Rgb, static_cast<std::uint8_t>(i * 4), 128, static_cast<std::uint8_t>(255 - i * 4)}));
    }
    const std::pair<const char*, std::uint8_t> styles[] = {{"bold", kBold},       {"italic", kItalic}, {"under", kUnderline},
                                                           {"reverse", kReverse}, {"struck", kStrike}, {"all", kBold | kItalic | kUnderline | kStrike}};
    for (const auto& [name, attributes] : styles) {
        rows[13].second += lineOf(name, styled(attributes));
        rows[13].second += lineOf(" ");
    }
    rows[14].second = lineOf("error:", styled(kBold, indexed(1)));
    rows[14].second += lineOf(" cannot open ");
    rows[14].second += lineOf("src/main.cpp", styled(kUnderline, indexed(12)));
    frame.screen.cursorRow = 16;
    frame.screen.cursorColumn = 12;
    return frame;
}

} // namespace

class TestTerminalView : public QObject {
    Q_OBJECT
private:
    std::unique_ptr<TerminalView> m_view;

    [[nodiscard]] QImage picture() const { return m_view->viewport()->grab().toImage(); }
    [[nodiscard]] QPoint at(int row, int column) const { return m_view->cellRect(m_view->topLine() + row, column).center(); }
    void drag(QPoint from, QPoint to) {
        QTest::mousePress(m_view->viewport(), Qt::LeftButton, {}, from);
        QTest::mouseMove(m_view->viewport(), to);
        // The platform without a screen delivers no moves of a held button by itself.
        QMouseEvent move(QEvent::MouseMove, QPointF(to), m_view->viewport()->mapToGlobal(QPointF(to)), Qt::NoButton, Qt::LeftButton, {});
        QApplication::sendEvent(m_view->viewport(), &move);
        QTest::mouseRelease(m_view->viewport(), Qt::LeftButton, {}, to);
    }
    [[nodiscard]] QDialog* pasteDialog() const { return m_view->findChild<QDialog*>("pasteDialog"); }

private slots:
    void init() {
        m_view = std::make_unique<TerminalView>();
        m_view->resize(640, 400);
        m_view->setLive(true);
        m_view->show();
        m_view->activateWindow();
        m_view->setFocus();
        QVERIFY(QTest::qWaitForWindowActive(m_view.get()));
    }
    void cleanup() { m_view.reset(); }

    void looks_data() {
        QTest::addColumn<bool>("dark");
        QTest::newRow("light") << false;
        QTest::newRow("dark") << true;
    }
    void looks() {
        QFETCH(bool, dark);
        QPalette light;
        light.setColor(QPalette::Base, Qt::white);
        light.setColor(QPalette::Text, QColor(0x20, 0x20, 0x20));
        m_view->setPalette(dark ? carrel::ui::test::darkPalette() : light);
        m_view->take(sample());
        const auto empty = picture();
        QTest::mouseDClick(m_view->viewport(), Qt::LeftButton, {}, at(0, 12));
        QCOMPARE(m_view->selectedText(), QString("ls"));
        QVERIFY(picture() != empty);
        const auto folder = qEnvironmentVariable("CARREL_TEST_PICTURES");
        if (!folder.isEmpty()) {
            QVERIFY(m_view->grab().save(folder + "/terminal-" + QTest::currentDataTag() + ".png"));
            m_view->zoom(4);
            QVERIFY(m_view->grab().save(folder + "/terminal-large-" + QTest::currentDataTag() + ".png"));
        }
    }

    // Every named colour can be read on the window's ground but the two that are grounds themselves.
    void coloursCanBeRead_data() { looks_data(); }
    void coloursCanBeRead() {
        QFETCH(bool, dark);
        const auto palette = dark ? carrel::ui::test::darkPalette() : QPalette(Qt::black, Qt::white);
        for (int i = 0; i < 16; ++i) {
            if (i == (dark ? 0 : 15)) {
                continue;
            }
            const double text = luminance(indexedColour(i, palette));
            const double ground = luminance(palette.color(QPalette::Base));
            const double contrast = (std::max(text, ground) + 0.05) / (std::min(text, ground) + 0.05);
            QVERIFY2(contrast >= 4.5, qPrintable(QString("%1: %2").arg(i).arg(contrast)));
        }
        QCOMPARE(indexedColour(16, palette), QColor(0, 0, 0));
        QCOMPARE(indexedColour(231, palette), QColor(255, 255, 255));
        QCOMPARE(indexedColour(208, palette), QColor(255, 135, 0));
        QCOMPARE(indexedColour(255, palette), QColor(238, 238, 238));
        Style style = styled(kReverse, indexed(1), indexed(4));
        QCOMPARE(coloursOf(style, palette).text, indexedColour(4, palette));
        QCOMPARE(coloursOf(style, palette).ground, indexedColour(1, palette));
    }

    void cellsAreWhereTheyBelong() {
        Frame frame = frameOf({"", ""}, 20);
        frame.rows[0].second = lineOf("a漢");
        frame.rows[0].second += lineOf(" ", styled(0, {}, {Colour::Kind::Rgb, 255, 0, 0}));
        frame.screen.cursorVisible = false;
        m_view->take(std::move(frame));
        const auto image = picture();
        QCOMPARE(image.pixelColor(at(0, 3)), QColor(255, 0, 0)); // after one of one column and one of two
        QVERIFY(image.pixelColor(at(0, 4)) != QColor(255, 0, 0));
    }

    void theCursor() {
        auto frame = frameOf({"", "abc"}, 20);
        frame.screen.cursorRow = 1;
        frame.screen.cursorColumn = 5;
        m_view->take(std::move(frame));
        const auto text = m_view->palette().color(QPalette::Text);
        QCOMPARE(picture().pixelColor(at(1, 5)), text);
        auto bar = frameOf({"", "abc"}, 20);
        bar.screen.cursorRow = 1;
        bar.screen.cursorColumn = 5;
        bar.screen.cursorShape = CursorShape::Bar;
        m_view->take(std::move(bar));
        QVERIFY(picture().pixelColor(at(1, 5)) != text);
        QCOMPARE(picture().pixelColor(m_view->cellRect(1, 5).topLeft()), text);
        m_view->setLive(false);
        QVERIFY(picture().pixelColor(m_view->cellRect(1, 5).topLeft()) != text);
    }

    void keysAreTyped() {
        QSignalSpy typed(m_view.get(), &TerminalView::typed);
        m_view->take(frameOf({"", ""}));
        QTest::keyClicks(m_view.get(), "ls");
        QTest::keyClick(m_view.get(), Qt::Key_Tab); // does not leave
        QTest::keyClick(m_view.get(), Qt::Key_Up);
        auto frame = frameOf({"", ""});
        frame.screen.cursorKeys = true;
        m_view->take(std::move(frame));
        QTest::keyClick(m_view.get(), Qt::Key_Up);
        QByteArray all;
        for (const auto& each : typed) {
            all += each[0].toByteArray();
        }
        QCOMPARE(all, QByteArray("ls\t\x1b[A\x1bOA"));
        QVERIFY(m_view->hasFocus());
        m_view->setLive(false);
        typed.clear();
        QTest::keyClicks(m_view.get(), "ls");
        QVERIFY(typed.isEmpty());
    }

    void shortcutsOfTheWindowDoNotTakeThem() {
        QKeyEvent close(QEvent::ShortcutOverride, Qt::Key_W, Qt::ControlModifier);
        close.ignore();
        QApplication::sendEvent(m_view.get(), &close);
        QVERIFY(close.isAccepted());
        QKeyEvent brake(QEvent::ShortcutOverride, Qt::Key_P, Qt::ControlModifier | Qt::ShiftModifier);
        brake.setAccepted(true);
        QApplication::sendEvent(m_view.get(), &brake);
        QVERIFY(!brake.isAccepted()); // the window's: "Pause everything"
        QKeyEvent leave(QEvent::ShortcutOverride, Qt::Key_Tab, Qt::ControlModifier);
        QApplication::sendEvent(m_view.get(), &leave);
        QVERIFY(!leave.isAccepted());
    }

    void theInputMethod() {
        QSignalSpy typed(m_view.get(), &TerminalView::typed);
        m_view->take(frameOf({"", ""}));
        QVERIFY(m_view->inputMethodQuery(Qt::ImEnabled).toBool());
        const auto before = picture();
        QInputMethodEvent composing("かん", {});
        QApplication::sendEvent(m_view.get(), &composing);
        QVERIFY(typed.isEmpty() && picture() != before);
        QInputMethodEvent chosen;
        chosen.setCommitString("漢\x1b");
        QApplication::sendEvent(m_view.get(), &chosen);
        QCOMPARE(typed.size(), 1);
        QCOMPARE(typed[0][0].toByteArray(), QByteArray("漢"));
        QVERIFY(m_view->inputMethodQuery(Qt::ImCursorRectangle).toRect().isValid());
    }

    void selectsAndCopies() {
        m_view->take(frameOf({"one two", "three"}));
        QTest::mouseDClick(m_view->viewport(), Qt::LeftButton, {}, at(0, 5));
        QCOMPARE(m_view->selectedText(), QString("two"));
        QTest::mouseClick(m_view->viewport(), Qt::LeftButton, {}, at(0, 5)); // the third
        QCOMPARE(m_view->selectedText(), QString("one two"));
        drag(at(0, 4) - QPoint(2, 0), at(1, 2) + QPoint(2, 0));
        QCOMPARE(m_view->selectedText(), QString("two\nthr"));
        QTest::keyClick(m_view.get(), Qt::Key_C, Qt::ControlModifier | Qt::ShiftModifier);
        QCOMPARE(QApplication::clipboard()->text(), QString("two\nthr"));
        // It stays while other text comes, and goes when its own changes.
        m_view->take(frameOf({"one two", "three", "four"}));
        QVERIFY(m_view->hasSelection());
        m_view->take(frameOf({"one two", "other", "four"}));
        QVERIFY(!m_view->hasSelection());
    }

    void scrollsBack() {
        QStringList many;
        for (int i = 0; i < 100; ++i) {
            many << QString::number(i);
        }
        m_view->take(frameOf({"a", "b"}, 20, many));
        auto* bar = m_view->verticalScrollBar();
        QCOMPARE(bar->maximum(), 100);
        QCOMPARE(m_view->topLine(), 100);
        QTest::keyClick(m_view.get(), Qt::Key_Home, Qt::ShiftModifier);
        QCOMPARE(m_view->topLine(), 0);
        m_view->take(frameOf({"c", "d"}, 20, {"a", "b"}));
        QCOMPARE(m_view->topLine(), 0); // who looks at what was is left there
        QTest::keyClick(m_view.get(), Qt::Key_A);
        QCOMPARE(m_view->topLine(), 102); // who types sees what comes of it
        QWheelEvent wheel(QPointF(10, 10), m_view->mapToGlobal(QPointF(10, 10)), {}, {0, 120}, {}, {}, Qt::NoScrollPhase, false);
        QApplication::sendEvent(m_view->viewport(), &wheel);
        QCOMPARE(m_view->topLine(), 99);
    }

    void theWheelOfAProgramThatFillsTheScreen() {
        auto frame = frameOf({"", ""});
        frame.screen.alternate = true;
        m_view->take(std::move(frame));
        QSignalSpy typed(m_view.get(), &TerminalView::typed);
        QWheelEvent wheel(QPointF(10, 10), m_view->mapToGlobal(QPointF(10, 10)), {}, {0, -120}, {}, {}, Qt::NoScrollPhase, false);
        QApplication::sendEvent(m_view->viewport(), &wheel);
        QCOMPARE(typed.size(), 1);
        QCOMPARE(typed[0][0].toByteArray(), QByteArray("\x1b[B\x1b[B\x1b[B"));
    }

    void zooms() {
        const auto usual = m_view->pointSize();
        const auto size = m_view->sizeInCells();
        QSignalSpy changed(m_view.get(), &TerminalView::sizeChanged);
        QTest::keyClick(m_view.get(), Qt::Key_Plus, Qt::ControlModifier);
        QTest::keyClick(m_view.get(), Qt::Key_Plus, Qt::ControlModifier);
        QCOMPARE(m_view->pointSize(), usual + 2);
        QVERIFY(m_view->sizeInCells().first < size.first && m_view->sizeInCells().second < size.second);
        QVERIFY(!changed.isEmpty());
        QTest::keyClick(m_view.get(), Qt::Key_0, Qt::ControlModifier);
        QCOMPARE(m_view->pointSize(), usual);
        QCOMPARE(m_view->sizeInCells(), size);
    }

    // Whatever size it is given, the program is told one within the bounds.
    void sizesAreBounded() {
        for (const QSize& size : {QSize(1, 1), QSize(10000, 10000), QSize(300, 20)}) {
            m_view->resize(size);
            const auto [rows, columns] = m_view->sizeInCells();
            QVERIFY(rows >= kMinRows && rows <= kMaxRows && columns >= kMinColumns && columns <= kMaxColumns);
        }
    }

    void aWordIsPasted() {
        QSignalSpy typed(m_view.get(), &TerminalView::typed);
        m_view->take(frameOf({"", ""}));
        QApplication::clipboard()->setText("ls");
        QTest::keyClick(m_view.get(), Qt::Key_V, Qt::ControlModifier | Qt::ShiftModifier);
        QVERIFY(!pasteDialog());
        QCOMPARE(typed.size(), 1);
        QCOMPARE(typed[0][0].toByteArray(), QByteArray("ls"));
    }

    void linesAreAskedAbout_data() {
        QTest::addColumn<bool>("yes");
        QTest::addColumn<bool>("bracketed");
        QTest::newRow("no") << false << false;
        QTest::newRow("yes") << true << false;
        QTest::newRow("yes, between marks") << true << true;
    }
    void linesAreAskedAbout() {
        QFETCH(bool, yes);
        QFETCH(bool, bracketed);
        QSignalSpy typed(m_view.get(), &TerminalView::typed);
        auto frame = frameOf({"", ""});
        frame.screen.bracketedPaste = bracketed;
        m_view->take(std::move(frame));
        QApplication::clipboard()->setText("rm -r x\necho \u202e\x1b[201~");
        QTest::keyClick(m_view.get(), Qt::Key_V, Qt::ControlModifier | Qt::ShiftModifier);
        QVERIFY(typed.isEmpty());
        QVERIFY(pasteDialog() && pasteDialog()->isVisible());
        QCOMPARE(pasteDialog()->findChild<QPlainTextEdit*>("pasteText")->toPlainText(), QString("rm -r x\necho \\u{202e}[201~"));
        auto* no = pasteDialog()->findChild<QPushButton*>("pasteNo");
        QVERIFY(no->isDefault());
        QTest::keyClick(m_view.get(), Qt::Key_V, Qt::ControlModifier | Qt::ShiftModifier); // it is asked once
        QCOMPARE(m_view->findChildren<QDialog*>("pasteDialog").size(), 1);
        if (const auto folder = qEnvironmentVariable("CARREL_TEST_PICTURES"); !folder.isEmpty()) {
            QVERIFY(pasteDialog()->grab().save(folder + "/paste.png"));
        }
        if (yes) {
            QTest::mouseClick(pasteDialog()->findChild<QPushButton*>("pasteYes"), Qt::LeftButton);
            QCOMPARE(typed.size(), 1);
            const QByteArray text = "rm -r x\recho \u202e[201~";
            QCOMPARE(typed[0][0].toByteArray(), bracketed ? "\x1b[200~" + text + "\x1b[201~" : text);
        } else {
            QTest::keyClick(pasteDialog(), Qt::Key_Return); // the default is no
            QVERIFY(typed.isEmpty());
        }
        QTRY_VERIFY_WITH_TIMEOUT(!pasteDialog(), 60'000);
    }

    void aQuestionEndsWithTheSession() {
        QSignalSpy typed(m_view.get(), &TerminalView::typed);
        m_view->take(frameOf({"", ""}));
        QApplication::clipboard()->setText("a\nb");
        m_view->paste();
        QVERIFY(pasteDialog());
        m_view->setLive(false);
        QTRY_VERIFY_WITH_TIMEOUT(!pasteDialog(), 60'000);
        QVERIFY(typed.isEmpty());
    }

    void whatIsTooLongIsNotPasted() {
        QSignalSpy typed(m_view.get(), &TerminalView::typed);
        m_view->take(frameOf({"", ""}));
        QApplication::clipboard()->setText(QString(1024 * 1024 + 1, 'x'));
        m_view->paste();
        QVERIFY(pasteDialog() && !pasteDialog()->findChild<QPushButton*>("pasteYes"));
        pasteDialog()->accept(); // there is no way to it, and nothing comes of it
        QVERIFY(typed.isEmpty());
    }

    void canBeReadAloud() {
        auto frame = frameOf({"one 漢", "two"}, 8);
        frame.screen.cursorRow = 1;
        frame.screen.cursorColumn = 3;
        m_view->take(std::move(frame));
        auto* accessible = QAccessible::queryAccessibleInterface(m_view.get());
        QVERIFY(accessible);
        QCOMPARE(accessible->role(), QAccessible::Terminal);
        QCOMPARE(accessible->text(QAccessible::Name), QString("Terminal"));
        auto* text = accessible->textInterface();
        QVERIFY(text);
        QCOMPARE(text->text(0, text->characterCount()), QString("one 漢  \ntwo     \n"));
        QCOMPARE(text->text(text->cursorPosition() - 3, text->cursorPosition()), QString("two"));
        const auto rect = text->characterRect(text->cursorPosition());
        QCOMPARE(text->offsetAtPoint(rect.center()), text->cursorPosition());
        QCOMPARE(text->offsetAtPoint({-5000, -5000}), -1);
    }
};

QTEST_MAIN(TestTerminalView)
#include "test_terminal_view.moc"
