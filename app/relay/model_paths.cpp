// SPDX-License-Identifier: Apache-2.0
#include "app/relay/model_paths.h"

#include <algorithm>
#include <array>

namespace carrel::relay {

namespace {

struct Known {
    std::string_view method, end; // of the path, from a slash on
    ModelRequest what;
};
// What is but one word at OpenAI has no second meaning at any host known; "messages" has one, in OpenAI's threads, so that its version
// belongs to it.
constexpr std::array kKnown{Known{"POST", "/v1/messages", ModelRequest::Answers},
                            Known{"POST", "/v1/messages/count_tokens", ModelRequest::Tells},
                            Known{"POST", "/completions", ModelRequest::Answers}, // chat/completions, too
                            Known{"POST", "/responses", ModelRequest::Answers},
                            Known{"POST", "/embeddings", ModelRequest::Answers}, // api/embeddings, too
                            Known{"POST", "/api/chat", ModelRequest::Answers},
                            Known{"POST", "/api/generate", ModelRequest::Answers},
                            Known{"POST", "/api/embed", ModelRequest::Answers},
                            Known{"POST", "/api/show", ModelRequest::Tells},
                            Known{"GET", "/api/tags", ModelRequest::Tells},
                            Known{"GET", "/api/version", ModelRequest::Tells},
                            Known{"GET", "/models", ModelRequest::Tells}};

std::string_view withoutSlash(std::string_view path) {
    return path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
}

// The colon of a method is no separator to the letter of RFC 3986, and hosts take both spellings for the same.
std::string withColons(std::string_view path) {
    constexpr std::string_view kColon = "%3A";
    std::string out(path);
    for (auto at = out.find(kColon); at != std::string::npos; at = out.find(kColon, at)) {
        out.replace(at, kColon.size(), ":");
    }
    return out;
}

struct OfModel {
    std::string_view name, method; // the latter: behind the last colon; empty: there is none
};
// The last step of a path whose last but one is "models".
std::optional<OfModel> ofModel(std::string_view path) {
    constexpr std::string_view kBefore = "/models";
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos || !path.substr(0, slash).ends_with(kBefore)) {
        return std::nullopt;
    }
    const auto step = path.substr(slash + 1);
    const auto colon = step.rfind(':');
    return colon == std::string_view::npos ? OfModel{step, {}} : OfModel{step.substr(0, colon), step.substr(colon + 1)};
}

// One that has a second colon, or something encoded, may be read as another by the host.
bool isPlainName(std::string_view name) {
    static constexpr std::string_view kMarks = "-._~@";
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (lowerOf(c) >= 'a' && lowerOf(c) <= 'z') || (c >= '0' && c <= '9') || kMarks.find(c) != std::string_view::npos;
    });
}

std::optional<ModelRequest> plainRequest(std::string_view method, std::string_view path) {
    const auto* const known = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& each) { return each.method == method && path.ends_with(each.end); });
    if (known != kKnown.end()) {
        return known->what;
    }
    const auto model = ofModel(path);
    if (!model) {
        return std::nullopt;
    }
    if (method == "GET") { // a name may have a colon: qwen3:4b
        return ModelRequest::Tells;
    }
    if (method != "POST" || !isPlainName(model->name)) {
        return std::nullopt;
    }
    return model->method == "generateContent" || model->method == "streamGenerateContent" ? std::optional(ModelRequest::Answers)
           : model->method == "countTokens"                                               ? std::optional(ModelRequest::Tells)
                                                                                          : std::nullopt;
}

} // namespace

std::optional<ModelRequest> modelRequestOf(std::string_view method, std::string_view path) {
    const auto decoded = withColons(withoutSlash(path));
    if (method != "HEAD") {
        return plainRequest(method, decoded);
    }
    const bool mayLook = path == "/" || plainRequest("GET", decoded) || plainRequest("POST", decoded);
    return mayLook ? std::optional(ModelRequest::Tells) : std::nullopt;
}

bool mayAskForLater(std::string_view path) {
    return withoutSlash(path).ends_with("/responses");
}

std::string modelNamedBy(std::string_view path) {
    const auto decoded = withColons(withoutSlash(path));
    const auto model = ofModel(decoded);
    return model && !model->method.empty() ? std::string(model->name) : std::string();
}

std::optional<std::string> whyUncountable(const RequestHead& head) {
    if (head.wantsWebSocket) {
        return "What a model uses over a WebSocket cannot be counted; ask in plain requests";
    }
    const bool isDisguised = std::any_of(head.fields.begin(), head.fields.end(), [](const Field& field) {
        return isField(field, "x-http-method-override") || isField(field, "x-http-method") || isField(field, "x-method-override");
    });
    if (isDisguised) {
        return "This host is that of the agent's model, where a request's method has to be what it says; leave out the field that names another";
    }
    if (!modelRequestOf(head.method, head.target.path)) {
        return "This host is that of the agent's model: only a model may be asked there, for one answer at a time, and this request is none that does. "
               "For more of this host the owner needs another agent, whose model is elsewhere, and a rule for it";
    }
    return std::nullopt;
}

} // namespace carrel::relay
