// SPDX-License-Identifier: Apache-2.0
#include "app/relay/request_keys.h"

#include "app/relay/base64.h"

#include <algorithm>

namespace carrel::relay {

namespace {

// "Basic" and its blanks taken away, decoded.
std::optional<SecretText> basicCredentials(std::string_view value) {
    const auto blank = value.find(' ');
    if (blank == std::string_view::npos || !isSameWord(value.substr(0, blank), "basic")) {
        return std::nullopt;
    }
    return fromBase64(trimmed(value.substr(blank)));
}

bool holdsAny(std::string_view value, const std::vector<Placeholder>& known) {
    return std::any_of(known.begin(), known.end(), [&](const Placeholder& each) { return holdsPlaceholder(value, each.text); });
}

} // namespace

bool holdsPlaceholder(std::string_view value, std::string_view placeholder) {
    if (placeholder.size() < kMinPlaceholder) {
        return false;
    }
    if (value.find(placeholder) != std::string_view::npos) {
        return true;
    }
    const auto basic = basicCredentials(value);
    return basic && view(*basic).find(placeholder) != std::string_view::npos;
}

std::vector<std::string> placeholdersIn(const Fields& fields, const std::vector<Placeholder>& known) {
    std::vector<std::string> names;
    for (const auto& each : known) {
        if (std::any_of(fields.begin(), fields.end(), [&](const Field& field) { return holdsPlaceholder(field.value, each.text); })) {
            names.push_back(each.name);
        }
    }
    return names;
}

bool isOfIdentity(std::string_view field) {
    static constexpr std::string_view kNames[] = {
        "authorization", "proxy-authorization", "cookie",       "x-api-key",     "api-key",           "x-goog-api-key",
        "x-auth-token",  "x-access-token",      "x-auth-key",   "private-token", "deploy-token",      "job-token",
        "x-amz-security-token", "x-github-token", "x-gitlab-token", "x-functions-key"};
    return std::any_of(std::begin(kNames), std::end(kNames), [&](auto name) { return isSameWord(name, field); });
}

bool mayHoldKey(std::string_view field) {
    return isOfIdentity(field) && !isSameWord(field, "cookie") && !isSameWord(field, "proxy-authorization");
}

std::vector<std::string> ownKeysIn(const Fields& fields, const std::vector<Placeholder>& known, std::string_view boundField) {
    std::vector<std::string> names;
    for (const auto& field : fields) {
        const bool isKey = (isOfIdentity(field.name) && !isField(field, "cookie")) || (!boundField.empty() && isField(field, boundField));
        if (!isKey || field.value.empty() || holdsAny(field.value, known)) {
            continue;
        }
        std::string name;
        std::transform(field.name.begin(), field.name.end(), std::back_inserter(name), lowerOf);
        if (std::find(names.begin(), names.end(), name) == names.end()) {
            names.push_back(std::move(name));
        }
    }
    return names;
}

std::vector<SecretText> secretsIn(std::string_view value) {
    std::vector<SecretText> out;
    out.push_back(secretText(value));
    if (const auto blank = value.find(' '); blank != std::string_view::npos) {
        out.push_back(secretText(trimmed(value.substr(blank))));
    }
    if (auto basic = basicCredentials(value)) {
        const auto text = view(*basic);
        if (const auto colon = text.find(':'); colon != std::string_view::npos) {
            // Git hosts take a token as the user, too, with any password.
            const auto user = text.substr(0, colon);
            const auto password = text.substr(colon + 1);
            out.push_back(secretText(password.size() >= kMinPlaceholder || user.size() < password.size() ? password : user));
        }
        out.push_back(std::move(*basic));
    }
    return out;
}

} // namespace carrel::relay
