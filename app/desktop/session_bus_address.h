// SPDX-License-Identifier: Apache-2.0
// Where the user's session bus is. Thread: any; reads the environment and looks at one socket.
#pragma once

#include <optional>
#include <string>

namespace carrel::desktop {

// DBUS_SESSION_BUS_ADDRESS, else the socket `bus` in XDG_RUNTIME_DIR; none: there is none. Only sockets of this computer
// count: GLib would start a program for "autolaunch:", and go over the network for "tcp:".
[[nodiscard]] std::optional<std::string> sessionBusAddress();

} // namespace carrel::desktop
