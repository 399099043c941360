// SPDX-License-Identifier: Apache-2.0
// A peer dies with a frame half written and another takes over: wherever the cut is, nothing of the old epoch
// is delivered, and the new one waits for no byte more than its own.
#include "tests/guest/protocol/support.h"

#include <QTest>

using namespace carrel;
using namespace carrel::testing;

class TestEpochCut : public QObject {
    Q_OBJECT

    const Epoch m_old = epochOf(101);
    const Epoch m_new = epochOf(102);

    // Every position of a short piece; both ends and a sample of the middle of a long one.
    static std::vector<std::size_t> cuts(std::size_t size) {
        std::vector<std::size_t> out;
        for (std::size_t at = 0; at <= size; ++at) {
            if (size < 1500 || at < 40 || at + 60 > size || at % 1499 == 0) {
                out.push_back(at);
            }
        }
        return out;
    }

    static Bytes frameOf(const Epoch& epoch, const QByteArray& kind, std::size_t size) {
        Bytes payload(size, std::byte{0});
        if (kind == "ones") {
            std::fill(payload.begin(), payload.end(), std::byte{0xff});
        } else if (kind == "hellos") {
            const Bytes hello = encodeHostHello(epochOf(103));
            const auto tail = ByteSpan(hello).last(36);
            for (std::size_t i = 0; i < size; ++i) {
                payload[i] = tail[i % tail.size()];
            }
        } else if (kind == "tags") {
            for (std::size_t i = 0; i < size; ++i) {
                payload[i] = static_cast<std::byte>((epoch.tag >> (8 * (i % 4))) & 0xffU);
            }
        }
        return dataFrame(epoch, 7, payload);
    }

    static void addColumns() {
        QTest::addColumn<QByteArray>("kind");
        QTest::addColumn<int>("size");
        for (const char* kind : {"zeros", "ones", "hellos", "tags"}) {
            QTest::addRow("%s, short", kind) << QByteArray(kind) << 100;
            QTest::addRow("%s, longest", kind) << QByteArray(kind) << static_cast<int>(kMaxFramePayload);
        }
    }

private slots:
    void theHostDies_data() { addColumns(); }
    void theHostDies() {
        QFETCH(QByteArray, kind);
        QFETCH(int, size);
        const Bytes last = frameOf(m_old, kind, static_cast<std::size_t>(size));
        const Bytes first = dataFrame(m_new, 1, asBytes("new"));
        const Bytes fresh = encodeHostHello(m_new) + first;
        for (const std::size_t cut : cuts(last.size())) {
            Recorder guest(Side::Guest);
            guest.decoder.feed(encodeHostHello(m_old) + ByteSpan(last).first(cut));
            const std::size_t whole = cut == last.size() ? 1 : 0;
            QCOMPARE(guest.frames.size(), whole);
            guest.decoder.feed(fresh);
            QCOMPARE(guest.epochs.size(), 2U);
            QVERIFY(guest.epochs.back() == m_new);
            QCOMPARE(guest.frames.size(), whole + 1);
            QCOMPARE(guest.frames.back().stream, 1U);
            QCOMPARE(guest.spoilt.size(), 1U);
        }
    }

    void theHostDiesWithinItsHello() {
        const Bytes last = encodeHostHello(m_old);
        const Bytes fresh = encodeHostHello(m_new) + dataFrame(m_new, 1, asBytes("new"));
        for (const std::size_t cut : cuts(last.size())) {
            Recorder guest(Side::Guest);
            guest.decoder.feed(dataFrame(epochOf(100), 3, asBytes("older")) + ByteSpan(last).first(cut));
            guest.decoder.feed(fresh);
            QCOMPARE(guest.frames.size(), 1U);
            QVERIFY(guest.epochs.back() == m_new);
            QCOMPARE(guest.epochs.size(), cut == last.size() ? 2U : 1U);
        }
    }

    // The new guestd says zeros; the host answers with a new epoch from inside its callback.
    void theGuestDies_data() { addColumns(); }
    void theGuestDies() {
        QFETCH(QByteArray, kind);
        QFETCH(int, size);
        const Bytes last = frameOf(m_old, kind, static_cast<std::size_t>(size));
        const Bytes fresh =
            encodeGuestRestart() + encodeGuestHello(m_new) + dataFrame(m_new, 1, asBytes("new"));
        for (const std::size_t cut : cuts(last.size())) {
            Recorder host(Side::Host);
            host.onSpoilt = [&] { host.decoder.beginEpoch(m_new); };
            host.decoder.beginEpoch(m_old);
            host.decoder.feed(encodeGuestHello(m_old) + ByteSpan(last).first(cut));
            const std::size_t whole = cut == last.size() ? 1 : 0;
            QCOMPARE(host.frames.size(), whole);
            host.decoder.feed(fresh);
            QCOMPARE(host.spoilt.size(), 1U); // one new epoch is enough
            QCOMPARE(host.epochs.size(), 2U);
            QCOMPARE(host.frames.size(), whole + 1);
            QCOMPARE(host.frames.back().stream, 1U);
        }
    }

    // A new clerk finds the rest of what the guest said to the old one.
    void theClerkIsReplaced_data() { addColumns(); }
    void theClerkIsReplaced() {
        QFETCH(QByteArray, kind);
        QFETCH(int, size);
        const Bytes last = frameOf(m_old, kind, static_cast<std::size_t>(size));
        for (const std::size_t cut : cuts(last.size())) {
            Recorder host(Side::Host);
            host.decoder.beginEpoch(m_new);
            host.decoder.feed(Bytes(last.begin() + static_cast<std::ptrdiff_t>(cut), last.end()) + last +
                              ByteSpan(last).first(cut) + encodeGuestHello(m_new) +
                              dataFrame(m_new, 1, asBytes("new")));
            QVERIFY(host.spoilt.empty());
            QCOMPARE(host.frames.size(), 1U);
            QCOMPARE(host.frames[0].stream, 1U);
        }
    }
};

QTEST_GUILESS_MAIN(TestEpochCut)
#include "test_epoch_cut.moc"
