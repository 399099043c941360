// SPDX-License-Identifier: Apache-2.0
// Verbs of agent programs: which there are, and installing one in an agent's machine. The engine reads nothing of what the installation says:
// whoever asked for it gets it as that of any command (exec.open).
#include "app/engine/engine.h"
#include "app/tasks/programs.h"

#include "guest/protocol/strict_json.h"

namespace carrel::engine {

namespace json = boost::json;
using tasks::Program;

namespace {

bool isInstalled(const agents::Agent& agent, const Program& program) {
    const auto all = agent.programs();
    const auto found = all.find(program.name);
    return !program.install || (found != all.end() && found->second == program.install->version);
}

json::value describeInstall(const Program& program) {
    if (!program.install) {
        return nullptr;
    }
    json::array packages, files;
    for (const auto& each : program.install->packages) {
        packages.push_back(json::object{{"name", each.name}, {"version", each.version}});
    }
    for (const auto& each : program.install->files) {
        files.push_back(json::object{{"name", each.name}, {"text", each.text}});
    }
    return json::object{{"version", program.install->version},
                        {"packages", std::move(packages)},
                        {"files", std::move(files)},
                        {"folder", tasks::folderOf(program)},
                        {"script", tasks::installationOf(program).script}};
}

Result<json::value> list(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "task.programs");
    const auto name = fields.optionalString("agent", 256);
    CARREL_TRY(fields.finish());
    std::shared_ptr<agents::Agent> agent;
    if (name) {
        auto found = engine.agentFor(call, *name);
        if (!found) {
            return fail(std::move(found).error());
        }
        agent = std::move(*found);
    }
    const auto& all = tasks::programs();
    if (!all) {
        return fail(all.error());
    }
    json::array out;
    for (const auto& each : *all) {
        json::array apis;
        for (const auto& one : each.speaks) {
            apis.emplace_back(one.first);
        }
        out.push_back(json::object{{"name", each.name},
                                   {"title", each.title},
                                   {"about", each.about},
                                   {"apis", std::move(apis)},
                                   {"memory_mib", each.memoryMib},
                                   {"installed", agent ? json::value(isInstalled(*agent, each)) : json::value(nullptr)},
                                   {"install", describeInstall(each)}});
    }
    return json::object{{"programs", std::move(out)}};
}

// What would come to nothing is said before it takes minutes.
Status mayInstall(const agents::Agent& agent, const Program& program) {
    if (!program.install) {
        return fail(ErrorCode::Conflict, program.title + " is in every machine already");
    }
    if (agent.memoryMib() < program.memoryMib) {
        const auto needed = std::to_string(program.memoryMib);
        return fail(ErrorCode::Refused, program.title + " needs a machine with " + needed + " MiB of memory, and that of " + agent.name() + " has " + std::to_string(agent.memoryMib()),
                    "Make an agent with more: carrel create NAME --memory " + needed);
    }
    if (agent.network() == egress::NetMode::Offline) {
        return fail(ErrorCode::Refused, program.title + " is fetched from the network, and agent " + agent.name() + " has none",
                    "Let it reach the package registries: carrel net mode " + agent.name() + " allowlist, then carrel net allow " + agent.name() + " package-registries");
    }
    return {};
}

Result<json::value> install(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "task.install");
    const auto name = fields.string("agent", 256);
    const auto wanted = fields.string("program", 64);
    const auto* tty = fields.optionalObject("tty");
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(agent.error());
    }
    const auto program = tasks::findProgram(wanted);
    if (!program) {
        return fail(program.error());
    }
    CARREL_TRY(mayInstall(**agent, *program));
    json::object command{{"argv", json::value_from(tasks::installationOf(*program).argv)}, {"cwd", "/"}, {"tty", tty != nullptr ? json::value(*tty) : json::value(nullptr)}};
    UniqueFd callerEnd;
    const auto session = (*agent)->install(program->name, program->install->version, command, callerEnd);
    if (!session) {
        return fail(session.error());
    }
    call.attachDescriptor(std::move(callerEnd));
    return json::object{{"program", program->name}, {"version", program->install->version}, {"session", *session}};
}

} // namespace

void addProgramVerbs(Engine& engine, api::Handlers& to) {
    to["task.programs"] = [&engine](api::Call& call) { return list(engine, call); };
    to["task.install"] = [&engine](api::Call& call) { return install(engine, call); };
}

} // namespace carrel::engine
