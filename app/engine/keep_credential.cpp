// SPDX-License-Identifier: Apache-2.0
#include "app/engine/keep_credential.h"

#include <algorithm>

namespace carrel::engine {

namespace json = boost::json;
using activity::EventKind;
using egress::Credential;

namespace {

json::array listOf(const std::vector<std::string>& texts) {
    json::array out;
    for (const auto& each : texts) {
        out.emplace_back(each);
    }
    return out;
}

json::object detailOf(const Credential& of) {
    return {{"hosts", listOf(of.hosts)}, {"header", of.header},      {"methods", listOf(of.methods)},
            {"paths", listOf(of.paths)}, {"by", agents::kByOwner}, {"kept", toString(of.keeper)}};
}

Status note(Engine& engine, EventKind kind, const Credential& of) {
    for (const auto& agent : agentsOf(engine, of)) {
        CARREL_TRY(agent->noteCredential(kind, of.name, detailOf(of)));
    }
    return {};
}

// Those that speak of this credential and of nothing else; what denies stays, for one of the same name that comes later.
Status removeRules(Engine& engine, const std::string& name) {
    auto& rules = engine.approvals().rules();
    const auto all = rules.rules();
    if (!all) {
        return fail(all.error());
    }
    bool any = false;
    for (const auto& rule : all->rules) {
        const auto names = rule.fields.find("name");
        if (rule.action == policy::Action::Credential && rule.effect == policy::Effect::Allow && names != rule.fields.end() &&
            names->second == std::vector{name}) {
            const auto gone = rules.remove(rule.id, [&](const policy::Rule& each) {
                recordRuleGone(engine, each, "credential");
                return Status();
            });
            if (!gone) {
                return fail(gone.error());
            }
            any = true;
        }
    }
    if (any) {
        tellRulesChanged(engine);
    }
    return {};
}

} // namespace

std::vector<std::shared_ptr<agents::Agent>> agentsOf(Engine& engine, const Credential& of) {
    auto all = engine.allAgents();
    std::erase_if(all, [&](const auto& agent) { return !isFor(of, agent->id()); });
    return all;
}

void tellRulesChanged(Engine& engine) {
    engine.approvals().rulesChanged();
    engine.approvalNews().rulesChanged();
}

Result<Credential> keepCredential(Engine& engine, const Credential& wanted, std::uint64_t secret) {
    auto text = engine.intake().take(secret);
    const auto value = text ? egress::Secret::ofCredential(std::move(*text)) : Result<egress::Secret>(fail(std::move(text).error()));
    if (!value) {
        return fail(value.error());
    }
    // Rules that were for one of that name before are not for this one.
    CARREL_TRY(removeRules(engine, wanted.name));
    return engine.credentials().add(wanted, *value, [&](const Credential& each) { return note(engine, EventKind::CredentialAdded, each); });
}

Result<DroppedCredential> dropCredential(Engine& engine, const std::string& name) {
    auto gone = engine.credentials().remove(name, [&](const Credential& each) -> Status {
        for (const auto& agent : agentsOf(engine, each)) {
            agent->noteCredentialOwing(EventKind::CredentialRemoved, each.name, detailOf(each));
        }
        return {};
    });
    if (!gone) {
        return fail(std::move(gone).error());
    }
    const auto rules = removeRules(engine, name);
    return DroppedCredential{std::move(gone->credential), gone->left ? "Its value is still where it was kept: " + gone->left->text()
                                                          : !rules   ? "A rule that let it be used is still there: " + rules.error().text()
                                                                     : std::string()};
}

} // namespace carrel::engine
