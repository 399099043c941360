// SPDX-License-Identifier: Apache-2.0
#include "tests/support/model_server/scenario.h"

#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::test::model {

namespace {

namespace json = boost::json;

constexpr JsonLimits kLimits{16 << 20U, 48};
constexpr std::size_t kMostBytes = 4 << 20U;
constexpr std::size_t kMostItems = 100'000;

std::string at(const std::string& where, std::size_t index) {
    return where + "[" + std::to_string(index) + "]";
}
tl::unexpected<Error> bad(const std::string& where, const std::string& why) {
    return fail(ErrorCode::Malformed, where + " " + why);
}

std::optional<std::string> optionalText(JsonFields& fields, std::string_view key) {
    return fields.optionalString(key, kMostBytes);
}
std::vector<std::string> optionalTexts(JsonFields& fields, const json::object& object, std::string_view key) {
    return object.contains(key) ? fields.strings(key, kMostItems, kMostBytes) : std::vector<std::string>();
}
std::optional<bool> optionalBool(JsonFields& fields, const json::object& object, std::string_view key) {
    return object.contains(key) ? std::optional(fields.boolean(key)) : std::nullopt;
}

Result<std::vector<Piece>> piecesOf(const json::value& value, const std::string& where) {
    if (value.is_string()) {
        return std::vector<Piece>{{std::string(value.get_string()), false}};
    }
    if (!value.is_array()) {
        return bad(where, "is neither a text nor a list of pieces");
    }
    std::vector<Piece> pieces;
    for (const auto& one : value.get_array()) {
        if (one.is_string()) {
            pieces.push_back({std::string(one.get_string()), false});
            continue;
        }
        if (!one.is_object()) {
            return bad(at(where, pieces.size()), "is neither a text nor a hold");
        }
        JsonFields fields(one.get_object(), at(where, pieces.size()));
        pieces.push_back({fields.string("hold", kMostBytes), true});
        CARREL_TRY(fields.finish());
    }
    return pieces;
}

Result<Part> toolOf(const json::object& object, JsonFields& fields, const std::string& where) {
    ToolPart part{fields.string("tool", kMostBytes), optionalText(fields, "id").value_or(""), {}};
    fields.allow("arguments");
    const auto* arguments = object.if_contains("arguments");
    if (arguments == nullptr) {
        return bad(where, "calls a tool without \"arguments\"");
    }
    if (arguments->is_object()) {
        part.arguments = {{json::serialize(*arguments), false}};
    } else {
        auto pieces = piecesOf(*arguments, where + ".arguments");
        CARREL_TRY(pieces);
        part.arguments = std::move(*pieces);
    }
    return part;
}

Result<Part> partOf(const json::value& value, const std::string& where) {
    if (!value.is_object()) {
        return bad(where, "is no object");
    }
    const auto& object = value.get_object();
    JsonFields fields(object, where);
    Result<Part> part = bad(where, "is none of text, tool, hold, comment, data, error and endless");
    if (const auto* text = object.if_contains("text")) {
        fields.allow("text");
        auto pieces = piecesOf(*text, where + ".text");
        CARREL_TRY(pieces);
        part = TextPart{std::move(*pieces)};
    } else if (object.contains("tool")) {
        part = toolOf(object, fields, where);
    } else if (object.contains("hold")) {
        part = HoldPart{fields.string("hold", kMostBytes)};
    } else if (object.contains("comment")) {
        part = CommentPart{fields.string("comment", kMostBytes)};
    } else if (object.contains("data")) {
        EventPart event{optionalText(fields, "event").value_or(""), fields.string("data", kMostBytes)};
        if ((event.name + event.data).find_first_of("\r\n") != std::string::npos) {
            return bad(where, "is an event of more than one line");
        }
        part = std::move(event);
    } else if (object.contains("error")) {
        const auto& inner = fields.object("error");
        JsonFields error(inner, where + ".error");
        part = ErrorPart{error.string("type", kMostBytes), error.string("message", kMostBytes)};
        CARREL_TRY(fields.finish());
        CARREL_TRY(error.finish());
    } else if (object.contains("endless")) {
        part = EndlessPart{fields.string("endless", kMostBytes)};
    }
    CARREL_TRY(part);
    CARREL_TRY(fields.finish());
    return part;
}

Result<Expectation> expectationOf(const json::object& object, const std::string& where) {
    JsonFields fields(object, where);
    Expectation expect;
    if (const auto api = optionalText(fields, "api")) {
        if (*api != "anthropic" && *api != "openai") {
            fields.problem("api", "is neither anthropic nor openai");
        }
        expect.api = *api == "anthropic" ? Api::Anthropic : Api::OpenAi;
    }
    expect.stream = optionalBool(fields, object, "stream");
    expect.model = optionalText(fields, "model");
    expect.system = optionalText(fields, "system");
    expect.user = optionalText(fields, "user");
    expect.history = optionalTexts(fields, object, "history");
    expect.tools = optionalTexts(fields, object, "tools");
    for (const auto& one : fields.optionalArray("tool_results", kMostItems)) {
        const auto place = at(where + ".tool_results", expect.toolResults.size());
        if (!one.is_object()) {
            return bad(place, "is no object");
        }
        JsonFields result(one.get_object(), place);
        expect.toolResults.push_back({result.string("tool", kMostBytes), optionalText(result, "text").value_or(""),
                                      optionalBool(result, one.get_object(), "error")});
        CARREL_TRY(result.finish());
    }
    CARREL_TRY(fields.finish());
    return expect;
}

Result<Answer> answerOf(const json::object& object, const std::string& where) {
    JsonFields fields(object, where);
    Answer answer;
    const auto& content = fields.array("content", kMostItems);
    for (const auto& one : content) {
        auto part = partOf(one, at(where + ".content", answer.content.size()));
        CARREL_TRY(part);
        const bool ends = std::holds_alternative<EndlessPart>(*part) || std::holds_alternative<ErrorPart>(*part);
        if (ends && answer.content.size() + 1 < content.size()) {
            return bad(at(where + ".content", answer.content.size()), "ends the answer, and is not its last part");
        }
        answer.content.push_back(std::move(*part));
    }
    const bool calls = std::any_of(answer.content.begin(), answer.content.end(),
                                   [](const auto& part) { return std::holds_alternative<ToolPart>(part); });
    answer.stop = calls ? Stop::Tools : Stop::End;
    if (const auto stop = optionalText(fields, "stop")) {
        if (*stop == "end" || *stop == "tools") {
            answer.stop = *stop == "end" ? Stop::End : Stop::Tools;
        } else if (*stop == "length" || *stop == "refusal") {
            answer.stop = *stop == "length" ? Stop::Length : Stop::Refusal;
        } else {
            fields.problem("stop", "is none of end, tools, length and refusal");
        }
    }
    if (const auto* inner = fields.optionalObject("usage")) {
        JsonFields usage(*inner, where + ".usage");
        constexpr std::uint64_t kMost = 1'000'000'000;
        answer.usage.input = usage.optionalNumber("input", kMost).value_or(answer.usage.input);
        answer.usage.output = usage.optionalNumber("output", kMost).value_or(answer.usage.output);
        answer.usage.cacheRead = usage.optionalNumber("cache_read", kMost).value_or(0);
        answer.usage.cacheWrite = usage.optionalNumber("cache_write", kMost).value_or(0);
        CARREL_TRY(usage.finish());
    }
    if (const auto cut = fields.optionalNumber("cut_after")) {
        answer.cutAfter = static_cast<std::size_t>(*cut);
    }
    CARREL_TRY(fields.finish());
    return answer;
}

Result<Fault> faultOf(const json::object& object, const std::string& where) {
    JsonFields fields(object, where);
    Fault fault;
    fault.status = static_cast<int>(fields.number("status", 599));
    fault.message = optionalText(fields, "message");
    fault.code = optionalText(fields, "code");
    fault.retryAfter = optionalText(fields, "retry_after");
    fault.body = optionalText(fields, "body");
    CARREL_TRY(fields.finish());
    if (fault.status < (fault.body ? 200 : 400)) {
        return bad(where, "has the status " + std::to_string(fault.status) + ", which is no fault");
    }
    if (fault.retryAfter && fault.retryAfter->find_first_of("\r\n") != std::string::npos) {
        return bad(where, "has a \"retry_after\" of more than one line");
    }
    return fault;
}

Result<Turn> turnOf(const json::value& value, const std::string& where) {
    if (!value.is_object()) {
        return bad(where, "is no object");
    }
    const auto& object = value.get_object();
    JsonFields fields(object, where);
    Turn turn;
    if (const auto* expect = fields.optionalObject("expect")) {
        auto read = expectationOf(*expect, where + ".expect");
        CARREL_TRY(read);
        turn.expect = std::move(*read);
    }
    turn.hold = optionalText(fields, "hold");
    turn.repeat = fields.optionalNumber("repeat", 1'000'000).value_or(1);
    const auto* answer = fields.optionalObject("answer");
    const auto* fault = fields.optionalObject("fault");
    const auto refused = fields.optionalNumber("refused", 599);
    CARREL_TRY(fields.finish());
    if ((answer != nullptr) + (fault != nullptr) + refused.has_value() != 1) {
        return bad(where, "needs one of \"answer\", \"fault\" and \"refused\"");
    }
    if (turn.repeat == 0) {
        return bad(where, "is repeated 0 times, so never played");
    }
    if (answer != nullptr) {
        auto read = answerOf(*answer, where + ".answer");
        CARREL_TRY(read);
        turn.what = std::move(*read);
    } else if (fault != nullptr) {
        auto read = faultOf(*fault, where + ".fault");
        CARREL_TRY(read);
        turn.what = std::move(*read);
    } else {
        if (turn.hold || object.contains("expect")) {
            return bad(where, "is \"refused\" before anything else of it is looked at: it has no \"expect\" and no \"hold\"");
        }
        turn.what = ExpectedRefusal{static_cast<int>(*refused)};
    }
    return turn;
}

} // namespace

Result<Scenario> parseScenario(std::string_view text) {
    const auto object = parseJsonObject(text, kLimits);
    CARREL_TRY(object);
    JsonFields fields(*object, "the scenario");
    Scenario scenario;
    scenario.key = fields.optionalString("key", 4096).value_or("");
    scenario.models = fields.strings("models", 1000, 4096);
    const auto twice = optionalText(fields, "same_role_twice").value_or("refuse");
    if (twice != "refuse" && twice != "join") {
        fields.problem("same_role_twice", "is neither refuse nor join");
    }
    scenario.sameRoleTwice = twice == "join" ? SameRoleTwice::Join : SameRoleTwice::Refuse;
    const auto& turns = fields.array("turns", kMostItems);
    const auto& asides = fields.optionalArray("asides", kMostItems);
    CARREL_TRY(fields.finish());
    if (object->contains("key") && scenario.key.empty()) {
        return bad("the scenario", "has an empty key");
    }
    if (scenario.models.empty()) {
        return bad("the scenario", "needs a model");
    }
    for (const auto& one : turns) {
        auto turn = turnOf(one, at("turns", scenario.turns.size()));
        CARREL_TRY(turn);
        scenario.turns.push_back(std::move(*turn));
    }
    for (const auto& one : asides) {
        const auto where = at("asides", scenario.asides.size());
        auto turn = turnOf(one, where);
        CARREL_TRY(turn);
        if (!one.get_object().contains("expect") || one.get_object().contains("repeat")) {
            return bad(where, "needs an \"expect\", and is played as often as that fits: no \"repeat\"");
        }
        scenario.asides.push_back(std::move(*turn));
    }
    return scenario;
}

} // namespace carrel::test::model
