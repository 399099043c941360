// SPDX-License-Identifier: Apache-2.0
// An agent's log as evidence: its signed head, whether a copy is what was written, its words, how long it is kept. `verify` of a file needs no
// engine: it is for somebody who was given a copy.
#include "app/activity/log_copy.h"
#include "app/activity/verifier.h"
#include "app/cli/context.h"
#include "app/cli/duration.h"
#include "guest/protocol/byte_amount.h"

#include <filesystem>
#include <fstream>
#include <memory>

namespace carrel::cli {

namespace json = boost::json;
using activity::PublicKey;
using activity::SignedHead;
using activity::Trust;
using activity::Verdict;

namespace {

constexpr std::string_view kNone = "none";
constexpr std::uint64_t kPerPage = 200;

struct LogOptions {
    std::string what; // an agent; or a file, for verify
    std::string file; // a copy to be made
    std::string key;
    std::string head;
    std::vector<std::string> words;
    std::uint64_t most = kPerPage;
    std::string size;
    std::string age;
    bool wantsKey = false;
};

int head(Context& context, const LogOptions& options) {
    return context.show("log.head", {{"agent", options.what}}, [&](const json::object& result) {
        return shown(textAt(result, options.wantsKey ? "key" : "head"), kWholeColumns) + "\n";
    });
}

// The line itself, or a file that has it as its first.
Result<std::string> lineFrom(const std::string& argument, std::string_view beginning) {
    if (argument.starts_with(beginning)) {
        return argument;
    }
    std::ifstream file(argument);
    std::string line;
    constexpr std::size_t kMostLine = 1024;
    char each = 0;
    while (line.size() <= kMostLine && file.get(each) && each != '\n') {
        line += each;
    }
    if (line.empty()) {
        return fail(ErrorCode::NotFound, "there is nothing to read in " + shown(argument),
                    "Give the line that begins with " + std::string(beginning) + ", or a file that has it.");
    }
    return line;
}

Result<Trust> trustFrom(const LogOptions& options) {
    Trust trust;
    if (!options.key.empty()) {
        const auto line = lineFrom(options.key, "carrel-key-1");
        auto key = line ? activity::publicKeyFrom(*line) : fail(line.error());
        if (!key) {
            return fail(std::move(key).error());
        }
        trust.key = *key;
    }
    if (!options.head.empty()) {
        const auto line = lineFrom(options.head, "carrel-head-1");
        auto head = line ? activity::signedHeadFrom(*line) : fail(line.error());
        if (!head) {
            return fail(std::move(head).error());
        }
        trust.kept = *head;
    }
    return trust;
}

json::object toJson(const Verdict& verdict) {
    json::object out{{"good", !verdict.wrong}, {"first_seq", verdict.first}, {"last_seq", verdict.last.seq}, {"recorded", verdict.recorded},
                     {"signed_seq", verdict.newest ? verdict.newest->seq : 0}, {"cut_seq", verdict.cut ? verdict.cut->seq : 0}};
    if (verdict.newest) {
        out["key"] = activity::textOf(verdict.newest->key);
    }
    if (verdict.wrong) {
        out["wrong_seq"] = verdict.wrong->seq;
        out["why"] = verdict.wrong->error.text();
    }
    return out;
}

std::string verdictText(const Verdict& verdict, const Trust& trust) {
    std::string out;
    if (verdict.cut) {
        out += "Events up to " + std::to_string(verdict.cut->seq) + " were left out on " + timeText(activity::formatTime(verdict.cut->timeNs)) +
               ", as the owner's limits say; that is signed.\n";
    }
    if (verdict.first == 0) {
        out += "There is no event in it.\n";
    } else {
        out += "Events " + std::to_string(verdict.first) + " to " + std::to_string(verdict.last.seq) + " are as they were written" +
               (verdict.recorded > 0 ? ", and so " + std::string(verdict.recorded == 1 ? "is" : "are") + " " +
                                           countText(verdict.recorded, "piece of recordings", "pieces of recordings") : "") +
               ".\n";
    }
    if (!verdict.newest) {
        out += "No signature vouches for them.\n";
    } else {
        out += "Signed up to event " + std::to_string(verdict.newest->seq) + " on " + timeText(activity::formatTime(verdict.newest->timeNs)) + " by " +
               activity::textOf(verdict.newest->key) + "\n";
    }
    if (!trust.key && !trust.kept) {
        out += "Whose key that is, you did not say: give --key or --head, which you had from elsewhere, or somebody could have written all of it anew.\n";
    } else if (!trust.kept) {
        out += "That nothing is missing at its end can only be told by a head that was handed out before: --head.\n";
    }
    return out;
}

int verify(Context& context, const LogOptions& options) {
    auto trust = trustFrom(options);
    if (!trust) {
        return context.failed(trust.error());
    }
    std::filesystem::path file = options.what;
    std::error_code ignored;
    if (options.what.find('/') == std::string::npos && !std::filesystem::exists(file, ignored)) { // an agent
        auto result = context.call("log.head", {{"agent", options.what}});
        if (!result) {
            return context.failed(result.error());
        }
        file = std::string(textAt(*result, "file"));
        if (!trust->key && !trust->kept) {
            auto key = activity::publicKeyFrom(textAt(*result, "key"));
            if (!key) {
                return context.failed(key.error());
            }
            trust->key = *key;
        }
    }
    const auto verdict = activity::verifyLog(file, *trust);
    if (!verdict) {
        return context.failed(verdict.error());
    }
    if (context.format == Format::Json) {
        context.printJson(toJson(*verdict));
        return context.done(verdict->wrong ? 1 : 0);
    }
    if (verdict->wrong) {
        if (verdict->last.seq > 0 && verdict->first > 0) {
            context.print("Events " + std::to_string(verdict->first) + " to " + std::to_string(verdict->last.seq) + " are as they were written.\n");
        }
        return context.failed(verdict->wrong->error);
    }
    context.print(verdictText(*verdict, *trust));
    return context.done();
}

int copy(Context& context, const LogOptions& options) {
    auto result = context.call("log.head", {{"agent", options.what}}); // what is copied is signed
    if (!result) {
        return context.failed(result.error());
    }
    if (auto done = activity::copyLog(std::string(textAt(*result, "file")), options.file); !done) {
        return context.failed(done.error());
    }
    if (context.format == Format::Json) {
        context.printJson(json::object{{"file", options.file}, {"head", textAt(*result, "head")}});
    } else {
        context.print("Copied, and signed up to event " + std::to_string(numberAt(*result, "seq")) + ".\n");
    }
    return context.done();
}

int search(Context& context, const LogOptions& options) {
    std::string words;
    for (const auto& each : options.words) {
        words += (words.empty() ? "" : " ") + each;
    }
    json::object params{{"agent", options.what}, {"words", words}};
    std::uint64_t left = options.most;
    while (left > 0 && context.done() == 0) {
        params["limit"] = std::min(left, kPerPage);
        auto result = context.call("log.search", params);
        if (!result) {
            return context.failed(result.error());
        }
        const auto& events = listAt(*result, "events");
        for (const auto& event : events) {
            if (event.is_object()) {
                if (context.format == Format::Json) {
                    context.printJson(event);
                } else {
                    context.print(eventText(event.get_object()));
                }
            }
        }
        left -= std::min<std::uint64_t>(left, events.size());
        const auto before = numberAt(*result, "before_seq");
        if (before == 0 || events.empty()) {
            break;
        }
        params["before_seq"] = before;
    }
    return context.done();
}

std::string keptText(const json::object& result) {
    const auto bytes = numberAt(result, "bytes");
    const auto age = numberAt(result, "age_s");
    std::string bound = bytes > 0 ? "up to " + amountText(bytes) : "";
    if (age > 0) {
        bound += (bound.empty() ? "for " : ", and for ") + countText(age / 86'400, "day", "days");
    }
    std::string out = "The log of " + shown(textAt(result, "agent")) + " is kept " + (bound.empty() ? "whole" : bound) + ".\n";
    if (const auto first = numberAt(result, "first_seq"); first > 0) {
        out += "It has events " + std::to_string(first) + " to " + std::to_string(numberAt(result, "last_seq")) + ", since " +
               timeText(textAt(result, "first_time")) + ", and takes " + bytesText(numberAt(result, "size")) + ".\n";
    }
    return out;
}

int keep(Context& context, const LogOptions& options) {
    json::object params{{"agent", options.what}};
    if (!options.size.empty()) {
        const auto bytes = options.size == kNone ? std::optional<std::uint64_t>(0) : amountFrom(options.size);
        if (!bytes || (*bytes == 0 && options.size != kNone)) {
            return context.failed({ErrorCode::InvalidArgument, "--size takes a number of bytes, or none", "For example: --size 500MiB", 0, nullptr});
        }
        params["bytes"] = *bytes;
    }
    if (!options.age.empty()) {
        const auto age = options.age == kNone ? std::optional<std::chrono::seconds>(0) : durationFrom(options.age);
        if (!age || (age->count() == 0 && options.age != kNone)) {
            return context.failed({ErrorCode::InvalidArgument, "--age takes a length of time, or none", "For example: --age 365d", 0, nullptr});
        }
        params["age_s"] = static_cast<std::uint64_t>(age->count());
    }
    return context.show("log.keep", std::move(params), keptText);
}

} // namespace

void addLogVerbs(CLI::App& app, Context& context) {
    auto* log = app.add_subcommand("log", "What proves an agent's log, and searches it");
    log->require_subcommand(1);
    auto options = std::make_shared<LogOptions>();
    const auto add = [&](const char* name, const char* help, int (*run)(Context&, const LogOptions&)) {
        auto* verb = log->add_subcommand(name, help);
        verb->callback([&context, options, run] { context.action = [&context, options, run] { return run(context, *options); }; });
        return verb;
    };
    auto* signs = add("head", "Sign the newest event, and print what was signed: keep it elsewhere, and nobody can change what was before unnoticed", head);
    signs->add_option("NAME", options->what, "The agent")->required();
    signs->add_flag("--key", options->wantsKey, "Print the public key instead");
    signs->footer("Example: carrel log head clerk > clerk.head; carrel log head clerk --key > carrel.key");

    auto* copies = add("copy", "Copy an agent's log, whole and signed, also while things go on", copy);
    copies->add_option("NAME", options->what, "The agent")->required();
    copies->add_option("FILE", options->file, "Where to; nothing there is overwritten")->required();
    copies->footer("cp(1) would leave out what is still in the journal. Example: carrel log copy clerk clerk.db");

    auto* checks = add("verify", "Tell whether a log is as it was written, and the first event that is not", verify);
    checks->add_option("FILE", options->what, "A log (activity.db) or a copy of one; or an agent")->required();
    checks->add_option("--key", options->key, "The public key that counts: the line, or a file that has it")->type_name("KEY");
    checks->add_option("--head", options->head, "A head that was handed out before: the line, or a file that has it")->type_name("HEAD");
    checks->footer("A copy is checked without an engine and without a network. The status is 1 where something is wrong.\n"
                   "Example: carrel log verify copy.db --key carrel.key --head clerk.head");

    auto* finds = add("search", "Show the events in which all these words are, newest first", search);
    finds->add_option("NAME", options->what, "The agent")->required();
    finds->add_option("WORD", options->words, "Words; receipt* finds all that begin so")->required();
    finds->add_option("--limit", options->most, "At most so many")->type_name("N")->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000}));
    finds->footer("With --json: one event per line. Example: carrel log search clerk monday.txt");

    auto* keeps = add("keep", "Show how long an agent's log is kept, or set it", keep);
    keeps->add_option("NAME", options->what, "The agent")->required();
    keeps->add_option("--size", options->size, "At most so much, as 500MiB; or none")->type_name("S");
    keeps->add_option("--age", options->age, "At most so long, as 365d; or none")->type_name("T");
    keeps->footer("The oldest events go first, with their recordings. What is left can still be verified.");
}

} // namespace carrel::cli
