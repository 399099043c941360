// SPDX-License-Identifier: Apache-2.0
// Verbs of forwards: what an agent's machine serves, shown to the user's browser. All of them the owner's.
#include "app/engine/engine.h"

#include "app/engine/describe_forward.h"
#include "guest/protocol/strict_json.h"

namespace carrel::engine {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxName = 256;
constexpr std::uint64_t kMaxSeconds = 366ULL * 24 * 3600;

std::int64_t inSeconds(std::uint64_t seconds) { // ms since 1970
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
    return now.count() + static_cast<std::int64_t>(seconds) * 1000;
}

// Until it ends by itself, or whoever asked for it goes: then it goes, too.
Result<std::string> hold(egress::Forwards& forwards, const egress::Forward& made, api::Call& call) {
    if (call.event({{"forward", describeForward(made)}})) {
        if (auto ended = forwards.waitEnded(made.number, call.stop())) {
            return ended;
        }
    }
    const std::string why = "The command that held it open has ended";
    (void)forwards.close(made.number, why).has_value();
    return why;
}

Result<json::value> open(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "forward.open");
    const auto name = fields.string("agent", kMaxName);
    const auto port = fields.number("port", UINT16_MAX);
    const bool only = fields.optionalBoolean("preview");
    const bool held = fields.optionalBoolean("hold");
    const auto seconds = fields.optionalNumber("seconds", kMaxSeconds);
    if (port == 0) {
        fields.problem("port", "is none: 1 to 65535");
    }
    if (seconds && *seconds == 0) {
        fields.problem("seconds", "is no time at all");
    }
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    const auto network = (*agent)->running();
    if (!network) {
        return fail(network.error());
    }
    json::object out{{"agent", (*agent)->name()}, {"port", port}, {"meaning", egress::forwardMeaning()}};
    if (only) {
        return out;
    }
    auto& forwards = (*network)->forwards();
    const auto made = forwards.open({static_cast<std::uint16_t>(port), seconds ? std::optional(inSeconds(*seconds)) : std::nullopt});
    if (!made) {
        return fail(made.error());
    }
    out["forward"] = describeForward(*made);
    if (held) {
        const auto ended = hold(forwards, *made, call);
        if (!ended) {
            return fail(ended.error());
        }
        out["ended"] = *ended;
    }
    return out;
}

Result<json::value> list(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "forward.list");
    const auto name = fields.string("agent", kMaxName);
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    json::array all;
    if (const auto network = (*agent)->running()) {
        for (const auto& each : (*network)->forwards().list()) {
            all.push_back(describeForward(each));
        }
    }
    return json::object{{"agent", (*agent)->name()}, {"forwards", std::move(all)}};
}

Result<json::value> close(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "forward.close");
    const auto name = fields.string("agent", kMaxName);
    const auto number = fields.number("number");
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    const auto network = (*agent)->running();
    if (!network) {
        return fail(network.error());
    }
    CARREL_TRY((*network)->forwards().close(number, "The owner closed it"));
    return json::object{{"agent", (*agent)->name()}, {"number", number}};
}

} // namespace

void addForwardVerbs(Engine& engine, api::Handlers& to) {
    const auto add = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    add("forward.open", open);
    add("forward.list", list);
    add("forward.close", close);
}

} // namespace carrel::engine
