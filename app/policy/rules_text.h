// SPDX-License-Identifier: Apache-2.0
// Rules as text: the one TOML file of a home (toml.io, 1.0), and what is imported and exported. Strict: a key that is
// not known is an error, since a rule that is only half understood would allow more, or deny less, than it says.
//
//   version = 1
//   serial = 12            # counted up by each change, so that an older file is known as such
//   next_id = 8
//
//   [[rule]]
//   id = 7
//   effect = "allow"
//   action = "network"
//   agent = "…"            # its id; left out: every agent. So with session.
//   until = 2026-12-01T12:00:00Z
//   high = true
//   host = ["example.org", "*.example.net"]
//   method = ["GET", "HEAD"]
//   note = "packages"
//
// Thread: pure functions.
#pragma once

#include "app/policy/rule.h"

namespace carrel::policy {

inline constexpr int kRulesVersion = 1;
inline constexpr std::size_t kMaxRules = 10'000;
inline constexpr std::size_t kMaxRulesText = 16 * 1024 * 1024;

struct RuleSet {
    std::uint64_t serial = 0;
    std::uint64_t nextId = 1;
    std::vector<Rule> rules; // by id
    friend bool operator==(const RuleSet&, const RuleSet&) = default;
};

[[nodiscard]] std::string toToml(const RuleSet& set);
[[nodiscard]] std::string toToml(const Rule& rule); // one [[rule]], as it will stand in the file
// Malformed, with the line; Unsupported: of a newer version, which may mean what this one does not know.
[[nodiscard]] Result<RuleSet> rulesFrom(std::string_view toml);

// In plain words, one sentence: what it lets happen, or not. `agentName`: of rule.agent. May hold a path or a name that
// came from outside: through DisplayText before a person sees it.
[[nodiscard]] std::string describe(const Rule& rule, std::string_view agentName);

} // namespace carrel::policy
