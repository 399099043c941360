// SPDX-License-Identifier: Apache-2.0
// A rule, and a request to try rules with, from options of the command line. Thread: main.
#pragma once

#include "app/cli/context.h"

#include <string>
#include <vector>

namespace carrel::cli {

struct RuleArguments {
    std::uint64_t id = 0;
    std::string action;
    std::string agent;
    std::vector<std::string> fields; // NAME=VALUE
    std::string time;                // --for
    std::string until;
    std::string note;
    bool allow = false;
    bool deny = false;
    bool high = false;
    bool yes = false;
};

// --action, --agent, --field.
void addRequestOptions(CLI::App& verb, RuleArguments& into);
extern const char* const kFieldsHelp;

// ruleWanted of app/api/schema/common.json.
[[nodiscard]] Result<boost::json::object> ruleWantedFrom(const RuleArguments& arguments);
// The parameters of rule.test.
[[nodiscard]] Result<boost::json::object> requestFrom(const RuleArguments& arguments);

// import, export, presets.
void addRuleFileVerbs(CLI::App& rules, Context& context);

} // namespace carrel::cli
