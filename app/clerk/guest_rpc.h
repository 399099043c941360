// SPDX-License-Identifier: Apache-2.0
// JSON-RPC with carrel-guestd over the control channel: requests with an answer each, notifications from the guest, and what
// the guest asks (guest_asks.h).
// Requests that an epoch's end cut off are answered Unavailable; whoever asked decides whether to ask again.
// Thread: the event loop's.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/rpc.h"

#include <functional>
#include <map>
#include <string>

namespace carrel::clerk {

// Requests under way to one guest; more are refused, so that a guest that never answers costs a bounded amount.
inline constexpr std::size_t kMaxPendingRequests = 256;

class GuestRpc {
public:
    using Answer = std::function<void(Result<boost::json::object>)>;
    using Notification = std::function<void(const std::string& method, const boost::json::object& params)>;

    // A request of the guest's, of any method. An error is the channel's, not the guest's.
    using Request =
        std::function<Status(std::uint64_t id, const std::string& method, const boost::json::object& params)>;

    // `send` queues one text on the control stream.
    GuestRpc(std::function<Status(std::string_view)> send, Notification notification, Request request);

    void request(std::string method, boost::json::object params, Answer answer);
    // One message from the guest. Malformed is an error of the guest's that the caller reports.
    [[nodiscard]] Status receive(ByteSpan message);
    void failAll(const Error& error);

private:
    std::function<Status(std::string_view)> m_send;
    Notification m_notification;
    Request m_request;
    std::uint64_t m_next = 1;
    std::map<std::uint64_t, Answer> m_pending;
};

} // namespace carrel::clerk
