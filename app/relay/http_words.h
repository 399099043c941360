// SPDX-License-Identifier: Apache-2.0
// The small words of HTTP (RFC 9110, section 5.6), and what is wrong with a message. Thread: pure functions.
#pragma once

#include <tl/expected.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::relay {

// What is wrong with a message: the status that says so to whoever sent it, if it was a request, and a sentence without its full
// stop, nothing of the peer's in it.
struct HttpFault {
    int status = 400;
    std::string why;
};
template <class T> using HttpResult = tl::expected<T, HttpFault>;
[[nodiscard]] inline tl::unexpected<HttpFault> httpFault(int status, std::string why) {
    return tl::unexpected<HttpFault>(HttpFault{status, std::move(why)});
}

[[nodiscard]] char lowerOf(char c);
[[nodiscard]] bool isSameWord(std::string_view a, std::string_view b); // letters of either case are the same
[[nodiscard]] bool isToken(std::string_view text);
[[nodiscard]] bool isFieldValue(std::string_view text); // no control character but tabs; bytes beyond ASCII may be
[[nodiscard]] std::string_view trimmed(std::string_view text); // of blanks and tabs
// Calls `take` with each element of a comma-separated list, trimmed, empty ones left out.
template <class Take> void eachOfList(std::string_view list, Take take) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (const auto element = trimmed(list.substr(0, comma)); !element.empty()) {
            take(element);
        }
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
}
[[nodiscard]] std::optional<unsigned> hexDigit(char c);
// Digits and nothing else, at most `most` of them, which must not be more than fit.
[[nodiscard]] std::optional<std::uint64_t> numberFrom(std::string_view text, unsigned base, std::size_t most);

} // namespace carrel::relay
