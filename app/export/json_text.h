// SPDX-License-Identifier: Apache-2.0
// JSON (RFC 8259) for strangers' programs: always UTF-8, whatever it is made of. Thread: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace carrel::exporting {

// A string with its quotation marks; what is not UTF-8 becomes U+FFFD.
[[nodiscard]] std::string jsonString(std::string_view text);
[[nodiscard]] std::string valid(std::string_view text);

// JSON as it may stand inside <script type="application/json">, where the parser of HTML looks for markup and knows nothing of strings
// (html.spec.whatwg.org, "Restrictions for contents of script elements"): the same value, without `<`, `>`, `&` and line separators,
// which occur within strings only.
[[nodiscard]] std::string insideScript(std::string json);

// Text of HTML, or of an attribute's value in double quotation marks.
[[nodiscard]] std::string asMarkupText(std::string_view text);

} // namespace carrel::exporting
