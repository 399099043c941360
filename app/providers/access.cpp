// SPDX-License-Identifier: Apache-2.0
#include "app/providers/access.h"

#include "app/egress/address_policy.h"

#include <algorithm>

namespace carrel::providers {

namespace {

// What is not of the internet is reached by a rule of high risk alone, which names it.
bool isSpecial(const ModelUrl& url) {
    const auto* address = url.destination().address();
    return url.isOnThisComputer() || (address != nullptr && egress::specialOf(*address).has_value());
}

policy::Rule ruleOf(const Provider& provider, const std::string& agent, policy::Action action) {
    policy::Rule rule;
    rule.effect = policy::Effect::Allow;
    rule.action = action;
    rule.agent = agent;
    rule.fields["host"] = {provider.url.destination().hostText()};
    rule.note = "its model, by the provider " + provider.name;
    return rule;
}

} // namespace

std::vector<policy::Rule> rulesFor(const Provider& provider, const std::string& agent) {
    std::vector<policy::Rule> out;
    auto reach = ruleOf(provider, agent, policy::Action::Network);
    reach.fields["port"] = {std::to_string(provider.url.destination().port)};
    reach.high = isSpecial(provider.url);
    out.push_back(std::move(reach));
    if (provider.credential) {
        auto use = ruleOf(provider, agent, policy::Action::Credential);
        use.fields["name"] = {*provider.credential};
        out.push_back(std::move(use));
    }
    return out;
}

bool isOfProvider(const policy::Rule& rule, const Provider& provider) {
    auto all = rulesFor(provider, rule.agent);
    return !rule.agent.empty() && std::any_of(all.begin(), all.end(), [&](policy::Rule& each) {
        each.id = rule.id;
        return each == rule;
    });
}

Result<egress::Credential> credentialFor(const Provider& provider) {
    auto field = keyFieldOf(provider.api);
    if (!field) {
        return fail(std::move(field).error());
    }
    egress::Credential out;
    out.name = provider.credential.value_or(provider.name);
    out.hosts = {provider.url.destination().hostText()};
    out.header = std::move(field->header);
    out.format = std::move(field->format);
    return out;
}

Result<std::map<std::string, std::string>> environmentFor(const Provider& provider, egress::AgentCredentials* credentials) {
    std::map<std::string, std::string> out{{"CARREL_MODEL_API", std::string(toString(provider.api))},
                                           {"CARREL_MODEL_URL", provider.url.guestText()},
                                           {"CARREL_MODEL", provider.model},
                                           {"CARREL_MODEL_KEY", ""}};
    if (provider.window) {
        out["CARREL_MODEL_WINDOW"] = std::to_string(*provider.window);
    }
    if (!provider.credential) {
        return out;
    }
    const auto all = credentials != nullptr ? credentials->placeholders() : Result<std::vector<egress::AgentCredentials::Placeholder>>();
    if (!all) {
        return fail(all.error());
    }
    const auto found = std::find_if(all->begin(), all->end(), [&](const auto& each) { return each.of.name == *provider.credential; });
    if (found == all->end()) {
        return fail(ErrorCode::NotFound, "The key of the model provider " + provider.name + " is gone: there is no credential " + *provider.credential + " for this agent",
                    "Add the provider anew: carrel provider remove " + provider.name + " --force, then carrel provider add " + provider.name);
    }
    out["CARREL_MODEL_KEY"] = found->text;
    return out;
}

} // namespace carrel::providers
