// SPDX-License-Identifier: Apache-2.0
// Tags that the user sets after an apply (xattr(7)) are the user's: an undo takes back what the apply did, and not those.
#include "tests/app/files/crash_world.h"
#include "tests/app/files/meddler.h"

#include <QtTest>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

bool tag(const std::string& file, const char* name, const std::string& value) {
    return ::setxattr(file.c_str(), name, value.data(), value.size(), 0) == 0;
}

using Tags = std::map<std::string, std::string>;

} // namespace

class TestUndoAttributes : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        World w;
        writeFile(w.at("f"), "");
        if (!tag(w.at("f"), "user.tag", "x")) {
            QSKIP("this file system has no extended attributes");
        }
    }

    void whatTheUserSetSinceStays_data() {
        QTest::addColumn<int>("files");
        QTest::newRow("by itself") << 1;
        QTest::newRow("among others") << 3;
    }
    void whatTheUserSetSinceStays() {
        QFETCH(int, files);
        World w;
        std::vector<std::string> names;
        for (int i = 0; i < files; ++i) {
            names.push_back("f" + std::to_string(i));
            writeFile(w.at(names.back()), "as it was\n");
            QVERIFY(tag(w.at(names.back()), "user.same", "1") && tag(w.at(names.back()), "user.changes", "2") &&
                    tag(w.at(names.back()), "user.goes", "3"));
            setTime(w.at(names.back()), 1'600'000'000);
            w.content(ChangeKind::Modified, names.back(), "agent\n");
        }
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY2(applied->complete(), describe(*applied).c_str());
        for (const auto& name : names) {
            QVERIFY(tag(w.at(name), "user.new", "mine") && tag(w.at(name), "user.changes", "mine"));
            QVERIFY(::removexattr(w.at(name).c_str(), "user.goes") == 0);
        }
        const Tags mine{{"user.same", "1"}, {"user.changes", "mine"}, {"user.new", "mine"}};
        std::string last = applied->id;
        for (const char* text : {"as it was\n", "agent\n", "as it was\n"}) { // and the undo of that, and again
            auto undone = review->undo(w.root.get(), last);
            VERIFY_OK(undone);
            QVERIFY2(undone->complete(), describe(*undone).c_str());
            for (const auto& name : names) {
                QCOMPARE(slurp(w.at(name)), std::string(text));
                QVERIFY(attributesOf(w.at(name)) == mine);
            }
            last = undone->id;
        }
    }

    // Nothing would be left to bear the tag.
    void whatCannotStayConflicts_data() { whatTheUserSetSinceStays_data(); }
    void whatCannotStayConflicts() {
        QFETCH(int, files);
        World w;
        fs::create_symlink("elsewhere", w.at("was a link"));
        w.content(ChangeKind::Modified, "was a link", "agent\n");
        w.claim(ChangeKind::Created, "folder", EntryType::Directory);
        w.content(ChangeKind::Created, "untagged", "agent\n");
        for (int i = 0; i < files; ++i) {
            w.content(ChangeKind::Created, "new" + std::to_string(i), "agent\n");
        }
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY2(applied->complete(), describe(*applied).c_str());
        std::vector<std::string> tagged{"was a link", "folder"};
        for (int i = 0; i < files; ++i) {
            tagged.push_back("new" + std::to_string(i));
        }
        for (const auto& name : tagged) {
            QVERIFY(tag(w.at(name), "user.new", "mine"));
        }
        auto undone = review->undo(w.root.get(), applied->id);
        VERIFY_OK(undone);
        for (const auto& entry : undone->entries) {
            const bool stays = entry.path.text() != "untagged";
            QVERIFY2(entry.outcome == (stays ? Outcome::Conflict : Outcome::Applied), describe(*undone).c_str());
            QVERIFY2(!stays || entry.reason == "its attributes are others now", describe(*undone).c_str());
        }
        for (const auto& name : tagged) {
            QCOMPARE(attributesOf(w.at(name))["user.new"], std::string("mine"));
            QVERIFY(::removexattr(w.at(name).c_str(), "user.new") == 0);
        }
        QVERIFY(!fs::exists(w.at("untagged")));
        // The tags are gone, and so is the conflict.
        undone = review->undo(w.root.get(), applied->id);
        VERIFY_OK(undone);
        QVERIFY2(undone->complete(), describe(*undone).c_str());
        QVERIFY(fs::is_symlink(w.at("was a link")) && !fs::exists(w.at("folder")) && !fs::exists(w.at("new0")));
    }

    // What a folder gives to all that is made in it is nobody's addition.
    void whatAFolderGivesIsNoTag() {
        World w;
        fs::create_directory(w.at("d"));
        writeFile(w.at("d/old"), "as it was\n"); // without, and stays so
        const std::string list = accessList();
        if (::setxattr(w.at("d").c_str(), "system.posix_acl_default", list.data(), list.size(), 0) != 0) {
            QSKIP("this file system has no access lists");
        }
        const auto before = snapshot(w.share, Times::Files);
        w.content(ChangeKind::Created, "d/new", "agent\n");
        w.claim(ChangeKind::Created, "d/e", EntryType::Directory);
        w.content(ChangeKind::Modified, "d/old", "agent\n");
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        QVERIFY2(applied->complete(), describe(*applied).c_str());
        QVERIFY(!attributesOf(w.at("d/new")).empty() && attributesOf(w.at("d/old")).empty());
        auto undone = review->undo(w.root.get(), applied->id);
        VERIFY_OK(undone);
        QVERIFY2(undone->complete(), describe(*undone).c_str());
        QVERIFY(same(snapshot(w.share, Times::Files), before));
    }
};

QTEST_GUILESS_MAIN(TestUndoAttributes)
#include "test_undo_attributes.moc"
