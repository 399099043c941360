// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/loop.h"

#include "guest/agent/fill_text.h"
#include "guest/protocol/plain_text.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace carrel::agent {

namespace {

constexpr unsigned kTurnsBetween = 4; // a model whose window is too small for the work would else do nothing but write notes
constexpr const char* kStopped = "The user stopped this before it was done.";
constexpr const char* kNotBegun = "The user stopped the work before this began. It was not run.";

Error endError(ErrorCode code, const char* what, const char* hint) {
    return Error{code, what, hint, 0, nullptr};
}

Ended failedEnd(Error error) {
    return {EndReason::Failed, std::move(error)};
}

Ended endOf(StopReason reason) {
    switch (reason) {
    case StopReason::MaxTokens:
        return {EndReason::MaxTokens,
                endError(ErrorCode::LimitExceeded, "the model's answer was longer than one may be, and was cut off there",
                         "say \"go on\", or ask for less at a time")};
    case StopReason::WindowFull:
        return {EndReason::MaxTokens, endError(ErrorCode::LimitExceeded, "the conversation has filled all that the model can read at once",
                                               "begin a new task, or use a model that reads more at once")};
    case StopReason::Refusal:
        return {EndReason::Refusal, endError(ErrorCode::Refused, "the model, or its provider's filter, will not do this",
                                             "say it in another way, leave out what it may object to, or use another model")};
    case StopReason::EndOfTurn:
    case StopReason::ToolUse:
    case StopReason::Other:
        break;
    }
    return {EndReason::EndOfTurn, std::nullopt};
}

// What may go back: thoughts that led to no word and no call are taken by no interface.
void dropLoneThoughts(Message& message) {
    const bool spoke =
        std::any_of(message.parts.begin(), message.parts.end(), [](const Part& part) { return !std::holds_alternative<Sealed>(part); });
    if (!spoke) {
        message.parts.clear();
    }
}

} // namespace

std::string_view toString(EndReason reason) {
    switch (reason) {
    case EndReason::EndOfTurn:
        return "end-of-turn";
    case EndReason::MaxTokens:
        return "max-tokens";
    case EndReason::MaxTurns:
        return "max-turns";
    case EndReason::Refusal:
        return "refusal";
    case EndReason::Cancelled:
        return "cancelled";
    case EndReason::Failed:
        break;
    }
    return "failed";
}

std::string fittingResult(std::string_view text, std::size_t most) {
    if (text.size() <= most) {
        return plainText(text, most);
    }
    const auto head = cutBetweenCharacters(text, most - most / 4);
    auto tail = text.substr(text.size() - most / 4);
    while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xc0U) == 0x80) {
        tail.remove_prefix(1);
    }
    const std::string whole =
        std::string(head) + "\n[… " + std::to_string(text.size() - head.size() - tail.size()) + " bytes left out …]\n" + std::string(tail);
    return plainText(whole, whole.size());
}

Loop::Loop(LoopSettings settings, Model& model, std::vector<Tool*> tools, RetryPolicy policy, Waiter& waiter, Gate* gate)
    : m_settings(std::move(settings))
    , m_model(model)
    , m_tools(std::move(tools))
    , m_policy(std::move(policy))
    , m_waiter(waiter)
    , m_gate(gate) {
    for (const auto* tool : m_tools) {
        m_specs.push_back(tool->spec());
    }
}

Ended Loop::prompt(Conversation& conversation, std::string_view text, LoopEvents& events, const std::stop_token& stop) {
    auto how = run(conversation, text, events, stop);
    events.ended(how);
    return how;
}

Ended Loop::run(Conversation& conversation, std::string_view text, LoopEvents& events, const std::stop_token& stop) {
    if (auto added = conversation.addUser(text); !added) {
        return failedEnd(added.error().wrap("what you said was not taken"));
    }
    for (unsigned turns = 0; turns < m_settings.turns; ++turns) {
        if (isNearlyFull()) {
            if (auto how = shorten(conversation, text, events, stop)) {
                return std::move(*how);
            }
        }
        auto turn = takeTurn(conversation.messages(), events, Show::All, stop);
        if (!turn) {
            auto& broken = turn.error();
            if (auto added = conversation.addTurn(std::move(broken.spoken)); !added) { // the user saw it, so it was said
                return failedEnd(added.error().wrap("the conversation cannot be kept"));
            }
            return std::move(broken.how);
        }
        m_read = turn->usage.window();
        m_sinceShortened += m_sinceShortened < kTurnsBetween ? 1 : 0;
        dropLoneThoughts(turn->message);
        if (auto added = conversation.addTurn(std::move(turn->message)); !added) {
            return failedEnd(added.error().wrap("the conversation cannot be kept"));
        }
        const auto calls = conversation.openCalls();
        const bool refused = turn->stop == StopReason::Refusal;
        if (calls.empty()) {
            return endOf(turn->stop);
        }
        std::vector<ToolResult> results;
        if (refused) { // a filter broke in: nothing of such a turn is done
            for (const auto& call : calls) {
                results.push_back({call.id, "This was not run: the turn was broken off.", true});
            }
        } else {
            results = runTools(calls, events, stop);
        }
        if (auto added = conversation.addResults(std::move(results)); !added) {
            return failedEnd(added.error().wrap("the conversation cannot be kept"));
        }
        if (stop.stop_requested()) {
            return {EndReason::Cancelled, std::nullopt};
        }
        if (refused || turn->stop == StopReason::WindowFull) {
            return endOf(turn->stop);
        }
    }
    return {EndReason::MaxTurns,
            Error{ErrorCode::LimitExceeded, "the model took " + std::to_string(m_settings.turns) + " turns, as many as one prompt may",
                  "look at what it did; say \"go on\" if that is right", 0, nullptr}};
}

tl::expected<ModelTurn, Loop::Broken> Loop::takeTurn(std::span<const Message> messages, LoopEvents& events, Show show,
                                                     const std::stop_token& stop) {
    const auto shown = [&events, show](const Delta& delta) {
        if (show == Show::Nothing) {
            return;
        }
        if (const auto* text = std::get_if<TextDelta>(&delta)) {
            events.text(text->text);
        } else if (const auto* thought = std::get_if<ThoughtDelta>(&delta)) {
            events.thought(thought->text);
        }
    };
    for (unsigned again = 0;; ++again) {
        TurnBuilder builder(m_settings.turn);
        TurnResult<ModelTurn> turn = failTurn(FailureKind::Cancelled, "it was stopped");
        if (!stop.stop_requested()) {
            auto came = m_model.turn({m_settings.model, m_settings.system, messages, m_specs, m_settings.maxTokens}, builder, shown, stop);
            if (builder.usage() != Usage{}) {
                events.usage(builder.usage());
            }
            turn = came ? builder.finish() : TurnResult<ModelTurn>(failTurn(came.error()));
        }
        if (turn) {
            return std::move(*turn);
        }
        auto& failure = turn.error();
        if (failure.kind == FailureKind::Cancelled || stop.stop_requested()) {
            return tl::unexpected<Broken>({{EndReason::Cancelled, std::nullopt}, builder.spokenSoFar()});
        }
        const auto wait = m_policy.waitBefore(failure, again);
        if (!wait) {
            return tl::unexpected<Broken>({failedEnd(std::move(failure.error)), builder.spokenSoFar()});
        }
        events.retrying(*wait, failure.error);
        if (m_waiter.wait(*wait, stop) == Waited::Stopped) {
            return tl::unexpected<Broken>({{EndReason::Cancelled, std::nullopt}, {Role::Assistant, {}}});
        }
    }
}

bool Loop::isNearlyFull() const {
    if (m_settings.window == 0 || m_sinceShortened < kTurnsBetween) {
        return false;
    }
    const auto room = std::min(std::max(m_settings.maxTokens, m_settings.window / 5), m_settings.window / 2); // for results and an answer
    return m_read >= m_settings.window - room;
}

std::optional<Ended> Loop::shorten(Conversation& conversation, std::string_view asked, LoopEvents& events, const std::stop_token& stop) {
    auto messages = conversation.messages(); // it is the model's turn, so the last are the user's
    messages.back().parts.emplace_back(Text{m_settings.shortening.ask});
    auto turn = takeTurn(messages, events, Show::Nothing, stop);
    if (!turn) {
        auto& how = turn.error().how;
        if (how.error) {
            how.error = how.error->wrap("the conversation is nearly as long as the model can read, and could not be made shorter");
        }
        return std::move(how);
    }
    std::string summary;
    for (const auto& part : turn->message.parts) {
        if (const auto* text = std::get_if<Text>(&part)) {
            summary += text->text;
        }
    }
    if (summary.empty() || turn->stop == StopReason::MaxTokens || turn->stop == StopReason::Refusal) {
        return failedEnd(
            endError(ErrorCode::LimitExceeded,
                     "the conversation is nearly as long as the model can read, and the model did not write down what is needed to go on",
                     "begin a new task, or use a model that reads more at once"));
    }
    if (auto replaced = conversation.replace(filled(m_settings.shortening.use, {{"{summary}", summary}, {"{asked}", asked}})); !replaced) {
        return failedEnd(replaced.error().wrap("the conversation cannot be kept"));
    }
    m_sinceShortened = 0;
    events.shortened();
    return std::nullopt;
}

std::string Loop::namesOfTools() const {
    std::string out;
    for (const auto& spec : m_specs) {
        out += (out.empty() ? "" : ", ") + spec.name;
    }
    return out.empty() ? "none" : out;
}

Loop::Ran Loop::runTool(const ToolUse& call, const std::stop_token& stop) const {
    if (stop.stop_requested()) {
        return {{call.id, kNotBegun, true}, std::nullopt};
    }
    const auto found = std::find_if(m_tools.begin(), m_tools.end(), [&](const Tool* tool) { return tool->spec().name == call.name; });
    if (found == m_tools.end()) {
        return {{call.id, "There is no tool \"" + call.name + "\". The tools are: " + namesOfTools() + ".", true}, std::nullopt};
    }
    if (!call.problem.empty()) {
        return {{call.id,
                 "This was not run, because its input could not be read as a JSON object (" + call.problem + "). Send the whole call again.",
                 true},
                std::nullopt};
    }
    if (m_gate != nullptr) {
        if (auto allowed = m_gate->allows(call, stop); !allowed) {
            return {{call.id, stop.stop_requested() ? kNotBegun : fittingResult(allowed.error().text(), m_settings.resultBytes), true},
                    std::nullopt};
        }
    }
    ToolOutcome outcome;
    try {
        outcome = (*found)->run(call.input, stop);
    } catch (const std::exception& error) { // a thread that throws would take the agent and its conversation with it
        outcome = {std::string("The tool failed within itself: ") + error.what(), ToolEnd::Failed, std::nullopt};
    }
    auto text = fittingResult(outcome.text, m_settings.resultBytes);
    if (stop.stop_requested() && outcome.end == ToolEnd::Failed) {
        text.insert(0, text.empty() ? "" : "\n").insert(0, kStopped);
    }
    return {{call.id, std::move(text), outcome.end == ToolEnd::Failed}, std::move(outcome.change)};
}

std::vector<ToolResult> Loop::runTools(const std::vector<ToolUse>& calls, LoopEvents& events, const std::stop_token& stop) {
    struct Note {
        std::size_t call = 0;
        std::optional<Ran> ran; // none yet: it begins
    };
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Note> notes;
    std::size_t next = 0;
    const auto tell = [&](Note note) {
        const std::scoped_lock lock(mutex);
        notes.push_back(std::move(note));
        changed.notify_one();
    };
    const auto work = [&] {
        for (;;) {
            std::size_t mine = 0;
            {
                const std::scoped_lock lock(mutex);
                if (next == calls.size()) {
                    return;
                }
                mine = next++;
            }
            tell({mine, std::nullopt});
            tell({mine, runTool(calls[mine], stop)});
        }
    };
    std::vector<ToolResult> results(calls.size());
    std::vector<std::jthread> workers;
    for (std::size_t count = std::min<std::size_t>(calls.size(), std::max(1U, m_settings.sideBySide)); count > 0; --count) {
        workers.emplace_back(work);
    }
    for (std::size_t finished = 0; finished < calls.size();) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return !notes.empty(); });
        auto note = std::move(notes.front());
        notes.pop_front();
        lock.unlock();
        if (note.ran) {
            events.toolFinished(calls[note.call], note.ran->result, note.ran->change);
            results[note.call] = std::move(note.ran->result);
            ++finished;
        } else {
            events.toolBegun(calls[note.call]);
        }
    }
    return results;
}

} // namespace carrel::agent
