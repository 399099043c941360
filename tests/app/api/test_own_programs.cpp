// SPDX-License-Identifier: Apache-2.0
// Where Carrel finds its own programs and files: in a build, in an installation, and not elsewhere.
#include "app/api/own_programs.h"

#include <QTemporaryDir>
#include <QTest>

#include <filesystem>
#include <fstream>

using namespace carrel;
using api::OwnPlaces;

namespace fs = std::filesystem;

class TestOwnPrograms : public QObject {
    Q_OBJECT

    static QString text(const fs::path& path) { return QString::fromStdString(path.string()); }
    std::unique_ptr<QTemporaryDir> m_dir;
    fs::path m_root;

    [[nodiscard]] fs::path put(const fs::path& name, fs::perms mode = fs::perms::owner_all) const {
        const fs::path file = m_root / name;
        fs::create_directories(file.parent_path());
        std::ofstream(file) << "x";
        fs::permissions(file, mode);
        return file;
    }

private slots:
    void init() {
        m_dir = std::make_unique<QTemporaryDir>();
        m_root = fs::canonical(m_dir->path().toStdString());
    }

    void aBuildHasEverythingInOneFolder() {
        const auto carrel = put("build/dev/bin/carrel");
        const auto engine = put("build/dev/bin/carrel-engine");
        const auto recipe = put("build/dev/share/carrel/image/build-image.sh").parent_path();
        for (const auto& from : {carrel, engine}) {
            QCOMPARE(text(OwnPlaces(from).program("carrel-engine").value()), text(engine));
            QCOMPARE(text(OwnPlaces(from).data("image").value()), text(recipe));
        }
    }

    void anInstallationHasWhatOnlyCarrelStartsInAFolderOfItsOwn() {
        const auto carrel = put("usr/bin/carrel");
        const auto engine = put("usr/lib/carrel/carrel-engine");
        const auto clerk = put("usr/lib/carrel/carrel-clerk");
        const auto recipe = put("usr/share/carrel/image/build-image.sh").parent_path();
        for (const auto& from : {carrel, engine}) {
            QCOMPARE(text(OwnPlaces(from).program("carrel-engine").value()), text(engine));
            QCOMPARE(text(OwnPlaces(from).program("carrel-clerk").value()), text(clerk));
            QCOMPARE(text(OwnPlaces(from).data("image").value()), text(recipe));
        }
    }

    void onlyTheFolderOfAnInstallationIsTakenForOne() {
        // A build that lies in a folder of the name carrel is no installation.
        const auto carrel = put("home/ada/carrel/carrel");
        (void)put("home/ada/share/carrel/image/x");
        (void)put("share/carrel/image/x");
        QCOMPARE(text(OwnPlaces(carrel).data("image").value()), text(m_root / "home/ada/share/carrel/image"));
    }

    void whatCannotBeRunIsNoProgram() {
        const auto carrel = put("usr/bin/carrel");
        fs::create_directories(m_root / "usr/bin/carrel-engine"); // a folder can be entered, not run
        const auto engine = put("usr/lib/carrel/carrel-engine");
        QCOMPARE(text(OwnPlaces(carrel).program("carrel-engine").value()), text(engine));
        fs::permissions(engine, fs::perms::owner_read);
        const auto missing = OwnPlaces(carrel).program("carrel-engine");
        QVERIFY(!missing);
        QVERIFY(missing.error().code == ErrorCode::NotFound);
        QVERIFY(missing.error().text().find((m_root / "usr/lib/carrel").string()) != std::string::npos);
        QVERIFY(!missing.error().hint.empty());
    }

    void aMissingFileIsNamed() {
        const auto missing = OwnPlaces(put("usr/bin/carrel")).data("image");
        QVERIFY(!missing);
        QVERIFY(missing.error().code == ErrorCode::NotFound);
        QVERIFY(missing.error().text().find((m_root / "usr/share/carrel/image").string()) != std::string::npos);
    }

    void linksOnTheWayAreResolved() {
        const auto engine = put("opt/carrel-1/lib/carrel/carrel-engine");
        const auto recipe = put("opt/carrel-1/share/carrel/image/x").parent_path();
        fs::create_directory_symlink("carrel-1", m_root / "opt/carrel");
        const OwnPlaces places(m_root / "opt/carrel/bin/carrel");
        QCOMPARE(text(places.program("carrel-engine").value()), text(engine));
        QCOMPARE(text(places.data("image").value()), text(recipe));
    }

    void thisProgramIsFoundByTheKernelsWord() {
        const auto self = fs::read_symlink("/proc/self/exe");
        QCOMPARE(text(api::ownProgram(self.filename().string()).value()), text(self));
        QVERIFY(!api::ownProgram("carrel-no-such-program"));
    }
};

QTEST_GUILESS_MAIN(TestOwnPrograms)
#include "test_own_programs.moc"
