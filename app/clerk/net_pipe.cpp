// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_pipe.h"

namespace carrel::clerk {

NetPipe::NetPipe(boost::asio::io_context& loop, std::uint32_t stream, std::shared_ptr<ChannelPump> guest, std::unique_ptr<NetGate> gate)
    : NetCarrier(loop, stream, std::move(guest))
    , m_gate(std::move(gate)) {}

void NetPipe::started() {
    if (m_gate->hasToHear()) {
        m_patience.expires_after(kHelloPatience);
        m_patience.async_wait([self = weak_from_this()](const boost::system::error_code& ec) {
            if (const auto pipe = self.lock(); pipe && !ec) {
                pipe->over("sni", Ended::Broken);
            }
        });
    }
    waitReadable();
    guestMoved();
}

void NetPipe::guestMoved() {
    for (std::size_t passed = 1; passed > 0;) { // until it holds what is left, or will have none of it
        const auto verdict = m_gate->look(fromGuest().subspan(m_passed));
        if (!verdict.good) {
            over("sni", Ended::Broken);
            return;
        }
        passed = verdict.pass;
        if (passed > 0) {
            m_passed += passed;
            m_patience.cancel();
        }
    }
    if (!m_writing) {
        writeSome();
    }
}

void NetPipe::writeSome() {
    const auto put = write(fromGuest().first(m_passed));
    if (!put) {
        over("far end", Ended::Broken);
        return;
    }
    m_passed -= *put;
    take(*put);
    if (m_passed > 0) {
        waitWritable();
        return;
    }
    if (!m_guestEnded || m_toldFarEnd) {
        return;
    }
    if (waiting() == 0) {
        m_toldFarEnd = true;
        endFarEnd();
        endIfDone();
    } else if (m_farEndEnded || !m_gate->waitsForServer()) {
        over("sni", Ended::Broken); // it ended before it had said who it is for
    }
}

void NetPipe::waitWritable() {
    m_writing = true;
    whenWritable([self = shared_from_this()] {
        self->m_writing = false;
        self->writeSome();
    });
}

void NetPipe::waitReadable() {
    if (m_reading || m_farEndEnded || isClosed() || m_guest->mux().queued(m_stream) >= kMostQueued) {
        return; // the last: `writable` brings us back
    }
    m_reading = true;
    whenReadable([self = shared_from_this()] {
        self->m_reading = false;
        self->readSome();
    });
}

void NetPipe::readSome() {
    const auto got = read();
    switch (got.what) {
    case Read::What::Broken:
        over("far end", Ended::Broken);
        return;
    case Read::What::End:
        m_farEndEnded = true;
        endGuest();
        if (!m_writing) {
            writeSome(); // what was held for a word of the server's has nobody to wait for any more
        }
        endIfDone();
        return;
    case Read::What::Bytes:
        if (!tellGuest(got.bytes)) {
            over("guest", Ended::Broken);
            return;
        }
        m_gate->serverSaid(got.bytes);
        if (waiting() > m_passed) {
            guestMoved(); // what was held may go on now
        }
        break;
    case Read::What::Nothing:
        break;
    }
    waitReadable();
}

void NetPipe::endIfDone() {
    if (m_toldFarEnd && m_farEndEnded) {
        over("ended", Ended::Whole);
    }
}

} // namespace carrel::clerk
