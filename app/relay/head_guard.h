// SPDX-License-Identifier: Apache-2.0
// What each head has to pass beyond its own good order, on a road (http_road.h) that is for more than a program and a host.
// Ownership: shared by the roads of one origin. Thread: theirs.
#pragma once

#include "app/relay/refusal_page.h"

#include <optional>

namespace carrel::relay {

class HeadGuard {
public:
    HeadGuard() = default;
    virtual ~HeadGuard() = default;
    HeadGuard(const HeadGuard&) = delete;
    HeadGuard& operator=(const HeadGuard&) = delete;

    // Each may change the head, which then goes on, or say that it does not.
    [[nodiscard]] virtual std::optional<Refusal> request(RequestHead& head) const = 0;
    // The one that counts, or the switch to a WebSocket; in answer to that request.
    [[nodiscard]] virtual std::optional<Refusal> response(ResponseHead& head, const RequestHead& to) const = 0;
    // What is answered where something does not go on: of the guard, or of the road itself.
    [[nodiscard]] virtual std::string page(const Refusal& refusal, std::string_view method, After after) const = 0;
};

} // namespace carrel::relay
