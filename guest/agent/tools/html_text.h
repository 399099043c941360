// SPDX-License-Identifier: Apache-2.0
// What a person reads of a page in HTML: its words, with headings, lists and links as Markdown has them. Not a browser: it knows no
// styles and runs nothing, and nonsense becomes some text. The time is in proportion to the length. Thread: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace carrel::agent {

// `html` as UTF-8; so is what comes.
[[nodiscard]] std::string htmlText(std::string_view html);

} // namespace carrel::agent
