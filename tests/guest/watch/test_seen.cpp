// SPDX-License-Identifier: Apache-2.0
// What the kernel's records become: paths the right way round, ends as wait(2) has them, names for numbers; and nothing of a broken one.
#include "guest/bpf/watch_record.h"
#include "guest/watch/seen.h"

#include <QTest>

#include <random>
#include <sched.h>

using namespace carrel;
using namespace carrel::watch;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

constexpr std::int64_t kStart = 1'700'000'000'000'000'000;

Bytes recordOf(std::uint16_t kind, std::string_view first, std::string_view second = {}, std::uint64_t number = 0, std::uint8_t cut = 0) {
    CarrelWatchRecord record{};
    record.time = 5'000;
    record.started = 4'000;
    record.pid = 12;
    record.parentPid = 11;
    record.parentStarted = 3'000;
    record.user = 100000;
    record.kind = kind;
    record.first = static_cast<std::uint16_t>(first.size());
    record.second = static_cast<std::uint16_t>(second.size());
    record.cut = cut;
    record.numbers[0] = number;
    record.numbers[1] = 2'000'000;
    record.numbers[2] = 3'000'000;
    record.numbers[3] = 10;
    Bytes out;
    appendLe(out, record);
    for (const auto text : {first, second}) {
        const auto bytes = asBytes(text);
        out.insert(out.end(), bytes.begin(), bytes.end());
    }
    return out;
}

Bytes wireOf(const Bytes& record, const NameOf& nameOf = {}) {
    Bytes out;
    (void)readSeen(record, kStart, nameOf, [&](const Event& event) { out = toWire(event).value(); });
    return out;
}

Bytes wire(decltype(Event::what) what) {
    return toWire({1, kStart + 5'000, {12, 4'000}, std::move(what)}).value();
}

} // namespace

class TestSeen : public QObject {
    Q_OBJECT
private slots:
    void programsHaveTheirPathAndArguments() {
        QVERIFY(wireOf(recordOf(CARREL_WATCH_STARTED, "gcc\0bin\0usr\0"sv, "gcc\0-c\0\0a b.c\0"sv)) ==
                wire(Started{{11, 3'000}, 100000, "/usr/bin/gcc", {"gcc", "-c", "", "a b.c"}, false, {}}));
        // Cut in the middle of an argument, where the kernel says so.
        QVERIFY(wireOf(recordOf(CARREL_WATCH_STARTED, "sh\0"sv, "sh\0-c\0ec"sv, 0, 1)) ==
                wire(Started{{11, 3'000}, 100000, "/sh", {"sh", "-c", "ec"}, true, {}}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_STARTED, "sh\0"sv)) == wire(Started{{11, 3'000}, 100000, "/sh", {}, false, {}}));
        auto hashed = recordOf(CARREL_WATCH_STARTED, "sh\0"sv);
        hashed[offsetof(CarrelWatchRecord, known)] = std::byte{1};
        hashed[offsetof(CarrelWatchRecord, content)] = std::byte{0xab};
        QVERIFY(wireOf(hashed) == wire(Started{{11, 3'000}, 100000, "/sh", {}, false, Digest{std::byte{0xab}}}));
        std::string many;
        for (std::size_t i = 0; i <= kMaxArguments; ++i) {
            many += "x"s + '\0';
        }
        const auto event = wireOf(recordOf(CARREL_WATCH_STARTED, "sh\0"sv, many));
        QVERIFY(event == wire(Started{{11, 3'000}, 100000, "/sh", std::vector<std::string_view>(kMaxArguments, "x"), true, {}}));
    }

    void endsAreThoseOfWait() {
        QVERIFY(wireOf(recordOf(CARREL_WATCH_ENDED, {}, {}, 3U << 8U)) == wire(Ended{0, 3, 2000, 3000, 40}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_ENDED, {}, {}, 11U | 0x80U)) == wire(Ended{11, 0, 2000, 3000, 40})); // with a memory image
    }

    void filesHaveTheirPath() {
        QVERIFY(wireOf(recordOf(CARREL_WATCH_WRITTEN, "b\0a\0"sv)) == wire(FileDone{FileDeed::Written, 0, "/a/b"}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_WRITTEN, ""sv)) == wire(FileDone{FileDeed::Written, 0, "/"}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_CREATED, "b\0a\0"sv, {}, 0, 1)) == wire(FileDone{FileDeed::Created, 0, "/\u2026/a/b"}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_MODE_CHANGED, "b\0"sv, {}, 04755)) == wire(FileDone{FileDeed::ModeChanged, 04755, "/b"}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_FOLDER_DELETED, "b\0"sv, {}, 04755)) == wire(FileDone{FileDeed::FolderDeleted, 0, "/b"}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_RENAMED, "b\0a\0"sv, "c\0a\0"sv)) == wire(Renamed{"/a/b", "/a/c"}));
    }

    void addressesHaveTheNameThatWasGiven() {
        const auto named = [](std::string_view address) { return address == "\x0a\0\0\x01"sv ? "example.org"s : std::string(); };
        const auto at = [](std::string_view address, std::uint64_t type) { return recordOf(CARREL_WATCH_NET, address, {}, type); };
        QVERIFY(wireOf(at("\x0a\0\0\x01"sv, 1), named) ==
                wire(NetTried{Transport::Tcp, static_cast<std::uint16_t>(2'000'000), "\x0a\0\0\x01"sv, "example.org"}));
        QVERIFY(wireOf(at("\x0a\0\0\x02"sv, 2), named) == wire(NetTried{Transport::Udp, static_cast<std::uint16_t>(2'000'000), "\x0a\0\0\x02"sv, ""}));
        QVERIFY(wireOf(at("\x0a\0\0"sv, 2), named).empty());
    }

    void rightsHaveNames() {
        QVERIFY(wireOf(recordOf(CARREL_WATCH_NAMESPACE, {}, {}, CLONE_NEWUSER | CLONE_NEWPID)) == wire(RightTried{Right::Namespace, "user,pid"}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_MOUNT, "tmpfs")) == wire(RightTried{Right::Mount, "tmpfs"}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_CAPABILITY, {}, {}, 16)) == wire(RightTried{Right::Capability, "SYS_MODULE"}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_CAPABILITY, {}, {}, 63)) == wire(RightTried{Right::Capability, "63"}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_REFUSED_CALL, {}, {}, 999'999)) == wire(RightTried{Right::RefusedCall, "999999"}));
        QVERIFY(wireOf(recordOf(CARREL_WATCH_TRACE, {}, {}, 77)) == wire(RightTried{Right::Trace, "77"}));
    }

    // The ring is the kernel's, but nothing here may depend on that.
    void brokenRecordsAreNothing() {
        const auto whole = recordOf(CARREL_WATCH_RENAMED, "b\0a\0"sv, "c\0a\0"sv);
        for (std::size_t part = 0; part < whole.size(); ++part) {
            QVERIFY(!readSeen(ByteSpan(whole).first(part), kStart, {}, [](const Event&) {}));
        }
        QVERIFY(wireOf(recordOf(0, "b\0"sv)).empty());
        QVERIFY(wireOf(recordOf(200, "b\0"sv)).empty());
        QVERIFY(wireOf(recordOf(CARREL_WATCH_WRITTEN, "b"sv)).empty());
        QVERIFY(wireOf(recordOf(CARREL_WATCH_WRITTEN, "b\0\0"sv)).empty());
        std::mt19937 random(5);
        for (int round = 0; round < 20'000; ++round) {
            auto other = whole;
            other[random() % other.size()] = static_cast<std::byte>(random());
            (void)readSeen(other, kStart, {}, [](const Event& event) { (void)toWire(event); });
        }
    }
};

QTEST_GUILESS_MAIN(TestSeen)
#include "test_seen.moc"
