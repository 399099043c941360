// SPDX-License-Identifier: Apache-2.0
// What goes through memory instead of the channel: only large pieces, only where the guest has said that there is room, each slot
// once until it is given back; and what neither side lets the other do with it.
#include "tests/guest/protocol/support.h"

#include <QTest>

using namespace carrel;
using namespace carrel::testing;

namespace {

constexpr std::size_t kSlots = 8;
constexpr std::uint32_t kStream = 5;
constexpr std::size_t kLarge = 60'000;

std::optional<StreamKind> bytesOnly(std::uint32_t) {
    return StreamKind::Bytes;
}

// A host and a guest that see one memory.
struct Machine {
    explicit Machine(std::size_t guestHas = kSlots)
        : memory(kSlots * kRingSlotBytes)
        , host(Side::Host, {.ringOut = {kSlots, [this](std::size_t slot, ByteSpan bytes) { return put(slot, bytes); }}})
        , guest(Side::Guest, {.ringIn = {guestHas, ByteSpan(memory).first(guestHas * kRingSlotBytes)}}) {
        host.accept = bytesOnly;
        guest.accept = bytesOnly;
    }
    void begin(int epoch) {
        host.mux.begin(epochOf(epoch));
        pump(host, guest);
        host.mux.openStream(kStream, StreamKind::Bytes);
    }
    bool put(std::size_t slot, ByteSpan bytes) {
        if (!writable || slot >= kSlots || bytes.size() > kRingSlotBytes) {
            return false;
        }
        written.push_back(slot);
        std::copy(bytes.begin(), bytes.end(), memory.begin() + static_cast<std::ptrdiff_t>(slot * kRingSlotBytes));
        return true;
    }
    // What goes to the guest, and what it makes of it; nothing goes back.
    Bytes sendOne(const Bytes& data) {
        const auto sent = host.mux.sendBytes(kStream, data);
        Bytes wire = host.mux.takeOutput();
        guest.mux.feed(wire);
        return sent ? wire : Bytes();
    }

    bool writable = true;
    Bytes memory;
    std::vector<std::size_t> written; // in the order in which they were written
    Station host;
    Station guest;
};

Bytes where(std::uint32_t slot, std::uint32_t size) {
    return u32(slot) + u32(size);
}

} // namespace

class TestPlacingRing : public QObject {
    Q_OBJECT

private slots:
    void largePiecesGoThroughIt() {
        Machine machine;
        machine.begin(1);
        std::mt19937 random(1);
        const auto large = randomBytes(random, kLarge);
        const auto wire = machine.sendOne(large);
        QVERIFY2(wire.size() < 100, qPrintable(QString::number(wire.size())));
        QCOMPARE(machine.guest.joined(kStream), large);
        const auto small = randomBytes(random, 3000);
        QVERIFY(machine.sendOne(small).size() > small.size());
        QCOMPARE(machine.guest.joined(kStream), large + small);
        QCOMPARE(machine.written, (std::vector<std::size_t>{0}));
    }
    // No slot is written to again before the guest has said that it has taken what was there.
    void withoutRoomTheyGoOverTheChannel() {
        Machine machine(2);
        machine.begin(1);
        std::mt19937 random(2);
        Bytes all;
        for (int i = 0; i < 3; ++i) {
            const auto piece = randomBytes(random, kLarge);
            machine.sendOne(piece);
            all = std::move(all) + piece;
        }
        QCOMPARE(machine.written, (std::vector<std::size_t>{0, 1}));
        QCOMPARE(machine.guest.joined(kStream), all);
        machine.guest.consume(kStream);
        pump(machine.guest, machine.host); // the room
        machine.sendOne(randomBytes(random, kLarge));
        QCOMPARE(machine.written, (std::vector<std::size_t>{0, 1, 2})); // the host has eight, and takes them in turn
        QVERIFY(!machine.guest.spoilt.empty());                       // which this guest has not
    }
    void theyAreTakenInTurn() {
        Machine machine;
        machine.begin(1);
        std::mt19937 random(3);
        Bytes all;
        for (std::size_t i = 0; i < 3 * kSlots; ++i) {
            const auto piece = randomBytes(random, kLarge);
            QVERIFY(machine.sendOne(piece).size() < 100);
            all = std::move(all) + piece;
            machine.guest.consume(kStream);
            pump(machine.guest, machine.host);
            QCOMPARE(machine.written.back(), i % kSlots);
        }
        QCOMPARE(machine.guest.joined(kStream), all);
    }
    void inANewEpochThereIsNoRoomUntilTheGuestSaysSo() {
        Machine machine;
        machine.begin(1);
        std::mt19937 random(4);
        machine.sendOne(randomBytes(random, kLarge));
        machine.host.mux.begin(epochOf(2));
        machine.guest.mux.feed(machine.host.mux.takeOutput());
        const auto answer = machine.guest.mux.takeOutput();
        constexpr std::size_t kRoomFrame = kFrameHeaderBytes + 4 + kFrameTrailerBytes;
        machine.host.mux.feed(ByteSpan(answer).first(answer.size() - kRoomFrame));
        QVERIFY(machine.host.mux.isOpen());
        machine.host.mux.openStream(kStream, StreamKind::Bytes);
        QVERIFY(machine.sendOne(randomBytes(random, kLarge)).size() > kLarge);
        machine.host.mux.feed(ByteSpan(answer).last(kRoomFrame));
        QVERIFY(machine.sendOne(randomBytes(random, kLarge)).size() < 100);
        QCOMPARE(machine.written, (std::vector<std::size_t>{0, 0})); // anew, from the first
    }
    void memoryThatCannotBeWrittenIsNotNeeded() {
        Machine machine;
        machine.begin(1);
        machine.writable = false;
        std::mt19937 random(5);
        const auto piece = randomBytes(random, kLarge);
        QVERIFY(machine.sendOne(piece).size() > kLarge);
        QCOMPARE(machine.guest.joined(kStream), piece);
    }
    void itCountsAgainstTheWindow() {
        Station guest(Side::Guest, {.ringIn = {kSlots, m_memory}});
        guest.accept = bytesOnly;
        begin(guest);
        for (std::uint32_t i = 0; i < kInitialWindow / kRingSlotBytes; ++i) {
            guest.mux.feed(frameBytes(epochOf(1), FrameType::Placed, kFlagNone, kStream, where(i, kRingSlotBytes)));
        }
        QVERIFY(guest.spoilt.empty());
        guest.mux.feed(frameBytes(epochOf(1), FrameType::Placed, kFlagNone, kStream, where(0, 1)));
        QCOMPARE(guest.spoilt.size(), std::size_t{1});
    }
    void whatIsNotThereSpoils_data() {
        QTest::addColumn<quint32>("slot");
        QTest::addColumn<quint32>("size");
        QTest::addColumn<bool>("hasRing");
        QTest::newRow("slot") << quint32{kSlots} << quint32{1} << true;
        QTest::newRow("last") << ~quint32{0} << quint32{1} << true;
        QTest::newRow("empty") << quint32{0} << quint32{0} << true;
        QTest::newRow("longer than a slot") << quint32{0} << quint32{kRingSlotBytes + 1} << true;
        QTest::newRow("longer than anything") << quint32{0} << ~quint32{0} << true;
        QTest::newRow("no memory") << quint32{0} << quint32{1} << false;
    }
    void whatIsNotThereSpoils() {
        QFETCH(quint32, slot);
        QFETCH(quint32, size);
        QFETCH(bool, hasRing);
        Station guest(Side::Guest, {.ringIn = {hasRing ? kSlots : 0, m_memory}});
        guest.accept = bytesOnly;
        begin(guest);
        guest.mux.feed(frameBytes(epochOf(1), FrameType::Placed, kFlagNone, kStream, where(slot, size)));
        QCOMPARE(guest.spoilt.size(), std::size_t{1});
        QVERIFY(guest.got.empty());
    }
    // A guest has nothing that the host would look at.
    void aHostTakesNothingFromIt() {
        Machine machine;
        machine.begin(1);
        machine.host.mux.feed(frameBytes(epochOf(1), FrameType::Placed, kFlagNone, kStream, where(0, 1)));
        QCOMPARE(machine.host.spoilt.size(), std::size_t{1});
    }
    void aGuestCannotSayThatThereIsMoreRoom_data() {
        QTest::addColumn<quint32>("more");
        QTest::newRow("more than there are") << quint32{1};
        QTest::newRow("far more") << ~quint32{0};
        QTest::newRow("none") << quint32{0};
    }
    void aGuestCannotSayThatThereIsMoreRoom() {
        QFETCH(quint32, more);
        Machine machine;
        machine.begin(1); // it has said so once
        machine.host.mux.feed(frameBytes(epochOf(1), FrameType::Room, kFlagNone, 0, u32(more)));
        QCOMPARE(machine.host.spoilt.size(), std::size_t{1});
    }
    void aHostWithoutMemoryDoesNotMind() {
        Station host(Side::Host);
        Station guest(Side::Guest, {.ringIn = {kSlots, m_memory}});
        guest.accept = bytesOnly;
        host.mux.begin(epochOf(1));
        pump(host, guest);
        host.mux.openStream(kStream, StreamKind::Bytes);
        std::mt19937 random(6);
        const auto piece = randomBytes(random, kLarge);
        QVERIFY(host.mux.sendBytes(kStream, piece).has_value());
        pump(host, guest);
        QCOMPARE(guest.joined(kStream), piece);
        QVERIFY(host.spoilt.empty());
    }
    void partsOfTheWindow() {
        constexpr std::size_t kMib = 1024 * 1024;
        const auto usual = windowParts(16 * kMib);
        QCOMPARE(usual.files, 8 * kMib);
        QCOMPARE(usual.ringAt, 8 * kMib);
        QCOMPARE(usual.ringSlots, kMaxRingSlots);
        for (const std::size_t size : {std::size_t{0}, std::size_t{4096}, kMib, 3 * kMib}) {
            const auto parts = windowParts(size);
            QVERIFY(parts.files <= parts.ringAt && parts.ringAt + parts.ringSlots * kRingSlotBytes <= size);
        }
        QCOMPARE(windowParts(0).ringSlots, std::size_t{0});
    }

private:
    static void begin(Station& guest) {
        guest.mux.feed(encodeHostHello(epochOf(1)));
        (void)guest.mux.takeOutput();
    }

    const Bytes m_memory = Bytes(kSlots * kRingSlotBytes);
};

QTEST_GUILESS_MAIN(TestPlacingRing)
#include "test_placing_ring.moc"
