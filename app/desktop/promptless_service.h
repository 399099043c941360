// SPDX-License-Identifier: Apache-2.0
// libsecret's proxy of the Secret Service with every prompt refused, over a connection of ours. Thread: as GLib's proxies.
#pragma once

#include "app/desktop/glib.h"
#include "app/desktop/session_bus.h"

#include <libsecret/secret.h>

namespace carrel::desktop {

inline constexpr const char* kSecretServiceName = "org.freedesktop.secrets";

// Starts the service where it does not run yet. What needed a prompt fails with SECRET_ERROR_IS_LOCKED.
[[nodiscard]] Ref<SecretService> openPromptless(GDBusConnection* bus, const Deadline& deadline, GError** error);

} // namespace carrel::desktop
