// SPDX-License-Identifier: Apache-2.0
// What of a credential may be told: where it goes, how it is written there, and for whom. Its value is elsewhere (secret_store.h).
//
// It is bound to hosts by their very names: nowhere else is it ever sent, and these hosts get no other key from an agent that may use
// it. Methods and paths bind it further. Whether an agent may use it is decided by the rules (Action::Credential), too.
// Thread: values, pure functions.
#pragma once

#include "app/egress/credentials/placeholder.h"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <vector>

namespace carrel::egress {

inline constexpr std::size_t kMaxCredentialHosts = 16;
inline constexpr std::size_t kMaxCredentialMethods = 16;
inline constexpr std::size_t kMaxCredentialPaths = 64;
inline constexpr std::size_t kMaxCredentialAgents = 64;
inline constexpr std::string_view kDefaultHeader = "Authorization";
inline constexpr std::string_view kDefaultFormat = "Bearer {}";

enum class Keeper { Keyring, SealedFile }; // where its value is
[[nodiscard]] std::string_view toString(Keeper keeper);

struct Credential {
    std::string name; // of lower-case letters, digits, "-", "_", ".": as rules name it
    std::vector<std::string> hosts;
    std::string header{kDefaultHeader};
    std::string format{kDefaultFormat};  // of the field's value; "{}" once, for the secret
    std::optional<std::string> basicUser; // instead of a format: Basic (RFC 7617), as git over https has it
    std::vector<std::string> methods;    // empty: any
    std::vector<std::string> paths;      // empty: any; a path, or one that ends with "/*" for all below
    std::vector<std::string> agents;     // ids; empty: any
    std::optional<std::string> variable; // of an agent's environment, that holds the placeholder
    Keeper keeper = Keeper::Keyring;
    PlaceholderShape shape;
    std::int64_t createdMs = 0, usedMs = 0; // since 1970; 0: never
};

[[nodiscard]] bool isCredentialName(std::string_view text);
[[nodiscard]] bool isVariableName(std::string_view text); // of an environment
// InvalidArgument: with what is wrong with it, and what would be right.
[[nodiscard]] Status check(const Credential& credential);
[[nodiscard]] bool isFor(const Credential& credential, std::string_view agent);
[[nodiscard]] bool isBoundTo(const Credential& credential, std::string_view host);
// A path without its query, as the clerk normalised it.
[[nodiscard]] bool reaches(const Credential& credential, std::string_view method, std::string_view path);

// The whole value of the header field, with the secret.
[[nodiscard]] relay::SecretText headerValue(const Credential& credential, const Secret& value);

[[nodiscard]] boost::json::object toJson(const Credential& credential); // of the file
[[nodiscard]] Result<Credential> credentialFrom(const boost::json::object& object);

} // namespace carrel::egress
