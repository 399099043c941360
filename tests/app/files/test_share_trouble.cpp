// SPDX-License-Identifier: Apache-2.0
// I10: what happens to a real disk under an apply. Its last page is taken, it turns read-only, it is unmounted, a folder's
// permission is lost, each in the middle. The disk is a tmpfs in a user and mount namespace of a child's own, so that no
// privilege is needed and nothing outlives the test.
#include "app/files/left.h"
#include "app/files/tree.h"
#include "tests/app/files/expected_state.h"
#include "tests/support/sanitized.h"

#include <QElapsedTimer>
#include <QTest>

#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;
using carrel::test::strideOf;

namespace {

constexpr const char* kDiskSize = "size=8m";

bool writeText(const char* file, const std::string& text) {
    const UniqueFd fd(::open(file, O_WRONLY | O_CLOEXEC));
    return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Gone before the world is, which could not remove its folders under them.
struct Mounts {
    std::vector<std::string> places;
    ~Mounts() {
        for (const auto& place : places) {
            while (::umount2(place.c_str(), MNT_DETACH) == 0) {
            }
        }
    }
};

bool enterNamespace() {
    const std::string user = std::to_string(::geteuid());
    const std::string group = std::to_string(::getegid());
    return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && writeText("/proc/self/setgroups", "deny") &&
           writeText("/proc/self/uid_map", user + " " + user + " 1") &&
           writeText("/proc/self/gid_map", group + " " + group + " 1") &&
           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// What `body` complains of, in a child with mounts of its own; "-" in front: it could not be tried.
std::string inNamespace(const std::function<std::string()>& body) {
    constexpr std::size_t kRoom = 16384;
    void* shared = ::mmap(nullptr, kRoom, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const std::string said = enterNamespace() ? body() : "-user namespaces are forbidden on this system";
        std::memcpy(shared, said.data(), std::min(said.size(), kRoom - 1));
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    std::string said = status == 0 ? std::string(static_cast<const char*>(shared)) : "the child died, status " + std::to_string(status);
    ::munmap(shared, kRoom);
    return said;
}

#define VERIFY_IN_NAMESPACE(...)                                                                                       \
    do {                                                                                                               \
        const std::string complaint = inNamespace(__VA_ARGS__);                                                        \
        if (complaint.starts_with("-")) {                                                                              \
            QSKIP(complaint.c_str() + 1);                                                                              \
        }                                                                                                              \
        QVERIFY2(complaint.empty(), complaint.c_str());                                                                \
    } while (false)

#define NEED(condition, where)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            return std::string("line ") + std::to_string(__LINE__) + ": " #condition ": " + (where);                   \
        }                                                                                                              \
    } while (false)

// Whatever the apply said is true; when the trouble is over it can be finished, and taken back.
std::string trueAndMended(CrashWorld& c, FileReview& review, const Result<ApplyReport>& told, const std::string& where) {
    const World& w = c.world;
    const ExpectedState expected(c.set, c.before, c.after);
    if (told) {
        NEED(same(snapshot(w.share, Times::Files), expected.applied(*told)), where + describe(*told));
    }
    auto recovered = review.recover(w.opener());
    NEED(recovered, where + recovered.error().text());
    NEED(!told || recovered->empty(), where);
    const auto applies = review.applies().value();
    if (!applies.empty()) {
        const ApplyReport report = review.report(applies.back().id).value();
        NEED(same(snapshot(w.share, Times::Files), expected.applied(report)), where + describe(report));
        auto undone = review.undo(w.root.get(), report.id);
        NEED(undone && undone->complete(), where + (undone ? describe(*undone) : undone.error().text()));
    }
    NEED(same(snapshot(w.share, Times::Files), c.before), where);
    auto again = review.apply(w.root.get(), c.set.id, everything(c.set));
    NEED(again && again->complete(), where + (again ? describe(*again) : again.error().text()));
    NEED(same(snapshot(w.share, Times::Files), c.after), where);
    return {};
}

} // namespace

class TestShareTrouble : public QObject {
    Q_OBJECT
private slots:
    // At many levels, from not one free page to enough, of the share's disk, of the one with Carrel's own data, or of one
    // that holds both, where every copy that is kept takes room from the new file.
    void fullDisk_data() {
        QTest::addColumn<bool>("share");
        QTest::addColumn<bool>("ours");
        QTest::newRow("the share's") << true << false;
        QTest::newRow("Carrel's own") << false << true;
        QTest::newRow("both") << true << true;
    }
    void fullDisk() {
        QFETCH(bool, share);
        QFETCH(bool, ours);
        VERIFY_IN_NAMESPACE([share, ours]() -> std::string {
            CrashWorld c;
            World& w = c.world;
            const std::string disk = w.base + "/disk";
            const Mounts mounts{{w.share, w.data, disk}};
            fs::create_directory(w.data);
            fs::create_directory(disk);
            if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, kDiskSize) != 0) {
                return "-this system lets no namespace mount a tmpfs";
            }
            for (const auto& [isOn, place] : {std::pair{share, w.share}, std::pair{ours, w.data}}) {
                const std::string there = disk + place.substr(w.base.size());
                NEED(!isOn || (fs::create_directory(there) && ::mount(there.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) == 0), "");
            }
            w.openRoot();
            NEED(c.prepare(), "");
            int refused = 0;
            int levels = 0;
            for (unsigned long pages = 0; refused == levels; pages = pages * 5 / 4 + 1, ++levels) {
                c.frozen->restore();
                const std::string ballast = disk + "/ballast";
                struct statvfs st {};
                NEED(::statvfs(disk.c_str(), &st) == 0 && st.f_bfree > pages, "");
                UniqueFd fd(::open(ballast.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
                NEED(::fallocate(fd.get(), 0, 0, static_cast<off_t>((st.f_bfree - pages) * st.f_bsize)) == 0, "");
                fd.reset();
                auto review = FileReview::open(w.data);
                auto told = review ? (*review)->apply(w.root.get(), c.set.id, everything(c.set))
                                   : Result<ApplyReport>(fail(review.error()));
                refused += !told || !told->complete() ? 1 : 0;
                if (told) {
                    for (const auto& entry : told->entries) {
                        NEED(entry.outcome != Outcome::Failed || entry.reason.find("space") != std::string::npos, entry.reason);
                    }
                }
                NEED(::unlink(ballast.c_str()) == 0, "");
                if (!review) {
                    review = FileReview::open(w.data);
                }
                const std::string said = trueAndMended(c, **review, told, std::to_string(pages) + " pages free: ");
                NEED(said.empty(), said);
            }
            qInfo("%d levels, from none free to enough", levels + 1);
            NEED(levels > 10, "");
            return {};
        });
    }

    void turnsReadOnly() {
        VERIFY_IN_NAMESPACE([]() -> std::string {
            CrashWorld c;
            World& w = c.world;
            const Mounts mounts{{w.share}};
            if (::mount("tmpfs", w.share.c_str(), "tmpfs", 0, kDiskSize) != 0) {
                return "-this system lets no namespace mount a tmpfs";
            }
            w.openRoot();
            NEED(c.prepare(), "");
            int turned = 0;
            for (int step = 0;; step += strideOf(5)) {
                c.frozen->restore();
                bool became = false;
                AtStep hook(step, [&] { // busy while a file is being written: then not this time
                    became = ::mount(nullptr, w.share.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, kDiskSize) == 0;
                });
                auto review = w.review(&hook);
                auto told = review->apply(w.root.get(), c.set.id, everything(c.set));
                if (hook.where.empty()) {
                    break;
                }
                NEED(::mount(nullptr, w.share.c_str(), nullptr, MS_REMOUNT, kDiskSize) == 0, "");
                turned += became ? 1 : 0;
                NEED(became || (told && told->complete()), hook.where);
                const std::string said = trueAndMended(c, *review, told, "step " + std::to_string(step) + ", " + hook.where + ": ");
                NEED(said.empty(), said);
            }
            qInfo("turned read-only %d times", turned);
            NEED(turned > (carrel::test::kSanitized ? 3 : 30), "");
            return {};
        });
    }

    // Taken off in the middle: what goes on goes on upon the disk itself, and nothing is written into the empty folder that
    // it leaves behind. An engine that also dies finishes when the disk is back, and not before.
    void unmounted() {
        VERIFY_IN_NAMESPACE([]() -> std::string {
            CrashWorld c;
            World& w = c.world;
            const std::string disk = w.base + "/disk";
            const Mounts mounts{{w.share, disk}};
            fs::create_directory(disk);
            if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, kDiskSize) != 0) {
                return "-this system lets no namespace mount a tmpfs";
            }
            const auto plugIn = [&] {
                const bool good = ::mount(disk.c_str(), w.share.c_str(), nullptr, MS_BIND, nullptr) == 0;
                w.openRoot();
                return good;
            };
            NEED(plugIn() && c.prepare(), "");
            for (int step = 0;; step += strideOf(9)) {
                c.frozen->restore();
                AtStep hook(step, [&] { ::umount2(w.share.c_str(), MNT_DETACH); });
                auto review = w.review(&hook);
                auto told = review->apply(w.root.get(), c.set.id, everything(c.set));
                if (hook.where.empty()) {
                    break;
                }
                NEED(told && told->complete(), hook.where);
                NEED(same(snapshot(disk, Times::Files), c.after) && fs::is_empty(w.share), hook.where);
                NEED(plugIn(), "");
                NEED(review->undo(w.root.get(), told->id)->complete(), hook.where);

                // The same, and dead soon after.
                review.reset();
                c.frozen->restore();
                const pid_t engine = ::fork();
                if (engine == 0) {
                    AtStep death(step + 3, [] { ::_exit(0); });
                    auto dying = w.review(&death);
                    (void)dying->apply(w.root.get(), c.set.id, everything(c.set));
                    ::_exit(0);
                }
                ::waitpid(engine, nullptr, 0);
                NEED(::umount2(w.share.c_str(), MNT_DETACH) == 0, "");
                const auto left = snapshot(disk, Times::Files);
                review = w.review();
                NEED(review->recover(w.opener()), hook.where);
                NEED(fs::is_empty(w.share) && same(snapshot(disk, Times::Files), left), hook.where);
                NEED(plugIn() && review->recover(w.opener()), hook.where);
                const auto applies = review->applies().value();
                NEED(same(snapshot(w.share, Times::Files), applies.empty() ? c.before : c.after), hook.where);
            }
            return {};
        });
    }

    // The roots of two disks bear the same number; what was begun on the one is not finished on the other.
    void anotherDiskInItsPlace() {
        VERIFY_IN_NAMESPACE([]() -> std::string {
            CrashWorld c;
            World& w = c.world;
            const Mounts mounts{{w.share}};
            const auto plugIn = [&] {
                const bool good = ::mount("tmpfs", w.share.c_str(), "tmpfs", 0, kDiskSize) == 0;
                w.openRoot();
                return good;
            };
            if (!plugIn()) {
                return "-this system lets no namespace mount a tmpfs";
            }
            NEED(c.prepare(), "");
            c.frozen->restore();
            const pid_t engine = ::fork();
            if (engine == 0) {
                AtStep death(150, [] { ::_exit(0); });
                auto dying = w.review(&death);
                (void)dying->apply(w.root.get(), c.set.id, everything(c.set));
                ::_exit(1);
            }
            ::waitpid(engine, nullptr, 0);
            struct stat first {}, second {};
            NEED(::fstat(w.root.get(), &first) == 0 && plugIn() && ::fstat(w.root.get(), &second) == 0, "");
            NEED(first.st_ino == second.st_ino && first.st_dev != second.st_dev, "the disks are no twins");
            c.frozen->share.restore(); // a backup of it, even
            const auto untouched = snapshot(w.share, Times::All);
            auto review = w.review();
            auto reports = review->recover(w.opener());
            NEED(reports && reports->size() == 1 && !reports->front().complete(), "");
            NEED(same(snapshot(w.share, Times::All), untouched), "");
            NEED(::umount2(w.share.c_str(), MNT_DETACH) == 0, "");
            NEED(review->recover(w.opener())->front().complete(), "");
            NEED(same(snapshot(w.share, Times::Files), c.after), "");
            return {};
        });
    }

    // Another disk within the share is no part of it: the guest is shown nothing of it, so that whatever it reports there is
    // made up. The folder that it hangs in goes on as before, and moves with it.
    void aDiskWithinTheShare() {
        VERIFY_IN_NAMESPACE([]() -> std::string {
            World w;
            const Mounts mounts{{w.at("disk")}};
            fs::create_directory(w.at("disk"));
            if (::mount("tmpfs", w.at("disk").c_str(), "tmpfs", 0, kDiskSize) != 0) {
                return "-this system lets no namespace mount a tmpfs";
            }
            writeFile(w.at("here"), "here\n");
            writeFile(w.at("disk/there"), "there\n");
            writeFile(w.at("disk/there2"), "there, too\n");
            writeFile(w.at("disk/gone"), "gone\n");
            writeFile(w.at("disk/moved"), "moved\n");
            fs::create_directory(w.at("disk/sub"));
            writeFile(w.at("disk/sub/deep"), "deep\n");
            // A single file can be one as well.
            writeFile(w.at("disk/bound"), "of the disk\n");
            writeFile(w.at("bound"), "of the share\n");
            const Mounts file{{w.at("bound")}};
            if (::mount(w.at("disk/bound").c_str(), w.at("bound").c_str(), nullptr, MS_BIND, nullptr) != 0) {
                return "-this system lets no namespace bind a file";
            }
            const auto before = snapshot(w.share, Times::Files);
            w.claim(ChangeKind::Mode, "disk", EntryType::Directory).mode = 0700;
            w.claim(ChangeKind::Mode, "bound").mode = 0755;
            w.content(ChangeKind::Modified, "disk/there", "edited\n");
            w.content(ChangeKind::Created, "disk/new", "new\n");
            w.claim(ChangeKind::Deleted, "disk/gone");
            w.claim(ChangeKind::Mode, "disk/there2").mode = 0755;
            w.claim(ChangeKind::Created, "disk/made", EntryType::Directory);
            w.link("disk/link", "there");
            w.renamed("disk/moved", "disk/within");
            w.renamed("disk/sub/deep", "out");
            w.renamed("here", "disk/across");
            auto review = w.review();
            auto set = w.freeze(*review);
            NEED(set, "");
            auto report = review->apply(w.root.get(), set->id, everything(*set));
            NEED(report, report.error().text());
            NEED(report->entries.size() == w.claims.size(), describe(*report));
            for (const auto& entry : report->entries) {
                NEED(entry.outcome == Outcome::Conflict, describe(*report));
                NEED(entry.reason.find("another disk") != std::string::npos, entry.reason);
            }
            NEED(same(snapshot(w.share, Times::Files), before), "");

            // The disk itself is no folder to be moved or removed, nor one to move things out of with its name.
            w.claims.clear();
            w.renamed("disk", "elsewhere", EntryType::Directory);
            set = w.freeze(*review);
            NEED(set, "");
            report = review->apply(w.root.get(), set->id, everything(*set));
            NEED(report && report->entries.at(0).outcome == Outcome::Conflict, describe(*report));
            NEED(report->entries.at(0).reason.find("another disk") != std::string::npos, describe(*report));
            NEED(same(snapshot(w.share, Times::Files), before), "");
            return {};
        });
    }

    // On a disk that may take a name for another one's each name is looked for in its folder's listing: once for all of them.
    void whatAnApplyLeftOnADiskOfAnotherKind() {
        VERIFY_IN_NAMESPACE([]() -> std::string {
            World w;
            const Mounts mounts{{w.share}};
            const auto beside = w.share + " beside";
            for (const char* part : {"", "/lower", "/upper", "/work"}) {
                fs::create_directory(beside + part);
            }
            const auto options = "userxattr,lowerdir=" + beside + "/lower,upperdir=" + beside + "/upper,workdir=" + beside + "/work";
            if (::mount("overlay", w.share.c_str(), "overlay", 0, options.c_str()) != 0) {
                return "-this system lets no namespace mount an overlay";
            }
            const UniqueFd root(::open(w.share.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            constexpr int kFiles = 200;
            for (int i = 0; i < kFiles; ++i) {
                writeFile(w.at("file" + std::to_string(i)), "text\n");
            }
            ListedNames names(ListedNames::Missing::IsMissing);
            QElapsedTimer took;
            took.start();
            for (int i = 0; i < kFiles; ++i) {
                const auto name = "file" + std::to_string(i);
                const auto wanted = observe(*pin(root.get(), path(name)), LookAt::Content);
                NEED(wanted && leftBy(root.get(), path(name), *wanted, &names) == leftOf(*wanted), name);
                NEED(leftBy(root.get(), path("no " + name), {}, &names) == Left{}, name);
            }
            NEED(names.reads() > 0 && names.reads() <= 1 + static_cast<std::size_t>(took.elapsed()) / 1000, std::to_string(names.reads()));
            return {};
        });
    }

    void permissionLost_data() {
        QTest::addColumn<QString>("folder");
        QTest::newRow("of a folder") << "docs";
        QTest::newRow("of a folder that moves") << "album";
        QTest::newRow("of the share") << "";
    }
    void permissionLost() {
        QFETCH(QString, folder);
        if (::geteuid() == 0) {
            QSKIP("permissions are nothing to root");
        }
        CrashWorld c;
        QVERIFY(c.prepare());
        World& w = c.world;
        int lost = 0;
        for (int step = 0;; step += strideOf(11)) {
            c.frozen->restore();
            const UniqueFd held(::open(w.at(folder.toStdString()).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            struct stat st {};
            QVERIFY(held && ::fstat(held.get(), &st) == 0);
            AtStep hook(step, [&] { ::fchmod(held.get(), 0); });
            auto review = w.review(&hook);
            auto told = review->apply(w.root.get(), c.set.id, everything(c.set));
            QVERIFY(::fchmod(held.get(), st.st_mode & 07777) == 0);
            if (hook.where.empty()) {
                break;
            }
            lost += told && told->complete() ? 0 : 1;
            const std::string said =
                trueAndMended(c, *review, told, "step " + std::to_string(step) + ", " + hook.where + ": ");
            QVERIFY2(said.empty(), said.c_str());
        }
        qInfo("something was refused in %d runs", lost);
        QVERIFY(lost > 0);
    }
};

QTEST_GUILESS_MAIN(TestShareTrouble)
#include "test_share_trouble.moc"
