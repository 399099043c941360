// SPDX-License-Identifier: Apache-2.0
#include "guest/worktree/read_window.h"

#include "guest/protocol/lower_wire.h"

#include <algorithm>
#include <utility>

namespace carrel::worktree {
namespace {

constexpr std::uint32_t kLargePart = lower::kMaxRead;
constexpr std::uint32_t kSmallPart = 64 * 1024;
// Shorter than this a reply fits into one buffer of a port's: there is nothing to save.
constexpr std::uint32_t kWorthIt = 4096 - 256;

} // namespace

ReadWindow::ReadWindow(std::span<const std::byte> memory)
    : m_memory(memory) {
    // A quarter for small parts.
    const std::uint64_t forSmall = memory.size() / 4;
    std::uint64_t at = 0;
    for (; at + kSmallPart <= forSmall; at += kSmallPart) {
        m_small.push_back(at);
    }
    for (; at + kLargePart <= memory.size(); at += kLargePart) {
        m_large.push_back(at);
    }
}

std::optional<ReadWindow::Part> ReadWindow::lend(std::uint32_t bytes) {
    if (bytes < kWorthIt || bytes > kLargePart) {
        return std::nullopt;
    }
    const std::lock_guard lock(m_mutex);
    const bool small = bytes <= kSmallPart && !m_small.empty();
    auto& free = small ? m_small : m_large;
    if (free.empty()) {
        return std::nullopt;
    }
    const auto offset = free.back();
    free.pop_back();
    return Part(*this, offset, small ? kSmallPart : kLargePart);
}

void ReadWindow::giveBack(std::uint64_t offset, std::uint32_t size) {
    const std::lock_guard lock(m_mutex);
    putFree(offset, size);
}

void ReadWindow::putFree(std::uint64_t offset, std::uint32_t size) {
    (size == kSmallPart ? m_small : m_large).push_back(offset);
}

void ReadWindow::abandon(const Abandoned& part) {
    const std::lock_guard lock(m_mutex);
    if (part.asked == 0 || part.asked < m_epoch) {
        putFree(part.offset, part.size);
    } else {
        m_abandoned.push_back(part);
    }
}

void ReadWindow::onEpoch(std::uint64_t epoch) {
    const std::lock_guard lock(m_mutex);
    m_epoch = std::max(m_epoch, epoch);
    std::erase_if(m_abandoned, [this](const Abandoned& part) {
        const bool over = part.asked < m_epoch;
        if (over) {
            putFree(part.offset, part.size);
        }
        return over;
    });
}

ReadWindow::Part::Part(ReadWindow& window, std::uint64_t offset, std::uint32_t size)
    : m_window(&window)
    , m_offset(offset)
    , m_size(size) {}

ReadWindow::Part::Part(Part&& other) noexcept
    : m_window(std::exchange(other.m_window, nullptr))
    , m_offset(other.m_offset)
    , m_size(other.m_size) {}

ReadWindow::Part::~Part() {
    if (m_window != nullptr) {
        m_window->giveBack(m_offset, m_size);
    }
}

void ReadWindow::Part::abandon(std::uint64_t asked) {
    if (m_window != nullptr) {
        std::exchange(m_window, nullptr)->abandon({m_offset, m_size, asked});
    }
}

ByteSpan ReadWindow::Part::first(std::uint32_t bytes) const {
    return m_window == nullptr || bytes > m_size ? ByteSpan() : m_window->m_memory.subspan(m_offset, bytes);
}

} // namespace carrel::worktree
