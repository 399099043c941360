// SPDX-License-Identifier: Apache-2.0
#include "guest/ask/ask_client.h"

#include "guest/ask/ask_places.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/rpc.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace carrel::ask {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxAnswer = 128 * 1024;

// Not the asking program's mistake.
tl::unexpected<Error> nonsense() {
    return fail(ErrorCode::Internal, "Carrel's answer makes no sense");
}

tl::unexpected<Error> gone() {
    return fail(ErrorCode::Unavailable, "the connection to Carrel ended");
}

} // namespace

Result<Client> Client::connect(const std::string& socket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.size() >= sizeof address.sun_path) {
        return fail(ErrorCode::InvalidArgument, "the socket's path is too long");
    }
    std::memcpy(address.sun_path, socket.c_str(), socket.size() + 1);
    // Not blocking: where too many wait to be let in, that is told at once.
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        Error error = errnoError("Carrel cannot be reached from here");
        error.code = ErrorCode::Unavailable;
        return fail(std::move(error));
    }
    return Client(std::move(fd));
}

Status Client::ready(short events, Clock::time_point until) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0) {
            return fail(ErrorCode::Unavailable, "Carrel does not answer");
        }
        pollfd wait{m_socket.get(), events, 0};
        const int got = ::poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
        if (got > 0) {
            return {};
        }
        if (got < 0 && errno != EINTR) {
            return failErrno("waiting for Carrel");
        }
    }
}

void Client::pause(Clock::time_point until) {
    (void)ready(POLLIN, until).has_value();
}

Status Client::send(std::string_view text, Clock::time_point until) {
    while (!text.empty()) {
        CARREL_TRY(ready(POLLOUT, until));
        const ssize_t done = ::send(m_socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (done > 0) {
            text.remove_prefix(static_cast<std::size_t>(done));
        } else if (errno != EAGAIN && errno != EINTR) {
            return gone();
        }
    }
    return {};
}

Result<std::string> Client::receiveLine(Clock::time_point until) {
    std::string line;
    std::array<char, 16 * 1024> buffer;
    while (line.size() < kMaxAnswer) {
        CARREL_TRY(ready(POLLIN, until));
        const ssize_t got = ::recv(m_socket.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        if (got <= 0) {
            return gone();
        }
        line.append(buffer.data(), static_cast<std::size_t>(got));
        if (line.back() == '\n') {
            line.pop_back();
            return line;
        }
    }
    return fail(ErrorCode::Internal, "Carrel's answer is too long");
}

Result<json::object> Client::exchange(std::string_view method, json::object params, Clock::time_point until) {
    const std::uint64_t id = m_next++;
    // What was not taken may have been refused with a word: it is there to be read.
    const auto sent = send(toText(RpcRequest{id, std::string(method), std::move(params)}) + "\n", until);
    const auto line = receiveLine(until);
    if (!line) {
        return fail(sent ? line.error() : sent.error());
    }
    auto message = parseRpc(*line, {kMaxAnswer, 8});
    auto* response = message ? std::get_if<RpcResponse>(&*message) : nullptr;
    if (response != nullptr && !response->result && (response->id == id || response->id == 0)) {
        return fail(std::move(response->result).error());
    }
    if (response == nullptr || response->id != id || !response->result || !response->result->is_object()) {
        return nonsense();
    }
    return std::move(response->result->get_object());
}

Result<Standings> Client::exchange(const Question& question, json::object params, Clock::time_point until) {
    const auto answer = exchange(methodOf(question), std::move(params), until);
    if (!answer) {
        return fail(answer.error());
    }
    auto standings = standingsFrom(question, *answer);
    return standings ? std::move(standings) : nonsense();
}

Result<net::Refusals> Client::refusals(const net::RefusalsWanted& wanted, Clock::time_point until) {
    const auto answer = exchange(net::kRefusalsMethod, toJson(wanted), until);
    if (!answer) {
        return fail(answer.error());
    }
    auto refusals = net::refusalsFrom(*answer);
    return refusals ? std::move(refusals) : nonsense();
}

Status Client::packages(Clock::time_point until) {
    const auto answer = exchange(kPackagesMethod, {}, until);
    return answer ? Status() : fail(answer.error());
}

Result<Standings> Client::ask(const Question& question, Clock::time_point until) {
    return exchange(question, paramsOf(question), until);
}

Result<Standings> Client::askApply(const Apply& question, const std::vector<NamedPlace>& places, Clock::time_point until) {
    json::array paths;
    for (const auto& place : places) {
        json::object one{{"share", place.share}};
        if (!place.path.isRoot()) {
            putPath(one, "path", place.path.text());
        }
        paths.push_back(std::move(one));
    }
    auto params = paramsOf(question);
    params["paths"] = std::move(paths);
    return exchange(question, std::move(params), until);
}

} // namespace carrel::ask
