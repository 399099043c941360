// SPDX-License-Identifier: Apache-2.0
// A head or a key as somebody hands it in: whatever is read says the same when it is written again, and nothing but what was signed is
// genuine.
#include "app/activity/signature.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::activity;

namespace {

void expect(bool good) {
    if (!good) {
        std::abort();
    }
}

// The line itself; a line end at its end is no part of it.
std::string_view withoutEnd(std::string_view text) {
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    if (text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    return text;
}

SignedHead signedOnce() {
    std::array<unsigned char, 32> seed{1};
    SignedHead head;
    head.seq = 20;
    head.timeNs = 7;
    head.reason = "session";
    expect(SigningKey::fromSeed(seed).value().sign(head).has_value());
    return head;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const SignedHead genuine = signedOnce();
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto key = publicKeyFrom(text)) {
        expect(textOf(*key) == withoutEnd(text));
    }
    if (const auto head = signedHeadFrom(text)) {
        expect(textOf(*head) == withoutEnd(text));
        expect(head->key != genuine.key || !isGenuine(*head) || *head == genuine);
    }
    // The genuine one with a byte changed.
    if (size >= 3) {
        auto line = textOf(genuine);
        line[(static_cast<std::size_t>(data[0]) << 8U | data[1]) % line.size()] = static_cast<char>(data[2]);
        const auto changed = signedHeadFrom(line);
        expect(!changed || !isGenuine(*changed) || *changed == genuine);
    }
    return 0;
}
