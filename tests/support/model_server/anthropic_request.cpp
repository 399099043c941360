// SPDX-License-Identifier: Apache-2.0
#include "tests/support/model_server/anthropic.h"
#include "tests/support/model_server/body_checks.h"

#include <algorithm>

namespace carrel::test::model {

namespace json = boost::json;

namespace {

constexpr std::string_view kSamplingVersion = "2023-06-01";
constexpr std::string_view kNewestVersion = "2026-10-21";

enum class Since { Always, Beta, UntilSampling }; // Beta: only with a header anthropic-beta. UntilSampling: not from 2026-10-21 on
struct Field {
    Kind kind = Kind::Text;
    Since since = Since::Always;
};
struct Version {
    bool beta = false;
    bool sampling = false; // before 2026-10-21
};
using Fields = std::map<std::string, Field, std::less<>>;

const Fields kTop{{"model", {Kind::Text}}, {"max_tokens", {Kind::Whole}}, {"messages", {Kind::Array}}, {"system", {Kind::TextOrArray}},
                  {"stream", {Kind::Boolean}}, {"temperature", {Kind::Number, Since::UntilSampling}},
                  {"top_p", {Kind::Number, Since::UntilSampling}}, {"top_k", {Kind::Whole, Since::UntilSampling}},
                  {"stop_sequences", {Kind::Array}}, {"tools", {Kind::Array}}, {"tool_choice", {Kind::Object}},
                  {"metadata", {Kind::Object}}, {"thinking", {Kind::Object}}, {"service_tier", {Kind::Text}},
                  {"cache_control", {Kind::Object}}, {"container", {Kind::Object}}, {"inference_geo", {Kind::Text}},
                  {"output_config", {Kind::Object}}, {"user_profile_id", {Kind::Text}},
                  {"speed", {Kind::Text}}, {"diagnostics", {Kind::Object}}, {"workspace_id", {Kind::Text}},
                  {"context_management", {Kind::Object, Since::Beta}}, {"mcp_servers", {Kind::Array, Since::Beta}},
                  {"output_format", {Kind::Object, Since::Beta}}};
const Fields kTool{{"name", {Kind::Text}}, {"description", {Kind::Text}}, {"input_schema", {Kind::Object}}, {"type", {Kind::Text}},
                   {"cache_control", {Kind::Object}}, {"strict", {Kind::Boolean}}, {"allowed_callers", {Kind::Array}},
                   {"defer_loading", {Kind::Boolean}}, {"eager_input_streaming", {Kind::Boolean}}, {"input_examples", {Kind::Array}}};
const Fields kMessage{{"role", {Kind::Text}}, {"content", {Kind::TextOrArray}}};
const std::map<std::string, Fields, std::less<>> kBlocks{
    {"text", {{"text", {Kind::Text}}, {"cache_control", {Kind::Object}}, {"citations", {Kind::Array}}}},
    {"image", {{"source", {Kind::Object}}, {"cache_control", {Kind::Object}}}},
    {"document", {{"source", {Kind::Object}}, {"title", {Kind::Text}}, {"context", {Kind::Text}}, {"citations", {Kind::Object}}, {"cache_control", {Kind::Object}}}},
    {"thinking", {{"thinking", {Kind::Text}}, {"signature", {Kind::Text}}}},
    {"redacted_thinking", {{"data", {Kind::Text}}}},
    {"tool_use", {{"id", {Kind::Text}}, {"name", {Kind::Text}}, {"input", {Kind::Object}}, {"cache_control", {Kind::Object}}, {"caller", {Kind::Object}}, {"toolset_name", {Kind::Text}}}},
    {"tool_result", {{"tool_use_id", {Kind::Text}}, {"content", {Kind::TextOrArray}}, {"is_error", {Kind::Boolean}}, {"cache_control", {Kind::Object}}, {"toolset_name", {Kind::Text}}}}};
const std::map<std::string, std::vector<std::string>, std::less<>> kNeeded{
    {"text", {"text"}}, {"image", {"source"}}, {"document", {"source"}}, {"thinking", {"thinking", "signature"}}, {"redacted_thinking", {"data"}},
    {"tool_use", {"id", "name", "input"}}, {"tool_result", {"tool_use_id"}}};

std::string valid(Kind kind) {
    switch (kind) {
    case Kind::Text: return "Input should be a valid string";
    case Kind::Whole: return "Input should be a valid integer";
    case Kind::Number: return "Input should be a valid number";
    case Kind::Boolean: return "Input should be a valid boolean";
    case Kind::Object: return "Input should be a valid dictionary";
    case Kind::Array: return "Input should be a valid list";
    case Kind::TextOrArray:
    case Kind::TextsOrText: return "Input should be a valid string or a valid list";
    }
    return {};
}

// `place` with its dot, "" for the top.
Judged<void> checkFields(const json::object& object, const Fields& known, const std::vector<std::string>& needed, const std::string& place, Version version = {}) {
    for (const auto& name : needed) {
        if (!object.contains(name)) {
            return refuse(place + name + ": Field required");
        }
    }
    for (const auto& [key, value] : object) {
        const auto found = known.find(std::string_view(key));
        const auto since = found == known.end() ? Since::Always : found->second.since;
        if (found == known.end() || (since == Since::Beta && !version.beta) || (since == Since::UntilSampling && !version.sampling)) {
            return refuse(place + std::string(key) + ": Extra inputs are not permitted");
        }
        const bool absent = value.is_null() && std::find(needed.begin(), needed.end(), std::string(key)) == needed.end();
        if (!absent && !isOf(found->second.kind, value)) {
            return refuse(place + std::string(key) + ": " + valid(found->second.kind));
        }
    }
    return {};
}

struct Use {
    std::string id, tool;
};

class Reader {
public:
    Reader(const json::object& body, const Scenario& scenario, Version version)
        : m_body(body)
        , m_scenario(scenario)
        , m_version(version) {}

    Judged<Conversation> read() {
        CARREL_JUDGE(checkFields(m_body, kTop, {"model", "max_tokens", "messages"}, "", m_version));
        const auto& most = m_body.at("max_tokens");
        if (most.is_int64() && most.get_int64() < 1) {
            return refuse("max_tokens: Input should be greater than or equal to 1");
        }
        if (const auto* temperature = m_body.if_contains("temperature"); temperature != nullptr && temperature->is_number()) {
            if (const auto degree = temperature->to_number<double>(); degree < 0 || degree > 1) {
                return refuse("temperature: range: 0..1");
            }
        }
        m_seen.model = textAt(m_body, "model");
        if (std::find(m_scenario.models.begin(), m_scenario.models.end(), m_seen.model) == m_scenario.models.end()) {
            return refuse("model: " + m_seen.model, {}, {}, 404);
        }
        const auto* stream = m_body.if_contains("stream");
        m_seen.stream = stream != nullptr && stream->is_bool() && stream->get_bool();
        CARREL_JUDGE(readSystem());
        CARREL_JUDGE(readTools());
        CARREL_JUDGE(readMessages());
        return m_seen;
    }

private:
    Judged<void> readSystem() {
        const auto* system = m_body.if_contains("system");
        if (system == nullptr || system->is_null()) {
            return {};
        }
        if (system->is_string()) {
            m_seen.system = std::string(system->get_string());
            return {};
        }
        std::size_t index = 0;
        for (const auto& block : system->get_array()) {
            const auto place = "system." + std::to_string(index++) + ".";
            if (!block.is_object() || textAt(block.get_object(), "type") != "text") {
                return refuse(place + "type: Input should be 'text'");
            }
            CARREL_JUDGE(checkBlock(block.get_object(), place));
            m_seen.system += textAt(block.get_object(), "text") + "\n";
        }
        return {};
    }

    Judged<void> readTools() {
        const auto* tools = m_body.if_contains("tools");
        if (tools == nullptr || tools->is_null()) {
            return {};
        }
        for (const auto& tool : tools->get_array()) {
            const auto place = "tools." + std::to_string(m_seen.tools.size()) + ".custom.";
            if (!tool.is_object()) {
                return refuse(place + ": Input should be a valid dictionary");
            }
            const auto& object = tool.get_object();
            CARREL_JUDGE(checkFields(object, kTool, {"name", "input_schema"}, place));
            if (object.contains("type") && !object.at("type").is_null() && textAt(object, "type") != "custom") {
                return refuse(place + "type: the played server runs no tools of its own, only 'custom' ones are known");
            }
            const auto name = textAt(object, "name");
            if (!isToolName(name, 128)) {
                return refuse(place + "name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'");
            }
            if (textAt(object.at("input_schema").get_object(), "type") != "object") {
                return refuse(place + "input_schema.type: Input should be 'object'");
            }
            if (std::find(m_seen.tools.begin(), m_seen.tools.end(), name) != m_seen.tools.end()) {
                return refuse("tools: Tool names must be unique.");
            }
            m_seen.tools.push_back(name);
        }
        return {};
    }

    Judged<void> readMessages() {
        const auto& messages = m_body.at("messages").get_array();
        if (messages.empty()) {
            return refuse("messages: at least one message is required");
        }
        std::string last;
        for (std::size_t index = 0; index < messages.size(); ++index) {
            const auto place = "messages." + std::to_string(index);
            if (!messages[index].is_object()) {
                return refuse(place + ": Input should be a valid dictionary");
            }
            const auto& message = messages[index].get_object();
            CARREL_JUDGE(checkFields(message, kMessage, {"role", "content"}, place + "."));
            const auto role = textAt(message, "role");
            if (role != "user" && role != "assistant") {
                return refuse(place + ".role: Input should be 'user' or 'assistant'");
            }
            if (index == 0 && role != "user") {
                return refuse("messages: first message must use the \"user\" role");
            }
            const bool joins = role == last;
            if (joins && m_scenario.sameRoleTwice == SameRoleTwice::Refuse) {
                return refuse("messages: roles must alternate between \"user\" and \"assistant\", but found multiple \"" + role + "\" roles in a row");
            }
            if (!joins && last == "assistant") {
                // What answers its calls is in this one message of the user's.
                m_unanswered = std::exchange(m_uses, {});
                m_asked = m_unanswered;
                m_before = index - 1;
                m_seen.toolResults.clear();
                m_other = false;
            }
            CARREL_JUDGE(readContent(message, role, place));
            const bool next = index + 1 < messages.size() && messages[index + 1].is_object() && textAt(messages[index + 1].get_object(), "role") == role;
            if (role == "user" && !next) {
                CARREL_JUDGE(checkAnswered());
            }
            last = role;
        }
        if (last != "assistant") {
            return {};
        }
        m_unanswered = m_uses;
        m_before = messages.size() - 1;
        CARREL_JUDGE(checkAnswered());
        return refuse("This model does not support assistant message prefill. The conversation must end with a user message.");
    }

    Judged<void> checkAnswered() const {
        if (m_unanswered.empty()) {
            return {};
        }
        std::vector<std::string> ids;
        for (const auto& use : m_unanswered) {
            ids.push_back(use.id);
        }
        return refuse("messages." + std::to_string(m_before) + ": `tool_use` ids were found without `tool_result` blocks immediately after: " +
                      listed(ids) + ". Each `tool_use` block must have a corresponding `tool_result` block in the next message.");
    }

    Judged<void> readContent(const json::object& message, const std::string& role, const std::string& place) {
        const auto& content = message.at("content");
        if (content.is_string()) {
            const std::string text(content.get_string());
            if (text.empty()) {
                return refuse(place + ": " + role + " messages must have non-empty content");
            }
            m_other = true;
            readText(text, role);
            return {};
        }
        const auto& blocks = content.get_array();
        if (blocks.empty()) {
            return refuse(place + ": " + role + " messages must have non-empty content");
        }
        std::string said;
        for (std::size_t index = 0; index < blocks.size(); ++index) {
            const auto where = place + ".content." + std::to_string(index);
            if (!blocks[index].is_object()) {
                return refuse(where + ": Input should be a valid dictionary");
            }
            const auto& block = blocks[index].get_object();
            CARREL_JUDGE(checkBlock(block, where + "."));
            const auto type = textAt(block, "type");
            if ((type == "tool_use" || type == "thinking" || type == "redacted_thinking") != (role == "assistant") && type != "text") {
                return refuse(where + ": `" + type + "` blocks can only be in `" + (role == "user" ? "assistant" : "user") + "` messages");
            }
            if (type == "tool_use") {
                CARREL_JUDGE(readUse(block, where));
            } else if (type == "tool_result") {
                CARREL_JUDGE(readResult(block, where));
            } else if (type == "text") {
                if (textAt(block, "text").empty()) {
                    return refuse("messages: text content blocks must be non-empty");
                }
                const auto* citations = block.if_contains("citations");
                if (role == "user" && !m_version.sampling && citations != nullptr && citations->is_array() && !citations->get_array().empty()) {
                    return refuse(where + ".text.citations: citations are not permitted in user messages");
                }
                said += textAt(block, "text");
                m_other = true;
            } else {
                m_other = true;
            }
        }
        if (!said.empty()) {
            readText(said, role);
        }
        return {};
    }

    void readText(const std::string& text, const std::string& role) {
        if (role == "user") {
            m_seen.user = text;
        }
        m_seen.texts.push_back(text);
    }

    Judged<void> readUse(const json::object& block, const std::string& where) {
        const Use use{textAt(block, "id"), textAt(block, "name")};
        if (!isToolName(use.id, 1000)) {
            return refuse(where + ".tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'");
        }
        if (m_seen.tools.empty()) {
            return refuse("Requests which include `tool_use` or `tool_result` blocks must define tools");
        }
        if (!m_ids.insert(use.id).second) {
            return refuse("messages: `tool_use` ids must be unique");
        }
        m_uses.push_back(use);
        m_seen.texts.push_back(json::serialize(block.at("input")));
        return {};
    }

    Judged<void> readResult(const json::object& block, const std::string& where) {
        const auto id = textAt(block, "tool_use_id");
        const auto isIt = [&id](const Use& use) { return use.id == id; };
        const auto asked = std::find_if(m_asked.begin(), m_asked.end(), isIt);
        const auto found = std::find_if(m_unanswered.begin(), m_unanswered.end(), isIt);
        if (asked == m_asked.end()) {
            return refuse(where + ": unexpected `tool_use_id` found in `tool_result` blocks: " + id +
                          ". Each `tool_result` block must have a corresponding `tool_use` block in the previous message.");
        }
        if (found == m_unanswered.end()) {
            return refuse(where + ": each tool_use must have a single result. Found multiple `tool_result` blocks with id: " + id);
        }
        if (m_other) { // results come first in their message
            return checkAnswered();
        }
        SeenResult result{found->tool, {}, false};
        m_unanswered.erase(found);
        if (const auto* content = block.if_contains("content"); content != nullptr && content->is_string()) {
            result.text = std::string(content->get_string());
        } else if (content != nullptr && content->is_array()) {
            std::size_t index = 0;
            for (const auto& one : content->get_array()) {
                const auto place = where + ".tool_result.content." + std::to_string(index++) + ".";
                const auto type = one.is_object() ? textAt(one.get_object(), "type") : "";
                if (type != "text" && type != "image" && type != "document") {
                    return refuse(place + "type: Input should be 'text', 'image' or 'document'");
                }
                CARREL_JUDGE(checkBlock(one.get_object(), place));
                result.text += textAt(one.get_object(), "text");
            }
        }
        const auto* error = block.if_contains("is_error");
        result.error = error != nullptr && error->is_bool() && error->get_bool();
        m_seen.texts.push_back(result.text);
        m_seen.toolResults.push_back(std::move(result));
        return {};
    }

    static Judged<void> checkBlock(const json::object& block, const std::string& place) {
        const auto type = textAt(block, "type");
        const auto found = kBlocks.find(type);
        if (found == kBlocks.end()) {
            return refuse(place + "type: Input tag '" + type + "' found using 'type' does not match any of the expected tags");
        }
        auto fields = found->second;
        fields["type"] = {Kind::Text};
        return checkFields(block, fields, kNeeded.find(type)->second, place + type + ".");
    }

    const json::object& m_body;
    const Scenario& m_scenario;
    Version m_version;
    Conversation m_seen;
    std::set<std::string> m_ids;
    std::vector<Use> m_uses;       // of the assistant's message that is read
    std::vector<Use> m_asked;      // of the one before the user's
    std::vector<Use> m_unanswered; // of these
    std::size_t m_before = 0;
    bool m_other = false; // something that is no result stood before
};

} // namespace

Judged<void> checkAnthropicHeaders(const HttpRequest& request, const std::string& key) {
    const auto given = request.header("x-api-key");
    const auto bearer = request.header("authorization");
    if (!key.empty() && given.empty() && !bearer.starts_with("Bearer ")) {
        return refuse("x-api-key header is required", {}, {}, 401);
    }
    if (!key.empty() && (given.empty() ? bearer != "Bearer " + key : given != key)) {
        return refuse(given.empty() ? "Invalid bearer token" : "invalid x-api-key", {}, {}, 401);
    }
    const auto version = request.header("anthropic-version");
    if (version.empty()) {
        return refuse("anthropic-version: header is required");
    }
    if (version != kSamplingVersion && version != kNewestVersion) {
        return refuse("anthropic-version: \"" + version + "\" is not a valid version");
    }
    return {};
}

Judged<Conversation> readAnthropic(const HttpRequest& request, const Scenario& scenario) {
    json::error_code failed;
    const auto body = json::parse(request.body, failed);
    if (failed) {
        return refuse("The request body is not valid JSON: " + failed.message());
    }
    if (!body.is_object()) {
        return refuse("Input should be a valid dictionary");
    }
    const Version version{!request.header("anthropic-beta").empty(), request.header("anthropic-version") == kSamplingVersion};
    return Reader(body.get_object(), scenario, version).read();
}

} // namespace carrel::test::model
