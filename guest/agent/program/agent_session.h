// SPDX-License-Identifier: Apache-2.0
// One session of the Agent Client Protocol: a conversation, its file, its tools and its loop, and the thread that works on a prompt. What
// happens in the loop goes to the client as updates. Legal: load() or begin() once, then prompts, one at a time. Owner: AgentService.
// Thread: the calls on the peer's reading thread, which they never hold up; what they begin works on a thread of the session's own.
#pragma once

#include "guest/acp/peer.h"
#include "guest/acp/session.h"
#include "guest/agent/conversation_file.h"
#include "guest/agent/http_model.h"
#include "guest/agent/loop.h"
#include "guest/agent/program/agent_settings.h"
#include "guest/agent/tools/tool_set.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace carrel::agent {

// What all sessions share; it outlives them.
struct AgentParts {
    std::vector<std::string> program; // the command that does runSearchChild()
    Web& web;
    Waiter& waiter;
    std::function<double()> chance; // see RetryPolicy; from any thread
    RetryRules retry;
    HttpSettings http;
};

class AgentSession final : private LoopEvents, private Asker, private PlanShower, private Gate {
public:
    struct Place {
        std::string id;
        std::string cwd;
        std::string file; // of the conversation
    };
    // InvalidArgument.
    [[nodiscard]] static Result<std::unique_ptr<AgentSession>> make(Place place, const ModelSettings& model, WorkMode mode, acp::Peer& peer,
                                                                    AgentParts& parts);
    ~AgentSession() override; // stops what works
    AgentSession(const AgentSession&) = delete;
    AgentSession& operator=(const AgentSession&) = delete;

    // A new conversation: its file is made. Io.
    [[nodiscard]] Status begin();
    // Reads the file, shows the client all that was said, and answers `request`.
    void load(const acp::Id& request);
    // Answers `request` when the turn is over; at once, with an error, where the last one is not.
    void prompt(const acp::Id& request, std::string text);
    void cancel();
    // Only what works for this request. False: nothing does.
    bool cancelRequest(const acp::Id& request);
    void setMode(WorkMode mode);
    [[nodiscard]] acp::SessionState state() const; // without the id
    // A word that the user sees before the next answer.
    void setNotice(std::string notice) { m_notice = std::move(notice); }
    [[nodiscard]] bool isOpen() const; // load() and begin() came about, or are under way
    [[nodiscard]] bool isWorking() const;
    void waitForAnswer(std::chrono::steady_clock::time_point until); // to what works; from any thread

private:
    AgentSession(Place place, const ModelSettings& model, WorkMode mode, acp::Peer& peer, AgentParts& parts);

    // Does the job on the session's thread, and answers with what comes of it. False: another is not over.
    bool work(const acp::Id& request, std::function<acp::Outcome(const std::stop_token&)> job);
    [[nodiscard]] Status open();
    void replay();
    void replayMessage(const Message& message, const std::vector<ToolResult>& results);
    [[nodiscard]] acp::Outcome answer(const Ended& how);
    void update(std::string_view kind, boost::json::object fields, std::string_view metaKey = {}, boost::json::value meta = nullptr);
    void chunk(std::string_view kind, std::string_view text, std::string_view metaKey = {}, boost::json::value meta = nullptr);
    [[nodiscard]] WorkMode mode() const;
    [[nodiscard]] bool isAskedAbout(const ToolUse& call) const;
    // The id of the option that was chosen, and what was said beside it.
    struct Chosen {
        std::string option;
        std::string text;
    };
    [[nodiscard]] Result<Chosen> askClient(boost::json::object toolCall, std::vector<acp::PermissionOption> options, const std::stop_token& stop);

    void text(const std::string& piece) override;
    void thought(const std::string& piece) override;
    void toolBegun(const ToolUse& call) override;
    void toolFinished(const ToolUse& call, const ToolResult& result, const std::optional<FileChange>& change) override;
    void usage(const Usage& ofTurn) override;
    void shortened() override;
    void retrying(std::chrono::milliseconds wait, const Error& why) override;
    [[nodiscard]] Result<std::string> ask(const Question& question, const std::stop_token& stop) override;
    void show(const std::vector<PlanEntry>& plan) override;
    [[nodiscard]] Status allows(const ToolUse& call, const std::stop_token& stop) override;

    const Place m_place;
    const ModelSettings m_settings;
    acp::Peer& m_peer;
    std::unique_ptr<ModelCodec> m_codec;
    std::unique_ptr<HttpModel> m_model;
    std::unique_ptr<ToolSet> m_tools;
    std::optional<Loop> m_loop;
    std::string m_notice;

    // Of the thread that works.
    std::unique_ptr<ConversationFile> m_file;
    std::optional<Conversation> m_conversation;
    std::uint64_t m_message = 0; // counts what belongs together
    Usage m_used;                // by this prompt
    bool m_hasSpoken = false;    // in this turn
    std::atomic<std::uint64_t> m_question = 0;

    mutable std::mutex m_mutex; // of what follows
    WorkMode m_mode;
    std::set<std::string> m_allowed; // tools that need no question in this session
    bool m_isOpen = false;
    bool m_isWorking = false;
    bool m_hasAnswered = true;
    std::condition_variable m_changed;
    acp::Id m_request; // what works
    std::stop_source m_stop;

    std::thread m_thread;
};

} // namespace carrel::agent
