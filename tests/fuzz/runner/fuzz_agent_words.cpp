// SPDX-License-Identifier: Apache-2.0
// Lines of an agent program, with the host's calls among them: whatever it says, the client goes on; what is kept of it stays within its
// bounds; what the host gets is what it reads, each number once and in order; and each question that was asked is answered once.
#include "guest/runner/acp_client.h"
#include "guest/runner/update_book.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::runner;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

class Played final : public AcpLine, public AcpOwner {
public:
    Played()
        : book({.updates = 64, .bytes = 64 * 1024})
        , client({"/", std::string("s0"), {"A_KEY"}}, *this, *this, [](std::string_view id) {
            return id == "t" ? std::optional<std::string>("output") : std::nullopt;
        }) {}

    void call(std::string_view, boost::json::object params, Done done) override {
        require(boost::json::serialize(params).size() < 1024 * 1024);
        m_calls.emplace(m_next++, std::move(done));
    }
    void notify(std::string_view, boost::json::object) override {}
    void answer(const acp::Id&, acp::Outcome) override {
        ++answered;
        require(answered <= asked);
    }
    void tell(talk::What what) override {
        book.add(std::move(what));
        // A bound of its own have those that are never lost: what the host does, and how many questions are open.
        require(book.size() < 64 + 4 * (prompts + AcpClient::kMostQuestions + 4) + 4);
    }
    void failed(std::string how) override { require(!how.empty() && !std::exchange(m_hasFailed, true)); }
    [[nodiscard]] bool ability(const acp::Request& request) override {
        const bool is = request.method.starts_with("fs/");
        if (is) {
            answer(request.id, boost::json::object());
        }
        return is;
    }
    void cancelAbility(const acp::Id&) override {}

    void hear(std::string_view line) {
        auto message = acp::readMessage(line, {.bytes = 1024 * 1024, .depth = 64});
        if (!message) {
            client.unreadable(line, message.error().why);
        } else if (const auto* request = std::get_if<acp::Request>(&*message)) {
            ++asked;
            client.request(*request);
        } else if (const auto* notification = std::get_if<acp::Notification>(&*message)) {
            client.notification(*notification);
        } else {
            auto& answer = std::get<acp::Answer>(*message);
            const auto* id = std::get_if<std::int64_t>(&answer.id);
            auto found = id == nullptr ? decltype(m_calls)::node_type() : m_calls.extract(*id);
            if (!found.empty()) {
                found.mapped()(std::move(answer.outcome));
            }
        }
    }
    void fetch() {
        const auto answer = book.handOut(m_after);
        require(boost::json::serialize(answer).size() <= talk::kMaxAnswerBytes);
        const auto updates = talk::updatesFrom(m_after, answer);
        require(updates.has_value());
        if (!updates->empty()) {
            m_after = updates->back().number;
        }
        book.forget(m_after);
    }

    UpdateBook book;
    AcpClient client;
    std::size_t asked = 0, answered = 0, prompts = 0;

private:
    std::map<std::int64_t, Done> m_calls;
    std::int64_t m_next = 1;
    std::uint64_t m_after = 0;
    bool m_hasFailed = false;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view left(reinterpret_cast<const char*>(data), size);
    Played played;
    played.client.begin();
    while (!left.empty()) {
        const auto line = left.substr(0, left.find('\n'));
        left.remove_prefix(std::min(left.size(), line.size() + 1));
        if (line == "!prompt") {
            if (played.client.prompt({1, ++played.prompts, "do it", {"/a b"}})) {
                require(played.client.state() == AcpClient::State::Prompting);
            }
        } else if (line == "!cancel") {
            played.client.cancel();
        } else if (line == "!permit") {
            static_cast<void>(played.client.permit({1, 1, "y"}));
        } else if (line == "!mode") {
            static_cast<void>(played.client.setMode("m"));
        } else if (line == "!fetch") {
            played.fetch();
        } else {
            played.hear(line);
        }
    }
    played.client.gone("it ended");
    require(played.answered == played.asked);
    for (int i = 0; i < 3; ++i) {
        played.fetch();
    }
    return 0;
}
