// SPDX-License-Identifier: Apache-2.0
// What a write owes: that the review hears of it whenever it comes, and that what is gone gives its room
// back. pwrite(2) and fallocate(2) are this program's own, so that a test can stop in the middle of one or
// let the disk be full.
#include "tests/guest/worktree/worktree_fixture.h"

#include <array>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using namespace carrel;
using namespace carrel::worktree;

namespace {

std::function<int()> g_beforeWrite; // of an object: an errno, or 0: go on

int beforeWrite(int fd) {
    std::array<char, 4096> path{};
    const auto length = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path.data(), path.size());
    // The log has its room already (UpperStore::reserve).
    if (!g_beforeWrite ||
        std::string_view(path.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)))
                .find("/objects/") == std::string_view::npos) {
        return 0;
    }
    const auto hook = std::exchange(g_beforeWrite, {}); // not for what the hook itself writes
    const int error = hook();
    g_beforeWrite = hook;
    return error;
}

fs::path upperOf(Fixture& f) {
    return fs::path(f.dir.path().toStdString()) / "upper";
}
fs::path savedOf(Fixture& f) {
    return fs::path(f.dir.path().toStdString()) / "saved";
}
void save(Fixture& f) {
    fs::copy(upperOf(f), savedOf(f), fs::copy_options::recursive);
}
// Ends the union, and puts its folder back as it was when it was saved.
void openSaved(Fixture& f, const std::string& boot) {
    f.tree.reset();
    fs::remove_all(upperOf(f));
    fs::copy(savedOf(f), upperOf(f), fs::copy_options::recursive);
    f.options.boot = boot;
    f.open();
}
std::size_t objectsOf(Fixture& f) {
    std::size_t count = 0;
    for (const auto& item : fs::recursive_directory_iterator(upperOf(f) / "objects")) {
        count += item.is_regular_file() ? 1 : 0;
    }
    return count;
}

std::uintmax_t logSize(Fixture& f) {
    return fs::file_size(upperOf(f) / "log");
}

std::vector<std::string> staged(Fixture& f) {
    std::vector<std::string> paths;
    for (const auto& change : f.changes()) {
        paths.push_back(change.path.text());
    }
    return paths;
}
using Paths = std::vector<std::string>;

} // namespace

extern "C" ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) {
    if (const int error = beforeWrite(fd); error != 0) {
        errno = error;
        return -1;
    }
    return ::syscall(SYS_pwrite64, fd, data, size, offset);
}

class TestWorktreeWrites : public QObject {
    Q_OBJECT
private slots:
    void cleanup() { g_beforeWrite = {}; }

    // The list is made between the moment that the write is counted and that in which its bytes are there.
    void aListInTheMiddleOfAWriteDoesNotHideIt() {
        Fixture f;
        writeFile(f.host / "f", "aaaaa");
        const auto node = f.walk("f");
        QVERIFY(f.tree->write(node->node, 0, asBytes("aaaaa"))); // the guest's own from here on, and the same
        QCOMPARE(staged(f), Paths{});
        std::thread list; // it waits for the write as soon as it has to look at the bytes
        g_beforeWrite = [&] {
            list = std::thread([&] { (void)staged(f); });
            return 0;
        };
        QVERIFY(f.tree->write(node->node, 0, asBytes("bbbbb")));
        g_beforeWrite = {};
        list.join();
        QCOMPARE(f.read(node->node), std::string("bbbbb"));
        QCOMPARE(staged(f), Paths{"f"});
    }
    void norDoesItKeepTheOldSize() {
        Fixture f;
        QCOMPARE(f.put("new", "a"), 0);
        std::uint64_t before = 0;
        g_beforeWrite = [&] {
            before = f.changes().at(0).size;
            return 0;
        };
        QVERIFY(f.tree->write(f.walk("new")->node, 0, asBytes("bbbb")));
        g_beforeWrite = {};
        QCOMPARE(before, std::uint64_t{1});
        QCOMPARE(f.changes().at(0).size, std::uint64_t{4});
    }

    // A new clerk knows nothing of what the old one was told: all that the kernel knows is looked through.
    void everythingMayHaveChanged() {
        Fixture f;
        fs::create_directory(f.host / "d");
        writeFile(f.host / "d" / "f", "x");
        const auto folder = f.walk("d");
        const auto file = f.walk("d/f");
        QCOMPARE(f.put("own", "y"), 0);
        const auto own = f.walk("own");
        std::vector<KernelNote> told;
        f.tree->setKernelSink([&](const KernelNote& note) { told.push_back(note); });
        f.lower->events->everythingChanged();
        QVERIFY(told.size() == 1 && told.at(0).kind == KernelNote::Kind::Everything);
        f.tree->setKernelSink({});
        const auto known = f.tree->known();
        const auto at = [&](NodeId id) { return std::find(known.begin(), known.end(), id) - known.begin(); };
        QVERIFY(at(file->node) < at(folder->node) && at(own->node) < at(folder->node));
        QCOMPARE(known.size(), std::size_t{4}); // and the root
        const auto describe = [&](NodeId id) {
            std::string out;
            for (const auto& note : f.tree->notesOf(id)) {
                out += note.kind == KernelNote::Kind::Entry
                           ? "entry " + note.name + (note.folder ? "/ " : " ")
                           : "listing";
            }
            return out;
        };
        QCOMPARE(describe(file->node), std::string("entry f "));
        QCOMPARE(describe(folder->node), std::string("entry d/ listing"));
        QCOMPARE(describe(own->node), std::string()); // the host has no say in it
        QCOMPARE(describe(kRoot), std::string("listing"));
    }

    void truncationsHaveTheirSizeAndTime_data() {
        QTest::addColumn<quint64>("size");
        QTest::addColumn<std::string>("content");
        QTest::newRow("to nothing") << quint64{0} << std::string();
        QTest::newRow("to a part") << quint64{3} << std::string("abc");
        QTest::newRow("to the same") << quint64{5} << std::string("abcde");
        QTest::newRow("to more") << quint64{7} << std::string("abcde\0\0", 7);
    }
    void truncationsHaveTheirSizeAndTime() {
        QFETCH(quint64, size);
        QFETCH(std::string, content);
        for (const bool own : {false, true}) {
            Fixture f;
            writeFile(f.host / "f", "abcde");
            fs::last_write_time(f.host / "f", fs::file_time_type::clock::now() - std::chrono::hours(100));
            const auto node = f.walk("f");
            if (own) {
                QVERIFY(f.tree->write(node->node, 0, asBytes("abcde")));
            }
            timespec before{};
            ::clock_gettime(CLOCK_REALTIME_COARSE, &before); // the clock that file systems take
            SetAttr set;
            set.size = size;
            const auto done = f.tree->setattr(node->node, set);
            QVERIFY(done && static_cast<quint64>(done->attr.st_size) == size);
            QVERIFY(std::pair(done->attr.st_mtim.tv_sec, done->attr.st_mtim.tv_nsec) >=
                    std::pair(before.tv_sec, before.tv_nsec));
            QCOMPARE(f.read(node->node), content);
        }
    }

    void whatIsRemovedGivesItsRoomBack() {
        Fixture f;
        f.options.durableEvery = std::chrono::milliseconds(0);
        f.open();
        for (int i = 0; i < 20; ++i) {
            const auto name = "n" + std::to_string(i);
            const auto made = f.tree->create(kRoot, name, 0644, {});
            QVERIFY(made && f.tree->write(made->node, 0, asBytes("x")));
            QVERIFY(f.tree->unlink(kRoot, name));
            f.tree->forget(made->node, 1);
        }
        f.tree->tidy();
        QCOMPARE(objectsOf(f), std::size_t{0});
    }

    void aFullDiskIsAskedAgainOnceThatIsDone() {
        Fixture f;
        const auto old = f.tree->create(kRoot, "old", 0644, {});
        QVERIFY(old && f.tree->write(old->node, 0, asBytes("x")));
        QVERIFY(f.tree->unlink(kRoot, "old"));
        f.tree->forget(old->node, 1);
        const auto made = f.tree->create(kRoot, "new", 0644, {});
        QVERIFY(made);
        QCOMPARE(objectsOf(f), std::size_t{2});
        g_beforeWrite = [&] { return objectsOf(f) > 1 ? ENOSPC : 0; };
        const auto written = f.tree->write(made->node, 0, asBytes("y"));
        QVERIFY(written && *written == 1);
        QCOMPARE(f.read(made->node), std::string("y"));
        g_beforeWrite = [] { return ENOSPC; }; // for good
        const auto refused = f.tree->write(made->node, 1, asBytes("z"));
        QVERIFY(!refused && refused.error() == ENOSPC);
    }

    // The kernel had not come to it when the machine ended: a name without its bytes would be an empty file
    // that never was.
    void whatWasNotOnTheDiskGoesWithTheMachine() {
        Fixture f;
        f.options.boot = "one";
        f.open();
        writeFile(f.host / "theirs", "by the user");
        QCOMPARE(f.put("synced", "1"), 0);
        QVERIFY(f.tree->fsync(f.walk("synced")->node));
        QCOMPARE(f.put("late", "2"), 0);
        QCOMPARE(f.put("theirs", "by the agent"), 0);
        f.tree->tidy(); // it is not time
        save(f);
        openSaved(f, "two");
        QCOMPARE(staged(f), Paths{"synced"});
        QCOMPARE(f.cat("synced"), std::string("1"));
        QCOMPARE(f.cat("theirs"), std::string("by the user"));
        QCOMPARE(objectsOf(f), std::size_t{1});
        openSaved(f, "one"); // only guestd ended: the kernel has it all
        QCOMPARE(staged(f), (Paths{"late", "synced", "theirs"}));
        QCOMPARE(f.cat("theirs"), std::string("by the agent"));
    }

    void afterAWhileItIsOnTheDisk() {
        Fixture f;
        f.options.boot = "one";
        f.options.durableEvery = std::chrono::milliseconds(0);
        f.open();
        QCOMPARE(f.put("early", "1"), 0);
        f.tree->tidy();
        QCOMPARE(f.put("late", "2"), 0);
        save(f);
        openSaved(f, "two");
        QCOMPARE(staged(f), Paths{"early"});
        fs::remove_all(savedOf(f));
        save(f); // a start makes what it found the beginning of a log of its own
        openSaved(f, "three");
        QCOMPARE(staged(f), Paths{"early"});
    }

    // Nor does the disk wait for the host: there may be nobody at the door for hours.
    void alsoWithNobodyAtTheDoor() {
        Fixture f;
        f.options.boot = "one";
        f.options.durableEvery = std::chrono::milliseconds(0);
        f.open();
        writeFile(f.host / "a", "as it was");
        QVERIFY(f.tree->write(f.walk("a")->node, 0, asBytes("as it was")));
        f.lower->events->entryChanged(lower::kRootNode, "a"); // does ours hide another version?
        QCOMPARE(f.put("early", "1"), 0);
        f.lower->failWith = EIO;
        f.lower->whileLooking = [&](std::string_view) { // the machine ends while somebody waits for the answer
            f.lower->whileLooking = {};
            save(f);
        };
        f.tree->tidy();
        f.tree->giveBack();
        QVERIFY(fs::exists(savedOf(f))); // it is this one that asks
        openSaved(f, "two");
        QCOMPARE(f.cat("early"), std::string("1"));
    }

    void aLogWrittenAnewIsOnTheDisk() {
        Fixture f;
        f.options.boot = "one";
        f.options.longLog = 1;
        f.open();
        QCOMPARE(f.put("a", "1"), 0);
        for (int i = 0; i < 100; ++i) { // until it is four times as long as what is in it
            QVERIFY(f.tree->mkdir(kRoot, "d", 0755, {}));
            QVERIFY(f.tree->rmdir(kRoot, "d"));
        }
        save(f);
        openSaved(f, "two");
        QCOMPARE(staged(f).at(0), std::string("a"));
        QCOMPARE(f.cat("a"), std::string("1"));
    }

    void theLogDoesNotGrowForEver() {
        Fixture f;
        f.options.longLog = 16 * 1024;
        f.open();
        QCOMPARE(f.put("kept", "content"), 0);
        std::uintmax_t largest = 0;
        for (int i = 0; i < 500; ++i) {
            const auto name = "n" + std::to_string(i);
            QVERIFY(f.tree->mkdir(kRoot, name, 0755, {}));
            QVERIFY(f.tree->rmdir(kRoot, name));
            largest = std::max(largest, logSize(f));
        }
        QVERIFY2(largest < 2 * f.options.longLog, std::to_string(largest).c_str());
        QCOMPARE(f.put("after", "more"), 0);
        f.open(); // as after a crash: nothing was said to end
        QCOMPARE(f.cat("kept"), std::string("content"));
        QCOMPARE(f.cat("after"), std::string("more"));
        QCOMPARE(staged(f), (Paths{"after", "kept"}));
    }

    // More than one record may hold: all of it is there after a start, or none.
    void aLargeOperationIsOne() {
        rlimit files{}; // the host that is played has one open for each
        QCOMPARE(::getrlimit(RLIMIT_NOFILE, &files), 0);
        files.rlim_cur = std::min<rlim_t>(files.rlim_max, 8192);
        QCOMPARE(::setrlimit(RLIMIT_NOFILE, &files), 0);
        Fixture f;
        fs::create_directory(f.host / "d");
        constexpr int kMany = 2500;
        for (int i = 0; i < kMany; ++i) {
            writeFile(f.host / "d" / ("n" + std::to_string(10'000 + i)), "x");
        }
        for (int i = 0; i < kMany; ++i) {
            QVERIFY(f.tree->unlink(f.walk("d")->node, "n" + std::to_string(10'000 + i)));
        }
        QCOMPARE(f.changes().size(), std::size_t{kMany});
        QVERIFY(f.tree->rename(kRoot, "d", kRoot, "e", Replace::Yes));
        const auto before = logSize(f);
        QVERIFY(f.tree->rmdir(kRoot, "e")); // what was removed in it was removed from where it came from
        QCOMPARE(f.changes().size(), std::size_t{kMany + 1});
        const auto log = upperOf(f) / "log";
        f.tree.reset();
        f.lower.reset(); // it holds a descriptor for each file
        const auto whole = readFile(log);
        QVERIFY(whole.size() > before);
        // Cut in the middle of its parts: it never was.
        writeFile(log, whole.substr(0, before + (whole.size() - before) / 2));
        f.open();
        QVERIFY(f.walk("e"));
        QCOMPARE(f.changes().size(), std::size_t{kMany + 1}); // the removals, and the rename
        f.tree.reset();
        f.lower.reset();
        writeFile(log, whole);
        f.open();
        QVERIFY(!f.walk("e") && !f.walk("d"));
        QCOMPARE(f.changes().size(), std::size_t{kMany + 1}); // the removals, and that of d
    }
};

QTEST_GUILESS_MAIN(TestWorktreeWrites)
#include "test_worktree_writes.moc"
