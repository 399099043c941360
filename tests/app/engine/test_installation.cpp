// SPDX-License-Identifier: Apache-2.0
// What an engine needs of its installation: all of it, found below one prefix, or the part that is missing, by name.
#include "app/engine/installation.h"

#include <QTemporaryDir>
#include <QTest>

#include <fstream>

using namespace carrel;

namespace fs = std::filesystem;

class TestInstallation : public QObject {
    Q_OBJECT

    static QString text(const fs::path& path) { return QString::fromStdString(path.string()); }

    static constexpr const char* kParts[] = {"lib/carrel/carrel-engine", "lib/carrel/carrel-clerk", "lib/carrel/carrel-qemu",
                                             "lib/carrel/carrel-init",   "lib/carrel/carrel-guestd", "lib/carrel/carrel-ask",
                                             "lib/carrel/carrel-agent", "lib/carrel/carrel-recorder",
                                             "share/carrel/image/build-image.sh"};

    static void install(const fs::path& prefix) {
        for (const char* part : kParts) {
            fs::create_directories((prefix / part).parent_path());
            std::ofstream(prefix / part) << "x";
            fs::permissions(prefix / part, fs::perms::owner_all);
        }
    }
    static Result<engine::Installation> find(const fs::path& prefix) {
        return engine::findInstallation(api::OwnPlaces(prefix / "lib/carrel/carrel-engine"));
    }

private slots:
    void everythingIsBelowThePrefix() {
        QTemporaryDir dir;
        const fs::path prefix = fs::canonical(dir.path().toStdString());
        install(prefix);
        const auto found = find(prefix).value();
        QCOMPARE(text(found.clerk), text(prefix / "lib/carrel/carrel-clerk"));
        QCOMPARE(text(found.qemu), text(prefix / "lib/carrel/carrel-qemu"));
        QCOMPARE(text(found.init), text(prefix / "lib/carrel/carrel-init"));
        QCOMPARE(text(found.guestd), text(prefix / "lib/carrel/carrel-guestd"));
        QCOMPARE(text(found.ask), text(prefix / "lib/carrel/carrel-ask"));
        QCOMPARE(text(found.agent), text(prefix / "lib/carrel/carrel-agent"));
        QCOMPARE(text(found.recipe), text(prefix / "share/carrel/image"));
    }

    void whatIsMissingIsNamed_data() {
        QTest::addColumn<QString>("part");
        QTest::addColumn<QString>("named");
        for (const QString part : {"carrel-clerk", "carrel-recorder", "carrel-qemu", "carrel-init", "carrel-guestd", "carrel-ask", "carrel-agent"}) {
            QTest::newRow(qPrintable(part)) << "lib/carrel/" + part << part;
        }
        QTest::newRow("recipe") << "share/carrel/image" << "share/carrel/image";
    }
    void whatIsMissingIsNamed() {
        QFETCH(QString, part);
        QFETCH(QString, named);
        QTemporaryDir dir;
        const fs::path prefix = fs::canonical(dir.path().toStdString());
        install(prefix);
        fs::remove_all(prefix / part.toStdString());
        const auto found = find(prefix);
        QVERIFY(!found);
        QVERIFY(found.error().code == ErrorCode::NotFound);
        QVERIFY2(QString::fromStdString(found.error().text()).contains(named), found.error().text().c_str());
    }
};

QTEST_GUILESS_MAIN(TestInstallation)
#include "test_installation.moc"
