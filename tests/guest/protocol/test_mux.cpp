// SPDX-License-Identifier: Apache-2.0
// Streams over one connection: credit, turns, ends, resets, and what a peer may not do.
#include "tests/guest/protocol/support.h"

#include <QTest>

using namespace carrel;
using namespace carrel::testing;

class TestMux : public QObject {
    Q_OBJECT

    static std::optional<StreamKind> messages(std::uint32_t) { return StreamKind::Messages; }
    static std::optional<StreamKind> bytes(std::uint32_t) { return StreamKind::Bytes; }

    static void connect(Station& host, Station& guest, int number = 1) {
        host.mux.begin(epochOf(number));
        pump(host, guest);
        QVERIFY(host.mux.isOpen());
        QVERIFY(guest.mux.isOpen());
    }
    // A guest whose frames the test writes by hand.
    static void connectByHand(Station& host, const Epoch& epoch) {
        host.mux.begin(epoch);
        (void)host.mux.takeOutput();
        host.mux.feed(encodeGuestHello(epoch));
        QVERIFY(host.mux.isOpen());
    }
    // The frames in what a host's Mux has to write.
    static std::vector<Frame> written(Mux& mux, const Epoch& epoch) {
        Recorder reader(Side::Host);
        reader.decoder.beginLocal(epoch.tag);
        for (Bytes out = mux.takeOutput(); !out.empty(); out = mux.takeOutput()) {
            reader.decoder.feed(out);
        }
        return reader.frames;
    }
    static void sendInFrames(Station& host, const Epoch& epoch, std::uint32_t stream, std::size_t total,
                             bool more) {
        while (total > 0) {
            const std::size_t size = std::min(total, kMaxFramePayload);
            total -= size;
            host.mux.feed(dataFrame(epoch, stream, Bytes(size), more ? kFlagMore : kFlagNone));
        }
    }

private slots:
    void messagesArriveWhole() {
        Station host(Side::Host);
        Station guest(Side::Guest);
        guest.accept = messages;
        connect(host, guest);
        std::mt19937 random(1);
        for (const std::size_t size :
             {std::size_t{1}, kMaxFramePayload, kMaxFramePayload + 1, kMaxMessageBytes}) {
            const Bytes message = randomBytes(random, size);
            host.mux.openStream(1, StreamKind::Messages);
            QVERIFY(host.mux.sendMessage(1, message).has_value());
            QCOMPARE(host.mux.queued(1), size);
            pump(host, guest);
            QCOMPARE(host.mux.queued(1), 0U);
            QCOMPARE(guest.got[1].size(), 1U);
            QVERIFY(guest.got[1][0] == message);
            guest.got.clear();
            guest.consume(1);
            pump(host, guest);
        }
        QCOMPARE(host.writable.size(), 4U);
    }

    // The issue's own test: one stream is never read, three others make progress.
    void oneStreamIsNeverRead() {
        Station host(Side::Host);
        Station guest(Side::Guest);
        guest.accept = bytes;
        connect(host, guest);
        const Bytes block(300 * 1024, std::byte{7});
        for (std::uint32_t stream = 1; stream <= 4; ++stream) {
            host.mux.openStream(stream, StreamKind::Bytes);
        }
        constexpr int rounds = 30;
        for (int round = 0; round < rounds; ++round) {
            for (std::uint32_t stream = 1; stream <= 4; ++stream) {
                const auto sent = host.mux.sendBytes(stream, block);
                QVERIFY(stream == 1 || sent.has_value());
            }
            pump(host, guest);
            for (std::uint32_t stream = 2; stream <= 4; ++stream) {
                while (guest.held[stream] > 0) {
                    guest.consume(stream);
                    pump(host, guest);
                }
            }
        }
        // The stalled one got its window and not a byte more; the sender holds the rest, up to its bound.
        QCOMPARE(guest.joined(1).size(), std::size_t{kInitialWindow});
        QVERIFY(host.mux.queued(1) <= Mux::Options().maxQueued);
        QVERIFY(!host.mux.sendBytes(1, block).has_value());
        for (std::uint32_t stream = 2; stream <= 4; ++stream) {
            QCOMPARE(guest.joined(stream).size(), block.size() * rounds);
        }
        // And it goes on where it stood once it is read.
        const std::size_t waiting = host.mux.queued(1);
        while (guest.held[1] > 0) {
            guest.consume(1);
            pump(host, guest);
        }
        QCOMPARE(guest.joined(1).size(), kInitialWindow + waiting);
    }

    void streamsTakeTurns() {
        Station host(Side::Host);
        Station guest(Side::Guest);
        guest.accept = bytes;
        connect(host, guest);
        for (std::uint32_t stream : {1U, 2U, 3U}) {
            host.mux.openStream(stream, StreamKind::Bytes);
            QVERIFY(host.mux.sendBytes(stream, Bytes(200 * 1024)).has_value());
        }
        std::vector<std::uint32_t> order;
        for (const auto& frame : written(host.mux, epochOf(1))) {
            order.push_back(frame.stream);
        }
        QVERIFY(order.size() >= 12);
        for (std::size_t i = 0; i < 9; ++i) {
            QCOMPARE(order[i], static_cast<std::uint32_t>(i % 3 + 1));
        }
    }

    void takeOutputKeepsToItsBound_data() {
        QTest::addColumn<int>("max");
        for (const int max : {1, 19, 100, 4096, 65556, 262144}) {
            QTest::addRow("%d", max) << max;
        }
    }
    void takeOutputKeepsToItsBound() {
        QFETCH(int, max);
        Station host(Side::Host);
        Station guest(Side::Guest);
        guest.accept = messages;
        connect(host, guest);
        std::mt19937 random(2);
        const Bytes message = randomBytes(random, 150'000);
        host.mux.openStream(1, StreamKind::Messages);
        QVERIFY(host.mux.sendMessage(1, message).has_value());
        std::size_t total = 0;
        while (host.mux.hasOutput()) {
            const Bytes out = host.mux.takeOutput(static_cast<std::size_t>(max));
            QVERIFY(!out.empty());
            QVERIFY(out.size() <= static_cast<std::size_t>(max));
            total += out.size();
            guest.mux.feed(out);
        }
        QVERIFY(guest.joined(1) == message);
        QVERIFY(total < message.size() + 50 * (kFrameHeaderBytes + kFrameTrailerBytes));
    }

    void theQueueIsBounded() {
        Station host(Side::Host, {.maxQueued = 1000});
        Station guest(Side::Guest);
        connect(host, guest);
        host.mux.openStream(1, StreamKind::Messages);
        QVERIFY(host.mux.sendMessage(1, Bytes(600)).has_value());
        const auto refused = host.mux.sendMessage(1, Bytes(401));
        QVERIFY(!refused.has_value());
        QVERIFY(refused.error().code == ErrorCode::LimitExceeded);
        QCOMPARE(host.mux.queued(1), 600U);
        QVERIFY(host.mux.sendMessage(1, Bytes(400)).has_value());
    }

    void whatMayNotBeSent() {
        Station host(Side::Host);
        Station guest(Side::Guest);
        host.mux.openStream(1, StreamKind::Messages);
        QVERIFY(host.mux.sendMessage(1, asBytes("x")).error().code == ErrorCode::Unavailable);
        connect(host, guest);
        QVERIFY(host.mux.sendMessage(1, asBytes("x")).error().code == ErrorCode::NotFound);
        host.mux.openStream(1, StreamKind::Messages);
        host.mux.openStream(0, StreamKind::Messages);
        QVERIFY(host.mux.sendMessage(0, asBytes("x")).error().code == ErrorCode::NotFound);
        QVERIFY(host.mux.sendMessage(1, {}).error().code == ErrorCode::InvalidArgument);
        QVERIFY(host.mux.sendBytes(1, asBytes("x")).error().code == ErrorCode::InvalidArgument);
        QVERIFY(host.mux.sendMessage(1, Bytes(kMaxMessageBytes + 1)).error().code ==
                ErrorCode::LimitExceeded);
        host.mux.sendEnd(1);
        QVERIFY(host.mux.sendMessage(1, asBytes("x")).error().code == ErrorCode::Refused);
    }

    void eachHalfEndsOnItsOwn() {
        Station host(Side::Host);
        Station guest(Side::Guest);
        guest.accept = bytes;
        connect(host, guest);
        host.mux.openStream(5, StreamKind::Bytes);
        QVERIFY(host.mux.sendBytes(5, asBytes("question")).has_value());
        host.mux.sendEnd(5);
        pump(host, guest);
        QCOMPARE(guest.ended, std::vector<std::uint32_t>{5});
        QVERIFY(guest.joined(5) == toBytes("question"));
        QVERIFY(guest.mux.sendBytes(5, asBytes("answer")).has_value());
        guest.mux.sendEnd(5);
        guest.mux.sendEnd(5);
        pump(host, guest);
        QVERIFY(host.joined(5) == toBytes("answer"));
        QCOMPARE(host.ended, std::vector<std::uint32_t>{5});
        // Both ended: it is gone, and its id may be used again.
        QVERIFY(guest.mux.sendBytes(5, asBytes("x")).error().code == ErrorCode::NotFound);
        host.mux.openStream(5, StreamKind::Bytes);
        QVERIFY(host.mux.sendBytes(5, asBytes("again")).has_value());
        pump(host, guest);
        QVERIFY(guest.joined(5) == toBytes("questionagain"));
    }

    void aResetDropsWhatIsQueuedAndWhatIsUnderWay() {
        Station host(Side::Host);
        Station guest(Side::Guest);
        host.accept = bytes; // would take what is under way for a new stream
        guest.accept = bytes;
        connect(host, guest);
        host.mux.openStream(3, StreamKind::Bytes);
        QVERIFY(host.mux.sendBytes(3, Bytes(1'000'000)).has_value());
        pump(host, guest);
        guest.got.clear();
        QVERIFY(guest.mux.sendBytes(3, asBytes("under way")).has_value());
        const Bytes underWay = guest.mux.takeOutput();
        host.mux.sendReset(3, 125);
        QCOMPARE(host.mux.queued(3), 0U);
        host.mux.feed(underWay);
        QVERIFY(host.got.empty());
        pump(host, guest);
        QCOMPARE(guest.resets.size(), 1U);
        QCOMPARE(guest.resets[0].first, 3U);
        QCOMPARE(guest.resets[0].second, 125U);
        QVERIFY(host.resets.empty());
        QVERIFY(guest.mux.sendBytes(3, asBytes("x")).error().code == ErrorCode::NotFound);
        // Acknowledged: the id works again.
        host.mux.openStream(3, StreamKind::Bytes);
        QVERIFY(host.mux.sendBytes(3, asBytes("anew")).has_value());
        pump(host, guest);
        QVERIFY(guest.joined(3) == toBytes("anew"));
        QVERIFY(guest.mux.sendBytes(3, asBytes("reply")).has_value());
        pump(host, guest);
        QVERIFY(host.joined(3) == toBytes("reply"));
        QVERIFY(host.spoilt.empty() && guest.spoilt.empty());
    }

    void bothResetAtOnce() {
        Station host(Side::Host);
        Station guest(Side::Guest);
        guest.accept = bytes;
        connect(host, guest);
        host.mux.openStream(3, StreamKind::Bytes);
        QVERIFY(host.mux.sendBytes(3, asBytes("x")).has_value());
        pump(host, guest);
        host.mux.sendReset(3, 1);
        guest.mux.sendReset(3, 2);
        pump(host, guest);
        QVERIFY(host.resets.empty() && guest.resets.empty());
        QVERIFY(host.spoilt.empty() && guest.spoilt.empty());
        QVERIFY(!host.mux.hasOutput() && !guest.mux.hasOutput());
    }

    void aStreamThatNobodyWantsIsReset() {
        Station host(Side::Host);
        Station guest(Side::Guest);
        connect(host, guest);
        guest.mux.openStream(9, StreamKind::Bytes);
        QVERIFY(guest.mux.sendBytes(9, Bytes(200'000)).has_value());
        pump(host, guest);
        QVERIFY(host.got.empty());
        QCOMPARE(guest.resets.size(), 1U);
        QCOMPARE(guest.resets[0].second, kResetRefused);
        QVERIFY(host.spoilt.empty());
    }

    void openingAStreamNeedsNoAccept() {
        Station host(Side::Host);
        Station guest(Side::Guest);
        connect(host, guest);
        host.mux.openStream(0x10000, StreamKind::Bytes);
        guest.mux.openStream(0x10000, StreamKind::Bytes);
        QVERIFY(guest.mux.sendBytes(0x10000, asBytes("content")).has_value());
        guest.mux.sendEnd(0x10000);
        pump(host, guest);
        QVERIFY(host.joined(0x10000) == toBytes("content"));
        QCOMPARE(host.ended.size(), 1U);
    }

    void pingIsAnswered() {
        const auto epoch = epochOf(20);
        Station host(Side::Host);
        connectByHand(host, epoch);
        host.mux.feed(frameBytes(epoch, FrameType::Ping, 0, 0, asBytes("12345678")));
        const auto frames = written(host.mux, epoch);
        QCOMPARE(frames.size(), 1U);
        QVERIFY(frames[0].type == FrameType::Pong);
        QVERIFY(frames[0].payload == toBytes("12345678"));
    }

    void creditComesBackOnlyWhenConsumed() {
        const auto epoch = epochOf(21);
        Station host(Side::Host);
        host.accept = bytes;
        connectByHand(host, epoch);
        sendInFrames(host, epoch, 1, kInitialWindow, false);
        QVERIFY(written(host.mux, epoch).empty());
        host.mux.consumed(1, 100'000);
        const auto frames = written(host.mux, epoch);
        QCOMPARE(frames.size(), 1U);
        QVERIFY(frames[0].type == FrameType::Credit);
        QCOMPARE(loadLe<std::uint32_t>(frames[0].payload), 100'000U);
        host.mux.consumed(1, SIZE_MAX); // more than it has: no more than the window comes of it
        std::uint32_t granted = 0;
        for (const auto& frame : written(host.mux, epoch)) {
            granted += loadLe<std::uint32_t>(frame.payload);
        }
        QCOMPARE(granted, kInitialWindow - 100'000U);
    }

    // A consumer that takes little at a time does not stall a peer that has used up its credit.
    void aLittleCreditIsBetterThanNone() {
        const auto epoch = epochOf(37);
        Station host(Side::Host);
        host.accept = bytes;
        connectByHand(host, epoch);
        sendInFrames(host, epoch, 1, kInitialWindow, false);
        host.mux.consumed(1, 10);
        auto frames = written(host.mux, epoch);
        QCOMPARE(frames.size(), 1U);
        QCOMPARE(loadLe<std::uint32_t>(frames[0].payload), 10U);
        host.mux.consumed(1, 10); // while some is left, not in dribbles
        QVERIFY(written(host.mux, epoch).empty());
    }

    void halfAFrameOfASpoiltEpochIsForgotten() {
        const auto epoch = epochOf(38);
        Station host(Side::Host);
        connectByHand(host, epoch);
        host.mux.openStream(1, StreamKind::Messages);
        QVERIFY(host.mux.sendMessage(1, Bytes(1000)).has_value());
        QCOMPARE(host.mux.takeOutput(100).size(), 100U);
        host.mux.feed(Bytes(kFrameHeaderBytes));
        QCOMPARE(host.spoilt.size(), 1U);
        QVERIFY(!host.mux.hasOutput());
        QVERIFY(host.mux.takeOutput().empty());
    }

    void oneByteBeyondTheCreditSpoils() {
        const auto epoch = epochOf(22);
        Station host(Side::Host);
        host.accept = bytes;
        connectByHand(host, epoch);
        sendInFrames(host, epoch, 1, kInitialWindow, false);
        QVERIFY(host.spoilt.empty());
        host.mux.feed(dataFrame(epoch, 1, asBytes("x")));
        QCOMPARE(host.spoilt.size(), 1U);
        QVERIFY(!host.mux.isOpen());
        host.mux.begin(epochOf(23)); // not fatal
        (void)host.mux.takeOutput();
        host.mux.feed(encodeGuestHello(epochOf(23)));
        QVERIFY(host.mux.isOpen());
    }

    void aMessageOverTheLimitSpoils() {
        const auto epoch = epochOf(24);
        Station host(Side::Host, {.maxMessage = 100'000});
        host.accept = messages;
        connectByHand(host, epoch);
        sendInFrames(host, epoch, 1, 100'000, true);
        QVERIFY(host.spoilt.empty());
        host.mux.feed(dataFrame(epoch, 1, asBytes("x")));
        QCOMPARE(host.spoilt.size(), 1U);
        QVERIFY(host.got.empty());
    }

    void breaches_data() {
        QTest::addColumn<QList<int>>("flags"); // of data frames of one byte on stream 1
        QTest::newRow("data after the end") << QList<int>{kFlagEnd, kFlagNone};
        QTest::newRow("a second end") << QList<int>{kFlagEnd, kFlagEnd};
    }
    void breaches() {
        QFETCH(QList<int>, flags);
        const auto epoch = epochOf(25);
        Station host(Side::Host);
        host.accept = messages;
        connectByHand(host, epoch);
        for (const int flag : flags) {
            QVERIFY(host.spoilt.empty());
            host.mux.feed(dataFrame(epoch, 1, asBytes("x"), static_cast<std::uint8_t>(flag)));
        }
        QCOMPARE(host.spoilt.size(), 1U);
    }

    void moreBreaches() {
        const auto epoch = epochOf(26);
        const auto spoils = [&](StreamKind kind, const std::vector<Bytes>& frames) {
            Station host(Side::Host);
            host.accept = [kind](std::uint32_t) { return kind; };
            connectByHand(host, epoch);
            for (const auto& frame : frames) {
                if (!host.spoilt.empty()) {
                    return false; // too early
                }
                host.mux.feed(frame);
            }
            return host.spoilt.size() == 1;
        };
        const auto credit = [&](std::uint32_t amount) {
            return frameBytes(epoch, FrameType::Credit, 0, 1, u32(amount));
        };
        const Bytes one = dataFrame(epoch, 1, asBytes("x"));
        QVERIFY(spoils(StreamKind::Bytes, {dataFrame(epoch, 1, asBytes("x"), kFlagMore)}));
        QVERIFY(spoils(StreamKind::Messages,
                       {dataFrame(epoch, 1, asBytes("x"), kFlagMore), dataFrame(epoch, 1, {}, kFlagEnd)}));
        QVERIFY(spoils(StreamKind::Bytes, {one, credit(0)}));
        QVERIFY(spoils(StreamKind::Bytes, {one, credit(0x80000000U)}));
        QVERIFY(spoils(StreamKind::Bytes, {frameBytes(epoch, FrameType::Reset, kFlagAck, 1, u32(0))}));
    }

    void tooManyStreamsAreRefused() {
        const auto epoch = epochOf(27);
        Station host(Side::Host);
        host.accept = bytes;
        connectByHand(host, epoch);
        for (std::uint32_t stream = 1; stream <= kMaxStreams + 1; ++stream) {
            host.mux.feed(dataFrame(epoch, stream, asBytes("x")));
        }
        QCOMPARE(host.got.size(), kMaxStreams);
        const auto frames = written(host.mux, epoch);
        QCOMPARE(frames.size(), 1U);
        QVERIFY(frames[0].type == FrameType::Reset);
        QCOMPARE(frames[0].stream, static_cast<std::uint32_t>(kMaxStreams + 1));
        QCOMPARE(loadLe<std::uint32_t>(frames[0].payload), kResetTooMany);
        QVERIFY(host.spoilt.empty());
    }

    // What a peer makes this side remember is bounded, also when it never reads and never acknowledges.
    void floodsEndTheEpoch() {
        const auto epoch = epochOf(28);
        const auto floods = [&](bool read, const std::function<Bytes(std::uint32_t)>& frame) {
            Station host(Side::Host);
            connectByHand(host, epoch);
            for (std::uint32_t i = 1; i <= 5 * kMaxStreams && host.spoilt.empty(); ++i) {
                host.mux.feed(frame(i));
                if (read) {
                    (void)host.mux.takeOutput();
                }
            }
            return host.spoilt.size() == 1;
        };
        QVERIFY(floods(true, [&](std::uint32_t i) { return dataFrame(epoch, i, asBytes("x")); }));
        QVERIFY(floods(false,
                       [&](std::uint32_t i) { return frameBytes(epoch, FrameType::Reset, 0, i, u32(1)); }));
        QVERIFY(
            floods(false, [&](std::uint32_t) { return frameBytes(epoch, FrameType::Ping, 0, 0, Bytes(8)); }));
    }

    void anEpochForgetsEverything() {
        Station host(Side::Host);
        Station guest(Side::Guest);
        guest.accept = messages;
        connect(host, guest, 30);
        host.mux.openStream(1, StreamKind::Messages);
        QVERIFY(host.mux.sendMessage(1, Bytes(1'000'000)).has_value());
        guest.mux.feed(host.mux.takeOutput(100'000)); // cut within a frame
        host.mux.begin(epochOf(31));
        QCOMPARE(host.mux.queued(1), 0U);
        pump(host, guest);
        QVERIFY(host.mux.isOpen() && guest.mux.isOpen());
        QCOMPARE(guest.epochs.size(), 2U);
        QVERIFY(guest.got.empty() && guest.ended.empty() && guest.resets.empty());
        host.mux.openStream(1, StreamKind::Messages);
        QVERIFY(host.mux.sendMessage(1, asBytes("new")).has_value());
        pump(host, guest);
        QVERIFY(guest.joined(1) == toBytes("new"));
    }

    void aGuestThatStartsAnewGetsANewEpoch() {
        Station host(Side::Host);
        Station first(Side::Guest);
        connect(host, first, 32);
        host.accept = messages;
        first.mux.openStream(1, StreamKind::Messages);
        QVERIFY(first.mux.sendMessage(1, Bytes(50'000)).has_value());
        host.mux.feed(first.mux.takeOutput(30'000));
        Station second(Side::Guest);
        second.mux.announceRestart();
        pump(host, second);
        QCOMPARE(host.spoilt.size(), 1U);
        host.mux.begin(epochOf(33));
        pump(host, second);
        QVERIFY(host.mux.isOpen() && second.mux.isOpen());
        QVERIFY(host.got.empty());
        QCOMPARE(host.spoilt.size(), 1U);
    }

    // A guest that finds a breach says so by itself: the host would otherwise never know.
    void aGuestAsksForANewEpochAfterABreach() {
        const auto epoch = epochOf(34);
        Station guest(Side::Guest);
        guest.accept = bytes;
        guest.mux.feed(encodeHostHello(epoch));
        (void)guest.mux.takeOutput();
        guest.mux.feed(dataFrame(epoch, 1, asBytes("x"), kFlagMore));
        QCOMPARE(guest.spoilt.size(), 1U);
        QVERIFY(guest.mux.takeOutput() == encodeGuestRestart());
    }

    void callbacksMayDoAnything() {
        // Reset, end, reopen and begin from inside data(): nothing is touched that is gone.
        const auto epoch = epochOf(35);
        for (int what = 0; what < 4; ++what) {
            std::unique_ptr<Mux> mux;
            int ends = 0;
            mux = std::make_unique<Mux>(Side::Host,
                                        Mux::Events{.data =
                                                        [&](std::uint32_t stream, Bytes&&) {
                                                            if (what == 0) {
                                                                mux->sendReset(stream, 1);
                                                            } else if (what == 1) {
                                                                mux->sendEnd(stream);
                                                                (void)mux->takeOutput();
                                                            } else if (what == 2) {
                                                                mux->sendReset(stream, 1);
                                                                mux->openStream(stream, StreamKind::Bytes);
                                                            } else {
                                                                mux->begin(epochOf(36));
                                                            }
                                                        },
                                                    .end = [&](std::uint32_t) { ++ends; },
                                                    .reset = {},
                                                    .writable = {},
                                                    .epoch = {},
                                                    .spoilt = {},
                                                    .accept = bytes});
            mux->begin(epoch);
            (void)mux->takeOutput();
            mux->feed(encodeGuestHello(epoch) + dataFrame(epoch, 1, asBytes("x"), kFlagEnd));
            QCOMPARE(ends, 0);
            QCOMPARE(mux->isOpen(), what != 3);
        }
    }

    void aLocalPairOpensAtOnce() {
        Station one(Side::Host);
        Station other(Side::Guest);
        other.accept = messages;
        one.mux.beginLocal(7); // zero bytes and all
        other.mux.beginLocal(7);
        one.mux.openStream(1, StreamKind::Messages);
        QVERIFY(one.mux.sendMessage(1, asBytes("hello")).has_value());
        pump(one, other);
        QVERIFY(other.joined(1) == toBytes("hello"));
        other.mux.feed(Bytes(100));
        QVERIFY(!other.mux.isOpen());
        QVERIFY(!other.mux.hasOutput());
    }
};

QTEST_GUILESS_MAIN(TestMux)
#include "test_mux.moc"
