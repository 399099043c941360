// SPDX-License-Identifier: Apache-2.0
// Tags that the user sets after an apply (xattr(7)) are the user's: an undo takes back what the apply did, and not those.
#include "tests/app/files/crash_world.h"
#include "tests/app/files/meddler.h"

#include <QTest>

#include <algorithm>
#include <array>
#include <sstream>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

bool tag(const std::string& file, const char* name, const std::string& value) {
    return ::setxattr(file.c_str(), name, value.data(), value.size(), 0) == 0;
}

using Tags = std::map<std::string, std::string>;

std::optional<gid_t> anotherGroup() {
    if (::geteuid() == 0) {
        return 4242;
    }
    std::array<gid_t, 256> mine{};
    const int count = ::getgroups(mine.size(), mine.data());
    auto* const end = mine.data() + std::max(count, 0);
    auto* const found = std::find_if(mine.data(), end, [](gid_t each) { return each != ::getegid(); });
    return found == end ? std::nullopt : std::optional(*found);
}

// Puts a group that nobody belongs to in the place of what the journal names, or takes it out.
void writeGroup(const std::string& log, bool kept) {
    std::istringstream lines(slurp(log));
    std::string out;
    const std::string own = ",\"gid\":" + std::to_string(::getegid());
    for (std::string line; std::getline(lines, line);) {
        std::string body = line.substr(17);
        if (const auto at = body.find(own); at != std::string::npos) {
            body.replace(at, own.size(), kept ? ",\"gid\":424242" : "");
        }
        out += Sha256::of(body).hex().substr(0, 16) + " " + body + "\n";
    }
    std::ofstream(log, std::ios::trunc) << out;
}

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

    void whatWasDeletedComesBackToItsGroup_data() { whatTheUserSetSinceStays_data(); }
    void whatWasDeletedComesBackToItsGroup() {
        QFETCH(int, files);
        const auto group = anotherGroup();
        if (!group) {
            QSKIP("this account belongs to one group only");
        }
        World w;
        std::vector<std::string> names{"d"};
        fs::create_directory(w.at("d"));
        for (int i = 0; i < files; ++i) {
            names.push_back("f" + std::to_string(i));
            writeFile(w.at(names.back()), "the team's\n");
        }
        for (const auto& name : names) {
            QVERIFY(::chown(w.at(name).c_str(), static_cast<uid_t>(-1), *group) == 0);
            QVERIFY(::chmod(w.at(name).c_str(), name == "d" ? 02775 : 0660) == 0);
            w.claim(ChangeKind::Deleted, name, name == "d" ? EntryType::Directory : EntryType::File);
        }
        const auto before = snapshot(w.share, Times::Files);
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        auto undone = review->undo(w.root.get(), applied->id);
        VERIFY_OK(undone);
        QVERIFY2(undone->complete(), describe(*undone).c_str());
        QVERIFY(same(snapshot(w.share, Times::Files), before));
        for (const auto& name : names) {
            struct stat st {};
            QVERIFY(::stat(w.at(name).c_str(), &st) == 0);
            QCOMPARE(st.st_gid, *group);
        }
    }

    // The user has left the group since. Under another one's, others could read it; so it is for the owner alone, and that is
    // said. A journal of before the group was kept says nothing of it, and what it deleted comes back as it did.
    void orToNoGroup_data() { whatTheUserSetSinceStays_data(); }
    void orToNoGroup() {
        QFETCH(int, files);
        if (::geteuid() == 0) {
            QSKIP("root may give a file to any group");
        }
        for (const bool kept : {true, false}) {
            World w;
            std::vector<std::string> names{"d"};
            fs::create_directory(w.at("d"));
            for (int i = 0; i < files; ++i) {
                names.push_back("f" + std::to_string(i));
                writeFile(w.at(names.back()), "the team's\n");
            }
            for (const auto& name : names) {
                QVERIFY(::chmod(w.at(name).c_str(), name == "d" ? 02775 : 0660) == 0);
                w.claim(ChangeKind::Deleted, name, name == "d" ? EntryType::Directory : EntryType::File);
            }
            const auto before = snapshot(w.share, Times::Files);
            auto review = w.review();
            auto set = w.freeze(*review);
            VERIFY_OK(set);
            auto applied = review->apply(w.root.get(), set->id, everything(*set));
            VERIFY_OK(applied);
            writeGroup(w.data + "/applies/" + applied->id + "/log", kept);
            auto undone = review->undo(w.root.get(), applied->id);
            VERIFY_OK(undone);
            QVERIFY2(undone->complete(), describe(*undone).c_str());
            QCOMPARE(same(snapshot(w.share, Times::Files), before), !kept);
            for (const auto& name : names) {
                struct stat st {};
                QVERIFY(::stat(w.at(name).c_str(), &st) == 0);
                QCOMPARE(st.st_gid, ::getegid());
                QCOMPARE(st.st_mode & 07777, kept ? (name == "d" ? 0705U : 0600U) : (name == "d" ? 02775U : 0660U));
            }
            for (const auto& entry : undone->entries) {
                QCOMPARE(entry.reason.find("group") != std::string::npos, kept);
            }
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
