// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/program/agent_settings.h"

#include <charconv>

namespace carrel::agent {

namespace {

constexpr std::uint64_t kLeastWindow = 2048; // less holds not even what the model is told of its tools
constexpr std::uint64_t kMostWindow = 1ULL << 32U;
constexpr std::size_t kMostName = 256;
constexpr std::size_t kMostKey = 16 * 1024;
constexpr const char* kSetHint = "on the computer: \"carrel provider list\" shows what there is, \"carrel provider use AGENT NAME\" sets one";

tl::unexpected<Error> wrong(const char* variable, const std::string& why) {
    return fail(ErrorCode::InvalidArgument, std::string(variable) + " " + why, kSetHint);
}

bool isPrintable(std::string_view text) {
    return text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%|\"<>\\^`{} ") ==
           std::string_view::npos;
}

Result<ModelSettings> modelSettings(const std::function<std::string(const char*)>& text) {
    ModelSettings out;
    const auto api = text("CARREL_MODEL_API");
    const auto url = text("CARREL_MODEL_URL");
    out.name = text("CARREL_MODEL");
    if (api.empty() && url.empty() && out.name.empty()) {
        return fail(ErrorCode::Refused, "no model is set for this agent", kSetHint);
    }
    if (api != "anthropic" && api != "openai") {
        return wrong("CARREL_MODEL_API", api.empty() ? "is not set" : "is neither anthropic nor openai");
    }
    out.api = api == "anthropic" ? ModelApi::Anthropic : ModelApi::OpenAi;
    if (url.empty()) {
        return wrong("CARREL_MODEL_URL", "is not set");
    }
    auto address = HttpAddress::parse(url);
    if (!address) {
        return fail(address.error());
    }
    out.address = std::move(*address);
    if (out.name.empty() || out.name.size() > kMostName || !isPrintable(out.name)) {
        return wrong("CARREL_MODEL", out.name.empty() ? "is not set" : "is no name of a model");
    }
    out.key = text("CARREL_MODEL_KEY");
    if (out.key.size() > kMostKey || !isPrintable(out.key)) {
        return wrong("CARREL_MODEL_KEY", "is no key");
    }
    if (const auto window = text("CARREL_MODEL_WINDOW"); !window.empty()) {
        const auto* end = window.data() + window.size();
        const auto [read, error] = std::from_chars(window.data(), end, out.window);
        if (error != std::errc() || read != end || out.window < kLeastWindow || out.window > kMostWindow) {
            return wrong("CARREL_MODEL_WINDOW", "is not a number of tokens from " + std::to_string(kLeastWindow) + " on");
        }
    }
    return out;
}

} // namespace

std::string_view toString(WorkMode mode) {
    return mode == WorkMode::Ask ? "ask" : "work";
}

std::optional<WorkMode> workModeFrom(std::string_view text) {
    if (text == "ask") {
        return WorkMode::Ask;
    }
    return text == "work" ? std::optional(WorkMode::Work) : std::nullopt;
}

Result<AgentSettings> agentSettings(const std::function<const char*(const char*)>& variable) {
    const auto text = [&variable](const char* name) {
        const char* value = variable(name);
        return std::string(value == nullptr ? "" : value);
    };
    AgentSettings out{text("CARREL_AGENT_HOME"), WorkMode::Work, modelSettings(text)};
    if (out.home.empty()) {
        out.home = text("HOME");
        out.home += out.home.empty() ? "" : "/.local/share/carrel-agent";
    }
    if (!out.home.starts_with('/')) {
        return fail(ErrorCode::InvalidArgument, "it is not known where conversations are to lie", "set CARREL_AGENT_HOME, or HOME, to an absolute path");
    }
    if (const auto mode = text("CARREL_AGENT_MODE"); !mode.empty()) {
        const auto known = workModeFrom(mode);
        if (!known) {
            return fail(ErrorCode::InvalidArgument, "CARREL_AGENT_MODE is neither work nor ask", "set it to one of them, or not at all");
        }
        out.mode = *known;
    }
    return out;
}

} // namespace carrel::agent
