// SPDX-License-Identifier: Apache-2.0
// A read is one version of the file or an error: in miniature, a host that edits in place and by rename while
// a guest reads. Every version of a file is one number, repeated; a mixture of two is seen at once.
#include "tests/app/clerk/guest_side.h"

#include <QTemporaryDir>
#include <QTest>

#include <atomic>
#include <sys/stat.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::clerk;
using namespace carrel::clerk::test;
using lower::kRootNode;
using lower::Opcode;

namespace {

constexpr std::size_t kNumbers = 32'768; // 256 KiB, two requests of half that

std::vector<std::uint64_t> content(std::uint64_t number) {
    return std::vector<std::uint64_t>(kNumbers, number);
}

void put(const std::string& path, const std::vector<std::uint64_t>& numbers, int flags) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644));
    (void)!::pwrite(file.get(), numbers.data(), numbers.size() * sizeof numbers[0], 0);
}

void replace(const std::string& path, const std::vector<std::uint64_t>& numbers) {
    put(path + ".new", numbers, O_TRUNC);
    (void)::rename((path + ".new").c_str(), path.c_str());
}

// The number that the whole text repeats; none when it is a mixture.
std::optional<std::uint64_t> onlyNumber(const Bytes& text) {
    const auto first = loadLe<std::uint64_t>(text);
    for (std::size_t at = 0; at < text.size(); at += sizeof first) {
        if (loadLe<std::uint64_t>(text, at) != first) {
            return std::nullopt;
        }
    }
    return first;
}

} // namespace

class TestTornReads : public QObject {
    Q_OBJECT
private slots:
    void init() {
        m_dir = std::make_unique<QTemporaryDir>();
        m_path = m_dir->path().toStdString() + "/f";
    }

    void editedInPlace() {
        put(m_path, content(1), 0);
        Guest guest(m_dir->path().toStdString());
        const std::uint64_t before = guest.node(kRootNode, "f");
        QVERIFY(guest.read(before, 0, 4096).error == 0);
        put(m_path, content(2), 0); // same size
        QCOMPARE(guest.read(before, 4096, 4096).error, ESTALE);
        QVERIFY(guest.told(kRootNode, "f"));
        QCOMPARE(guest.attributes(before).error, ESTALE);
        const std::uint64_t after = guest.node(kRootNode, "f");
        QVERIFY(after != before && after != 0);
        QCOMPARE(onlyNumber(guest.read(after).body), std::optional<std::uint64_t>(2));
    }

    // The times set back to what they were do not hide an edit: ctime cannot be set.
    void editedWithItsTimesSetBack() {
        put(m_path, content(1), 0);
        Guest guest(m_dir->path().toStdString());
        const std::uint64_t before = guest.node(kRootNode, "f");
        QVERIFY(guest.read(before, 0, 4096).error == 0);
        struct stat info {};
        QCOMPARE(::stat(m_path.c_str(), &info), 0);
        put(m_path, content(2), 0);
        const timespec times[] = {info.st_atim, info.st_mtim};
        QCOMPARE(::utimensat(AT_FDCWD, m_path.c_str(), times, 0), 0);
        QCOMPARE(guest.read(before, 4096, 4096).error, ESTALE);
    }

    void replacedWhileOpen() {
        put(m_path, content(1), 0);
        Guest guest(m_dir->path().toStdString());
        const std::uint64_t before = guest.node(kRootNode, "f");
        const auto attr = guest.attributes(before).as<lower::AttrOut>().attr;
        QVERIFY(guest.read(before, 0, 4096).error == 0);
        replace(m_path, content(2));
        const std::uint64_t after = guest.node(kRootNode, "f");
        QVERIFY(after != before);
        QCOMPARE(onlyNumber(guest.read(after).body), std::optional<std::uint64_t>(2));
        QCOMPARE(onlyNumber(guest.read(before).body), std::optional<std::uint64_t>(1)); // still the old one
        const auto old = guest.attributes(before).as<lower::AttrOut>().attr;
        QCOMPARE(old.ctimensec, attr.ctimensec); // the version the guest knows, though it was unlinked since
        QCOMPARE(::unlink(m_path.c_str()), 0);
        QCOMPARE(onlyNumber(guest.read(after).body), std::optional<std::uint64_t>(2));
        QCOMPARE(guest.node(kRootNode, "f"), std::uint64_t{0});
    }

    void replacedWhileNotOpen() {
        put(m_path, content(1), 0);
        Guest guest(m_dir->path().toStdString());
        const std::uint64_t before = guest.node(kRootNode, "f");
        replace(m_path, content(2));
        QCOMPARE(guest.read(before).error, ESTALE);
    }

    void growsDuringTheRead() {
        put(m_path, content(1), 0);
        Guest guest(m_dir->path().toStdString());
        const std::uint64_t before = guest.node(kRootNode, "f");
        QVERIFY(guest.read(before, 0, 4096).error == 0);
        const UniqueFd file(::open(m_path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
        QCOMPARE(::write(file.get(), "more", 4), ssize_t{4});
        QCOMPARE(guest.read(before, 4096).error, ESTALE);
        QCOMPARE(::ftruncate(file.get(), 8), 0);
        const auto after = guest.lookup(kRootNode, "f").as<lower::EntryOut>();
        QCOMPARE(after.attr.size, std::uint64_t{8});
        QCOMPARE(guest.read(after.nodeid).body.size(), std::size_t{8});
    }

    // Within one tick of the clock two versions look the same: a young file is put off, others are served
    // meanwhile.
    void youngIsPutOff() {
        put(m_path, content(1), 0);
        static std::chrono::nanoseconds s_now;
        struct stat info {};
        QCOMPARE(::stat(m_path.c_str(), &info), 0);
        const auto written =
            std::chrono::seconds(info.st_ctim.tv_sec) + std::chrono::nanoseconds(info.st_ctim.tv_nsec);
        s_now = written + std::chrono::milliseconds(1);
        ShareBroker::Options options;
        options.realtime = [] { return s_now; };
        Guest guest(m_dir->path().toStdString(), options);
        const std::uint64_t node = guest.node(kRootNode, "f");
        QVERIFY(!guest.broker->handle(message(Opcode::Read, node, readBody(0, 8))));
        QVERIFY(guest.broker->nextDeferred());
        QCOMPARE(guest.attributes(node).error, 0); // not held up
        put(m_path, content(2), 0);
        s_now = written + std::chrono::hours(1);
        std::this_thread::sleep_until(*guest.broker->nextDeferred());
        const auto late = guest.broker->runDeferred();
        QCOMPARE(late.size(), std::size_t{1});
        // Two writes with one time stamp are one version; else the first one's node is stale. Never the
        // first's content.
        const Answer answer = parse(late[0]);
        QVERIFY(answer.error == ESTALE || onlyNumber(answer.body) == 2);
    }

    // The clock stands still, so the file stays young for ever.
    void alwaysYoungIsBusy() {
        put(m_path, content(1), 0);
        static std::chrono::nanoseconds s_now;
        struct stat info {};
        QCOMPARE(::stat(m_path.c_str(), &info), 0);
        s_now = std::chrono::seconds(info.st_ctim.tv_sec) + std::chrono::nanoseconds(info.st_ctim.tv_nsec);
        ShareBroker::Options options;
        options.realtime = [] { return s_now; };
        Guest guest(m_dir->path().toStdString(), options);
        QCOMPARE(guest.read(guest.node(kRootNode, "f")).error, EBUSY);
    }

    void writtenAllTheTimeIsBusy() {
        put(m_path, content(1), 0);
        std::atomic<bool> stop{false};
        std::thread writer([&] {
            const UniqueFd file(::open(m_path.c_str(), O_WRONLY | O_CLOEXEC));
            for (std::uint64_t i = 0; !stop; ++i) {
                (void)!::pwrite(file.get(), &i, sizeof i, 0);
                std::this_thread::sleep_for(std::chrono::milliseconds(2));
            }
        });
        Guest guest(m_dir->path().toStdString());
        int error = ESTALE;
        while (error == ESTALE) { // what a guest does
            error = guest.read(guest.node(kRootNode, "f"), 0, 8).error;
        }
        stop = true;
        writer.join();
        QCOMPARE(error, EBUSY);
    }

    // The writer is this process: while it has the file open no lease is given, and a read shortly after its
    // write waits.
    void writerHasItOpen() {
        put(m_path, content(1), 0);
        static std::chrono::nanoseconds s_now;
        struct stat info {};
        const UniqueFd writer(::open(m_path.c_str(), O_WRONLY | O_CLOEXEC));
        QCOMPARE(::stat(m_path.c_str(), &info), 0);
        const auto written =
            std::chrono::seconds(info.st_ctim.tv_sec) + std::chrono::nanoseconds(info.st_ctim.tv_nsec);
        s_now = written + kClockTick * 2;
        ShareBroker::Options options;
        options.realtime = [] { return s_now; };
        Guest guest(m_dir->path().toStdString(), options);
        const std::uint64_t node = guest.node(kRootNode, "f");
        QVERIFY(!guest.broker->handle(message(Opcode::Read, node, readBody(0, 8))));
        guest.broker->dropDeferred();
        s_now = written + kQuietWithWriter + kClockTick;
        QVERIFY(guest.broker->handle(message(Opcode::Read, node, readBody(0, 8))));
        // Read at a risk: the end of a write now makes it stale, even if its time stamps are the same.
        const std::uint64_t number = 9;
        QCOMPARE(::pwrite(writer.get(), &number, sizeof number, 0), ssize_t{8});
        guest.hostEvents();
        QCOMPARE(guest.read(node).error, ESTALE);
    }

    void torture_data() {
        QTest::addColumn<int>("way");
        QTest::newRow("in place") << 0;
        QTest::newRow("by rename") << 1;
        QTest::newRow("both") << 2;
    }
    void torture() {
        QFETCH(int, way);
        put(m_path, content(0), 0);
        constexpr std::uint64_t kEdits = 1500;
        std::atomic<bool> done{false};
        std::thread host([&] {
            for (std::uint64_t i = 1; i <= kEdits; ++i) {
                if (way == 0 || (way == 2 && i % 2 == 0)) {
                    put(m_path, content(i), 0);
                } else {
                    replace(m_path, content(i));
                }
                if (i % 16 == 0) { // long enough to be read
                    std::this_thread::sleep_for(std::chrono::milliseconds(i % 64 == 0 ? 60 : 5));
                }
            }
            done = true;
        });
        Guest guest(m_dir->path().toStdString());
        std::map<std::uint64_t, std::uint64_t> numberOf; // node → the version it reads
        int good = 0;
        int torn = 0;
        while (!done) {
            const std::uint64_t node = guest.node(kRootNode, "f");
            for (const std::uint64_t offset : {0U, 128U * 1024}) {
                const Answer answer = guest.read(node, offset, 128 * 1024);
                if (answer.error != 0) {
                    continue;
                }
                const auto number = answer.body.size() == 128 * 1024 ? onlyNumber(answer.body) : std::nullopt;
                torn += number && numberOf.emplace(node, *number).first->second == *number ? 0 : 1;
                ++good;
            }
            guest.hostEvents();
        }
        host.join();
        QCOMPARE(torn, 0);
        QVERIFY(good > 0);
        Answer last = guest.read(guest.node(kRootNode, "f"));
        QCOMPARE(onlyNumber(last.body), std::optional<std::uint64_t>(kEdits));
        qInfo("%d good reads of %zu versions", good, numberOf.size());
    }

private:
    std::unique_ptr<QTemporaryDir> m_dir;
    std::string m_path;
};

QTEST_GUILESS_MAIN(TestTornReads)
#include "test_torn_reads.moc"
