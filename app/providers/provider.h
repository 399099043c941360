// SPDX-License-Identifier: Apache-2.0
// A provider: who an agent's model is, where it is spoken with and how. Its key, where it has one, is a credential of the same name
// (app/egress/credentials), bound to the provider's host; here is only that there is one.
// Thread: values, pure functions.
#pragma once

#include "app/providers/model_url.h"
#include "app/relay/model_api.h"

#include <boost/json/object.hpp>

#include <optional>

namespace carrel::providers {

inline constexpr std::size_t kMaxProviderName = 32;
inline constexpr std::size_t kMaxModelName = 200;
inline constexpr std::uint64_t kMinWindow = 1'000, kMaxWindow = 1'000'000'000; // tokens
// Instead of a provider's name: an agent uses none.
inline constexpr std::string_view kNoProvider = "none";

// What is said where a model is needed and there is no provider.
inline constexpr std::string_view kNoModelYet = "No model yet. Add one: carrel provider add NAME --preset anthropic";

struct Provider {
    std::string name;
    relay::ModelApi api = relay::ModelApi::OpenAi;
    ModelUrl url;
    std::string model;
    std::optional<std::uint64_t> window;     // tokens that fit into one question
    std::optional<std::string> credential;   // none: no key is sent there
    std::int64_t createdMs = 0;              // since 1970
    friend bool operator==(const Provider&, const Provider&) = default;
};

[[nodiscard]] bool isProviderName(std::string_view text);
// InvalidArgument: with what is wrong with it, and what would be right.
[[nodiscard]] Status check(const Provider& provider);
// Whether a key can be sent there at all; an error says why not: a credential goes to a named host, and under TLS alone.
[[nodiscard]] Status mayHaveKey(const ModelUrl& url);

[[nodiscard]] boost::json::object toJson(const Provider& provider); // of the file
[[nodiscard]] Result<Provider> providerFrom(const boost::json::object& object);

} // namespace carrel::providers
