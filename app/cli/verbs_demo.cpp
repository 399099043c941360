// SPDX-License-Identifier: Apache-2.0
// The guided walk-through: the main job on a copy of the sample folder, step by step, through the same
// requests as the other verbs.
#include "app/cli/context.h"
#include "app/cli/demo_home.h"
#include "app/cli/demo_scripts.h"
#include "app/cli/review_dialogue.h"
#include "app/cli/script_runner.h"
#include "guest/protocol/share_path.h"

#include <memory>

namespace carrel::cli {

namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

struct DemoOptions {
    std::string folder;
    bool yes = false;
    bool undo = false;
    bool clean = false;
};

class Walk {
public:
    Walk(Context& context, const DemoOptions& options, const api::Home& home)
        : m_context(context)
        , m_options(options)
        , m_home(home) {}

    Status run();
    Status clean();
    [[nodiscard]] bool began() const { return m_story.contains("folder"); }
    [[nodiscard]] json::object story() && { return std::move(m_story); }

private:
    void say(std::string_view text) {
        if (m_context.format == Format::Text) {
            m_context.print(text);
        }
    }
    void heading(std::string_view text) {
        say("\n" + std::to_string(++m_step) + ". " + std::string(text) + "\n\n");
    }
    Status removeOwnAgent();
    Status makeSample();
    Status makeAgent();
    Status start();
    Status work();
    Status review();
    [[nodiscard]] bool wantsApply();
    Status settle(std::string_view verb, json::object params, std::string_view doneWord);
    Status apply();
    Status timeline();
    Status undo();
    void waitingForReview();
    void farewell();

    Context& m_context;
    const DemoOptions& m_options;
    DemoHome m_home;
    int m_step = 0;
    fs::path m_folder;
    std::string m_share;
    std::string m_guestPath;
    std::string m_review;
    json::object m_totals;
    std::uint64_t m_applied = 0;
    json::object m_story{
        {"agent", kDemoAgent}, {"review", nullptr}, {"applied", nullptr}, {"undone", nullptr}};
};

Status Walk::removeOwnAgent() {
    auto agents = m_context.call("agent.list", {});
    if (!agents) {
        return fail(std::move(agents).error());
    }
    for (const auto& agent : listAt(*agents, "agents")) {
        if (!agent.is_object() || textAt(agent.get_object(), "name") != kDemoAgent) {
            continue;
        }
        if (!m_home.made(agent.get_object())) {
            return fail(ErrorCode::Refused,
                        "there is an agent named demo that this walk-through did not make",
                        "It stays as it is. The walk-through needs that name: see 'carrel list'.");
        }
        auto deleted = m_context.call("agent.delete", {{"agent", kDemoAgent}, {"discard", true}});
        if (!deleted) {
            return fail(std::move(deleted).error());
        }
        say("The agent of an earlier walk-through is deleted.\n");
    }
    return {};
}

Status Walk::makeSample() {
    heading("A folder with work in it");
    if (m_options.folder.empty()) {
        auto folder = m_home.newSampleFolder();
        if (!folder) {
            return fail(std::move(folder).error());
        }
        m_folder = std::move(*folder);
    } else {
        std::error_code ec;
        m_folder = fs::absolute(m_options.folder, ec).lexically_normal();
        if (!m_folder.has_filename()) { // a trailing slash
            m_folder = m_folder.parent_path();
        }
        if (ec || (fs::exists(m_folder, ec) && !fs::is_empty(m_folder, ec)) || ec) {
            return fail(ErrorCode::Refused, "the folder " + m_folder.string() + " is not new or empty",
                        "Name a folder that does not exist yet; the sample is made in it.");
        }
    }
    auto status = runHostScript(sampleScript(), {m_folder.string()});
    if (!status) {
        return fail(std::move(status).error());
    }
    if (*status != 0) {
        return fail(ErrorCode::Io, "the sample folder " + m_folder.string() + " could not be made");
    }
    m_story["folder"] = isUtf8(m_folder.string()) ? json::value(m_folder.string()) : json::value(nullptr);
    say("A quarter's expenses, as such folders are: receipts as text, tables and PDF, photos,\n"
        "copies of copies, names like \"receipt final FINAL.txt\", a report that is half done.\n"
        "It is made up, and it is yours to look at:\n\n    " +
        shown(m_folder.string(), 400) + "\n");
    return {};
}

Status Walk::makeAgent() {
    heading("An agent with a machine of its own");
    json::object share{{"mode", "review"}};
    CARREL_TRY(putHostPath(share, "dir", m_folder.string()));
    auto made =
        m_context.call("agent.create", {{"name", kDemoAgent}, {"shares", json::array{std::move(share)}}});
    if (!made) {
        return fail(std::move(made).error());
    }
    const auto& agent = objectAt(*made, "agent");
    CARREL_TRY(m_home.remember(agent));
    const auto& shares = listAt(agent, "shares");
    if (shares.empty() || !shares.front().is_object()) {
        return fail(ErrorCode::Malformed, "the engine's answer names no shared folder");
    }
    m_share = textAt(shares.front().get_object(), "name");
    m_guestPath = textAt(shares.front().get_object(), "guest_path");
    m_story["share"] = m_share;
    say("The agent \"demo\" gets a whole Linux machine, without a network card. It sees one folder of\n"
        "yours, as " +
        shown(m_guestPath, 300) +
        ", and cannot write to it: what it\nchanges there stays inside until you have seen it.\n\n");
    return start();
}

Status Walk::start() {
    auto started = m_context.call("agent.start", {{"agent", kDemoAgent}});
    if (!started) {
        return fail(std::move(started).error());
    }
    m_story["start_ms"] = numberAt(*started, "took_ms");
    say(startText(*started));
    return {};
}

Status Walk::work() {
    heading("The work");
    say("A script stands in for an AI agent here, so that you need no account and no key. It runs\n"
        "inside the machine: reads the receipts, writes a report, renames, removes duplicates.\n"
        "What follows are its own words.\n\n");
    auto status =
        runGuestScript(m_context, kDemoAgent, m_guestPath, workerScript(),
                       m_context.format == Format::Json ? ScriptOutput::Errors : ScriptOutput::Here);
    if (!status) {
        return fail(std::move(status).error());
    }
    m_story["worker_status"] = *status;
    if (*status != 0) {
        return fail(ErrorCode::Io, "the work in the machine failed with status " + std::to_string(*status),
                    "Your folder is as it was. What happened: carrel timeline demo");
    }
    return {};
}

Status Walk::review() {
    heading("The review");
    say("Nothing of that has reached your folder. Carrel has now frozen what the machine reports;\n"
        "exactly these bytes are what can be applied, whatever the machine does from here on.\n\n");
    auto frozen = allPages(m_context, "changes", "changes", {{"agent", kDemoAgent}});
    if (!frozen) {
        return fail(std::move(frozen).error());
    }
    m_review = textAt(*frozen, "review");
    m_totals = objectAt(*frozen, "totals");
    m_story["review"] = m_review.empty() ? json::value(nullptr) : json::value(m_review);
    m_story["totals"] = m_totals;
    if (m_review.empty()) {
        return fail(ErrorCode::Internal, "the work left no changes", "See: carrel timeline demo");
    }
    say(changesText(*frozen));
    json::array paths{json::object{{"path", m_share + "/report.md"}}};
    auto diff = allPages(m_context, "diff", "files",
                         {{"agent", kDemoAgent}, {"review", m_review}, {"paths", std::move(paths)}});
    if (!diff) {
        return fail(std::move(diff).error());
    }
    say("\nThe report, line by line (any other: carrel diff demo PATH):\n\n");
    for (const auto& file : listAt(*diff, "files")) {
        if (file.is_object()) {
            say(diffText(file.get_object(), m_context.colour()));
        }
    }
    return {};
}

bool Walk::wantsApply() {
    if (m_options.yes) {
        return true;
    }
    if (!canAsk()) {
        return false;
    }
    const bool risky = numberAt(m_totals, "high_risk") > 0;
    return asksUser("\nApply " + countText(numberAt(m_totals, "changes"), "change", "changes") +
                        " to the folder?",
                    risky ? Answer::WholeWord : Answer::Letter);
}

// apply and undo: anything that was not done is a failure, and the list says why.
Status Walk::settle(std::string_view verb, json::object params, std::string_view doneWord) {
    auto result = m_context.call(verb, std::move(params));
    if (!result) {
        return fail(std::move(result).error());
    }
    say(outcomesText(*result, doneWord));
    const auto& totals = objectAt(*result, "totals");
    m_story[verb == "apply" ? "applied" : "undone"] =
        json::object{{"apply", numberAt(*result, "apply")}, {"totals", totals}};
    if (verb == "apply") {
        m_applied = numberAt(*result, "apply");
    }
    const auto open =
        numberAt(totals, "conflicts") + numberAt(totals, "refused") + numberAt(totals, "failed");
    if (open > 0) {
        return fail(ErrorCode::Conflict,
                    countText(open, "change was", "changes were") + " not " + std::string(doneWord),
                    "Nothing of yours was overwritten. See: carrel changes demo");
    }
    return {};
}

Status Walk::apply() {
    heading("Apply");
    say("Each file is replaced in one step, and what was there before is kept for undo.\n\n");
    return settle("apply", {{"agent", kDemoAgent}, {"review", m_review}}, "applied");
}

Status Walk::timeline() {
    heading("What happened");
    say("Every step was written down before it took effect. The main lines (all of them: carrel\n"
        "timeline demo):\n\n");
    json::object params{{"agent", kDemoAgent}};
    std::uint64_t reads = 0;
    std::uint64_t others = 0;
    for (;;) {
        auto page = m_context.call("timeline", params);
        if (!page) {
            return fail(std::move(page).error());
        }
        for (const auto& event : listAt(*page, "events")) {
            if (!event.is_object()) {
                continue;
            }
            const auto kind = textAt(event.get_object(), "kind");
            if (kind == "file.read") {
                ++reads;
                continue;
            }
            ++others;
            if (kind != "vm.stage" && kind != "guest.log" && kind != "engine.note") {
                say(eventText(event.get_object()));
            }
        }
        const auto next = numberAt(*page, "next_seq");
        if (next == 0) {
            break;
        }
        params["after_seq"] = next;
    }
    say("\nCarrel also saw " + countText(reads, "file of yours", "files of yours") +
        " being read for the first time.\n");
    m_story["events"] = reads + others;
    m_story["files_read"] = reads;
    return {};
}

Status Walk::undo() {
    const bool ask = !m_options.undo && !m_options.yes && canAsk();
    if (!ask && !m_options.undo) {
        say("\nAll of it can be taken back: carrel undo demo\n");
        return {};
    }
    if (ask && !asksUser("\nTake it all back?", Answer::Letter)) {
        say("\nIt stays. You can still take it back later: carrel undo demo\n");
        return {};
    }
    heading("Undo");
    say("Every file gets its name, its bytes, its mode and its time back.\n\n");
    CARREL_TRY(settle("undo", {{"agent", kDemoAgent}, {"apply", m_applied}}, "taken back"));
    say("An undo can be undone too: carrel undo demo " +
        std::to_string(numberAt(objectAt(m_story, "undone"), "apply")) + "\n");
    return {};
}

void Walk::waitingForReview() {
    say("\nNothing was applied: the folder is as it was, and the changes wait. How to go on:\n\n"
        "    carrel changes demo      what waits\n"
        "    carrel diff demo         line by line\n"
        "    carrel apply demo        put it into the folder (asks first)\n"
        "    carrel discard demo      forget it\n"
        "    carrel undo demo         after an apply: take it back\n");
}

void Walk::farewell() {
    say("\nThe machine still runs; look around in it with: carrel shell demo\n"
        "Delete the agent and its sample folders with: carrel demo --clean\n"
        "The same on a folder of your own:\n\n"
        "    carrel create NAME --share FOLDER\n"
        "    carrel start NAME\n"
        "    carrel exec NAME -- COMMAND\n");
}

Status Walk::run() {
    CARREL_TRY(m_home.prepare());
    CARREL_TRY(removeOwnAgent());
    CARREL_TRY(makeSample());
    CARREL_TRY(makeAgent());
    CARREL_TRY(work());
    CARREL_TRY(review());
    if (wantsApply()) {
        CARREL_TRY(apply());
        CARREL_TRY(timeline());
        CARREL_TRY(undo());
    } else {
        waitingForReview();
    }
    farewell();
    return {};
}

Status Walk::clean() {
    CARREL_TRY(removeOwnAgent());
    CARREL_TRY(m_home.clean());
    say("The walk-through's agent and its sample folders are gone" +
        std::string(". A folder that you chose with --folder stays.\n"));
    m_story = {{"cleaned", true}};
    return {};
}

int demo(Context& context, const DemoOptions& options) {
    auto home = api::openHome();
    if (!home) {
        return context.failed(home.error());
    }
    Walk walk(context, options, *home);
    const auto status = options.clean ? walk.clean() : walk.run();
    // Of a walk that got somewhere, what happened is told in both cases.
    if (context.format == Format::Json && (status || walk.began())) {
        context.printJson(std::move(walk).story());
    }
    return status ? context.done() : context.failed(status.error());
}

} // namespace

void addDemoVerb(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("demo", "Walk through it all, on a made-up folder of receipts");
    auto options = std::make_shared<DemoOptions>();
    auto* folder =
        verb->add_option("--folder", options->folder, "Make the sample in this new or empty folder")
            ->type_name("DIR");
    auto* yes = verb->add_flag("--yes", options->yes, "Apply without asking");
    auto* undo = verb->add_flag("--undo", options->undo, "Take it back at the end");
    verb->add_flag("--clean", options->clean, "Delete the walk-through's agent and its sample folders")
        ->excludes(folder)
        ->excludes(yes)
        ->excludes(undo);
    verb->footer("Without a terminal and without --yes it stops before anything is applied.");
    verb->callback(
        [&context, options] { context.action = [&context, options] { return demo(context, *options); }; });
}

} // namespace carrel::cli
