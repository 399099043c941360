// SPDX-License-Identifier: Apache-2.0
// What an agent's machine is told about programs, made of all that counts for it: the owner's settings, the rules about programs, what
// the image brought, what apt installed in it, what Carrel itself denies, and what was allowed for as long as this machine runs. Sent in the parts of
// programs.policy (guest/protocol/control.h).
//
// A rule that denies wins over everything that allows. One that names no content means every program: denied, nothing but Carrel's own
// runs; allowed, everything that is not denied does. Thread: values, pure functions.
#pragma once

#include "app/exec/installed_programs.h"
#include "app/exec/program_list.h"
#include "app/exec/program_settings.h"
#include "app/policy/rule.h"

#include <boost/json/object.hpp>

#include <set>
#include <span>

namespace carrel::exec {

struct Orders {
    Mode mode = Mode::Deny;
    Unknown unknown = Unknown::Ask;
    std::vector<std::string> deny, allow, code; // contents; each in order, once. None that is in deny is in the others
    friend bool operator==(const Orders&, const Orders&) = default;
};

// As policy::Request judges it: that program, in that agent's machine.
[[nodiscard]] policy::Request programRequest(const std::string& agent, const std::string& session, const std::string& sha256);

struct Known {
    Settings settings;
    std::string agent, session;
    std::int64_t nowMs = 0;
    std::span<const policy::Rule> rules;
    const std::vector<Listed>* image = nullptr; // none: nothing is known of what it brought
    const InstalledBook* installed = nullptr;   // none: apt installed nothing that Debian has signed
    std::set<std::string> once;                 // contents that a person allowed in this session
};
// Unsupported: allow, of an image that has no list. LimitExceeded: more than a machine takes.
[[nodiscard]] Result<Orders> ordersFor(const Known& known);

// The params of each request, in order. `age` grows with each policy that a machine is sent.
[[nodiscard]] std::vector<boost::json::object> partsOf(const Orders& orders, std::uint64_t age);

} // namespace carrel::exec
