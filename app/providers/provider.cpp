// SPDX-License-Identifier: Apache-2.0
#include "app/providers/provider.h"

#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::providers {

namespace json = boost::json;

bool isProviderName(std::string_view text) {
    const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'; };
    return !text.empty() && text.size() <= kMaxProviderName && std::all_of(text.begin(), text.end(), fits) && text != kNoProvider;
}

Status check(const Provider& of) {
    const auto bad = [](const char* what, const char* hint) -> Status { return fail(ErrorCode::InvalidArgument, what, hint); };
    if (!isProviderName(of.name)) {
        return bad("That cannot be the name of a provider", "Use 1 to 32 lower-case letters, digits, \"-\", \"_\" and \".\", and not \"none\"");
    }
    const bool printable = std::all_of(of.model.begin(), of.model.end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (of.model.empty() || of.model.size() > kMaxModelName || !printable || of.model.front() == ' ' || of.model.back() == ' ') {
        return bad("That cannot be the name of a model", "Name it as its provider does, in 1 to 200 printable characters of ASCII");
    }
    if (of.window && (*of.window < kMinWindow || *of.window > kMaxWindow)) {
        return bad("That is no size of a model's window", "Give a number of tokens from 1000 to 1000000000, as in --window 200000");
    }
    if (of.credential && (*of.credential).empty()) {
        return bad("A credential has a name", "See: carrel credential list");
    }
    return of.credential ? mayHaveKey(of.url) : Status();
}

Status mayHaveKey(const ModelUrl& url) {
    if (url.scheme() != ModelUrl::Scheme::Https) {
        return fail(ErrorCode::InvalidArgument, "A key is never sent without TLS, and " + url.text() + " is plain HTTP",
                    "Use an address with https://, or no key: --no-key");
    }
    if (url.destination().address() != nullptr) {
        return fail(ErrorCode::InvalidArgument, "A key is bound to a host by its name, and " + url.text() + " has none",
                    "Use an address with the host's name, or no key: --no-key");
    }
    return {};
}

json::object toJson(const Provider& of) {
    json::object out{{"name", of.name}, {"api", toString(of.api)}, {"url", of.url.text()}, {"model", of.model}, {"created_ms", of.createdMs}};
    if (of.window) {
        out["window"] = *of.window;
    }
    if (of.credential) {
        out["credential"] = *of.credential;
    }
    return out;
}

Result<Provider> providerFrom(const json::object& object) {
    JsonFields fields(object, "a provider");
    const auto name = fields.string("name", kMaxProviderName);
    const auto api = relay::modelApiFrom(fields.string("api", 16));
    const auto url = ModelUrl::parse(fields.string("url", kMaxUrl));
    const auto model = fields.string("model", kMaxModelName);
    const auto window = fields.optionalNumber("window", kMaxWindow);
    const auto credential = fields.optionalString("credential", 64);
    const auto created = fields.signedNumber("created_ms");
    if (!api) {
        fields.problem("api", "is none that is known");
    }
    if (!url) {
        fields.problem("url", "is none");
    }
    CARREL_TRY(fields.finish());
    Provider out{name, *api, *url, model, window, credential, created};
    CARREL_TRY(check(out));
    return out;
}

} // namespace carrel::providers
