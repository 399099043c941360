// SPDX-License-Identifier: Apache-2.0
// The environment of the agent's programs, for those that do not look into the system's store of certificates (trust_store.h) of
// their own. As few as will do: each changes programs that nobody here knows. A variable that the caller sets wins.
// Thread: pure functions.
#pragma once

#include "guest/guestd/trust_store.h"

#include <map>
#include <span>

namespace carrel::guestd {

struct TrustVariable {
    // Adds: to what the program trusts by itself. Instead: in the place of that, so it is set only where the store is whole.
    enum class Effect { Adds, Instead };
    const char* name;
    const char* value;
    Effect effect;
    const char* why;
};
[[nodiscard]] std::span<const TrustVariable> allTrustVariables();
[[nodiscard]] std::map<std::string, std::string> trustVariables(TrustStore store);

} // namespace carrel::guestd
