// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/program/agent_session.h"

#include "guest/agent/anthropic_codec.h"
#include "guest/agent/chat_codec.h"
#include "guest/agent/fill_text.h"
#include "guest/agent/program/agent_words.h"
#include "guest/agent/program/shown_call.h"
#include "guest/agent/tools/shown_text.h"

#include <ctime>

namespace carrel::agent {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kMostAnswer = 16'384; // tokens
constexpr const char* kLater = "later";
constexpr const char* kOnce = "once";
constexpr const char* kAlways = "always";
constexpr const char* kNo = "no";

std::unique_ptr<ModelCodec> codecOf(const ModelSettings& model) {
    if (model.api == ModelApi::Anthropic) {
        return std::make_unique<AnthropicCodec>();
    }
    const bool isOpenAi = model.address.host == "api.openai.com";
    return std::make_unique<ChatCodec>(isOpenAi ? LimitWord::MaxCompletionTokens : LimitWord::MaxTokens);
}

std::string today() {
    const auto now = std::time(nullptr);
    std::tm parts{};
    char text[64] = "";
    if (::localtime_r(&now, &parts) != nullptr) {
        (void)std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
    }
    return text;
}

LoopSettings loopSettings(const ModelSettings& model, const std::string& folder) {
    LoopSettings out;
    out.model = model.name;
    out.system = filled(systemWords(), {{"{folder}", folder}, {"{date}", today()}});
    out.window = model.window;
    out.maxTokens = model.window == 0 ? kMostAnswer : std::min(kMostAnswer, model.window / 4);
    out.shortening = {std::string(summaryAskWords()), std::string(summaryUseWords())};
    return out;
}

json::object toJson(const Usage& usage) {
    return {{"input", usage.input}, {"cacheRead", usage.cacheRead}, {"cacheWrite", usage.cacheWrite}, {"output", usage.output}};
}

std::string sentence(const Error& error) {
    return error.text() + "." + (error.hint.empty() ? "" : " (" + error.hint + ")");
}

json::object planUpdate(const std::vector<PlanEntry>& plan) {
    json::array entries;
    for (const auto& each : plan) {
        entries.emplace_back(json::object{{"content", each.content}, {"priority", each.priority}, {"status", each.status}});
    }
    return {{"entries", std::move(entries)}};
}

} // namespace

Result<std::unique_ptr<AgentSession>> AgentSession::make(Place place, const ModelSettings& model, WorkMode mode, acp::Peer& peer,
                                                         AgentParts& parts) {
    std::unique_ptr<AgentSession> out(new AgentSession(std::move(place), model, mode, peer, parts));
    auto tools = ToolSet::make({out->m_place.cwd, parts.program}, {*out, *out, parts.web});
    if (!tools) {
        return fail(tools.error());
    }
    out->m_tools = std::move(*tools);
    Gate* gate = out.get();
    out->m_loop.emplace(loopSettings(model, out->m_place.cwd), *out->m_model, out->m_tools->tools(), RetryPolicy(parts.chance, parts.retry),
                        parts.waiter, gate);
    return out;
}

AgentSession::AgentSession(Place place, const ModelSettings& model, WorkMode mode, acp::Peer& peer, AgentParts& parts)
    : m_place(std::move(place))
    , m_settings(model)
    , m_peer(peer)
    , m_codec(codecOf(model))
    , m_model(std::make_unique<HttpModel>(*m_codec, model.address, model.key, parts.http))
    , m_mode(mode) {}

AgentSession::~AgentSession() {
    cancel();
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

Status AgentSession::begin() {
    const std::scoped_lock lock(m_mutex);
    CARREL_TRY(open());
    m_isOpen = true;
    return {};
}

Status AgentSession::open() {
    auto opened = ConversationFile::open(m_place.file);
    if (!opened) {
        return fail(opened.error().wrap("the conversation cannot be opened", opened.error().hint));
    }
    auto restored = Conversation::restored(std::move(opened->messages), opened->file.get());
    if (!restored) {
        return fail(restored.error().wrap("the conversation cannot be gone on with"));
    }
    m_file = std::move(opened->file);
    m_conversation = std::move(*restored);
    return {};
}

bool AgentSession::isOpen() const {
    const std::scoped_lock lock(m_mutex);
    return m_isOpen;
}

bool AgentSession::isWorking() const {
    const std::scoped_lock lock(m_mutex);
    return m_isWorking;
}

bool AgentSession::work(const acp::Id& request, std::function<acp::Outcome(const std::stop_token&)> job) {
    std::stop_token stop;
    {
        const std::scoped_lock lock(m_mutex);
        if (m_isWorking) {
            return false;
        }
        m_isWorking = true;
        m_hasAnswered = false;
        m_request = request;
        m_stop = std::stop_source();
        stop = m_stop.get_token();
    }
    if (m_thread.joinable()) { // it has answered already
        m_thread.join();
    }
    m_thread = std::thread([this, request, stop, job = std::move(job)] {
        auto outcome = job(stop);
        {
            const std::scoped_lock lock(m_mutex);
            m_isWorking = false; // before the answer: the next prompt may follow it at once
        }
        m_peer.answer(request, std::move(outcome));
        const std::scoped_lock lock(m_mutex);
        m_hasAnswered = true;
        m_changed.notify_all();
    });
    return true;
}

void AgentSession::waitForAnswer(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(m_mutex);
    (void)m_changed.wait_until(lock, until, [this] { return m_hasAnswered; });
}

void AgentSession::load(const acp::Id& request) {
    {
        const std::scoped_lock lock(m_mutex);
        m_isOpen = true;
    }
    const bool isBegun = work(request, [this](const std::stop_token&) -> acp::Outcome {
        if (!m_conversation) {
            if (auto opened = open(); !opened) {
                const std::scoped_lock lock(m_mutex);
                m_isOpen = false;
                return tl::unexpected<acp::Problem>(acp::problemOf(opened.error()));
            }
        }
        replay();
        return acp::toJson(state());
    });
    if (!isBegun) {
        m_peer.answer(request, tl::unexpected<acp::Problem>(acp::problemOf(
                                   Error{ErrorCode::Conflict, "this conversation is being worked on", "wait, or cancel that", 0, nullptr},
                                   acp::Code::InvalidRequest)));
    }
}

void AgentSession::prompt(const acp::Id& request, std::string text) {
    const bool isBegun = work(request, [this, text = std::move(text)](const std::stop_token& stop) -> acp::Outcome {
        ++m_message;
        m_used = {};
        m_hasSpoken = false;
        if (!m_notice.empty()) {
            chunk(acp::update::kThoughtChunk, std::exchange(m_notice, {}));
            ++m_message;
        }
        return answer(m_loop->prompt(*m_conversation, text, *this, stop));
    });
    if (!isBegun) {
        m_peer.answer(request, tl::unexpected<acp::Problem>(acp::problemOf(
                                   Error{ErrorCode::Conflict, "the last prompt is not over", "wait for its end, or cancel it", 0, nullptr},
                                   acp::Code::InvalidRequest)));
    }
}

acp::Outcome AgentSession::answer(const Ended& how) {
    auto reason = acp::StopReason::EndTurn;
    switch (how.reason) {
    case EndReason::EndOfTurn:
        break;
    case EndReason::MaxTokens:
        reason = acp::StopReason::MaxTokens;
        break;
    case EndReason::MaxTurns:
        reason = acp::StopReason::MaxTurnRequests;
        break;
    case EndReason::Refusal:
        reason = acp::StopReason::Refusal;
        break;
    case EndReason::Cancelled:
        reason = acp::StopReason::Cancelled;
        break;
    case EndReason::Failed:
        return tl::unexpected<acp::Problem>(
            acp::problemOf(how.error.value_or(Error{}), how.error && how.error->code == ErrorCode::InvalidArgument ? acp::Code::InvalidParams
                                                                                                                    : acp::Code::Internal));
    }
    auto result = acp::promptResult(reason);
    acp::putMeta(result, acp::kMetaUsage, toJson(m_used));
    if (how.error) {
        ++m_message;
        chunk(acp::update::kThoughtChunk, sentence(*how.error));
        acp::putMeta(result, acp::kMetaWhy, json::object{{"message", how.error->text()}, {"hint", how.error->hint}});
    }
    return result;
}

void AgentSession::cancel() {
    const std::scoped_lock lock(m_mutex);
    m_stop.request_stop();
}

bool AgentSession::cancelRequest(const acp::Id& request) {
    const std::scoped_lock lock(m_mutex);
    if (!m_isWorking || m_request != request) {
        return false;
    }
    m_stop.request_stop();
    return true;
}

WorkMode AgentSession::mode() const {
    const std::scoped_lock lock(m_mutex);
    return m_mode;
}

void AgentSession::setMode(WorkMode mode) {
    const std::scoped_lock lock(m_mutex);
    m_mode = mode;
    m_allowed.clear();
}

acp::SessionState AgentSession::state() const {
    return {{},
            std::string(toString(mode())),
            {{std::string(toString(WorkMode::Work)), "Work", "Does what the task calls for. The machine is the wall, and you review what changed."},
             {std::string(toString(WorkMode::Ask)), "Ask first", "Asks you before each command and each change of a file."}}};
}

// ---- to the client

void AgentSession::update(std::string_view kind, json::object fields, std::string_view metaKey, json::value meta) {
    auto params = acp::toJson(acp::Update{m_place.id, std::string(kind), std::move(fields)});
    if (!metaKey.empty()) {
        acp::putMeta(params, metaKey, std::move(meta));
    }
    (void)m_peer.notify(acp::method::kUpdate, std::move(params)); // where nobody listens any more, the service is about to end
}

void AgentSession::chunk(std::string_view kind, std::string_view text, std::string_view metaKey, json::value meta) {
    update(kind, {{"content", textContent(text)}, {"messageId", "m" + std::to_string(m_message)}}, metaKey, std::move(meta));
}

void AgentSession::text(const std::string& piece) {
    m_hasSpoken = true;
    chunk(acp::update::kAgentChunk, mended(piece));
}

void AgentSession::thought(const std::string& piece) {
    chunk(acp::update::kThoughtChunk, mended(piece));
}

void AgentSession::toolBegun(const ToolUse& call) {
    ++m_message;
    m_hasSpoken = false;
    if (call.name == "plan") { // the plan itself is shown
        return;
    }
    auto shown = shownCall(call, m_place.cwd);
    shown["status"] = acp::toString(isAskedAbout(call) ? acp::ToolStatus::Pending : acp::ToolStatus::InProgress);
    update(acp::update::kToolCall, std::move(shown));
}

void AgentSession::toolFinished(const ToolUse& call, const ToolResult& result, const std::optional<FileChange>& change) {
    if (call.name == "plan") {
        return;
    }
    update(acp::update::kToolCallUpdate,
           {{"toolCallId", call.id},
            {"status", acp::toString(result.isError ? acp::ToolStatus::Failed : acp::ToolStatus::Completed)},
            {"content", shownResult(result, change)}});
}

void AgentSession::usage(const Usage& ofTurn) {
    m_used.input += ofTurn.input;
    m_used.cacheRead += ofTurn.cacheRead;
    m_used.cacheWrite += ofTurn.cacheWrite;
    m_used.output += ofTurn.output;
    chunk(acp::update::kAgentChunk, "", acp::kMetaUsage, toJson(ofTurn));
}

void AgentSession::shortened() {
    ++m_message;
    chunk(acp::update::kThoughtChunk, "The conversation was nearly as long as the model can read, and goes on from the model's own notes of it.");
    ++m_message;
}

void AgentSession::retrying(std::chrono::milliseconds wait, const Error& why) {
    ++m_message;
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
    chunk(acp::update::kThoughtChunk,
          sentence(why) + (seconds > 0 ? " Trying again in " + std::to_string(seconds) + " s." : " Trying again.") +
              (m_hasSpoken ? " What was said of this answer so far does not count." : ""),
          acp::kMetaRetry, json::object{{"waitMs", wait.count()}, {"why", why.text()}});
    ++m_message;
    m_hasSpoken = false;
}

void AgentSession::show(const std::vector<PlanEntry>& plan) {
    update(acp::update::kPlan, planUpdate(plan));
}

// ---- what the client is asked

Result<AgentSession::Chosen> AgentSession::askClient(json::object toolCall, std::vector<acp::PermissionOption> options, const std::stop_token& stop) {
    const auto outcome = m_peer.ask(acp::method::kPermission, acp::toJson(acp::Permission{m_place.id, std::move(toolCall), std::move(options)}), stop);
    if (stop.stop_requested()) {
        return fail(ErrorCode::Cancelled, "it was stopped");
    }
    if (!outcome) {
        return fail(ErrorCode::Unavailable, "the user cannot be asked: " + outcome.error().message, "decide yourself, and say what you decided");
    }
    const auto chosen = acp::permissionOutcomeFrom(*outcome);
    if (!chosen) {
        return fail(chosen.error());
    }
    if (!*chosen) {
        return fail(ErrorCode::Cancelled, "the question was taken back");
    }
    Chosen out{**chosen, {}};
    if (const auto* said = acp::metaOf(outcome->get_object(), acp::kMetaText); said != nullptr && said->is_string()) {
        out.text = std::string(said->get_string().data(), said->get_string().size());
    }
    return out;
}

Result<std::string> AgentSession::ask(const Question& question, const std::stop_token& stop) {
    json::object call{{"toolCallId", "question-" + std::to_string(++m_question)},
                      {"title", mended(question.text)},
                      {"kind", acp::toString(acp::ToolKind::Other)},
                      {"status", acp::toString(acp::ToolStatus::Pending)},
                      {"content", json::array{json::object{{"type", "content"}, {"content", textContent(mended(question.text))}}}}};
    acp::putMeta(call, acp::kMetaQuestion, true);
    std::vector<acp::PermissionOption> options;
    for (std::size_t i = 0; i < question.choices.size(); ++i) {
        options.push_back({"choice-" + std::to_string(i), mended(question.choices[i]), acp::OptionKind::AllowOnce});
    }
    options.push_back({kLater, "Answer in the next message", acp::OptionKind::RejectOnce});
    const auto chosen = askClient(std::move(call), std::move(options), stop);
    if (!chosen) {
        return fail(chosen.error());
    }
    if (!chosen->text.empty()) {
        return chosen->text;
    }
    for (std::size_t i = 0; i < question.choices.size(); ++i) {
        if (chosen->option == "choice-" + std::to_string(i)) {
            return question.choices[i];
        }
    }
    return fail(ErrorCode::Unavailable, "the user will answer with the next message",
                "do what does not depend on it, then end your turn with the question");
}

bool AgentSession::isAskedAbout(const ToolUse& call) const {
    const std::scoped_lock lock(m_mutex);
    return m_mode == WorkMode::Ask && mayChange(call) && !m_allowed.contains(call.name);
}

Status AgentSession::allows(const ToolUse& call, const std::stop_token& stop) {
    if (!isAskedAbout(call)) {
        return {};
    }
    auto shown = shownCall(call, m_place.cwd);
    shown["status"] = acp::toString(acp::ToolStatus::Pending);
    const auto chosen = askClient(std::move(shown),
                                  {{kOnce, "Allow", acp::OptionKind::AllowOnce},
                                   {kAlways, "Allow all of this kind in this conversation", acp::OptionKind::AllowAlways},
                                   {kNo, "Do not allow", acp::OptionKind::RejectOnce}},
                                  stop);
    if (!chosen) {
        return fail(chosen.error().wrap("this was not run"));
    }
    if (chosen->option == kAlways) {
        const std::scoped_lock lock(m_mutex);
        m_allowed.insert(call.name);
    }
    if (chosen->option == kOnce || chosen->option == kAlways) {
        return {};
    }
    return fail(ErrorCode::Refused, "the user did not allow this, and it was not run; do not do the same in another way");
}

// ---- what was said before

void AgentSession::replay() {
    const auto& messages = m_conversation->messages();
    std::optional<std::vector<PlanEntry>> plan;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        std::vector<ToolResult> results;
        if (messages[i].role == Role::Assistant && i + 1 < messages.size()) {
            for (const auto& part : messages[i + 1].parts) {
                if (const auto* result = std::get_if<ToolResult>(&part)) {
                    results.push_back(*result);
                }
            }
        }
        replayMessage(messages[i], results);
        for (const auto& part : messages[i].parts) {
            const auto* call = std::get_if<ToolUse>(&part);
            if (auto read = call != nullptr && call->name == "plan" ? planFrom(call->input) : fail(ErrorCode::NotFound, ""); read) {
                plan = std::move(*read);
            }
        }
    }
    if (plan) {
        show(*plan);
    }
    ++m_message;
}

void AgentSession::replayMessage(const Message& message, const std::vector<ToolResult>& results) {
    static const auto notesBegin = summaryUseWords().substr(0, summaryUseWords().find('{'));
    ++m_message;
    for (const auto& part : message.parts) {
        if (const auto* said = std::get_if<Text>(&part)) {
            const bool isNotes = message.role == Role::User && said->text.starts_with(notesBegin);
            const auto kind = isNotes ? acp::update::kThoughtChunk : message.role == Role::User ? acp::update::kUserChunk : acp::update::kAgentChunk;
            chunk(kind, mended(said->text));
            continue;
        }
        const auto* call = std::get_if<ToolUse>(&part);
        if (call == nullptr || call->name == "plan") {
            continue;
        }
        auto shown = shownCall(*call, m_place.cwd);
        const auto result = std::find_if(results.begin(), results.end(), [&](const ToolResult& each) { return each.id == call->id; });
        const bool isDone = result != results.end() && !result->isError;
        shown["status"] = acp::toString(isDone ? acp::ToolStatus::Completed : acp::ToolStatus::Failed);
        if (result != results.end()) {
            shown["content"] = shownResult(*result, std::nullopt);
        }
        update(acp::update::kToolCall, std::move(shown));
    }
}

} // namespace carrel::agent
