// SPDX-License-Identifier: Apache-2.0
// I10: the power goes. What was written and not flushed may be there afterwards, or not, or as zeros: the test cuts an
// apply and an undo off at their system calls and then takes away from the disk what no fsync(2) had covered, in several
// ways. Then Carrel starts again, and everything is compared as after a kill.
//
// The model is harsher than ext4, xfs and btrfs: the names in each folder last only with a flush of that very folder, the
// bytes of each file only with a flush of that very file. Inodes stay the same, which the journal relies on: removed names
// wait in a stash and are moved back.
#include "tests/app/files/call_tracer.h"
#include "tests/app/files/crash_world.h"

#include <QTest>

#include <linux/fs.h>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

enum class Lost {
    All,        // names and bytes
    Bytes,      // files are empty, or end where they were last flushed; all names are there
    BytesZeros, // files have their length, and zeros
    Names,      // the bytes (of the journal, too) happen to be there
};

void must(bool good, const std::string& what) {
    if (!good) {
        qFatal("the played disk: %s: %s", what.c_str(), std::strerror(errno));
    }
}

class Disk : public Watcher {
public:
    Disk(std::size_t cut, std::string stash)
        : m_cut(cut)
        , m_stash(std::move(stash)) {}

    Order before(const Call& call) override {
        if (call.index == m_cut) {
            m_at = std::string(call.name());
            return {Act::Kill};
        }
        const std::string_view name = call.name();
        m_pending = {};
        if (name == "fsync" || name == "fdatasync") {
            flushed(call);
            return {};
        }
        if (name == "write") {
            wrote(call);
        } else if (name == "openat") {
            const std::string path = at(call, 0);
            m_pending = {path, !exists(path)};
            return {Act::GoOn};
        } else if (name == "mkdir" || name == "mkdirat" || name == "symlinkat") {
            const std::string path = name == "mkdir" ? textAt(call.child, call.args[0])
                                     : name == "mkdirat" ? at(call, 0)
                                                         : pathAt(call, 1, 2);
            if (!exists(path)) {
                note({path}, [path] { fs::remove_all(path); }); // with what is in it: nobody finds it any more
            }
        } else if (name == "renameat" || name == "renameat2") {
            renames(call);
        } else if (name == "unlinkat") {
            return removes(call);
        } else if (name == "fchmod") {
            const std::string path = pathOf(call.child, static_cast<int>(call.args[0]));
            struct stat st {};
            if (::stat(path.c_str(), &st) == 0) {
                m_changes.push_back({{st.st_ino}, [path, mode = st.st_mode & 07777] { ::chmod(path.c_str(), mode); }});
            }
        }
        return {};
    }

    Order after(const Call& call, long result) override {
        if (result < 0) {
            return {};
        }
        const std::string path = m_pending.path;
        const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
        struct stat st {};
        must(fd && ::fstat(fd.get(), &st) == 0, "open " + path);
        if (S_ISREG(st.st_mode)) {
            m_files[st.st_ino] = {UniqueFd(::dup(fd.get())), 0, 0};
        }
        if (m_pending.made && exists(path)) {
            note({path}, [path] { must(::unlink(path.c_str()) == 0, "unlink " + path); });
        }
        (void)call;
        return {};
    }

    void lose(Lost what) {
        if (what != Lost::Names) {
            for (auto& [inode, file] : m_files) {
                loseBytes(file, what);
            }
        }
        for (auto change = m_changes.rbegin(); (what == Lost::All || what == Lost::Names) && change != m_changes.rend(); ++change) {
            change->revert();
        }
        m_files.clear();
        fs::remove_all(m_stash);
    }
    [[nodiscard]] std::string where() const { return "cut before call " + std::to_string(m_cut) + ", " + m_at; }

private:
    struct Change {
        std::vector<ino_t> flushedWith; // any of these
        std::function<void()> revert;
    };
    struct File {
        UniqueFd fd;
        off_t size = 0, flushed = 0;
    };
    struct Pending {
        std::string path;
        bool made = false;
    };

    static bool exists(const std::string& path) {
        struct stat st {};
        return ::lstat(path.c_str(), &st) == 0;
    }
    static std::string pathAt(const Call& call, std::size_t fd, std::size_t text) {
        const std::string name = textAt(call.child, call.args[text]);
        return name.starts_with('/') ? name : pathOf(call.child, static_cast<int>(call.args[fd])) + "/" + name;
    }
    static std::string at(const Call& call, std::size_t fd) { return pathAt(call, fd, fd + 1); }
    static ino_t inodeOfFd(const Call& call) {
        struct stat st {};
        const std::string path = "/proc/" + std::to_string(call.child) + "/fd/" + std::to_string(call.args[0]);
        return ::stat(path.c_str(), &st) == 0 ? st.st_ino : 0;
    }

    void note(const std::vector<std::string>& paths, std::function<void()> revert) {
        Change change{{}, std::move(revert)};
        for (const auto& path : paths) {
            struct stat st {};
            must(::stat(fs::path(path).parent_path().c_str(), &st) == 0, "look at the folder of " + path);
            change.flushedWith.push_back(st.st_ino);
        }
        m_changes.push_back(std::move(change));
    }

    void flushed(const Call& call) {
        const ino_t inode = inodeOfFd(call);
        std::erase_if(m_changes, [&](const Change& change) {
            return std::find(change.flushedWith.begin(), change.flushedWith.end(), inode) != change.flushedWith.end();
        });
        if (const auto file = m_files.find(inode); file != m_files.end()) {
            file->second.flushed = file->second.size;
        }
    }

    void wrote(const Call& call) {
        if (const auto file = m_files.find(inodeOfFd(call)); file != m_files.end()) {
            file->second.size += static_cast<off_t>(call.args[2]);
        }
    }

    void renames(const Call& call) {
        const std::string from = at(call, 0);
        const std::string to = at(call, 2);
        const bool exchanges = call.name() == "renameat2" && (call.args[4] & RENAME_EXCHANGE) != 0;
        const bool refuses = call.name() == "renameat2" && (call.args[4] & RENAME_NOREPLACE) != 0;
        if (!exists(from) || (refuses && exists(to)) || (exchanges && !exists(to))) {
            return; // it will fail
        }
        std::string replaced;
        if (!exchanges && exists(to)) {
            replaced = stash();
            must(::link(to.c_str(), replaced.c_str()) == 0, "stash " + to);
        }
        note({from, to}, [=] {
            const unsigned how = exchanges ? RENAME_EXCHANGE : RENAME_NOREPLACE;
            must(::renameat2(AT_FDCWD, to.c_str(), AT_FDCWD, from.c_str(), how) == 0, "rename back " + to);
            must(replaced.empty() || ::rename(replaced.c_str(), to.c_str()) == 0, "put back " + to);
        });
    }

    // Into the stash, and the call reports success unperformed: the inode lives on.
    Order removes(const Call& call) {
        const std::string path = at(call, 0);
        const bool folder = (call.args[2] & AT_REMOVEDIR) != 0;
        if (!exists(path) || (folder && !fs::is_empty(path))) {
            return {};
        }
        const std::string away = stash();
        must(::rename(path.c_str(), away.c_str()) == 0, "stash " + path);
        note({path}, [=] { must(::rename(away.c_str(), path.c_str()) == 0, "put back " + path); });
        return {Act::Fail, 0};
    }

    std::string stash() {
        fs::create_directories(m_stash);
        return m_stash + "/" + std::to_string(m_stashed++);
    }

    static void loseBytes(const File& file, Lost what) {
        struct stat st {};
        if (::fstat(file.fd.get(), &st) != 0 || st.st_nlink == 0 || file.flushed >= st.st_size) {
            return;
        }
        const std::string path = "/proc/self/fd/" + std::to_string(file.fd.get());
        ::chmod(path.c_str(), 0600);
        must(::truncate(path.c_str(), file.flushed) == 0, "lose bytes");
        must(what != Lost::BytesZeros || ::truncate(path.c_str(), st.st_size) == 0, "make zeros");
        ::chmod(path.c_str(), st.st_mode & 07777);
    }

    std::size_t m_cut;
    std::string m_stash, m_at;
    std::size_t m_stashed = 0;
    Pending m_pending;
    std::vector<Change> m_changes;
    std::map<ino_t, File> m_files;
};

} // namespace

class TestPowerCut : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        if (const std::string why = whyNoTracing(); !why.empty()) {
            QSKIP(why.c_str());
        }
        QVERIFY(m_prepared.prepare());
        // As for the very first apply: its folder is yet to be made.
        m_prepared.frozen->restore();
        fs::remove(m_prepared.world.data + "/applies");
        m_prepared.frozen = std::make_unique<WorldImage>(m_prepared.world);
    }

    void cut_data() {
        QTest::addColumn<int>("lost");
        QTest::addColumn<bool>("undo");
        QTest::addColumn<int>("first");
        QTest::newRow("apply, all is lost") << static_cast<int>(Lost::All) << false << 0;
        QTest::newRow("apply, bytes are lost") << static_cast<int>(Lost::Bytes) << false << 1;
        QTest::newRow("apply, bytes are zeros") << static_cast<int>(Lost::BytesZeros) << false << 2;
        QTest::newRow("apply, names are lost") << static_cast<int>(Lost::Names) << false << 3;
        QTest::newRow("apply, bytes are lost, rolled back") << static_cast<int>(Lost::Bytes) << false << 0;
        QTest::newRow("undo, all is lost") << static_cast<int>(Lost::All) << true << 0;
        QTest::newRow("undo, bytes are lost") << static_cast<int>(Lost::Bytes) << true << 1;
        QTest::newRow("undo, names are lost") << static_cast<int>(Lost::Names) << true << 2;
    }
    void cut() {
        QFETCH(int, lost);
        QFETCH(bool, undo);
        QFETCH(int, first);
        const bool back = QString(QTest::currentDataTag()).endsWith("rolled back");
        const bool all = qEnvironmentVariableIsSet("CARREL_TEST_EVERY_POINT");
        for (std::size_t point = all ? 0 : static_cast<std::size_t>(first);; point += all ? 1 : 4) {
            (undo ? m_prepared.applied : m_prepared.frozen)->restore();
            Disk disk(point, m_prepared.world.base + "/stash");
            const bool killed = trace(undo ? undoing() : applying(), Watched::Changing, disk).killed;
            if (!killed) {
                fs::remove_all(m_prepared.world.base + "/stash");
                break;
            }
            disk.lose(static_cast<Lost>(lost));
            ++m_points;
            undo ? verifyUndo(disk.where()) : verifyApply(disk.where(), back ? RecoverTo::RollBack : RecoverTo::Finish);
            if (QTest::currentTestFailed()) {
                return;
            }
        }
    }

    void cleanupTestCase() { qInfo("cut off at %zu points", m_points); }

private:
    std::function<std::string()> applying() {
        return [this] {
            auto review = m_prepared.world.review();
            (void)review->apply(m_prepared.world.root.get(), m_prepared.set.id, everything(m_prepared.set));
            return std::string();
        };
    }
    std::function<std::string()> undoing() {
        return [this] {
            auto review = m_prepared.world.review();
            (void)review->undo(m_prepared.world.root.get(), m_prepared.applyId);
            return std::string();
        };
    }

    void verifyApply(const std::string& where, RecoverTo to) {
        const World& w = m_prepared.world;
        auto review = m_prepared.world.review();
        auto reports = review->recover(w.opener(), to);
        QVERIFY2(reports, (where + (reports ? "" : reports.error().text())).c_str());
        const auto applies = review->applies();
        QVERIFY2(applies, where.c_str());
        if (!applies->empty() && (to == RecoverTo::Finish || reports->empty())) {
            QVERIFY2(same(snapshot(w.share, Times::Files), m_prepared.after),
                     (where + (reports->empty() ? "" : describe(reports->front()))).c_str());
            auto undone = review->undo(w.root.get(), applies->front().id);
            QVERIFY2(undone && undone->complete(), (where + (undone ? describe(*undone) : "")).c_str());
        }
        QVERIFY2(same(snapshot(w.share, Times::Files), m_prepared.before), where.c_str());
    }

    void verifyUndo(const std::string& where) {
        const World& w = m_prepared.world;
        auto review = m_prepared.world.review();
        auto reports = review->recover(w.opener());
        QVERIFY2(reports, (where + (reports ? "" : reports.error().text())).c_str());
        const auto applies = review->applies();
        QVERIFY2(applies, where.c_str());
        const bool began = applies->size() == 2;
        QVERIFY2(same(snapshot(w.share, Times::Files), began ? m_prepared.before : m_prepared.after),
                 (where + (reports->empty() ? "" : describe(reports->front()))).c_str());
    }

    CrashWorld m_prepared;
    std::size_t m_points = 0;
};

QTEST_GUILESS_MAIN(TestPowerCut)
#include "test_power_cut.moc"
