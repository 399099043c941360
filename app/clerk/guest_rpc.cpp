// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/guest_rpc.h"

namespace carrel::clerk {

namespace json = boost::json;

namespace {
// A page of changes with the longest paths is the largest answer.
constexpr JsonLimits kGuestLimits{2 * 1024 * 1024, 8};
} // namespace

GuestRpc::GuestRpc(std::function<Status(std::string_view)> send, Notification notification, Request request)
    : m_send(std::move(send)), m_notification(std::move(notification)), m_request(std::move(request)) {}

void GuestRpc::request(std::string method, json::object params, Answer answer) {
    if (m_pending.size() >= kMaxPendingRequests) {
        answer(fail(ErrorCode::LimitExceeded, "the agent's machine has too many unanswered requests"));
        return;
    }
    const std::uint64_t id = m_next++;
    if (auto sent = m_send(toText(RpcRequest{id, std::move(method), std::move(params)})); !sent) {
        answer(fail(std::move(sent).error()));
        return;
    }
    m_pending.emplace(id, std::move(answer));
}

Status GuestRpc::receive(ByteSpan message) {
    auto parsed = parseRpc(asText(message), kGuestLimits);
    if (!parsed) {
        return fail(std::move(parsed).error());
    }
    if (auto* request = std::get_if<RpcRequest>(&*parsed)) {
        if (request->id) {
            return m_request(*request->id, request->method, request->params);
        }
        m_notification(request->method, request->params);
        return {};
    }
    auto& response = std::get<RpcResponse>(*parsed);
    const auto found = m_pending.find(response.id);
    if (found == m_pending.end()) {
        return fail(ErrorCode::Malformed, "an answer to nothing that was asked");
    }
    const Answer answer = std::move(found->second);
    m_pending.erase(found);
    if (!response.result) {
        auto error = std::move(response.result).error();
        error.message = "the agent's machine says: " + error.message; // so that it is never taken for Carrel's word
        error.hint.clear();                                            // and what is to be done a person hears from Carrel alone
        answer(fail(std::move(error)));
    } else if (!response.result->is_object()) {
        answer(fail(ErrorCode::Malformed, "the agent's machine gave an answer of the wrong form"));
    } else {
        answer(std::move(response.result->as_object()));
    }
    return {};
}

void GuestRpc::failAll(const Error& error) {
    auto pending = std::move(m_pending);
    m_pending.clear();
    for (auto& [id, answer] : pending) {
        answer(fail(error));
    }
}

} // namespace carrel::clerk
