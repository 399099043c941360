// SPDX-License-Identifier: Apache-2.0
// Keeps a guest's clock right while nothing else is said to it: tells it the time when this computer's clock was set, also because the
// computer has slept, and after so long that the two may have drifted apart. By timerfd_create(2) with TFD_TIMER_CANCEL_ON_SET, so
// that nobody has to look in between.
//
// One message of its own is under way at a time: a machine that stands still does not answer, and is not told again and again; before
// it goes on, the engine has it told (link.h, clock). What came due meanwhile, or before the guest had greeted, is told then.
// Thread: the event loop's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <functional>

namespace carrel::clerk {

// A clock that nobody keeps goes wrong by a few seconds a day: by some hundredths of one until then.
inline constexpr std::chrono::minutes kDriftPatience{15};

class GuestClock {
public:
    // Tells the guest; `answered` is called once, however that went, maybe before this returns.
    using Tell = std::function<void(std::function<void()> answered)>;

    GuestClock(boost::asio::io_context& loop, Tell tell, std::chrono::nanoseconds patience = kDriftPatience);
    GuestClock(const GuestClock&) = delete;
    GuestClock& operator=(const GuestClock&) = delete;

    void greeted();   // the guest takes messages
    void forgotten(); // until it has greeted again, which tells it the time
    [[nodiscard]] int timer() { return m_timer.native_handle(); }

private:
    void arm();
    void wait();
    void tellIfDue();

    boost::asio::posix::stream_descriptor m_timer;
    Tell m_tell;
    std::chrono::nanoseconds m_patience;
    bool m_greeted = false;
    bool m_due = false;
    bool m_underWay = false;
};

} // namespace carrel::clerk
