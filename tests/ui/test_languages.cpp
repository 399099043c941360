// SPDX-License-Identifier: Apache-2.0
// Every text with a number in it has its plurals, in English, too.
#include "ui/text/languages.h"

#include <QCoreApplication>
#include <QDirIterator>
#include <QFile>
#include <QRegularExpression>
#include <QTest>

using namespace carrel::ui;

class TestLanguages : public QObject {
    Q_OBJECT
private slots:
    void plurals() {
        installLanguages();
        const auto said = [](int n) { return QCoreApplication::translate("carrel::ui::TimelinePage", "%n event(s)", nullptr, n); };
        QCOMPARE(said(1), QString("1 event"));
        QCOMPARE(said(7), QString("7 events"));
    }
    // A text that was added since: lupdate, then its two forms (ui/CMakeLists.txt says how).
    void noneIsMissing() {
        QFile file(CARREL_SOURCE_DIR "/resources/translations/carrel_en.ts");
        QVERIFY(file.open(QIODevice::ReadOnly));
        const auto known = QString::fromUtf8(file.readAll());
        QVERIFY(!known.contains("unfinished"));
        static const QRegularExpression text("\"((?:[^\"\\\\]|\\\\.)*%n(?:[^\"\\\\]|\\\\.)*)\"");
        int found = 0;
        QDirIterator sources(CARREL_SOURCE_DIR "/ui", {"*.cpp", "*.h"}, QDir::Files, QDirIterator::Subdirectories);
        while (sources.hasNext()) {
            QFile source(sources.next());
            QVERIFY(source.open(QIODevice::ReadOnly));
            const auto all = QString::fromUtf8(source.readAll());
            for (auto each = text.globalMatch(all); each.hasNext();) {
                const auto wanted = each.next().captured(1).toHtmlEscaped().replace("'", "&apos;").replace("&#39;", "&apos;");
                QVERIFY2(known.contains(wanted) || known.contains(QString(wanted).replace("&apos;", "'")), qPrintable(source.fileName() + ": " + wanted));
                ++found;
            }
        }
        QVERIFY(found > 30);
    }
};

QTEST_MAIN(TestLanguages)
#include "test_languages.moc"
