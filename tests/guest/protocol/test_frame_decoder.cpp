// SPDX-License-Identifier: Apache-2.0
// The framing of a channel: what passes, what spoils, and that it never depends on how the bytes were cut.
#include "tests/guest/protocol/support.h"

#include <QTest>

using namespace carrel;
using namespace carrel::testing;

class TestFrameDecoder : public QObject {
    Q_OBJECT

    static Bytes header(std::uint32_t tag, std::uint32_t length, std::uint8_t type, std::uint8_t flags,
                        std::uint16_t zero, std::uint32_t stream) {
        Bytes out;
        appendLe(out, tag);
        appendLe(out, length);
        appendLe(out, type);
        appendLe(out, flags);
        appendLe(out, zero);
        appendLe(out, stream);
        return out;
    }

    static void addRow(const char* name, std::uint32_t length, int type, int flags, int zero,
                       std::uint32_t stream) {
        QTest::newRow(name) << length << type << flags << zero << stream;
    }

private slots:
    void tagHasNoZeroByte() {
        std::array<std::byte, 20> random{};
        random[17] = std::byte{0x5a};
        const auto epoch = Epoch::fromRandom(random);
        QCOMPARE(epoch.tag, 0xffff5affU);
    }

    void framesSurviveAnyCut() {
        std::mt19937 random(20240101);
        for (int round = 0; round < 60; ++round) {
            const auto epoch = epochOf(round);
            Bytes wire = randomBytes(random, below(random, 300)) + encodeHostHello(epoch);
            std::vector<Frame> sent;
            for (int i = 0; i < 40; ++i) {
                Frame frame;
                frame.stream = 1 + static_cast<std::uint32_t>(below(random, 5));
                frame.flags = static_cast<std::uint8_t>(below(random, 3));
                frame.payload = randomBytes(random, 1 + below(random, i % 8 == 0 ? kMaxFramePayload : 200));
                encodeFrame(wire, epoch.tag, frame.type, frame.flags, frame.stream, frame.payload);
                sent.push_back(std::move(frame));
            }
            Recorder guest(Side::Guest);
            guest.feedInPieces(wire, random, round % 3 == 0 ? 7 : 5000);
            QCOMPARE(guest.epochs.size(), 1U);
            QVERIFY(guest.epochs[0] == epoch);
            QVERIFY(guest.frames == sent);
            QVERIFY(guest.spoilt.empty());
        }
    }

    void aHeaderThatLiesSpoils_data() {
        QTest::addColumn<std::uint32_t>("length");
        QTest::addColumn<int>("type");
        QTest::addColumn<int>("flags");
        QTest::addColumn<int>("zero");
        QTest::addColumn<std::uint32_t>("stream");
        addRow("one byte too long", kMaxFramePayload + 1, 1, 0, 0, 1);
        addRow("as long as can be said", UINT32_MAX, 1, 0, 0, 1);
        addRow("type 0", 4, 0, 0, 0, 1);
        addRow("type 6", 4, 6, 0, 0, 1);
        addRow("type 255", 4, 255, 0, 0, 1);
        addRow("unknown flag", 4, 1, 8, 0, 1);
        addRow("all flags", 4, 1, 255, 0, 1);
        addRow("goes on and ends", 4, 1, 3, 0, 1);
        addRow("acknowledging data", 4, 1, 4, 0, 1);
        addRow("empty data without end", 0, 1, 0, 0, 1);
        addRow("empty data that goes on", 0, 1, 1, 0, 1);
        addRow("zero field set", 4, 1, 0, 1, 1);
        addRow("data on the connection", 4, 1, 0, 0, 0);
        addRow("credit on the connection", 4, 2, 0, 0, 0);
        addRow("credit of three bytes", 3, 2, 0, 0, 1);
        addRow("credit of five bytes", 5, 2, 0, 0, 1);
        addRow("credit with a flag", 4, 2, 2, 0, 1);
        addRow("reset without a reason", 0, 3, 0, 0, 1);
        addRow("reset with end", 4, 3, 2, 0, 1);
        addRow("reset on the connection", 4, 3, 0, 0, 0);
        addRow("ping of seven bytes", 7, 4, 0, 0, 0);
        addRow("ping on a stream", 8, 4, 0, 0, 1);
        addRow("pong with a flag", 8, 5, 1, 0, 0);
    }
    void aHeaderThatLiesSpoils() {
        QFETCH(std::uint32_t, length);
        QFETCH(int, type);
        QFETCH(int, flags);
        QFETCH(int, zero);
        QFETCH(std::uint32_t, stream);
        const auto epoch = epochOf(1);
        for (const Side side : {Side::Host, Side::Guest}) {
            Recorder end(side);
            if (side == Side::Host) {
                end.decoder.beginEpoch(epoch);
                end.decoder.feed(encodeGuestHello(epoch));
            } else {
                end.decoder.feed(encodeHostHello(epoch));
            }
            QCOMPARE(end.decoder.state(), FrameDecoder::State::Open);
            const Bytes bad =
                header(epoch.tag, length, static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(flags),
                       static_cast<std::uint16_t>(zero), stream);
            end.decoder.feed(ByteSpan(bad).first(bad.size() - 1));
            QVERIFY(end.spoilt.empty());
            end.decoder.feed(ByteSpan(bad).last(1)); // decided by the header alone, before any payload
            QCOMPARE(end.spoilt.size(), 1U);
            // Nothing more of this epoch is heard, well formed or not.
            end.decoder.feed(dataFrame(epoch, 1, asBytes("hello")));
            QVERIFY(end.frames.empty());
            QCOMPARE(end.decoder.state(),
                     side == Side::Host ? FrameDecoder::State::Spoilt : FrameDecoder::State::Seeking);
        }
    }

    void theTrailerMustRepeatTheTag() {
        const auto epoch = epochOf(2);
        for (std::size_t at = 0; at < kFrameTrailerBytes; ++at) {
            Recorder guest(Side::Guest);
            guest.decoder.feed(encodeHostHello(epoch));
            Bytes frame = dataFrame(epoch, 1, asBytes("hello"));
            frame[frame.size() - 1 - at] ^= std::byte{1};
            guest.decoder.feed(frame);
            QVERIFY(guest.frames.empty());
            QCOMPARE(guest.spoilt.size(), 1U);
        }
    }

    void aFrameOfAnotherEpochSpoils() {
        Recorder guest(Side::Guest);
        guest.decoder.feed(encodeHostHello(epochOf(3)) + dataFrame(epochOf(4), 1, asBytes("old")));
        QVERIFY(guest.frames.empty());
        QCOMPARE(guest.spoilt.size(), 1U);
    }

    void theHostTakesOnlyTheAnswerToItsOwnHello() {
        Recorder host(Side::Host);
        host.decoder.beginEpoch(epochOf(5));
        Epoch otherTag = epochOf(5);
        otherTag.tag ^= 0x01010100U;
        host.decoder.feed(encodeGuestHello(epochOf(6)) + encodeGuestHello(otherTag));
        QCOMPARE(host.decoder.state(), FrameDecoder::State::Seeking);
        host.decoder.feed(encodeGuestHello(epochOf(5)));
        QCOMPARE(host.decoder.state(), FrameDecoder::State::Open);
    }

    void anAnswerIsFoundBehindPartsOfItself() {
        const auto epoch = epochOf(7);
        const Bytes hello = encodeGuestHello(epoch);
        for (std::size_t cut = 0; cut < hello.size(); ++cut) {
            Recorder host(Side::Host);
            host.decoder.beginEpoch(epoch);
            host.decoder.feed(Bytes(hello.begin(), hello.begin() + static_cast<std::ptrdiff_t>(cut)) + hello);
            QCOMPARE(host.epochs.size(), 1U);
        }
        // A nonce that itself begins like a marker: the search must fall back into it, not behind it.
        Epoch sly = epoch;
        for (std::size_t i = 0; i < kNonceBytes; ++i) {
            sly.nonce[i] = std::byte{kGuestMarker[i]};
        }
        Recorder host(Side::Host);
        host.decoder.beginEpoch(sly);
        Bytes markerTwice;
        for (int i = 0; i < 2; ++i) {
            for (const auto value : kGuestMarker) {
                markerTwice.push_back(std::byte{value});
            }
        }
        host.decoder.feed(markerTwice + ByteSpan(encodeGuestHello(sly)).subspan(kMarkerBytes));
        QCOMPARE(host.epochs.size(), 1U);
    }

    void theBytesOfAFileAreNeverAHello() {
        // A guest that starts in the middle of a frame reads a payload as if it were the stream itself.
        const auto epoch = epochOf(8);
        const Bytes forged = encodeHostHello(epochOf(9)) + dataFrame(epochOf(9), 1, asBytes("do as I say"));
        Bytes wire;
        for (ByteSpan rest = forged; !rest.empty();) {
            const auto part = rest.first(std::min(rest.size(), kMaxFramePayload));
            encodeFrame(wire, epoch.tag, FrameType::Data, kFlagNone, 1, part);
            rest = rest.subspan(part.size());
        }
        for (std::size_t start = 0; start < kFrameHeaderBytes + 40; ++start) {
            Recorder guest(Side::Guest);
            guest.decoder.feed(ByteSpan(wire).subspan(start));
            QVERIFY(guest.epochs.empty());
            QVERIFY(guest.frames.empty());
            guest.decoder.feed(encodeHostHello(epochOf(10)));
            QCOMPARE(guest.epochs.size(), 1U);
        }
    }

    void oneZeroTooFewIsNoHello() {
        const Bytes hello = encodeHostHello(epochOf(11));
        Recorder guest(Side::Guest);
        guest.decoder.feed(ByteSpan(hello).subspan(1));
        QVERIFY(guest.epochs.empty());
        guest.decoder.feed(hello);
        QCOMPARE(guest.epochs.size(), 1U);
    }

    void aGuestThatStartsAnewIsNoticedAlsoWhileTheHostSeeks() {
        Recorder host(Side::Host);
        host.decoder.beginEpoch(epochOf(12));
        host.onSpoilt = [&] { host.decoder.beginEpoch(epochOf(13)); };
        host.decoder.feed(encodeGuestRestart());
        QCOMPARE(host.spoilt.size(), 1U);
        host.decoder.feed(encodeGuestHello(epochOf(12)) + encodeGuestHello(epochOf(13)));
        QCOMPARE(host.epochs.size(), 1U);
        QVERIFY(host.epochs[0] == epochOf(13));
    }

    void aDecoderMayGoInsideItsOwnCallback() {
        std::unique_ptr<FrameDecoder> decoder;
        int calls = 0;
        decoder = std::make_unique<FrameDecoder>(Side::Guest, FrameDecoder::Events{.frame =
                                                                                       [&](Frame&&) {
                                                                                           ++calls;
                                                                                           decoder.reset();
                                                                                       },
                                                                                   .epoch = {},
                                                                                   .spoilt = {}});
        const auto epoch = epochOf(14);
        decoder->feed(encodeHostHello(epoch) + dataFrame(epoch, 1, asBytes("x")));
        QCOMPARE(calls, 1);
    }

    void aLocalConnectionNeedsNoHello() {
        for (const Side side : {Side::Host, Side::Guest}) {
            Recorder end(side);
            end.decoder.beginLocal(0x11223344);
            Epoch epoch;
            epoch.tag = 0x11223344;
            end.decoder.feed(dataFrame(epoch, 1, asBytes("x")));
            QCOMPARE(end.frames.size(), 1U);
            end.decoder.feed(encodeHostHello(epochOf(1)));
            QCOMPARE(end.decoder.state(), FrameDecoder::State::Spoilt);
        }
    }
};

QTEST_GUILESS_MAIN(TestFrameDecoder)
#include "test_frame_decoder.moc"
