// SPDX-License-Identifier: Apache-2.0
// How long a keyring is waited for.
#pragma once

#include <chrono>

namespace carrel::desktop {

inline constexpr std::chrono::seconds kKeyringPatience{10}; // a keyring is started by the first who asks
inline constexpr std::chrono::seconds kKeyringBreather{10};

} // namespace carrel::desktop
