// SPDX-License-Identifier: Apache-2.0
// carrel task: giving an agent something to do, following it, and answering what it waits for.
#include "app/cli/duration.h"
#include "app/cli/render_task.h"
#include "app/cli/review_dialogue.h"
#include "app/cli/watch.h"

#include "guest/protocol/amount_words.h"

#include <charconv>
#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct TaskOptions {
    std::string agent, text, program, provider, at, every, tokens, money, time, cpu, option;
    std::vector<std::string> files;
    std::uint64_t id = 0; // 0: the newest
    bool follow = false, detach = false, ask = false, yes = false, no = false, goOn = false;
};

Error wrong(std::string what, std::string hint) {
    return {ErrorCode::InvalidArgument, std::move(what), std::move(hint), 0, nullptr};
}

Status putFiles(json::object& params, const std::vector<std::string>& files) {
    json::array out;
    for (const auto& file : files) {
        json::object one;
        CARREL_TRY(putHostPath(one, "file", file));
        if (!one.contains("file")) {
            return fail(wrong("a file whose name is not UTF-8 cannot be attached", "Give it another name"));
        }
        out.push_back(one.at("file"));
    }
    if (!out.empty()) {
        params["files"] = std::move(out);
    }
    return {};
}

Status putBudget(json::object& params, const TaskOptions& options) {
    json::object budget;
    if (!options.tokens.empty()) {
        std::uint64_t tokens = 0;
        const auto [end, error] = std::from_chars(options.tokens.data(), options.tokens.data() + options.tokens.size(), tokens);
        if (error != std::errc() || end != options.tokens.data() + options.tokens.size() || tokens == 0) {
            return fail(wrong("--tokens takes a whole number", "For example --tokens 200000"));
        }
        budget["tokens"] = tokens;
    }
    if (!options.money.empty()) {
        const auto money = moneyFrom(options.money.starts_with('$') ? options.money.substr(1) : options.money);
        if (!money || *money == 0) {
            return fail(wrong("--money takes US dollars", "For example --money 2.50"));
        }
        budget["micro_dollars"] = *money;
    }
    for (const auto& [key, text] : {std::pair<const char*, const std::string&>{"wall_s", options.time}, {"cpu_s", options.cpu}}) {
        if (!text.empty()) {
            const auto time = durationFrom(text);
            if (!time || time->count() == 0) {
                return fail(wrong("that is no length of time: " + shown(text, 40), "Write it as 90s, 10m, 12h or 30d"));
            }
            budget[key] = time->count();
        }
    }
    if (!budget.empty()) {
        params["budget"] = std::move(budget);
    }
    return {};
}

// The one that is named, or the agent's newest that is no schedule.
Result<std::uint64_t> chosen(Context& context, const TaskOptions& options) {
    if (options.id != 0) {
        return options.id;
    }
    const auto all = context.call("task.list", {{"agent", options.agent}});
    if (!all) {
        return fail(all.error());
    }
    for (const auto& each : listAt(*all, "tasks")) {
        if (each.is_object() && textAt(each.get_object(), "state") != "scheduled") {
            return numberAt(each.get_object(), "id");
        }
    }
    return fail(Error{ErrorCode::NotFound, "agent " + shown(options.agent, 40) + " has no task yet", "Give it one: carrel task " + shown(options.agent, 40) + " \"…\"", 0, nullptr});
}

// Until it is over, or waits for an answer; Ctrl-C ends the looking, and the task goes on.
int follow(Context& context, const std::string& agent, std::uint64_t id, std::uint64_t after) {
    TaskTeller teller(context.colour());
    const bool asJson = context.format == Format::Json;
    endOnInterrupt();
    for (;;) {
        const auto news = context.call("task.watch", {{"agent", agent}, {"task", id}, {"after", after}, {"wait", true}});
        if (!news) {
            return context.failed(news.error());
        }
        after = numberAt(*news, "mark");
        const auto& task = objectAt(*news, "task");
        if (asJson) {
            context.printJson(*news);
        } else {
            context.print(teller.tell(*news));
        }
        if (flagAt(*news, "more")) {
            continue;
        }
        const auto state = textAt(task, "state");
        if (state == "done" || state == "failed" || state == "cancelled" || state == "waiting" || state == "scheduled") {
            if (!asJson) {
                context.print(teller.end(task));
            }
            return context.done(state == "done" || state == "scheduled" ? 0 : 1);
        }
    }
}

int give(Context& context, const TaskOptions& options) {
    if (options.text.empty()) {
        return context.failed(wrong("there is nothing to do", "Say what: carrel task " + shown(options.agent, 40) + " \"…\""));
    }
    json::object params{{"agent", options.agent}, {"text", options.text}};
    const auto put = [&](const char* key, const std::string& text) {
        if (!text.empty()) {
            params[key] = text;
        }
    };
    put("program", options.program);
    put("provider", options.provider);
    if (options.ask) {
        params["permissions"] = "ask";
    }
    if (!options.at.empty()) {
        const auto at = timeArgument(options.at);
        if (!at) {
            return context.failed(wrong("that is no time to come: " + shown(options.at, 60), "Write it as 18:30, 2026-12-01T09:00 or 2026-12-01T09:00:00Z"));
        }
        params["at"] = *at;
    }
    if (!options.every.empty()) {
        const auto every = durationFrom(options.every);
        if (!every || every->count() < 60) {
            return context.failed(wrong("that is no length of time of a minute or more: " + shown(options.every, 40), "Write it as 30m, 24h or 7d"));
        }
        params["every_s"] = every->count();
    }
    if (auto good = putFiles(params, options.files); !good) {
        return context.failed(good.error());
    }
    if (auto good = putBudget(params, options); !good) {
        return context.failed(good.error());
    }
    const auto given = context.call("task.add", std::move(params));
    if (!given) {
        return context.failed(given.error());
    }
    const auto& task = objectAt(*given, "task");
    if (options.detach || textAt(task, "state") == "scheduled") {
        if (context.format == Format::Json) {
            context.printJson(*given);
        } else {
            context.print(givenText(task));
        }
        return context.done();
    }
    return follow(context, options.agent, numberAt(task, "id"), 0);
}

int say(Context& context, const TaskOptions& options) {
    const auto id = chosen(context, options);
    if (!id) {
        return context.failed(id.error());
    }
    const auto before = context.call("task.watch", {{"agent", options.agent}, {"task", *id}, {"after", std::uint64_t{0}}});
    json::object params{{"agent", options.agent}, {"task", *id}, {"text", options.text}};
    if (auto good = putFiles(params, options.files); !good) {
        return context.failed(good.error());
    }
    std::uint64_t mark = 0;
    if (before) { // what was told before is not told again
        mark = numberAt(*before, "mark");
        for (auto more = flagAt(*before, "more"); more;) {
            const auto next = context.call("task.watch", {{"agent", options.agent}, {"task", *id}, {"after", mark}});
            if (!next) {
                return context.failed(next.error());
            }
            mark = numberAt(*next, "mark");
            more = flagAt(*next, "more");
        }
    }
    const auto said = context.call("task.say", std::move(params));
    if (!said) {
        return context.failed(said.error());
    }
    if (options.detach) {
        if (context.format == Format::Json) {
            context.printJson(*said);
        } else {
            context.print(givenText(objectAt(*said, "task")));
        }
        return context.done();
    }
    return follow(context, options.agent, *id, mark);
}

int showOne(Context& context, const TaskOptions& options) {
    const auto id = chosen(context, options);
    if (!id) {
        return context.failed(id.error());
    }
    if (options.follow) {
        return follow(context, options.agent, *id, 0);
    }
    TaskTeller teller(context.colour());
    std::uint64_t after = 0;
    json::object task;
    for (bool more = true; more;) {
        const auto news = context.call("task.watch", {{"agent", options.agent}, {"task", *id}, {"after", after}});
        if (!news) {
            return context.failed(news.error());
        }
        after = numberAt(*news, "mark");
        more = flagAt(*news, "more");
        if (context.format == Format::Json) {
            context.printJson(*news);
        } else {
            context.print(teller.tell(*news));
        }
        task = objectAt(*news, "task");
    }
    if (context.format != Format::Json) {
        context.print(teller.end(task));
    }
    return context.done();
}

int cancel(Context& context, const TaskOptions& options) {
    const auto id = chosen(context, options);
    if (!id) {
        return context.failed(id.error());
    }
    return context.show("task.cancel", json::object{{"agent", options.agent}, {"task", *id}}, [](const json::object& result) {
        const auto& task = objectAt(result, "task");
        return "Task " + std::to_string(numberAt(task, "id")) + (textAt(task, "state") == "cancelled" ? " is cancelled" : " is being cancelled") +
               "; what it changed waits for your review.\n";
    });
}

int answer(Context& context, const TaskOptions& options) {
    const auto id = chosen(context, options);
    if (!id) {
        return context.failed(id.error());
    }
    const auto now = context.call("task.watch", {{"agent", options.agent}, {"task", *id}, {"after", std::uint64_t{0}}});
    if (!now) {
        return context.failed(now.error());
    }
    const auto& waits = objectAt(objectAt(*now, "task"), "waits_for");
    const auto kind = textAt(waits, "kind");
    json::object params{{"agent", options.agent}, {"task", *id}};
    if (kind.empty()) {
        return context.failed({ErrorCode::Conflict, "that task waits for no answer", "See: carrel task show " + shown(options.agent, 40) + " " + std::to_string(*id), 0, nullptr});
    }
    if (kind != "permission") {
        if (!options.goOn && !options.yes) {
            return context.failed(wrong("it waits: " + shown(textAt(waits, "text"), 300), "Answer with --go-on, or cancel the task"));
        }
        params["go_on"] = true;
        return context.show("task.answer", std::move(params), [](const json::object& result) { return givenText(objectAt(result, "task")); });
    }
    params["request"] = numberAt(waits, "request");
    auto option = options.option;
    if (options.yes && option.empty() && !flagAt(waits, "question")) {
        for (const char* wanted : {"allow_once", "allow_always"}) {
            for (const auto& each : listAt(waits, "options")) {
                if (option.empty() && each.is_object() && textAt(each.get_object(), "kind") == wanted) {
                    option = textAt(each.get_object(), "id");
                }
            }
        }
    }
    if (option.empty() && !options.no) {
        return context.failed(wrong("it asks: " + shown(textAt(waits, "text"), 300), optionsText(waits)));
    }
    if (!option.empty()) {
        params["option"] = option;
    }
    return context.show("task.answer", std::move(params), [](const json::object& result) { return givenText(objectAt(result, "task")); });
}

void addGive(CLI::App& task, Context& context, const std::shared_ptr<TaskOptions>& options) {
    task.add_option("NAME", options->agent, "The agent");
    task.add_option("TEXT", options->text, "What it is to do, in plain words");
    task.add_option("--attach", options->files, "A file of yours: the agent gets a copy of it to read; may be given several times")->type_name("FILE")->allow_extra_args(false);
    auto* follows = task.add_flag("--follow", options->follow, "Show what it does until it is done, or waits for you; so it is without --detach");
    task.add_flag("--detach", options->detach, "Come back at once; it works on")->excludes(follows);
    task.add_option("--program", options->program, "Which agent program works: carrel task programs")->type_name("P");
    task.add_option("--provider", options->provider, "Which model it has to be; else the agent's own")->type_name("P");
    task.add_flag("--ask", options->ask, "What the agent program asks leave for inside its machine is asked of you, not allowed");
    task.add_option("--at", options->at, "Not before then: 18:30, 2026-12-01T09:00")->type_name("T");
    task.add_option("--every", options->every, "And again after so long, as a task of its own each time: 30m, 24h, 7d")->type_name("T");
    task.add_option("--tokens", options->tokens, "A budget of this task; when one is used up, it waits for you")->type_name("N");
    task.add_option("--money", options->money, "Likewise, in US dollars")->type_name("M");
    task.add_option("--time", options->time, "Likewise, of work")->type_name("T");
    task.add_option("--cpu", options->cpu, "Likewise, of its machine's processors")->type_name("T");
    task.footer("Its machine is started for it. Tasks of one agent are done one after the other, also while nobody looks.\n"
                "Examples: carrel task desk \"Sort these receipts into a report\"\n"
                "          carrel task desk \"Fill in the form\" --attach ~/form.docx --detach\n"
                "          carrel task desk \"Clean up the downloads\" --every 24h --at 18:30");
    task.callback([&context, options, verb = &task] {
        if (verb->get_subcommands().empty()) {
            if (options->agent.empty()) {
                throw CLI::CallForHelp();
            }
            context.action = [&context, options] { return give(context, *options); };
        }
    });
}

} // namespace

void addTaskVerbs(CLI::App& app, Context& context) {
    auto options = std::make_shared<TaskOptions>();
    auto* task = app.add_subcommand("task", "Give an agent something to do, follow it, and answer what it asks");
    task->require_subcommand(0, 1);
    addGive(*task, context, options);
    const auto one = [&](const char* name, const char* help, int (*run)(Context&, const TaskOptions&)) {
        auto* verb = task->add_subcommand(name, help);
        verb->add_option("NAME", options->agent, "The agent")->required();
        verb->add_option("ID", options->id, "Which of its tasks; without, the newest")->check(CLI::PositiveNumber);
        verb->callback([&context, options, run] { context.action = [&context, options, run] { return run(context, *options); }; });
        return verb;
    };
    auto* list = task->add_subcommand("list", "List tasks, of one agent or of all");
    list->add_option("NAME", options->agent, "The agent");
    list->callback([&context, options] {
        context.action = [&context, options] {
            return context.show("task.list", options->agent.empty() ? json::object{} : json::object{{"agent", options->agent}}, taskListText);
        };
    });
    one("show", "Show what was said and done in a task", showOne)->add_flag("--follow", options->follow, "And go on as it does");
    one("cancel", "Stop a task, or take a scheduled one off", cancel);
    auto* answers = one("answer", "Answer what a task waits for", answer);
    auto* yes = answers->add_flag("--yes", options->yes, "Yes, this once");
    auto* no = answers->add_flag("--no", options->no, "No")->excludes(yes);
    answers->add_option("--option", options->option, "One of its own answers, by the name that is shown")->type_name("O")->excludes(yes)->excludes(no);
    answers->add_flag("--go-on", options->goOn, "Of a budget: as much again; of a machine or a model: try again");
    auto* says = task->add_subcommand("say", "Say something more in a task");
    says->add_option("NAME", options->agent, "The agent")->required();
    says->add_option("TEXT", options->text, "What")->required();
    says->add_option("--task", options->id, "Which of its tasks; without, the newest")->type_name("ID")->check(CLI::PositiveNumber);
    says->add_option("--attach", options->files, "A file of yours, to read; may be given several times")->type_name("FILE")->allow_extra_args(false);
    says->add_flag("--detach", options->detach, "Come back at once");
    says->callback([&context, options] { context.action = [&context, options] { return say(context, *options); }; });
}

} // namespace carrel::cli
