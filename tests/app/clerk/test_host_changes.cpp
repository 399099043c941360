// SPDX-License-Identifier: Apache-2.0
// What the user does in the folder reaches the guest: as an invalidation, or as one-second validity.
#include "hypervisor/confine/confine.h"
#include "tests/app/clerk/guest_side.h"

#include <QTemporaryDir>
#include <QTest>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::clerk;
using namespace carrel::clerk::test;
using lower::kRootNode;
using lower::Opcode;

namespace {

void write(const std::string& path, const std::string& text) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    QVERIFY(file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

} // namespace

class TestHostChanges : public QObject {
    Q_OBJECT
private slots:
    void init() {
        m_dir = std::make_unique<QTemporaryDir>();
        m_share = m_dir->path().toStdString();
    }

    void everyChangeIsAnnounced() {
        QCOMPARE(::mkdir((m_share + "/d").c_str(), 0755), 0);
        write(m_share + "/d/f", "1");
        Guest guest(m_share);
        const std::uint64_t d = guest.node(kRootNode, "d");
        const auto expect = [&](const std::string& name, bool listing) {
            guest.hostEvents();
            const bool told = guest.told(d, name) && guest.toldListing(d) == listing;
            guest.notes.clear();
            return told;
        };
        QCOMPARE(guest.lookup(d, "f").as<lower::EntryOut>().entryValid, std::uint64_t{86400});
        QCOMPARE(guest.node(d, "new"), std::uint64_t{0});
        write(m_share + "/d/f", "2");
        QVERIFY(expect("f", false));
        (void)guest.node(d, "f");
        QCOMPARE(::chmod((m_share + "/d/f").c_str(), 0600), 0);
        QVERIFY(expect("f", false));
        write(m_share + "/d/new", "x"); // it was remembered as not there
        QVERIFY(expect("new", true));
        QCOMPARE(::rename((m_share + "/d/new").c_str(), (m_share + "/d/f").c_str()), 0);
        guest.hostEvents();
        QVERIFY(guest.told(d, "new") && guest.told(d, "f") && guest.toldListing(d));
        guest.notes.clear();
        QCOMPARE(::unlink((m_share + "/d/f").c_str()), 0);
        QVERIFY(expect("f", true));
    }

    // A log that is written all day is announced once for each time that the guest has looked.
    void announcedOnceUntilLookedUp() {
        write(m_share + "/log", "1");
        Guest guest(m_share);
        (void)guest.node(kRootNode, "log");
        for (int i = 0; i < 5; ++i) {
            write(m_share + "/log", std::to_string(i));
            guest.hostEvents();
        }
        QCOMPARE(guest.notes.size(), std::size_t{1});
    }

    void hiddenNamesAreNotTold() {
        ShareBroker::Options options;
        options.hidden = {".env"};
        Guest guest(m_share, options);
        QCOMPARE(guest.node(kRootNode, ".env"), std::uint64_t{0});
        write(m_share + "/.env", "SECRET");
        guest.hostEvents();
        QVERIFY(guest.notes.empty());
    }

    void withoutWatchesOneSecond() {
        write(m_share + "/f", "1");
        QCOMPARE(::mkdir((m_share + "/d").c_str(), 0755), 0);
        ShareBroker::Options options;
        options.maxWatches = 1;
        Guest guest(m_share, options);
        QCOMPARE(guest.lookup(kRootNode, "f").as<lower::EntryOut>().entryValid, std::uint64_t{86400});
        const std::uint64_t d = guest.node(kRootNode, "d");
        QCOMPARE(guest.lookup(d, "x").as<lower::EntryOut>().entryValid, std::uint64_t{1});
        QCOMPARE(guest.lookup(d, "y").as<lower::EntryOut>().entryValid, std::uint64_t{1});
        QCOMPARE(guest.notices.size(), std::size_t{1});
        // Forgetting a folder gives its watch back.
        QCOMPARE(::link((m_share + "/f").c_str(), (m_share + "/g").c_str()), 0);
        QCOMPARE(guest.lookup(kRootNode, "f").as<lower::EntryOut>().entryValid,
                 std::uint64_t{1}); // two names
    }

    void lostEventsInvalidateEverything() {
        write(m_share + "/f", "1");
        QCOMPARE(::mkdir((m_share + "/d").c_str(), 0755), 0);
        Guest guest(m_share);
        (void)guest.node(kRootNode, "f");
        const std::uint64_t d = guest.node(kRootNode, "d");
        guest.broker->invalidateAll(); // what an overflow does
        QVERIFY(guest.told(kRootNode, "f") && guest.told(kRootNode, "d"));
        QVERIFY(guest.toldListing(kRootNode) && guest.toldListing(d));
    }

    void aSuccessorGoesOn() {
        QCOMPARE(::mkdir((m_share + "/d").c_str(), 0755), 0);
        write(m_share + "/d/f", "1");
        UniqueFd table = tableFile();
        std::uint64_t f = 0;
        std::uint64_t gone = 0;
        {
            Guest guest(m_share, {}, UniqueFd(::dup(table.get())));
            const std::uint64_t d = guest.node(kRootNode, "d");
            write(m_share + "/d/gone", "x");
            f = guest.node(d, "f");
            gone = guest.node(d, "gone");
        }
        write(m_share + "/d/gone", "other"); // while nobody is there
        Guest guest(m_share, {}, std::move(table));
        guest.broker->invalidateAll();
        QCOMPARE(guest.text(f), std::string("1"));
        QCOMPARE(guest.read(gone).error, ESTALE);
        QVERIFY(guest.node(guest.node(kRootNode, "d"), "gone") > gone);
    }

    // The same inside the clerk's jail: openat2, inotify through /proc/self/fd and leases work there.
    void insideTheJail() {
        if (confine::landlockAbi() == 0) {
            QSKIP("this kernel has no Landlock");
        }
        write(m_share + "/f", "inside");
        write(m_share + "/g", "touched by the parent");
        int go[2];
        int ready[2];
        QVERIFY(::pipe2(go, O_CLOEXEC) == 0 && ::pipe2(ready, O_CLOEXEC) == 0);
        const pid_t child = ::fork();
        if (child == 0) {
            ::close(go[1]);
            Guest guest(m_share);
            if (!confine::restrictFiles({{{m_share, confine::Access::ReadOnly}}, {}}) ||
                !confine::restrictSyscalls(confine::SyscallProfile::GuestReader)) {
                ::_exit(1);
            }
            if (guest.text(guest.node(kRootNode, "f")) != "inside") {
                ::_exit(2);
            }
            if (guest.list(kRootNode).size() != 2) {
                ::_exit(3);
            }
            if (guest.lookup(kRootNode, "g").as<lower::EntryOut>().entryValid != 86400) {
                ::_exit(4); // not watched
            }
            char byte = 0;
            (void)!::write(ready[1], &byte, 1);
            (void)!::read(go[0], &byte, 1);
            guest.hostEvents();
            ::_exit(guest.told(kRootNode, "g") ? 0 : 5);
        }
        ::close(ready[1]);
        char byte = 0;
        if (::read(ready[0], &byte, 1) == 1) {
            write(m_share + "/g", "changed");
        }
        ::close(go[1]);
        int status = 0;
        QCOMPARE(::waitpid(child, &status, 0), child);
        QVERIFY(WIFEXITED(status));
        QCOMPARE(WEXITSTATUS(status), 0);
        ::close(go[0]);
        ::close(ready[0]);
    }

private:
    std::unique_ptr<QTemporaryDir> m_dir;
    std::string m_share;
};

QTEST_GUILESS_MAIN(TestHostChanges)
#include "test_host_changes.moc"
