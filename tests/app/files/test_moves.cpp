// SPDX-License-Identifier: Apache-2.0
// Names that change places: into new folders, up and down, in chains and in rings. Each is applied in one go, killed at
// every call and finished, and taken back to the exact start.
#include "tests/app/files/crash_world.h"
#include "tests/app/files/killer.h"

#include <QTest>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

constexpr auto kFolder = EntryType::Directory;

struct Scene {
    const char* name;
    std::vector<const char*> files; // each holds its own name
    std::function<void(World&)> changes;
    std::vector<const char*> afterwards; // "path=content"
};

// Another content for a file that the rename moves as well.
void edited(World& w, ChangeEntry& entry, const std::string& text) {
    entry.contentChanged = true;
    entry.size = text.size();
    w.guest.contents[entry.path.text()] = text;
}

const std::vector<Scene>& scenes() {
    static const std::vector<Scene> kScenes{
        {"a folder into a new one", {"d/f"}, [](World& w) {
             w.claim(ChangeKind::Created, "new", kFolder);
             w.renamed("d", "new/d", kFolder);
         }, {"new/d/f=d/f"}},
        {"a new folder where a file was", {"f"}, [](World& w) {
             w.renamed("f", "g");
             w.claim(ChangeKind::Created, "f", kFolder).base.reset();
             w.content(ChangeKind::Created, "f/in it", "x");
         }, {"g=f", "f/in it=x"}},
        {"a file into the folder that takes its place", {"f"}, [](World& w) {
             w.renamed("f", "f/f");
             w.claim(ChangeKind::Created, "f", kFolder).base.reset();
         }, {}},
        {"a file becomes a folder", {"f"}, [](World& w) {
             w.claim(ChangeKind::Created, "f", kFolder);
             w.claim(ChangeKind::Created, "f/g", kFolder);
             w.content(ChangeKind::Created, "f/g/in it", "x");
         }, {"f/g/in it=x"}},
        {"a link becomes a folder, with something moved in", {"f", "d/g"}, [](World& w) {
             fs::create_symlink("d", w.at("l"));
             w.claim(ChangeKind::Created, "l", kFolder);
             w.renamed("d/g", "l/g");
             w.renamed("f", "l/f");
         }, {"l/g=d/g", "l/f=f"}},
        {"a folder becomes a file, its content goes elsewhere", {"d/f", "d/g"}, [](World& w) {
             w.renamed("d/f", "f");
             w.claim(ChangeKind::Deleted, "d/g");
             w.content(ChangeKind::Created, "d", "a file");
         }, {"f=d/f", "d=a file"}},
        {"a new folder where a folder was", {"d/f"}, [](World& w) {
             w.renamed("d", "e", kFolder);
             w.claim(ChangeKind::Created, "d", kFolder).base.reset();
             w.content(ChangeKind::Created, "d/f", "new");
         }, {"e/f=d/f", "d/f=new"}},
        {"a folder in a renamed folder", {"A/x/f"}, [](World& w) {
             w.renamed("A", "B", kFolder);
             w.renamed("A/x", "B/y", kFolder);
         }, {"B/y/f=A/x/f"}},
        {"out of a folder that is renamed", {"A/x/f", "A/g", "A/h"}, [](World& w) {
             w.renamed("A", "B", kFolder);
             w.renamed("A/x", "AA", kFolder);
             w.renamed("A/g", "0");
             w.content(ChangeKind::Modified, "AA/f", "edited").base = w.versionOf("A/x/f");
         }, {"AA/f=edited", "0=A/g", "B/h=A/h"}},
        {"a chain of folders", {"a/f", "b/f", "c/f"}, [](World& w) {
             w.renamed("a", "b", kFolder);
             w.renamed("b", "c", kFolder);
             w.renamed("c", "d", kFolder);
         }, {"b/f=a/f", "c/f=b/f", "d/f=c/f"}},
        {"two files", {"a", "b"}, [](World& w) {
             w.renamed("a", "b");
             w.renamed("b", "a");
         }, {"a=b", "b=a"}},
        {"two files, edited on the way", {"a", "b"}, [](World& w) {
             edited(w, w.renamed("a", "b"), "a, edited");
             w.renamed("b", "a").mode = 0600;
         }, {"a=b", "b=a, edited"}},
        {"three files in two folders", {"p/a", "q/b", "c"}, [](World& w) {
             w.renamed("p/a", "q/b");
             w.renamed("q/b", "c");
             w.renamed("c", "p/a");
         }, {"p/a=c", "q/b=p/a", "c=q/b"}},
        {"five files", {"1", "2", "3", "4", "5"}, [](World& w) {
             w.renamed("1", "2");
             w.renamed("2", "3");
             w.renamed("3", "4");
             w.renamed("4", "5");
             w.renamed("5", "1");
         }, {"1=5", "2=1", "3=2", "4=3", "5=4"}},
        {"two folders", {"a/f", "b/f", "b/g"}, [](World& w) {
             w.renamed("a", "b", kFolder);
             w.renamed("b", "a", kFolder).mode = 0700;
             w.content(ChangeKind::Modified, "b/f", "a/f, edited").base = w.versionOf("a/f");
             w.claim(ChangeKind::Deleted, "a/g").base = w.versionOf("b/g");
         }, {"a/f=b/f", "b/f=a/f, edited"}},
        {"three folders, one within another", {"a/f", "d/b/f", "c/f"}, [](World& w) {
             w.renamed("a", "d/b", kFolder);
             w.renamed("d/b", "c", kFolder);
             w.renamed("c", "a", kFolder);
         }, {"a/f=c/f", "c/f=d/b/f", "d/b/f=a/f"}},
        {"a file and a folder", {"a", "b/f"}, [](World& w) {
             w.renamed("a", "b");
             w.renamed("b", "a", kFolder);
         }, {"b=a", "a/f=b/f"}},
        {"a ring and what hangs on it", {"a/f", "b/f", "c"}, [](World& w) {
             w.renamed("a", "b", kFolder);
             w.renamed("b", "a", kFolder);
             w.renamed("c", "a/c");
             w.renamed("a/f", "d"); // by its name of today
         }, {"a/f=b/f", "a/c=c", "d=a/f"}},
    };
    return kScenes;
}

std::string problems(const FrozenSet& set) {
    std::string text;
    for (const auto& entry : set.entries) {
        if (entry.conflict != ConflictKind::None) {
            text += entry.path.text() + ": " + entry.conflictReason + "; ";
        }
    }
    for (const auto& left : set.leftOut) {
        text += left.path.text() + " left out: " + left.reason + "; ";
    }
    return text;
}

} // namespace

class TestMoves : public QObject {
    Q_OBJECT
private slots:
    void changesPlaces_data() {
        QTest::addColumn<std::size_t>("index");
        for (std::size_t i = 0; i < scenes().size(); ++i) {
            QTest::newRow(scenes()[i].name) << i;
        }
    }
    void changesPlaces() {
        QFETCH(std::size_t, index);
        const Scene& scene = scenes()[index];
        World w;
        prepare(w, scene);
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set);
        if (scene.afterwards.empty()) { // what no review can take is refused there, and nothing happens
            QVERIFY(!problems(*set).empty());
            return;
        }
        QVERIFY2(problems(*set).empty(), problems(*set).c_str());
        const auto before = snapshot(w.share, Times::All);
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        QVERIFY2(applied && applied->complete(), applied ? describe(*applied).c_str() : applied.error().text().c_str());
        QCOMPARE(applied->entries.size(), set->entries.size()); // each is told of, whatever it took
        compare(w, scene);
        const auto after = snapshot(w.share, Times::Files);
        auto undone = review->undo(w.root.get(), applied->id);
        QVERIFY2(undone && undone->complete(), undone ? describe(*undone).c_str() : undone.error().text().c_str());
        QVERIFY(same(snapshot(w.share, Times::All), before));
        auto redone = review->undo(w.root.get(), undone->id);
        QVERIFY(redone && redone->complete());
        QVERIFY(same(snapshot(w.share, Times::Files), after));
    }

    void killedAtEveryCall_data() { changesPlaces_data(); }
    void killedAtEveryCall() {
        if (const std::string why = whyNoTracing(); !why.empty()) {
            QSKIP(why.c_str());
        }
        QFETCH(std::size_t, index);
        const Scene& scene = scenes()[index];
        World w;
        prepare(w, scene);
        if (scene.afterwards.empty()) {
            return; // refused
        }
        auto review = w.review();
        auto set = w.freeze(*review);
        QVERIFY(set);
        const auto before = snapshot(w.share, Times::Files);
        review.reset();
        WorldImage image(w);
        for (std::size_t point = 0;; point += 2) {
            image.restore();
            Killer killer(point);
            const bool killed = trace([&] {
                (void)w.review()->apply(w.root.get(), set->id, everything(*set));
                return std::string();
            }, Watched::Changing, killer).killed;
            const std::string where = killer.where();
            review = w.review();
            const auto to = point % 4 == 0 ? RecoverTo::Finish : RecoverTo::RollBack;
            auto reports = review->recover(w.opener(), to);
            QVERIFY2(reports, where.c_str());
            const auto applies = review->applies().value();
            if (!applies.empty() && (to == RecoverTo::Finish || reports->empty())) {
                compare(w, scene);
                auto undone = review->undo(w.root.get(), applies.front().id);
                QVERIFY2(undone && undone->complete(), where.c_str());
            }
            QVERIFY2(same(snapshot(w.share, Times::Files), before), where.c_str());
            if (!killed || QTest::currentTestFailed()) {
                break;
            }
            review.reset();
        }
    }

private:
    static void prepare(World& w, const Scene& scene) {
        for (const std::string file : scene.files) {
            fs::create_directories(fs::path(w.at(file)).parent_path());
            writeFile(w.at(file), file);
        }
        scene.changes(w);
    }
    static void compare(const World& w, const Scene& scene) {
        for (const std::string line : scene.afterwards) {
            const auto equals = line.find('=');
            QCOMPARE(slurp(w.at(line.substr(0, equals))), line.substr(equals + 1));
        }
        const auto now = snapshot(w.share, Times::Files);
        const auto files = std::count_if(now.begin(), now.end(), [&](const auto& item) {
            return fs::is_regular_file(w.at(item.first));
        });
        QCOMPARE(static_cast<std::size_t>(files), scene.afterwards.size());
    }
};

QTEST_GUILESS_MAIN(TestMoves)
#include "test_moves.moc"
