// SPDX-License-Identifier: Apache-2.0
// The user's session bus (D-Bus specification 0.41), and a bound on how long anything there may take.
//
// By GDBus: it is what libsecret, which the keyring needs, is made of, so it costs no further library; it is kept up with
// GLib itself, and each of its calls can be cancelled from another thread. A connection of our own is used, never the one
// that g_bus_get() shares: that one ends the process when the bus goes away, and the engine outlives a desktop's session.
// Thread: any; a connection has one owner. Blocks for the bus, at most as long as the Deadline says.
#pragma once

#include "app/desktop/glib.h"
#include "app/desktop/session_bus_address.h"
#include "guest/protocol/result.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>

namespace carrel::desktop {

// Cancels whatever is called with it when the time has passed, or when it is told to stop.
class Deadline {
public:
    explicit Deadline(std::chrono::milliseconds most, std::stop_token stop = {});
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    [[nodiscard]] GCancellable* cancellable() const { return m_cancellable.get(); }
    [[nodiscard]] bool passed() const { return g_cancellable_is_cancelled(m_cancellable.get()) != FALSE; }

private:
    Ref<GCancellable> m_cancellable;
    std::mutex m_mutex;
    std::condition_variable_any m_done;
    std::jthread m_watch; // last: it uses the others
};

// NotFound: there is no bus. Unavailable: there is one, and it does not answer, or not in time.
[[nodiscard]] Result<Ref<GDBusConnection>> openBus(const std::optional<std::string>& address, const Deadline& deadline);

// Whether somebody has that name on the bus, or would be started for it. An error: as above.
[[nodiscard]] Result<bool> isServed(GDBusConnection* bus, const char* name, const Deadline& deadline);

} // namespace carrel::desktop
