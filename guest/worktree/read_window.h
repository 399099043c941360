// SPDX-License-Identifier: Apache-2.0
// The memory that the host writes to (lower_wire.h, "Window"), cut into parts that are lent to one READ each.
// A virtio port hands over 4 KiB at a time; through here a reply is one small message, however long the file.
//
// A part that was lent to a request whose end nobody saw (it was given up) is not lent again while the host's end is the
// one that was asked: it may write there at any time. It comes back with the next epoch. Who answers then is done with
// whatever was asked before (lower_wire.h, "Window"); a guestd that starts anew relies on the same when it takes the whole
// memory for free. Ownership: shared by the shares of a machine. Thread: any.
#pragma once

#include "guest/protocol/bytes.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace carrel::worktree {

class ReadWindow {
public:
    // `memory` stays mapped for as long as this object lives. Too small for one part: then none is ever lent.
    explicit ReadWindow(std::span<const std::byte> memory);

    class Part {
    public:
        Part(Part&& other) noexcept;
        Part(const Part&) = delete;
        Part& operator=(const Part&) = delete;
        Part& operator=(Part&&) = delete;
        ~Part(); // gives it back
        [[nodiscard]] std::uint64_t offset() const { return m_offset; }
        [[nodiscard]] std::uint32_t size() const { return m_size; }
        [[nodiscard]] ByteSpan first(std::uint32_t bytes) const;
        // The host may still write. `asked`: the last epoch in which the request may have been sent; 0: never.
        void abandon(std::uint64_t asked);

    private:
        friend class ReadWindow;
        Part(ReadWindow& window, std::uint64_t offset, std::uint32_t size);
        ReadWindow* m_window;
        std::uint64_t m_offset;
        std::uint32_t m_size;
    };
    // For a reply of at most `bytes`; none when it is not worth it or all are lent.
    [[nodiscard]] std::optional<Part> lend(std::uint32_t bytes);
    // It has begun on the files channel. Any number of times, by each of the shares.
    void onEpoch(std::uint64_t epoch);

private:
    struct Abandoned {
        std::uint64_t offset = 0;
        std::uint32_t size = 0;
        std::uint64_t asked = 0;
    };
    void giveBack(std::uint64_t offset, std::uint32_t size);
    void putFree(std::uint64_t offset, std::uint32_t size); // under m_mutex
    void abandon(const Abandoned& part);

    std::span<const std::byte> m_memory;
    std::mutex m_mutex;
    std::vector<std::uint64_t> m_large; // offsets of free parts of kLargePart
    std::vector<std::uint64_t> m_small;
    std::vector<Abandoned> m_abandoned;
    std::uint64_t m_epoch = 0;
};

} // namespace carrel::worktree
