// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/session_teller.h"

namespace carrel::runner {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostMessageId = 256;
constexpr const char* kBetweenMessages = "\n\n";

} // namespace

void SessionTeller::beginTurn(std::uint64_t turn) {
    m_turn = turn;
    m_textMessage.clear();
    m_thoughtMessage.clear();
}

void SessionTeller::other(std::string_view name, const json::value& content) {
    other(name, json::serialize(content));
}

void SessionTeller::other(std::string_view name, std::string text) {
    m_tell(talk::Other{m_turn, std::string(name), std::move(text)});
}

template <class Piece> void SessionTeller::chunk(const acp::Update& update, std::string& lastMessage) {
    const auto* content = objectIn(update.update, "content");
    const auto text = content == nullptr ? std::nullopt : textIn(*content, "text");
    if (!text || textIn(*content, "type") != "text") {
        other(update.kind, update.update); // a picture, a link
        return;
    }
    std::string told(*text);
    if (const auto message = textIn(update.update, "messageId")) {
        const auto name = message->substr(0, kMostMessageId);
        if (!lastMessage.empty() && name != lastMessage) {
            told.insert(0, kBetweenMessages);
        }
        lastMessage = name;
    }
    m_tell(Piece{m_turn, std::move(told)});
}

void SessionTeller::plan(const acp::Update& update) {
    const auto* entries = arrayIn(update.update, "entries");
    if (entries == nullptr) {
        other(update.kind, update.update);
        return;
    }
    talk::Plan plan{m_turn, {}};
    for (const auto& item : *entries) {
        const auto* entry = item.if_object();
        const auto text = entry == nullptr ? std::nullopt : textIn(*entry, "content");
        if (text && plan.entries.size() < talk::kMaxPlan) {
            plan.entries.push_back({std::string(*text), talk::priorityFrom(textIn(*entry, "priority").value_or("")).value_or(talk::Priority::Medium),
                                    talk::stepStatusFrom(textIn(*entry, "status").value_or("")).value_or(talk::StepStatus::Pending)});
        }
    }
    m_tell(std::move(plan));
}

void SessionTeller::update(const acp::Update& update) {
    if (update.kind == acp::update::kAgentChunk) {
        chunk<talk::Text>(update, m_textMessage);
    } else if (update.kind == acp::update::kThoughtChunk) {
        chunk<talk::Thought>(update, m_thoughtMessage);
    } else if (update.kind == acp::update::kToolCall || update.kind == acp::update::kToolCallUpdate) {
        if (auto tool = m_tools.merge(m_turn, update.update)) {
            m_tell(std::move(*tool));
        } else {
            other(update.kind, update.update);
        }
    } else if (update.kind == acp::update::kPlan) {
        plan(update);
    } else if (const auto mode = textIn(update.update, "currentModeId"); update.kind == acp::update::kMode && mode) {
        modeIs(*mode);
    } else if (update.kind != acp::update::kUserChunk) {
        other(update.kind, update.update);
    }
}

SessionTeller::AboutTool SessionTeller::aboutTool(const json::object& toolCall) {
    auto tool = m_tools.merge(m_turn, toolCall);
    if (!tool) {
        return {{}, std::string(textIn(toolCall, "title").value_or(""))};
    }
    AboutTool out{tool->id, tool->title};
    m_tell(std::move(*tool));
    return out;
}

void SessionTeller::terminalChanged(std::string_view terminal) {
    for (auto& tool : m_tools.showing(terminal)) {
        m_tell(std::move(tool));
    }
}

void SessionTeller::modeIs(std::string_view mode) {
    if (mode != m_mode) {
        m_mode = mode;
        m_tell(talk::ModeNow{m_mode});
    }
}

} // namespace carrel::runner
