// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/net_refusals.h"

#include "guest/protocol/plain_text.h"
#include "guest/protocol/strict_json.h"

namespace carrel::net {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kMaxExact = 1ULL << 53U; // in any program's JSON

std::optional<Host> hostOf(JsonFields& fields, const std::string& text) {
    auto host = hostFrom(text);
    if (!host) {
        fields.problem("host", "is neither a host's name nor an address");
    }
    return host;
}

Result<Refusal> refusalFrom(const json::object& object) {
    JsonFields fields(object, "refusal");
    Refusal out;
    out.at = fields.number("at", kMaxExact);
    const auto host = hostOf(fields, fields.string("host", kMaxHostName));
    out.meant.port = static_cast<std::uint16_t>(fields.number("port", UINT16_MAX));
    const auto outcome = outcomeFrom(fields.string("outcome", 16));
    out.words = fields.string("words", kMaxAnswerText);
    out.times = fields.number("times", kMaxExact);
    if (!outcome || *outcome == Outcome::Open || *outcome == Outcome::Waiting) {
        fields.problem("outcome", "is no refusal");
    } else if (out.meant.port == 0) {
        fields.problem("port", "is none");
    } else if (plainText(out.words, kMaxAnswerText) != out.words) {
        fields.problem("words", "is not UTF-8");
    }
    CARREL_TRY(fields.finish());
    out.meant.host = *host;
    out.outcome = *outcome;
    return out;
}

} // namespace

json::object toJson(const RefusalsWanted& wanted) {
    return wanted.host ? json::object{{"host", textOf(*wanted.host)}} : json::object{};
}

Result<RefusalsWanted> refusalsWantedFrom(const json::object& params) {
    JsonFields fields(params, kRefusalsMethod);
    RefusalsWanted out;
    if (const auto text = fields.optionalString("host", kMaxHostName)) {
        out.host = hostOf(fields, *text);
    }
    CARREL_TRY(fields.finish());
    return out;
}

json::object toJson(const Refusals& refusals) {
    json::array list;
    for (const auto& each : refusals) {
        list.push_back({{"at", each.at},
                        {"host", textOf(each.meant.host)},
                        {"port", each.meant.port},
                        {"outcome", toString(each.outcome)},
                        {"words", each.words},
                        {"times", each.times}});
    }
    return {{"refusals", std::move(list)}};
}

Result<Refusals> refusalsFrom(const json::object& answer) {
    JsonFields fields(answer, kRefusalsMethod);
    const auto& list = fields.array("refusals", kMaxRefusals);
    CARREL_TRY(fields.finish());
    Refusals out;
    for (const auto& each : list) {
        if (!each.is_object()) {
            return fail(ErrorCode::Malformed, "net.refusals: a refusal is not an object");
        }
        auto one = refusalFrom(each.get_object());
        if (!one) {
            return fail(std::move(one).error());
        }
        out.push_back(std::move(*one));
    }
    return out;
}

} // namespace carrel::net
