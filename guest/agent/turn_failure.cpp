// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/turn_failure.h"

#include "guest/protocol/plain_text.h"

#include <algorithm>

namespace carrel::agent {

namespace {

constexpr std::size_t kMostSaid = 400; // of a provider's sentence: enough to understand it, and no page

constexpr const char* kKeyHint =
    "the key is not right or not good any more: on the computer, look with \"carrel credential list\" and \"carrel credential test NAME\", "
    "take "
    "the old one away with \"carrel credential remove NAME\" and keep a new one with \"carrel credential add NAME --host HOST\"";

std::string oneLine(std::string_view text) {
    std::string out = plainText(text, kMostSaid);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
    const auto last = out.find_last_not_of(" .");
    out.resize(last == std::string::npos ? 0 : last + 1);
    return out;
}

bool holds(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// Money is gone: no waiting helps. A 429 (OpenAI: insufficient_quota, billing_…; Anthropic: …spend_limit…), a 402 or a 400 ("credit
// balance").
bool isAboutMoney(const Answer& answer) {
    return answer.status == 402 || holds(answer.type, "insufficient_quota") || holds(answer.type, "billing") ||
           holds(answer.type, "spend_limit") || holds(answer.type, "credit_balance") || holds(answer.said, "credit balance");
}

bool isTooLong(const Answer& answer) {
    return answer.status == 413 || holds(answer.type, "context_length") || holds(answer.said, "context length") ||
           holds(answer.said, "prompt is too long") || holds(answer.said, "context window") || holds(answer.said, "context size");
}

struct Words {
    FailureKind kind;
    ErrorCode code;
    std::string what;
    std::string hint;
};

Words wordsOf(const Answer& answer) {
    using enum FailureKind;
    const int status = answer.status;
    const auto& type = answer.type;
    if (!answer.carrelOutcome.empty()) {
        const bool unreachable = status >= 500;
        return {unreachable ? Busy : Rejected, unreachable ? ErrorCode::Unavailable : ErrorCode::Refused,
                "Carrel did not let the request to the model through",
                "\"carrel-ask why\" in this machine says more; on the computer, \"carrel approvals\" and \"carrel rules list\" show what "
                "allows it"};
    }
    if (isAboutMoney(answer)) {
        return {Rejected, ErrorCode::Refused, "the model's provider wants money first",
                "look at the balance and the spending limit of the account at the provider; another provider can be used meanwhile"};
    }
    if (status == 401 || type == "authentication_error" || type == "invalid_api_key") {
        return {Rejected, ErrorCode::Refused, "the model's provider does not accept the key", kKeyHint};
    }
    if (status == 403 || type == "permission_error") {
        return {Rejected, ErrorCode::Refused, "the model's provider does not allow this key to do that",
                "the key may not use this model, or not from here; see \"carrel credential list\", and what the provider's account says of "
                "the key"};
    }
    if (status == 404 || type == "not_found_error" || type == "model_not_found") {
        return {Rejected, ErrorCode::NotFound, "the model's provider does not know this model or address",
                "look at the model's name and at the address that are set for the provider; on an own computer the model may have to be "
                "fetched first"};
    }
    if (isTooLong(answer)) {
        return {Rejected, ErrorCode::LimitExceeded, "the conversation is longer than the model can read",
                "begin a new task, or use a model that reads more at once"};
    }
    if (status == 429 || type == "rate_limit_error" || type == "rate_limit_exceeded") {
        return {Busy, ErrorCode::Unavailable, "the model's provider asks for fewer requests",
                "wait some minutes; the account's limits are at the provider"};
    }
    if (status == 529 || status == 503 || type == "overloaded_error") {
        return {Busy, ErrorCode::Unavailable, "the model's provider has too much to do",
                "try again in some minutes, or use another provider"};
    }
    if (status == 408 || status == 409 || status == 425 || (status >= 500 && status <= 599) || type == "api_error" ||
        type == "server_error" || type == "timeout_error") {
        return {Busy, ErrorCode::Unavailable, "the model's provider failed", "try again in some minutes, or use another provider"};
    }
    if (status >= 300 && status <= 399) {
        return {Rejected, ErrorCode::Refused, "the model's address leads on to another, and a key is not carried there",
                "set the provider's address as its documentation gives it"};
    }
    return {Rejected, ErrorCode::InvalidArgument, "the model's provider did not accept the request",
            "its own words say why; the model's name and the settings of the provider are the first to look at"};
}

} // namespace

tl::unexpected<TurnFailure> failTurn(FailureKind kind, Error error) {
    TurnFailure failure;
    failure.kind = kind;
    failure.error = std::move(error);
    return tl::unexpected<TurnFailure>(std::move(failure));
}

tl::unexpected<TurnFailure> failTurn(FailureKind kind, std::string message, std::string hint) {
    ErrorCode code = ErrorCode::Malformed;
    switch (kind) {
    case FailureKind::NoConnection:
    case FailureKind::Dropped:
    case FailureKind::Busy:
    case FailureKind::Empty:
        code = ErrorCode::Unavailable;
        break;
    case FailureKind::NoSuchHost:
        code = ErrorCode::NotFound;
        break;
    case FailureKind::Rejected:
        code = ErrorCode::Refused;
        break;
    case FailureKind::TooMuch:
        code = ErrorCode::LimitExceeded;
        break;
    case FailureKind::Cancelled:
        code = ErrorCode::Cancelled;
        break;
    case FailureKind::Malformed:
        break;
    }
    return failTurn(kind, Error{code, std::move(message), std::move(hint), 0, nullptr});
}

TurnFailure failureOf(const Answer& answer) {
    auto words = wordsOf(answer);
    TurnFailure failure;
    failure.kind = words.kind;
    failure.status = answer.status;
    failure.type = oneLine(answer.type);
    failure.retryAfter = answer.retryAfter;
    std::string message = std::move(words.what);
    if (!answer.carrelOutcome.empty()) {
        message += ", " + oneLine(answer.carrelOutcome);
    }
    if (answer.status != 0) {
        message += " (HTTP " + std::to_string(answer.status) + (failure.type.empty() ? "" : ", " + failure.type) + ")";
    } else if (!failure.type.empty()) {
        message += " (" + failure.type + ")";
    }
    if (const auto said = oneLine(answer.said); !said.empty()) {
        message += "; it says: " + said;
    }
    if (answer.retryAfter) {
        message += "; it asks to wait for " + std::to_string(std::chrono::ceil<std::chrono::seconds>(*answer.retryAfter).count()) + " s";
    }
    failure.error = Error{words.code, std::move(message), std::move(words.hint), 0, nullptr};
    return failure;
}

} // namespace carrel::agent
