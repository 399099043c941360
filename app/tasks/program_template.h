// SPDX-License-Identifier: Apache-2.0
// How a program's words are made from what is known of a model: "{url}" in a text of resources/agent/programs.toml stands for its address.
// Only the words below are replaced, once each from left to right, so that what is put in is never read as a template; other braces are
// text. In JSON they stand in strings and names alone, after it was read: whatever is put in, it stays one string.
// Thread: pure functions.
#pragma once

#include "guest/protocol/result.h"

#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::tasks {

struct TemplateWords {
    std::string url, model, key, provider, dir;
    std::optional<std::uint64_t> window; // none: nobody has said
};

// None: it names {window}, and nobody has said.
[[nodiscard]] std::optional<std::string> filled(std::string_view text, const TemplateWords& words);
// As text. A string that is "{window}" and nothing else becomes a number.
[[nodiscard]] std::optional<std::string> filledJson(const boost::json::value& json, const TemplateWords& words);

} // namespace carrel::tasks
