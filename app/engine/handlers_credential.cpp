// SPDX-License-Identifier: Apache-2.0
// Verbs of credentials. All of them the owner's (app/api/roles.h). A value comes in through the intake (secret_intake.h) and goes out by
// no verb.
#include "app/engine/keep_credential.h"

#include "app/engine/describe_approval.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::engine {

namespace json = boost::json;
using egress::Credential;

namespace {

constexpr std::size_t kMaxText = 253;
constexpr std::size_t kMaxPath = 4096;

json::array listOf(const std::vector<std::string>& texts) {
    json::array out;
    for (const auto& each : texts) {
        out.emplace_back(each);
    }
    return out;
}

json::value timeOf(std::int64_t ms) {
    return ms <= 0 ? json::value(nullptr) : json::value(activity::formatTime(ms * 1'000'000));
}
json::value textOf(const std::optional<std::string>& text) {
    return text ? json::value(*text) : json::value(nullptr);
}

std::string whyOf(const Error& error) {
    return error.text() + (error.hint.empty() ? "" : ". " + error.hint);
}

json::object describe(Engine& engine, const Credential& of) {
    std::vector<std::string> agents;
    std::transform(of.agents.begin(), of.agents.end(), std::back_inserter(agents), namesOf(engine));
    return {{"name", of.name},
            {"hosts", listOf(of.hosts)},
            {"header", of.header},
            {"format", of.basicUser ? json::value(nullptr) : json::value(of.format)},
            {"basic", textOf(of.basicUser)},
            {"methods", listOf(of.methods)},
            {"paths", listOf(of.paths)},
            {"agents", listOf(agents)},
            {"env", textOf(of.variable)},
            {"kept", toString(of.keeper)},
            {"created", timeOf(of.createdMs)},
            {"used", timeOf(of.usedMs)}};
}

// The rule that lets an agent use it, by the owner's word.
policy::Rule ruleOf(const Credential& of, const std::string& agent) {
    policy::Rule rule;
    rule.effect = policy::Effect::Allow;
    rule.action = policy::Action::Credential;
    rule.agent = agent;
    rule.fields["name"] = {of.name};
    rule.fields["host"] = of.hosts;
    return rule;
}

Result<json::value> openSecret(Engine& engine, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "secret.open").finish());
    auto opened = engine.intake().open();
    if (!opened) {
        return fail(std::move(opened).error());
    }
    call.attachDescriptor(std::move(opened->callersEnd));
    return json::object{{"secret", opened->id}};
}

Result<Credential> wantedFrom(Engine& engine, JsonFields& fields) {
    Credential out;
    out.name = fields.string("name", 64);
    out.hosts = fields.strings("hosts", egress::kMaxCredentialHosts, kMaxText);
    out.header = fields.optionalString("header", 64).value_or(std::string(egress::kDefaultHeader));
    out.format = fields.optionalString("format", 200).value_or(std::string(egress::kDefaultFormat));
    out.basicUser = fields.optionalString("basic", 128);
    out.variable = fields.optionalString("env", 64);
    const auto texts = [&](const char* name, std::size_t items, std::size_t bytes) {
        std::vector<std::string> list;
        for (const auto& each : fields.optionalArray(name, items)) {
            if (!each.is_string() || each.get_string().size() > bytes) {
                fields.problem(name, "holds something that is no text, or too long");
                break;
            }
            list.emplace_back(each.get_string());
        }
        return list;
    };
    out.methods = texts("methods", egress::kMaxCredentialMethods, 32);
    out.paths = texts("paths", egress::kMaxCredentialPaths, kMaxPath);
    const auto names = texts("agents", egress::kMaxCredentialAgents, 256);
    CARREL_TRY(fields.finish());
    for (const auto& name : names) {
        const auto agent = engine.agent(name);
        if (!agent) {
            return fail(agent.error());
        }
        if (!isFor(out, (*agent)->id()) || out.agents.empty()) {
            out.agents.push_back((*agent)->id());
        }
    }
    CARREL_TRY(check(out));
    return out;
}

Result<json::value> add(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "credential.add");
    const auto secret = fields.number("secret");
    auto wanted = wantedFrom(engine, fields);
    if (!wanted) {
        return fail(std::move(wanted).error());
    }
    const auto made = keepCredential(engine, *wanted, secret);
    if (!made) {
        return fail(made.error());
    }
    json::array rules;
    for (const auto& agent : made->agents) {
        const auto kept = engine.approvals().rules().add(ruleOf(*made, agent));
        if (!kept) {
            tellRulesChanged(engine);
            return fail(kept.error().wrap("The credential is kept, but not the rule that lets its agents use it: each use is asked",
                                          "Add it when that is possible: carrel rules add"));
        }
        rules.push_back(describeRule(*kept, namesOf(engine)));
    }
    if (!rules.empty()) {
        tellRulesChanged(engine);
    }
    return json::object{{"credential", describe(engine, *made)}, {"rules", std::move(rules)}};
}

Result<json::value> list(Engine& engine, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "credential.list").finish());
    const auto all = engine.credentials().list();
    if (!all) {
        return fail(all.error());
    }
    json::array out;
    for (const auto& each : *all) {
        out.push_back(describe(engine, each));
    }
    return json::object{{"credentials", std::move(out)}};
}

Result<json::value> remove(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "credential.remove");
    const auto name = fields.string("name", 64);
    CARREL_TRY(fields.finish());
    const auto gone = dropCredential(engine, name);
    if (!gone) {
        return fail(gone.error());
    }
    return json::object{{"credential", describe(engine, gone->credential)}, {"left", gone->left.empty() ? json::value(nullptr) : json::value(gone->left)}};
}

Result<json::value> test(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "credential.test");
    const auto name = fields.string("name", 64);
    CARREL_TRY(fields.finish());
    const auto of = engine.credentials().find(name);
    if (!of) {
        return fail(of.error());
    }
    const auto value = engine.credentials().value(*of); // gone again with this call
    json::array uses;
    for (const auto& agent : agentsOf(engine, *of)) {
        for (const auto& host : of->hosts) {
            policy::Request request;
            request.agent = agent->id();
            request.session = agent->session();
            request.action = policy::Action::Credential;
            request.fields = {{"name", of->name}, {"host", host}};
            const auto verdict = engine.approvals().rules().decide(std::span(&request, 1));
            json::object one{{"agent", agent->name()}, {"host", host}, {"answer", toString(verdict.answer)}, {"network", toString(agent->network())}};
            if (verdict.rule) {
                one["rule"] = verdict.rule->id;
            }
            uses.push_back(std::move(one));
        }
    }
    return json::object{{"credential", describe(engine, *of)},
                        {"there", value.has_value()},
                        {"why", value ? json::value(nullptr) : json::value(whyOf(value.error()))},
                        {"uses", std::move(uses)}};
}

Result<json::value> unlock(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "credential.unlock");
    const auto secret = fields.number("secret");
    CARREL_TRY(fields.finish());
    auto text = engine.intake().take(secret);
    const auto passphrase = text ? egress::Secret::ofPassphrase(std::move(*text)) : Result<egress::Secret>(fail(std::move(text).error()));
    if (!passphrase) {
        return fail(passphrase.error());
    }
    CARREL_TRY(engine.credentials().unlock(*passphrase));
    engine.approvalNews().credentialsChanged();
    return json::object{{"sealed", "ready"}};
}

std::string_view wordOf(egress::SecretStore::Standing standing) {
    return standing == egress::SecretStore::Standing::Absent ? "absent" : standing == egress::SecretStore::Standing::Locked ? "locked" : "ready";
}

Result<json::value> lock(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "credential.lock");
    const bool only = fields.optionalBoolean("look");
    CARREL_TRY(fields.finish());
    if (!only) {
        engine.credentials().lock();
        engine.approvalNews().credentialsChanged();
    }
    const auto now = engine.credentials().sealed();
    if (!now) {
        return fail(now.error());
    }
    const auto next = engine.credentials().place();
    return json::object{{"sealed", wordOf(*now)},
                        {"next", next ? json::value(*next ? toString(**next) : "passphrase") : json::value(nullptr)},
                        {"why", next ? json::value(nullptr) : json::value(whyOf(next.error()))}};
}

} // namespace

void addCredentialVerbs(Engine& engine, api::Handlers& to) {
    const auto put = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    put("secret.open", openSecret);
    put("credential.add", add);
    put("credential.list", list);
    put("credential.remove", remove);
    put("credential.test", test);
    put("credential.unlock", unlock);
    put("credential.lock", lock);
}

} // namespace carrel::engine
