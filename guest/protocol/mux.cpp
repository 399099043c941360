// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/mux.h"

#include "guest/protocol/mux_impl.h"

#include <algorithm>

namespace carrel {

Mux::Impl::Impl(Side ourSide, Events ourEvents, Options ourOptions)
    : side(ourSide)
    , events(std::move(ourEvents))
    , options(std::move(ourOptions))
    , decoder(side, {.frame = [this](Frame&& frame) { onFrame(std::move(frame)); },
                     .epoch = [this](const Epoch& epoch) { onEpoch(epoch); },
                     .spoilt = [this](std::string_view why) { onSpoilt(why); }}) {}

void Mux::Impl::forgetAll() {
    ++era;
    open = false;
    streams.clear();
    awaitingAck.clear();
    small.clear();
    ring.clear();
    grants.clear();
    carry.clear();
    carryUsed = 0;
    freeSlots = 0;
    nextSlot = 0;
    taken = 0;
}

void Mux::Impl::onEpoch(const Epoch& epoch) {
    forgetAll();
    tag = epoch.tag;
    open = true;
    if (side == Side::Guest) {
        carry = encodeGuestHello(epoch);
    }
    sayRoom();
    if (events.epoch) {
        events.epoch(epoch);
    }
}

// All of the ring: the peer has written to none of it in this epoch.
void Mux::Impl::sayRoom() {
    if (options.ringIn.slotCount > 0) {
        pushSmall({FrameType::Room, kFlagNone, 0, detail::u32Payload(static_cast<std::uint32_t>(options.ringIn.slotCount))});
    }
}

void Mux::Impl::onSpoilt(std::string_view why) {
    forgetAll();
    if (breach && side == Side::Guest && !local) {
        // Only this side knows that something is wrong: without this the host would wait for ever.
        carry = encodeGuestRestart();
    }
    if (events.spoilt) {
        events.spoilt(why);
    }
}

void Mux::Impl::spoil(std::string_view why) {
    breach = true;
    decoder.spoil(why);
    breach = false;
}

detail::Stream* Mux::Impl::find(std::uint32_t id) {
    const auto at = streams.find(id);
    return at == streams.end() ? nullptr : &at->second;
}

detail::Stream* Mux::Impl::find(std::uint32_t id, std::uint64_t serial) {
    detail::Stream* stream = find(id);
    return stream != nullptr && stream->serial == serial ? stream : nullptr;
}

detail::Stream& Mux::Impl::addStream(std::uint32_t id, StreamKind kind) {
    const auto [at, isNew] = streams.try_emplace(id);
    if (isNew) {
        at->second.kind = kind;
        at->second.serial = ++serials;
    }
    return at->second;
}

void Mux::Impl::dropIfOver(std::uint32_t id, std::uint64_t serial) {
    const detail::Stream* stream = find(id, serial);
    if (stream != nullptr && stream->endSent && stream->peerEnded) {
        streams.erase(id);
    }
}

Mux::Mux(Side side, Events events, Options options)
    : m_impl(std::make_unique<Impl>(side, std::move(events), std::move(options))) {}
Mux::Mux(Side side, Events events)
    : Mux(side, std::move(events), Options()) {}
Mux::~Mux() = default;

void Mux::begin(const Epoch& epoch) {
    m_impl->forgetAll();
    m_impl->local = false;
    m_impl->carry = encodeHostHello(epoch);
    m_impl->decoder.beginEpoch(epoch);
}

void Mux::announceRestart() {
    m_impl->forgetAll();
    m_impl->local = false;
    m_impl->carry = encodeGuestRestart();
    m_impl->decoder.seekAgain();
}

void Mux::beginLocal(std::uint32_t tag) {
    m_impl->forgetAll();
    m_impl->local = true;
    m_impl->decoder.beginLocal(tag);
    m_impl->tag = m_impl->decoder.tag();
    m_impl->open = true;
    m_impl->sayRoom();
}

bool Mux::isOpen() const {
    return m_impl->open;
}

void Mux::openStream(std::uint32_t stream, StreamKind kind) {
    if (m_impl->open && stream != 0 && m_impl->streams.size() < kMaxStreams) {
        m_impl->addStream(stream, kind);
    }
}

Status Mux::sendMessage(std::uint32_t stream, ByteSpan message) {
    CARREL_TRY(m_impl->checkSend(stream, StreamKind::Messages, message.size()));
    if (message.empty()) {
        return fail(ErrorCode::InvalidArgument, "a message is empty");
    }
    if (message.size() > m_impl->options.maxMessage) {
        return fail(ErrorCode::LimitExceeded, "a message is longer than the limit");
    }
    Impl::Stream& to = *m_impl->find(stream);
    to.queue.pushMessage(message);
    m_impl->wake(stream, to);
    return {};
}

Status Mux::sendBytes(std::uint32_t stream, ByteSpan bytes) {
    CARREL_TRY(m_impl->checkSend(stream, StreamKind::Bytes, bytes.size()));
    if (!bytes.empty()) {
        Impl::Stream& to = *m_impl->find(stream);
        to.queue.pushBytes(bytes);
        m_impl->wake(stream, to);
    }
    return {};
}

void Mux::sendEnd(std::uint32_t stream) {
    if (Impl::Stream* to = m_impl->find(stream)) {
        to->endWanted = true;
        m_impl->wake(stream, *to);
    }
}

void Mux::sendReset(std::uint32_t stream, std::uint32_t reason) {
    if (m_impl->streams.erase(stream) > 0) {
        m_impl->pushReset(stream, reason);
    }
}

void Mux::consumed(std::uint32_t stream, std::size_t bytes) {
    if (Impl::Stream* from = m_impl->find(stream)) {
        from->unconsumed -= std::min(bytes, from->unconsumed);
        m_impl->grantMore(stream, *from);
    }
}

std::size_t Mux::queued(std::uint32_t stream) const {
    const Impl::Stream* to = m_impl->find(stream);
    return to == nullptr ? 0 : to->queue.bytes();
}

void Mux::feed(ByteSpan bytes) {
    m_impl->decoder.feed(bytes);
}

Bytes Mux::takeOutput(std::size_t max) {
    return m_impl->takeOutput(max);
}

bool Mux::hasOutput() const {
    return !m_impl->carry.empty() || !m_impl->small.empty() || !m_impl->grants.empty() ||
           !m_impl->ring.empty();
}

} // namespace carrel
