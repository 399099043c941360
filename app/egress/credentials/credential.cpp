// SPDX-License-Identifier: Apache-2.0
#include "app/egress/credentials/credential.h"

#include "app/egress/destination.h"
#include "app/policy/rule.h"
#include "app/relay/base64.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::egress {

namespace json = boost::json;

namespace {

constexpr std::string_view kHole = "{}";
constexpr std::size_t kMaxName = 64, kMaxHeader = 64, kMaxFormat = 200, kMaxUser = 128, kMaxVariable = 64;
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", kLower = "abcdefghijklmnopqrstuvwxyz", kDigits = "0123456789";

bool isOf(std::string_view text, std::size_t most, std::initializer_list<std::string_view> sets) {
    return !text.empty() && text.size() <= most && std::all_of(text.begin(), text.end(), [&](char c) {
        return std::any_of(sets.begin(), sets.end(), [&](std::string_view set) { return set.find(c) != std::string_view::npos; });
    });
}

bool isPrintable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// Fields that frame a message, name the host or are the road's own: a secret there would be somebody else's message.
bool isHeader(std::string_view name) {
    static constexpr std::array<std::string_view, 16> kTaken{
        "host",    "content-length", "transfer-encoding", "connection", "upgrade", "te",    "trailer",         "expect",
        "cookie",  "range",          "accept-encoding",   "via",        "date",    "keep-alive", "proxy-connection", "content-type"};
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return isOf(name, kMaxHeader, {kUpper, kLower, kDigits, "-_"}) && std::find(kTaken.begin(), kTaken.end(), lower) == kTaken.end();
}

bool isFormat(std::string_view format) {
    const auto at = format.find(kHole);
    return format.size() <= kMaxFormat && at != std::string_view::npos && format.find(kHole, at + 1) == std::string_view::npos &&
           isPrintable(format) && format.front() != ' ' && format.back() != ' ';
}

bool isPath(std::string_view path) {
    const auto whole = path.ends_with("/*") ? path.substr(0, path.size() - 1) : path;
    policy::Request request;
    request.agent = "any";
    request.action = policy::Action::Network;
    request.fields = {{"host", "example.org"}, {"port", "443"}, {"path", std::string(whole)}};
    return whole.find('*') == std::string_view::npos && whole.find('?') == std::string_view::npos && isPrintable(whole) &&
           policy::check(request).has_value();
}

json::array listOf(const std::vector<std::string>& texts) {
    json::array out;
    for (const auto& each : texts) {
        out.emplace_back(each);
    }
    return out;
}

template <class Is> bool all(const std::vector<std::string>& values, Is&& is) {
    return std::all_of(values.begin(), values.end(), std::forward<Is>(is));
}

} // namespace

std::string_view toString(Keeper keeper) {
    return keeper == Keeper::Keyring ? "keyring" : "file";
}

bool isCredentialName(std::string_view text) {
    return isOf(text, kMaxName, {kLower, kDigits, "-_."});
}

bool isVariableName(std::string_view text) {
    return isOf(text, kMaxVariable, {kUpper, kLower, kDigits, "_"}) && kDigits.find(text.front()) == std::string_view::npos;
}

Status check(const Credential& of) {
    const auto bad = [](const char* what, const char* hint) -> Status { return fail(ErrorCode::InvalidArgument, what, hint); };
    if (!isCredentialName(of.name)) {
        return bad("That cannot be the name of a credential", "Use 1 to 64 lower-case letters, digits, \"-\", \"_\" and \".\"");
    }
    if (of.hosts.empty() || of.hosts.size() > kMaxCredentialHosts ||
        !all(of.hosts, [](const std::string& host) { return HostName::parse(host).has_value(); })) {
        return bad("A credential is bound to 1 to 16 hosts, each by its whole name in lower case",
                   "Name them without a star, a port or a path, as in --host api.example.org");
    }
    if (!isHeader(of.header)) {
        return bad("That header field cannot hold a credential", "Use Authorization, x-api-key or the like");
    }
    if (!of.basicUser && !isFormat(of.format)) {
        return bad("That cannot be what a credential is written like", "Put {} once where the value belongs, as in \"Bearer {}\"");
    }
    if (of.basicUser && (of.basicUser->empty() || of.basicUser->size() > kMaxUser || !isPrintable(*of.basicUser) ||
                         of.basicUser->find(':') != std::string::npos)) {
        return bad("That user cannot stand before a password", "Use 1 to 128 printable characters of ASCII without a colon");
    }
    if (of.methods.size() > kMaxCredentialMethods || !all(of.methods, [](const std::string& each) { return isOf(each, 32, {kUpper, "-"}); })) {
        return bad("A credential has at most 16 methods, in capitals", "Write them like GET,POST");
    }
    if (of.paths.size() > kMaxCredentialPaths || !all(of.paths, isPath)) {
        return bad("A credential has at most 64 paths, each with a / at its beginning and a star only as /* at its end",
                   "Write /api/* for all that is below /api/, or a path as it is");
    }
    if (of.agents.size() > kMaxCredentialAgents) {
        return bad("A credential is for at most 64 agents", "Name fewer, or none: then a rule, or you, say which");
    }
    if (of.variable && !isVariableName(*of.variable)) {
        return bad("That cannot be the name of a variable", "Use letters, digits and \"_\", and no digit at the beginning");
    }
    return {};
}

bool isFor(const Credential& credential, std::string_view agent) {
    return credential.agents.empty() || std::find(credential.agents.begin(), credential.agents.end(), agent) != credential.agents.end();
}

bool isBoundTo(const Credential& credential, std::string_view host) {
    return std::find(credential.hosts.begin(), credential.hosts.end(), host) != credential.hosts.end();
}

bool reaches(const Credential& credential, std::string_view method, std::string_view path) {
    const bool methodFits =
        credential.methods.empty() || std::find(credential.methods.begin(), credential.methods.end(), method) != credential.methods.end();
    return methodFits && (credential.paths.empty() || std::any_of(credential.paths.begin(), credential.paths.end(), [&](const std::string& each) {
                              return each.ends_with("/*") ? path.starts_with(std::string_view(each).substr(0, each.size() - 1)) : path == each;
                          }));
}

relay::SecretText headerValue(const Credential& credential, const Secret& value) {
    relay::SecretText out;
    const auto put = [&](std::string_view text) { out.insert(out.end(), text.begin(), text.end()); };
    out.reserve(2 * kMaxSecretBytes);
    if (credential.basicUser) {
        relay::SecretText both;
        both.reserve(credential.basicUser->size() + 1 + value.size());
        both.insert(both.end(), credential.basicUser->begin(), credential.basicUser->end());
        both.push_back(':');
        both.insert(both.end(), value.reveal().begin(), value.reveal().end());
        put("Basic ");
        put(relay::view(relay::toBase64(relay::view(both))));
        return out;
    }
    const std::string_view format = credential.format;
    const auto at = format.find(kHole);
    put(format.substr(0, at));
    put(value.reveal());
    put(format.substr(at + kHole.size()));
    return out;
}

json::object toJson(const Credential& of) {
    json::object out{{"name", of.name},
                     {"hosts", listOf(of.hosts)},
                     {"header", of.header},
                     {"format", of.format},
                     {"methods", listOf(of.methods)},
                     {"paths", listOf(of.paths)},
                     {"agents", listOf(of.agents)},
                     {"kept", toString(of.keeper)},
                     {"prefix", of.shape.prefix},
                     {"length", of.shape.length},
                     {"letters", toString(of.shape.letters)},
                     {"created_ms", of.createdMs},
                     {"used_ms", of.usedMs}};
    if (of.basicUser) {
        out["basic"] = *of.basicUser;
    }
    if (of.variable) {
        out["env"] = *of.variable;
    }
    return out;
}

Result<Credential> credentialFrom(const json::object& object) {
    JsonFields fields(object, "a credential");
    Credential out;
    out.name = fields.string("name", kMaxName);
    out.hosts = fields.strings("hosts", kMaxCredentialHosts, kMaxHostName);
    out.header = fields.string("header", kMaxHeader);
    out.format = fields.string("format", kMaxFormat);
    out.basicUser = fields.optionalString("basic", kMaxUser);
    out.methods = fields.strings("methods", kMaxCredentialMethods, 32);
    out.paths = fields.strings("paths", kMaxCredentialPaths, policy::kMaxValueBytes);
    out.agents = fields.strings("agents", kMaxCredentialAgents, policy::kMaxIdBytes);
    out.variable = fields.optionalString("env", kMaxVariable);
    const auto kept = fields.string("kept", 16);
    out.keeper = kept == toString(Keeper::Keyring) ? Keeper::Keyring : Keeper::SealedFile;
    out.shape.prefix = fields.string("prefix", 32);
    out.shape.length = fields.number("length", kMaxPlaceholder);
    const auto letters = fields.string("letters", 16);
    bool known = false;
    for (const auto each : {PlaceholderShape::Letters::Hex, PlaceholderShape::Letters::Alphanumeric, PlaceholderShape::Letters::UrlSafe}) {
        if (toString(each) == letters) {
            out.shape.letters = each;
            known = true;
        }
    }
    out.createdMs = fields.signedNumber("created_ms");
    out.usedMs = fields.signedNumber("used_ms");
    if (!known || kept != toString(out.keeper) || !isShape(out.shape)) {
        fields.problem("letters", "are none");
    }
    CARREL_TRY(fields.finish());
    CARREL_TRY(check(out));
    return out;
}

} // namespace carrel::egress
