// SPDX-License-Identifier: Apache-2.0
// One end of a connection, seen from its plain bytes: with TLS (tls_end.h) or without (PlainEnd). Does no I/O: the caller feeds
// what it read from the wire and writes to it what it is handed.
//
//   Opening → Open → Failed     (Opening may fail, too; Failed is for good. An alert may still have to be written)
//
// Holds at most about kMostHeld bytes in each direction, and takes no more until they are gone.
// Ownership: one owner. Thread: one.
#pragma once

#include "app/relay/byte_queue.h"

#include <string>

namespace carrel::relay {

inline constexpr std::size_t kMostHeld = 64 * 1024; // more than a record of TLS (RFC 8446, section 5.1) with all about it

class End {
public:
    enum class State { Opening, Open, Failed };
    enum class PeerEnd {
        No,
        Clean,     // said by the peer
        Truncated, // the wire ended, and nobody said so under TLS: somebody on the way may have cut it
    };

    virtual ~End() = default;
    End(const End&) = delete;
    End& operator=(const End&) = delete;

    // The wire's side. feed() tells how many bytes it took.
    [[nodiscard]] virtual std::size_t feed(ByteSpan wire) = 0;
    virtual void feedEnd() = 0;
    [[nodiscard]] virtual Bytes takeOutput(std::size_t most) = 0;
    [[nodiscard]] virtual bool hasOutput() const = 0;

    // The plain side. read() appends at most `most` bytes and tells how many; write() tells how many it took, none while
    // Opening.
    [[nodiscard]] virtual std::size_t read(ByteQueue& into, std::size_t most) = 0;
    [[nodiscard]] virtual std::size_t write(ByteSpan plain) = 0;
    virtual void close() = 0; // nothing more is written; the peer is told, after what was
    [[nodiscard]] virtual PeerEnd peerEnd() const = 0; // as far as was read

    // Nothing is under way: memory that is not in use is given back, so that an idle connection costs little.
    virtual void rest() = 0;

    [[nodiscard]] virtual State state() const = 0;
    // Failed: a sentence without its full stop, nothing of the peer's in it.
    [[nodiscard]] virtual const std::string& why() const = 0;

protected:
    End() = default;
};

class PlainEnd final : public End {
public:
    PlainEnd() = default;
    // Of a connection that is only made when there is something to say: not to be written to until it is there.
    void opening() { m_state = State::Opening; }
    void opened() { m_state = State::Open; }
    void failed(std::string why) {
        m_state = State::Failed;
        m_why = std::move(why);
    }
    [[nodiscard]] std::size_t feed(ByteSpan wire) override;
    void feedEnd() override { m_wireEnded = true; }
    [[nodiscard]] Bytes takeOutput(std::size_t most) override;
    [[nodiscard]] bool hasOutput() const override { return !m_out.empty(); }
    [[nodiscard]] std::size_t read(ByteQueue& into, std::size_t most) override;
    [[nodiscard]] std::size_t write(ByteSpan plain) override;
    void close() override { m_closed = true; }
    [[nodiscard]] PeerEnd peerEnd() const override { return m_wireEnded && m_in.empty() ? PeerEnd::Clean : PeerEnd::No; }
    void rest() override {
        m_in.rest();
        m_out.rest();
    }
    [[nodiscard]] State state() const override { return m_state; }
    [[nodiscard]] const std::string& why() const override { return m_why; }

private:
    State m_state = State::Open;
    ByteQueue m_in;
    ByteQueue m_out;
    std::string m_why;
    bool m_wireEnded = false;
    bool m_closed = false;
};

} // namespace carrel::relay
