// SPDX-License-Identifier: Apache-2.0
// The whole source tree against the rules of tree_rules.cpp and forbidden_words.txt.
#include "tests/architecture/source_rules.h"

#include <QDir>
#include <QDirIterator>
#include <QRegularExpression>
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

    // The thread sanitizer leaves them out.
    void roomsOfOneThreadHaveNoOther() {
        static const QRegularExpression thread(QStringLiteral("std::j?thread|std::async|pthread_create|QThread|QtConcurrent"));
        static const QRegularExpression called(QStringLiteral("^carrel_one_thread\\((\\S+)\\)"), QRegularExpression::MultilineOption);
        const QDir root(CARREL_SOURCE_DIR);
        const auto read = [](const QString& path) {
            QFile file(path);
            return file.open(QIODevice::ReadOnly) ? QString::fromUtf8(file.readAll()) : QString();
        };
        int rooms = 0;
        QDirIterator lists(root.filePath("tests"), {"CMakeLists.txt"}, QDir::Files, QDirIterator::Subdirectories);
        while (lists.hasNext()) {
            const auto list = lists.next();
            const auto names = called.match(read(list));
            if (!names.hasMatch()) {
                continue;
            }
            ++rooms;
            const auto room = names.captured(1);
            QCOMPARE(QDir::cleanPath(list), root.filePath("tests/" + room + "/CMakeLists.txt"));
            for (const auto& folder : {root.filePath(room), root.filePath("tests/" + room)}) {
                QDirIterator sources(folder, {"*.h", "*.cpp"}, QDir::Files, QDirIterator::Subdirectories);
                QVERIFY2(sources.hasNext(), qPrintable(folder));
                while (sources.hasNext()) {
                    const auto source = sources.next();
                    QVERIFY2(!thread.match(read(source)).hasMatch(), qPrintable(source));
                }
            }
        }
        QVERIFY(rooms >= 5);
    }
};

QTEST_GUILESS_MAIN(TestSourceTree)
#include "test_source_tree.moc"
