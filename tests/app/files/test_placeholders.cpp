// SPDX-License-Identifier: Apache-2.0
// I10: what only stands for a file that a sync program keeps elsewhere stays as it is, or that file would be gone from every
// computer of the user's. Whatever was staged, and whenever the file became a placeholder.
#include "app/clerk/placeholders.h"
#include "tests/app/files/files_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

constexpr const char* kName = "report.odt.nextcloud";

Result<FrozenSet> freeze(World& w, FileReview& review) {
    FreezeLimits limits;
    limits.placeholder = [](const SharePath& path, const NodeState& state) {
        return state.kind == NodeKind::File && clerk::placeholderOf(path.name(), state.size).has_value();
    };
    return review.freeze(w.root.get(), "s1", w.claims, w.guest, limits);
}

// A placeholder at the top, and one in a folder that a report may move.
struct CloudWorld : World {
    CloudWorld() {
        fs::create_directory(at("docs"));
        writeFile(at(kName), " ");
        writeFile(at("docs/plan.owncloud"), " ");
        writeFile(at("docs/own.txt"), "the user's own\n");
    }
};

struct Change {
    const char* name;
    std::function<void(CloudWorld&)> report;
};
const std::vector<Change>& changes() {
    static const std::vector<Change> all{
        {"deleted", [](CloudWorld& w) { w.claim(ChangeKind::Deleted, kName); }},
        {"modified", [](CloudWorld& w) { w.content(ChangeKind::Modified, kName, "of the agent's\n"); }},
        {"written over with the same blank", [](CloudWorld& w) { w.content(ChangeKind::Modified, kName, " "); }},
        {"modified, and none of it is said to have been there",
         [](CloudWorld& w) { w.content(ChangeKind::Created, kName, "of the agent's\n").base.reset(); }},
        {"another mode", [](CloudWorld& w) { w.claim(ChangeKind::Mode, kName).mode = 0600; }},
        {"renamed", [](CloudWorld& w) { w.renamed(kName, "report.odt"); }},
        {"renamed, with other content",
         [](CloudWorld& w) {
             auto& entry = w.renamed(kName, "report.odt");
             entry.contentChanged = true;
             entry.size = 1;
             w.guest.contents["report.odt"] = "x";
         }},
        {"a file renamed over it", [](CloudWorld& w) { w.renamed("docs/own.txt", kName); }},
        {"a link in its place", [](CloudWorld& w) { w.link(kName, "docs/own.txt"); }},
        {"a folder in its place", [](CloudWorld& w) { w.claim(ChangeKind::Created, kName, EntryType::Directory); }},
        {"deleted, in a folder", [](CloudWorld& w) { w.claim(ChangeKind::Deleted, "docs/plan.owncloud"); }},
        {"deleted in a folder that is renamed",
         [](CloudWorld& w) {
             w.renamed("docs", "papers", EntryType::Directory);
             w.claim(ChangeKind::Deleted, "papers/plan.owncloud").base = w.versionOf("docs/plan.owncloud");
         }},
        {"a folder deleted around it",
         [](CloudWorld& w) {
             w.claim(ChangeKind::Deleted, "docs/plan.owncloud");
             w.claim(ChangeKind::Deleted, "docs/own.txt");
             w.claim(ChangeKind::Deleted, "docs", EntryType::Directory);
         }},
    };
    return all;
}

std::vector<std::string> placeholdersIn(const World& w) {
    std::vector<std::string> names;
    for (const auto& item : fs::recursive_directory_iterator(w.share)) {
        if (item.is_regular_file() && item.file_size() == 1 && slurp(item.path().string()) == " ") {
            names.push_back(item.path().filename().string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace

class TestPlaceholders : public QObject {
    Q_OBJECT
private slots:
    void noChangeOfOneIsApplied_data() {
        QTest::addColumn<int>("change");
        for (std::size_t i = 0; i < changes().size(); ++i) {
            QTest::newRow(changes()[i].name) << static_cast<int>(i);
        }
    }
    void noChangeOfOneIsApplied() {
        QFETCH(int, change);
        CloudWorld w;
        changes()[static_cast<std::size_t>(change)].report(w);
        auto review = w.review();
        const auto set = freeze(w, *review);
        QVERIFY(set);
        std::size_t flagged = 0;
        std::vector<Selected> all;
        for (const auto& entry : set->entries) {
            if (entry.conflict == ConflictKind::Unreadable) {
                ++flagged;
                QVERIFY2(entry.conflictReason.find("stands for a file") != std::string::npos, entry.conflictReason.c_str());
                // Its blank is not shown as what was there before.
                QVERIFY(entry.kind == ChangeKind::Renamed || !entry.base.content);
                QVERIFY(!entry.baseKept || entry.path.name() == kName);
            }
            all.push_back({entry.path, IfFlagged::Replace}); // with every yes that there is
        }
        QCOMPARE(flagged, std::size_t{1});
        const auto applied = review->apply(w.root.get(), set->id, all);
        QVERIFY(applied && !applied->complete());
        QVERIFY(placeholdersIn(w) == (std::vector<std::string>{"plan.owncloud", kName}));
        struct stat st {};
        QVERIFY(::lstat(w.at(kName).c_str(), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0644);
    }

    // Of the user's own, whatever its name: as any other file. And a folder takes along what is in it.
    void othersChange() {
        CloudWorld w;
        writeFile(w.at("notes.nextcloud"), "the user's notes\n");
        w.content(ChangeKind::Modified, "notes.nextcloud", "the agent's\n");
        w.content(ChangeKind::Created, "new.nextcloud", "x");
        w.renamed("docs", "papers", EntryType::Directory);
        auto review = w.review();
        const auto set = freeze(w, *review);
        QVERIFY(set);
        const auto applied = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY2(applied && applied->complete(), applied ? describe(*applied).c_str() : "");
        QCOMPARE(slurp(w.at("notes.nextcloud")), std::string("the agent's\n"));
        QCOMPARE(slurp(w.at("papers/plan.owncloud")), std::string(" "));
    }

    // The sync program made room between the look and the yes.
    void becomesOneAfterTheReview_data() {
        QTest::addColumn<bool>("sameName");
        QTest::addColumn<int>("kind");
        for (const bool sameName : {false, true}) {
            for (const auto& [kind, name] : {std::pair{ChangeKind::Modified, "modified"}, {ChangeKind::Deleted, "deleted"},
                                             {ChangeKind::Renamed, "renamed"}, {ChangeKind::Mode, "another mode"}}) {
                QTest::addRow("%s, %s", name, sameName ? "in its place" : "beside it") << sameName << static_cast<int>(kind);
            }
        }
    }
    void becomesOneAfterTheReview() {
        QFETCH(bool, sameName);
        QFETCH(int, kind);
        World w;
        const std::string name = sameName ? kName : "report.odt";
        writeFile(w.at(name), "a report of several bytes\n");
        switch (static_cast<ChangeKind>(kind)) {
        case ChangeKind::Modified:
            w.content(ChangeKind::Modified, name, "edited\n");
            break;
        case ChangeKind::Renamed:
            w.renamed(name, "elsewhere");
            break;
        case ChangeKind::Mode:
            w.claim(ChangeKind::Mode, name).mode = 0600;
            break;
        default:
            w.claim(ChangeKind::Deleted, name);
        }
        auto review = w.review();
        const auto set = freeze(w, *review);
        QVERIFY(set && set->entries.size() == 1 && set->entries[0].conflict == ConflictKind::None);
        fs::remove(w.at(name));
        writeFile(w.at(kName), " ");
        const auto applied = review->apply(w.root.get(), set->id, {{{set->entries[0].path, IfFlagged::Replace}}});
        QVERIFY(applied);
        QVERIFY2(applied->entries[0].outcome == Outcome::Conflict, describe(*applied).c_str());
        QVERIFY(placeholdersIn(w) == std::vector<std::string>{kName});
        QCOMPARE(std::distance(fs::directory_iterator(w.share), fs::directory_iterator()), std::ptrdiff_t{1});
    }
};

QTEST_GUILESS_MAIN(TestPlaceholders)
#include "test_placeholders.moc"
