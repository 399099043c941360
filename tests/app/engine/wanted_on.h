// SPDX-License-Identifier: Apache-2.0
// What an owner decides who has just looked at a request.
#pragma once

#include "app/engine/approvals.h"

namespace carrel::engine::test {

inline policy::DecisionWanted wantedOn(Approvals& approvals, std::uint64_t id, policy::Effect effect) {
    const auto of = approvals.queue().find(id).value();
    policy::DecisionWanted wanted;
    wanted.id = id;
    wanted.effect = effect;
    wanted.digest = of.question.evidence.digest;
    wanted.revision = of.revision;
    wanted.asked = of.asked;
    wanted.by = "ada at the command line";
    return wanted;
}

} // namespace carrel::engine::test
