// SPDX-License-Identifier: Apache-2.0
// Names that are looked for in a folder's listing, many of them: how often it is read.
#include "app/files/listed_names.h"
#include "tests/app/files/files_world.h"

#include <QElapsedTimer>
#include <QTest>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

class TestListedNames : public QObject {
    Q_OBJECT
private slots:
    void aFolderIsReadOnceForManyNames() {
        World w;
        for (int i = 0; i < 300; ++i) {
            writeFile(w.at(std::to_string(i)), "");
        }
        ListedNames names(ListedNames::Missing::IsMissing);
        QElapsedTimer took;
        took.start();
        for (int i = 0; i < 300; ++i) {
            QCOMPARE(names.lists(w.root.get(), std::to_string(i)).value(), true);
            QCOMPARE(names.lists(w.root.get(), "none" + std::to_string(i)).value(), false);
        }
        QVERIFY(names.reads() <= 1 + static_cast<std::size_t>(took.elapsed()) / 1000); // believed for a second
    }
    void whatMayHaveComeIsLookedForAgain() {
        World w;
        ListedNames names(ListedNames::Missing::LookAgain);
        QCOMPARE(names.lists(w.root.get(), "a").value(), false);
        writeFile(w.at("a"), "");
        QCOMPARE(names.lists(w.root.get(), "a").value(), true);
        QCOMPARE(names.reads(), std::size_t{2});
    }
    void foldersAreNotMixedUp() {
        World w;
        ListedNames names(ListedNames::Missing::IsMissing);
        std::vector<UniqueFd> folders;
        for (int i = 0; i < 40; ++i) {
            const auto name = std::to_string(i);
            fs::create_directory(w.at(name));
            writeFile(w.at(name + "/in" + name), "");
            folders.emplace_back(::open(w.at(name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        }
        for (int round = 0; round < 2; ++round) {
            for (int i = 0; i < 40; ++i) {
                QCOMPARE(names.lists(folders[static_cast<std::size_t>(i)].get(), "in" + std::to_string(i)).value(), true);
                QCOMPARE(names.lists(folders[static_cast<std::size_t>(i)].get(), "in" + std::to_string(i + 1)).value(), false);
            }
        }
    }
    // Upper case is another name, whatever the disk says.
    void byteForByte() {
        World w;
        writeFile(w.at(".ssh"), "");
        ListedNames names(ListedNames::Missing::IsMissing);
        QCOMPARE(names.lists(w.root.get(), ".SSH").value(), false);
        QCOMPARE(names.lists(w.root.get(), "SSH~1").value(), false);
        QCOMPARE(names.lists(w.root.get(), ".ssh").value(), true);
    }
};

QTEST_GUILESS_MAIN(TestListedNames)
#include "test_listed_names.moc"
