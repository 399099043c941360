// SPDX-License-Identifier: Apache-2.0
// A hostile guest on the control stream (a message a line) and on the console (the same bytes). Whatever it
// says: it is asked for nothing but what was asked, and the engine gets messages that it can read, in the
// agreed forms; of questions, no more at once than agreed, each of them one that the engine reads as it was written.
#include "app/clerk/console_reader.h"
#include "app/clerk/guest_asks.h"
#include "app/clerk/guest_rpc.h"
#include "app/clerk/guest_words.h"
#include "guest/protocol/share_path.h"

#include <algorithm>
#include <array>
#include <cstdlib>

using namespace carrel;
using namespace carrel::clerk;
namespace json = boost::json;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void toEngine(const std::string& text) {
    require(text.size() <= kMaxLinkMessage);
    require(isUtf8(text));
    require(parseRpc(text, {kMaxLinkMessage, 12}).has_value());
}

void toEngine(const Told& told) {
    static constexpr std::array<std::string_view, 4> kMethods{"stage", "changes.touched", "guest.log", "ask"};
    require(std::find(kMethods.begin(), kMethods.end(), told.method) != kMethods.end());
    toEngine(toText(RpcRequest{std::nullopt, told.method, told.params}));
}

void toEngine(Result<json::object> answer) {
    RpcResponse response{1, json::value(nullptr)};
    if (answer) {
        response.result = json::value(std::move(*answer));
    } else {
        response.result = fail(std::move(answer).error());
    }
    toEngine(toText(response));
}

class World {
public:
    World() {
        using From = Result<json::object> (*)(const json::object&);
        static constexpr std::pair<const char*, From> kAsked[] = {
            {"hello", greetingFrom},
            {"changes.list", changesFrom},
            {"changes.settle", keptFrom},
            {"power.off", [](const json::object& answer) { return Result<json::object>(lastCountFrom(answer)); }},
            {"content.send", [](const json::object& answer) -> Result<json::object> {
                 const auto size = sentSizeFrom(answer);
                 return size ? Result<json::object>(json::object{{"size", *size}}) : fail(size.error());
             }}};
        for (int round = 0; round < 3; ++round) { // ids 1 … 15
            for (const auto& [method, from] : kAsked) {
                ++m_asked;
                m_rpc.request(method, {}, [this, from = from](Result<json::object> answer) {
                    ++m_answered;
                    toEngine(answer ? from(*answer) : std::move(answer));
                });
            }
        }
        for (const talk::Call& call : {talk::Call(talk::Updates{1, 0, {}}), talk::Call(talk::Stop{1})}) { // ids 16, 17
            ++m_asked;
            m_rpc.request(std::string(talk::methodOf(call)), talk::paramsOf(call), [this, call](Result<json::object> answer) {
                ++m_answered;
                toEngine(answer ? agentAnswerFrom(call, *answer) : std::move(answer));
            });
        }
    }
    void hear(std::string_view text) {
        const int before = m_answered;
        (void)m_rpc.receive(asBytes(text)).has_value();
        require(m_answered - before <= 1);
    }
    void end() {
        m_rpc.failAll(Error{ErrorCode::Unavailable, "began anew", {}, 0, {}});
        require(m_answered == m_asked); // each once, whatever the guest said
        m_asks.newEpoch();
        const auto before = m_guestAnswered;
        for (const auto number : m_waiting) {
            require(m_asks.answer({{"number", number}, {"answer", json::object{}}}).has_value());
        }
        require(m_guestAnswered == before); // nobody waits any more
    }

private:
    Status toGuest(std::string_view text) {
        const auto message = parseRpc(text);
        require(message.has_value());
        require(m_answered == 0 && std::holds_alternative<RpcRequest>(*message) &&
                std::get<RpcRequest>(*message).id.has_value());
        return {};
    }
    Status answerGuest(const RpcResponse& response) {
        ++m_guestAnswered;
        require(parseRpc(toText(response)).has_value());
        require(!response.result || response.result->is_object());
        return {};
    }
    void asked(const Told& told) {
        toEngine(told);
        require(told.method == "ask");
        const auto text = toText(RpcRequest{std::nullopt, told.method, told.params});
        const auto params = std::get<RpcRequest>(parseRpc(text, {kMaxLinkMessage, 12}).value()).params;
        const auto question = ask::questionFrom(params.at("method").as_string(), params.at("params").as_object());
        require(question.has_value() && ask::paramsOf(*question) == params.at("params").as_object());
        m_waiting.push_back(params.at("number").to_number<std::uint64_t>());
        require(m_waiting.size() <= ask::kMaxUnderWay);
        if (m_waiting.size() == ask::kMaxUnderWay) { // make room, as an engine does
            const ask::Standings standings{{7, ask::State::Open, "words"}};
            require(m_asks.answer({{"number", m_waiting.back()}, {"answer", ask::answerTo(*question, standings)}}).has_value());
            m_waiting.pop_back();
        }
    }

    int m_asked = 0;
    int m_answered = 0;
    int m_guestAnswered = 0;
    std::vector<std::uint64_t> m_waiting; // at the engine
    GuestAsks m_asks{[this](const RpcResponse& response) { return answerGuest(response); }, [this](Told told) { asked(told); }};
    GuestRpc m_rpc{[this](std::string_view text) { return toGuest(text); },
                   [](const std::string& method, const json::object& params) {
                       if (const auto told = toldByGuest(method, params)) {
                           toEngine(*told);
                       }
                   },
                   [this](std::uint64_t id, const std::string& method, const json::object& params) {
                       return m_asks.ask(id, method, params, GuestAsks::Greeted::Yes, GuestAsks::Clock::now());
                   }};
};

void console(std::string_view bytes) {
    ConsoleLines lines(
        {[](std::string_view who, std::string_view step) { toEngine(toldByConsole(who, step, "")); },
         [](std::string_view who, std::string_view text) { toEngine(toldByConsole(who, "failed", text)); }});
    lines.feed(asBytes(bytes));
    lines.feed(asBytes("\n"));
    require(lines.tail().size() <= 2 * kConsoleTailBytes + bytes.size() + 1);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    console(bytes);
    World world;
    while (!bytes.empty()) {
        const auto line = bytes.substr(0, bytes.find('\n'));
        bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
        world.hear(line);
    }
    world.end();
    return 0;
}
