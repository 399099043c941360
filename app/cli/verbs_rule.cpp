// SPDX-License-Identifier: Apache-2.0
// The owner's rules: the list, one, what would happen, adding and removing. Files of rules: verbs_rule_file.cpp.
#include "app/cli/rule_argument.h"
#include "app/cli/render_approval.h"
#include "app/cli/review_dialogue.h"

#include <iostream>
#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

int add(Context& context, const RuleArguments& options) {
    if (!options.yes && !canAsk()) {
        return context.failed(Error{ErrorCode::Refused, "no rule was kept: there is no terminal to ask on",
                                    "Try it with 'carrel rules test', then use --yes.", 0, nullptr});
    }
    auto wanted = ruleWantedFrom(options);
    if (!wanted) {
        return context.failed(wanted.error());
    }
    const json::object params{{"rule", std::move(*wanted)}};
    if (!options.yes) {
        const auto preview = context.call("rule.preview", params);
        if (!preview) {
            return context.failed(preview.error());
        }
        const auto& rule = objectAt(*preview, "rule");
        std::cerr << "This rule would be kept:\n" << ruleText(rule);
        forgetTyped();
        const bool high = textAt(rule, "effect") != "deny" && (flagAt(rule, "high") || options.high);
        if (!(high ? asksForWord("Keep it? It allows what is of high risk, too: type yes to keep it:", "yes")
                   : asksUser("Keep it?", Answer::Letter))) {
            return context.failed(Error{ErrorCode::Cancelled, "no rule was kept", "All is as before.", 0, nullptr});
        }
    }
    return context.show("rule.add", params, [](const json::object& result) {
        const auto& rule = objectAt(result, "rule");
        const auto id = std::to_string(numberAt(rule, "id"));
        return "Rule " + id + " is kept, and counts from now on:\n" + barred(textAt(rule, "words")) +
               "Take it away with: carrel rules remove " + id + "\n";
    });
}

int test(Context& context, const RuleArguments& options) {
    auto params = requestFrom(options);
    return params ? context.show("rule.test", std::move(*params), ruleTestText) : context.failed(params.error());
}

int show(Context& context, const RuleArguments& options) {
    return context.show("rule.show", json::object{{"id", options.id}}, [](const json::object& result) {
        const auto& rule = objectAt(result, "rule");
        return "Rule " + std::to_string(numberAt(rule, "id")) + ":\n" + ruleText(rule);
    });
}

int remove(Context& context, const RuleArguments& options) {
    return context.show("rule.remove", json::object{{"id", options.id}}, [](const json::object& result) {
        const auto& rule = objectAt(result, "rule");
        return "Rule " + std::to_string(numberAt(rule, "id")) +
               " counts no more. What went on only because of it is cut. It was:\n" + ruleText(rule);
    });
}

} // namespace

void addRuleVerbs(CLI::App& app, Context& context) {
    auto* rules = app.add_subcommand("rules", "Say what is allowed, or denied, without asking you");
    rules->require_subcommand(1);
    auto options = std::make_shared<RuleArguments>();
    const auto verb = [&](const std::string& name, const std::string& help, auto action) {
        auto* one = rules->add_subcommand(name, help);
        one->callback([&context, options, action] {
            context.action = [&context, options, action] { return action(context, *options); };
        });
        return one;
    };
    verb("list", "List the rules", [](Context& c, const RuleArguments&) {
        return c.show("rule.list", json::object{}, ruleListText);
    })->footer("What one rule denies is denied whatever others allow; where none speaks, you are asked.\nExample: carrel rules list");
    auto* one = verb("show", "Show one rule, in words and as it stands in the file", show);
    one->add_option("ID", options->id, "Its number")->required();
    one->footer("Example: carrel rules show 7");

    auto* try_ = verb("test", "Say what would happen with a request, and why; nothing is asked or done", test);
    addRequestOptions(*try_, *options);
    try_->add_flag("--high", options->high, "As if it were of high risk");
    try_->footer(std::string(kFieldsHelp) +
                 "Example: carrel rules test --action apply --agent clerk --field folder=/home/ada/papers\n"
                 "         --field path=drafts/a.md --field change=created");

    auto* make = verb("add", "Keep a rule, after it was shown", add);
    make->add_flag("--allow", options->allow, "What it covers is allowed without asking");
    make->add_flag("--deny", options->deny, "What it covers is denied, whatever other rules allow");
    addRequestOptions(*make, *options);
    make->add_flag("--high", options->high, "Allow what is of high risk, too; of an apply only with the very paths");
    make->add_option("--for", options->time, "It ends after this: 90s, 10m, 12h, 30d")->type_name("T");
    make->add_option("--until", options->until, "Or then: 2026-03-01, 2026-03-01T14:30, with Z for UTC")->type_name("T");
    make->add_option("--note", options->note, "Your own words, kept with it")->type_name("TEXT");
    make->add_flag("--yes", options->yes, "Do not ask");
    make->footer(std::string(kFieldsHelp) +
                 "Example: carrel rules add --allow --action apply --agent clerk --field folder=/home/ada/papers\n"
                 "         --field 'path=drafts/**' --for 30d");
    make->callback([&context, options] {
        if (options->allow == options->deny) {
            throw CLI::RequiredError("Exactly one of --allow and --deny");
        }
        context.action = [&context, options] { return add(context, *options); };
    });

    auto* gone = verb("remove", "Take a rule away; what goes on only because of it is cut at once", remove);
    gone->add_option("ID", options->id, "Its number")->required();
    gone->footer("Example: carrel rules remove 7");
    addRuleFileVerbs(*rules, context);
}

} // namespace carrel::cli
