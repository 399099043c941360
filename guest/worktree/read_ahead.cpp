// SPDX-License-Identifier: Apache-2.0
#include "guest/worktree/read_ahead.h"

#include <algorithm>
#include <cerrno>
#include <list>

namespace carrel::worktree {

struct ReadAhead::Slot {
    File file;
    bool answered = false;
    bool useful = false; // as long as the file is said to be
    bool disowned = false;
    int waiting = 0;
    Bytes bytes;
};

struct ReadAhead::State {
    std::mutex mutex;
    std::condition_variable news;
    bool closed = false;
    std::list<Slot> slots; // the oldest first; a few hundred at most, so that a look through all is cheap
    std::uint64_t bytes = 0;

    std::list<Slot>::iterator find(std::uint64_t id) {
        return std::find_if(slots.begin(), slots.end(),
                            [id](const Slot& slot) { return slot.file.id == id; });
    }

    void drop(std::list<Slot>::iterator at, std::list<Slot>& gone) {
        bytes -= at->file.size;
        gone.splice(gone.end(), slots, at);
    }

    // The oldest that nobody came for go.
    bool makeRoom(std::uint32_t size, std::list<Slot>& gone) {
        while (bytes + size > kMaxBytes || slots.size() >= kMaxFiles) {
            const auto old = std::find_if(slots.begin(), slots.end(), [](const Slot& slot) {
                return slot.answered && slot.waiting == 0;
            });
            if (old == slots.end()) {
                return false;
            }
            drop(old, gone);
        }
        return true;
    }

    void answer(std::uint64_t id, SysResult<Bytes> bytes) {
        {
            const std::lock_guard lock(mutex);
            const auto at = find(id);
            if (at == slots.end()) {
                return;
            }
            at->answered = true;
            at->useful = bytes && bytes->size() == at->file.size && !at->disowned;
            if (at->useful) {
                at->bytes = std::move(*bytes);
            }
            if (at->waiting == 0) {
                return;
            }
        }
        news.notify_all();
    }
};

ReadAhead::ReadAhead()
    : m_state(std::make_shared<State>()) {}

ReadAhead::~ReadAhead() {
    close();
}

void ReadAhead::ask(LowerClient& lower, std::vector<File> files) {
    std::vector<AheadRead> reads;
    std::list<Slot> gone; // their nodes are let go of without the lock
    {
        const std::lock_guard lock(m_state->mutex);
        for (auto& file : files) {
            if (m_state->closed || file.size == 0 || file.size > kMaxFile ||
                m_state->find(file.id) != m_state->slots.end()) {
                continue;
            }
            if (!m_state->makeRoom(file.size, gone)) {
                break; // all are on their way
            }
            reads.push_back({file.id, file.size, [state = m_state, id = file.id](SysResult<Bytes> bytes) {
                                 state->answer(id, std::move(bytes));
                             }});
            m_state->bytes += file.size;
            m_state->slots.emplace_back().file = std::move(file);
        }
    }
    if (!reads.empty()) {
        lower.readAhead(std::move(reads));
    }
}

std::optional<SysResult<Bytes>> ReadAhead::take(std::uint64_t id, std::uint64_t offset, std::uint32_t size,
                                                std::chrono::milliseconds patience) {
    std::list<Slot> gone;
    std::unique_lock lock(m_state->mutex);
    const auto at = m_state->find(id);
    if (at == m_state->slots.end()) {
        return std::nullopt;
    }
    ++at->waiting;
    const bool came = m_state->news.wait_for(lock, patience, [&] { return at->answered || m_state->closed; });
    --at->waiting;
    const bool last = at->waiting == 0;
    std::optional<SysResult<Bytes>> out;
    if (m_state->closed || !came) { // closed, or lost on the way: then whoever asks next asks for itself
        if (last) {
            m_state->drop(at, gone);
        }
        if (m_state->closed) {
            out = sysFail(EIO);
        }
        return out;
    }
    const std::uint64_t whole = at->bytes.size();
    if (at->useful && offset == 0 && size >= whole && last) {
        out = std::move(at->bytes);
    } else if (at->useful) {
        const auto from = std::min(offset, whole);
        const auto part = ByteSpan(at->bytes).subspan(from, std::min<std::uint64_t>(size, whole - from));
        out = Bytes(part.begin(), part.end());
    }
    if (last && (!at->useful || offset + size >= whole)) {
        m_state->drop(at, gone);
    }
    return out;
}

void ReadAhead::drop(std::uint64_t id) {
    std::list<Slot> gone;
    const std::lock_guard lock(m_state->mutex);
    const auto at = m_state->find(id);
    if (at == m_state->slots.end()) {
        return;
    }
    at->disowned = true;
    at->useful = false;
    if (at->answered && at->waiting == 0) {
        m_state->drop(at, gone);
    }
}

void ReadAhead::close() {
    std::list<Slot> gone;
    std::unique_lock lock(m_state->mutex);
    m_state->closed = true;
    m_state->news.notify_all();
    // Whoever still waits lets go of its own; nobody does when the tree goes (worktree.h).
    for (auto at = m_state->slots.begin(); at != m_state->slots.end();) {
        const auto next = std::next(at);
        if (at->waiting == 0) {
            m_state->drop(at, gone);
        }
        at = next;
    }
    lock.unlock();
}

} // namespace carrel::worktree
