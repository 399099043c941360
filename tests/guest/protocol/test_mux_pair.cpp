// SPDX-License-Identifier: Apache-2.0
// Two Muxes back to back under a random life: random sends, random consumption, bytes that arrive in random
// pieces and late, resets, ends, new epochs in the middle. What arrives is what was sent, in order, and of
// this epoch.
#include "tests/guest/protocol/support.h"

#include <QTest>

#include <deque>

using namespace carrel;
using namespace carrel::testing;

namespace {

constexpr std::uint32_t kStreams = 6;      // 1 … 3 messages, 4 … 6 bytes; both sides send on all
constexpr std::uint32_t kFirstDoomed = 10; // from here on: streams that somebody resets

std::optional<StreamKind> kindOf(std::uint32_t stream) {
    if (stream >= kFirstDoomed) {
        return stream % 2 == 0 ? StreamKind::Messages : StreamKind::Bytes;
    }
    return stream <= kStreams / 2 ? StreamKind::Messages : StreamKind::Bytes;
}

// One end, what it has said in this epoch, and the bytes on their way to the other.
struct End {
    End(Side side, Mux::Options options)
        : station(side, options) {
        station.accept = kindOf;
        station.onEpoch = [this] { forget(); };
    }
    void forget() {
        sent.clear();
        station.got.clear();
        station.held.clear();
        station.ended.clear();
        station.resets.clear();
        ended.clear();
        doomed = kFirstDoomed + (doomed % 2);
    }

    Station station;
    std::map<std::uint32_t, std::vector<Bytes>> sent;
    std::vector<std::uint32_t> ended;
    std::deque<std::byte> pipe;
    std::uint32_t doomed = kFirstDoomed;
};

Bytes joined(const std::vector<Bytes>& pieces) {
    Bytes out;
    for (const auto& piece : pieces) {
        out.insert(out.end(), piece.begin(), piece.end());
    }
    return out;
}

class Life {
public:
    explicit Life(unsigned seed)
        : m_random(seed)
        , m_memory(seed % 3 * 2 * kRingSlotBytes) // none, two slots, four
        , m_host(Side::Host, hostOptions())
        , m_guest(Side::Guest, guestOptions()) {
        m_guest.doomed = kFirstDoomed + 1;
    }

    void run(int steps) {
        beginEpoch();
        for (int i = 0; i < steps; ++i) {
            End& end = below(m_random, 2) == 0 ? m_host : m_guest;
            switch (below(m_random, 100)) {
            case 0:
                if (below(m_random, 4) == 0) {
                    beginEpoch();
                }
                break;
            case 1:
            case 2:
                doom(end);
                break;
            default:
                act(end);
            }
        }
    }

    // Everything under way arrives and is consumed; each side ends its streams.
    void settle() {
        for (int quiet = 0; quiet < 3;) {
            bool moved = false;
            for (End* end : {&m_host, &m_guest}) {
                moved = write(*end) || moved;
                moved = arrive(*end, SIZE_MAX) || moved;
                for (auto& [stream, held] : end->station.held) {
                    moved = moved || held > 0;
                    end->station.consume(stream);
                }
            }
            quiet = moved ? 0 : quiet + 1;
        }
    }

    bool sameOnBothSides() const { return same(m_host, m_guest) && same(m_guest, m_host); }
    End& host() { return m_host; }
    End& guest() { return m_guest; }

private:
    Mux::Options options() {
        Mux::Options out;
        out.window = static_cast<std::uint32_t>(1 + below(m_random, 2 * kInitialWindow));
        return out;
    }

    Mux::Options hostOptions() {
        auto out = options();
        out.ringOut = {m_memory.size() / kRingSlotBytes, [this](std::size_t slot, ByteSpan bytes) {
                           std::copy(bytes.begin(), bytes.end(), m_memory.begin() + static_cast<std::ptrdiff_t>(slot * kRingSlotBytes));
                           return true;
                       }};
        return out;
    }
    Mux::Options guestOptions() {
        auto out = options();
        out.ringIn = {m_memory.size() / kRingSlotBytes, m_memory};
        return out;
    }

    void beginEpoch() { m_host.station.mux.begin(epochOf(++m_epochs)); }

    void act(End& end) {
        switch (below(m_random, 6)) {
        case 0:
        case 1:
            send(end, 1 + static_cast<std::uint32_t>(below(m_random, kStreams)));
            break;
        case 2:
            write(end);
            break;
        case 3:
        case 4:
            arrive(end, 1 + below(m_random, 100'000));
            break;
        default: {
            const auto stream = 1 + static_cast<std::uint32_t>(below(m_random, kStreams));
            auto& held = end.station.held[stream];
            const std::size_t part = below(m_random, held + 1);
            held -= part;
            end.station.mux.consumed(stream, part);
        }
        }
    }

    void send(End& end, std::uint32_t stream) {
        Mux& mux = end.station.mux;
        mux.openStream(stream, *kindOf(stream));
        const std::size_t most = below(m_random, 10) == 0 ? 400'000 : 3000;
        Bytes data = randomBytes(m_random, 1 + below(m_random, most));
        const auto sent = *kindOf(stream) == StreamKind::Messages ? mux.sendMessage(stream, data)
                                                                  : mux.sendBytes(stream, data);
        if (sent) {
            end.sent[stream].push_back(std::move(data));
        }
    }

    // A stream that is sent on and then reset, by either side, at any moment.
    void doom(End& end) {
        Mux& mux = end.station.mux;
        if (below(m_random, 2) == 0) {
            end.doomed += 2;
            send(end, end.doomed);
        } else {
            mux.sendReset(kFirstDoomed + static_cast<std::uint32_t>(below(m_random, end.doomed)), 125);
        }
    }

    bool write(End& end) {
        const Bytes out = end.station.mux.takeOutput(1 + below(m_random, 200'000));
        end.pipe.insert(end.pipe.end(), out.begin(), out.end());
        return !out.empty();
    }

    // Bytes from the other's pipe reach `end`.
    bool arrive(End& end, std::size_t most) {
        auto& pipe = &end == &m_host ? m_guest.pipe : m_host.pipe;
        const auto size = static_cast<std::ptrdiff_t>(std::min(most, pipe.size()));
        const Bytes part(pipe.begin(), pipe.begin() + size);
        pipe.erase(pipe.begin(), pipe.begin() + size);
        end.station.mux.feed(part);
        return !part.empty();
    }

    static bool same(const End& from, const End& to) {
        for (std::uint32_t stream = 1; stream <= kStreams; ++stream) {
            const auto sent = from.sent.find(stream);
            const auto got = to.station.got.find(stream);
            const bool none = sent == from.sent.end();
            if (none || got == to.station.got.end()) {
                if (none != (got == to.station.got.end())) {
                    return false;
                }
                continue;
            }
            const bool equal = *kindOf(stream) == StreamKind::Messages
                                   ? sent->second == got->second
                                   : joined(sent->second) == joined(got->second);
            if (!equal) {
                return false;
            }
        }
        return true;
    }

    std::mt19937 m_random;
    Bytes m_memory; // that both see
    int m_epochs = 0;
    End m_host;
    End m_guest;
};

} // namespace

class TestMuxPair : public QObject {
    Q_OBJECT

private slots:
    void whatArrivesIsWhatWasSent_data() {
        QTest::addColumn<unsigned>("seed");
        for (unsigned seed = 1; seed <= 25; ++seed) {
            QTest::addRow("seed %u", seed) << seed;
        }
    }
    void whatArrivesIsWhatWasSent() {
        QFETCH(unsigned, seed);
        Life life(seed);
        life.run(1500);
        life.settle();
        QVERIFY(life.host().station.mux.isOpen());
        QVERIFY(life.guest().station.mux.isOpen());
        QVERIFY(life.host().station.spoilt.empty());
        QVERIFY(life.sameOnBothSides());
        // A last word on every stream, so that a run whose final epoch was short says something too.
        for (End* end : {&life.host(), &life.guest()}) {
            for (std::uint32_t stream = 1; stream <= kStreams; ++stream) {
                end->station.mux.openStream(stream, *kindOf(stream));
                const Bytes word = toBytes("the last word");
                const auto sent = *kindOf(stream) == StreamKind::Messages
                                      ? end->station.mux.sendMessage(stream, word)
                                      : end->station.mux.sendBytes(stream, word);
                QVERIFY(sent.has_value());
                end->sent[stream].push_back(word);
                end->station.mux.sendEnd(stream);
            }
        }
        life.settle();
        QVERIFY(life.sameOnBothSides());
        QCOMPARE(life.host().station.ended.size(), std::size_t{kStreams});
        QCOMPARE(life.guest().station.ended.size(), std::size_t{kStreams});
    }
};

QTEST_GUILESS_MAIN(TestMuxPair)
#include "test_mux_pair.moc"
