// SPDX-License-Identifier: Apache-2.0
#include "app/agents/paths_within.h"

#include <QTest>

#include <string>

using carrel::agents::PathsWithin;

class TestPathsWithin : public QObject {
    Q_OBJECT
private slots:
    void holds_data() {
        QTest::addColumn<QByteArray>("path");
        QTest::addColumn<bool>("held");
        for (const char* path : {"a", "a/x", "a/x/y", "a/\x01", "b/c", "b/c/d", "\xff", "\xff/\xfe"}) {
            QTest::addRow("%s", path) << QByteArray(path) << true;
        }
        for (const char* path : {"", "a-b", "a-b/x", "aa", "A", "b", "b/cc", "b/c.d", "x/a", "\xfe", "a."}) {
            QTest::addRow("not %s", path) << QByteArray(path) << false;
        }
    }
    void holds() {
        QFETCH(QByteArray, path);
        QFETCH(bool, held);
        // "a-b0" lies between "a" and "a/x" in the order of bytes; "a/x" within "a" is no more than that.
        const PathsWithin paths({"b/c", "", "a/x", "a-b0", "a", "\xff", "a"});
        QCOMPARE(paths.holds(path.toStdString()), held);
        QVERIFY(!PathsWithin({}).holds(path.toStdString()));
    }
    void oneLookUpEach() {
        std::vector<std::string> names;
        for (int n = 0; n < 4000; ++n) {
            names.push_back("d" + std::to_string(n));
        }
        const PathsWithin paths(names);
        for (const auto& name : names) {
            QVERIFY(paths.holds(name + "/x") && !paths.holds(name + "-"));
        }
        QVERIFY2(paths.compared() <= 2 * names.size() * 13, std::to_string(paths.compared()).c_str()); // 2^12 > 4000
    }
};

QTEST_GUILESS_MAIN(TestPathsWithin)
#include "test_paths_within.moc"
