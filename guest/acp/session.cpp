// SPDX-License-Identifier: Apache-2.0
#include "guest/acp/session.h"

#include "guest/protocol/json_pick.h"

#include <algorithm>

namespace carrel::acp {

namespace json = boost::json;

namespace {

// Texts of a bounded length, beside what JsonPick reads.
class Reader : public JsonPick {
public:
    using JsonPick::JsonPick;
    std::string bounded(std::string_view key, std::size_t most, Wanted wanted = Wanted::Maybe) {
        const auto found = text(key, wanted);
        if (!found) {
            return {};
        }
        if (found->size() > most) {
            problem(key, "is too long");
            return {};
        }
        return std::string(*found);
    }
    std::string filled(std::string_view key, std::size_t most) {
        auto found = bounded(key, most, Wanted::Always);
        if (found.empty()) {
            problem(key, "is empty");
        }
        return found;
    }
    bool flag(std::string_view key) {
        const auto* value = any(key);
        if (value == nullptr) {
            return false;
        }
        if (!value->is_bool()) {
            problem(key, "is not true or false");
            return false;
        }
        return value->get_bool();
    }
    std::int64_t whole(std::string_view key) {
        const auto* value = any(key, Wanted::Always);
        if (value == nullptr) {
            return 0;
        }
        if (!value->is_int64()) {
            problem(key, "is not a whole number");
            return 0;
        }
        return value->get_int64();
    }
    const json::array& list(std::string_view key, std::size_t most, Wanted wanted = Wanted::Maybe) {
        static const json::array none;
        const auto* found = array(key, wanted);
        if (found == nullptr) {
            return none;
        }
        if (found->size() > most) {
            problem(key, "has too many entries");
            return none;
        }
        return *found;
    }
};

Result<const json::object*> objectOf(const json::value& value, const char* what) {
    const auto* object = value.if_object();
    if (object == nullptr) {
        return fail(ErrorCode::Malformed, std::string(what) + " is not an object");
    }
    return object;
}

json::object toJson(const Implementation& from) {
    json::object out{{"name", from.name}, {"version", from.version}};
    if (!from.title.empty()) {
        out["title"] = from.title;
    }
    return out;
}

// Nothing of it is needed: what cannot be read is left out.
Implementation implementationFrom(const json::object* object) {
    Implementation out;
    if (object == nullptr) {
        return out;
    }
    for (const auto& [key, into] : {std::pair{"name", &out.name}, {"title", &out.title}, {"version", &out.version}}) {
        Reader of(*object, key);
        *into = of.bounded(key, kMostShortText);
    }
    return out;
}

void putUnlessEmpty(json::object& object, std::string_view key, const std::string& text) {
    if (!text.empty()) {
        object[{key.data(), key.size()}] = text;
    }
}

} // namespace

json::object toJson(const InitializeParams& params) {
    json::object out{{"protocolVersion", params.version},
                     {"clientCapabilities",
                      {{"fs", {{"readTextFile", params.readTextFile}, {"writeTextFile", params.writeTextFile}}}, {"terminal", params.terminal}}}};
    if (!params.client.name.empty()) {
        out["clientInfo"] = toJson(params.client);
    }
    return out;
}

Result<InitializeParams> initializeParamsFrom(const json::object& object) {
    Reader of(object, "initialize");
    InitializeParams out;
    out.version = of.whole("protocolVersion");
    if (const auto* capabilities = of.object("clientCapabilities")) {
        Reader inner(*capabilities, "clientCapabilities");
        out.terminal = inner.flag("terminal");
        if (const auto* fs = inner.object("fs")) {
            Reader files(*fs, "fs");
            out.readTextFile = files.flag("readTextFile");
            out.writeTextFile = files.flag("writeTextFile");
            CARREL_TRY(files.finish());
        }
        CARREL_TRY(inner.finish());
    }
    out.client = implementationFrom(of.object("clientInfo"));
    CARREL_TRY(of.finish());
    return out;
}

json::object toJson(const InitializeResult& result) {
    json::object out{{"protocolVersion", result.version},
                     {"agentCapabilities",
                      {{"loadSession", result.loadSession},
                       {"promptCapabilities", {{"image", result.image}, {"audio", result.audio}, {"embeddedContext", result.embeddedContext}}},
                       {"mcpCapabilities", {{"http", false}, {"sse", false}}}}}};
    if (!result.agent.name.empty()) {
        out["agentInfo"] = toJson(result.agent);
    }
    auto& methods = out["authMethods"].emplace_array();
    for (const auto& each : result.authMethods) {
        json::object one{{"id", each.id}, {"name", each.name}};
        putUnlessEmpty(one, "description", each.description);
        methods.emplace_back(std::move(one));
    }
    return out;
}

Result<InitializeResult> initializeResultFrom(const json::value& value) {
    const auto object = objectOf(value, "the answer to initialize");
    if (!object) {
        return fail(object.error());
    }
    Reader of(**object, "initialize");
    InitializeResult out;
    out.version = of.whole("protocolVersion");
    if (const auto* capabilities = of.object("agentCapabilities")) {
        Reader inner(*capabilities, "agentCapabilities");
        out.loadSession = inner.flag("loadSession");
        if (const auto* prompt = inner.object("promptCapabilities")) {
            Reader blocks(*prompt, "promptCapabilities");
            out.image = blocks.flag("image");
            out.audio = blocks.flag("audio");
            out.embeddedContext = blocks.flag("embeddedContext");
            CARREL_TRY(blocks.finish());
        }
        CARREL_TRY(inner.finish());
    }
    out.agent = implementationFrom(of.object("agentInfo"));
    for (const auto& each : of.list("authMethods", kMostOptions)) {
        const auto method = objectOf(each, "a way to authenticate");
        if (!method) {
            return fail(method.error());
        }
        Reader one(**method, "authMethods");
        out.authMethods.push_back(
            {one.filled("id", kMostShortText), one.bounded("name", kMostShortText), one.bounded("description", kMostShortText)});
        CARREL_TRY(one.finish());
    }
    CARREL_TRY(of.finish());
    return out;
}

json::object toJson(const SessionPlace& place) {
    json::object out{{"cwd", place.cwd}, {"mcpServers", json::array()}};
    putUnlessEmpty(out, "sessionId", place.sessionId);
    return out;
}

Result<SessionPlace> sessionPlaceFrom(const json::object& object, std::size_t* servers) {
    Reader of(object, "a session");
    SessionPlace out;
    out.sessionId = of.bounded("sessionId", kMostSessionId);
    out.cwd = of.filled("cwd", kMostShortText);
    if (!out.cwd.starts_with('/')) {
        of.problem("cwd", "is not an absolute path");
    }
    const auto* asked = of.array("mcpServers");
    if (servers != nullptr) {
        *servers = asked == nullptr ? 0 : asked->size();
    }
    CARREL_TRY(of.finish());
    return out;
}

json::object toJson(const SessionState& state) {
    json::object out;
    putUnlessEmpty(out, "sessionId", state.sessionId);
    if (!state.mode.empty()) {
        json::array modes;
        for (const auto& each : state.modes) {
            json::object mode{{"id", each.id}, {"name", each.name}};
            putUnlessEmpty(mode, "description", each.description);
            modes.emplace_back(std::move(mode));
        }
        out["modes"] = {{"currentModeId", state.mode}, {"availableModes", std::move(modes)}};
    }
    return out;
}

Result<SessionState> sessionStateFrom(const json::value& value) {
    SessionState out;
    if (value.is_null()) {
        return out;
    }
    const auto object = objectOf(value, "the state of a session");
    if (!object) {
        return fail(object.error());
    }
    Reader of(**object, "a session");
    out.sessionId = of.bounded("sessionId", kMostSessionId);
    if (const auto* modes = of.object("modes")) {
        Reader inner(*modes, "modes");
        out.mode = inner.filled("currentModeId", kMostShortText);
        for (const auto& each : inner.list("availableModes", kMostModes, Wanted::Always)) {
            const auto mode = objectOf(each, "a mode");
            if (!mode) {
                return fail(mode.error());
            }
            Reader one(**mode, "a mode");
            out.modes.push_back(
                {one.filled("id", kMostShortText), one.bounded("name", kMostShortText), one.bounded("description", kMostShortText)});
            CARREL_TRY(one.finish());
        }
        CARREL_TRY(inner.finish());
    }
    CARREL_TRY(of.finish());
    return out;
}

json::object toJson(const Block& block) {
    if (const auto* text = std::get_if<TextBlock>(&block)) {
        return {{"type", "text"}, {"text", text->text}};
    }
    if (const auto* link = std::get_if<LinkBlock>(&block)) {
        json::object out{{"type", "resource_link"}, {"uri", link->uri}, {"name", link->name}};
        putUnlessEmpty(out, "mimeType", link->mimeType);
        if (link->size) {
            out["size"] = *link->size;
        }
        return out;
    }
    if (const auto* resource = std::get_if<ResourceBlock>(&block)) {
        json::object inner{{"uri", resource->uri}, {"text", resource->text}};
        putUnlessEmpty(inner, "mimeType", resource->mimeType);
        return {{"type", "resource"}, {"resource", std::move(inner)}};
    }
    return {{"type", std::get<OtherBlock>(block).type}};
}

Result<Block> blockFrom(const json::value& value) {
    const auto object = objectOf(value, "a piece of content");
    if (!object) {
        return fail(object.error());
    }
    Reader of(**object, "a piece of content");
    const auto type = of.filled("type", kMostShortText);
    Block out = OtherBlock{type};
    if (type == "text") {
        out = TextBlock{std::string(of.text("text", Wanted::Always).value_or(""))};
    } else if (type == "resource_link") {
        out = LinkBlock{of.filled("uri", kMostShortText), of.bounded("name", kMostShortText), of.bounded("mimeType", kMostShortText),
                        of.number("size")};
    } else if (type == "resource") {
        if (const auto* inner = of.object("resource", Wanted::Always)) {
            Reader resource(*inner, "a resource");
            if (const auto text = resource.text("text")) {
                out = ResourceBlock{resource.filled("uri", kMostShortText), resource.bounded("mimeType", kMostShortText), std::string(*text)};
            }
            CARREL_TRY(resource.finish());
        }
    }
    CARREL_TRY(of.finish());
    return out;
}

json::object toJson(const Prompt& prompt) {
    json::array blocks;
    for (const auto& each : prompt.blocks) {
        blocks.emplace_back(toJson(each));
    }
    return {{"sessionId", prompt.sessionId}, {"prompt", std::move(blocks)}};
}

Result<Prompt> promptFrom(const json::object& object) {
    Reader of(object, "session/prompt");
    Prompt out;
    out.sessionId = of.filled("sessionId", kMostSessionId);
    for (const auto& each : of.list("prompt", kMostBlocks, Wanted::Always)) {
        auto block = blockFrom(each);
        if (!block) {
            return fail(block.error());
        }
        out.blocks.push_back(std::move(*block));
    }
    CARREL_TRY(of.finish());
    return out;
}

json::object promptResult(StopReason reason) {
    return {{"stopReason", toString(reason)}};
}

Result<StopReason> stopReasonFrom(const json::value& value) {
    const auto object = objectOf(value, "the answer to session/prompt");
    if (!object) {
        return fail(object.error());
    }
    Reader of(**object, "the answer to session/prompt");
    const auto word = of.filled("stopReason", kMostShortText);
    const auto reason = fromWord<StopReason>(word);
    if (!reason) {
        of.problem("stopReason", "is no reason that is known here");
    }
    CARREL_TRY(of.finish());
    return *reason;
}

json::object toJson(Update update) {
    update.update["sessionUpdate"] = update.kind;
    return {{"sessionId", update.sessionId}, {"update", std::move(update.update)}};
}

Result<Update> updateFrom(json::object object) {
    Update out;
    {
        Reader of(object, "session/update");
        out.sessionId = of.filled("sessionId", kMostSessionId);
        if (const auto* inner = of.object("update", Wanted::Always)) {
            Reader one(*inner, "an update");
            out.kind = one.filled("sessionUpdate", kMostShortText);
            CARREL_TRY(one.finish());
        }
        CARREL_TRY(of.finish());
    }
    out.update = std::move(object.at("update").get_object());
    return out;
}

json::object toJson(const Permission& permission) {
    json::array options;
    for (const auto& each : permission.options) {
        options.emplace_back(
            json::object{{"optionId", each.id}, {"name", each.name}, {"kind", toString(each.kind.value_or(OptionKind::RejectOnce))}});
    }
    return {{"sessionId", permission.sessionId}, {"toolCall", permission.toolCall}, {"options", std::move(options)}};
}

Result<Permission> permissionFrom(const json::object& object) {
    Reader of(object, "session/request_permission");
    Permission out;
    out.sessionId = of.filled("sessionId", kMostSessionId);
    if (const auto* call = of.object("toolCall", Wanted::Always)) {
        out.toolCall = *call;
    }
    for (const auto& each : of.list("options", kMostOptions, Wanted::Always)) {
        const auto option = objectOf(each, "an option");
        if (!option) {
            return fail(option.error());
        }
        Reader one(**option, "an option");
        out.options.push_back({one.filled("optionId", kMostShortText), one.bounded("name", kMostShortText),
                               fromWord<OptionKind>(one.bounded("kind", kMostShortText))});
        CARREL_TRY(one.finish());
    }
    if (out.options.empty()) {
        of.problem("options", "holds none");
    }
    CARREL_TRY(of.finish());
    return out;
}

json::object permissionResult(const std::optional<std::string>& option) {
    if (!option) {
        return {{"outcome", {{"outcome", "cancelled"}}}};
    }
    return {{"outcome", {{"outcome", "selected"}, {"optionId", *option}}}};
}

Result<std::optional<std::string>> permissionOutcomeFrom(const json::value& value) {
    const auto object = objectOf(value, "the answer to session/request_permission");
    if (!object) {
        return fail(object.error());
    }
    Reader of(**object, "the answer to session/request_permission");
    const auto* outcome = of.object("outcome", Wanted::Always);
    CARREL_TRY(of.finish());
    Reader one(*outcome, "outcome");
    const auto word = one.filled("outcome", kMostShortText);
    std::optional<std::string> chosen;
    if (word == "selected") {
        chosen = one.filled("optionId", kMostShortText);
    } else if (word != "cancelled") {
        one.problem("outcome", "is no word that is known here");
    }
    CARREL_TRY(one.finish());
    return chosen;
}

void putMeta(json::object& into, std::string_view key, json::value value) {
    auto& meta = into["_meta"];
    if (!meta.is_object()) {
        meta.emplace_object();
    }
    auto& ours = meta.get_object()["carrel"];
    if (!ours.is_object()) {
        ours.emplace_object();
    }
    ours.get_object()[{key.data(), key.size()}] = std::move(value);
}

const json::value* metaOf(const json::object& from, std::string_view key) {
    const auto* meta = from.if_contains("_meta");
    const auto* ours = meta == nullptr || !meta->is_object() ? nullptr : meta->get_object().if_contains("carrel");
    return ours == nullptr || !ours->is_object() ? nullptr : ours->get_object().if_contains({key.data(), key.size()});
}

json::object cancelParams(std::string_view sessionId) {
    return {{"sessionId", sessionId}};
}

json::object modeParams(std::string_view sessionId, std::string_view mode) {
    return {{"sessionId", sessionId}, {"modeId", mode}};
}

} // namespace carrel::acp
