// SPDX-License-Identifier: Apache-2.0
// Whatever comes in at the clients' socket: no verb is reached before the right token, none but a client's after it, and
// nobody there is ever the owner. And the owner's socket: a token is the end of the connection.
#include "app/api/connection.h"
#include "app/api/roles.h"
#include "guest/protocol/rpc.h"

#include <algorithm>
#include <cstdlib>
#include <sys/socket.h>

using namespace carrel;
using namespace carrel::api;

namespace {

const std::string kGood = std::string(kTokenPrefix) + std::string(64, 'a');

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

struct Seen {
    bool admitted = false;
    bool client = false; // which socket it is
};
Seen seen; // of the input under way

const Handlers& handlers() {
    static const Handlers all = [] {
        Handlers made;
        // Beside the real names one that a short input can hold.
        for (const char* verb : {"apply", "undo", "token.create", "share.add", "engine.stop", "x", "agent.list", "timeline"}) {
            made[verb] = [](Call& call) -> Result<boost::json::value> {
                require(call.caller().isOwner() != seen.client);
                require(!seen.client || (seen.admitted && mayCall(Role::Client, call.verb()) &&
                                         call.caller().client == "editor"));
                return boost::json::object{};
            };
        }
        return made;
    }();
    return all;
}

const ClientGate& gate() {
    static const ClientGate one = [] {
        ClientGate made;
        made.patience = std::chrono::seconds(60);
        made.wrongTokenPause = std::chrono::milliseconds(0);
        made.admit = [](std::string_view token) -> Result<Admission> {
            require(!seen.admitted && seen.client && token.size() <= kMaxAuthLine);
            if (token != kGood) {
                return fail(ErrorCode::Refused, "that token is not known");
            }
            seen.admitted = true;
            Admission out;
            out.caller.client = "editor";
            return out;
        };
        return made;
    }();
    return one;
}

void feed(std::string_view bytes, bool client) {
    seen = {false, client};
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd ours(ends[0]);
    // All of it fits into the socket's buffer, and so do the answers.
    require(::send(ours.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
            static_cast<ssize_t>(bytes.size()));
    (void)::shutdown(ours.get(), SHUT_WR);
    detail::Connection connection(UniqueFd(ends[1]), handlers(), client ? &gate() : nullptr);
    connection.serve();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
    if (bytes.empty()) {
        return 0;
    }
    feed(bytes, true);
    feed(bytes, false);
    const std::string known =
        toText(RpcRequest{1, std::string(kAuthVerb), {{"token", kGood}}}) + "\n" + std::string(bytes);
    feed(known, true);
    require(seen.admitted);
    return 0;
}
