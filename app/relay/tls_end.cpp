// SPDX-License-Identifier: Apache-2.0
#include "app/relay/tls_end.h"

#include <openssl/buffer.h>

namespace carrel::relay {

namespace {

constexpr std::size_t kPiece = 16 * 1024; // what a record holds at most

int asInt(std::size_t count) {
    return static_cast<int>(std::min<std::size_t>(count, 1U << 30U));
}

// OpenSSL's memory only ever grows.
void giveBack(BIO* bio) {
    constexpr std::size_t kKept = 4096;
    BUF_MEM* memory = nullptr;
    if (BIO_get_mem_ptr(bio, &memory) <= 0 || memory == nullptr || memory->length > 0 || memory->max <= kKept) {
        return;
    }
    if (auto* fresh = ::BUF_MEM_new()) {
        BIO_set_mem_buf(bio, fresh, BIO_CLOSE); // the former one is freed
    }
}

} // namespace

bool TlsEnd::attach(SSL_CTX* context) {
    m_ssl.reset(::SSL_new(context));
    BioPtr in(::BIO_new(::BIO_s_mem()));
    BioPtr out(::BIO_new(::BIO_s_mem()));
    if (!m_ssl || !in || !out) {
        return false;
    }
    m_in = in.release();
    m_out = out.release();
    ::SSL_set_bio(m_ssl.get(), m_in, m_out);
    return true;
}

std::size_t TlsEnd::feed(ByteSpan wire) {
    if (m_state == State::Failed) {
        return wire.size(); // nobody listens any more
    }
    const auto held = std::min<std::size_t>(BIO_ctrl_pending(m_in), kMostHeld);
    const auto count = std::min(wire.size(), kMostHeld - held);
    if (count > 0 && ::BIO_write(m_in, wire.data(), asInt(count)) != asInt(count)) {
        failWith("there is no memory for it");
        return wire.size();
    }
    if (m_state == State::Opening) {
        shakeHands();
    }
    return count;
}

void TlsEnd::feedEnd() {
    m_wireEnded = true;
    if (m_state == State::Opening) {
        failWith("the connection ended before TLS was agreed");
    }
}

void TlsEnd::shakeHands() {
    ::ERR_clear_error();
    const int done = ::SSL_do_handshake(m_ssl.get());
    if (done != 1) {
        noteError(::SSL_get_error(m_ssl.get(), done));
        return;
    }
    if (auto fault = faultOfHandshake(); !fault.empty()) {
        failWith(std::move(fault));
        return;
    }
    m_state = State::Open;
}

void TlsEnd::failWith(std::string why) {
    m_state = State::Failed;
    m_why = std::move(why);
    ::ERR_clear_error();
}

void TlsEnd::noteError(int code) {
    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
        if (m_wireEnded && m_peerEnd == PeerEnd::No) {
            m_peerEnd = PeerEnd::Truncated;
        }
        return;
    }
    if (code == SSL_ERROR_ZERO_RETURN) {
        m_peerEnd = PeerEnd::Clean;
        return;
    }
    failWith(explain(takeOpenSslReason()));
}

Bytes TlsEnd::takeOutput(std::size_t most) {
    Bytes out(std::min<std::size_t>(most, BIO_ctrl_pending(m_out)));
    if (!out.empty()) {
        const int got = ::BIO_read(m_out, out.data(), asInt(out.size()));
        out.resize(static_cast<std::size_t>(std::max(got, 0)));
    }
    return out;
}

bool TlsEnd::hasOutput() const {
    return BIO_ctrl_pending(m_out) > 0;
}

std::size_t TlsEnd::read(ByteQueue& into, std::size_t most) {
    std::size_t total = 0;
    while (m_state == State::Open && m_peerEnd == PeerEnd::No && total < most) {
        const auto room = into.grow(std::min(kPiece, most - total));
        std::size_t got = 0;
        ::ERR_clear_error();
        const int done = ::SSL_read_ex(m_ssl.get(), room.data(), room.size(), &got);
        got = done == 1 ? got : 0;
        into.shrink(room.size() - got);
        total += got;
        if (done != 1) {
            noteError(::SSL_get_error(m_ssl.get(), done));
            break;
        }
    }
    return total;
}

std::size_t TlsEnd::write(ByteSpan plain) {
    std::size_t total = 0;
    while (m_state == State::Open && !m_closed && total < plain.size() && BIO_ctrl_pending(m_out) < kMostHeld) {
        const auto piece = plain.subspan(total, std::min(kPiece, plain.size() - total));
        std::size_t put = 0;
        ::ERR_clear_error();
        const int done = ::SSL_write_ex(m_ssl.get(), piece.data(), piece.size(), &put);
        if (done != 1) {
            noteError(::SSL_get_error(m_ssl.get(), done));
            break;
        }
        total += put;
    }
    return total;
}

void TlsEnd::rest() {
    giveBack(m_in);
    giveBack(m_out);
}

void TlsEnd::close() {
    if (m_state == State::Open && !m_closed) {
        ::ERR_clear_error();
        (void)::SSL_shutdown(m_ssl.get()); // close_notify is on its way; nobody waits for its answer
        ::ERR_clear_error();
    }
    m_closed = true;
}

} // namespace carrel::relay
