// SPDX-License-Identifier: Apache-2.0
// On whose behalf a request is made: the owner, or a client that presented a token. Decided once, when the
// connection begins, and never changed after that; a handler gets it with its call. Thread: values.
#pragma once

#include "app/api/wire.h"

#include <boost/json/object.hpp>

#include <algorithm>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::api {

struct Caller {
    Role role = Role::Owner;
    // Of a client:
    std::string client;              // its token's name
    std::vector<std::string> agents; // ids, not names: an agent made anew under an old name is another one
    std::stop_token ends;            // the token was revoked, or its time is over

    [[nodiscard]] bool isOwner() const { return role == Role::Owner; }
    [[nodiscard]] bool mayReach(std::string_view agentId) const {
        return isOwner() || std::find(agents.begin(), agents.end(), agentId) != agents.end();
    }
};

// What a token opened. A connection keeps it for its life.
struct Admission {
    Caller caller;
    boost::json::object told;    // the result of auth
    std::shared_ptr<void> place; // counts the connections of this token
};

} // namespace carrel::api
