// SPDX-License-Identifier: Apache-2.0
// The queue of what agents ask: the list, its watch, what it cost, opening again. Looking and deciding: verbs_decide.cpp.
#include "app/cli/context.h"
#include "app/cli/render_approval.h"
#include "app/cli/since.h"
#include "app/cli/watch.h"

#include <ctime>
#include <map>
#include <memory>
#include <unistd.h>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct ApprovalOptions {
    std::uint64_t id = 0;
    std::string agent;
    std::string since;
    bool all = false;
    bool watch = false;
};

// All pages as one answer.
Result<json::object> listed(Context& context, const ApprovalOptions& options, Closed closed) {
    json::object params;
    if (!options.agent.empty()) {
        params["agent"] = options.agent;
    }
    if (closed == Closed::Listed) {
        params["closed"] = true;
    }
    auto all = context.call("approval.list", params);
    while (all) {
        const auto* next = all->if_contains("next");
        auto* list = all->if_contains("approvals");
        if (next == nullptr || next->is_null() || list == nullptr || !list->is_array()) {
            break;
        }
        params["after"] = *next;
        auto page = context.call("approval.list", params);
        if (!page) {
            return page;
        }
        const auto& more = listAt(*page, "approvals");
        const auto* after = page->if_contains("next");
        if (more.empty() || (after != nullptr && *after == *next)) {
            return fail(ErrorCode::Malformed, "the engine's answer has an empty page");
        }
        list->get_array().insert(list->get_array().end(), more.begin(), more.end());
        all->insert_or_assign("next", after == nullptr ? json::value() : *after); // the mark of the first page stays
    }
    return all;
}

void printList(Context& context, const json::object& result, Closed closed) {
    if (context.format == Format::Json) {
        context.printJson(result);
    } else {
        context.print(approvalsText(result, closed, std::time(nullptr)));
    }
}

// On a pipe: a line for each request that is new or other than before, and for what became of it.
class Lines {
public:
    explicit Lines(Closed closed)
        : m_closed(closed) {}

    void print(Context& context, const json::object& result) {
        say(context, m_trouble, rulesTroubleText(objectAt(result, "rules_trouble")));
        for (const auto& value : listAt(result, "approvals")) {
            if (!value.is_object()) {
                continue;
            }
            const auto& approval = value.get_object();
            const auto now = std::to_string(numberAt(approval, "revision")) + " " + approvalLine(approval);
            const auto [known, fresh] = m_known.try_emplace(numberAt(approval, "id"), now);
            const bool wanted = isOpen(approval) || m_closed == Closed::Listed || !m_first;
            if (wanted && (fresh || known->second != now)) {
                context.print(approvalLine(approval));
            }
            known->second = now;
        }
        say(context, m_turnedAway, turnedAwayText(result));
        m_first = false;
    }

private:
    static void say(Context& context, std::string& last, std::string now) {
        if (now != last) {
            context.print(now);
            last = std::move(now);
        }
    }
    Closed m_closed;
    bool m_first = true;
    std::map<std::uint64_t, std::string> m_known;
    std::string m_trouble;
    std::string m_turnedAway;
};

int watchApprovals(Context& context, const ApprovalOptions& options) {
    endOnInterrupt();
    context.onlyResults = true;
    const auto closed = options.all ? Closed::Listed : Closed::LeftOut;
    const bool lines = context.format == Format::Text && ::isatty(STDOUT_FILENO) == 0;
    Lines changed(closed);
    for (;;) {
        // A line tells what became of a request, so it has to be in the list then.
        auto list = listed(context, options, lines ? Closed::Listed : closed);
        if (!list) {
            return context.failed(list.error());
        }
        if (lines) {
            changed.print(context, *list);
        } else {
            printList(context, *list, closed);
            if (context.format == Format::Text) {
                context.print("\n");
            }
        }
        if (context.done() != 0) {
            return context.done();
        }
        if (auto other = context.call("approval.wait", json::object{{"mark", numberAt(*list, "mark")}}); !other) {
            return context.failed(other.error());
        }
    }
}

int approvals(Context& context, const ApprovalOptions& options) {
    if (options.watch) {
        return watchApprovals(context, options);
    }
    const auto closed = options.all ? Closed::Listed : Closed::LeftOut;
    auto result = listed(context, options, closed);
    if (!result) {
        return context.failed(result.error());
    }
    printList(context, *result, closed);
    return context.done();
}

int reopen(Context& context, const ApprovalOptions& options) {
    return context.show("approval.reopen", json::object{{"id", options.id}, {"where", "command line"}},
                        [](const json::object& result) { return stateText(objectAt(result, "approval")); });
}

int stats(Context& context, const ApprovalOptions& options) {
    json::object params;
    if (!options.agent.empty()) {
        params["agent"] = options.agent;
    }
    if (!options.since.empty()) {
        const auto since = sinceFrom(options.since, std::int64_t{std::time(nullptr)} * 1000);
        if (!since) {
            return context.failed(since.error());
        }
        params["since_ms"] = static_cast<std::uint64_t>(*since);
    }
    return context.show("approval.stats", std::move(params), statsText);
}

} // namespace

void addApprovalVerbs(CLI::App& app, Context& context) {
    auto options = std::make_shared<ApprovalOptions>();
    auto* verb = app.add_subcommand("approvals", "List what agents ask you to allow");
    verb->require_subcommand(0, 1);
    verb->add_option("--agent", options->agent, "Only what this agent asks")->type_name("A");
    verb->add_flag("--all", options->all, "Also what is over, as far back as it is kept");
    verb->add_flag("--watch", options->watch, "Show it again whenever it changes, until Ctrl-C; on a pipe only what changed");
    verb->footer("With --watch and --json: one list per line. Look at one with 'carrel show', answer with 'carrel allow' or\n"
                 "'carrel deny'. Example: carrel approvals --agent clerk --watch");
    verb->callback([&context, options, verb] {
        if (verb->get_subcommands().empty()) {
            context.action = [&context, options] { return approvals(context, *options); };
        }
    });

    auto* again = verb->add_subcommand("reopen", "Open a request again that expired unanswered");
    again->add_option("ID", options->id, "Its number, as 'carrel approvals --all' shows it")->required();
    again->footer("Example: carrel approvals reopen 12");
    again->callback([&context, options] { context.action = [&context, options] { return reopen(context, *options); }; });

    auto* cost = verb->add_subcommand("stats", "Count what the asking cost, by day, agent and task");
    cost->add_option("--since", options->since, "From that day on: 3d ago, or 2026-03-01")->type_name("T");
    cost->add_option("--agent", options->agent, "Only of this agent")->type_name("A");
    cost->footer("WAITED is how long the agent waited for answers. Example: carrel approvals stats --since 7d");
    cost->callback([&context, options] { context.action = [&context, options] { return stats(context, *options); }; });
}

} // namespace carrel::cli
