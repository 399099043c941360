// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/diff_view.h"

#include "tests/support/nasty_texts.h"

#include <QApplication>
#include <QClipboard>
#include <QEvent>
#include <QPoint>
#include <QPointF>
#include <QScrollBar>
#include <QStringLiteral>
#include <QTest>

using namespace carrel::ui;

class TestDiffView : public QObject {
    Q_OBJECT
    using Kind = DiffView::Kind;
    using Side = DiffView::Side;

    static void fill(DiffView& view, const std::string& text, Kind kind = Kind::TwoWays) {
        view.show(kind == Kind::TwoWays ? parseUnified(text) : parseThreeWay(text), kind, QStringLiteral("Old"), QStringLiteral("New"));
        view.resize(900, 300);
        view.QWidget::show();
        (void)QTest::qWaitForWindowExposed(&view);
    }
    static const char* sample() { return "@@ -1,3 +1,3 @@\n first\n-old\tone\n+new\tone\n last\n\\ No newline at end of file\n"; }
    // Different pictures mean that something is to be seen.
    static QImage picture(DiffView& view) { return view.grab().toImage(); }

private slots:
    void oneSideIsSelectedAndCopied() {
        DiffView view;
        fill(view, sample());
        view.selectAll(Side::Left);
        QCOMPARE(view.selectedText(), "first\nold\tone\nlast");
        view.selectAll(Side::Right);
        QTest::keySequence(&view, QKeySequence::Copy);
        QCOMPARE(QApplication::clipboard()->text(), "first\nnew\tone\nlast");
        view.arrange(DiffView::Arrangement::OneColumn);
        QCOMPARE(view.selectedText(), QString());
        QTest::keySequence(&view, QKeySequence::SelectAll);
        QCOMPARE(view.selectedText(), "first\nold\tone\nnew\tone\nlast"); // the old ones of a run before its new ones
    }
    void theMouseSelectsOnTheSideItBeganOn() {
        DiffView view;
        fill(view, sample());
        const auto before = picture(view);
        const int right = view.viewport()->width() - 40;
        QTest::mousePress(view.viewport(), Qt::LeftButton, {}, {right, view.fontMetrics().height() * 2});
        QMouseEvent move(QEvent::MouseMove, QPointF(right, 250), view.viewport()->mapToGlobal(QPointF(right, 250)), Qt::NoButton, Qt::LeftButton,
                         Qt::NoModifier);
        QApplication::sendEvent(view.viewport(), &move);
        QVERIFY2(view.selectedText().contains("new\tone"), qPrintable(view.selectedText()));
        QVERIFY(!view.selectedText().contains("old"));
        QVERIFY(picture(view) != before);
    }
    void aDoubleClickTakesAWord() {
        DiffView view;
        fill(view, "@@ -1 +1 @@\n somewhere else\n");
        QFontMetrics metrics(view.font());
        const QPoint at(metrics.horizontalAdvance('0') * 10, metrics.height() * 5 / 2 + 10); // the first line of text, its first word
        QTest::mouseDClick(view.viewport(), Qt::LeftButton, {}, at);
        QCOMPARE(view.selectedText(), "somewhere");
    }
    void theKeyboardScrollsAndSelects() {
        std::string text = "@@ -1,300 +1,300 @@\n";
        for (int i = 0; i < 300; ++i) {
            text += i % 100 == 50 ? "+added\n" : " line\n";
        }
        DiffView view;
        fill(view, text);
        auto* const bar = view.verticalScrollBar();
        QVERIFY(bar->maximum() > 250);
        QTest::keyClick(&view, Qt::Key_End);
        QCOMPARE(bar->value(), bar->maximum());
        QTest::keyClick(&view, Qt::Key_PageUp);
        QVERIFY(bar->value() < bar->maximum());
        QTest::keyClick(&view, Qt::Key_Home);
        QCOMPARE(bar->value(), 0);
        QCOMPARE(view.changes(), 3);
        QTest::keyClick(&view, Qt::Key_N);
        QVERIFY(bar->value() > 30 && bar->value() <= 51);
        QTest::keyClick(&view, Qt::Key_N);
        QTest::keyClick(&view, Qt::Key_N);
        QTest::keyClick(&view, Qt::Key_N); // there is no further one
        QVERIFY(bar->value() > 200);
        QTest::keyClick(&view, Qt::Key_P);
        QVERIFY(bar->value() < 200);
        QTest::keySequence(&view, QKeySequence::SelectNextLine);
        QVERIFY(!view.selectedText().isEmpty());
    }
    void longLinesScrollAlong() {
        DiffView view;
        fill(view, "@@ -1 +1 @@\n-" + std::string(3000, 'x') + "\n+y\n");
        QVERIFY(view.horizontalScrollBar()->maximum() > 1000);
        const auto before = picture(view);
        view.horizontalScrollBar()->setValue(400);
        QVERIFY(picture(view) != before);
    }
    void oneColumnShowsAllLines() {
        DiffView view;
        fill(view, sample());
        const auto beside = picture(view);
        view.arrange(DiffView::Arrangement::OneColumn);
        QVERIFY(picture(view) != beside);
    }
    void threeWaysAreAlwaysInOneColumn() {
        DiffView view;
        fill(view, "@@ 1,1: both changed it @@\n|older\n<old\n>new\n=both\n same\n", Kind::ThreeWays);
        QCOMPARE(view.arrangement(), DiffView::Arrangement::OneColumn);
        view.selectAll(Side::Left);
        QCOMPARE(view.selectedText(), "older\nold\nnew\nboth\nsame");
    }
    // Only what is seen is laid out: the same picture for ten lines and a hundred thousand, and at their end.
    void aHundredThousandLines() {
        std::string text = "@@ -1,100000 +1,100000 @@\n";
        for (int i = 0; i < 100'000; ++i) {
            text += i % 3 == 0 ? "-removed line\n+added line\n" : " a line that stays\n";
        }
        DiffView view;
        fill(view, text);
        const auto top = picture(view);
        QTest::keyClick(&view, Qt::Key_End);
        QVERIFY(picture(view) != top);
        view.selectAll(Side::Right);
        QCOMPARE(view.selectedText().count('\n'), 99'999);
    }
    void nastyLinesArePainted_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : carrel::test::allNastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text).replace('\n', "\n+");
        }
        QTest::newRow("nothing") << QByteArray();
        QTest::newRow("very long") << QByteArray(200'000, 'x');
        QTest::newRow("tabs") << QByteArray(500, '\t');
        QTest::newRow("wide") << QByteArray("\xe6\xbc\xa2").repeated(3000);
    }
    void nastyLinesArePainted() {
        QFETCH(QByteArray, text);
        DiffView view;
        for (const auto kind : {Kind::TwoWays, Kind::ThreeWays}) {
            fill(view, (kind == Kind::TwoWays ? "@@ -1 +1 @@\n-a\n+" : "@@ 1,1: x @@\n>") + text.toStdString() + "\n", kind);
            QVERIFY(!picture(view).isNull());
            view.selectAll(Side::Right);
            QVERIFY(!picture(view).isNull());
            QVERIFY2(carrel::test::actsOnNobody(QString(view.selectedText()).remove('\t').toStdString()), qPrintable(view.selectedText()));
        }
    }
    void nothingAtAllIsPainted() {
        DiffView view;
        fill(view, {});
        view.clear();
        QTest::keyClick(&view, Qt::Key_N);
        QTest::keySequence(&view, QKeySequence::SelectNextLine);
        QTest::mouseClick(view.viewport(), Qt::LeftButton);
        QTest::mouseDClick(view.viewport(), Qt::LeftButton);
        QVERIFY(!picture(view).isNull());
        QCOMPARE(view.selectedText(), QString());
    }
};

QTEST_MAIN(TestDiffView)
#include "test_diff_view.moc"
