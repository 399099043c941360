// SPDX-License-Identifier: Apache-2.0
#include "app/api/connection.h"

#include "app/api/display_text.h"
#include "app/api/roles.h"
#include "app/api/socket_io.h"

#include <array>
#include <condition_variable>
#include <poll.h>
#include <sys/socket.h>

namespace carrel::api {

namespace json = boost::json;

namespace {

// One name that is not UTF-8 in a progress line or an error would make the whole answer unreadable.
Error forJson(Error error) {
    error.message = asUtf8(error.message);
    error.hint = asUtf8(error.hint);
    if (error.cause) {
        error.cause = std::make_shared<Error>(forJson(*error.cause));
    }
    return error;
}

} // namespace

Call::Call(detail::Connection& connection, std::uint64_t id, std::string verb, json::object params,
           const Caller& caller, std::stop_token stop)
    : m_connection(connection)
    , m_id(id)
    , m_verb(std::move(verb))
    , m_params(std::move(params))
    , m_caller(caller)
    , m_stop(std::move(stop)) {}

void Call::progress(std::string_view step, std::string_view text, std::optional<double> fraction) {
    json::object params{{"id", m_id},
                        {"step", json::string_view(step.data(), step.size())},
                        {"text", asUtf8(text)}};
    if (fraction) {
        params["fraction"] = *fraction;
    }
    (void)m_connection.notify("progress", std::move(params));
}

bool Call::event(json::object event) {
    return m_connection.notify("event", json::object{{"id", m_id}, {"event", std::move(event)}});
}

namespace detail {

Connection::Connection(UniqueFd socket, const Handlers& handlers, const ClientGate* gate)
    : m_socket(std::move(socket))
    , m_handlers(handlers)
    , m_gate(gate)
    , m_reader(gate == nullptr ? kMaxRequestLine : kMaxAuthLine) {
    if (gate != nullptr) {
        m_admission.caller.role = Role::Client; // before it is known: a client that may nothing
        m_authUntil = std::chrono::steady_clock::now() + gate->patience;
    }
}

void Connection::cut() {
    m_stop.request_stop();
    ::shutdown(m_socket.get(), SHUT_RDWR); // wakes a thread that reads or writes
}

bool Connection::send(const std::string& line, int attached) {
    const std::lock_guard lock(m_sending);
    return !gone() && sendAll(m_socket.get(), line + "\n", attached).has_value();
}

bool Connection::notify(std::string_view method, json::object params) {
    return send(toText(RpcRequest{std::nullopt, std::string(method), std::move(params)}));
}

Connection::Next Connection::respond(RpcResponse response, int attached) {
    if (!response.result) {
        response.result = fail(forJson(response.result.error()));
    }
    std::string text = toText(response);
    if (text.size() > kMaxResponseLine) {
        text = toText(
            RpcResponse{response.id, fail(ErrorCode::LimitExceeded, "the answer is too long to be sent")});
        attached = -1;
    }
    return send(text, attached) ? Next::GoOn : Next::Close;
}

Result<json::value> Connection::run(Call& call) {
    if (!mayCall(call.caller().role, call.verb())) {
        // Also where there is no such verb: which there are is not told.
        return fail(ErrorCode::Refused, "a client may not do that: it is for the owner alone",
                    "Ask the person at this computer to do it, with the carrel command and without a token.");
    }
    const auto handler = m_handlers.find(call.verb());
    if (handler == m_handlers.end()) {
        return fail(ErrorCode::Unsupported, "this engine does not know that verb",
                    "The command and the engine may be of different versions: run 'carrel engine stop', then "
                    "try again.");
    }
    try {
        return handler->second(call);
    } catch (const std::exception& problem) {
        return fail(ErrorCode::Internal,
                    "the engine failed in \"" + std::string(call.verb()) + "\": " + problem.what());
    }
}

Connection::Next Connection::answer(const std::string& line) {
    auto message = parseRpc(line, JsonLimits{kMaxRequestLine, kMaxDepth});
    if (!message) {
        (void)respond({0, fail(std::move(message).error())});
        return Next::Close;
    }
    auto* request = std::get_if<RpcRequest>(&*message);
    if (request == nullptr || !request->id) {
        (void)respond({0, fail(ErrorCode::Malformed, "only requests with an id are taken here")});
        return Next::Close;
    }
    if (unknown()) {
        return admit(*request);
    }
    const auto id = *request->id;
    if (request->method == kAuthVerb) {
        (void)respond({id, m_gate == nullptr
                               ? fail(ErrorCode::Refused, "the owner's socket takes no token",
                                      "Connect to the clients' socket, which 'carrel token create' names.")
                               : fail(ErrorCode::Refused, "this connection has presented a token already",
                                      "Make a new connection for another token.")});
        return Next::Close;
    }
    if (m_admission.caller.ends.stop_requested()) {
        return Next::Close;
    }
    Call call(*this, id, std::move(request->method), std::move(request->params), m_admission.caller,
              m_stop.get_token());
    auto result = run(call);
    const int attached = result ? call.m_attached.get() : -1;
    const Next next = respond({id, std::move(result)}, attached);
    if (call.m_afterAnswer) {
        call.m_afterAnswer();
    }
    return next;
}

Connection::Next Connection::admit(const RpcRequest& request) {
    auto token = tokenFrom(request);
    auto admission = token ? m_gate->admit(*token) : fail(token.error());
    if (!admission) {
        if (token && admission.error().code == ErrorCode::Refused) {
            pause(m_gate->wrongTokenPause);
        }
        (void)respond({*request.id, fail(std::move(admission).error())});
        return Next::Close;
    }
    m_admission = std::move(*admission);
    m_admission.caller.role = Role::Client;
    m_admitted = true;
    m_reader = LineReader(kMaxRequestLine);
    if (respond({*request.id, json::value(std::move(m_admission.told))}) == Next::Close) {
        return Next::Close;
    }
    // Runs at once where the token has ended meanwhile.
    m_whenTokenEnds.emplace(m_admission.caller.ends, [this] { cut(); });
    return Next::GoOn;
}

void Connection::pause(std::chrono::milliseconds time) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, m_stop.get_token(), time, [] { return false; });
}

// False: its time is over, or there is nothing to wait for.
bool Connection::waitForAuth() {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(m_authUntil - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
        return false; // also to somebody who sends byte by byte
    }
    pollfd one{m_socket.get(), POLLIN, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(left.count()));
    return ready > 0 || (ready < 0 && errno == EINTR);
}

void Connection::serve() {
    std::array<char, 64 * 1024> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recvmsg
    while (!gone()) {
        if (unknown() && !waitForAuth()) {
            (void)respond({0, fail(ErrorCode::Expired, "no token came in time", "Connect again, and send auth first.")});
            return;
        }
        const auto got = receiveSome(m_socket.get(), buffer.data(), buffer.size(), nullptr);
        if (!got || *got == 0) {
            return;
        }
        std::string_view bytes(buffer.data(), *got);
        while (!bytes.empty()) {
            auto line = m_reader.take(bytes);
            if (!line) {
                (void)respond({0, fail(std::move(line).error())});
                return;
            }
            if (*line && answer(**line) == Next::Close) {
                return;
            }
        }
    }
}

} // namespace detail
} // namespace carrel::api
