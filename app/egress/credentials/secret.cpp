// SPDX-License-Identifier: Apache-2.0
#include "app/egress/credentials/secret.h"

#include <algorithm>

namespace carrel::egress {
namespace {

void dropLineEnd(relay::SecretText& text) {
    if (!text.empty() && text.back() == '\n') {
        text.pop_back();
        if (!text.empty() && text.back() == '\r') {
            text.pop_back();
        }
    }
}

} // namespace

Result<Secret> Secret::ofCredential(relay::SecretText text) {
    dropLineEnd(text);
    if (text.size() < kMinSecretBytes || text.size() > kMaxSecretBytes) {
        return fail(ErrorCode::InvalidArgument,
                    "The value has fewer than " + std::to_string(kMinSecretBytes) + " or more than " + std::to_string(kMaxSecretBytes) +
                        " bytes",
                    "Give the whole value and nothing else");
    }
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (!plain || text.front() == ' ' || text.back() == ' ') {
        return fail(ErrorCode::InvalidArgument, "The value holds something that cannot stand in a header field",
                    "Give it as one line, in letters, digits and signs of ASCII, without blanks around it");
    }
    return Secret(std::move(text));
}

Result<Secret> Secret::ofPassphrase(relay::SecretText text) {
    dropLineEnd(text);
    if (text.size() < kMinSecretBytes || text.size() > kMaxSecretBytes) {
        return fail(ErrorCode::InvalidArgument,
                    "The passphrase has fewer than " + std::to_string(kMinSecretBytes) + " or more than " +
                        std::to_string(kMaxSecretBytes) + " bytes",
                    "Choose one of several words");
    }
    return Secret(std::move(text));
}

} // namespace carrel::egress
