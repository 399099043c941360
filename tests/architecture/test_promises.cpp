// SPDX-License-Identifier: Apache-2.0
// Every test that THREATMODEL.md names is there: a promise whose test was renamed or removed is held by nothing.
#include <QDirIterator>
#include <QRegularExpression>
#include <QTest>

namespace {

QString textOf(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? QString::fromUtf8(file.readAll()) : QString();
}

// Test class → the sources that it is made of.
QMap<QString, QString> testClasses() {
    QMap<QString, QString> classes;
    static const QRegularExpression kClass("\\bclass (Test\\w+)\\b");
    QDirIterator files(CARREL_SOURCE_DIR "/tests", {"*.cpp", "*.py"}, QDir::Files, QDirIterator::Subdirectories);
    while (files.hasNext()) {
        const QString text = textOf(files.next());
        for (auto found = kClass.globalMatch(text); found.hasNext();) {
            classes[found.next().captured(1)] += text;
        }
    }
    return classes;
}

bool hasFunction(const QString& text, const QString& name) {
    return text.contains(QRegularExpression("\\b" + QRegularExpression::escape(name) + "\\s*\\("));
}

} // namespace

class TestPromises : public QObject {
    Q_OBJECT

private slots:
    void everyNamedTestIsThere() {
        const auto classes = testClasses();
        QVERIFY(classes.size() > 40);
        QStringList missing;
        int named = 0;
        for (const QString& line : textOf(CARREL_SOURCE_DIR "/THREATMODEL.md").split('\n')) {
            QString at; // `TestX::a`, `b`: b is one of TestX, too
            static const QRegularExpression kQuoted("`([A-Za-z0-9_:]+)`");
            for (auto found = kQuoted.globalMatch(line); found.hasNext();) {
                const QStringList parts = found.next().captured(1).split("::");
                const bool isClass = parts[0].startsWith("Test");
                if (!isClass && (at.isEmpty() || parts.size() > 1 || !parts[0][0].isLower())) {
                    continue; // something else that is quoted
                }
                at = isClass ? parts[0] : at;
                const QString function = isClass ? parts.value(1) : parts[0];
                ++named;
                if (!classes.contains(at) || (!function.isEmpty() && !hasFunction(classes[at], function))) {
                    missing << at + "::" + function;
                }
            }
        }
        QVERIFY2(named > 60, "THREATMODEL.md was not found, or names its tests in another way now");
        QVERIFY2(missing.isEmpty(), qPrintable(missing.join(", ")));
    }
};

QTEST_GUILESS_MAIN(TestPromises)
#include "test_promises.moc"
