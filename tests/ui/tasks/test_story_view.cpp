// SPDX-License-Identifier: Apache-2.0
// A story on the screen. How much work it is counts by what is laid out, never by time: a story of 10,000 items costs what is in
// view, and a piece that comes costs that piece.
#include "tests/support/nasty_texts.h"
#include "tests/ui/dark_palette.h"
#include "ui/parts/tones.h"
#include "ui/tasks/story_model.h"
#include "ui/tasks/story_view.h"
#include "ui/text/languages.h"

#include <QAccessible>
#include <QApplication>
#include <QClipboard>
#include <QPoint>
#include <QRect>
#include <QScrollBar>
#include <QStringList>
#include <QTest>

using namespace carrel::ui;
using namespace carrel::ui::test;

namespace {

StoryItem item(std::uint64_t number, const QString& text, StoryItem::Kind kind = StoryItem::Kind::Text) {
    StoryItem out;
    out.number = number;
    out.kind = kind;
    out.text = text;
    out.title = kind == StoryItem::Kind::Tool ? text : QString();
    return out;
}

struct Shown {
    StoryModel model{nullptr};
    StoryView view{model, nullptr};

    Shown() {
        view.resize(600, 400);
        view.show();
        if (!QTest::qWaitForWindowExposed(&view)) {
            qFatal("it is not shown");
        }
    }
    // As a feed does: some hundred at a time.
    void many(int count) {
        std::uint64_t number = static_cast<std::uint64_t>(model.rowCount());
        for (int at = 0; at < count; at += 200) {
            std::vector<StoryItem> items;
            for (int i = at; i < std::min(count, at + 200); ++i) {
                ++number;
                items.push_back(item(number, QString("Line one of %1\n\nand *more* that is longer than the view is wide, so that it has to be broken into lines somewhere").arg(number),
                                     number % 3 == 0 ? StoryItem::Kind::Tool : StoryItem::Kind::Text));
            }
            model.take(std::move(items));
            QApplication::processEvents();
        }
    }
    [[nodiscard]] bool isAtEnd() const { return view.verticalScrollBar()->value() == view.verticalScrollBar()->maximum(); }
    // Every row in view has the height that its content has.
    [[nodiscard]] bool isMeasured() {
        const auto* const delegate = qobject_cast<StoryDelegate*>(view.itemDelegate());
        for (int row = view.rowAt(0); row >= 0 && row < model.rowCount() && view.rowViewportPosition(row) < view.viewport()->height(); ++row) {
            if (view.rowHeight(row) != delegate->height(row, view.viewport()->width(), view.font())) {
                return false;
            }
        }
        return true;
    }
};

} // namespace

class TestStoryView : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { installLanguages(); }
    void tenThousandItems() {
        Shown w;
        w.many(10'000);
        QCOMPARE(w.model.rowCount(), 10'000);
        QVERIFY(w.isAtEnd() && w.isMeasured());
        // Each batch lays out what it brings into view, and nothing of what was there before: far fewer than all.
        QVERIFY2(w.view.work().items < 2'000, qPrintable(QString::number(w.view.work().items)));
        const auto before = w.view.work();
        w.model.take({item(10'001, "one more")});
        QApplication::processEvents();
        QCOMPARE(w.view.work().items, before.items + 1);
        QVERIFY(w.isAtEnd());
        // To another place: what is in view there.
        w.view.verticalScrollBar()->setValue(w.view.verticalScrollBar()->maximum() / 2);
        QApplication::processEvents();
        QVERIFY(w.isMeasured());
        QVERIFY2(w.view.work().items < before.items + 200, qPrintable(QString::number(w.view.work().items - before.items)));
        // Another width: what is in view, and not all of it anew.
        const auto narrow = w.view.work();
        w.view.resize(420, 400);
        QApplication::processEvents();
        QVERIFY(w.isMeasured());
        QVERIFY2(w.view.work().items < narrow.items + 200, qPrintable(QString::number(w.view.work().items - narrow.items)));
    }
    // 10,000 updates of one item, as a text that is streamed: each lays out the piece that it changes.
    void aTextThatGrows() {
        Shown w;
        w.many(30);
        QString text = QString("A paragraph that was said before.\n\n").repeated(40);
        w.model.take({item(31, text)});
        QApplication::processEvents();
        const auto before = w.view.work();
        constexpr int kUpdates = 10'000;
        for (int i = 0; i < kUpdates; ++i) {
            text += i % 100 == 99 ? "\n\n" : "word ";
            w.model.take({item(31, text)});
        }
        const auto after = w.view.work();
        QCOMPARE(after.items - before.items, kUpdates);
        QVERIFY2(after.blocks - before.blocks <= 2 * kUpdates, qPrintable(QString::number(after.blocks - before.blocks)));
        QVERIFY(w.isMeasured() && w.isAtEnd());
    }
    // An update of what is not in view costs nothing.
    void whatIsNotLookedAt() {
        Shown w;
        w.many(1'000);
        const auto before = w.view.work();
        for (std::uint64_t number = 1; number <= 500; ++number) {
            w.model.take({item(number, "another")});
        }
        QApplication::processEvents();
        QCOMPARE(w.view.work().items, before.items);
    }
    void whatCameMeanwhile() {
        Shown w;
        w.many(5);
        w.view.hide();
        w.many(40);
        w.view.show();
        QVERIFY(w.isMeasured() && w.isAtEnd());
        auto large = w.view.font(); // letters of another size
        large.setPointSizeF(large.pointSizeF() * 1.5);
        w.view.setFont(large);
        QVERIFY(w.isMeasured() && w.isAtEnd());
    }
    void itStaysAtTheEndOnlyWhereItIs() {
        Shown w;
        w.many(100);
        QVERIFY(w.isAtEnd());
        w.view.verticalScrollBar()->setValue(500);
        QApplication::processEvents();
        const int row = w.view.rowAt(0);
        const int place = w.view.rowViewportPosition(row);
        w.many(50);
        QCOMPARE(w.view.rowAt(0), row);
        QCOMPARE(w.view.rowViewportPosition(row), place);
        QVERIFY(!w.isAtEnd());
        w.view.goToEnd();
        QVERIFY(w.isAtEnd() && w.isMeasured());
        w.many(1);
        QVERIFY(w.isAtEnd());
    }
    // Upwards, through rows that were never looked at: what is in view does not jump.
    void scrollingUp() {
        Shown w;
        w.many(400);
        for (int step = 0; step < 60; ++step) {
            const int row = w.view.rowAt(w.view.viewport()->height() / 2);
            const int place = w.view.rowViewportPosition(row);
            w.view.verticalScrollBar()->setValue(w.view.verticalScrollBar()->value() - 70);
            QCOMPARE(w.view.rowViewportPosition(row), place + 70);
            QVERIFY(w.isMeasured());
        }
    }
    void openedByTheKeyboardAndTheMouse() {
        Shown w;
        auto tool = item(1, "Run ls", StoryItem::Kind::Tool);
        tool.input = "ls -l";
        w.model.take({tool, item(2, "said")});
        QApplication::processEvents();
        const int folded = w.view.rowHeight(0);
        w.view.setFocus();
        w.view.setCurrentIndex(w.model.index(0));
        QTest::keyClick(&w.view, Qt::Key_Return);
        QVERIFY(w.model.isOpened(0) && w.view.rowHeight(0) > folded && w.isMeasured());
        QTest::keyClick(&w.view, Qt::Key_Left);
        QVERIFY(!w.model.isOpened(0) && w.view.rowHeight(0) == folded);
        QTest::keyClick(&w.view, Qt::Key_Right);
        QVERIFY(w.model.isOpened(0));
        QTest::mouseClick(w.view.viewport(), Qt::LeftButton, {}, QPoint(100, 10));
        QVERIFY(!w.model.isOpened(0));
        QTest::mouseClick(w.view.viewport(), Qt::LeftButton, {}, QPoint(100, w.view.rowViewportPosition(1) + 10)); // does not fold
        QCOMPARE(w.view.currentIndex().row(), 1);
        QVERIFY(!w.model.isOpened(0));
        w.view.selectAll();
        QTest::keyClick(&w.view, Qt::Key_C, Qt::ControlModifier);
        QCOMPARE(QApplication::clipboard()->text(), QString("Run ls\nRun ls\nls -l\n\nsaid"));
    }
    void forWhoHearsIt() {
        Shown w;
        w.model.take({item(1, "hello"), item(2, "the machine was started", StoryItem::Kind::Note)});
        auto* const all = QAccessible::queryAccessibleInterface(&w.view);
        QVERIFY(all != nullptr && !all->text(QAccessible::Name).isEmpty());
        QStringList heard;
        for (int i = 0; i < all->childCount(); ++i) {
            if (auto* const child = all->child(i); child != nullptr) {
                heard << child->text(QAccessible::Name);
            }
        }
        QVERIFY2(heard.contains("The agent says: hello") && heard.contains("Carrel: the machine was started"), qPrintable(heard.join('|')));
    }
    // What Carrel says and what the agent says in the same words do not look alike, in either light.
    void aClaimDoesNotLookLikeANote_data() {
        QTest::addColumn<bool>("dark");
        QTest::newRow("light") << false;
        QTest::newRow("dark") << true;
    }
    void aClaimDoesNotLookLikeANote() {
        QFETCH(const bool, dark);
        Shown w;
        if (dark) {
            w.view.setPalette(darkPalette());
        }
        w.model.take({item(1, "all is well"), item(2, "all is well", StoryItem::Kind::Note), item(3, "all is well", StoryItem::Kind::User)});
        QApplication::processEvents();
        const auto image = w.view.viewport()->grab().toImage();
        const auto ratio = image.devicePixelRatio();
        const auto count = [&](int row, QColor colour) {
            const QRect box = w.view.visualRect(w.model.index(row));
            int out = 0;
            for (int y = box.top(); y <= box.bottom(); ++y) {
                for (int x = box.left(); x <= box.right(); ++x) {
                    out += image.pixelColor(static_cast<int>(x * ratio), static_cast<int>(y * ratio)).rgb() == colour.rgb() ? 1 : 0;
                }
            }
            return out;
        };
        const auto claim = toneColour(Tone::Claim, w.view.palette());
        const auto note = toneBackground(Tone::Note, w.view.palette());
        QVERIFY(count(0, claim) > 50 && count(0, note) == 0);
        QVERIFY(count(1, note) > 500 && count(1, claim) == 0);
        QVERIFY(count(2, claim) == 0 && count(2, note) == 0);
    }
    // Painted whatever it is, in all its forms.
    void nastyTextsArePainted() {
        Shown w;
        std::vector<StoryItem> items;
        std::uint64_t number = 0;
        for (const auto& [name, text] : carrel::test::nastyTexts()) {
            for (const auto kind : {StoryItem::Kind::Text, StoryItem::Kind::Tool, StoryItem::Kind::Thought, StoryItem::Kind::Permission, StoryItem::Kind::Other}) {
                auto one = item(++number, QString::fromStdString(text), kind);
                one.diffs = {{"a", one.text, one.text}};
                items.push_back(one);
            }
        }
        w.model.take(std::move(items));
        for (int row = 0; row < w.model.rowCount(); ++row) {
            w.model.setOpened(row, true);
        }
        for (int value = 0; value < w.view.verticalScrollBar()->maximum(); value += 300) {
            w.view.verticalScrollBar()->setValue(value);
            w.view.viewport()->grab();
        }
        QVERIFY(w.isMeasured());
    }
};

QTEST_MAIN(TestStoryView)
#include "test_story_view.moc"
