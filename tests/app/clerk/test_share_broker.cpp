// SPDX-License-Identifier: Apache-2.0
// I1, I4 from the broker's side: nothing outside the folder, nothing written, every malformed request
// refused.
#include "app/clerk/recorded_reads.h"
#include "tests/app/clerk/guest_side.h"

#include <QTemporaryDir>
#include <QTest>

#include <atomic>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

class TestShareBroker : public QObject {
    Q_OBJECT
private slots:
    void init() {
        m_dir = std::make_unique<QTemporaryDir>();
        m_share = m_dir->path().toStdString() + "/share";
        QCOMPARE(::mkdir(m_share.c_str(), 0755), 0);
        write(m_dir->path().toStdString() + "/secret", "SECRET");
    }

    void cleanup() {
        // Not QTemporaryDir's own: it cannot name what is not UTF-8, nor what lies too deep.
        (void)!std::system(("rm -rf '" + m_dir->path().toStdString() + "'").c_str());
        m_dir.reset();
    }

    void readsAndLists() {
        QCOMPARE(::mkdir((m_share + "/sub").c_str(), 0755), 0);
        write(m_share + "/sub/a.txt", "hello");
        Guest guest(m_share);
        const std::uint64_t sub = guest.node(kRootNode, "sub");
        const Answer found = guest.lookup(sub, "a.txt");
        const auto entry = found.as<lower::EntryOut>();
        struct stat info {};
        QCOMPARE(::stat((m_share + "/sub/a.txt").c_str(), &info), 0);
        QCOMPARE(entry.attr.ino, std::uint64_t{info.st_ino});
        QCOMPARE(entry.attr.size, std::uint64_t{5});
        QCOMPARE(entry.attr.ctimensec, static_cast<std::uint32_t>(info.st_ctim.tv_nsec));
        QCOMPARE(entry.attr.uid, 0U);
        QCOMPARE(guest.text(entry.nodeid), std::string("hello"));
        QCOMPARE(std::string(asText(guest.read(entry.nodeid, 2, 2).body)), std::string("ll"));
        QCOMPARE(guest.read(entry.nodeid, 5).body.size(), std::size_t{0});
        QCOMPARE(guest.attributes(entry.nodeid).as<lower::AttrOut>().attr.size, std::uint64_t{5});
        QCOMPARE(guest.list(sub).size(), std::size_t{1});
        QCOMPARE(guest.list(sub)[0].entry.nodeid, entry.nodeid);
        QCOMPARE(guest.lookup(sub, "none").as<lower::EntryOut>().nodeid, std::uint64_t{0});
        QCOMPARE(guest.lookup(sub, "none").as<lower::EntryOut>().entryValid, std::uint64_t{86400});
        QCOMPARE(guest.firstReads.size(), std::size_t{1});
        QCOMPARE(guest.firstReads[0].path.text(), std::string("sub/a.txt"));
        const Answer init = guest.ask(Opcode::Init, 0, structBody(lower::InitIn{7, 38, 1 << 20, ~0U, 0, {}}));
        QCOMPARE(init.as<lower::InitOut>().major, 7U);
    }

    // The blank that a sync program leaves is not what the file holds: no byte of it, and no record that it was read.
    void aPlaceholderIsNotRead() {
        write(m_share + "/report.odt.nextcloud", " ");
        write(m_share + "/plan.odt.nextcloud", " ");
        write(m_share + "/old.owncloud", " ");
        write(m_share + "/notes.nextcloud", "a file of the user's own");
        Guest guest(m_share);
        const std::uint64_t report = guest.node(kRootNode, "report.odt.nextcloud");
        QVERIFY(report != 0); // it is seen
        for (int i = 0; i < 2; ++i) {
            const Answer answer = guest.read(report);
            QCOMPARE(answer.error, ENODATA);
            QVERIFY(answer.body.empty());
        }
        QCOMPARE(guest.read(guest.node(kRootNode, "plan.odt.nextcloud")).error, ENODATA);
        QCOMPARE(guest.notices.size(), std::size_t{1}); // once for each program
        QVERIFY2(guest.notices[0].find("available offline in Nextcloud") != std::string::npos, guest.notices[0].c_str());
        QCOMPARE(guest.read(guest.node(kRootNode, "old.owncloud")).error, ENODATA);
        QCOMPARE(guest.notices.size(), std::size_t{2});
        QVERIFY2(guest.notices[1].find("available offline in ownCloud") != std::string::npos, guest.notices[1].c_str());
        QVERIFY(guest.firstReads.empty());
        QCOMPARE(guest.text(guest.node(kRootNode, "notes.nextcloud")), std::string("a file of the user's own"));
        QCOMPARE(guest.notices.size(), std::size_t{2});
        // Made available offline, it is another file.
        QCOMPARE(::unlink((m_share + "/report.odt.nextcloud").c_str()), 0);
        write(m_share + "/report.odt", "the report");
        guest.hostEvents();
        QCOMPARE(guest.text(guest.node(kRootNode, "report.odt")), std::string("the report"));
    }

    void largeFileIsExact() {
        std::string text(3 * lower::kMaxRead + 12345, 'x');
        for (std::size_t i = 0; i < text.size(); ++i) {
            text[i] = static_cast<char>(i * 31 + i / 977);
        }
        write(m_share + "/big", text);
        Guest guest(m_share);
        const std::uint64_t node = guest.node(kRootNode, "big");
        std::string got;
        while (got.size() < text.size()) {
            const Answer part = guest.read(node, got.size());
            QVERIFY(part.error == 0 && !part.body.empty());
            got += asText(part.body);
        }
        QVERIFY(got == text);
    }

    void hostileRequests() {
        write(m_share + "/f", "x");
        Guest guest(m_share);
        const std::uint64_t file = guest.node(kRootNode, "f");
        for (const std::string& name :
             {std::string(""), std::string("."), std::string(".."), std::string("a/b"),
              std::string("../secret"), std::string("a\0b", 3)}) {
            QCOMPARE(guest.lookup(kRootNode, name).error, EINVAL);
        }
        QCOMPARE(guest.ask(Opcode::Lookup, kRootNode, asBytes("f")).error, EINVAL); // no NUL
        QCOMPARE(guest.lookup(kRootNode, std::string(256, 'n')).error, ENAMETOOLONG);
        QCOMPARE(guest.lookup(file, "x").error, ENOTDIR);
        QCOMPARE(guest.lookup(4242, "x").error, ESTALE);
        QCOMPARE(guest.read(4242).error, ESTALE);
        QCOMPARE(guest.read(kRootNode).error, EISDIR);
        QCOMPARE(guest.read(file, 0, lower::kMaxRead + 1).error, EINVAL);
        QCOMPARE(guest.read(file, UINT64_MAX, 1).error, EINVAL);
        QCOMPARE(guest.ask(Opcode::Read, file, asBytes("short")).error, EINVAL);
        QCOMPARE(guest.ask(Opcode::Getattr, file).error, EINVAL);
        QCOMPARE(guest.ask(Opcode::Readlink, file).error, EINVAL);
        for (const Opcode opcode :
             {Opcode::Write, Opcode::Setattr, Opcode::Create, Opcode::Unlink, Opcode::Rename, Opcode::Rename2,
              Opcode::Mkdir, Opcode::Symlink, Opcode::Setxattr}) {
            QCOMPARE(guest.ask(opcode, file, asBytes("whatever")).error, EROFS);
        }
        for (const Opcode opcode :
             {Opcode::Open, Opcode::Opendir, Opcode::Getxattr, Opcode::Access, static_cast<Opcode>(4999)}) {
            QCOMPARE(guest.ask(opcode, file).error, ENOSYS);
        }
        QVERIFY(!guest.broker->handle(asBytes("tiny")));
        Bytes lying = message(Opcode::Getattr, file, structBody(lower::GetattrIn{}));
        lying.push_back(std::byte{0});
        QVERIFY(!guest.broker->handle(lying));
        QVERIFY(!guest.broker->handle(message(Opcode::Getattr, file, structBody(lower::GetattrIn{}), 0)));
        Bytes forgetMany = structBody(lower::BatchForgetIn{0x10000001, 0});
        appendLe(forgetMany, lower::ForgetOne{file, 1});
        QVERIFY(!guest.broker->handle(message(Opcode::BatchForget, 0, forgetMany)));
        QVERIFY(guest.read(file).error == 0); // that was malformed, so nothing was forgotten
        QVERIFY(
            !guest.broker->handle(message(Opcode::Forget, file, structBody(lower::ForgetIn{UINT64_MAX}))));
        QCOMPARE(guest.read(file).error, ESTALE);
    }

    void linksAreShownNotFollowed() {
        const std::string secret = m_dir->path().toStdString() + "/secret";
        QCOMPARE(::symlink(secret.c_str(), (m_share + "/out").c_str()), 0);
        QCOMPARE(::symlink("..", (m_share + "/up").c_str()), 0);
        Guest guest(m_share);
        const auto link = guest.lookup(kRootNode, "out").as<lower::EntryOut>();
        QVERIFY(S_ISLNK(link.attr.mode));
        QCOMPARE(std::string(asText(guest.ask(Opcode::Readlink, link.nodeid).body)), secret);
        QCOMPARE(guest.read(link.nodeid).error, EINVAL);
        QCOMPARE(guest.lookup(guest.node(kRootNode, "up"), "secret").error, ENOTDIR);
        QCOMPARE(guest.ask(Opcode::Readdirplus, guest.node(kRootNode, "up"), readBody(0, 4096)).error,
                 ENOTDIR);
    }

    // A folder that the guest knows is swapped for a link to outside and back, as fast as can be.
    void folderSwappedForALink() {
        const std::string outside = m_dir->path().toStdString() + "/outside";
        QCOMPARE(::mkdir(outside.c_str(), 0755), 0);
        write(outside + "/f", "SECRET");
        QCOMPARE(::mkdir((m_share + "/d").c_str(), 0755), 0);
        write(m_share + "/d/f", "inside");
        QCOMPARE(::symlink(outside.c_str(), (m_share + "/l").c_str()), 0);
        std::atomic<bool> stop{false};
        std::thread swapper([&] {
            while (!stop) {
                (void)::syscall(SYS_renameat2, AT_FDCWD, (m_share + "/d").c_str(), AT_FDCWD,
                                (m_share + "/l").c_str(), 2U /* RENAME_EXCHANGE */);
            }
        });
        ShareBroker::Options options;
        options.descriptors = 1; // so that it walks again and again
        Guest guest(m_share, options);
        bool leaked = false;
        const auto serves = [&] {
            const std::uint64_t folder = guest.node(kRootNode, "d");
            const auto file = guest.lookup(folder, "f").as<lower::EntryOut>();
            const Answer reply =
                parse(guest.broker->handle(message(Opcode::Read, file.nodeid, readBody(0, 100))));
            leaked = leaked || asText(reply.body).find("SECRET") != std::string_view::npos;
            (void)guest.page(folder, 0, 4096);
            guest.broker->dropDeferred();
            return reply.there && reply.error == 0;
        };
        for (int i = 0; i < 5000; ++i) {
            (void)serves(); // how often is a matter of luck
        }
        stop = true;
        swapper.join();
        QVERIFY(!leaked);
        // It was the link that was refused, and nothing else: the folder itself is served.
        struct stat now {};
        QCOMPARE(::lstat((m_share + "/d").c_str(), &now), 0);
        if (S_ISLNK(now.st_mode)) {
            QCOMPARE(::syscall(SYS_renameat2, AT_FDCWD, (m_share + "/d").c_str(), AT_FDCWD, (m_share + "/l").c_str(), 2U), 0L);
        }
        QVERIFY(serves());
    }

    // A descriptor would follow a folder out of the share; the broker walks from the root.
    void folderMovedOut() {
        QCOMPARE(::mkdir((m_share + "/d").c_str(), 0755), 0);
        write(m_share + "/d/f", "x");
        Guest guest(m_share);
        const std::uint64_t folder = guest.node(kRootNode, "d");
        QCOMPARE(::rename((m_share + "/d").c_str(), (m_dir->path().toStdString() + "/moved").c_str()), 0);
        QCOMPARE(guest.lookup(folder, "f").error, ESTALE);
        QCOMPARE(guest.ask(Opcode::Readdirplus, folder, readBody(0, 4096)).error, ESTALE);
    }

    void specialAndHiddenAreNotShown() {
        QCOMPARE(::mkfifo((m_share + "/pipe").c_str(), 0644), 0);
        QCOMPARE(::mkdir((m_share + "/.ssh").c_str(), 0700), 0);
        QCOMPARE(::mkdir((m_share + "/conf").c_str(), 0700), 0);
        write(m_share + "/.ssh/id", "SECRET");
        write(m_share + "/conf/a.key", "SECRET");
        write(m_share + "/conf/b", "fine");
        write(m_share + "/x.pem", "SECRET");
        std::uint64_t sshBefore = 0;
        UniqueFd table = tableFile();
        {
            Guest before(m_share, {}, UniqueFd(::dup(table.get())));
            sshBefore = before.node(before.node(kRootNode, ".ssh"), "id");
            QVERIFY(sshBefore != 0);
        }
        ShareBroker::Options options;
        options.hidden = {".ssh", "*.pem", "conf/*.key"};
        Guest guest(m_share, options, std::move(table));
        QCOMPARE(guest.list(kRootNode).size(), std::size_t{1});
        QCOMPARE(guest.list(guest.node(kRootNode, "conf")).size(), std::size_t{1});
        for (const std::string name : {"pipe", ".ssh", "x.pem"}) {
            QCOMPARE(guest.node(kRootNode, name), std::uint64_t{0});
        }
        QCOMPARE(guest.read(sshBefore).error, ESTALE); // known from a clerk that hid less
    }

    void unreadableIsShown() {
        if (::geteuid() == 0) {
            QSKIP("root reads everything");
        }
        write(m_share + "/locked", "x");
        QCOMPARE(::chmod((m_share + "/locked").c_str(), 0), 0);
        Guest guest(m_share);
        QCOMPARE(guest.list(kRootNode).size(), std::size_t{1});
        QCOMPARE(guest.read(guest.node(kRootNode, "locked")).error, EACCES);
    }

    void namesOfAllBytes() {
        std::set<std::string> names;
        for (int byte = 1; byte < 256; ++byte) {
            if (byte != '/' && byte != '.') {
                names.insert(std::string(1, static_cast<char>(byte)));
            }
        }
        names.insert(std::string(255, '\xff'));
        for (const std::string& name : names) {
            write(m_share + "/" + name, name);
        }
        Guest guest(m_share);
        std::set<std::string> listed;
        for (const Listed& entry : guest.list(kRootNode, 4096)) {
            listed.insert(entry.name);
            QCOMPARE(guest.text(entry.entry.nodeid), entry.name);
        }
        QVERIFY(listed == names);
    }

    // 10^5 names, few descriptors, names coming and going between pages: each one that stayed comes exactly
    // once.
    void bigFolderWhileItChanges() {
        constexpr int kNames = 100'000;
        for (int i = 0; i < kNames; ++i) {
            const UniqueFd file(
                ::open((m_share + "/n" + std::to_string(i)).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
            QVERIFY(static_cast<bool>(file));
        }
        auto guest = std::make_unique<Guest>(m_share);
        std::map<std::string, int> seen;
        int pages = 0;
        for (std::uint64_t cookie = 0;; ++pages) {
            const auto part = guest->page(kRootNode, cookie, 128 * 1024);
            if (part.empty()) {
                break;
            }
            for (const Listed& entry : part) {
                ++seen[entry.name];
                QVERIFY(entry.entry.nodeid != 0);
            }
            cookie = part.back().cookie;
            (void)::unlink((m_share + "/n" + std::to_string(pages)).c_str());
            write(m_share + "/new" + std::to_string(pages), "x");
            if (pages % 7 == 0) { // another reader starts over: the listing is read anew
                QVERIFY(!guest->page(kRootNode, 0, 4096).empty());
            }
            if (pages % 11 == 0) { // and another clerk takes over
                UniqueFd table(::dup(guest->tableFd.get()));
                guest.reset();
                guest = std::make_unique<Guest>(m_share, ShareBroker::Options{}, std::move(table));
            }
        }
        QVERIFY(pages > 50);
        for (int i = pages; i < kNames; ++i) {
            QCOMPARE(seen["n" + std::to_string(i)], 1);
        }
        for (const auto& [name, times] : seen) {
            QCOMPARE(times, 1);
        }
    }

    void deepPath() {
        Guest guest(m_share);
        const std::string name(200, 'd');
        UniqueFd at(::open(m_share.c_str(), O_PATH | O_CLOEXEC));
        std::uint64_t node = kRootNode;
        int error = 0;
        int depth = 0;
        for (; depth < 40 && error == 0; ++depth) {
            QCOMPARE(::mkdirat(at.get(), name.c_str(), 0755), 0);
            at = UniqueFd(::openat(at.get(), name.c_str(), O_PATH | O_CLOEXEC));
            const Answer found = guest.lookup(node, name);
            error = found.error;
            node = found.as<lower::EntryOut>().nodeid;
        }
        QCOMPARE(error, ENAMETOOLONG); // beyond PATH_MAX: said, not hidden
        QVERIFY(depth > 20);
        at = UniqueFd();
    }

    void revoked() {
        write(m_share + "/f", "x");
        Guest guest(m_share);
        const std::uint64_t file = guest.node(kRootNode, "f");
        QVERIFY(!guest.broker->handle(message(Opcode::Read, file, readBody(0, 10)))); // young: put off
        guest.broker->revoke();
        const auto late = guest.broker->runDeferred();
        QCOMPARE(late.size(), std::size_t{1});
        QCOMPARE(parse(late[0]).error, EACCES);
        QCOMPARE(guest.read(file).error, EACCES);
        QCOMPARE(guest.lookup(kRootNode, "f").error, EACCES);
        QCOMPARE(guest.ask(Opcode::Readdirplus, kRootNode, readBody(0, 4096)).error, EACCES);
        QCOMPARE(guest.ask(Opcode::Statfs, kRootNode).error, EACCES);
        QCOMPARE(guest.broker->watchDescriptor(), -1);
    }

    void firstReadIsRecordedBeforeItHappens() {
        write(m_share + "/f", "x");
        write(m_share + "/g", "y");
        UniqueFd table = tableFile();
        {
            Guest guest(m_share, {}, UniqueFd(::dup(table.get())));
            guest.firstReadAnswer = FirstReadAnswer::Wait;
            const std::uint64_t file = guest.node(kRootNode, "f");
            QVERIFY(!guest.read(file).there); // waits, with no time set
            QCOMPARE(guest.firstReads.size(), std::size_t{1});
            guest.broker->settleFirstRead(file, FirstReadVerdict::NotRecorded);
            QCOMPARE(parse(guest.broker->runDeferred().at(0)).error, EIO);
            QVERIFY(!guest.read(file).there); // asked again
            QCOMPARE(guest.firstReads.size(), std::size_t{2});
            guest.broker->settleFirstRead(file, FirstReadVerdict::Recorded);
            QCOMPARE(asText(parse(guest.broker->runDeferred().at(0)).body), std::string_view("x"));
            QCOMPARE(guest.text(file), std::string("x"));
            QCOMPARE(guest.firstReads.size(), std::size_t{2});
        }
        Guest successor(m_share, {}, std::move(table));
        const std::uint64_t file = successor.node(kRootNode, "f");
        QCOMPARE(successor.text(file), std::string("x"));
        QCOMPARE(successor.firstReads.size(), std::size_t{0}); // the host knows already
    }

    // Else a guest that looks it up, reads it and forgets it over and over fills the user's disk with the record of it.
    void aReadIsRecordedOnceWhateverIsForgotten() {
        write(m_share + "/f", "x");
        Guest guest(m_share);
        const auto forget = [&](std::uint64_t node) {
            (void)guest.broker->handle(message(Opcode::Forget, node, structBody(lower::ForgetIn{UINT64_MAX})));
        };
        for (int i = 0; i < 20; ++i) {
            const std::uint64_t file = guest.node(kRootNode, "f");
            QCOMPARE(guest.text(file), std::string("x"));
            forget(file);
        }
        QCOMPARE(guest.firstReads.size(), std::size_t{1});
        write(m_share + "/f", "another version");
        const std::uint64_t file = guest.node(kRootNode, "f");
        QCOMPARE(guest.text(file), std::string("another version"));
        QCOMPARE(guest.firstReads.size(), std::size_t{2});
        QCOMPARE(::rename((m_share + "/f").c_str(), (m_share + "/h").c_str()), 0); // another name is another read
        QCOMPARE(guest.text(guest.node(kRootNode, "h")), std::string("another version"));
        QCOMPARE(guest.firstReads.size(), std::size_t{3});
        QCOMPARE(guest.firstReads.back().path.text(), std::string("h"));
        RecordedReads few(2);
        for (std::uint64_t i = 0; i < 5; ++i) {
            few.add({1, i, 0, 0, 0, 0});
        }
        QVERIFY(few.knows({1, 4, 0, 0, 0, 0}) && few.knows({1, 3, 0, 0, 0, 0}) && !few.knows({1, 0, 0, 0, 0, 0}));
    }

    // Nor does calling a read off and forgetting its node make room for another one to be asked about.
    void fewReadsWaitToBeRecorded() {
        constexpr std::size_t kMore = 20;
        for (std::size_t i = 0; i < kMaxDeferred + kMore; ++i) {
            write(m_share + "/" + std::to_string(i), "x");
        }
        Guest guest(m_share);
        guest.firstReadAnswer = FirstReadAnswer::Wait;
        std::this_thread::sleep_for(kQuietWithWriter);
        std::size_t busy = 0;
        for (std::size_t i = 0; i < kMaxDeferred + kMore; ++i) {
            const std::uint64_t file = guest.node(kRootNode, std::to_string(i));
            const auto answer = guest.read(file);
            busy += answer.there && answer.error == EBUSY ? 1 : 0;
            (void)guest.broker->handle(message(Opcode::Interrupt, 0, structBody(std::uint64_t{7})));
            (void)guest.broker->handle(message(Opcode::Forget, file, structBody(lower::ForgetIn{UINT64_MAX})));
        }
        QCOMPARE(guest.firstReads.size(), kMaxDeferred);
        QCOMPARE(busy, kMore);
        const std::uint64_t file = guest.node(kRootNode, "0"); // it waits for the answer about the one before
        QVERIFY(!guest.read(file).there);
        QCOMPARE(guest.firstReads.size(), kMaxDeferred);
        guest.broker->settleFirstRead(guest.firstReads.front().node, FirstReadVerdict::Recorded);
        QCOMPARE(asText(parse(guest.broker->runDeferred().at(0)).body), std::string_view("x"));
    }

    void fewDescriptorsServeManyFiles() {
        for (int i = 0; i < 300; ++i) {
            write(m_share + "/f" + std::to_string(i), std::to_string(i));
        }
        ShareBroker::Options options;
        options.descriptors = 4;
        Guest guest(m_share, options);
        for (int round = 0; round < 2; ++round) {
            for (int i = 0; i < 300; ++i) {
                QCOMPARE(guest.text(guest.node(kRootNode, "f" + std::to_string(i))), std::to_string(i));
            }
        }
    }

private:
    std::unique_ptr<QTemporaryDir> m_dir;
    std::string m_share;
};

QTEST_GUILESS_MAIN(TestShareBroker)
#include "test_share_broker.moc"
