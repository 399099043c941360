// SPDX-License-Identifier: Apache-2.0
// The ways in which programs speak with models: a program is told which of them to use, and which header a key belongs into goes by it
// (app/providers). "openai" is whatever speaks as it does: most servers on the user's own computer. What an answer looks like is seen by
// itself (model_usage.h), for many hosts speak several.
// Thread: pure functions.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace carrel::relay {

enum class ModelApi { Anthropic, OpenAi, Gemini };
inline constexpr std::array kModelApis{ModelApi::Anthropic, ModelApi::OpenAi, ModelApi::Gemini};

[[nodiscard]] constexpr std::string_view toString(ModelApi api) {
    switch (api) {
    case ModelApi::Anthropic:
        return "anthropic";
    case ModelApi::OpenAi:
        return "openai";
    case ModelApi::Gemini:
        break;
    }
    return "gemini";
}

[[nodiscard]] constexpr std::optional<ModelApi> modelApiFrom(std::string_view text) { // none: it is none of them
    for (const auto api : kModelApis) {
        if (toString(api) == text) {
            return api;
        }
    }
    return std::nullopt;
}

} // namespace carrel::relay
