// SPDX-License-Identifier: Apache-2.0
#include "app/exec/gate_orders.h"

#include "guest/protocol/control.h"

#include <algorithm>
#include <boost/json/array.hpp>

namespace carrel::exec {

namespace json = boost::json;
using policy::Effect;
using policy::Rule;

namespace {

bool counts(const Rule& rule, const Known& known) {
    return rule.action == policy::Action::Program && (rule.agent.empty() || rule.agent == known.agent) &&
           (rule.session.empty() || rule.session == known.session) && (!rule.untilMs || known.nowMs < *rule.untilMs);
}

std::vector<std::string> without(const std::set<std::string>& from, const std::set<std::string>& denied) {
    std::vector<std::string> out;
    std::set_difference(from.begin(), from.end(), denied.begin(), denied.end(), std::back_inserter(out));
    return out;
}

} // namespace

policy::Request programRequest(const std::string& agent, const std::string& session, const std::string& sha256) {
    policy::Request out;
    out.agent = agent;
    out.session = session;
    out.action = policy::Action::Program;
    out.fields.emplace("sha256", sha256);
    return out;
}

Result<Orders> ordersFor(const Known& known) {
    Orders out{known.settings.mode, known.settings.unknown, {}, {}, {}};
    if (out.mode == Mode::Observe) {
        return out;
    }
    std::set<std::string> deny, allow = known.once, code;
    bool nothing = false;
    bool everything = false;
    for (const auto& rule : known.rules) {
        if (!counts(rule, known)) {
            continue;
        }
        const auto contents = rule.fields.find("sha256");
        if (contents == rule.fields.end()) {
            (rule.effect == Effect::Deny ? nothing : everything) = true;
        } else {
            (rule.effect == Effect::Deny ? deny : allow).insert(contents->second.begin(), contents->second.end());
            if (rule.effect == Effect::Allow && rule.high) {
                code.insert(contents->second.begin(), contents->second.end());
            }
        }
    }
    for (const auto& each : deniedByCarrel()) {
        deny.insert(each.sha256);
    }
    if (nothing) {
        out.mode = Mode::Allow;
        out.unknown = Unknown::Refuse;
        allow.clear();
    } else if (everything) {
        out.mode = Mode::Deny;
    } else if (out.mode == Mode::Allow) {
        if (known.image == nullptr) {
            return fail(ErrorCode::Unsupported, "The agent's image has no list of its programs, so nothing in it could run",
                        "Make a new image with \"carrel image build\" and an agent from it, or use the mode deny");
        }
        for (const auto& each : *known.image) {
            allow.insert(each.sha256);
            if (each.makesCode) {
                code.insert(each.sha256);
            }
        }
    }
    if (out.mode == Mode::Allow && !nothing && known.installed != nullptr) {
        for (const auto& package : *known.installed) {
            for (const auto& each : package.programs) {
                allow.insert(each.sha256);
                if (each.makesCode) {
                    code.insert(each.sha256);
                }
            }
        }
    }
    out.deny.assign(deny.begin(), deny.end());
    if (out.mode == Mode::Allow) {
        out.allow = without(allow, deny);
        if (!nothing) {
            out.code = without(code, deny);
        }
    }
    if (out.deny.size() + out.allow.size() + out.code.size() > control::kMaxHashes) {
        return fail(ErrorCode::LimitExceeded, "There are more programs allowed and denied than a machine can be told",
                    "Take rules away that no longer count: carrel rules list");
    }
    return out;
}

std::vector<json::object> partsOf(const Orders& orders, std::uint64_t age) {
    struct One {
        const char* list;
        const std::string* sha256;
    };
    std::vector<One> all;
    const auto add = [&](const char* list, const std::vector<std::string>& contents) {
        for (const auto& each : contents) {
            all.push_back({list, &each});
        }
    };
    add("deny", orders.deny);
    add("allow", orders.allow);
    add("code", orders.code);
    std::vector<json::object> out;
    std::size_t at = 0;
    do {
        json::array deny, allow, code;
        const auto end = std::min(all.size(), at + control::kMaxHashesPerPart);
        for (; at < end; ++at) {
            const std::string_view list = all[at].list;
            (list == "deny" ? deny : list == "allow" ? allow : code).emplace_back(*all[at].sha256);
        }
        out.push_back({{"mode", toString(orders.mode)},
                       {"unknown", toString(orders.unknown)},
                       {"age", age},
                       {"deny", std::move(deny)},
                       {"allow", std::move(allow)},
                       {"code", std::move(code)},
                       {"part", out.size()},
                       {"last", at == all.size()}});
    } while (at < all.size());
    return out;
}

} // namespace carrel::exec
