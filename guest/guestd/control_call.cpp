// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/control_call.h"

#include "guest/protocol/control.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

namespace carrel::guestd {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxIdBytes = 128;
constexpr std::size_t kMaxNameBytesOfAgent = 64; // HOST_NAME_MAX
constexpr std::size_t kMaxCapabilities = 64;
constexpr std::size_t kMaxShares = 256;
constexpr std::size_t kMaxSettled = 4096; // a message has a size bound of its own
constexpr std::uint64_t kMaxNanoseconds = std::numeric_limits<std::int64_t>::max();

ShareSpec shareFrom(JsonFields& outer, const json::object& object) {
    JsonFields fields(object, "share");
    ShareSpec share;
    share.id = static_cast<std::uint32_t>(fields.number("id", control::kMaxShareId));
    share.name = fields.string("name", kMaxNameBytes);
    const std::string mode = fields.string("mode", 16);
    if (share.id == 0) {
        fields.problem("id", "is not a share's id");
    }
    if (!isValidName(share.name)) {
        fields.problem("name", "is not a folder's name");
    }
    if (mode == "read-only") {
        share.mode = ShareMode::ReadOnly;
    } else if (mode != "review") {
        fields.problem("mode", "is no known mode");
    }
    if (const auto status = fields.finish(); !status) {
        outer.problem("share", status.error().message);
    }
    return share;
}

std::uint32_t shareId(JsonFields& fields, std::string_view key = "share") {
    const auto id = fields.number(key, control::kMaxShareId);
    if (id == 0) {
        fields.problem(key, "is not a share's id");
    }
    return static_cast<std::uint32_t>(id);
}

SharePath pathFrom(JsonFields& fields, const json::object& object, std::string_view key) {
    const auto text = takeOptionalPath(fields, object, key);
    if (!text) {
        return {};
    }
    auto path = SharePath::parse(*text);
    if (!path) {
        fields.problem(key, "is not a path inside a share");
        return {};
    }
    return *path;
}

Result<ControlCall> hello(const json::object& params) {
    JsonFields fields(params, "hello");
    HelloCall call;
    call.version = fields.number("version");
    static_cast<void>(fields.strings("capabilities", kMaxCapabilities, kMaxIdBytes));
    call.realtime = std::chrono::nanoseconds(fields.number("realtime_ns", kMaxNanoseconds));
    JsonFields agent(fields.object("agent"), "hello.agent");
    call.agentId = agent.string("id", kMaxIdBytes);
    call.agentName = agent.string("name", kMaxNameBytesOfAgent);
    std::set<std::uint32_t> ids;
    std::set<std::string> names;
    for (const auto& item : fields.array("shares", kMaxShares)) {
        const auto* object = item.if_object();
        if (object == nullptr) {
            fields.problem("shares", "holds something that is not a share");
            break;
        }
        call.shares.push_back(shareFrom(fields, *object));
        if (!ids.insert(call.shares.back().id).second || !names.insert(call.shares.back().name).second) {
            fields.problem("shares", "names one share twice");
        }
    }
    call.authority = takeAuthority(fields, "authority");
    call.programsFollow = fields.optionalBoolean("programs_follow");
    CARREL_TRY(fields.finish());
    CARREL_TRY(agent.finish());
    return ControlCall(std::move(call));
}

Result<ControlCall> clock(const json::object& params) {
    JsonFields fields(params, "clock");
    ClockCall call{std::chrono::nanoseconds(fields.number("realtime_ns", kMaxNanoseconds))};
    CARREL_TRY(fields.finish());
    return ControlCall(call);
}

Result<ControlCall> shareAdd(const json::object& params) {
    JsonFields fields(params, "share.add");
    ShareAddCall call{shareFrom(fields, fields.object("share"))};
    CARREL_TRY(fields.finish());
    return ControlCall(std::move(call));
}

Result<ControlCall> shareRemove(const json::object& params) {
    JsonFields fields(params, "share.remove");
    ShareRemoveCall call{shareId(fields, "id")};
    CARREL_TRY(fields.finish());
    return ControlCall(call);
}

Result<ControlCall> changesList(const json::object& params) {
    JsonFields fields(params, "changes.list");
    ChangesListCall call;
    call.share = shareId(fields);
    call.after = pathFrom(fields, params, "after");
    call.limit = fields.number("limit", kMaxChangesPerPage);
    if (call.limit == 0) {
        fields.problem("limit", "is zero");
    }
    CARREL_TRY(fields.finish());
    return ControlCall(std::move(call));
}

Result<ControlCall> contentSend(const json::object& params) {
    JsonFields fields(params, "content.send");
    ContentSendCall call;
    call.share = shareId(fields);
    call.path = pathFrom(fields, params, "path");
    call.generation = fields.number("generation");
    call.stream =
        static_cast<std::uint32_t>(fields.number("stream", std::numeric_limits<std::uint32_t>::max()));
    call.max = fields.number("max");
    if (call.stream < control::kFirstContentStream) {
        fields.problem("stream", "is not a stream for content");
    }
    if (call.path.isRoot()) {
        fields.problem("path", "is missing");
    }
    CARREL_TRY(fields.finish());
    return ControlCall(std::move(call));
}

Result<ControlCall> changesEnd(const json::object& params, ChangesEndCall::How how) {
    JsonFields fields(params, how == ChangesEndCall::How::Settle ? "changes.settle" : "changes.discard");
    ChangesEndCall call;
    call.how = how;
    call.share = shareId(fields);
    for (const auto& item : fields.array("entries", kMaxSettled)) {
        const auto* object = item.if_object();
        if (object == nullptr) {
            fields.problem("entries", "holds something that is not an entry");
            break;
        }
        JsonFields entry(*object, "entry");
        EntryRef ref;
        ref.path = pathFrom(entry, *object, "path");
        ref.generation = entry.number("generation");
        if (how == ChangesEndCall::How::Settle) {
            ref.left = takeLeft(entry, "left");
        }
        if (ref.path.isRoot()) {
            entry.problem("path", "is missing");
        }
        CARREL_TRY(entry.finish());
        call.entries.push_back(std::move(ref));
    }
    CARREL_TRY(fields.finish());
    return ControlCall(std::move(call));
}

Result<ControlCall> settle(const json::object& params) {
    return changesEnd(params, ChangesEndCall::How::Settle);
}

Result<ControlCall> discard(const json::object& params) {
    return changesEnd(params, ChangesEndCall::How::Discard);
}

std::vector<bpf::ContentHash> hashesFrom(JsonFields& fields, std::string_view key, const json::array& list) {
    std::vector<bpf::ContentHash> out;
    for (const auto& item : list) {
        const auto* text = item.if_string();
        const auto hash = text == nullptr ? std::nullopt : bpf::contentHashFrom({text->data(), text->size()});
        if (!hash) {
            fields.problem(key, "holds something that is no hash");
            break;
        }
        out.push_back(*hash);
    }
    return out;
}

Result<ControlCall> programsPolicy(const json::object& params) {
    JsonFields fields(params, "programs.policy");
    ProgramsPolicyCall call;
    const std::string mode = fields.string("mode", 16);
    if (mode == "deny") {
        call.policy.mode = bpf::GateMode::Deny;
    } else if (mode == "allow") {
        call.policy.mode = bpf::GateMode::Allow;
    } else if (mode != "observe") {
        fields.problem("mode", "is no known mode");
    }
    const std::string unknown = fields.string("unknown", 16);
    call.asks = unknown == "ask";
    if (!call.asks && unknown != "refuse") {
        fields.problem("unknown", "is neither ask nor refuse");
    }
    call.policy.age = fields.number("age");
    call.policy.deny = hashesFrom(fields, "deny", fields.array("deny", control::kMaxHashesPerPart));
    call.policy.allow = hashesFrom(fields, "allow", fields.array("allow", control::kMaxHashesPerPart));
    call.policy.makesCode = hashesFrom(fields, "code", fields.optionalArray("code", control::kMaxHashesPerPart));
    if (call.policy.deny.size() + call.policy.allow.size() + call.policy.makesCode.size() > control::kMaxHashesPerPart) {
        fields.problem("allow", "holds too much together with the other lists");
    }
    call.part = fields.number("part");
    call.last = fields.boolean("last");
    CARREL_TRY(fields.finish());
    return ControlCall(std::move(call));
}

Result<ControlCall> powerOff(const json::object& params) {
    CARREL_TRY(JsonFields(params, "power.off").finish());
    return ControlCall(PowerOffCall{});
}

Result<ControlCall> cancel(const json::object& params) {
    JsonFields fields(params, "cancel");
    CancelCall call{fields.number("id")};
    CARREL_TRY(fields.finish());
    return ControlCall(call);
}

struct Method {
    std::string_view name;
    Result<ControlCall> (*parse)(const json::object&);
};
constexpr std::array kMethods{
    Method{"hello", hello},
    Method{"clock", clock},
    Method{"share.add", shareAdd},
    Method{"share.remove", shareRemove},
    Method{"changes.list", changesList},
    Method{"content.send", contentSend},
    Method{"changes.settle", settle},
    Method{"changes.discard", discard},
    Method{"programs.policy", programsPolicy},
    Method{"power.off", powerOff},
    Method{"cancel", cancel},
};

} // namespace

Result<ControlCall> controlCallFrom(const RpcRequest& request) {
    const auto* method = std::find_if(kMethods.begin(), kMethods.end(),
                                      [&](const Method& known) { return known.name == request.method; });
    if (method == kMethods.end()) {
        return fail(ErrorCode::Unsupported, "the guest knows no method " + request.method,
                    "The host's and the guest's parts may be of different versions; restart the agent");
    }
    return method->parse(request.params);
}

} // namespace carrel::guestd
