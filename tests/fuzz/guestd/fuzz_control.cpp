// SPDX-License-Identifier: Apache-2.0
// Control requests and session messages from random bytes: never a crash, and what is accepted is within its
// bounds.
#include "guest/guestd/control_call.h"
#include "guest/guestd/session_start.h"
#include "guest/protocol/control.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::guestd;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void controlRequest(std::string_view text) {
    const auto message = parseRpc(text);
    if (!message || !std::holds_alternative<RpcRequest>(*message)) {
        return;
    }
    const auto call = controlCallFrom(std::get<RpcRequest>(*message));
    if (!call) {
        return;
    }
    if (const auto* hello = std::get_if<HelloCall>(&*call)) {
        for (const auto& share : hello->shares) {
            require(isValidName(share.name) && share.id >= 1 && share.id <= control::kMaxShareId);
        }
    } else if (const auto* list = std::get_if<ChangesListCall>(&*call)) {
        require(list->limit >= 1 && list->limit <= kMaxChangesPerPage);
    } else if (const auto* programs = std::get_if<ProgramsPolicyCall>(&*call)) {
        const auto& policy = programs->policy;
        require(policy.deny.size() + policy.allow.size() + policy.makesCode.size() <= control::kMaxHashesPerPart);
        for (const auto& hash : policy.allow) {
            require(bpf::contentHashFrom(bpf::toHex(hash)) == hash);
        }
    } else if (const auto* content = std::get_if<ContentSendCall>(&*call)) {
        require(content->stream >= control::kFirstContentStream && !content->path.isRoot());
    }
}

void sessionRequest(std::string_view text) {
    const auto request = parseSessionRequest(text);
    if (!request) {
        return;
    }
    if (const auto* start = std::get_if<StartSession>(&*request)) {
        require(!start->argv.empty() && start->argv.size() <= control::kMaxArgvItems);
        for (const auto& argument : start->argv) {
            require(argument.find('\0') == std::string::npos);
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    controlRequest(text);
    sessionRequest(text);
    return 0;
}
