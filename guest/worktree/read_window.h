// SPDX-License-Identifier: Apache-2.0
// The memory that the host writes to (lower_wire.h, "Window"), cut into parts that are lent to one READ each.
// A virtio port hands over 4 KiB at a time; through here a reply is one small message, however long the file.
//
// A part that was lent to a request whose end nobody saw (it was given up) is never lent again: the host may
// write to it at any time. Ownership: shared by the shares of a machine. Thread: any.
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
        void abandon(); // the host may still write: never lent again

    private:
        friend class ReadWindow;
        Part(ReadWindow& window, std::uint64_t offset, std::uint32_t size);
        ReadWindow* m_window;
        std::uint64_t m_offset;
        std::uint32_t m_size;
    };
    // For a reply of at most `bytes`; none when it is not worth it or all are lent.
    [[nodiscard]] std::optional<Part> lend(std::uint32_t bytes);

private:
    void giveBack(std::uint64_t offset, std::uint32_t size);

    std::span<const std::byte> m_memory;
    std::mutex m_mutex;
    std::vector<std::uint64_t> m_large; // offsets of free parts of kLargePart
    std::vector<std::uint64_t> m_small;
};

} // namespace carrel::worktree
