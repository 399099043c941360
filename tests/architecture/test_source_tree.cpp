// SPDX-License-Identifier: Apache-2.0
// The whole source tree against the rules of tree_rules.cpp and forbidden_words.txt.
#include "tests/architecture/source_rules.h"

#include <QTest>

using namespace carrel::testing;

class TestSourceTree : public QObject {
    Q_OBJECT

private slots:
    void everyFileKeepsTheRules() {
        const auto rules = projectRules(CARREL_SOURCE_DIR);
        QVERIFY2(rules.words.size() > 5, "the list of forbidden words is missing");
        for (const auto& word : rules.words) {
            QVERIFY2(word.pattern.isValid(), qPrintable(word.pattern.pattern()));
        }
        const auto report = scanTree(rules, CARREL_SOURCE_DIR);
        QVERIFY2(report.files > 100, "the source tree was not found");
        QVERIFY2(report.violations.isEmpty(), qPrintable("\n" + report.violations.join('\n')));
    }
};

QTEST_GUILESS_MAIN(TestSourceTree)
#include "test_source_tree.moc"
