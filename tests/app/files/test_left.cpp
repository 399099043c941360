// SPDX-License-Identifier: Apache-2.0
// What an apply left in the folder, told to the guest as the base of its next work: only if it is there still.
#include "app/files/left.h"
#include "tests/app/files/files_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

NodeState wantedFile(const std::string& text, std::int64_t mtimeNs) {
    NodeState state;
    state.kind = NodeKind::File;
    state.content = Sha256::of(text);
    state.size = text.size();
    state.mtimeNs = mtimeNs;
    state.mode = 0644;
    return state;
}

} // namespace

class TestLeft : public QObject {
    Q_OBJECT
private slots:
    void whatWasPutThere() {
        World w;
        writeFile(w.at("a"), "text\n");
        const auto now = w.versionOf("a");
        const auto wanted = wantedFile("text\n", now->mtimeNs);
        QVERIFY(leftBy(w.root.get(), path("a"), wanted) == Left{now});
        // A disk may not keep such times; then the bytes tell.
        QVERIFY(leftBy(w.root.get(), path("a"), wantedFile("text\n", 12345)) == Left{now});
    }
    void notWhatSomebodySavedSince() {
        World w;
        writeFile(w.at("a"), "text\n");
        const auto wanted = wantedFile("text\n", w.versionOf("a")->mtimeNs);
        writeFile(w.at("a"), "next\n", 0644, 1'600'000'009); // of the same size
        QVERIFY(!leftBy(w.root.get(), path("a"), wanted));
        writeFile(w.at("a"), "longer\n");
        QVERIFY(!leftBy(w.root.get(), path("a"), wanted));
        fs::remove(w.at("a"));
        QVERIFY(!leftBy(w.root.get(), path("a"), wanted));
        fs::create_directory(w.at("a"));
        QVERIFY(!leftBy(w.root.get(), path("a"), wanted));
    }
    void nothing() {
        World w;
        QVERIFY(leftBy(w.root.get(), path("a"), NodeState{}) == Left{});
        QVERIFY(leftBy(w.root.get(), path("no/folder/a"), NodeState{}) == Left{});
        writeFile(w.at("a"), "made anew\n");
        QVERIFY(!leftBy(w.root.get(), path("a"), NodeState{}));
    }
    void folders() {
        World w;
        fs::create_directory(w.at("d"));
        NodeState wanted;
        wanted.kind = NodeKind::Directory;
        const auto left = leftBy(w.root.get(), path("d"), wanted);
        QVERIFY(left && left->version);
        QCOMPARE(left->version->inode, w.versionOf("d")->inode);
        QCOMPARE(left->version->size, std::uint64_t{0}); // by which a machine knows a folder (change_report.h)
    }
    void links() {
        World w;
        fs::create_symlink("there", w.at("l"));
        NodeState wanted;
        wanted.kind = NodeKind::Symlink;
        wanted.linkTarget = "there";
        QVERIFY(leftBy(w.root.get(), path("l"), wanted) == Left{w.versionOf("l")});
        wanted.linkTarget = "elsewhere";
        QVERIFY(!leftBy(w.root.get(), path("l"), wanted));
    }
};

QTEST_GUILESS_MAIN(TestLeft)
#include "test_left.moc"
