// SPDX-License-Identifier: Apache-2.0
// Rules that somebody imports: whatever is read can be written, and comes back as it was. And the claim of a guest: always
// one line of text, and never longer than it may be.
#include "app/policy/approval.h"
#include "app/policy/path_pattern.h"
#include "app/policy/rules_text.h"
#include "guest/protocol/share_path.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::policy;

namespace {

void expect(bool good) {
    if (!good) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto set = rulesFrom(text)) {
        const auto again = rulesFrom(toToml(*set));
        expect(again.has_value() && *again == *set);
        for (const auto& rule : set->rules) {
            expect(check(rule).has_value() && !describe(rule, "desk").empty());
        }
    }
    const auto claim = claimOf(text);
    std::size_t characters = 0;
    for (const char c : claim) {
        const auto byte = static_cast<unsigned char>(c);
        expect(byte >= 0x20 && byte != 0x7f);
        characters += (byte & 0xc0U) != 0x80 ? 1 : 0;
    }
    expect(isUtf8(claim) && characters <= kMaxClaimCharacters);
    const auto pattern = literalPattern(text);
    expect(isLiteralPattern(pattern));
    if (text.find('\0') == std::string_view::npos && isUtf8(text)) {
        expect(matchesValue(FieldKind::PathPattern, pattern, text));
    }
    // A pattern, and what a guest calls a file.
    const auto half = std::min(text.find('\n'), text.size());
    const auto wanted = text.substr(0, half);
    const auto path = text.substr(std::min(half + 1, text.size()));
    if (half < 200 && path.size() < 400) {
        expect(!coversAllOf(wanted, path) || matchesPattern(wanted, path));
        expect(!matchesPattern(wanted, path) || reachesInto(wanted, path));
    }
    return 0;
}
