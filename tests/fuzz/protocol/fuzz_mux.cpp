// SPDX-License-Identifier: Apache-2.0
// A program for one Mux with a well-behaved peer and, at will, hostile frames between: operations of a few
// bytes each, with the ring between them. Neither crashes, hands out more than was sent, or holds more than its bounds.
#include "guest/protocol/mux.h"

#include <algorithm>
#include <cstdlib>
#include <map>

using namespace carrel;

namespace {

constexpr std::uint32_t kTag = 0x44332211;
constexpr std::size_t kMaxMessage = 100'000;
constexpr std::size_t kSlots = 3;

std::optional<StreamKind> kindOf(std::uint32_t stream) {
    if (stream % 8 == 7) {
        return std::nullopt;
    }
    return stream % 2 == 0 ? StreamKind::Messages : StreamKind::Bytes;
}

struct End {
    End(Side side, Bytes& memory)
        : mux(side,
              {.data =
                   [this](std::uint32_t stream, Bytes&& data) {
                       if (data.empty() || data.size() > kMaxMessage) {
                           std::abort();
                       }
                       held[stream] += data.size();
                       react(stream);
                   },
               .end = [this](std::uint32_t stream) { react(stream); },
               .reset = [this](std::uint32_t stream, std::uint32_t) { react(stream); },
               .writable = [this](std::uint32_t stream) { react(stream); },
               .epoch = [this](const Epoch&) { held.clear(); },
               .spoilt = [this](std::string_view) { held.clear(); },
               .accept = [](std::uint32_t stream) { return kindOf(stream); }},
              optionsFor(side, memory)) {}

    static Mux::Options optionsFor(Side side, Bytes& memory) {
        Mux::Options options{.window = 50'000, .maxMessage = kMaxMessage, .maxQueued = 300'000};
        if (side == Side::Guest) {
            options.ringIn = {kSlots, memory};
        } else {
            options.ringOut = {kSlots, [&memory](std::size_t slot, ByteSpan bytes) {
                                   if (slot >= kSlots || bytes.size() > kRingSlotBytes) {
                                       std::abort();
                                   }
                                   std::copy(bytes.begin(), bytes.end(), memory.begin() + static_cast<std::ptrdiff_t>(slot * kRingSlotBytes));
                                   return true;
                               }};
        }
        return options;
    }

    // What a callback does, as the program last said.
    void react(std::uint32_t stream) {
        switch (reaction % 8) {
        case 1:
            mux.sendReset(stream, 5);
            break;
        case 2:
            mux.sendEnd(stream);
            break;
        case 3:
            mux.consumed(stream, 1000);
            break;
        case 4:
            mux.openStream(stream + 1, StreamKind::Messages);
            (void)mux.sendMessage(stream + 1, Bytes(10));
            break;
        default:
            break;
        }
    }

    std::uint8_t reaction = 0;
    std::map<std::uint32_t, std::size_t> held;
    Bytes pipe;
    Mux mux;
};

class Program {
public:
    Program(const std::uint8_t* data, std::size_t size)
        : m_rest(data, size) {}

    void run() {
        m_host.mux.beginLocal(kTag);
        m_guest.mux.beginLocal(kTag);
        while (!m_rest.empty()) {
            const std::uint8_t what = next();
            step(what & 0x0fU, (what & 0x10U) != 0 ? m_host : m_guest,
                 (what & 0x10U) != 0 ? m_guest : m_host);
        }
        for (End* end : {&m_host, &m_guest}) {
            std::size_t total = 0;
            for (Bytes out = end->mux.takeOutput(); !out.empty(); out = end->mux.takeOutput()) {
                total += out.size();
                if (total > 100'000'000) {
                    std::abort(); // output without end
                }
            }
        }
    }

private:
    std::uint8_t next() {
        if (m_rest.empty()) {
            return 0;
        }
        const std::uint8_t value = m_rest.front();
        m_rest = m_rest.subspan(1);
        return value;
    }
    std::size_t size() { return std::size_t{next()} << (next() % 10U); }

    void step(std::uint8_t what, End& end, End& other) {
        const std::uint32_t stream = next() % 16U;
        switch (what) {
        case 0:
            end.mux.openStream(stream, stream % 2 == 0 ? StreamKind::Messages : StreamKind::Bytes);
            break;
        case 1:
            (void)end.mux.sendMessage(stream, Bytes(size()));
            break;
        case 2:
            (void)end.mux.sendBytes(stream, Bytes(size()));
            break;
        case 3:
            end.mux.sendEnd(stream);
            break;
        case 4:
            end.mux.sendReset(stream, next());
            break;
        case 5:
            end.mux.consumed(stream, size());
            break;
        case 6: {
            const Bytes out = end.mux.takeOutput(size());
            end.pipe.insert(end.pipe.end(), out.begin(), out.end());
            break;
        }
        case 7: {
            const auto count = static_cast<std::ptrdiff_t>(std::min(size(), other.pipe.size()));
            const Bytes part(other.pipe.begin(), other.pipe.begin() + count);
            other.pipe.erase(other.pipe.begin(), other.pipe.begin() + count);
            end.mux.feed(part);
            break;
        }
        case 8:
            end.reaction = next();
            break;
        case 9: { // a frame that the peer never sent
            Bytes frame;
            const auto type = static_cast<FrameType>(1 + next() % 7U);
            const auto flags = static_cast<std::uint8_t>(next() % 8U);
            const Bytes payload(type == FrameType::Data ? std::min(size(), kMaxFramePayload) : type == FrameType::Placed ? 8 : 4,
                                std::byte{next()});
            encodeFrame(frame, kTag, type, flags, stream, payload);
            end.mux.feed(frame);
            break;
        }
        case 10: // bytes
            end.mux.feed(std::as_bytes(m_rest.first(std::min<std::size_t>(next(), m_rest.size()))));
            break;
        case 11: // both anew
            m_host.pipe.clear();
            m_guest.pipe.clear();
            m_host.mux.beginLocal(kTag);
            m_guest.mux.beginLocal(kTag);
            break;
        default:
            (void)end.mux.queued(stream);
            (void)end.mux.hasOutput();
        }
    }

    std::span<const std::uint8_t> m_rest;
    Bytes m_memory = Bytes(kSlots * kRingSlotBytes);
    End m_host{Side::Host, m_memory};
    End m_guest{Side::Guest, m_memory};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Program(data, size).run();
    return 0;
}
