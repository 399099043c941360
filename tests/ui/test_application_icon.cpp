// SPDX-License-Identifier: Apache-2.0
// The window's icon: there without an installation, and drawn, at every size that it is asked for.
#include "ui/window/application_icon.h"

#include <QGuiApplication>
#include <QImage>
#include <QSet>
#include <QTemporaryDir>
#include <QTest>

using namespace carrel;

class TestApplicationIcon : public QObject {
    Q_OBJECT

    static QSet<QRgb> coloursOf(const QIcon& icon, int size) {
        const QImage image = icon.pixmap(size, size).toImage().convertToFormat(QImage::Format_ARGB32);
        QSet<QRgb> colours;
        for (int y = 0; y < image.height(); ++y) {
            for (int x = 0; x < image.width(); ++x) {
                if (qAlpha(image.pixel(x, y)) == 255) {
                    colours.insert(image.pixel(x, y));
                }
            }
        }
        return colours;
    }

private slots:
    void theProgramCarriesIt() {
        const QIcon icon = ui::carriedIcon();
        QVERIFY(!icon.isNull());
        for (const int size : {16, 32, 48, 128}) {
            QCOMPARE(icon.pixmap(size, size).size(), QSize(size, size));
            // Wood, light, lamp and screen: told apart even where it is smallest.
            QVERIFY2(coloursOf(icon, size).size() >= 4, qPrintable(QString::number(size)));
        }
    }

    void anInstalledThemeComesFirst() {
        QTemporaryDir dir;
        QVERIFY(QDir(dir.path()).mkpath("hicolor/32x32/apps"));
        QFile theme(dir.filePath("hicolor/index.theme"));
        QVERIFY(theme.open(QIODevice::WriteOnly));
        theme.write("[Icon Theme]\nName=Hicolor\nDirectories=32x32/apps\n[32x32/apps]\nSize=32\nType=Fixed\n");
        theme.close();
        QImage red(32, 32, QImage::Format_ARGB32);
        red.fill(Qt::red);
        QVERIFY(red.save(dir.filePath("hicolor/32x32/apps/carrel-desktop.png")));
        const auto before = QIcon::themeSearchPaths();
        QIcon::setThemeSearchPaths({dir.path()});
        QIcon::setThemeName("hicolor");
        QCOMPARE(coloursOf(ui::applicationIcon(), 32), QSet<QRgb>{QColor(Qt::red).rgba()});
        QIcon::setThemeSearchPaths({dir.filePath("empty")});
        QVERIFY(coloursOf(ui::applicationIcon(), 32).size() >= 4);
        QIcon::setThemeSearchPaths(before);
    }
};

QTEST_MAIN(TestApplicationIcon)
#include "test_application_icon.moc"
