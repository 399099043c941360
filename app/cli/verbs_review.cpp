// SPDX-License-Identifier: Apache-2.0
#include "app/cli/context.h"
#include "app/cli/review_dialogue.h"
#include "app/cli/watch.h"
#include "guest/protocol/change_report.h"

#include <iostream>
#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct ReviewOptions {
    std::string agent;
    std::vector<std::string> paths;
    std::string review;
    std::optional<std::uint64_t> apply;
    std::uint64_t limit = 20; // of past applies
    bool watch = false;
    bool threeWay = false;
    bool noWait = false;
    bool keepBoth = false;
    bool yes = false;
};

// <share>/<path>, forgiving what a person copies out of a machine or completes with the tab key.
json::object pathParameter(std::string path) {
    static constexpr std::string_view kWorkspace = "/workspace/";
    if (path.starts_with(kWorkspace)) {
        path.erase(0, kWorkspace.size());
    }
    while (path.starts_with("./")) {
        path.erase(0, 2);
    }
    while (path.size() > 1 && path.ends_with('/')) {
        path.pop_back();
    }
    json::object parameter;
    putPath(parameter, "path", path);
    return parameter;
}

json::object parameters(const ReviewOptions& options) {
    json::object params{{"agent", options.agent}};
    if (!options.paths.empty()) {
        json::array paths;
        for (const auto& path : options.paths) {
            paths.push_back(pathParameter(path));
        }
        params["paths"] = std::move(paths);
    }
    return params;
}

int watchChanges(Context& context, const ReviewOptions& options);

int changes(Context& context, const ReviewOptions& options) {
    if (options.watch) {
        return watchChanges(context, options);
    }
    auto result = allPages(context, "changes", "changes", parameters(options));
    if (!result) {
        return context.failed(result.error());
    }
    if (context.format == Format::Json) {
        context.printJson(*result);
    } else {
        context.print(changesText(*result));
    }
    return context.done();
}

int watchChanges(Context& context, const ReviewOptions& options) {
    endOnInterrupt();
    context.onlyResults = true;
    std::string mark;
    for (;;) {
        json::object params{{"agent", options.agent}};
        if (!mark.empty()) {
            params["mark"] = mark;
        }
        auto state = context.call("changes.wait", std::move(params));
        if (!state) {
            return context.failed(state.error());
        }
        mark = textAt(*state, "mark");
        if (!flagAt(*state, "running")) {
            if (context.format == Format::Text) {
                context.print("The machine does not run; what is staged in it is shown when it does.\n");
            }
        } else if (auto list = allPages(context, "changes", "changes",
                                        {{"agent", options.agent}, {"watching", true}});
                   !list) {
            (void)context.failed(list.error()); // it may have stopped just now, or list too much: look again then
        } else if (context.format == Format::Json) {
            context.printJson(*list);
        } else {
            context.print(changesText(*list) + "\n");
        }
        if (context.done() != 0) {
            return context.done();
        }
    }
}

int diff(Context& context, const ReviewOptions& options) {
    json::object params = parameters(options);
    if (options.threeWay) {
        params["three_way"] = true;
    }
    if (!options.noWait) {
        params["documents"] = "wait";
    }
    context.onlyResults = true; // the viewer's progress is of no use in a file
    auto result = allPages(context, "diff", "files", params);
    if (!result) {
        return context.failed(result.error());
    }
    if (context.format == Format::Json) {
        context.printJson(*result);
        return context.done();
    }
    if (textAt(*result, "review").empty()) {
        context.print("Nothing is staged.\n");
        return context.done();
    }
    for (const auto& file : listAt(*result, "files")) {
        if (file.is_object()) {
            context.print((options.threeWay ? threeWayText(file.get_object(), context.colour())
                                            : diffText(file.get_object(), context.colour())) +
                          "\n");
        }
    }
    context.print("Review " + shown(textAt(*result, "review"), 80) + "\n");
    return context.done();
}

struct Deed {
    std::string verb;
    std::string question; // "Apply %s to your folders?" around a count
    std::string doneWord;
    std::string notDone;
};
const Deed kApply{"apply", "to your folders?", "applied", "nothing was applied"};
const Deed kDiscard{"discard", "for good?", "discarded", "nothing was discarded"};

int showOutcome(Context& context, const ReviewOptions& options, const json::object& result,
                const std::string& doneWord) {
    if (context.format == Format::Json) {
        context.printJson(result);
    } else {
        context.print(doneText(options.agent, result, doneWord));
    }
    const auto open = notDone(result, doneWord);
    return open ? context.failed(*open) : context.done();
}

int decide(Context& context, const ReviewOptions& options, const Deed& deed) {
    json::object params = parameters(options);
    std::string review = options.review;
    if (review.empty()) {
        if (!options.yes && !canAsk()) {
            return context.failed(Error{ErrorCode::Refused, deed.notDone + ": there is no terminal to ask on",
                                        "Look at 'carrel changes " + options.agent +
                                            "' and give the review it names with --review, or use --yes.",
                                        0, nullptr});
        }
        auto frozen = allPages(context, "changes", "changes", params);
        if (!frozen) {
            return context.failed(frozen.error());
        }
        review = textAt(*frozen, "review");
        const auto& totals = objectAt(*frozen, "totals");
        if (review.empty()) {
            if (context.format == Format::Json) {
                context.printJson(*frozen);
            } else {
                context.print(changesText(*frozen));
            }
            return context.done();
        }
        if (!options.yes) {
            std::cerr << changesText(*frozen);
            const std::string verb = deed.verb == "apply" ? "Apply " : "Discard ";
            const bool risky = deed.verb == "apply" && numberAt(totals, "high_risk") > 0;
            if (!asksUser(verb + countText(numberAt(totals, "changes"), "change ", "changes ") +
                              deed.question,
                          risky ? Answer::WholeWord : Answer::Letter)) {
                return context.failed(
                    Error{ErrorCode::Cancelled, deed.notDone, "Everything stays staged.", 0, nullptr});
            }
        }
    }
    params["review"] = review;
    if (options.keepBoth) {
        params["keep_both"] = true;
    }
    auto result = context.call(deed.verb, std::move(params));
    if (!result) {
        return context.failed(result.error());
    }
    return showOutcome(context, options, *result, deed.doneWord);
}

int history(Context& context, const ReviewOptions& options) {
    return context.show("history", json::object{{"agent", options.agent}, {"limit", options.limit}}, historyText);
}

int undo(Context& context, const ReviewOptions& options) {
    json::object params{{"agent", options.agent}};
    if (options.apply) {
        params["apply"] = *options.apply;
    }
    auto result = context.call("undo", std::move(params));
    if (!result) {
        return context.failed(result.error());
    }
    return showOutcome(context, options, *result, "taken back");
}

} // namespace

void addReviewVerbs(CLI::App& app, Context& context) {
    auto options = std::make_shared<ReviewOptions>();
    const auto add = [&](const std::string& name, const std::string& help, auto action) {
        auto* verb = app.add_subcommand(name, help);
        verb->add_option("NAME", options->agent, "The agent")->required();
        verb->callback([&context, options, action] {
            context.action = [&context, options, action] { return action(context, *options); };
        });
        return verb;
    };
    const auto addPaths = [&](CLI::App* verb) {
        verb->add_option("PATH", options->paths,
                         "Only these and what is beneath them: SHARE/PATH, as 'changes' shows them");
    };
    const auto addDecision = [&](CLI::App* verb) {
        addPaths(verb);
        verb->add_flag("--yes", options->yes, "Do not ask");
        verb->add_option("--review", options->review,
                         "The review that was looked at, as 'changes' and 'diff' name it")
            ->type_name("ID");
    };
    auto* list = add("changes", "List what an agent wants to change in your folders", changes);
    list->add_flag("--watch", options->watch, "Show the list again whenever it changes, until Ctrl-C");
    list->footer("With --watch and --json: one list per line. The machine may be stopped and started meanwhile.");
    auto* lines = add("diff", "Show what an agent wants to change, line by line", diff);
    addPaths(lines);
    lines->add_flag("--three-way", options->threeWay,
                    "Of a text that both of you changed: also the version that both began with");
    lines->add_flag("--no-wait", options->noWait, "Of office documents and PDFs: only what the viewer has read already");
    lines->footer("The text of office documents and PDFs is taken from them in a machine of its own, offline, that is thrown away\n"
                  "afterwards. It takes some seconds to start.");
    auto* apply = add("apply", "Put an agent's changes into your folders",
                      [](Context& c, const ReviewOptions& o) { return decide(c, o, kApply); });
    addDecision(apply);
    apply->add_flag("--keep-both", options->keepBoth,
                    "Where both of you changed a file: yours stays, the agent's comes beside it as \"FILE (agent NAME)\"");
    apply->footer(
        "Exactly what was reviewed is applied: with --review, or what is shown before the question.\n"
        "Example: carrel apply clerk papers/report.md");
    addDecision(add("discard", "Forget an agent's changes",
                    [](Context& c, const ReviewOptions& o) { return decide(c, o, kDiscard); }));
    add("undo", "Take an apply back; an undo can be undone too", undo)
        ->add_option("APPLY", options->apply, "The number that 'apply' and 'history' show; without it, the last one");
    auto* past = add("history", "List what was applied and undone, newest first", history);
    past->add_option("--limit", options->limit, "How many at most (20)")->type_name("N")->check(CLI::Range(1, 1000));
    past->footer("Each can be undone by its number, whatever came after it; a file that was changed again since is left\n"
                 "as it is, and named. Example: carrel undo clerk 3");
}

} // namespace carrel::cli
