// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/conversation.h"

#include "guest/agent/turn_builder.h"
#include "guest/protocol/plain_text.h"

#include <algorithm>

namespace carrel::agent {

namespace {

constexpr std::size_t kMostText = 16 * 1024 * 1024; // of one part: what is longer passes no interface
constexpr const char* kInterrupted =
    "The machine was stopped while this ran, and nobody knows how far it came. Look before you do it again.";

std::vector<ToolUse> callsOf(const Message& message) {
    std::vector<ToolUse> out;
    for (const auto& part : message.parts) {
        if (const auto* use = std::get_if<ToolUse>(&part)) {
            out.push_back(*use);
        }
    }
    return out;
}

bool answersAll(const std::vector<ToolUse>& calls, std::vector<std::string> ids) {
    std::vector<std::string> wanted;
    for (const auto& call : calls) {
        wanted.push_back(call.id);
    }
    std::sort(wanted.begin(), wanted.end());
    std::sort(ids.begin(), ids.end());
    return wanted == ids;
}

std::vector<ToolResult> interrupted(const std::vector<ToolUse>& calls) {
    std::vector<ToolResult> out;
    for (const auto& call : calls) {
        out.push_back({call.id, kInterrupted, true});
    }
    return out;
}

} // namespace

Result<Conversation> Conversation::restored(std::vector<Message> messages, ConversationKeeper* keeper) {
    Conversation out;
    for (auto& message : messages) {
        if (message.role == Role::Assistant) {
            const auto before = callsOf(message);
            CARREL_TRY(out.addTurn(std::move(message)));
            const auto after = out.openCalls();
            if (before.size() != after.size() ||
                !std::equal(before.begin(), before.end(), after.begin(), [](const auto& a, const auto& b) { return a.id == b.id; })) {
                return fail(ErrorCode::Malformed, "two calls of the conversation have the same name, or one has none");
            }
            continue;
        }
        std::vector<ToolResult> results;
        std::vector<std::string> texts;
        for (auto& part : message.parts) {
            if (auto* result = std::get_if<ToolResult>(&part)) {
                results.push_back(std::move(*result));
            } else if (auto* text = std::get_if<Text>(&part)) {
                texts.push_back(std::move(text->text));
            }
        }
        if (results.empty() && !out.openCalls().empty()) {
            results = interrupted(out.openCalls());
        }
        if (!results.empty()) {
            CARREL_TRY(out.addResults(std::move(results)));
        }
        for (const auto& text : texts) {
            CARREL_TRY(out.addUser(text));
        }
    }
    out.m_keeper = keeper;
    if (const auto open = out.openCalls(); !open.empty()) {
        CARREL_TRY(out.addResults(interrupted(open)));
    }
    return out;
}

std::vector<ToolUse> Conversation::openCalls() const {
    return m_messages.empty() || m_messages.back().role == Role::User ? std::vector<ToolUse>() : callsOf(m_messages.back());
}

Status Conversation::keep(const Message& message) {
    return m_keeper == nullptr ? Status() : m_keeper->keep(message);
}

void Conversation::join(Message message) {
    if (!m_messages.empty() && m_messages.back().role == message.role) {
        auto& parts = m_messages.back().parts;
        std::move(message.parts.begin(), message.parts.end(), std::back_inserter(parts));
    } else {
        m_messages.push_back(std::move(message));
    }
}

Status Conversation::addUser(std::string_view text) {
    if (isBlank(text)) {
        return fail(ErrorCode::InvalidArgument, "there is no word in it");
    }
    if (text.size() > kMostText) {
        return fail(ErrorCode::LimitExceeded, "it is longer than " + std::to_string(kMostText) + " bytes",
                    "put it into a file, and say where that is");
    }
    if (!openCalls().empty()) {
        return fail(ErrorCode::Conflict, "the model waits for results of its tools");
    }
    Message message{Role::User, {Text{plainText(text, kMostText)}}};
    CARREL_TRY(keep(message));
    join(std::move(message));
    return {};
}

void Conversation::fitIds(Message& turn) const {
    auto taken = m_ids;
    for (auto& part : turn.parts) {
        auto* use = std::get_if<ToolUse>(&part);
        if (use == nullptr) {
            continue;
        }
        for (std::size_t number = taken.size() + 1; use->id.empty() || use->id != fittingName(use->id) || taken.contains(use->id);
             ++number) {
            use->id = "call_" + std::to_string(number);
        }
        taken.insert(use->id);
    }
}

Status Conversation::addTurn(Message turn) {
    if (m_messages.empty() || m_messages.back().role != Role::User || turn.role != Role::Assistant) {
        return fail(ErrorCode::Conflict, "it is not the model's turn");
    }
    if (turn.parts.empty()) {
        return {};
    }
    fitIds(turn);
    CARREL_TRY(keep(turn));
    for (const auto& use : callsOf(turn)) {
        m_ids.insert(use.id);
    }
    join(std::move(turn));
    return {};
}

Status Conversation::addResults(std::vector<ToolResult> results) {
    std::vector<std::string> ids;
    Message message{Role::User, {}};
    for (auto& result : results) {
        ids.push_back(result.id);
        message.parts.emplace_back(ToolResult{std::move(result.id), plainText(result.text, kMostText), result.isError});
    }
    if (results.empty() || !answersAll(openCalls(), std::move(ids))) {
        return fail(ErrorCode::Conflict, "these are not the results of the calls that wait for one");
    }
    CARREL_TRY(keep(message));
    join(std::move(message));
    return {};
}

Status Conversation::replace(std::string_view text) {
    if (isBlank(text)) {
        return fail(ErrorCode::InvalidArgument, "there is no word in it");
    }
    std::vector<Message> messages{{Role::User, {Text{plainText(text, kMostText)}}}};
    if (m_keeper != nullptr) {
        CARREL_TRY(m_keeper->keepInstead(messages));
    }
    m_messages = std::move(messages);
    m_ids.clear();
    return {};
}

} // namespace carrel::agent
