// SPDX-License-Identifier: Apache-2.0
// Verbs of model providers. All of them the owner's (app/api/roles.h). A provider by itself gives nobody anything: it is what an agent
// may reach once the owner says that it uses it, by rules that are kept then, and shown before (app/providers/access.h).
#include "app/engine/describe_approval.h"
#include "app/engine/keep_credential.h"

#include "app/providers/access.h"
#include "app/providers/reach.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::engine {

namespace json = boost::json;
using providers::ModelUrl;
using providers::Provider;

namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxAgent = 256;

json::value orNull(const std::optional<std::string>& text) {
    return text ? json::value(*text) : json::value(nullptr);
}
json::value orNull(const std::optional<std::uint64_t>& number) {
    return number ? json::value(*number) : json::value(nullptr);
}

std::vector<std::shared_ptr<agents::Agent>> usersOf(Engine& engine, const std::string& provider) {
    auto all = engine.allAgents();
    std::erase_if(all, [&](const auto& agent) { return agent->provider() != provider; });
    return all;
}

json::object describe(Engine& engine, const Provider& of) {
    json::array agents;
    for (const auto& agent : usersOf(engine, of.name)) {
        agents.emplace_back(agent->name());
    }
    return {{"name", of.name},
            {"api", toString(of.api)},
            {"url", of.url.text()},
            {"guest_url", of.url.guestText()},
            {"host", of.url.destination().hostText()},
            {"port", of.url.destination().port},
            {"this_computer", of.url.isOnThisComputer()},
            {"model", of.model},
            {"window", orNull(of.window)},
            {"credential", orNull(of.credential)},
            {"agents", std::move(agents)}};
}

json::array describeRules(Engine& engine, const std::vector<policy::Rule>& rules) {
    json::array out;
    for (const auto& rule : rules) {
        out.push_back(describeRule(rule, namesOf(engine)));
    }
    return out;
}

struct Wanted {
    Provider provider;
    std::optional<std::uint64_t> secret;
    bool preview = false;
};

// What the owner says, and the preset where he does not.
Result<Wanted> wantedFrom(const json::object& params) {
    JsonFields fields(params, "provider.add");
    const auto name = fields.string("name", kMaxName);
    const auto presetName = fields.optionalString("preset", kMaxName);
    const auto apiName = fields.optionalString("api", 16);
    const auto urlText = fields.optionalString("url", providers::kMaxUrl + 1);
    const auto modelName = fields.optionalString("model", providers::kMaxModelName + 1);
    const auto window = fields.optionalNumber("window");
    const bool keyGiven = params.contains("key");
    const bool keyWanted = fields.optionalBoolean("key");
    const auto secret = fields.optionalNumber("secret");
    const bool preview = fields.optionalBoolean("preview");
    CARREL_TRY(fields.finish());
    std::optional<providers::ProviderPreset> preset;
    if (presetName) {
        auto known = providers::providerPreset(*presetName);
        if (!known) {
            return fail(std::move(known).error());
        }
        preset = std::move(*known);
    }
    if (!preset && (!apiName || !urlText)) {
        return fail(ErrorCode::InvalidArgument, "Where the model is, and how it is spoken with, is not said",
                    "Name what Carrel knows of, as --preset anthropic (see: carrel provider presets), or both --api and --url");
    }
    const auto api = apiName ? relay::modelApiFrom(*apiName) : std::optional(preset->api);
    if (!api) {
        return fail(ErrorCode::InvalidArgument, "There is no such way to speak with a model", "Use anthropic, openai or gemini");
    }
    const auto url = urlText ? ModelUrl::parse(*urlText) : Result<ModelUrl>(preset->url);
    if (!url) {
        return fail(url.error());
    }
    const auto model = modelName ? modelName : preset ? preset->model : std::nullopt;
    if (!model) {
        return fail(ErrorCode::InvalidArgument, "Which model is meant is not said",
                    "Name it as its server does: --model NAME" + (preset ? " (" + preset->about + ")" : std::string()));
    }
    const bool asPreset = preset && model == preset->model;
    const bool hasKey = keyGiven ? keyWanted : preset && !urlText ? preset->needsKey : providers::mayHaveKey(*url).has_value();
    Wanted out{{name, *api, *url, *model, window ? window : asPreset ? preset->window : std::nullopt, hasKey ? std::optional(name) : std::nullopt, 0}, secret, preview};
    CARREL_TRY(check(out.provider));
    if (secret && !hasKey) {
        return fail(ErrorCode::InvalidArgument, "A key was given for a provider that gets none", "Leave it out, or say that there is one");
    }
    return out;
}

Result<json::value> add(Engine& engine, api::Call& call) {
    auto wanted = wantedFrom(call.params());
    if (!wanted) {
        return fail(std::move(wanted).error());
    }
    auto& provider = wanted->provider;
    const auto there = engine.providers().find(provider.name);
    if (there || there.error().code != ErrorCode::NotFound) {
        return there ? fail(ErrorCode::AlreadyExists, "There is a model provider of that name already",
                            "Choose another name, or remove it first: carrel provider remove " + provider.name)
                     : fail(there.error());
    }
    json::object out{{"provider", describe(engine, provider)}, {"key", nullptr}};
    std::optional<egress::Credential> key;
    if (provider.credential) {
        auto credential = providers::credentialFor(provider);
        if (!credential) {
            return fail(std::move(credential).error());
        }
        const auto keeper = engine.credentials().mayAdd(*credential);
        if (!keeper) {
            return fail(keeper.error());
        }
        out["key"] = {{"header", credential->header}, {"format", credential->format}, {"kept", toString(*keeper)}};
        key = std::move(*credential);
    }
    if (wanted->preview) {
        return out;
    }
    if (key && !wanted->secret) {
        return fail(ErrorCode::InvalidArgument, "The provider's key is missing", "Hand it in first (secret.open), or say that there is none: --no-key");
    }
    if (key) {
        const auto kept = keepCredential(engine, *key, *wanted->secret);
        if (!kept) {
            return fail(kept.error());
        }
    }
    const auto added = engine.providers().add(provider);
    if (!added) {
        if (key) { // nobody's without its provider
            (void)dropCredential(engine, key->name).has_value();
        }
        return fail(added.error());
    }
    return out;
}

Result<json::value> list(Engine& engine, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "provider.list").finish());
    const auto all = engine.providers().list();
    if (!all) {
        return fail(all.error());
    }
    json::array out;
    for (const auto& each : *all) {
        out.push_back(describe(engine, each));
    }
    return json::object{{"providers", std::move(out)}};
}

Result<json::value> presets(Engine& /*engine*/, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "provider.presets").finish());
    const auto all = providers::providerPresets();
    if (!all) {
        return fail(all.error());
    }
    json::array out;
    for (const auto& each : all->presets) {
        out.push_back({{"name", each.name},
                       {"about", each.about},
                       {"api", toString(each.api)},
                       {"url", each.url.text()},
                       {"model", orNull(each.model)},
                       {"window", orNull(each.window)},
                       {"key", each.needsKey}});
    }
    return json::object{{"presets", std::move(out)}};
}

// Of that agent, or of any where it is empty.
Result<std::vector<policy::Rule>> rulesOf(Engine& engine, const Provider& provider, const std::string& agent) {
    const auto all = engine.approvals().rules().rules();
    if (!all) {
        return fail(all.error());
    }
    std::vector<policy::Rule> out;
    std::copy_if(all->rules.begin(), all->rules.end(), std::back_inserter(out),
                 [&](const policy::Rule& each) { return (agent.empty() || each.agent == agent) && isOfProvider(each, provider); });
    return out;
}

Status removeRules(Engine& engine, const std::vector<policy::Rule>& which) {
    Status out;
    for (const auto& rule : which) {
        const auto gone = engine.approvals().rules().remove(rule.id, [&](const policy::Rule& each) {
            recordRuleGone(engine, each, "provider");
            return Status();
        });
        if (!gone && gone.error().code != ErrorCode::NotFound && out) {
            out = fail(gone.error());
        }
    }
    if (!which.empty()) {
        tellRulesChanged(engine);
    }
    return out;
}

// What it takes for that agent to use it, and what goes because of it.
struct Change {
    std::optional<Provider> to, from;
    std::vector<policy::Rule> come, gone;
    std::size_t there = 0; // of those that it takes
};
Result<Change> changeOf(Engine& engine, agents::Agent& agent, const std::string& name) {
    Change out;
    if (name != providers::kNoProvider) {
        auto to = engine.providers().find(name);
        if (!to) {
            return fail(std::move(to).error());
        }
        for (auto& rule : rulesFor(*to, agent.id())) {
            const auto like = engine.approvals().rules().find(rule);
            if (!like) {
                return fail(like.error());
            }
            if (*like) {
                ++out.there;
            } else {
                out.come.push_back(std::move(rule));
            }
        }
        out.to = std::move(*to);
    }
    const auto before = agent.provider();
    if (before.empty() || before == name) {
        return out;
    }
    if (auto from = engine.providers().find(before)) {
        auto rules = rulesOf(engine, *from, agent.id());
        if (!rules) {
            return fail(std::move(rules).error());
        }
        out.gone = std::move(*rules);
        out.from = std::move(*from);
    }
    return out;
}

Status carryOut(Engine& engine, agents::Agent& agent, Change& change) {
    for (auto& rule : change.come) {
        auto kept = engine.approvals().rules().add(rule);
        if (!kept) {
            tellRulesChanged(engine); // those before it count
            return fail(kept.error().wrap("The agent " + agent.name() + " does not use it yet", "Say it again when that is mended"));
        }
        rule = std::move(*kept);
    }
    if (!change.come.empty()) {
        tellRulesChanged(engine);
    }
    CARREL_TRY(agent.setProvider(change.to ? change.to->name : std::string()));
    if (change.to && agent.network() == egress::NetMode::Offline) {
        CARREL_TRY(agent.setNetwork(egress::NetMode::Allowlist));
    }
    return removeRules(engine, change.gone);
}

Result<json::value> use(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "provider.use");
    const auto agentName = fields.string("agent", kMaxAgent);
    const auto name = fields.string("provider", kMaxName);
    const bool only = fields.optionalBoolean("preview");
    CARREL_TRY(fields.finish());
    const auto agent = engine.agentFor(call, agentName);
    if (!agent) {
        return fail(agent.error());
    }
    auto change = changeOf(engine, **agent, name);
    if (!change) {
        return fail(std::move(change).error());
    }
    const auto before = (*agent)->network();
    if (!only) {
        CARREL_TRY(carryOut(engine, **agent, *change));
    }
    const auto after = change->to && before == egress::NetMode::Offline ? egress::NetMode::Allowlist : before;
    return json::object{{"agent", (*agent)->name()},
                        {"provider", change->to ? json::value(describe(engine, *change->to)) : json::value(nullptr)},
                        {"before", change->from ? json::value(change->from->name) : json::value(nullptr)},
                        {"mode_before", toString(before)},
                        {"mode", toString(after)},
                        {"rules", describeRules(engine, change->come)},
                        {"gone", describeRules(engine, change->gone)},
                        {"there", change->there}};
}

Result<json::value> remove(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "provider.remove");
    const auto name = fields.string("name", kMaxName);
    const bool force = fields.optionalBoolean("force");
    CARREL_TRY(fields.finish());
    const auto of = engine.providers().find(name);
    if (!of) {
        return fail(of.error());
    }
    const auto users = usersOf(engine, name);
    if (!users.empty() && !force) {
        std::string names;
        for (const auto& agent : users) {
            names += (names.empty() ? "" : ", ") + agent->name();
        }
        return fail(ErrorCode::Refused, "The model provider " + name + " is in use: " + names,
                    "Take it from them first (carrel provider use AGENT none), or take it away all the same: carrel provider remove " + name + " --force");
    }
    auto out = describe(engine, *of);
    // What takes away goes ahead, step by step: said again, it goes on where it stopped.
    const auto rules = rulesOf(engine, *of, {});
    if (!rules) {
        return fail(rules.error());
    }
    CARREL_TRY(removeRules(engine, *rules));
    for (const auto& agent : users) {
        CARREL_TRY(agent->setProvider({}));
    }
    std::string left;
    if (of->credential) {
        const auto gone = dropCredential(engine, *of->credential);
        if (!gone && gone.error().code != ErrorCode::NotFound) {
            return fail(gone.error());
        }
        left = gone ? gone->left : std::string();
    }
    const auto removed = engine.providers().remove(name);
    if (!removed) {
        return fail(removed.error());
    }
    return json::object{{"provider", std::move(out)}, {"rules", describeRules(engine, *rules)}, {"left", left.empty() ? json::value(nullptr) : json::value(left)}};
}

// What is asked of the rules where that rule would answer.
policy::Answer answerOf(Engine& engine, const agents::Agent& agent, const policy::Rule& rule) {
    policy::Request request;
    request.agent = agent.id();
    request.session = agent.session();
    request.action = rule.action;
    request.risk = rule.high ? policy::Risk::High : policy::Risk::Routine;
    for (const auto& [field, values] : rule.fields) {
        request.fields[field] = values.front(); // of these rules each has one
    }
    return engine.approvals().rules().decide(std::span(&request, 1)).answer;
}

// Whether the rules let that agent there with its key, as things are.
policy::Answer answerOf(Engine& engine, const agents::Agent& agent, const Provider& of, const std::vector<egress::Endpoint>& special) {
    using policy::Answer;
    const auto mode = agent.network();
    if (mode == egress::NetMode::Offline) {
        return Answer::Deny;
    }
    const auto rank = [](Answer answer) { return answer == Answer::Allow ? 0 : answer == Answer::Ask ? 1 : 2; };
    const auto worse = [&](Answer a, Answer b) { return rank(a) < rank(b) ? b : a; };
    auto out = Answer::Allow;
    const auto rules = rulesFor(of, agent.id());
    for (const auto& rule : rules) {
        const auto answer = answerOf(engine, agent, rule);
        const bool nobodyIsAsked = of.url.isOnThisComputer() && rule.action == policy::Action::Network;
        out = worse(out, answer == Answer::Ask && nobodyIsAsked ? Answer::Deny : answer);
    }
    auto there = special.empty() ? Answer::Allow : Answer::Deny;
    for (const auto& each : special) { // of which one is enough
        auto rule = rules.front();
        rule.fields["host"] = {each.address.text()};
        rule.high = true;
        const auto answer = answerOf(engine, agent, rule);
        there = rank(answer) < rank(there) ? answer : there;
    }
    out = worse(out, there);
    return out == Answer::Ask && mode != egress::NetMode::Ask ? Answer::Deny : out;
}

json::array reachOf(Engine& engine, const Provider& of, const std::vector<egress::Endpoint>& special) {
    json::array out;
    for (const auto& agent : engine.allAgents()) {
        out.push_back({{"agent", agent->name()},
                       {"uses", agent->provider() == of.name},
                       {"network", toString(agent->network())},
                       {"answer", toString(answerOf(engine, *agent, of, special))}});
    }
    return out;
}

Result<json::value> test(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "provider.test");
    const auto name = fields.string("name", kMaxName);
    CARREL_TRY(fields.finish());
    const auto of = engine.providers().find(name);
    if (!of) {
        return fail(of.error());
    }
    json::array checks;
    const auto put = [&](std::string_view what, bool good, const std::string& words) { checks.push_back({{"what", what}, {"good", good}, {"words", words}}); };
    if (of->credential) {
        const auto credential = engine.credentials().find(*of->credential);
        const auto value = credential ? engine.credentials().value(*credential) : Result<egress::Secret>(fail(credential.error())); // gone with this call
        put("key", value.has_value(), value ? "Its key is there." : "Its key cannot be had: " + value.error().text() + (value.error().hint.empty() ? "." : ". " + value.error().hint + "."));
    } else {
        put("key", true, "It needs no key, and gets none.");
    }
    call.progress("connection", "Connecting to " + of->url.destination().text());
    const auto reach = providers::tryToReach(of->url, engine.networks().ways(), call.stop());
    for (const auto& step : reach.steps) {
        put(step.what, step.good, step.words);
    }
    json::array notTried{"No request was made: whether the model " + of->model + " is there" + (of->credential ? " and the key is right" : "") +
                         " shows with the first task."};
    return json::object{{"provider", describe(engine, *of)}, {"checks", std::move(checks)}, {"agents", reachOf(engine, *of, reach.special)}, {"not_tried", std::move(notTried)}};
}

} // namespace

void addProviderVerbs(Engine& engine, api::Handlers& to) {
    const auto put = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    put("provider.add", add);
    put("provider.list", list);
    put("provider.presets", presets);
    put("provider.test", test);
    put("provider.remove", remove);
    put("provider.use", use);
}

} // namespace carrel::engine
