// SPDX-License-Identifier: Apache-2.0
// Notifications by the user's desktop: org.freedesktop.Notifications (Desktop Notifications Specification 1.2), over GDBus
// (session_bus.h says why). They say that something waits, and offer no action: there is no window yet that one could open, and
// a yes or no on a notification would be given without having looked.
//
// Everything on the bus is done by a thread of this object's own, so that a slow or broken service holds up nobody:
//   no bus, no service      nothing is shown, and that is told once; one that comes later shows what still waits
//   no answer in time       nothing is tried for Options::tryAgainAfter
//   the service starts anew what still waits is shown again, within NoticeBoard's limits
// At its end it closes what it has shown, as the answer that it asks for could not be given any more.
// Owner: the engine. Thread: show() and withdraw() any; the destructor takes at most a second, and what is under way then.
#pragma once

#include "app/desktop/notice_board.h"
#include "app/desktop/session_bus_address.h"

#include <functional>
#include <memory>

namespace carrel::desktop {

class DesktopNotifier final : public Notifier {
public:
    struct Options {
        std::function<std::optional<std::string>()> bus = sessionBusAddress; // asked again as long as there is none
        std::function<void(const std::string&)> tell; // one line for the engine's own log; from the object's thread, once
        std::chrono::milliseconds answerWithin{5'000};
        std::chrono::milliseconds tryAgainAfter{60'000};
        NoticeBoard::Limits limits;
    };
    explicit DesktopNotifier(Options options);
    ~DesktopNotifier() override;
    DesktopNotifier(const DesktopNotifier&) = delete;
    DesktopNotifier& operator=(const DesktopNotifier&) = delete;

    void show(const Waiting& waiting) override;
    void withdraw(std::uint64_t id) override;

private:
    class Worker;
    std::unique_ptr<Worker> m_worker;
};

} // namespace carrel::desktop
