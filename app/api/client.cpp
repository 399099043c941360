// SPDX-License-Identifier: Apache-2.0
#include "app/api/client.h"

#include "app/api/socket_io.h"
#include "guest/protocol/rpc.h"

#include <sys/socket.h>
#include <unistd.h>

namespace carrel::api {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxTextBytes = 4096;

Result<Progress> progressFrom(const json::object& params, std::uint64_t id) {
    JsonFields fields(params, "progress");
    Progress progress;
    if (fields.number("id") != id) {
        fields.problem("id", "is of another request");
    }
    progress.step = fields.string("step", kMaxTextBytes);
    progress.text = fields.string("text", kMaxTextBytes);
    fields.allow("fraction");
    if (const auto* fraction = params.if_contains("fraction")) {
        if (fraction->is_number()) {
            progress.fraction = fraction->to_number<double>();
        } else {
            fields.problem("fraction", "is not a number");
        }
    }
    if (auto done = fields.finish(); !done) {
        return fail(std::move(done).error());
    }
    return progress;
}

Flow handOn(const RpcRequest& message, std::uint64_t id, const Listener& listener) {
    if (message.method == "progress" && listener.progress) {
        if (auto progress = progressFrom(message.params, id)) {
            listener.progress(*progress);
        }
    } else if (message.method == "event" && listener.event) {
        if (const auto* event = message.params.if_contains("event"); event != nullptr && event->is_object()) {
            return listener.event(event->get_object());
        }
    }
    return Flow::Continue; // other notifications are of a later version's: not for us
}

} // namespace

Client::Client(UniqueFd socket)
    : m_socket(std::move(socket))
    , m_reader(kMaxResponseLine) {}

Result<Client> Client::connect(const std::filesystem::path& socket) {
    auto address = addressOf(socket);
    if (!address) {
        return fail(std::move(address).error());
    }
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        return failErrno("cannot make a socket");
    }
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
        auto error = errnoError("cannot connect to " + socket.string());
        if (error.sysErrno == ENOENT || error.sysErrno == ECONNREFUSED) {
            error.code = ErrorCode::Unavailable;
        }
        return fail(error.wrap("the engine is not running"));
    }
    CARREL_TRY(checkPeerIs(fd.get(), ::geteuid()));
    return Client(std::move(fd));
}

Result<std::string> Client::readLine() {
    for (;;) {
        std::string_view rest = std::string_view(m_buffer).substr(m_bufferAt);
        const auto before = rest.size();
        auto line = m_reader.take(rest);
        m_bufferAt += before - rest.size();
        if (!line) {
            return fail(std::move(line).error());
        }
        if (*line) {
            return std::move(**line);
        }
        m_buffer.resize(64 * 1024);
        auto got = receiveSome(m_socket.get(), m_buffer.data(), m_buffer.size(), &m_descriptor);
        m_buffer.resize(got ? *got : 0);
        m_bufferAt = 0;
        if (!got || *got == 0) {
            return fail(ErrorCode::Unavailable, "the engine went away before it answered",
                        "Try again; 'carrel timeline' shows what was done.");
        }
    }
}

Result<json::value> Client::call(std::string_view verb, json::object params, const Listener& listener) {
    const auto id = ++m_lastId;
    m_descriptor.reset();
    // A refused connection has its reason waiting for us, though writing to it fails.
    (void)sendAll(m_socket.get(), toText(RpcRequest{id, std::string(verb), std::move(params)}) + "\n");
    for (;;) {
        auto line = readLine();
        if (!line) {
            return fail(std::move(line).error());
        }
        auto message = parseRpc(*line, JsonLimits{kMaxResponseLine, kMaxDepth});
        if (!message) {
            return fail(message.error().wrap("the engine's answer cannot be read",
                                             "The command and the engine may be of different versions: run "
                                             "'carrel engine stop', then try again."));
        }
        if (const auto* notification = std::get_if<RpcRequest>(&*message)) {
            if (handOn(*notification, id, listener) == Flow::Stop) {
                return fail(ErrorCode::Cancelled, "stopped by the caller");
            }
            continue;
        }
        auto& response = std::get<RpcResponse>(*message);
        if (response.id == id) {
            return std::move(response.result);
        }
        if (response.id == 0 && !response.result) { // the connection's own error
            return std::move(response.result);
        }
        return fail(ErrorCode::Malformed, "the engine answered something that was not asked");
    }
}

} // namespace carrel::api
