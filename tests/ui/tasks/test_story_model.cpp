// SPDX-License-Identifier: Apache-2.0
// The rows of a story: in their order, each once, and however many come at a time a view hears of few changes.
#include "ui/tasks/story_model.h"
#include "ui/text/languages.h"

#include <QAbstractItemModel>
#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QStringList>
#include <QTest>

using namespace carrel::ui;

namespace {

StoryItem item(std::uint64_t number, const QString& text, StoryItem::Kind kind = StoryItem::Kind::Text) {
    StoryItem out;
    out.number = number;
    out.kind = kind;
    out.text = text;
    return out;
}

QString texts(const StoryModel& model) {
    QStringList out;
    for (int row = 0; row < model.rowCount(); ++row) {
        out << model.at(row).text;
    }
    return out.join(' ');
}

} // namespace

class TestStoryModel : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { installLanguages(); }
    void theirOrder() {
        StoryModel model(nullptr);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.take({item(3, "c"), item(1, "a"), item(7, "g")});
        QCOMPARE(texts(model), QString("a c g"));
        model.take({item(2, "b"), item(8, "h"), item(4, "d"), item(9, "i")});
        QCOMPARE(texts(model), QString("a b c d g h i"));
        model.clear();
        QCOMPARE(model.rowCount(), 0);
    }
    void aLaterOneTakesItsPlace() {
        StoryModel model(nullptr);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.take({item(1, "a"), item(2, "b"), item(3, "c"), item(4, "d")});
        QSignalSpy changes(&model, &QAbstractItemModel::dataChanged);
        const auto before = model.revision(1);
        model.take({item(3, "C"), item(2, "x"), item(2, "B"), item(1, "a")}); // of two with one number the later
        QCOMPARE(texts(model), QString("a B C d"));
        QCOMPARE(changes.size(), 1); // two beside each other are one change; the first is none
        QCOMPARE(changes.front().at(0).toModelIndex().row(), 1);
        QCOMPARE(changes.front().at(1).toModelIndex().row(), 2);
        QVERIFY(model.revision(1) != before);
        model.take({item(1, "A"), item(4, "D")});
        QCOMPARE(changes.size(), 3);
    }
    void manyAtATime() {
        StoryModel model(nullptr);
        QSignalSpy inserted(&model, &QAbstractItemModel::rowsInserted);
        QSignalSpy taken(&model, &StoryModel::taken);
        std::uint64_t number = 0;
        for (int batch = 0; batch < 50; ++batch) {
            std::vector<StoryItem> items;
            for (int i = 0; i < 200; ++i) {
                items.push_back(item(++number, "x"));
            }
            model.take(std::move(items));
        }
        QCOMPARE(model.rowCount(), 10'000);
        QCOMPARE(inserted.size(), 50);
        QCOMPARE(taken.size(), 50);
    }
    void openedAndFolded() {
        StoryModel model(nullptr);
        model.take({item(1, "said"), item(2, "thought of\nsecond line", StoryItem::Kind::Thought)});
        model.setOpened(0, true); // does not fold
        QVERIFY(!model.isOpened(0));
        const auto folded = model.index(1).data(Qt::AccessibleTextRole).toString();
        QVERIFY2(folded.contains("Thought: thought of") && folded.contains("folded") && !folded.contains("second"), qPrintable(folded));
        const auto before = model.revision(1);
        model.setOpened(1, true);
        QVERIFY(model.isOpened(1) && model.revision(1) != before);
        const auto opened = model.index(1).data(Qt::AccessibleTextRole).toString();
        QVERIFY2(opened.contains("second line") && opened.contains("opened"), qPrintable(opened));
        model.take({item(2, "thought of more", StoryItem::Kind::Thought)}); // and stays so while it grows
        QVERIFY(model.isOpened(1));
        // Who says so, for who only hears it.
        QVERIFY(model.index(0).data(Qt::AccessibleTextRole).toString().startsWith("The agent says: "));
    }
};

QTEST_MAIN(TestStoryModel)
#include "test_story_model.moc"
