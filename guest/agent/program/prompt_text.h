// SPDX-License-Identifier: Apache-2.0
// What the user sent with a prompt, as the one text that a model gets. Thread: pure functions.
#pragma once

#include "guest/acp/session.h"

namespace carrel::agent {

// Unsupported: a piece of a kind that no model is shown here, with what to do. InvalidArgument: there is no word in it.
[[nodiscard]] Result<std::string> promptText(const std::vector<acp::Block>& blocks);
// "file:///a%20b" is "/a b"; any other address is itself.
[[nodiscard]] std::string placeOfUri(std::string_view uri);

} // namespace carrel::agent
