// SPDX-License-Identifier: Apache-2.0
// One channel to the host: a descriptor, a Mux and the thread that moves bytes between them. The descriptor
// is a virtio port (or a socket in tests): the host's end comes and goes, and a new epoch may begin at any
// time.
//
// Every epoch has a number here, counted up. Whoever sends names the epoch that its work belongs to, so that
// an answer to a clerk that is gone never reaches its successor: such sends are dropped and answer Gone.
//
// Thread: the send functions may be called from any thread; the handler is called on the channel's own
// thread, with no lock held, so that it may send. The handler must not block. Ownership: the channel owns the
// descriptor.
#pragma once

#include "guest/protocol/mux.h"
#include "guest/protocol/unique_fd.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace carrel::guestd {

using EpochNumber = std::uint64_t;

struct ChannelEvent {
    enum class Kind {
        Data,     // a message or a piece; the handler owes consumed()
        End,      // the host will send no more on this stream
        Reset,    // the host ended the stream abnormally
        Writable, // what was queued for the stream has gone; told only where Options asks for it
        Epoch,    // a new host end; every stream of the last epoch is gone
    };
    Kind kind = Kind::Data;
    EpochNumber epoch = 0;
    std::uint32_t stream = 0;
    std::uint32_t reason = 0; // Reset: errno-like
    Bytes data;
};

class Channel {
public:
    enum class Sent { Queued, Gone };
    enum class TellWritable { No, WhenAsked, Yes }; // WhenAsked: see tellWhenWritable()
    struct Options {
        std::string name;
        std::function<std::optional<StreamKind>(std::uint32_t stream)> accept;
        std::function<void(ChannelEvent&&)> handler;
        TellWritable tellWritable = TellWritable::Yes; // each one wakes the channel's thread
        RingReader ring = {};                          // where the host puts large pieces
    };

    Channel(UniqueFd descriptor, Options options);
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    ~Channel(); // stops

    [[nodiscard]] Status start();
    void stop();

    // 0 before the first epoch.
    [[nodiscard]] EpochNumber epoch() const;
    Sent openStream(EpochNumber epoch, std::uint32_t stream, StreamKind kind);
    // Error Unavailable when the epoch is over, LimitExceeded when the stream's queue is full.
    [[nodiscard]] Status sendMessage(EpochNumber epoch, std::uint32_t stream, ByteSpan message);
    // The same for several, with one call of the system for all. The first error; what comes after it is not sent.
    [[nodiscard]] Status sendMessages(EpochNumber epoch, std::uint32_t stream, const std::vector<Bytes>& messages);
    [[nodiscard]] Status sendBytes(EpochNumber epoch, std::uint32_t stream, ByteSpan bytes);
    Sent sendEnd(EpochNumber epoch, std::uint32_t stream);
    Sent sendReset(EpochNumber epoch, std::uint32_t stream, std::uint32_t reason);
    Sent consumed(EpochNumber epoch, std::uint32_t stream, std::size_t bytes);
    // Bytes that wait for credit or for the wire; none when the epoch is over.
    [[nodiscard]] std::optional<std::size_t> queued(EpochNumber epoch, std::uint32_t stream) const;

    // Told once of the stream, when all that is queued now has gone. False: there is nothing queued, or the epoch is over.
    [[nodiscard]] bool tellWhenWritable(EpochNumber epoch, std::uint32_t stream);

    // Blocks until fewer than `bytes` wait for this stream, or the epoch is over, or `cancelled` (checked at
    // every wake-up; see wakeWaiters).
    [[nodiscard]] Status waitQueuedBelow(EpochNumber epoch, std::uint32_t stream, std::size_t bytes,
                                         const std::function<bool()>& cancelled);
    void wakeWaiters();
    // Blocks until everything has been written to the descriptor, at most `limit`: for the last words before
    // power-off.
    void flush(std::chrono::milliseconds limit);

private:
    void run();
    bool readAll();
    void writeAll();
    // Under m_mutex.
    enum class RoomWanted { No, Yes };
    void writeLocked();
    void watchForRoom(RoomWanted wanted);
    void wake();
    void record(ChannelEvent event);
    void deliver();
    template <class Function> Sent within(EpochNumber epoch, Function function);

    UniqueFd m_fd;
    UniqueFd m_wake;
    UniqueFd m_epoll;
    Options m_options;
    mutable std::mutex m_mutex;
    std::condition_variable m_progress; // bytes went out, or the epoch changed
    Mux m_mux;
    EpochNumber m_epoch = 0;
    std::set<std::uint32_t> m_asked; // streams, by tellWhenWritable()
    Bytes m_pending; // taken from the mux, not yet written
    std::size_t m_pendingDone = 0;
    RoomWanted m_roomWanted = RoomWanted::No;
    std::vector<ChannelEvent> m_events; // recorded inside feed(), delivered without the lock
    std::atomic<bool> m_stop = false;
    std::thread m_thread;
};

} // namespace carrel::guestd
