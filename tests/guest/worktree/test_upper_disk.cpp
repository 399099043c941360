// SPDX-License-Identifier: Apache-2.0
// A disk of the machine that fails: nothing is called durable that is not, and what was is there after a
// start. fsync(2), fdatasync(2), pwrite(2) and fallocate(2) are this program's own, so that any of them can
// fail.
#include "guest/worktree/upper_store.h"

#include <QTemporaryDir>
#include <QTest>

#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::worktree;
namespace fs = std::filesystem;

namespace {

enum class Call { Sync, DataSync, Write, Allocate };
std::function<int(Call, int fd)> g_fails; // an errno, or 0: go on

int failure(Call call, int fd) {
    return g_fails ? g_fails(call, fd) : 0;
}
bool isFolder(int fd) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

} // namespace

extern "C" {
int fsync(int fd) {
    errno = failure(Call::Sync, fd);
    return errno != 0 ? -1 : static_cast<int>(::syscall(SYS_fsync, fd));
}
int fdatasync(int fd) {
    errno = failure(Call::DataSync, fd);
    return errno != 0 ? -1 : static_cast<int>(::syscall(SYS_fdatasync, fd));
}
ssize_t pwrite(int fd, const void* data, std::size_t size, off_t at) {
    errno = failure(Call::Write, fd);
    return errno != 0 ? -1 : ::syscall(SYS_pwrite64, fd, data, size, at);
}
ssize_t pwrite64(int fd, const void* data, std::size_t size, off_t at) {
    return pwrite(fd, data, size, at);
}
int fallocate(int fd, int mode, off_t at, off_t size) {
    errno = failure(Call::Allocate, fd);
    return errno != 0 ? -1 : static_cast<int>(::syscall(SYS_fallocate, fd, mode, at, size));
}
int fallocate64(int fd, int mode, off_t at, off_t size) {
    return fallocate(fd, mode, at, size);
}
}

namespace {

struct Disk {
    QTemporaryDir dir;
    std::string place = dir.path().toStdString() + "/upper";
    std::string boot = "one";
    std::unique_ptr<UpperStore> store;
    std::uint64_t next = kRootEntry;

    Disk() { QVERIFY2(open().empty(), "a new store"); }
    ~Disk() { g_fails = {}; }
    std::string open() { // why not
        store.reset();
        auto opened = UpperStore::open(place, {64 * 1024 * 1024, std::chrono::milliseconds(5000), boot});
        if (!opened) {
            return opened.error().text();
        }
        store = std::move(*opened);
        next = std::max(next, store->highestId());
        return {};
    }
    std::vector<std::string> names() { // as a start finds them
        std::vector<std::string> out;
        for (const auto& [id, entry] : store->takeLoaded()) {
            out.push_back(entry.name);
        }
        return out;
    }
    int make(const std::string& name) { // a file with bytes of its own
        EntryRecord entry;
        entry.id = ++next;
        entry.parent = kRootEntry;
        entry.name = name;
        entry.mode = 0644;
        entry.object = ++next;
        if (const int error = store->reserve(); error != 0) {
            return error;
        }
        if (const int error = store->createObject(entry.object); error != 0) {
            return error;
        }
        const auto file = store->openObject(entry.object);
        const auto bytes = asBytes(name);
        if (::pwrite(file->get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
            return errno;
        }
        store->written(entry.object);
        Transaction one;
        one.put.push_back(entry);
        all.push_back(entry);
        return store->commit(one);
    }
    std::vector<EntryRecord> all;
};
using Names = std::vector<std::string>;

} // namespace

class TestUpperDisk : public QObject {
    Q_OBJECT
private slots:
    void cleanup() { g_fails = {}; }

    // Linux tells of bytes that did not reach the disk once. A second sync that succeeds says nothing of
    // them.
    void whatCouldNotBeWrittenOnceIsNeverCalledDurable() {
        Disk disk;
        QCOMPARE(disk.make("early"), 0);
        QCOMPARE(disk.store->sync(), 0);
        QCOMPARE(disk.make("late"), 0);
        g_fails = [](Call call, int) { return call == Call::DataSync ? EIO : 0; };
        QCOMPARE(disk.store->sync(), EIO);
        g_fails = {};
        QCOMPARE(disk.store->sync(), EIO);
        QCOMPARE(disk.make("more"), EIO); // refused before it begins
        disk.boot = "two";                // the machine ended
        QCOMPARE(disk.open(), std::string());
        QCOMPARE(disk.names(), Names{"early"});
        QCOMPARE(disk.make("again"), 0);
        QCOMPARE(disk.store->sync(), 0);
    }

    void guestdAloneEndsAndFindsItAll() {
        Disk disk;
        QCOMPARE(disk.make("early"), 0);
        g_fails = [](Call call, int) { return call == Call::DataSync ? EIO : 0; };
        QCOMPARE(disk.store->sync(), EIO);
        g_fails = {};
        QCOMPARE(disk.open(), std::string());
        QCOMPARE(disk.names(), Names{"early"});
    }

    // The new log has its name, and whether the disk keeps it nobody knows: what is written to it may be
    // gone.
    void aLogWhoseNameIsNotOnTheDiskTakesNothingMore() {
        Disk disk;
        QCOMPARE(disk.make("early"), 0);
        std::vector<const EntryRecord*> all;
        for (const auto& entry : disk.all) {
            all.push_back(&entry);
        }
        g_fails = [](Call call, int fd) { return call == Call::Sync && isFolder(fd) ? EIO : 0; };
        disk.store->compact(all);
        g_fails = {};
        QCOMPARE(disk.make("late"), EIO);
        QCOMPARE(disk.store->sync(), EIO);
        QCOMPARE(disk.open(), std::string());
        QCOMPARE(disk.names(), Names{"early"});
    }

    // A log that cannot be written anew goes on as it is.
    void aFullDiskKeepsTheOldLog() {
        Disk disk;
        QCOMPARE(disk.make("early"), 0);
        std::vector<const EntryRecord*> all{&disk.all.front()};
        g_fails = [](Call call, int) { return call == Call::Write ? ENOSPC : 0; };
        disk.store->compact(all);
        g_fails = {};
        QVERIFY(!fs::exists(disk.place + "/log.new"));
        QCOMPARE(disk.make("late"), 0);
        QCOMPARE(disk.store->sync(), 0);
        disk.boot = "two";
        QCOMPARE(disk.open(), std::string());
        QCOMPARE(disk.names(), (Names{"early", "late"}));
    }

    // Nothing is lost by it, and what a crash left behind has made room before.
    void aFullDiskAtAStart() {
        Disk disk;
        QCOMPARE(disk.make("early"), 0);
        QCOMPARE(disk.store->sync(), 0);
        QCOMPARE(disk.store->createObject(4711), 0); // no record will ever name it
        const auto stray = disk.place + "/" + disk.store->objectPath(4711);
        QVERIFY(fs::exists(stray));
        bool strayThere = true;
        g_fails = [&](Call call, int) {
            if (call == Call::Write) {
                strayThere = fs::exists(stray);
            }
            return call == Call::Write ? ENOSPC : 0;
        };
        QVERIFY(!disk.open().empty());
        QVERIFY(!strayThere);
        g_fails = {};
        QCOMPARE(disk.open(), std::string());
        QCOMPARE(disk.names(), Names{"early"});
        QCOMPARE(disk.make("late"), 0);
    }

    // Room for the record is there before the work begins; without it the work is refused, and nothing
    // breaks.
    void noRoomForARecord() {
        Disk disk;
        QCOMPARE(disk.make("early"), 0);
        g_fails = [](Call call, int) { return call == Call::Allocate ? ENOSPC : 0; };
        QCOMPARE(disk.store->reserve(1'000'000), ENOSPC);
        g_fails = {};
        QCOMPARE(disk.make("late"), 0);
        QCOMPARE(disk.store->sync(), 0);
        QCOMPARE(disk.open(), std::string());
        QCOMPARE(disk.names(), (Names{"early", "late"}));
    }
};

QTEST_GUILESS_MAIN(TestUpperDisk)
#include "test_upper_disk.moc"
