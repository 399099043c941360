// SPDX-License-Identifier: Apache-2.0
// A conversation as every interface accepts it: it begins with the user, the two alternate, each call of a tool has exactly one result,
// in the message after it, and no two calls share an id. What is added is told to a keeper first (conversation_file.h): what cannot be
// kept is not added. Thread: one at a time.
#pragma once

#include "guest/agent/model_turn.h"
#include "guest/protocol/result.h"

#include <set>

namespace carrel::agent {

class ConversationKeeper {
public:
    virtual ~ConversationKeeper() = default;
    // Durable when it returns.
    [[nodiscard]] virtual Status keep(const Message& added) = 0;
    // From now on the conversation is these messages.
    [[nodiscard]] virtual Status keepInstead(const std::vector<Message>& messages) = 0;
};

class Conversation {
public:
    // `keeper` may be null, and outlives this.
    explicit Conversation(ConversationKeeper* keeper = nullptr)
        : m_keeper(keeper) {}
    // What was kept, made whole: a call that nobody answered, because the program ended meanwhile, gets a result that says so. Malformed:
    // no conversation can look like this.
    [[nodiscard]] static Result<Conversation> restored(std::vector<Message> messages, ConversationKeeper* keeper = nullptr);

    [[nodiscard]] const std::vector<Message>& messages() const { return m_messages; }
    // What the user says; where it follows results, it joins them. InvalidArgument: there is no word in it. LimitExceeded.
    [[nodiscard]] Status addUser(std::string_view text);
    // A turn of the model's; its calls get ids of their own where they had none or one that is taken. A turn without parts adds nothing.
    // Conflict: it is not the model's turn.
    [[nodiscard]] Status addTurn(Message turn);
    // One for each call of the last turn, in any order. Conflict: they are not those.
    [[nodiscard]] Status addResults(std::vector<ToolResult> results);
    // A shorter conversation in the place of this one: the user's words alone.
    [[nodiscard]] Status replace(std::string_view text);
    [[nodiscard]] std::vector<ToolUse> openCalls() const;

private:
    [[nodiscard]] Status keep(const Message& message);
    void join(Message message);
    void fitIds(Message& turn) const;

    ConversationKeeper* m_keeper;
    std::vector<Message> m_messages;
    std::set<std::string, std::less<>> m_ids;
};

} // namespace carrel::agent
