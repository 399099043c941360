// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/change_tree_model.h"

#include "tests/support/nasty_texts.h"

#include <QAbstractItemModel>
#include <QAbstractItemModelTester>
#include <QModelIndex>
#include <QSignalSpy>
#include <QStringList>
#include <QTest>

using namespace carrel::ui;

namespace {

ChangeEntry entry(const std::string& path, ChangeKind kind = ChangeKind::Modified, ChangeType type = ChangeType::File) {
    ChangeEntry out;
    out.path = path;
    out.share = path.substr(0, path.find('/'));
    out.kind = kind;
    out.type = type;
    out.hasContent = type == ChangeType::File && kind != ChangeKind::Deleted;
    return out;
}
ChangeEntry risky(const std::string& path) {
    auto out = entry(path);
    out.highRisk = true;
    out.riskReason = "it runs";
    return out;
}
ChangeEntry inConflict(const std::string& path) {
    auto out = entry(path);
    out.conflict = "both changed it";
    return out;
}

} // namespace

class TestChangeTreeModel : public QObject {
    Q_OBJECT
    using Only = ChangeTreeModel::Only;

    static void check(ChangeTreeModel& model, const char* path, bool on = true) {
        const auto index = model.indexOf(path);
        QVERIFY2(index.isValid(), path);
        QVERIFY(model.setData(index, on ? Qt::Checked : Qt::Unchecked, Qt::CheckStateRole));
    }
    static int stateOf(const ChangeTreeModel& model, const char* path) {
        return model.data(model.indexOf(path), Qt::CheckStateRole).toInt();
    }
    static QStringList paths(const ChangeTreeModel::Chosen& chosen) {
        QStringList out;
        for (const auto& path : chosen.paths) {
            out << QString::fromStdString(path);
        }
        return out;
    }
    // The shown tree, a line a row, indented.
    static void draw(const ChangeTreeModel& model, const QModelIndex& above, const QString& indent, QStringList& out) {
        for (int row = 0; row < model.rowCount(above); ++row) {
            const auto index = model.index(row, 0, above);
            out << indent + index.data().toString();
            draw(model, index, indent + ' ', out);
        }
    }
    static QStringList drawn(const ChangeTreeModel& model) {
        QStringList out;
        draw(model, {}, {}, out);
        return out;
    }

private slots:
    void pagesBecomeATree() {
        ChangeTreeModel model;
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.add({entry("papers/a/one"), entry("papers/a/two"), entry("papers/b.txt")});
        model.add({entry("papers/a/three"), entry("papers/c/d/e"), entry("photos/x")});
        QCOMPARE(drawn(model), QStringList({"papers", " a", "  one", "  two", "  three", " b.txt", " c", "  d", "   e", "photos", " x"}));
        QCOMPARE(model.entries(), std::size_t(6));
        model.clear();
        QCOMPARE(model.rowCount(), 0);
    }
    // The change of a folder may come before or after what is in it.
    void aFolderCanBeAChangeItself() {
        ChangeTreeModel model;
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.add({entry("papers/late/x")});
        model.add({entry("papers/late", ChangeKind::Mode, ChangeType::Directory), entry("papers/new", ChangeKind::Created, ChangeType::Directory),
                   entry("papers/new/y")});
        QCOMPARE(drawn(model), QStringList({"papers", " late", "  x", " new", "  y"}));
        QVERIFY(model.entryAt(model.indexOf("papers/late")) != nullptr);
        QVERIFY(model.entryAt(model.indexOf("papers")) == nullptr);
    }
    void rowsComeInFewSteps() {
        ChangeTreeModel model;
        std::vector<ChangeEntry> page;
        for (int i = 0; i < 1000; ++i) {
            page.push_back(entry("papers/" + std::to_string(i / 100) + "/" + std::to_string(i)));
        }
        model.add({entry("papers/first")});
        QSignalSpy inserted(&model, &QAbstractItemModel::rowsInserted);
        model.add(std::move(page));
        QCOMPARE(inserted.size(), 1); // ten folders, with all that is in them
    }
    void boxesOfFoldersHaveThreeStates() {
        ChangeTreeModel model;
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.add({entry("papers/a/one"), entry("papers/a/two"), entry("papers/b")});
        QSignalSpy chosen(&model, &ChangeTreeModel::chosenChanged);
        check(model, "papers/a/one");
        QCOMPARE(chosen.size(), 1);
        QCOMPARE(stateOf(model, "papers/a"), int(Qt::PartiallyChecked));
        QCOMPARE(stateOf(model, "papers"), int(Qt::PartiallyChecked));
        QCOMPARE(paths(model.chosen()), QStringList({"papers/a/one"}));
        check(model, "papers/a/two");
        QCOMPARE(stateOf(model, "papers/a"), int(Qt::Checked));
        QCOMPARE(paths(model.chosen()), QStringList({"papers/a"})); // a path means what is beneath it
        check(model, "papers");
        QVERIFY(model.chosen().everything);
        QCOMPARE(paths(model.chosen()), QStringList({"papers"}));
        check(model, "papers/b", false);
        QCOMPARE(paths(model.chosen()), QStringList({"papers/a"}));
        model.chooseAll(false);
        QVERIFY(model.chosen().paths.empty());
        model.chooseAll(true);
        QCOMPARE(model.chosen().picked.size(), std::size_t(3));
    }
    // A path means everything beneath it, so a folder's own change is picked only with that.
    void aFoldersOwnChangeIsPickedWithAllOfIt() {
        ChangeTreeModel model;
        model.add({entry("papers/f", ChangeKind::Mode, ChangeType::Directory), entry("papers/f/one"), entry("papers/f/two")});
        check(model, "papers/f/one");
        check(model, "papers/f/two");
        QCOMPARE(stateOf(model, "papers/f"), int(Qt::PartiallyChecked)); // its permissions were not asked for
        QCOMPARE(paths(model.chosen()), QStringList({"papers/f/one", "papers/f/two"}));
        QCOMPARE(model.chosen().folders.size(), std::size_t(0));
        check(model, "papers/f");
        QCOMPARE(paths(model.chosen()), QStringList({"papers"}));
        check(model, "papers/f/two", false);
        QCOMPARE(paths(model.chosen()), QStringList({"papers/f/one"}));
        QCOMPARE(model.chosen().picked.size(), std::size_t(1));
    }
    // The engine makes the folders on the way; somebody who decides sees that they come, too.
    void newFoldersOnTheWayAreNamed() {
        ChangeTreeModel model;
        auto folder = entry("papers/new", ChangeKind::Created, ChangeType::Directory);
        folder.highRisk = true;
        model.add({folder, entry("papers/new/one"), entry("papers/new/two"), entry("papers/other")});
        check(model, "papers/new/one");
        const auto chosen = model.chosen();
        QCOMPARE(chosen.picked.size(), std::size_t(1));
        QCOMPARE(chosen.folders.size(), std::size_t(1));
        QCOMPARE(chosen.highRisk.size(), std::size_t(1));
    }
    void moreThatComesLeavesAFolderUnpicked() {
        ChangeTreeModel model;
        model.add({entry("papers/f", ChangeKind::Mode, ChangeType::Directory), entry("papers/f/one")});
        check(model, "papers/f");
        QVERIFY(model.chosen().everything);
        model.add({entry("papers/f/two")});
        QCOMPARE(paths(model.chosen()), QStringList({"papers/f/one"}));
    }
    void aFilterHidesAndABoxTouchesOnlyWhatIsSeen() {
        ChangeTreeModel model;
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.add({entry("papers/a/report.md"), entry("papers/a/data.csv"), risky("papers/run.sh"), inConflict("papers/a/Report2.md"),
                   entry("papers/reports", ChangeKind::Created, ChangeType::Directory), entry("papers/reports/x")});
        model.filter("report", Only::Everything);
        QCOMPARE(drawn(model), QStringList({"papers", " a", "  report.md", "  Report2.md", " reports", "  x"})); // within it, all
        QVERIFY(!model.indexOf("papers/run.sh").isValid());
        check(model, "papers/a");
        QCOMPARE(stateOf(model, "papers/a"), int(Qt::Checked)); // of what is seen
        QCOMPARE(paths(model.chosen()), QStringList({"papers/a/report.md", "papers/a/Report2.md"}));
        QCOMPARE(model.chosen().hidden, std::uint64_t(0));
        model.filter({}, Only::HighRisk);
        QCOMPARE(drawn(model), QStringList({"papers", " run.sh"}));
        QCOMPARE(model.chosen().hidden, std::uint64_t(2)); // picked, and not on the screen: said
        check(model, "papers");
        QCOMPARE(model.chosen().highRisk.size(), std::size_t(1));
        model.filter({}, Only::Conflicts);
        QCOMPARE(drawn(model), QStringList({"papers", " a", "  Report2.md"}));
        QCOMPARE(model.chosen().conflicts.size(), std::size_t(1));
        model.filter({}, Only::Everything);
        QCOMPARE(model.chosen().picked.size(), std::size_t(3));
        QCOMPARE(stateOf(model, "papers/a"), int(Qt::PartiallyChecked));
        model.filter("no such name", Only::Everything);
        QCOMPARE(model.rowCount(), 0);
    }
    // Un-picking through a filter un-picks the folder whose own change is hidden by it.
    void aHiddenFolderIsNotLeftPicked() {
        ChangeTreeModel model;
        model.add({entry("papers/f", ChangeKind::Mode, ChangeType::Directory), inConflict("papers/f/one"), entry("papers/f/two")});
        check(model, "papers/f");
        model.filter({}, Only::Conflicts);
        check(model, "papers/f", false);
        model.filter({}, Only::Everything);
        QCOMPARE(paths(model.chosen()), QStringList({"papers/f/two"}));
    }
    void wordsBesideColours() {
        ChangeTreeModel model;
        model.add({risky("papers/run.sh"), inConflict("papers/b")});
        const auto signs = [&](const char* path) { return model.indexOf(path).siblingAtColumn(ChangeTreeModel::Signs).data().toString(); };
        QCOMPARE(signs("papers/run.sh"), "High risk");
        QCOMPARE(signs("papers/b"), "Conflict");
        QCOMPARE(signs("papers"), "1 high risk, 1 conflict(s)");
        QVERIFY(model.indexOf("papers/run.sh").data(Qt::AccessibleTextRole).toString().contains("High risk"));
    }
    // Files deep in folders that nobody made: they must not take all memory, and each is still one row.
    void foldersWithoutEnd() {
        ChangeTreeModel model;
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        std::string deep;
        for (int i = 0; i < 2000; ++i) {
            deep += "/a";
        }
        std::vector<ChangeEntry> page;
        for (int i = 0; i < 300; ++i) {
            ChangeEntry entry;
            entry.share = "papers";
            entry.path = "papers/" + std::to_string(i) + deep + "/file";
            entry.kind = ChangeKind::Created;
            page.push_back(std::move(entry));
        }
        model.add(std::move(page));
        QVERIFY(model.flat());
        QCOMPARE(model.entries(), std::size_t{300});
        const auto last = model.indexOf("papers/299" + deep + "/file");
        QVERIFY(last.isValid() && model.entryAt(last) != nullptr);
        QVERIFY(last.data().toString().startsWith("299/a/a/"));
        QVERIFY(!(model.flags(last) & Qt::ItemIsUserCheckable)); // what is beneath what is not told: all, or nothing
        model.chooseAll(true);
        QVERIFY(model.chosen().picked.empty() && model.all().everything);
        model.clear();
        QVERIFY(!model.flat());
    }
    void nastyNamesAreShownHarmless_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : carrel::test::allNastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
    }
    void nastyNamesAreShownHarmless() {
        QFETCH(QByteArray, text);
        auto nasty = risky("papers/" + text.toStdString());
        nasty.from = nasty.riskReason = nasty.conflict = nasty.linkTarget = text.toStdString();
        nasty.kind = ChangeKind::Renamed;
        ChangeTreeModel model;
        model.add({nasty});
        const auto at = model.indexOf(nasty.path);
        QVERIFY(at.isValid());
        for (int column = 0; column < ChangeTreeModel::Columns; ++column) {
            for (const int role : {int(Qt::DisplayRole), int(Qt::ToolTipRole), int(Qt::AccessibleTextRole)}) {
                const auto shown = at.siblingAtColumn(column).data(role).toString();
                QVERIFY2(carrel::test::actsOnNobody(shown.toStdString()), qPrintable(shown));
                QVERIFY2(role != Qt::ToolTipRole || !shown.contains("<b>"), qPrintable(shown));
            }
        }
    }
    // Not a measurement: what takes a square of the number would never end.
    void aHundredThousandChanges() {
        ChangeTreeModel model;
        for (int page = 0; page < 100; ++page) {
            std::vector<ChangeEntry> entries;
            for (int i = 0; i < 1000; ++i) {
                entries.push_back(entry("papers/" + std::to_string(page) + "/" + std::to_string(i / 10) + "/file " + std::to_string(i)));
            }
            model.add(std::move(entries));
        }
        QCOMPARE(model.entries(), std::size_t(100'000));
        model.chooseAll(true);
        QCOMPARE(paths(model.chosen()), QStringList({"papers"}));
        model.filter("file 777", Only::Everything);
        QCOMPARE(model.rowCount(model.index(0, 0)), 100);
        model.chooseAll(false);
        QCOMPARE(model.chosen().picked.size(), std::size_t(100'000 - 100));
    }
};

QTEST_MAIN(TestChangeTreeModel)
#include "test_change_tree_model.moc"
