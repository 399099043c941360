// SPDX-License-Identifier: Apache-2.0
// May a file's content be taken for the version that its time stamps name? See ShareBroker. Thread: pure
// functions and one move-only value.
#pragma once

#include <chrono>
#include <sys/stat.h>
#include <utility>

namespace carrel::clerk {

// A read lease (fcntl(2), F_SETLEASE): there is nobody with the file open for writing, and whoever opens it
// so waits until this is gone. Keep it for one copy, no longer.
class ReadLease {
public:
    enum class Outcome { Held, WriterThere, Unavailable };
    ReadLease() = default;
    ReadLease(ReadLease&& other) noexcept
        : m_fd(std::exchange(other.m_fd, -1)) {}
    ReadLease& operator=(ReadLease&&) = delete;
    ReadLease(const ReadLease&) = delete;
    ReadLease& operator=(const ReadLease&) = delete;
    ~ReadLease();
    [[nodiscard]] Outcome take(int fd);

private:
    int m_fd = -1;
};

struct Settlement {
    enum class Kind {
        Settled, // the content is the version's
        AtRisk,  // very probably; a writer has it open, and a long write would only be seen by its end
        Wait,    // ask again after `wait`
    };
    Kind kind = Kind::Settled;
    std::chrono::nanoseconds wait{0};
    std::chrono::nanoseconds patience{0}; // waiting longer than this in all is pointless
};

// `now` by the clock that stamps files (CLOCK_REALTIME_COARSE). Puts a lease into `lease` where it needs one.
[[nodiscard]] Settlement judge(int fd, const struct stat& info, std::chrono::nanoseconds now,
                               ReadLease& lease);

} // namespace carrel::clerk
