// SPDX-License-Identifier: Apache-2.0
#include "guest/worktree/sha256.h"
#include "guest/worktree/worktree.h"
#include "tests/guest/worktree/fake_lower.h"

#include <QTemporaryDir>
#include <QtTest>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace fs = std::filesystem;
using namespace carrel;
using namespace carrel::worktree;

namespace {

void writeFile(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}
std::string readFile(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

// A union over a temporary folder, driven by paths as a kernel would drive it by names.
struct Fixture {
    QTemporaryDir dir;
    fs::path host = fs::path(dir.path().toStdString()) / "host";
    std::shared_ptr<FakeLower> lower;
    std::unique_ptr<Worktree> tree;
    Access access = Access::Review;

    Fixture() {
        fs::create_directory(host);
        open();
    }
    void open() {
        tree.reset();
        lower = std::make_shared<FakeLower>(host.string());
        auto made = Worktree::open({dir.path().toStdString() + "/upper", access, 0, 0}, lower);
        if (!made) {
            qFatal("%s", made.error().text().c_str());
        }
        tree = std::move(*made);
    }
    SysResult<NodeEntry> walk(const std::string& path) {
        NodeEntry at;
        at.node = kRoot;
        for (const auto& part : fs::path(path)) {
            auto next = tree->lookup(at.node, part.string());
            if (!next) {
                return next;
            }
            if (next->node == 0) {
                return sysFail(ENOENT);
            }
            at = *next;
        }
        return at;
    }
    NodeId parentOf(const std::string& path) {
        const auto entry = walk(fs::path(path).parent_path().string());
        return entry ? entry->node : 0;
    }
    static std::string nameOf(const std::string& path) { return fs::path(path).filename().string(); }
    std::string read(NodeId node) {
        auto bytes = tree->read(node, 0, 1 << 20);
        return bytes ? std::string(asText(*bytes)) : "error " + std::to_string(bytes.error());
    }
    std::string cat(const std::string& path) {
        const auto entry = walk(path);
        return entry ? read(entry->node) : "error " + std::to_string(entry.error());
    }
    int put(const std::string& path, const std::string& text) { // as O_CREAT|O_TRUNC does
        auto entry = walk(path);
        if (!entry) {
            entry = tree->create(parentOf(path), nameOf(path), 0644, {});
        } else {
            SetAttr set;
            set.size = 0;
            entry = tree->setattr(entry->node, set);
        }
        if (!entry) {
            return entry.error();
        }
        const auto done = tree->write(entry->node, 0, asBytes(text));
        return done ? 0 : done.error();
    }
    void dump(NodeId node, const std::string& prefix, std::map<std::string, std::string>& out) {
        std::uint64_t cookie = 0;
        while (true) {
            const auto items = tree->readdir(node, cookie, 2, Plus::Yes);
            if (!items || items->empty()) {
                return;
            }
            for (const auto& item : *items) {
                const auto path = prefix + item.name;
                const auto mode = " " + std::to_string(item.entry.attr.st_mode & 07777U);
                if (S_ISDIR(item.entry.attr.st_mode)) {
                    out[path] = "dir" + mode;
                    dump(item.entry.node, path + "/", out);
                } else if (S_ISLNK(item.entry.attr.st_mode)) {
                    out[path] = "link " + tree->readlink(item.entry.node).value_or("?");
                } else {
                    out[path] = "file" + mode + " " + read(item.entry.node);
                }
                tree->forget(item.entry.node, 1);
            }
            cookie = items->back().cookie;
        }
    }
    std::map<std::string, std::string> dump() {
        std::map<std::string, std::string> out;
        dump(kRoot, "", out);
        return out;
    }
    std::vector<ChangeEntry> changes() {
        std::vector<ChangeEntry> out;
        SharePath after;
        while (true) {
            auto page = tree->changes(after, 3);
            out.insert(out.end(), page->entries.begin(), page->entries.end());
            if (!page->next) {
                return out;
            }
            after = *page->next;
        }
    }
    std::vector<ChangeRef> refs() {
        std::vector<ChangeRef> out;
        for (const auto& change : changes()) {
            out.push_back({change.path, change.generation});
        }
        return out;
    }
};

std::map<std::string, std::string> dumpReal(const fs::path& root) {
    std::map<std::string, std::string> out;
    for (const auto& item : fs::recursive_directory_iterator(root)) {
        const auto path = item.path().lexically_relative(root).string();
        const auto mode =
            " " + std::to_string(static_cast<unsigned>(item.symlink_status().permissions()) & 07777U);
        if (item.is_symlink()) {
            out[path] = "link " + fs::read_symlink(item.path()).string();
        } else if (item.is_directory()) {
            out[path] = "dir" + mode;
        } else {
            out[path] = "file" + mode + " " + readFile(item.path());
        }
    }
    return out;
}

// What the host's applier does, in its order and with nothing checked.
void applyTo(const fs::path& root, Fixture& f) {
    const auto all = f.changes();
    const auto pick = [&](auto want) {
        std::vector<ChangeEntry> out;
        std::copy_if(all.begin(), all.end(), std::back_inserter(out), want);
        return out;
    };
    // Everything renamed is set aside by its path on the host first, the deepest before what holds it.
    auto renames = pick([](const auto& c) { return c.kind == ChangeKind::Renamed; });
    std::sort(renames.begin(), renames.end(),
              [](const auto& a, const auto& b) { return b.from->text() < a.from->text(); });
    int number = 0;
    std::map<std::string, fs::path> aside;
    for (const auto& c : renames) {
        aside[c.path.text()] = root / (".aside" + std::to_string(number++));
        fs::rename(root / c.from->text(), aside[c.path.text()]);
    }
    // Removals next, deepest first; those inside a renamed folder lie where it was set aside.
    const auto place = [&](const std::string& path) {
        fs::path best = root / path;
        std::size_t length = 0;
        for (const auto& [to, at] : aside) {
            if (path.size() > to.size() && path.starts_with(to + "/") && to.size() >= length) {
                best = at / path.substr(to.size() + 1);
                length = to.size() + 1;
            }
        }
        return best;
    };
    auto gone = pick([](const auto& c) {
        return c.kind == ChangeKind::Deleted ||
               (c.base && c.kind != ChangeKind::Mode && c.kind != ChangeKind::Renamed);
    });
    for (auto it = gone.rbegin(); it != gone.rend(); ++it) {
        fs::remove(place(it->path.text()));
    }
    for (const auto& c : all) { // ascending: folders before what is in them
        const auto at = root / c.path.text();
        if (c.kind == ChangeKind::Deleted) {
            continue;
        }
        if (c.kind == ChangeKind::Renamed) {
            fs::rename(aside[c.path.text()], at);
            aside.erase(c.path.text());
        } else if (c.type == EntryType::Directory && c.kind != ChangeKind::Mode) {
            fs::create_directory(at);
        } else if (c.type == EntryType::Symlink) {
            fs::create_symlink(c.linkTarget, at);
        }
        if (c.contentChanged) {
            auto reader = f.tree->content(c.path, c.generation);
            if (!reader) {
                qFatal("%s: %s", c.path.text().c_str(), reader.error().text().c_str());
            }
            std::string text;
            while (text.size() < (*reader)->size()) {
                text += asText(*(*reader)->read(text.size(), 4096));
            }
            if (!(*reader)->finish()) {
                qFatal("content changed");
            }
            writeFile(at, text);
        }
        if (c.type != EntryType::Symlink) {
            fs::permissions(at, static_cast<fs::perms>(c.mode));
        }
    }
}

std::string describe(const std::map<std::string, std::string>& tree) {
    std::string out;
    for (const auto& [path, what] : tree) {
        out += path + " = " + what + "\n";
    }
    return out;
}

} // namespace

class TestWorktree : public QObject {
    Q_OBJECT

private slots:
    void hashIsTheStandards() {
        Sha256 hash;
        hash.update(asBytes("abc"));
        QCOMPARE(hash.hex(), std::string("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        Sha256 million;
        for (int i = 0; i < 1000; ++i) {
            million.update(asBytes(std::string(1000, 'a')));
        }
        QCOMPARE(million.hex(),
                 std::string("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
    }

    void theHostIsReadAndNeverWritten() {
        Fixture f;
        writeFile(f.host / "a", "one");
        const auto before = dumpReal(f.host);
        QCOMPARE(f.cat("a"), std::string("one"));
        QCOMPARE(f.put("a", "two"), 0);
        QCOMPARE(f.put("b", "new"), 0);
        QCOMPARE(f.cat("a"), std::string("two"));
        QCOMPARE(dumpReal(f.host), before);
        const auto list = f.changes();
        QCOMPARE(list.size(), std::size_t{2});
        QVERIFY(list[0].kind == ChangeKind::Modified);
        QVERIFY(list[0].base && list[0].base->size == 3);
        QVERIFY(list[1].kind == ChangeKind::Created);
    }

    void readOnlyRefusesEveryChange() {
        Fixture f;
        writeFile(f.host / "a", "one");
        f.access = Access::ReadOnly;
        f.open();
        const auto node = f.walk("a")->node;
        QCOMPARE(f.tree->write(node, 0, asBytes("x")).error(), EROFS);
        QCOMPARE(f.tree->setattr(node, {}).error(), EROFS);
        QCOMPARE(f.tree->create(kRoot, "b", 0644, {}).error(), EROFS);
        QCOMPARE(f.tree->unlink(kRoot, "a").error(), EROFS);
        QCOMPARE(f.tree->rename(kRoot, "a", kRoot, "b", Replace::Yes).error(), EROFS);
        QCOMPARE(f.cat("a"), std::string("one"));
    }

    // The case that overlayfs loses (DECISION.md).
    void aWriteAfterSettleIsANewChange() {
        Fixture f;
        writeFile(f.host / "a", "one");
        const auto node = f.walk("a")->node;
        QVERIFY(f.tree->write(node, 3, asBytes(" two")));
        const auto refs = f.refs();
        applyTo(f.host, f);
        auto staged = f.walk("a")->attr;
        const timespec times[2] = {staged.st_mtim, staged.st_mtim};
        ::utimensat(AT_FDCWD, (f.host / "a").c_str(), times, 0);
        QVERIFY(f.tree->settle(refs)->empty());
        QCOMPARE(f.changes().size(), std::size_t{0});
        QCOMPARE(f.walk("a")->node, node); // open descriptors stay
        QVERIFY(f.tree->write(node, 7, asBytes(" late")));
        QCOMPARE(f.cat("a"), std::string("one two late"));
        QCOMPARE(readFile(f.host / "a"), std::string("one two"));
        QCOMPARE(f.changes().size(), std::size_t{1});
    }

    // The host has other bytes than were settled (or nothing was wanted): the name gets the host's version,
    // and a late write through an old descriptor is staged again, never lost.
    void aLateWriteAfterAnotherVersionIsStagedAgain_data() {
        QTest::addColumn<bool>("settle");
        QTest::newRow("settle") << true;
        QTest::newRow("discard") << false;
    }
    void aLateWriteAfterAnotherVersionIsStagedAgain() {
        QFETCH(bool, settle);
        Fixture f;
        writeFile(f.host / "a", "one");
        const auto node = f.walk("a")->node;
        QVERIFY(f.tree->write(node, 0, asBytes("two")));
        const auto refs = f.refs();
        writeFile(f.host / "a", "host");
        QVERIFY((settle ? f.tree->settle(refs) : f.tree->discard(refs))->empty());
        QCOMPARE(f.cat("a"), std::string("host"));
        QCOMPARE(f.read(node), std::string("two"));
        QVERIFY(f.tree->write(node, 3, asBytes(" late")));
        QCOMPARE(f.cat("a"), std::string("two late"));
        QCOMPARE(f.changes().size(), std::size_t{1});
        QCOMPARE(f.changes()[0].base->size, std::uint64_t{3}); // made against the first version: a conflict
    }

    void workSinceTheReviewIsKept() {
        Fixture f;
        writeFile(f.host / "a", "one");
        QCOMPARE(f.put("a", "two"), 0);
        const auto refs = f.refs();
        QCOMPARE(f.put("a", "three"), 0);
        writeFile(f.host / "a", "two"); // the host applied what was reviewed
        QCOMPARE(f.tree->settle(refs)->size(), std::size_t{1});
        QCOMPARE(f.cat("a"), std::string("three"));
        const auto list = f.changes();
        QCOMPARE(list.size(), std::size_t{1});
        struct stat info {};
        ::stat((f.host / "a").c_str(), &info);
        QCOMPARE(list[0].base->ctimeNs, info.st_ctim.tv_sec * 1'000'000'000 + info.st_ctim.tv_nsec);
        QCOMPARE(f.tree->discard(refs)->size(), std::size_t{1}); // an old generation discards nothing
        QCOMPARE(f.cat("a"), std::string("three"));
    }

    void contentOfAnotherGenerationIsAConflict() {
        Fixture f;
        QCOMPARE(f.put("a", "two"), 0);
        const auto refs = f.refs();
        auto reader = f.tree->content(refs[0].path, refs[0].generation);
        QVERIFY(reader);
        QCOMPARE(f.put("a", "tri"), 0);
        QVERIFY((*reader)->finish().error().code == ErrorCode::Conflict);
        QVERIFY(!f.tree->content(refs[0].path, refs[0].generation));
    }

    void discardGivesTheHostsTreeBack() {
        Fixture f;
        fs::create_directories(f.host / "d/e");
        writeFile(f.host / "d/x", "x");
        writeFile(f.host / "d/e/y", "y");
        writeFile(f.host / "z", "z");
        const auto before = f.dump();
        QCOMPARE(f.put("d/x", "changed"), 0);
        QVERIFY(f.tree->unlink(f.parentOf("d/e/y"), "y"));
        QVERIFY(f.tree->rmdir(f.parentOf("d/e"), "e"));
        QVERIFY(f.tree->rename(kRoot, "d", kRoot, "moved", Replace::Yes));
        QVERIFY(f.tree->rename(kRoot, "z", f.walk("moved")->node, "z2", Replace::Yes));
        QVERIFY(f.tree->mkdir(kRoot, "new", 0755, {}));
        QCOMPARE(f.put("new/n", "n"), 0);
        QVERIFY(f.changes().size() >= 5);
        const auto kept = f.tree->discard(f.refs());
        QVERIFY(kept && kept->empty());
        QCOMPARE(describe(f.dump()), describe(before));
        QCOMPARE(f.changes().size(), std::size_t{0});
    }

    void aHostEditGivesANewNodeAndTheOldReadsOn() {
        Fixture f;
        writeFile(f.host / "a", "old");
        const auto node = f.walk("a")->node;
        writeFile(f.host / "a.tmp", "newer");
        fs::rename(f.host / "a.tmp", f.host / "a");
        QVERIFY(f.walk("a")->node != node);
        QCOMPARE(f.cat("a"), std::string("newer"));
        QCOMPARE(f.read(node), std::string("old"));
        // A write through the old descriptor is staged against the version that it read.
        QVERIFY(f.tree->write(node, 3, asBytes("!")));
        QCOMPARE(f.cat("a"), std::string("old!"));
        QCOMPARE(f.changes().at(0).base->size, std::uint64_t{3});
    }

    void aFolderKeepsItsNodeThroughEverything() {
        Fixture f;
        fs::create_directories(f.host / "d");
        writeFile(f.host / "d/x", "x");
        const auto node = f.walk("d")->node;
        QCOMPARE(f.put("d/x", "y"), 0);
        QCOMPARE(f.walk("d")->node, node);
        QVERIFY(f.tree->discard(f.refs())->empty());
        QCOMPARE(f.walk("d")->node, node);
        QVERIFY(f.tree->rename(kRoot, "d", kRoot, "d2", Replace::Yes));
        QCOMPARE(f.walk("d2")->node, node);
        const auto refs = f.refs();
        fs::rename(f.host / "d", f.host / "d2");
        QVERIFY(f.tree->settle(refs)->empty());
        QCOMPARE(f.walk("d2")->node, node);
        QCOMPARE(f.cat("d2/x"), std::string("x"));
        QCOMPARE(f.changes().size(), std::size_t{0});
    }

    void sameBytesAndUndoneWorkAreNoChange() {
        Fixture f;
        writeFile(f.host / "a", "same");
        const auto node = f.walk("a")->node;
        QVERIFY(f.tree->write(node, 0, asBytes("same")));
        QCOMPARE(f.put("b", "gone"), 0);
        QVERIFY(f.tree->unlink(kRoot, "b"));
        QVERIFY(f.tree->rename(kRoot, "a", kRoot, "c", Replace::Yes));
        QVERIFY(f.tree->rename(kRoot, "c", kRoot, "a", Replace::Yes));
        QCOMPARE(f.changes().size(), std::size_t{0});
    }

    void renamesAreTold() {
        Fixture f;
        fs::create_directories(f.host / "d");
        writeFile(f.host / "a", "a");
        writeFile(f.host / "d/x", "x");
        QVERIFY(f.tree->rename(kRoot, "a", kRoot, "b", Replace::No));
        QVERIFY(f.tree->rename(kRoot, "d", kRoot, "e", Replace::No));
        const auto list = f.changes();
        QCOMPARE(list.size(), std::size_t{2});
        QCOMPARE(list[0].from->text(), std::string("a"));
        QVERIFY(!list[0].contentChanged);
        QCOMPARE(list[1].from->text(), std::string("d"));
        QCOMPARE(f.cat("e/x"), std::string("x"));
    }

    void nobodyAtTheDoorIsAnErrorAndNoLoss() {
        Fixture f;
        writeFile(f.host / "a", "one");
        QCOMPARE(f.put("b", "mine"), 0);
        const auto node = f.walk("a")->node;
        f.lower->failWith = EIO;
        QCOMPARE(f.tree->write(node, 0, asBytes("x")).error(), EIO);
        QCOMPARE(f.tree->settle(f.refs())->size(), std::size_t{1}); // kept
        QCOMPARE(f.cat("b"), std::string("mine"));
        f.lower->failWith = 0;
        QCOMPARE(f.cat("a"), std::string("one"));
    }

    void everyLookupIsGivenBack() {
        Fixture f;
        fs::create_directories(f.host / "d");
        writeFile(f.host / "d/x", "x");
        (void)f.dump();
        const auto d = f.tree->lookup(kRoot, "d")->node;
        const auto x = f.tree->lookup(d, "x")->node;
        f.tree->forget(x, 1);
        f.tree->forget(d, 1);
        (void)f.tree->readdir(kRoot, 0, 100, Plus::No);
        const auto lower = f.lower;
        f.tree.reset();
        QCOMPARE(lower->heldLookups(), std::int64_t{0});
        QVERIFY(!lower->overForgotten);
    }

    void randomWorkMatchesARealFolder_data() {
        QTest::addColumn<unsigned>("seed");
        const auto extra = qEnvironmentVariableIntValue("CARREL_TEST_SEEDS");
        for (unsigned seed = 1; seed <= (extra > 0 ? static_cast<unsigned>(extra) : 40U); ++seed) {
            QTest::newRow(std::to_string(seed).c_str()) << seed;
        }
    }
    void randomWorkMatchesARealFolder() {
        QFETCH(unsigned, seed);
        std::mt19937 random(seed);
        Fixture f;
        for (const char* dir : {"a", "b", "a/c"}) {
            fs::create_directories(f.host / dir);
        }
        for (const char* file : {"f", "g", "a/f", "a/c/g", "b/h"}) {
            writeFile(f.host / file, std::string("host ") + file);
        }
        fs::create_symlink("f", f.host / "l");
        const fs::path model = fs::path(f.dir.path().toStdString()) / "model";
        fs::copy(f.host, model, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        const char* names[] = {"a", "b", "c", "f", "g", "h", "l"};
        const auto path = [&] {
            std::string out = names[random() % 7];
            for (auto depth = random() % 3; depth > 0; --depth) {
                out += std::string("/") + names[random() % 7];
            }
            return out;
        };
        for (int step = 0; step < 60; ++step) {
            const auto p = path();
            const auto q = path();
            const auto real = model / p;
            // The parents must be folders: links on the way are the kernel's affair.
            const auto parent = f.walk(fs::path(p).parent_path().string());
            if (!parent || !S_ISDIR(p.find('/') == std::string::npos ? S_IFDIR : parent->attr.st_mode)) {
                continue;
            }
            const NodeId up = p.find('/') == std::string::npos ? kRoot : parent->node;
            const auto name = Fixture::nameOf(p);
            const auto here = f.walk(p);
            std::string did;
            switch (random() % 8) {
            case 0:
            case 1:
                did = "put " + p;
                if (!here || S_ISREG(here->attr.st_mode)) {
                    QCOMPARE(f.put(p, "step " + std::to_string(step)), 0);
                    writeFile(real, "step " + std::to_string(step));
                }
                break;
            case 2: {
                did = "append " + p;
                if (here && S_ISREG(here->attr.st_mode)) {
                    QVERIFY(f.tree->write(here->node, static_cast<std::uint64_t>(here->attr.st_size),
                                          asBytes("+")));
                    std::ofstream(real, std::ios::app) << "+";
                }
                break;
            }
            case 3: {
                did = "mkdir " + p;
                const auto done = f.tree->mkdir(up, name, 0755, {});
                QCOMPARE(done ? 0 : done.error(), ::mkdir(real.c_str(), 0755) == 0 ? 0 : errno);
                break;
            }
            case 4: {
                did = "remove " + p;
                const bool folder = here && S_ISDIR(here->attr.st_mode);
                const auto done = folder ? f.tree->rmdir(up, name) : f.tree->unlink(up, name);
                const int expected =
                    (folder ? ::rmdir(real.c_str()) : ::unlink(real.c_str())) == 0 ? 0 : errno;
                QCOMPARE(done ? 0 : done.error(), expected);
                break;
            }
            case 5: {
                did = "rename " + p + " " + q;
                const auto other = f.walk(fs::path(q).parent_path().string());
                if (!here ||
                    (q.find('/') != std::string::npos && (!other || !S_ISDIR(other->attr.st_mode))) ||
                    q.starts_with(p + "/") || p.starts_with(q + "/")) {
                    break;
                }
                const auto done =
                    f.tree->rename(up, name, q.find('/') == std::string::npos ? kRoot : other->node,
                                   Fixture::nameOf(q), Replace::Yes);
                if (!done && done.error() == EXDEV) {
                    QVERIFY(S_ISDIR(here->attr.st_mode));
                    break;
                }
                const int expected = ::rename(real.c_str(), (model / q).c_str()) == 0 ? 0 : errno;
                QCOMPARE(done                        ? 0
                         : done.error() == ENOTEMPTY ? EEXIST
                                                     : done.error(),
                         expected == ENOTEMPTY ? EEXIST : expected);
                break;
            }
            case 6: {
                did = "chmod " + p;
                if (here && !S_ISLNK(here->attr.st_mode)) {
                    SetAttr set;
                    set.mode = random() % 2 == 0 ? 0700 : 0755;
                    QVERIFY(f.tree->setattr(here->node, set));
                    ::chmod(real.c_str(), *set.mode);
                }
                break;
            }
            case 7: {
                did = "symlink " + p;
                const auto done = f.tree->symlink(up, name, q, {});
                QCOMPARE(done ? 0 : done.error(), ::symlink(q.c_str(), real.c_str()) == 0 ? 0 : errno);
                break;
            }
            }
            if (describe(f.dump()) != describe(dumpReal(model))) {
                QFAIL(("step " + std::to_string(step) + ": " + did + "\nunion:\n" + describe(f.dump()) +
                       "model:\n" + describe(dumpReal(model)))
                          .c_str());
            }
            if (random() % 6 == 0) { // as after a crash: only what is on the disk
                const auto before = describe(f.dump());
                f.open();
                QCOMPARE(describe(f.dump()), before);
            }
        }
        const fs::path copy = fs::path(f.dir.path().toStdString()) / "copy";
        fs::copy(f.host, copy, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        applyTo(copy, f);
        if (describe(dumpReal(copy)) != describe(f.dump())) {
            std::string list;
            for (const auto& c : f.changes()) {
                list += std::string(toString(c.kind)) + " " + c.path.text() +
                        (c.from ? " from " + c.from->text() : "") + " " + std::string(toString(c.type)) +
                        (c.base ? " base" : "") + "\n";
            }
            QFAIL(("applied:\n" + describe(dumpReal(copy)) + "union:\n" + describe(f.dump()) + "changes:\n" +
                   list)
                      .c_str());
        }
    }
};

QTEST_GUILESS_MAIN(TestWorktree)
#include "test_worktree.moc"
