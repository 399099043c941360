// SPDX-License-Identifier: Apache-2.0
// Whether a provider is there: its name leads somewhere, a connection can be made, and where it speaks TLS its certificate holds for it.
// By the same way as agents' connections go (proxy, host's resolver, the computer's roots), and no byte of HTTP is said: that would be
// speaking with a model on nobody's behalf, with a key that does not leave its place for that.
// Thread: any; blocks, until `stop` at most.
#pragma once

#include "app/egress/networks.h"
#include "app/providers/provider.h"

#include <chrono>
#include <stop_token>

namespace carrel::providers {

struct Reach {
    struct Step {
        std::string_view what; // "address", "connection", "certificate"
        bool good = false;
        std::string words; // sentences; where it is not good, why and what to do
    };
    std::vector<Step> steps; // up to the first that is not good
    // Where the name leads to nothing of the internet at large: of these one has to be allowed by itself, by its address.
    std::vector<egress::Endpoint> special;
};

// `patience`: for the TLS; what comes before has its own.
[[nodiscard]] Reach tryToReach(const ModelUrl& url, const egress::Networks::Ways& ways, std::stop_token stop,
                               std::chrono::milliseconds patience = std::chrono::seconds(30));

} // namespace carrel::providers
