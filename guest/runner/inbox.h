// SPDX-License-Identifier: Apache-2.0
// How what an agent program says gets from the reading thread of acp::Peer to the runner's thread: one thing at a time, and the reading
// thread waits until it was taken. So no more than one message is held, and an agent that says more than can be told is slowed by its own
// pipe. Thread: add() from any; the rest from the runner's.
#pragma once

#include "guest/acp/peer.h"

#include <condition_variable>
#include <functional>
#include <mutex>

namespace carrel::runner {

class Inbox {
public:
    using Work = std::function<void()>;
    // `wake`: an eventfd(2), borrowed, written to when there is something.
    explicit Inbox(int wake)
        : m_wake(wake) {}

    void add(Work work); // dropped after close()
    [[nodiscard]] Work take(); // null: there is nothing
    void close();              // whoever waits in add() goes on

private:
    int m_wake;
    std::mutex m_mutex;
    std::condition_variable m_taken;
    Work m_work;
    bool m_isClosed = false;
};

} // namespace carrel::runner
