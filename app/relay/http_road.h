// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 of one connection between a program and a host (RFC 9110, RFC 9112), over two ends (end.h) with TLS or without. Each
// request is read, told, and goes on only when it was answered so; what goes on is written anew. One request is under way at a time;
// those behind it wait where they are.
//
//   a request:   Head → Read → Asking → Body → Sent → Head …      (Read: the host is not yet there; a WebSocket: → Raw)
//   a response:  None → Head → Body → None …                       (likewise → Raw)
//   the road:    Running → Ending | Lingering → Over               (Lingering: a refusal was written, the program still sends)
//
// Where a credential is bound to the host (an answer with `inject`, or Binding::Bound), a request with another key is refused, cookies
// and placeholders elsewhere are taken out, and the value is put into its header if, and only if, the placeholder stood there. The
// response is then searched for the secret (secret_scrubber.h); it is asked for without a content coding and whole (no Range), and
// refused if it is coded all the same. A credential is never put on a connection without TLS.
//
// A request whose answer says so (Meter::On) is counted (model_usage.h): what a model used for it is told once, when it is over, before
// the next one is asked about and before the road is over. The host is asked for an answer without a content coding, whole, and over no
// WebSocket. It is refused where it is none that asks a model (model_paths.h), and where its body asks for an answer later.
//
// Where there are canaries, each request is searched for them (canary_watch.h): its head before it is told, its body as it comes. One
// that is found is told, and breaks the connection off before it has gone on.
//
// Nothing waits for more than it needs: bodies and events pass as they come, at most about kMostHeld bytes wait in each queue.
// Does no I/O, and has no clock but the caller's. Ownership: one per connection. Thread: one. The events are called from within the
// calls below, and may call answer(), nothing else of it.
#pragma once

#include "app/relay/canary_watch.h"
#include "app/relay/end.h"
#include "app/relay/head_guard.h"
#include "app/relay/http_body.h"
#include "app/relay/model_usage.h"
#include "app/relay/request_keys.h"
#include "app/relay/secret_scrubber.h"

#include <chrono>
#include <functional>
#include <memory>

namespace carrel::relay {

struct AskedRequest {
    std::uint64_t request = 0; // of this connection, counted from 1
    std::string method;
    std::string path;                      // normalised, without the query
    std::vector<std::string> placeholders; // names of the credentials whose placeholder stands in a header field
    std::vector<std::string> ownKeys;      // fields with a key of the program's own
};

struct Injection {
    std::string header;
    SecretText value;        // the whole value of that field
    SecretText secret;       // what must not come back; empty: what secretsIn() finds in the value
    std::string credential;  // its name, whose placeholder is replaced
};
enum class Verdict { Allow, Deny };
enum class Binding { Free, Bound }; // whether a credential is bound to the host
enum class Meter { Off, On };       // whether what a model uses for it is counted
struct RequestAnswer {
    Verdict verdict = Verdict::Deny;
    Binding binding = Binding::Free;
    std::optional<Injection> inject = {}; // Bound by itself
    std::string outcome = "denied";  // of Deny: one word, and a sentence
    std::string text = {};
    Meter meter = Meter::Off;
};

class HttpRoad {
public:
    using Clock = std::chrono::steady_clock;
    using Placeholders = std::shared_ptr<const std::vector<Placeholder>>;
    using Canaries = std::shared_ptr<const CanarySet>;
    // How long one waits for the other. Guards against those who hold a connection and say nothing, or a byte an hour.
    struct Bounds {
        std::chrono::seconds handshake{30}; // of both ends
        std::chrono::seconds head{30};      // from a head's first byte to its last
        std::chrono::seconds idle{300};     // between two requests
        std::chrono::seconds answer{900};   // from a request to its response
        std::chrono::seconds still{900};    // within a body
        std::chrono::seconds raw{3600};     // a WebSocket on which nothing moves
        std::chrono::seconds linger{10};    // for a program that still sends what nobody takes
    };
    struct Settings {
        Origin origin;
        Placeholders placeholders; // may be null
        Bounds bounds = {};
        Canaries canaries = {}; // may be null
        std::shared_ptr<const HeadGuard> guard = {}; // may be null
    };
    struct Events {
        std::function<Clock::time_point()> now;
        std::function<void(const AskedRequest&)> ask; // to be answered once, by its number
        std::function<void(std::uint64_t request, const Refusal&)> refused; // by the road itself, which was not told to. May be null
        std::function<void(std::uint64_t request, const CanaryFound&)> canary = {}; // once at most: the road is over. May be null
        std::function<void(std::uint64_t request, const ModelUse&)> used = {}; // of each that is metered, once. May be null
        std::function<void()> wanted = {}; // the host, by a request that was read: its end may begin to open now. May be null
    };

    HttpRoad(std::unique_ptr<End> guest, std::unique_ptr<End> host, Settings settings, Events events);
    HttpRoad(const HttpRoad&) = delete;
    HttpRoad& operator=(const HttpRoad&) = delete;

    // From the wires. How many bytes were taken; the rest again once output was taken or the other side has moved.
    [[nodiscard]] std::size_t fromGuest(ByteSpan wire);
    [[nodiscard]] std::size_t fromHost(ByteSpan wire);
    void guestEnded();
    void hostEnded();
    // To the wires; empty: nothing now.
    [[nodiscard]] Bytes takeForGuest(std::size_t most);
    [[nodiscard]] Bytes takeForHost(std::size_t most);
    // All that there will ever be has been taken: that half of the connection ends.
    [[nodiscard]] bool isGuestOutputOver() const;
    [[nodiscard]] bool isHostOutputOver() const;

    void answer(std::uint64_t request, RequestAnswer answer); // without effect if that one is over
    void setPlaceholders(Placeholders placeholders) { m_settings.placeholders = std::move(placeholders); }
    void setCanaries(Canaries canaries) { m_settings.canaries = std::move(canaries); } // of the next request
    void cut(); // at once

    // When to call tick(), if nothing happens before; none: not at all.
    [[nodiscard]] std::optional<Clock::time_point> deadline() const;
    void tick();

    // Over: what is left is to write what takeForGuest() and takeForHost() give, and then to end both connections; with a reset where
    // it broke off, so that nobody takes what came for the whole.
    [[nodiscard]] bool isOver() const { return m_life == Life::Over; }
    [[nodiscard]] bool isBroken() const { return m_broken; }
    // "ended", "guest", "far end", "refused", "timed out", "cut", "canary", or a sentence; nothing of a peer's in it.
    [[nodiscard]] const std::string& how() const { return m_how; }
    [[nodiscard]] std::uint64_t requests() const { return m_number; }
    [[nodiscard]] std::size_t scrubbed() const { return m_scrubbed; } // how often a secret was found and taken out

private:
    enum class RequestState { Head, Read, Asking, Body, Sent, Raw };
    enum class ResponseState { None, Head, Body, Raw };
    enum class Life { Running, Ending, Lingering, Over };
    enum class Late { Handshake, Idle, Head, Answer, Still, Linger };
    enum class Framing { Plain, Chunked }; // Plain: as long as was said, or to the end

    void pump();
    [[nodiscard]] bool fill();
    [[nodiscard]] bool flush();

    // http_road_request.cpp
    [[nodiscard]] bool stepRequest();
    [[nodiscard]] bool takeRequestHead();
    [[nodiscard]] bool askWhenHostIsThere();
    [[nodiscard]] bool takeRequestBody();
    [[nodiscard]] bool passRequestBody(ByteSpan data);
    [[nodiscard]] bool endRequestBody();
    [[nodiscard]] bool putRequestBody(ByteSpan data);
    [[nodiscard]] bool isFine(const CanaryWatch::Verdict& verdict);
    void foundCanary(const CanaryFound& found);
    [[nodiscard]] std::optional<Refusal> prepareBound(RequestAnswer& answer);
    void askReadable();
    void sendRequestHead(const RequestAnswer& answer);

    // http_road_response.cpp
    [[nodiscard]] bool stepResponse();
    [[nodiscard]] bool waitForRequest();
    [[nodiscard]] bool takeResponseHead();
    [[nodiscard]] bool takeInterim(ResponseHead& head);
    [[nodiscard]] bool takeResponseBody();
    void sendResponseHead(ResponseHead& head);
    void sendBody(ByteSpan data);
    void responseEndsEarly();
    void finishExchange();
    [[nodiscard]] bool relayRaw(ByteQueue& from, ByteQueue& to, End& source, bool& ended);

    [[nodiscard]] bool isHeld(ResponseHead& head); // by the guard; and so refused
    void refuse(Refusal refusal);
    void refuseFor(const HttpFault& fault);
    void end(std::string how);
    void breakOff(std::string how);
    void forgetSecret();
    void tellUse(ModelUsage::End how);
    void moved() { m_lastMove = m_events.now(); }
    struct Due {
        Clock::time_point at;
        Late what;
    };
    [[nodiscard]] std::optional<Due> due() const;

    Settings m_settings;
    Events m_events;
    std::unique_ptr<End> m_guest;
    std::unique_ptr<End> m_host;
    ByteQueue m_fromGuest;
    ByteQueue m_fromHost;
    ByteQueue m_toGuest;
    ByteQueue m_toHost;

    RequestState m_request = RequestState::Head;
    ResponseState m_response = ResponseState::None;
    Life m_life = Life::Running;
    bool m_pumping = false;
    bool m_broken = false;
    bool m_guestClosed = false;
    bool m_hostClosed = false;
    bool m_rawGuestEnded = false;
    bool m_rawHostEnded = false;
    std::string m_how;

    // Of the request under way.
    std::uint64_t m_number = 0;
    RequestHead m_head;
    std::unique_ptr<CanaryWatch> m_watch; // over its body; none: there is none, or there are no canaries
    std::unique_ptr<ModelUsage> m_usage;  // none: it is not metered, or that has been told
    BodyReader m_requestBody;
    BodyReader m_responseBody;
    Framing m_responseFraming = Framing::Plain;
    bool m_closesAfter = false; // the response
    std::size_t m_interim = 0;  // responses before the one that counts
    SecretScrubber m_scrubber;
    std::size_t m_scrubbed = 0;

    HeadSeeker m_requestSeeker{HeadSeeker::Kind::Request};
    HeadSeeker m_responseSeeker{HeadSeeker::Kind::Response};
    Clock::time_point m_since;    // of the handshakes, of the idle time, of the end
    Clock::time_point m_headSince; // of the head that is coming
    bool m_headBegan = false;
    Clock::time_point m_lastMove;
};

} // namespace carrel::relay
