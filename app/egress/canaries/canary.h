// SPDX-License-Identifier: Apache-2.0
// A canary of the owner's: a text that is planted where nobody has honest business with it, in a folder that an agent reads, or as what
// looks like a credential. One that an agent sends somewhere shows that it takes things along (app/relay/canary_watch.h looks for them).
//
// Its text is no secret, and shown to the owner when asked for. It is in no log: who reads one could send the rest past the search.
// Thread: values, pure functions.
#pragma once

#include "app/relay/canary_words.h"
#include "guest/protocol/result.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace carrel::egress {

inline constexpr std::size_t kMaxCanaries = 64; // so that one message to a clerk names them all
inline constexpr std::size_t kMaxCanaryAgents = 64;
inline constexpr std::size_t kMaxCanaryText = relay::kMaxCanary;
inline constexpr std::size_t kMaxPlanted = 400;
inline constexpr std::size_t kMinCanaryLetters = 6; // different ones: else it could stand somewhere by chance

struct Canary {
    std::string name; // as a credential's: lower-case letters, digits, "-", "_", "."
    std::string text; // without what is written otherwise in JSON, HTML or a URL
    std::vector<std::string> agents;     // ids; empty: all
    std::string planted;                 // where, in the owner's words; may be empty
    std::optional<std::string> variable; // of its agents' environment, that holds it like a credential
    std::int64_t createdMs = 0;          // since 1970
};

// InvalidArgument: with what is wrong with it, and what would be right.
[[nodiscard]] Status check(const Canary& canary);
[[nodiscard]] bool isFor(const Canary& canary, std::string_view agent);

// What is made up for the owner: like the key of a service, a word that nobody uses, like the name of an access key of AWS.
enum class CanaryShape { Token, Text, Aws };
[[nodiscard]] std::string_view toString(CanaryShape shape);
[[nodiscard]] std::optional<CanaryShape> canaryShapeFrom(std::string_view text);
[[nodiscard]] Result<std::string> newCanaryText(CanaryShape shape);

[[nodiscard]] boost::json::object toJson(const Canary& canary); // of the file
[[nodiscard]] Result<Canary> canaryFrom(const boost::json::object& object);

} // namespace carrel::egress
