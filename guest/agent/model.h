// SPDX-License-Identifier: Apache-2.0
// Somebody who takes turns in a conversation. http_model.h is the one of the product.
#pragma once

#include "guest/agent/model_turn.h"
#include "guest/agent/turn_builder.h"
#include "guest/agent/turn_failure.h"

#include <functional>
#include <stop_token>

namespace carrel::agent {

class Model {
public:
    virtual ~Model() = default;
    // One turn. Each delta goes to `builder`, which its owner made for this turn and looks at afterwards, and, once it is taken there, to
    // `shown`, both on the caller's thread. Returns when the turn is over, or soon after `stop`: Cancelled then.
    [[nodiscard]] virtual TurnStatus turn(const TurnRequest& request, TurnBuilder& builder, const std::function<void(const Delta&)>& shown,
                                          const std::stop_token& stop) = 0;
};

} // namespace carrel::agent
