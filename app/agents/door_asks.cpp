// SPDX-License-Identifier: Apache-2.0
// What a clerk hands on of its guest's questions, and the way back.
#include "app/agents/door.h"

#include "guest/protocol/strict_json.h"

#include <atomic>

namespace carrel::agents {

namespace json = boost::json;

namespace {

// One question, answered once: by whoever was asked, or, when the last who could has let go of it, with an error.
class UnderWay {
public:
    UnderWay(std::weak_ptr<ClerkProcess> clerk, std::uint64_t number, ask::Question question,
             std::shared_ptr<std::atomic<std::size_t>> count)
        : m_clerk(std::move(clerk)), m_number(number), m_question(std::move(question)), m_count(std::move(count)) {
        ++*m_count;
    }
    UnderWay(const UnderWay&) = delete;
    UnderWay& operator=(const UnderWay&) = delete;
    ~UnderWay() { answer(fail(ErrorCode::Unavailable, "nobody has answered", "Ask again")); }

    [[nodiscard]] const ask::Question& question() const { return m_question; }
    void answer(const Result<ask::Standings>& result) {
        if (m_answered.exchange(true)) {
            return;
        }
        send(result);
        --*m_count; // not before: a clerk that does not take its answers gets no more
    }

private:
    void send(const Result<ask::Standings>& result) {
        const auto clerk = m_clerk.lock();
        if (!clerk) {
            return; // and with it the epoch in which somebody waited
        }
        json::object params{{"number", m_number}};
        if (result) {
            params["answer"] = ask::answerTo(m_question, *result);
        } else {
            params["error"] = toJson(result.error());
        }
        // Nobody waits for the answer to the answer. If it cannot be said the number would count for ever, so this clerk
        // goes, and the guest asks the next one.
        auto said = clerk->send("ask.answer", std::move(params));
        if (said.wait_for(std::chrono::seconds(0)) == std::future_status::ready && !said.get()) {
            clerk->end();
        }
    }

    std::weak_ptr<ClerkProcess> m_clerk;
    std::uint64_t m_number;
    ask::Question m_question;
    std::shared_ptr<std::atomic<std::size_t>> m_count;
    std::atomic<bool> m_answered = false;
};

} // namespace

void Door::asked(Post& from, const json::object& params) {
    const auto process = from.process; // the call may be the end of this door and of all its posts
    if (!process) {
        return;
    }
    JsonFields fields(params, "ask");
    const auto number = fields.number("number");
    const auto method = fields.string("method", kMaxMethodBytes);
    const auto& inner = fields.object("params");
    auto question = fields.finish() ? ask::questionFrom(method, inner) : fail(ErrorCode::Malformed, "");
    if (!question) {
        process->end(); // it writes them anew, so it is broken
        return;
    }
    const bool isTooMuch = *from.asks >= ask::kMaxUnderWay;
    const auto one = std::make_shared<UnderWay>(process, number, std::move(*question), from.asks);
    if (isTooMuch) {
        one->answer(fail(ErrorCode::LimitExceeded, "too many programs of this agent wait for an answer",
                         "Wait until one has it, or end one"));
        return;
    }
    m_events.asked(one->question(), [one](const Result<ask::Standings>& result) { one->answer(result); });
}

} // namespace carrel::agents
