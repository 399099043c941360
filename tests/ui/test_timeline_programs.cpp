// SPDX-License-Identifier: Apache-2.0
// The timeline of what an agent's programs did, by its machine's word: which program, and which started that.
#include "ui/timeline/timeline_filter.h"

#include <QAbstractItemModelTester>
#include <QTest>

using namespace carrel::ui;
namespace json = boost::json;

namespace {

json::object told(std::uint64_t seq, const char* kind, const char* provenance, const std::string& subject, json::object detail = {}) {
    return {{"seq", seq},         {"time", "2026-03-01T12:00:00.000Z"}, {"kind", kind}, {"provenance", provenance},
            {"subject", subject}, {"detail", std::move(detail)},        {"hash", ""}};
}

} // namespace

class TestTimelinePrograms : public QObject {
    Q_OBJECT
private slots:
    // Each event of a program shows which programs lead to it; what one of them began can be shown alone.
    void programsHaveTheirTree() {
        TimelineModel model(nullptr);
        TimelineFilter filter;
        filter.setSourceModel(&model);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.add({told(1, "program.started", "guest", "/usr/bin/dash", {{"process", "5.1"}, {"argv", {"sh", "-c", "make"}}, {"at", 1}}),
                   told(2, "program.started", "guest", "/usr/bin/make", {{"process", "6.2"}, {"parent", "5.1"}, {"argv", {"make"}}}),
                   told(3, "program.started", "guest", "/usr/bin/gcc", {{"process", "7.3"}, {"parent", "6.2"}, {"argv", {"gcc", "-c", "a.c"}}, {"cut", true}}),
                   told(4, "file.created", "guest", "/tmp/a.o", {{"process", "7.3"}, {"times", 2}}),
                   told(5, "program.ended", "guest", "/usr/bin/gcc", {{"process", "7.3"}, {"code", 1}}),
                   told(6, "net.tried", "guest", "example.org:443", {{"process", "5.1"}, {"transport", "tcp"}}),
                   told(7, "net.tried", "guest", "example.org:443", {{"process", "99.9"}, {"transport", "tcp"}}), told(8, "vm.state", "host", "ready")});
        const auto cell = [&](int row, int column) { return model.index(row, column).data().toString(); };
        QCOMPARE(cell(3, TimelineModel::Program), QString("dash \u203a make \u203a gcc"));
        QCOMPARE(cell(2, TimelineModel::Detail), QString("gcc -c a.c  cut=true"));
        QCOMPARE(cell(3, TimelineModel::Detail), QString("times=2"));
        QCOMPARE(cell(4, TimelineModel::Detail), QString("code=1"));
        QCOMPARE(cell(5, TimelineModel::Program), QString("dash"));
        QCOMPARE(cell(6, TimelineModel::Program), QString());
        QCOMPARE(cell(7, TimelineModel::Program), QString());
        QVERIFY(model.index(3, TimelineModel::Program).data(Qt::AccessibleTextRole).toString().startsWith("the machine says"));
        filter.setProcess("6.2");
        QCOMPARE(filter.rowCount(), 4);
        QVERIFY(filter.filters());
        filter.setProcess("5.1");
        QCOMPARE(filter.rowCount(), 6);
        filter.setProcess({});
        QCOMPARE(filter.rowCount(), 8);
        filter.setText("make gcc");
        QCOMPARE(filter.rowCount(), 3);
    }
    // A machine may tell a tree that is none, or one without an end.
    void aTreeThatIsNone() {
        ProcessTree tree(100);
        tree.started("1.1", {"2.1", "a", "a"});
        tree.started("2.1", {"1.1", "b", "b"});
        tree.started("3.1", {"3.1", "c", "c"});
        QCOMPARE(tree.lineageText("1.1"), QString("b \u203a a"));
        QCOMPARE(tree.lineageText("3.1"), QString("c"));
        QVERIFY(tree.isWithin("1.1", "2.1") && !tree.isWithin("1.1", "3.1"));
        tree.started("1.1", {"", "A", "A"}); // it runs another program, and stays where it was
        QCOMPARE(tree.lineageText("1.1"), QString("b \u203a A"));
        for (int i = 0; i < 1000; ++i) {
            tree.started("9." + std::to_string(i), {"9." + std::to_string(i - 1), "n", "n"});
        }
        QCOMPARE(tree.size(), std::size_t{100});
        QVERIFY(tree.lineage("9.999").size() <= ProcessTree::kMostSteps);
    }
};

QTEST_MAIN(TestTimelinePrograms)
#include "test_timeline_programs.moc"
