// SPDX-License-Identifier: Apache-2.0
// The agent's loop: the conversation goes to the model, what it says is shown while it comes, the tools that it asks for are run, side by
// side, and their results go back, until the model ends its turn, a bound is reached, somebody stops it, or it fails for good. However
// it ends, the conversation is one that can be gone on with. Thread: prompt() blocks, on one thread at a time; every event comes on that
// thread; stopping comes from any.
#pragma once

#include "guest/agent/conversation.h"
#include "guest/agent/model.h"
#include "guest/agent/retry_policy.h"
#include "guest/agent/tool.h"

#include <climits>

namespace carrel::agent {

enum class EndReason {
    EndOfTurn, // the model is done
    MaxTokens, // its answer was longer than one may be
    MaxTurns,  // it took as many turns as one prompt may
    Refusal,   // it will not
    Cancelled, // somebody stopped it
    Failed,    // see the error
};
[[nodiscard]] std::string_view toString(EndReason reason);

struct Ended {
    EndReason reason = EndReason::EndOfTurn;
    std::optional<Error> error; // always with Failed, MaxTokens, MaxTurns and Refusal: what happened, and the way on
};

// All default to nothing. They must not throw, and must not call the loop.
class LoopEvents {
public:
    virtual ~LoopEvents() = default;
    virtual void text(const std::string& /*piece*/) {}
    virtual void thought(const std::string& /*piece*/) {}
    virtual void toolBegun(const ToolUse& /*call*/) {} // with its whole input
    virtual void toolFinished(const ToolUse& /*call*/, const ToolResult& /*result*/, const std::optional<FileChange>& /*change*/) {}
    virtual void usage(const Usage& /*ofTurn*/) {} // once for each turn that came about, and for what a failed one told
    // The conversation was replaced by the model's own notes of it, because it filled nearly all that the model can read.
    virtual void shortened() {}
    // What was shown of this turn is void: it is taken again after `wait`.
    virtual void retrying(std::chrono::milliseconds /*wait*/, const Error& /*why*/) {}
    virtual void ended(const Ended& /*how*/) {}
};

// The words by which a conversation is made shorter: data, of resources/agent.
struct ShorteningWords {
    std::string ask; // what the model is asked to write down
    std::string use; // what stands in the place of the conversation: with {summary}, and {asked}, the user's last words
};

struct LoopSettings {
    std::string model;
    std::string system;
    std::uint64_t maxTokens = 16'384;     // of one answer
    unsigned turns = 200;                 // of one prompt
    std::size_t resultBytes = 100 * 1024; // of one tool's text; its beginning and its end are kept
    std::uint64_t window = 0;             // tokens that the model can read and write in all; 0: nobody knows, and nothing is made shorter
    ShorteningWords shortening;
    unsigned sideBySide = 8; // tools that run at the same time
    TurnLimits turn;
};

class Loop {
public:
    // All of them outlive this. No two tools have the same name. A loop belongs to one conversation. `gate` may be null.
    Loop(LoopSettings settings, Model& model, std::vector<Tool*> tools, RetryPolicy policy, Waiter& waiter, Gate* gate = nullptr);

    // InvalidArgument and the errors of Conversation::addUser() are an end with Failed, too.
    Ended prompt(Conversation& conversation, std::string_view text, LoopEvents& events, const std::stop_token& stop);

private:
    [[nodiscard]] Ended run(Conversation& conversation, std::string_view text, LoopEvents& events, const std::stop_token& stop);
    struct Broken {
        Ended how;
        Message spoken; // what was said before it broke off
    };
    enum class Show { All, Nothing };
    // One turn, however often it has to be tried.
    [[nodiscard]] tl::expected<ModelTurn, Broken> takeTurn(std::span<const Message> messages, LoopEvents& events, Show show,
                                                           const std::stop_token& stop);
    [[nodiscard]] bool isNearlyFull() const;
    [[nodiscard]] std::optional<Ended> shorten(Conversation& conversation, std::string_view asked, LoopEvents& events,
                                               const std::stop_token& stop);
    [[nodiscard]] std::vector<ToolResult> runTools(const std::vector<ToolUse>& calls, LoopEvents& events, const std::stop_token& stop);
    struct Ran {
        ToolResult result;
        std::optional<FileChange> change;
    };
    [[nodiscard]] Ran runTool(const ToolUse& call, const std::stop_token& stop) const;
    [[nodiscard]] std::string namesOfTools() const;

    LoopSettings m_settings;
    Model& m_model;
    std::vector<Tool*> m_tools;
    std::vector<ToolSpec> m_specs;
    RetryPolicy m_policy;
    Waiter& m_waiter;
    Gate* m_gate;
    std::uint64_t m_read = 0;      // tokens of the last turn; 0 before there was one
    unsigned m_sinceShortened = UINT_MAX; // turns; never yet
};

// At most about `most` bytes of it, its beginning and its end, with a word about what is left out; valid UTF-8.
[[nodiscard]] std::string fittingResult(std::string_view text, std::size_t most);

} // namespace carrel::agent
