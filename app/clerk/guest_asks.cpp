// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/guest_asks.h"

#include "guest/protocol/strict_json.h"

namespace carrel::clerk {

namespace json = boost::json;

namespace {

// What the engine says to the guest: its answer, written anew, or why there is none.
Result<json::value> answerFrom(const ask::Question& to, const json::object* answer, const json::object* error) {
    if (error != nullptr) {
        return fail(errorFrom(*error));
    }
    auto standings = ask::standingsFrom(to, *answer);
    if (!standings) {
        return fail(ErrorCode::Internal, "the answer to this came in a form that makes no sense");
    }
    return json::value(ask::answerTo(to, *standings));
}

} // namespace

GuestAsks::GuestAsks(std::function<Status(const RpcResponse&)> toGuest, std::function<void(Told)> toEngine)
    : m_toGuest(std::move(toGuest)), m_toEngine(std::move(toEngine)) {}

Status GuestAsks::refuse(std::uint64_t id, ErrorCode code, std::string why, std::string hint) {
    return m_toGuest(RpcResponse{id, fail(code, std::move(why), std::move(hint))});
}

bool GuestAsks::takeTurn(Clock::time_point now) {
    if (m_thisMinute == 0 || now - m_minute >= std::chrono::minutes(1)) {
        m_minute = now;
        m_thisMinute = 0;
    }
    return ++m_thisMinute <= kMaxAsksPerMinute;
}

Status GuestAsks::ask(std::uint64_t id, const std::string& method, const json::object& params, Greeted greeted,
                      Clock::time_point now) {
    if (!ask::isMethod(method)) {
        return refuse(id, ErrorCode::Refused, "the host takes no such request on the control channel");
    }
    if (greeted == Greeted::No) { // the shares that it names are not agreed on yet
        return refuse(id, ErrorCode::Unavailable, "hello comes first", "Ask again in a moment");
    }
    auto question = ask::questionFrom(method, params);
    if (!question) {
        return m_toGuest(RpcResponse{id, fail(std::move(question).error())});
    }
    if (m_underWay.size() >= ask::kMaxUnderWay) {
        return refuse(id, ErrorCode::LimitExceeded, "too many programs of this agent wait for an answer",
                      "Wait until one has it, or end one");
    }
    if (!takeTurn(now)) {
        return refuse(id, ErrorCode::LimitExceeded, "this agent asks too often", "Wait a minute, then ask again");
    }
    const std::uint64_t number = m_next++;
    json::object told{{"number", number}, {"method", ask::methodOf(*question)}, {"params", ask::paramsOf(*question)}};
    m_underWay.emplace(number, UnderWay{id, std::move(*question), false});
    m_toEngine({"ask", std::move(told)});
    return {};
}

Status GuestAsks::answer(const json::object& params) {
    JsonFields fields(params, "ask.answer");
    const auto number = fields.number("number");
    const auto* answer = fields.optionalObject("answer");
    const auto* error = fields.optionalObject("error");
    if ((answer == nullptr) == (error == nullptr)) {
        fields.problem("answer", "is not either an answer or an error");
    }
    CARREL_TRY(fields.finish());
    const auto at = m_underWay.find(number);
    if (at == m_underWay.end()) {
        return {};
    }
    const UnderWay asked = std::move(at->second);
    m_underWay.erase(at);
    if (asked.forgotten) {
        return {};
    }
    // Where the guest does not take it, its channel begins anew, and it asks again.
    (void)m_toGuest(RpcResponse{asked.id, answerFrom(asked.question, answer, error)}).has_value();
    return {};
}

void GuestAsks::newEpoch() {
    for (auto& [number, asked] : m_underWay) {
        asked.forgotten = true;
    }
}

} // namespace carrel::clerk
