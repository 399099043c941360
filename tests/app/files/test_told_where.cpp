// SPDX-License-Identifier: Apache-2.0
// I10: what recovery finds otherwise than its journal says, or than it left it: whatever the user saved meanwhile or the disk
// spoiled, every version is still there and the user is told where.
#include "tests/app/files/meddler.h"

#include <QTest>

#include <sys/wait.h>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

FrozenSet frozen(World& w) {
    auto review = w.review();
    return w.freeze(*review).value();
}

// A child applies all of it, and dies before the `nth` step of that name.
bool diesAt(const char* step, World& w, const FrozenSet& set, int nth = 1) {
    if (const pid_t child = ::fork(); child == 0) {
        struct Dies : StepHook {
            std::string step;
            int left = 0;
            int before(std::string_view name, std::string_view) override {
                if (name == step && --left == 0) {
                    ::_exit(0);
                }
                return 0;
            }
        } dies;
        dies.step = step;
        dies.left = nth;
        auto review = w.review(&dies);
        (void)review->apply(w.root.get(), set.id, everything(set));
        ::_exit(1);
    } else {
        int status = 0;
        return ::waitpid(child, &status, 0) == child && status == 0;
    }
}

void save(const World& w, const char* name, std::string_view text) { // as an editor does
    writeFile(w.at("saved"), text);
    fs::rename(w.at("saved"), w.at(name));
}

bool tells(const EntryOutcome& entry, std::string_view what) {
    return entry.reason.find(what) != std::string::npos;
}

// Where a text stands; empty: it is lost.
std::string whereIs(const World& w, const std::string& text) {
    for (const auto& item : fs::recursive_directory_iterator(w.share)) {
        if (item.is_regular_file() && slurp(item.path().string()) == text) {
            return item.path().string().substr(w.share.size() + 1);
        }
    }
    return {};
}

void rot(World& w, std::size_t line) {
    const std::string log = w.data + "/applies/" + w.review()->applies()->front().id + "/log";
    std::string text = slurp(log);
    std::size_t at = 0;
    for (; line > 0; --line) {
        at = text.find('\n', at) + 1;
    }
    text.at(at + 20) ^= 1;
    std::ofstream(log, std::ios::trunc) << text;
}

} // namespace

class TestToldWhere : public QObject {
    Q_OBJECT
private slots:
    // Its line rots between the move to the temporary's name and the start: nothing else says that this is the user's file.
    void aRemovalThatADamagedJournalForgets_data() {
        QTest::addColumn<bool>("many");
        QTest::addColumn<bool>("back");
        QTest::addColumn<bool>("link");
        for (const bool many : {false, true}) {
            for (const bool back : {false, true}) {
                for (const bool link : {false, true}) {
                    QTest::addRow("%s, %s, %s", many ? "many" : "one", back ? "back" : "on", link ? "link" : "file")
                        << many << back << link;
                }
            }
        }
    }
    void aRemovalThatADamagedJournalForgets() {
        QFETCH(bool, many);
        QFETCH(bool, back);
        QFETCH(bool, link);
        World w;
        for (const char* name : {"f", "g", "h"}) {
            if (link) {
                fs::create_symlink("elsewhere", w.at(name));
            } else {
                writeFile(w.at(name), std::string(name) + " as it was\n");
            }
            w.claim(ChangeKind::Deleted, name, link ? EntryType::Symlink : EntryType::File);
            if (!many) {
                break;
            }
        }
        const auto before = snapshot(w.share, Times::Files);
        const FrozenSet set = frozen(w);
        QVERIFY(diesAt("unlink", w, set));
        rot(w, 0);
        auto review = w.review();
        auto reports = review->recover(w.opener(), back ? RecoverTo::RollBack : RecoverTo::Finish);
        VERIFY_OK(reports);
        const auto& report = reports->front();
        if (back) {
            QVERIFY(same(snapshot(w.share, Times::Files), before));
            return;
        }
        QVERIFY2(report.complete(), describe(report).c_str());
        QVERIFY(snapshot(w.share, Times::Files).empty());
        auto undone = review->undo(w.root.get(), report.id);
        QVERIFY(undone && undone->complete());
        QVERIFY(same(snapshot(w.share, Times::Files), before));
    }

    // And the user has saved another one under its name by then.
    void aForgottenRemovalWhoseNameIsTaken() {
        for (const std::string_view text : {"the user's\n", "as it was\n"}) {
            World w;
            writeFile(w.at("f"), "as it was\n");
            w.claim(ChangeKind::Deleted, "f");
            const FrozenSet set = frozen(w);
            QVERIFY(diesAt("unlink", w, set));
            rot(w, 0);
            writeFile(w.at("f"), text);
            auto review = w.review();
            auto reports = review->recover(w.opener());
            VERIFY_OK(reports);
            const auto& entry = reports->front().entries.at(0);
            const std::string kept = "f.carrel-kept-" + reports->front().id;
            QVERIFY2(entry.outcome == Outcome::Conflict && tells(entry, kept), entry.reason.c_str());
            QCOMPARE(slurp(w.at(kept)), std::string("as it was\n"));
            QCOMPARE(slurp(w.at("f")), std::string(text));
        }
    }

    // Of a replacement the same, which was kept already, but not told.
    void aForgottenReplacementIsTold() {
        for (const std::size_t line : {0U, 1U}) {
            World w;
            writeFile(w.at("f"), "as it was\n");
            w.content(ChangeKind::Modified, "f", "agent\n");
            const FrozenSet set = frozen(w);
            QVERIFY(diesAt("unlink", w, set));
            rot(w, line);
            auto reports = w.review()->recover(w.opener());
            VERIFY_OK(reports);
            const auto& entry = reports->front().entries.at(0);
            QVERIFY2(entry.outcome == Outcome::Conflict && tells(entry, whereIs(w, "as it was\n")), entry.reason.c_str());
        }
    }

    // Written to after the crash, under the temporary's name, and another one saved in its place.
    void whatIsKeptBesideIsTold() {
        for (const bool removes : {false, true}) {
            World w;
            writeFile(w.at("f"), "as it was\n");
            if (removes) {
                w.claim(ChangeKind::Deleted, "f");
            } else {
                w.content(ChangeKind::Modified, "f", "agent\n");
            }
            const FrozenSet set = frozen(w);
            QVERIFY(diesAt("unlink", w, set));
            for (const auto& item : fs::directory_iterator(w.share)) {
                if (item.path().filename().string().starts_with(kTemporaryPrefix)) {
                    std::ofstream(item.path(), std::ios::app) << "and a last line\n"; // of a program that had it open
                }
            }
            save(w, "f", "saved\n");
            auto reports = w.review()->recover(w.opener());
            VERIFY_OK(reports);
            const auto& entry = reports->front().entries.at(0);
            const auto kept = whereIs(w, "as it was\nand a last line\n");
            QVERIFY2(entry.outcome == Outcome::Conflict && tells(entry, kept), entry.reason.c_str());
            QVERIFY(kept.starts_with("f.carrel-kept-"));
            QCOMPARE(slurp(w.at("f")), std::string("saved\n"));
        }
    }

    // Died before or after the rename; then one of the names is saved anew.
    void movedAndSaved_data() {
        QTest::addColumn<bool>("moved");
        QTest::addColumn<QString>("saved");
        for (const bool moved : {false, true}) {
            for (const char* name : {"old", "new", "both"}) {
                QTest::addRow("%s, %s", moved ? "moved" : "not yet", name) << moved << name;
            }
        }
    }
    void movedAndSaved() {
        QFETCH(bool, moved);
        QFETCH(QString, saved);
        for (const bool folder : {false, true}) {
            World w;
            const auto put = [&](const char* name, const std::string& text) {
                if (folder) {
                    fs::create_directory(w.at("aside"));
                    writeFile(w.at("aside/f"), text);
                    if (fs::exists(w.at(name))) {
                        fs::rename(w.at(name), w.at(std::string(name) + " put away"));
                    }
                    fs::rename(w.at("aside"), w.at(name));
                } else {
                    save(w, name, text);
                }
            };
            put("old", "as it was\n");
            w.renamed("old", "new", folder ? EntryType::Directory : EntryType::File);
            const FrozenSet set = frozen(w);
            QVERIFY(diesAt(moved ? "folder.flush" : "rename", w, set));
            for (const char* name : {"old", "new"}) {
                if (saved == name || saved == "both") {
                    put(name, std::string(name) + " saved\n");
                }
            }
            const auto before = snapshot(w.share, Times::Files);
            auto reports = w.review()->recover(w.opener());
            VERIFY_OK(reports);
            const auto& entry = reports->front().entries.at(0);
            const std::string where = entry.reason + (folder ? " (folder)" : "");
            QVERIFY2(same(snapshot(w.share, Times::Files), before), where.c_str()); // nothing of the user's is moved
            const bool stands = moved && saved == "old"; // the moved one is where it should be
            QVERIFY2(entry.outcome == (stands ? Outcome::Applied : Outcome::Conflict), where.c_str());
            if (moved && !stands) {
                QVERIFY2(tells(entry, "old") && tells(entry, "new"), where.c_str());
            }
        }
    }

    // Moved, and then written to in its place: back with it where its old name is free, and told where it is.
    void movedAndWrittenTo() {
        for (const bool taken : {false, true}) {
            World w;
            writeFile(w.at("old"), "as it was\n");
            w.renamed("old", "new");
            const FrozenSet set = frozen(w);
            QVERIFY(diesAt("folder.flush", w, set));
            std::ofstream(w.at("new"), std::ios::app) << "more\n";
            if (taken) {
                save(w, "old", "saved\n");
            }
            auto reports = w.review()->recover(w.opener());
            VERIFY_OK(reports);
            const auto& entry = reports->front().entries.at(0);
            QCOMPARE(whereIs(w, "as it was\nmore\n"), std::string(taken ? "new" : "old"));
            QVERIFY2(entry.outcome == Outcome::Conflict && tells(entry, taken ? "new" : "old"), entry.reason.c_str());
        }
    }

    void exchangedAndSaved_data() {
        QTest::addColumn<bool>("swapped");
        QTest::addColumn<QString>("saved");
        for (const bool swapped : {false, true}) {
            for (const char* name : {"a", "b", "both"}) {
                QTest::addRow("%s, %s", swapped ? "swapped" : "not yet", name) << swapped << name;
            }
        }
    }
    void exchangedAndSaved() {
        QFETCH(bool, swapped);
        QFETCH(QString, saved);
        World w;
        writeFile(w.at("a"), "a as it was\n");
        writeFile(w.at("b"), "b as it was\n");
        w.renamed("a", "b");
        w.renamed("b", "a");
        const FrozenSet set = frozen(w);
        QVERIFY(diesAt(swapped ? "folder.flush" : "exchange", w, set));
        for (const char* name : {"a", "b"}) {
            if (saved == name || saved == "both") {
                save(w, name, std::string(name) + " saved\n");
            }
        }
        const auto before = snapshot(w.share, Times::Files);
        auto reports = w.review()->recover(w.opener());
        VERIFY_OK(reports);
        QVERIFY(same(snapshot(w.share, Times::Files), before));
        for (const auto& entry : reports->front().entries) {
            QVERIFY2(entry.outcome == Outcome::Conflict, entry.reason.c_str());
            QVERIFY2(tells(entry, "at a") && tells(entry, "at b"), entry.reason.c_str());
        }
    }

    // A ring of three: its first step is done, and the second cannot be.
    void halfOfARing() {
        World w;
        for (const char* name : {"a", "b", "c"}) {
            writeFile(w.at(name), std::string(name) + " as it was\n");
        }
        w.renamed("a", "b");
        w.renamed("b", "c");
        w.renamed("c", "a");
        const FrozenSet set = frozen(w);
        QVERIFY(diesAt("exchange", w, set, 2));
        std::string swapped;
        for (const char* name : {"a", "b", "c"}) {
            if (slurp(w.at(name)) == std::string(name) + " as it was\n") {
                save(w, name, "saved\n");
            } else {
                swapped += name;
            }
        }
        QCOMPARE(swapped.size(), std::size_t{2});
        auto reports = w.review()->recover(w.opener());
        VERIFY_OK(reports);
        const auto& entry = reports->front().entries.at(0);
        QVERIFY2(entry.outcome == Outcome::Partial, describe(reports->front()).c_str());
        QVERIFY2(tells(entry, std::string(1, swapped[0]) + " and " + swapped[1]) ||
                     tells(entry, std::string(1, swapped[1]) + " and " + swapped[0]),
                 entry.reason.c_str());
    }
};

QTEST_GUILESS_MAIN(TestToldWhere)
#include "test_told_where.moc"
