// SPDX-License-Identifier: Apache-2.0
// resources/agent/prices.toml, as it was when this was built. Thread: pure.
#pragma once

#include <string_view>

namespace carrel::providers {

[[nodiscard]] std::string_view pricesText();

} // namespace carrel::providers
