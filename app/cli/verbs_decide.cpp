// SPDX-License-Identifier: Apache-2.0
// Looking at one request and deciding on it. What is decided on is what approval.show answered: its digest, its revision and
// its count go with the decision, so that nothing else is allowed by it.
#include "app/cli/context.h"
#include "app/cli/duration.h"
#include "app/cli/pager.h"
#include "app/cli/render_approval.h"
#include "app/cli/review_dialogue.h"
#include "guest/protocol/change_report.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <unistd.h>

namespace carrel::cli {

namespace json = boost::json;

namespace {

constexpr char kWhere[] = "command line";

struct DecideOptions {
    std::uint64_t id = 0;
    std::string scope = "once";
    std::string time;
    std::string digest;
    std::string folder;
    std::string mode;
    std::string confirm;
    bool yes = false;
};

struct Effect {
    const char* name;
    const char* notDone; // "nothing was allowed"
};
constexpr Effect kAllow{"allow", "nothing was allowed"};
constexpr Effect kDeny{"deny", "nothing was denied"};

Error refused(std::string what, std::string hint, ErrorCode code = ErrorCode::Refused) {
    return Error{code, std::move(what), std::move(hint), 0, nullptr};
}

// A person looks at it now: that is counted, and it does not expire meanwhile. Whether it worked shows when it is decided.
void lookedAt(Context& context, std::uint64_t id, json::object& shownResult) {
    if (!isOpen(objectAt(shownResult, "approval"))) {
        return;
    }
    (void)context.call("approval.shown", json::object{{"id", id}, {"where", kWhere}}).has_value();
    const auto held = context.call("approval.hold", json::object{{"id", id}});
    const auto expires = held ? textAt(objectAt(*held, "approval"), "expires") : std::string();
    if (!expires.empty()) {
        shownResult.at("approval").as_object()["expires"] = expires;
    }
}

// The whole review of an apply, change by change and line by line. It is the one that the request names, or an error.
Result<std::string> changesOf(Context& context, const json::object& shownResult, Colour colour) {
    const auto review = textAt(shownResult, "review");
    const json::object params{{"agent", textAt(objectAt(shownResult, "approval"), "agent")}, {"review", review}};
    auto changes = allPages(context, "changes", "changes", params);
    if (!changes) {
        return fail(changes.error().wrap("what request " + std::to_string(numberAt(objectAt(shownResult, "approval"), "id")) +
                                             " would change cannot be shown",
                                         changes.error().hint));
    }
    auto lines = params;
    lines["documents"] = "wait";
    auto diff = allPages(context, "diff", "files", lines);
    if (!diff) {
        return fail(diff.error().wrap("what would change cannot be shown line by line", diff.error().hint));
    }
    if (textAt(*changes, "review") != review || textAt(*diff, "review") != review) {
        return fail(ErrorCode::Conflict, "the changes that the engine shows are not those that the request is about",
                    "Look at it again: carrel approvals");
    }
    std::string out = "\nThe changes:\n" + changesText(*changes);
    for (const auto& file : listAt(*diff, "files")) {
        if (file.is_object()) {
            out += "\n" + diffText(file.get_object(), colour);
        }
    }
    return out;
}

struct Evidence {
    std::string text;
    std::optional<Error> trouble; // not all of it could be shown
};

Evidence evidenceOf(Context& context, const json::object& shownResult, Colour colour) {
    Evidence out{approvalText(shownResult, colour), std::nullopt};
    if (isOpen(objectAt(shownResult, "approval")) && !textAt(shownResult, "review").empty()) {
        auto changes = changesOf(context, shownResult, colour);
        if (changes) {
            out.text += *changes;
        } else {
            out.trouble = std::move(changes).error();
        }
    }
    const auto cover = coverText(shownResult);
    out.text += cover.empty() ? "" : "\n" + cover;
    return out;
}

int show(Context& context, const DecideOptions& options) {
    auto result = context.call("approval.show", json::object{{"id", options.id}});
    if (!result) {
        return context.failed(result.error());
    }
    if (context.format == Format::Json) {
        context.printJson(*result);
        return context.done();
    }
    if (::isatty(STDOUT_FILENO) != 0) {
        lookedAt(context, options.id, *result);
    }
    const auto evidence = evidenceOf(context, *result, context.colour());
    const auto answer = answerText(*result);
    printPaged(context, evidence.text + (answer.empty() ? "" : "\n" + answer));
    return evidence.trouble ? context.failed(*evidence.trouble) : context.done();
}

// Of the options alone: nothing is asked of the engine with one that cannot be read.
Result<std::optional<std::uint64_t>> secondsFrom(const DecideOptions& options) {
    const bool isDigest = options.digest.size() == 64 && options.digest.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!options.digest.empty() && !isDigest) {
        return fail(ErrorCode::InvalidArgument, "the digest is not 64 hexadecimal digits",
                    "'carrel show " + std::to_string(options.id) + " --json' names it.");
    }
    if (options.time.empty()) {
        return std::optional<std::uint64_t>();
    }
    const auto time = durationFrom(options.time);
    if (!time || time->count() < 1) {
        return fail(ErrorCode::InvalidArgument, "the time is not one that can be read", "Write 90s, 10m, 12h or 30d.");
    }
    return std::optional(static_cast<std::uint64_t>(time->count()));
}

// What goes with the decision, and with its preview.
json::object parameters(const DecideOptions& options, const Effect& effect, const json::object& approval,
                        const std::optional<std::uint64_t>& seconds) {
    json::object params{{"id", options.id},
                        {"effect", effect.name},
                        {"scope", options.scope},
                        {"digest", options.digest.empty() ? textAt(approval, "digest") : options.digest},
                        {"revision", numberAt(approval, "revision")},
                        {"asked", numberAt(approval, "asked")},
                        {"where", kWhere}};
    if (seconds) {
        params["seconds"] = *seconds;
    }
    return params;
}

// With the decision alone.
void addFolder(const DecideOptions& options, json::object& params) {
    if (!options.folder.empty()) {
        std::error_code error;
        const auto whole = std::filesystem::absolute(options.folder, error); // the engine stands elsewhere
        putPath(params, "folder", (error ? std::filesystem::path(options.folder) : whole.lexically_normal()).native());
    }
    if (!options.mode.empty()) {
        params["mode"] = options.mode;
    }
}

// It is open, and it is what was looked at.
Status decidable(const DecideOptions& options, const Effect& effect, const json::object& approval) {
    const auto id = std::to_string(options.id);
    if (!isOpen(approval)) {
        auto state = stateText(approval);
        state.erase(state.find_last_not_of(".\n") + 1);
        return fail(ErrorCode::Conflict, state, "Nothing was changed. See: carrel show " + id);
    }
    // A no to this once gives nothing away, whatever it asks for by now.
    const bool anyContent = &effect == &kDeny && options.scope == "once";
    if (!anyContent && !options.digest.empty() && options.digest != textAt(approval, "digest")) {
        return fail(ErrorCode::Conflict, "request " + id + " has changed since it was looked at",
                    "Nothing was decided. Look at it again: carrel show " + id);
    }
    return {};
}

enum class Consent { Given, ToAsk };

// What was said on the command line in place of an answer to a question.
Result<Consent> consentOf(const DecideOptions& options, const Effect& effect, const json::object& shownResult) {
    const auto id = std::to_string(options.id);
    if (&effect != &kAllow || !isHighRisk(objectAt(shownResult, "approval"))) {
        if (!options.yes && !canAsk()) { // --confirm says nothing of what needs no word
            return fail(refused(std::string(effect.notDone) + ": there is no terminal to ask on",
                                "Look at 'carrel show " + id + "', then use --yes."));
        }
        return options.yes ? Consent::Given : Consent::ToAsk;
    }
    const auto word = textAt(shownResult, "confirm");
    if (shown(word, kWholeColumns).find_first_not_of(' ') == std::string::npos) {
        return fail(refused("nothing was allowed: request " + id + " is of high risk, and the engine names no word to confirm it by",
                            "Deny it, and look for a new version of Carrel.", ErrorCode::Malformed));
    }
    if (!options.confirm.empty()) {
        return isTheWord(options.confirm, word)
                   ? Result<Consent>(Consent::Given)
                   : fail(refused("nothing was allowed: that is not the word that request " + id + " is confirmed by",
                                  "Look at what it is about, and at the word: carrel show " + id));
    }
    if (!canAsk()) {
        return fail(refused("nothing was allowed: request " + id + " is of high risk, and --yes is not enough for that",
                            "'carrel show " + id + "' shows why, and names the word to give with --confirm."));
    }
    return Consent::ToAsk;
}

std::string questionOf(const DecideOptions& options, const Effect& effect) {
    const bool allow = &effect == &kAllow;
    const std::string verb = allow ? "Allow it" : "Deny it";
    const std::string scope = options.scope == "once" ? ", this once"
                              : options.scope == "session" ? ", and keep this rule until the agent is stopped"
                                                           : ", and keep this rule";
    const auto time = options.time.empty() ? std::string() : ", for " + shown(options.time, 20);
    const auto folder = options.folder.empty() ? std::string() : ", and give it the folder " + shown(options.folder, 400);
    return verb + scope + time + folder + "?";
}

// Shows what is decided on, and the rule that would be kept; then asks.
Status ask(Context& context, const DecideOptions& options, const Effect& effect, json::object& shownResult,
           const json::object& params) {
    lookedAt(context, options.id, shownResult);
    const bool onOutput = context.format == Format::Text && ::isatty(STDOUT_FILENO) != 0;
    const auto evidence = evidenceOf(context, shownResult, onOutput ? context.colour() : Colour::No);
    if (evidence.trouble && &effect == &kAllow) {
        return fail(*evidence.trouble); // nobody allows what nobody has seen
    }
    const auto text = evidence.text + (evidence.trouble ? "\n" + errorLine(*evidence.trouble) : "");
    if (onOutput) {
        printPaged(context, text);
    } else {
        std::cerr << text;
    }
    if (options.scope != "once") {
        const auto preview = context.call("approval.preview", params);
        if (!preview) {
            return fail(preview.error());
        }
        const auto& rule = objectAt(*preview, "rule");
        if (rule.empty()) {
            return fail(ErrorCode::Malformed, "the engine does not say which rule would be kept", "Decide for once instead.");
        }
        std::cerr << "\nThis rule would be kept:\n" << ruleText(rule);
    }
    const auto question = "\n" + questionOf(options, effect);
    const auto word = textAt(shownResult, "confirm");
    forgetTyped();
    const bool agreed = &effect == &kAllow && isHighRisk(objectAt(shownResult, "approval"))
                            ? asksForWord(question + " It is of high risk: type " + shown(word, kWholeColumns) + " to allow it:", word)
                            : asksUser(question, Answer::Letter);
    if (!agreed) {
        return fail(refused(effect.notDone, "Request " + std::to_string(options.id) + " waits as before.", ErrorCode::Cancelled));
    }
    return {};
}

// One line on standard error says all that did not go as wanted.
std::optional<Error> troubleOf(const json::object& result) {
    const auto number = std::to_string(numberAt(objectAt(result, "approval"), "id"));
    std::string what;
    if (const auto why = textAt(result, "effect_trouble"); !why.empty()) {
        what = "request " + number + " is allowed, and could not be done: " + why;
    }
    if (const auto why = textAt(result, "rule_trouble"); !why.empty()) {
        what += (what.empty() ? "" : "; ") + ("the decision stands, but its rule could not be kept: " + why);
    }
    if (!what.empty()) {
        return refused(what, "See: carrel show " + number + ".", ErrorCode::Io);
    }
    return notDone(objectAt(result, "applied"), "applied");
}

std::string decidedText(const json::object& result) {
    const auto& approval = objectAt(result, "approval");
    std::string out = stateText(approval);
    const auto& applied = objectAt(result, "applied");
    const auto& effect = objectAt(approval, "effect");
    if (!applied.empty()) {
        out += doneText(textAt(approval, "agent"), applied, "applied");
    } else if (!effect.empty()) {
        out += barred(textAt(effect, "words"));
    }
    if (const auto given = textAt(result, "given"); !given.empty()) {
        out += "The folder is shared as " + shown(given, 60) + "; end it with: carrel share revoke " + shown(textAt(approval, "agent"), 40) +
               " " + shown(given, 60) + "\n";
    }
    if (const auto& forward = objectAt(result, "forward"); !forward.empty()) {
        const auto agent = shown(textAt(approval, "agent"), 40);
        out += shown(textAt(forward, "url"), 300) + "\nEnd it with: carrel forward close " + agent + " " + std::to_string(numberAt(forward, "number")) + "\n";
    }
    if (const auto rule = numberAt(objectAt(approval, "decision"), "rule"); rule != 0) {
        out += "Rule " + std::to_string(rule) + " is kept. See it: carrel rules show " + std::to_string(rule) + "\n";
    }
    return out;
}

int decide(Context& context, const DecideOptions& options, const Effect& effect) {
    if (!options.yes && options.confirm.empty() && !canAsk()) {
        return context.failed(refused(std::string(effect.notDone) + ": there is no terminal to ask on",
                                      "Look at 'carrel show " + std::to_string(options.id) +
                                          "', then use --yes, or --confirm WORD for what is of high risk."));
    }
    const auto seconds = secondsFrom(options);
    if (!seconds) {
        return context.failed(seconds.error());
    }
    auto seen = context.call("approval.show", json::object{{"id", options.id}});
    if (!seen) {
        return context.failed(seen.error());
    }
    const json::object approval = objectAt(*seen, "approval");
    auto params = parameters(options, effect, approval, *seconds);
    if (auto open = decidable(options, effect, approval); !open) {
        return context.failed(open.error());
    }
    // What has to be chosen is said before anything is asked; a rule for it there is none.
    const bool wantsFolder = &effect == &kAllow && textAt(approval, "action") == "folder" && !flagAt(approval, "can_be_rule");
    const auto id = std::to_string(options.id);
    if (wantsFolder && options.folder.empty()) {
        return context.failed(refused("nothing was allowed: request " + id + " is for a folder of your choice",
                                      "Say which one: carrel allow " + id + " --folder DIR", ErrorCode::InvalidArgument));
    }
    if (wantsFolder && options.scope != "once") {
        return context.failed(refused("nothing was allowed: a folder of your choice is given once, and no rule can say which one is next",
                                      "Leave --scope out.", ErrorCode::InvalidArgument));
    }
    const auto consent = consentOf(options, effect, *seen);
    if (!consent) {
        return context.failed(consent.error());
    }
    if (*consent == Consent::ToAsk) {
        if (auto agreed = ask(context, options, effect, *seen, params); !agreed) {
            return context.failed(agreed.error());
        }
    }
    addFolder(options, params);
    auto result = context.call("approval.decide", std::move(params));
    if (!result) {
        return context.failed(result.error());
    }
    if (context.format == Format::Json) {
        context.printJson(*result);
    } else {
        context.print(decidedText(*result));
    }
    const auto trouble = troubleOf(*result);
    return trouble ? context.failed(*trouble) : context.done();
}

} // namespace

void addDecideVerbs(CLI::App& app, Context& context) {
    auto options = std::make_shared<DecideOptions>();
    const auto add = [&](const std::string& name, const std::string& help, auto action) {
        auto* verb = app.add_subcommand(name, help);
        verb->add_option("ID", options->id, "The request's number, as 'carrel approvals' shows it")->required();
        verb->callback([&context, options, action] {
            context.action = [&context, options, action] { return action(context, *options); };
        });
        return verb;
    };
    const auto addDecision = [&](CLI::App* verb) {
        verb->add_option("--scope", options->scope,
                         "once (the default); or a rule is kept: session (until the agent is stopped), agent, everywhere")
            ->check(CLI::IsMember({"once", "session", "agent", "everywhere"}))
            ->type_name("S");
        verb->add_option("--for", options->time, "For how long: 90s, 10m, 12h, 30d")->type_name("T");
        verb->add_option("--digest", options->digest, "What was looked at, as 'carrel show --json' names it; else what is there now")
            ->type_name("D");
        verb->add_flag("--yes", options->yes, "Do not ask; not enough to allow what is of high risk");
    };
    add("show", "Show what an agent asks: what Carrel saw, what the agent says, the changes, the rule that would cover it", show)
        ->footer("Example: carrel show 12");
    auto* allow = add("allow", "Allow what an agent asks, and do it",
                      [](Context& c, const DecideOptions& o) { return decide(c, o, kAllow); });
    addDecision(allow);
    allow->add_option("--confirm", options->confirm, "The word that 'carrel show' names for a request of high risk")->type_name("WORD");
    allow->add_option("--folder", options->folder, "The folder that is given, where the agent asks for one")->type_name("DIR");
    allow->add_option("--mode", options->mode, "How it is given; review where this is not said")
        ->check(CLI::IsMember({"read-only", "review", "auto"}))
        ->type_name("M");
    allow->footer("Shows what it is about and asks; a request of high risk asks for a word. Exactly what was shown is allowed.\n"
                  "Example: carrel allow 12 --scope agent --for 8h");
    auto* deny = add("deny", "Deny what an agent asks", [](Context& c, const DecideOptions& o) { return decide(c, o, kDeny); });
    addDecision(deny);
    deny->footer("A rule that denies wins over every rule that allows. Example: carrel deny 12 --scope everywhere");
}

} // namespace carrel::cli
