// SPDX-License-Identifier: Apache-2.0
// Verbs of an agent's life, its folders and its commands.
#include "app/engine/engine.h"

#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace carrel::engine {

namespace json = boost::json;
using agents::Agent;

namespace {

constexpr std::chrono::milliseconds kWaitLeast{250}; // no watcher is told more often

Result<agents::NewShare> readShare(const json::object& object, JsonFields& fields) {
    agents::NewShare share;
    auto dir = takeOptionalPath(fields, object, "dir");
    if (!dir || dir->empty() || dir->front() != '/') {
        fields.problem("dir", "is not an absolute path");
    } else {
        share.dir = std::move(*dir);
    }
    auto mode = agents::shareModeFrom(fields.string("mode", 16));
    if (!mode) {
        return fail(std::move(mode).error());
    }
    share.mode = *mode;
    return share;
}

Result<std::shared_ptr<Agent>> namedAgent(Engine& engine, const api::Call& call, JsonFields& fields) {
    const auto name = fields.string("agent", 256);
    CARREL_TRY(fields.finish());
    return engine.agentFor(call, name);
}

Result<json::value> create(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "agent.create");
    agents::NewAgent wanted;
    wanted.name = fields.string("name", 256);
    wanted.memoryMib = fields.optionalNumber("memory_mib").value_or(wanted.memoryMib);
    wanted.cpus = static_cast<unsigned>(fields.optionalNumber("cpus", 1024).value_or(wanted.cpus));
    wanted.image = fields.optionalString("image", 128).value_or("");
    for (const auto& item : fields.optionalArray("shares", 64)) {
        if (!item.is_object()) {
            return fail(ErrorCode::InvalidArgument, "a share is not an object");
        }
        JsonFields inner(item.get_object(), "share");
        auto share = readShare(item.get_object(), inner);
        if (!share) {
            return fail(std::move(share).error());
        }
        CARREL_TRY(inner.finish());
        wanted.shares.push_back(std::move(*share));
    }
    CARREL_TRY(fields.finish());
    if (wanted.memoryMib < hypervisor::kMinMemoryMib || wanted.memoryMib > hypervisor::kMaxMemoryMib ||
        wanted.cpus < 1 || wanted.cpus > hypervisor::kMaxCpus) {
        return fail(ErrorCode::InvalidArgument, "an agent has 128 MiB to 1 TiB of memory and 1 to 64 processors");
    }
    auto made = engine.createAgent(wanted);
    if (!made) {
        return fail(std::move(made).error());
    }
    return json::object{{"agent", (*made)->describe(Agent::Tell::Chosen)}};
}

Result<json::value> start(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "agent.start");
    auto agent = namedAgent(engine, call, fields);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    const auto began = std::chrono::steady_clock::now();
    auto started = (*agent)->start(progressOf(call), call.stop());
    if (!started) {
        return fail(std::move(started).error());
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    return json::object{{"agent", (*agent)->describe()}, {"started", *started}, {"took_ms", took.count()}};
}

Result<json::value> stop(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "agent.stop");
    auto agent = namedAgent(engine, call, fields);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    auto stopped = (*agent)->stop(progressOf(call));
    if (!stopped) {
        return fail(std::move(stopped).error());
    }
    return json::object{{"agent", (*agent)->describe()}, {"stopped", *stopped}};
}

Agent::Staged stagedOf(bool discard) {
    return discard ? Agent::Staged::Discard : Agent::Staged::Refuse;
}

Result<json::value> remove(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "agent.delete");
    const auto name = fields.string("agent", 256);
    const bool discard = fields.optionalBoolean("discard");
    CARREL_TRY(fields.finish());
    CARREL_TRY(engine.deleteAgent(name, stagedOf(discard), progressOf(call)));
    return json::object{{"deleted", name}};
}

struct Listed {
    json::array agents;
    std::string mark; // of all that is told of them
};

Listed listFor(Engine& engine, const api::Call& call) {
    Listed out;
    for (const auto& agent : engine.agentsFor(call)) {
        out.agents.push_back(agent->describe());
    }
    out.mark = files::Sha256::of(json::serialize(out.agents)).hex();
    return out;
}

Result<json::value> list(Engine& engine, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "agent.list").finish());
    auto listed = listFor(engine, call);
    return json::object{{"agents", std::move(listed.agents)}, {"mark", listed.mark}};
}

// Returns early when nobody waits any more.
void rest(std::chrono::milliseconds time, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    (void)never.wait_for(lock, stop, time, [] { return false; });
}

Result<json::value> wait(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "agent.wait");
    const auto mark = fields.optionalString("mark", 64);
    CARREL_TRY(fields.finish());
    for (;;) {
        if (mark) {
            rest(kWaitLeast, call.stop());
        }
        const auto seen = engine.agentNews().mark(); // before what it is the mark of
        if (auto now = listFor(engine, call); !mark || now.mark != *mark) {
            return json::object{{"mark", std::move(now.mark)}};
        }
        if (auto news = engine.agentNews().waitOther(seen, call.stop()); !news) {
            return fail(std::move(news).error());
        }
    }
}

Result<json::value> exec(Engine& engine, api::Call& call) {
    const auto* name = call.params().if_contains("agent");
    if (name == nullptr || !name->is_string()) {
        return fail(ErrorCode::InvalidArgument, "no agent is named");
    }
    auto agent = engine.agentFor(call, std::string_view(name->get_string()));
    if (!agent) {
        return fail(std::move(agent).error());
    }
    UniqueFd callerEnd;
    auto session = (*agent)->exec(call.params(), callerEnd, byOf(call));
    if (!session) {
        return fail(std::move(session).error());
    }
    call.attachDescriptor(std::move(callerEnd));
    return json::object{{"session", *session}};
}

Result<json::value> addShare(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "share.add");
    auto share = readShare(call.params(), fields);
    if (!share) {
        return fail(std::move(share).error());
    }
    auto agent = namedAgent(engine, call, fields);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    auto added = (*agent)->addShare(*share);
    if (!added) {
        return fail(std::move(added).error());
    }
    return json::object{{"share", std::move(*added)}};
}

Result<json::value> removeShare(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "share.remove");
    const auto share = fields.string("share", kMaxNameBytes);
    const bool discard = fields.optionalBoolean("discard");
    auto agent = namedAgent(engine, call, fields);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    CARREL_TRY((*agent)->removeShare(share, stagedOf(discard)));
    return json::object{{"removed", share}};
}

Result<json::value> changeShareMode(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "share.mode");
    const auto share = fields.string("share", kMaxNameBytes);
    const auto mode = agents::shareModeFrom(fields.string("mode", 16));
    auto agent = namedAgent(engine, call, fields);
    if (!agent || !mode) {
        return fail(!agent ? agent.error() : mode.error());
    }
    auto changed = (*agent)->setShareMode(share, *mode);
    if (!changed) {
        return fail(std::move(changed).error());
    }
    return json::object{{"share", std::move(*changed)}};
}

Result<json::value> revokeShare(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "share.revoke");
    const auto share = fields.string("share", kMaxNameBytes);
    auto agent = namedAgent(engine, call, fields);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    auto changed = (*agent)->revokeShare(share);
    if (!changed) {
        return fail(std::move(changed).error());
    }
    return json::object{{"share", std::move(*changed)}};
}

Result<json::value> listShares(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "share.list");
    auto agent = namedAgent(engine, call, fields);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    return json::object{{"shares", (*agent)->describeShares()}};
}

} // namespace

void addAgentVerbs(Engine& engine, api::Handlers& to) {
    const auto add = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    add("agent.create", create);
    add("agent.start", start);
    add("agent.stop", stop);
    add("agent.delete", remove);
    add("agent.list", list);
    add("agent.wait", wait);
    add("exec.open", exec);
    add("share.add", addShare);
    add("share.remove", removeShare);
    add("share.mode", changeShareMode);
    add("share.revoke", revokeShare);
    add("share.list", listShares);
}

} // namespace carrel::engine
