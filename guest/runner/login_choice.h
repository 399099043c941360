// SPDX-License-Identifier: Apache-2.0
// Which of the ways to log in that an agent program offers needs no person. Thread: pure functions.
#pragma once

#include "guest/acp/session.h"

#include <set>

namespace carrel::runner {

// One that goes by a variable which is there: its id is the variable's name in other letters ("gemini-api-key"), or its description
// names it ("Requires setting the `OPENAI_API_KEY` environment variable"). Null: none. Points into `ways`.
[[nodiscard]] const acp::AuthMethod* loginWithoutPerson(const std::vector<acp::AuthMethod>& ways,
                                                        const std::set<std::string, std::less<>>& variables);

} // namespace carrel::runner
