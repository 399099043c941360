// SPDX-License-Identifier: Apache-2.0
// A program of steps for both sides of a road: pieces of text, ends, answers of any kind, time. Whatever they do: to the host goes
// one request, whole and in good order, for each that was allowed, and none else; the secret goes there alone; what is held is
// bounded. The ends are without TLS, though the road is told that they have it, so that it lets a credential pass.
#include "tests/fuzz/relay/message_checks.h"

#include "app/relay/http_road.h"


using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::fuzz;

namespace {

const Origin kOrigin{Scheme::Https, "example.org", 443};
constexpr std::string_view kSecret = "sk-live/9f8A7b+6C5d4e3F2=g";
constexpr std::string_view kPlaceholder = "sk-none-0000000000000000";
constexpr std::string_view kWords[] = {
    "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "POST /p HTTP/1.1\r\nHost: example.org\r\nContent-Length: 5\r\n\r\n",
    "POST /c HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HEAD /h HTTP/1.1\r\nHost: example.org\r\nAuthorization: Bearer sk-none-0000000000000000\r\n\r\n",
    "GET /ws HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET /k HTTP/1.1\r\nHost: example.org\r\nAuthorization: Bearer sk-none-0000000000000000\r\n\r\n",
    "GET / HTTP/1.0\r\nHost: example.org\r\n\r\n",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n<sk-live/9f8A7b+6C5d4e3F2=g and then some",
    "1a\r\nsk-live/9f8A7b+6C5d4e3F2=g\r\n",
};

class Steps {
public:
    Steps()
        : m_road(std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(),
                 {kOrigin, std::make_shared<std::vector<Placeholder>>(std::vector<Placeholder>{{"model", std::string(kPlaceholder)}}), {}},
                 {[this] { return m_now; }, [this](const AskedRequest& request) { asked(request); }, nullptr}) {}

    void step(std::uint8_t what, std::uint8_t how, std::string_view rest) {
        const auto text = how >= 128 ? kWords[how % std::size(kWords)] : rest.substr(0, how);
        switch (what % 9) {
        case 0:
        case 1:
            m_guessed = m_guessed || text.find(kSecret.substr(0, 5)) != std::string_view::npos;
            require(m_road.fromGuest(asBytes(text)) <= text.size());
            break;
        case 2:
        case 3:
            require(m_road.fromHost(asBytes(text)) <= text.size());
            break;
        case 4:
            m_manner = how;
            if (m_waiting) {
                const auto request = *m_waiting;
                m_waiting.reset();
                answer(request);
            }
            break;
        case 5:
            m_now += std::chrono::seconds(how);
            m_road.tick();
            break;
        case 6:
            how % 2 == 0 ? m_road.guestEnded() : m_road.hostEnded();
            break;
        default:
            m_toHost += asText(m_road.takeForHost(how + 1U));
            m_toGuest += asText(m_road.takeForGuest(how + 1U));
            break;
        }
    }

    void finish() {
        for (int i = 0; i < 1000; ++i) {
            const auto host = m_road.takeForHost(1U << 20U);
            const auto guest = m_road.takeForGuest(1U << 20U);
            m_toHost += asText(host);
            m_toGuest += asText(guest);
            if (host.empty() && guest.empty()) {
                break;
            }
        }
        checkHost();
        // A host may say what it was never told; then it is no secret of ours.
        require(m_free || m_guessed || m_toGuest.find(kSecret) == std::string::npos);
        require(m_toHost.find(kSecret) == std::string::npos || m_injected || m_guessed);
    }

private:
    void asked(const AskedRequest& request) {
        require(!m_waiting && request.request > m_last);
        m_last = request.request;
        if (m_manner % 4 == 3) {
            m_waiting = request.request;
        } else {
            answer(request.request);
        }
    }
    void answer(std::uint64_t request) {
        RequestAnswer answer{.verdict = m_manner % 4 == 1 ? Verdict::Deny : Verdict::Allow};
        if (m_manner % 4 == 2) {
            answer.inject = Injection{"Authorization", secretText("Bearer " + std::string(kSecret)), secretText(kSecret), "model"};
            m_injected = true;
        } else if (answer.verdict == Verdict::Allow) {
            m_free = true;
        }
        m_allowed += answer.verdict == Verdict::Allow ? 1 : 0;
        m_road.answer(request, std::move(answer));
    }
    // What came to the host is requests, each for it, no more than were allowed; the last one may be cut.
    void checkHost() const {
        std::string_view text = m_toHost;
        std::size_t count = 0;
        while (!text.empty()) {
            HeadSeeker seeker(HeadSeeker::Kind::Request);
            const auto size = seeker.look(text);
            require(size.has_value());
            if (*size == 0) {
                return;
            }
            const auto head = readRequest(text.substr(0, *size), kOrigin);
            require(head.has_value() && ++count <= m_allowed);
            if (head->wantsWebSocket) {
                return; // bytes of any kind from here on
            }
            text.remove_prefix(*size);
            const auto body = readBody(head->body, text, 4096);
            require(body.good);
            if (!body.done) {
                return;
            }
            text.remove_prefix(body.taken);
        }
    }

    HttpRoad::Clock::time_point m_now{std::chrono::hours(1)};
    std::optional<std::uint64_t> m_waiting;
    std::uint64_t m_last = 0;
    std::size_t m_allowed = 0;
    std::uint8_t m_manner = 0;
    bool m_injected = false;
    bool m_free = false; // a request went on without it
    bool m_guessed = false; // by the program: it said what it cannot know
    std::string m_toHost;
    std::string m_toGuest;
    HttpRoad m_road; // the last: it uses the rest
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Steps steps;
    for (std::size_t at = 0; at + 1 < size;) {
        const auto what = data[at];
        const auto how = data[at + 1];
        at += 2;
        const std::string_view rest(reinterpret_cast<const char*>(data + at), size - at);
        steps.step(what, how, rest);
        at += what % 9 < 4 && how < 128 ? std::min<std::size_t>(how, rest.size()) : 0;
    }
    steps.finish();
    return 0;
}
