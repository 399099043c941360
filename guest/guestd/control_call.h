// SPDX-License-Identifier: Apache-2.0
// The control methods of guest/protocol/control.h, but those of agent_talk.h, as typed values, read strictly: whatever is unknown,
// missing, too long or contradictory is an error, and nothing is done. Thread: pure functions.
#pragma once

#include "guest/bpf/gate_policy.h"
#include "guest/guestd/shares.h"
#include "guest/protocol/authority_certificate.h"
#include "guest/protocol/rpc.h"

#include <chrono>
#include <variant>

namespace carrel::guestd {

struct HelloCall {
    std::uint64_t version = 0;
    std::chrono::nanoseconds realtime{};
    std::string agentId;
    std::string agentName;
    std::vector<ShareSpec> shares; // ids and names are each unique
    std::optional<AuthorityCertificate> authority;
    bool programsFollow = false;
};
struct ClockCall {
    std::chrono::nanoseconds realtime{};
};
struct ShareAddCall {
    ShareSpec share;
};
struct ShareRemoveCall {
    std::uint32_t id = 0;
};
struct ChangesListCall {
    std::uint32_t share = 0;
    SharePath after;
    std::size_t limit = 0; // 1 … kMaxChangesPerPage
};
struct ContentSendCall {
    std::uint32_t share = 0;
    SharePath path;
    std::uint64_t generation = 0;
    std::uint32_t stream = 0; // ≥ kFirstContentStream
    std::uint64_t max = 0;    // bytes the host takes
};
struct ChangesEndCall { // settle or discard
    enum class How { Settle, Discard };
    How how = How::Settle;
    std::uint32_t share = 0;
    std::vector<EntryRef> entries;
};
struct ProgramsPolicyCall { // a part of one
    bpf::GatePolicy policy;
    bool asks = false; // about what is unknown
    std::uint64_t part = 0;
    bool last = false;
};
struct PowerOffCall {};
struct CancelCall {
    std::uint64_t id = 0;
};

using ControlCall = std::variant<HelloCall, ClockCall, ShareAddCall, ShareRemoveCall, ChangesListCall,
                                 ContentSendCall, ChangesEndCall, PowerOffCall, CancelCall, ProgramsPolicyCall>;

// Malformed, or Unsupported for a method that does not exist.
[[nodiscard]] Result<ControlCall> controlCallFrom(const RpcRequest& request);

} // namespace carrel::guestd
