// SPDX-License-Identifier: Apache-2.0
#include "tests/support/model_server/body_checks.h"
#include "tests/support/model_server/openai.h"

#include <algorithm>

namespace carrel::test::model {

namespace json = boost::json;

namespace {

using Fields = std::map<std::string, Kind, std::less<>>;

const Fields kTop{{"model", Kind::Text}, {"messages", Kind::Array}, {"stream", Kind::Boolean}, {"stream_options", Kind::Object},
                  {"max_tokens", Kind::Whole}, {"max_completion_tokens", Kind::Whole}, {"temperature", Kind::Number}, {"top_p", Kind::Number},
                  {"n", Kind::Whole}, {"stop", Kind::TextsOrText}, {"seed", Kind::Whole}, {"tools", Kind::Array},
                  {"tool_choice", Kind::Object}, {"parallel_tool_calls", Kind::Boolean}, {"response_format", Kind::Object},
                  {"reasoning_effort", Kind::Text}, {"verbosity", Kind::Text}, {"frequency_penalty", Kind::Number},
                  {"presence_penalty", Kind::Number}, {"logit_bias", Kind::Object}, {"logprobs", Kind::Boolean}, {"top_logprobs", Kind::Whole},
                  {"user", Kind::Text}, {"safety_identifier", Kind::Text}, {"prompt_cache_key", Kind::Text}, {"prompt_cache_retention", Kind::Text},
                  {"prompt_cache_options", Kind::Object}, {"metadata", Kind::Object}, {"store", Kind::Boolean}, {"service_tier", Kind::Text},
                  {"modalities", Kind::Array}, {"audio", Kind::Object}, {"prediction", Kind::Object}, {"moderation", Kind::Object},
                  {"web_search_options", Kind::Object}};
const Fields kFunction{{"name", Kind::Text}, {"description", Kind::Text}, {"parameters", Kind::Object}, {"strict", Kind::Boolean}};
const std::map<std::string, Fields, std::less<>> kMessages{
    {"system", {{"content", Kind::TextOrArray}, {"name", Kind::Text}}},
    {"developer", {{"content", Kind::TextOrArray}, {"name", Kind::Text}}},
    {"user", {{"content", Kind::TextOrArray}, {"name", Kind::Text}}},
    {"assistant", {{"content", Kind::TextOrArray}, {"name", Kind::Text}, {"tool_calls", Kind::Array}, {"refusal", Kind::Text}, {"audio", Kind::Object}}},
    {"tool", {{"content", Kind::TextOrArray}, {"tool_call_id", Kind::Text}}}};

std::string named(Kind kind) {
    switch (kind) {
    case Kind::Text: return "a string";
    case Kind::Whole: return "an integer";
    case Kind::Number: return "a decimal";
    case Kind::Boolean: return "a boolean";
    case Kind::Object: return "an object";
    case Kind::Array: return "an array";
    case Kind::TextOrArray:
    case Kind::TextsOrText: return "one of a string or array of strings";
    }
    return {};
}
std::string nameOf(const json::value& value) {
    switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "a boolean";
    case json::kind::int64:
    case json::kind::uint64: return "an integer";
    case json::kind::double_: return "a decimal";
    case json::kind::string: return "a string";
    case json::kind::array: return "an array";
    case json::kind::object: return "an object";
    }
    return {};
}

tl::unexpected<ApiError> missing(const std::string& what) {
    return refuse("Missing required parameter: '" + what + "'.", what, "missing_required_parameter");
}
tl::unexpected<ApiError> wrongType(const std::string& what, const std::string& expected, const json::value& value) {
    return refuse("Invalid type for '" + what + "': expected " + expected + ", but got " + nameOf(value) + " instead.", what, "invalid_type");
}

Judged<void> checkFields(const json::object& object, const Fields& known, const std::string& place) {
    for (const auto& [key, value] : object) {
        const auto found = known.find(std::string_view(key));
        const auto what = place + "." + std::string(key);
        if (found == known.end()) {
            return refuse("Unknown parameter: '" + what + "'.", what, "unknown_parameter");
        }
        if (!value.is_null() && !isOf(found->second, value)) {
            return wrongType(what, named(found->second), value);
        }
    }
    return {};
}

struct Call {
    std::string id, tool;
};

class Reader {
public:
    Reader(const json::object& body, const Scenario& scenario)
        : m_body(body)
        , m_scenario(scenario) {}

    Judged<Conversation> read() {
        CARREL_JUDGE(readTop());
        CARREL_JUDGE(readTools());
        CARREL_JUDGE(readMessages());
        return m_seen;
    }

private:
    Judged<void> readTop() {
        std::vector<std::string> unknown;
        for (const auto& [key, value] : m_body) {
            if (!kTop.contains(std::string_view(key))) {
                unknown.emplace_back(key);
            }
        }
        if (!unknown.empty()) {
            return refuse(std::string("Unrecognized request argument") + (unknown.size() > 1 ? "s" : "") + " supplied: " + listed(unknown));
        }
        m_seen.model = textAt(m_body, "model");
        if (m_seen.model.empty()) {
            return refuse("you must provide a model parameter");
        }
        if (!m_body.contains("messages")) {
            return missing("messages");
        }
        for (const auto& [key, value] : m_body) {
            const auto kind = kTop.find(std::string_view(key))->second;
            const bool words = key == "tool_choice" && value.is_string(); // "auto", "none", "required"
            const bool needed = key == "messages";
            if (!isOf(kind, value) && !words && (needed || !value.is_null())) {
                return wrongType(std::string(key), named(kind), value);
            }
        }
        for (const auto* name : {"max_tokens", "max_completion_tokens", "n"}) {
            const auto* value = m_body.if_contains(name);
            if (value != nullptr && value->is_int64() && value->get_int64() < 1) {
                return refuse(std::string("Invalid '") + name + "': integer below minimum value. Expected a value >= 1, but got " +
                                  std::to_string(value->get_int64()) + " instead.",
                              name, "integer_below_min_value");
            }
        }
        if (std::find(m_scenario.models.begin(), m_scenario.models.end(), m_seen.model) == m_scenario.models.end()) {
            return refuse("The model `" + m_seen.model + "` does not exist or you do not have access to it.", {}, "model_not_found", 404);
        }
        return readStream();
    }

    Judged<void> readStream() {
        const auto* stream = m_body.if_contains("stream");
        m_seen.stream = stream != nullptr && stream->is_bool() && stream->get_bool();
        const auto* options = m_body.if_contains("stream_options");
        if (options == nullptr || options->is_null()) {
            return {};
        }
        if (!m_seen.stream) {
            return refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options");
        }
        CARREL_JUDGE(checkFields(options->get_object(), {{"include_usage", Kind::Boolean}, {"include_obfuscation", Kind::Boolean}}, "stream_options"));
        const auto* usage = options->get_object().if_contains("include_usage");
        m_seen.usageInStream = usage != nullptr && usage->is_bool() && usage->get_bool();
        return {};
    }

    Judged<void> readTools() {
        const auto* tools = m_body.if_contains("tools");
        if (tools == nullptr || tools->is_null()) {
            return {};
        }
        if (tools->get_array().empty()) {
            return refuse("Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.", "tools", "empty_array");
        }
        for (const auto& tool : tools->get_array()) {
            const auto place = "tools[" + std::to_string(m_seen.tools.size()) + "]";
            if (!tool.is_object()) {
                return wrongType(place, "an object", tool);
            }
            const auto& object = tool.get_object();
            CARREL_JUDGE(checkFields(object, {{"type", Kind::Text}, {"function", Kind::Object}}, place));
            if (textAt(object, "type") != "function") {
                return refuse("Invalid value: '" + textAt(object, "type") + "'. Supported values are: 'function'.", place + ".type", "invalid_value");
            }
            const auto* function = object.if_contains("function");
            if (function == nullptr || function->is_null()) {
                return missing(place + ".function");
            }
            CARREL_JUDGE(checkFields(function->get_object(), kFunction, place + ".function"));
            const auto name = textAt(function->get_object(), "name");
            if (name.empty()) {
                return missing(place + ".function.name");
            }
            if (!isToolName(name, 64)) {
                return refuse("Invalid '" + place + ".function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
                              place + ".function.name", "invalid_value");
            }
            m_seen.tools.push_back(name);
        }
        return {};
    }

    Judged<void> readMessages() {
        const auto& messages = m_body.at("messages").get_array();
        if (messages.empty()) {
            return refuse("Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.", "messages", "empty_array");
        }
        for (std::size_t index = 0; index < messages.size(); ++index) {
            const auto place = "messages[" + std::to_string(index) + "]";
            if (!messages[index].is_object()) {
                return wrongType(place, "an object", messages[index]);
            }
            const auto& message = messages[index].get_object();
            const auto role = textAt(message, "role");
            const auto known = kMessages.find(role);
            if (known == kMessages.end()) {
                return refuse("Invalid value: '" + role + "'. Supported values are: 'system', 'assistant', 'user', 'tool', and 'developer'.", place + ".role", "invalid_value");
            }
            auto fields = known->second;
            fields["role"] = Kind::Text;
            CARREL_JUDGE(checkFields(message, fields, place));
            if (role != "tool") {
                CARREL_JUDGE(checkAnswered(index));
            }
            CARREL_JUDGE(readMessage(message, role, place, index));
        }
        return checkAnswered(messages.size());
    }

    Judged<void> checkAnswered(std::size_t index) const {
        if (m_unanswered.empty()) {
            return {};
        }
        std::vector<std::string> ids;
        for (const auto& call : m_unanswered) {
            ids.push_back(call.id);
        }
        return refuse("An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following "
                      "tool_call_ids did not have response messages: " +
                          listed(ids),
                      "messages.[" + std::to_string(index) + "].role");
    }

    Judged<void> readMessage(const json::object& message, const std::string& role, const std::string& place, std::size_t index) {
        const auto* calls = message.if_contains("tool_calls");
        const bool hasCalls = calls != nullptr && !calls->is_null();
        const auto* content = message.if_contains("content");
        if ((content == nullptr || content->is_null()) && !hasCalls) {
            return refuse("Invalid value for 'content': expected a string, got null.", "messages.[" + std::to_string(index) + "].content");
        }
        auto text = textOf(content, place + ".content", role);
        CARREL_JUDGE(text);
        if (role == "tool") {
            return readResult(message, *text, place, index);
        }
        if (role == "system" || role == "developer") {
            m_seen.system += *text + "\n";
            return {};
        }
        if (role == "user" && !text->empty()) {
            m_seen.user = *text;
        }
        if (!text->empty()) {
            m_seen.texts.push_back(*text);
        }
        if (role == "assistant") {
            m_asked.clear();
            m_seen.toolResults.clear();
        }
        return hasCalls ? readCalls(calls->get_array(), place + ".tool_calls") : Judged<void>();
    }

    static Judged<std::string> textOf(const json::value* content, const std::string& place, const std::string& role) {
        std::string text;
        if (content == nullptr || content->is_null()) {
            return text;
        }
        if (content->is_string()) {
            return std::string(content->get_string());
        }
        std::size_t index = 0;
        for (const auto& one : content->get_array()) {
            const auto where = place + "[" + std::to_string(index++) + "]";
            if (!one.is_object()) {
                return wrongType(where, "an object", one);
            }
            const auto& part = one.get_object();
            const auto type = textAt(part, "type");
            const bool isOther = role == "user" && (type == "image_url" || type == "file" || type == "input_audio");
            if (type != "text" && !isOther) {
                return refuse("Invalid value: '" + type + "'. Supported values are: 'text'" + (role == "user" ? ", 'image_url', 'file' and 'input_audio'." : "."),
                              where + ".type", "invalid_value");
            }
            if (!part.contains(type)) {
                return missing(where + "." + type);
            }
            CARREL_JUDGE(checkFields(part, {{"type", Kind::Text}, {type, isOther ? Kind::Object : Kind::Text}}, where));
            text += textAt(part, "text");
        }
        return text;
    }

    Judged<void> readCalls(const json::array& calls, const std::string& place) {
        if (calls.empty()) {
            return refuse("Invalid '" + place + "': empty array. Expected an array with minimum length 1, but got an empty array instead.", place, "empty_array");
        }
        std::size_t index = 0;
        for (const auto& one : calls) {
            const auto where = place + "[" + std::to_string(index++) + "]";
            if (!one.is_object()) {
                return wrongType(where, "an object", one);
            }
            const auto& call = one.get_object();
            CARREL_JUDGE(checkFields(call, {{"id", Kind::Text}, {"type", Kind::Text}, {"function", Kind::Object}}, where));
            if (textAt(call, "id").empty()) {
                return missing(where + ".id");
            }
            if (textAt(call, "type") != "function") {
                return missing(where + ".type");
            }
            const auto* function = call.if_contains("function");
            if (function == nullptr || !function->is_object()) {
                return missing(where + ".function");
            }
            const auto& inner = function->get_object();
            CARREL_JUDGE(checkFields(inner, {{"name", Kind::Text}, {"arguments", Kind::Text}}, where + ".function"));
            for (const auto* name : {"name", "arguments"}) {
                if (!inner.contains(name) || inner.at(name).is_null()) {
                    return missing(where + ".function." + name);
                }
            }
            m_asked.push_back({textAt(call, "id"), textAt(inner, "name")});
            m_seen.texts.push_back(textAt(inner, "arguments"));
        }
        m_unanswered = m_asked;
        return {};
    }

    Judged<void> readResult(const json::object& message, const std::string& text, const std::string& place, std::size_t index) {
        const auto id = textAt(message, "tool_call_id");
        if (id.empty()) {
            return missing(place + ".tool_call_id");
        }
        const auto isIt = [&id](const Call& call) { return call.id == id; };
        const auto found = std::find_if(m_unanswered.begin(), m_unanswered.end(), isIt);
        if (found == m_unanswered.end()) {
            return refuse("Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                          "messages.[" + std::to_string(index) + "].role");
        }
        m_seen.toolResults.push_back({found->tool, text, false});
        m_seen.texts.push_back(text);
        m_unanswered.erase(found);
        return {};
    }

    const json::object& m_body;
    const Scenario& m_scenario;
    Conversation m_seen;
    std::vector<Call> m_asked, m_unanswered; // of the assistant's last message
};

} // namespace

Judged<void> checkOpenAiHeaders(const HttpRequest& request, const std::string& key) {
    if (key.empty()) {
        return {};
    }
    constexpr std::string_view kScheme = "Bearer ";
    const auto given = request.header("authorization");
    if (!given.starts_with(kScheme)) {
        return refuse("You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. "
                      "Authorization: Bearer YOUR_KEY).",
                      {}, {}, 401);
    }
    if (given.substr(kScheme.size()) != key) {
        return refuse("Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.", {}, "invalid_api_key", 401);
    }
    return {};
}

Judged<Conversation> readOpenAi(const HttpRequest& request, const Scenario& scenario) {
    json::error_code failed;
    const auto body = json::parse(request.body, failed);
    if (failed || !body.is_object()) {
        return refuse("We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The "
                      "OpenAI API expects a JSON payload, but what was sent was not valid JSON.)");
    }
    auto seen = Reader(body.get_object(), scenario).read();
    if (seen) {
        seen->api = Api::OpenAi;
    }
    return seen;
}

} // namespace carrel::test::model
