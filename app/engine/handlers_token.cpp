// SPDX-License-Identifier: Apache-2.0
// Verbs of the clients' tokens. All of them the owner's (app/api/roles.h).
#include "app/engine/engine.h"

#include "app/api/display_text.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::engine {

namespace json = boost::json;
using activity::EventKind;

namespace {

json::object describe(const TokenInfo& token) {
    json::array agents;
    for (const auto& agent : token.agents) {
        agents.push_back(json::string(agent.name));
    }
    return {{"name", token.name},
            {"agents", std::move(agents)},
            {"created", activity::formatTime(token.createdMs * 1'000'000)},
            {"ends", activity::formatTime(token.endsMs * 1'000'000)},
            {"used", token.usedMs ? json::value(activity::formatTime(*token.usedMs * 1'000'000)) : json::value(nullptr)},
            {"connections", token.connections},
            {"ended", token.ended}};
}

Result<json::value> create(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "token.create");
    const auto name = fields.string("name", 256);
    const auto names = fields.strings("agents", kMaxTokenAgents, 256);
    const std::chrono::seconds time(fields.number("seconds", static_cast<std::uint64_t>(INT32_MAX)));
    CARREL_TRY(fields.finish());
    std::vector<std::shared_ptr<agents::Agent>> found;
    std::vector<TokenAgent> wanted;
    for (const auto& each : names) {
        auto agent = engine.agentFor(call, each);
        if (!agent) {
            return fail(std::move(agent).error());
        }
        const bool twice = std::any_of(wanted.begin(), wanted.end(),
                                       [&](const TokenAgent& other) { return other.id == (*agent)->id(); });
        if (!twice) {
            wanted.push_back({(*agent)->id(), (*agent)->name()});
            found.push_back(std::move(*agent));
        }
    }
    // I5: in the log of every agent that it opens, before it opens anything.
    std::size_t noted = 0;
    auto made = engine.clients().create(name, std::move(wanted), time, [&]() -> Status {
        for (const auto& agent : found) {
            CARREL_TRY(agent->noteClient(EventKind::ClientAllowed, name,
                                         {{"seconds", time.count()}, {"by", agents::kByOwner}}));
            ++noted;
        }
        return {};
    });
    if (!made) {
        for (std::size_t i = 0; i < noted; ++i) {
            (void)found[i]->noteClient(EventKind::ClientEnded, name, {{"how", "never begun"}}).has_value();
        }
        return fail(std::move(made).error());
    }
    auto socket = api::clientSocketPath(engine.home());
    if (!socket) {
        return fail(std::move(socket).error());
    }
    json::object out{{"client", describe(made->info)}, {"token", made->token}};
    out["socket"] = api::asUtf8(socket->native());
    return out;
}

Result<json::value> list(Engine& engine, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "token.list").finish());
    auto all = engine.clients().book().list();
    if (!all) {
        return fail(std::move(all).error());
    }
    json::array clients;
    for (const auto& token : *all) {
        clients.push_back(describe(token));
    }
    return json::object{{"clients", std::move(clients)}};
}

Result<json::value> revoke(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "token.revoke");
    const auto name = fields.string("name", 256);
    CARREL_TRY(fields.finish());
    auto revoked = engine.clients().book().revoke(name);
    if (!revoked) {
        return fail(std::move(revoked).error());
    }
    for (const auto& agent : engine.agentsFor(call)) {
        if (std::any_of(revoked->agents.begin(), revoked->agents.end(),
                        [&](const TokenAgent& each) { return each.id == agent->id(); })) {
            (void)agent->noteClient(EventKind::ClientEnded, name, {{"how", "revoked"}, {"by", agents::kByOwner}}).has_value();
        }
    }
    return json::object{{"client", describe(*revoked)}};
}

} // namespace

void addTokenVerbs(Engine& engine, api::Handlers& to) {
    const auto add = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    add("token.create", create);
    add("token.list", list);
    add("token.revoke", revoke);
}

} // namespace carrel::engine
