// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/guest_clock.h"

#include <sys/timerfd.h>
#include <unistd.h>

namespace carrel::clerk {

GuestClock::GuestClock(boost::asio::io_context& loop, Tell tell, std::chrono::nanoseconds patience)
    : m_timer(loop)
    , m_tell(std::move(tell))
    , m_patience(patience) {
    const int timer = ::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer >= 0) { // else the guest hears the time with each hello alone
        m_timer.assign(timer);
        arm();
        wait();
    }
}

void GuestClock::arm() {
    timespec now{};
    (void)::clock_gettime(CLOCK_REALTIME, &now);
    const auto until = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec) + m_patience;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(until);
    itimerspec at{};
    at.it_value = {static_cast<time_t>(seconds.count()), static_cast<long>((until - seconds).count())};
    (void)::timerfd_settime(m_timer.native_handle(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, nullptr);
}

void GuestClock::wait() {
    m_timer.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& ec) {
        if (ec) {
            return; // it is gone
        }
        // ECANCELED where the clock was set. Armed anew before the time is told, so that what happens in between is seen.
        std::uint64_t times = 0;
        [[maybe_unused]] const ssize_t got = ::read(m_timer.native_handle(), &times, sizeof times);
        arm();
        m_due = true;
        tellIfDue();
        wait();
    });
}

void GuestClock::tellIfDue() {
    if (!m_due || !m_greeted || m_underWay) {
        return;
    }
    m_due = false;
    m_underWay = true;
    m_tell([this] {
        m_underWay = false;
        tellIfDue();
    });
}

void GuestClock::greeted() {
    m_greeted = true;
    tellIfDue();
}

void GuestClock::forgotten() {
    m_greeted = false;
}

} // namespace carrel::clerk
