// SPDX-License-Identifier: Apache-2.0
// The verbs of approvals and rules over a whole engine: what the owner is told, what a decision does, and what of a rule
// stands in the logs.
#include "app/policy/rules_text.h"
#include "tests/app/agents/stand_in_clerk.h"
#include "tests/app/engine/engine_world.h"
#include "tests/support/json_schema.h"

#include "guest/protocol/change_report.h"

#include <QTest>

#include <csignal>
#include <fstream>
#include <future>
#include <sys/resource.h>

using namespace carrel;
using namespace std::chrono_literals;
using carrel::agents::test::StandInClerks;
using carrel::engine::test::EngineWorld;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

// Each answer as the schema says.
struct Owner {
    EngineWorld w;
    test::Schemas schemas{CARREL_SOURCE_DIR "/app/api/schema"};

    Result<json::value> ask(const std::string& verb, json::object params) {
        auto answer = w.ask(verb, params);
        if (answer) {
            const auto schema = schemas.load(verb + ".json").as_object();
            const auto problem = schemas.check(json::object{{"params", params}, {"result", *answer}}, schema);
            if (!problem.empty()) {
                qFatal("%s: %s", verb.c_str(), problem.c_str());
            }
        }
        return answer;
    }
    json::object good(const std::string& verb, json::object params) {
        auto answer = ask(verb, std::move(params));
        if (!answer) {
            qFatal("%s: %s", verb.c_str(), answer.error().text().c_str());
        }
        return answer->as_object();
    }
    std::shared_ptr<agents::Agent> agent() { return w.engine->agent("ann").value(); }
    std::uint64_t connects(const std::string& host, const std::string& claim = "a package") {
        policy::Ask ask;
        ask.agent = agent()->id();
        ask.session = "s1";
        ask.action = policy::Action::Network;
        ask.about = host;
        policy::Request item;
        item.agent = ask.agent;
        item.session = "s1";
        item.action = policy::Action::Network;
        item.fields = {{"host", host}, {"port", "443"}};
        ask.items = {item};
        ask.evidence = {files::Sha256::of(host), "request line"};
        ask.claim = claim;
        auto out = w.engine->approvals().queue().submit(std::move(ask));
        return out && out->kind == policy::Submitted::Kind::Waiting ? out->id : 0;
    }
    json::object decision(std::uint64_t id, const char* effect, const char* scope = "once") {
        const auto of = good("approval.show", {{"id", id}}).at("approval").as_object();
        return {{"id", id},          {"effect", effect},           {"scope", scope},
                {"where", "command line"}, {"digest", of.at("digest")}, {"revision", of.at("revision")},
                {"asked", of.at("asked")}};
    }
    std::vector<std::string> kinds() {
        std::vector<std::string> out;
        const auto told = good("timeline", {{"agent", "ann"}});
        for (const auto& event : told.at("events").as_array()) {
            out.emplace_back(event.at("kind").as_string());
        }
        return out;
    }
    std::size_t count(const std::string& kind) {
        const auto all = kinds();
        return static_cast<std::size_t>(std::count(all.begin(), all.end(), kind));
    }
};

// No file grows past what a few rules take, so that these can be kept and a log cannot.
class FullLogs {
public:
    FullLogs() {
        constexpr rlim_t kMost = 8192;
        (void)std::signal(SIGXFSZ, SIG_IGN);
        (void)::getrlimit(RLIMIT_FSIZE, &m_before);
        const rlimit little{kMost, m_before.rlim_max};
        (void)::setrlimit(RLIMIT_FSIZE, &little);
    }
    ~FullLogs() { (void)::setrlimit(RLIMIT_FSIZE, &m_before); }
    FullLogs(const FullLogs&) = delete;
    FullLogs& operator=(const FullLogs&) = delete;

private:
    rlimit m_before{};
};

json::object denies(const char* host) {
    return {{"rule", {{"effect", "deny"}, {"action", "network"}, {"agent", "ann"}, {"fields", {{"host", {host}}}}}}};
}

} // namespace

class TestApprovalVerbs : public QObject {
    Q_OBJECT
private slots:
    // A decision's rule is about others, too, and each of them can be read by itself.
    void aDecisionsRuleStandsInEachLog() {
        Owner o;
        const auto id = o.connects("example.org");
        (void)o.good("approval.decide", o.decision(id, "allow", "everywhere"));
        QCOMPARE(o.count("rule.added"), std::size_t{1});
        const auto other = o.connects("other.org");
        (void)o.good("approval.decide", o.decision(other, "allow", "session"));
        QCOMPARE(o.count("rule.added"), std::size_t{2});
        o.w.engine->approvals().sessionEnded(o.agent()->id(), "s1");
        QCOMPARE(o.count("rule.removed"), std::size_t{1});
    }
    // One agent's log that cannot be written: what takes a permission away is done all the same, and written down later.
    void aLogThatCannotBeWritten() {
        Owner o;
        auto rule = denies("example.org");
        const auto deny = o.good("rule.add", rule).at("rule").at("id").to_number<std::uint64_t>();
        rule.at("rule").as_object()["effect"] = "allow";
        const auto allow = o.good("rule.add", rule).at("rule").at("id").to_number<std::uint64_t>();
        {
            const FullLogs full;
            QVERIFY(!o.ask("rule.add", rule));
            QVERIFY(!o.ask("rule.remove", {{"id", deny}}));
            const auto gone = o.ask("rule.remove", {{"id", allow}});
            QVERIFY2(gone, gone ? "" : gone.error().text().c_str());
        }
        QCOMPARE(o.good("rule.list", {}).at("rules").as_array().size(), std::size_t{1});
        (void)o.good("rule.remove", {{"id", deny}});
        QCOMPARE(o.count("rule.removed"), std::size_t{2}); // the first of them since
    }
    void whatWaitsIsListed() {
        Owner o;
        const auto first = o.connects("one.example.org", "\xe2\x80\xae" "backwards\x1b[31m");
        const auto second = o.connects("two.example.org");
        QVERIFY(first != 0 && second == first + 1);
        const auto all = o.good("approval.list", {});
        QCOMPARE(all.at("approvals").as_array().size(), std::size_t{2});
        QCOMPARE(all.at("next"), json::value(nullptr));
        const auto& one = all.at("approvals").at(0).as_object();
        QVERIFY(one.at("state") == "open" && one.contains("expires") && one.at("agent") == "ann");
        QVERIFY(one.at("words").as_string().find("one.example.org") != std::string::npos);
        QVERIFY(one.at("words").as_string().find("backwards") == std::string::npos); // what it says of itself is kept apart
        QVERIFY(one.at("claim").as_string().find("backwards") != std::string::npos);
        const auto page = o.good("approval.list", {{"limit", 1}});
        QVERIFY(page.at("approvals").as_array().size() == 1 && page.at("next") == json::value(first));
        QVERIFY(o.good("approval.list", {{"after", first}}).at("approvals").at(0).at("id") == json::value(second));
        QVERIFY(!o.ask("approval.list", {{"agent", "nobody"}}));
        QVERIFY(o.ask("approval.show", {{"id", 99}}).error().code == ErrorCode::NotFound);
    }

    void aWatcherIsWoken() {
        Owner o;
        const auto mark = o.good("approval.wait", {}).at("mark");
        auto waiting = std::async(std::launch::async, [&] { return o.w.ask("approval.wait", {{"mark", mark}}); });
        QVERIFY(waiting.wait_for(50ms) == std::future_status::timeout);
        (void)o.connects("one.example.org");
        QVERIFY(waiting.wait_for(60s) == std::future_status::ready);
        const auto next = waiting.get();
        QVERIFY(next && next->at("mark") != mark);
        // Rules are news, too.
        auto again = std::async(std::launch::async, [&] { return o.w.ask("approval.wait", {{"mark", next->at("mark")}}); });
        (void)o.good("rule.add", denies("three.example.org"));
        QVERIFY(again.wait_for(60s) == std::future_status::ready && again.get());
    }

    void shownAndHeld() {
        Owner o;
        const auto id = o.connects("one.example.org");
        const auto before = o.good("approval.show", {{"id", id}});
        QVERIFY(before.at("approval").at("shown") == false && before.at("complete") == true && before.at("review").is_null());
        QVERIFY(before.at("rule").at("words").as_string().find("one.example.org") != std::string::npos);
        (void)o.good("approval.shown", {{"id", id}, {"where", "command line"}});
        const auto held = o.good("approval.hold", {{"id", id}});
        QVERIFY(held.at("approval").at("shown") == true);
        QVERIFY(held.at("approval").at("expires").as_string() > before.at("approval").at("expires").as_string());
        QVERIFY(!o.ask("approval.shown", {{"id", id}, {"where", "in a dream"}}));
        QCOMPARE(o.count("approval.shown"), std::size_t{1});
    }

    // I12 at the interface: a decision names what was looked at.
    void onlyWhatWasLookedAt() {
        Owner o;
        const auto id = o.connects("one.example.org");
        auto other = o.decision(id, "allow");
        other["digest"] = files::Sha256::of("something else").hex();
        auto answer = o.ask("approval.decide", other);
        QVERIFY(!answer && answer.error().code == ErrorCode::Conflict);
        other.erase("digest");
        QVERIFY(!o.ask("approval.decide", other));
        const auto done = o.good("approval.decide", o.decision(id, "allow"));
        QVERIFY(done.at("approval").at("state") == "allowed" && !done.contains("applied"));
        QVERIFY(done.at("approval").at("decision").at("by") == "the owner at the command line");
        answer = o.ask("approval.decide", o.decision(id, "deny")); // the second is told
        QVERIFY(!answer && answer.error().code == ErrorCode::Conflict && answer.error().text().find("already") != std::string::npos);
    }

    void theRuleIsShownBefore() {
        Owner o;
        const auto id = o.connects("one.example.org");
        QVERIFY(o.good("approval.preview", o.decision(id, "allow")).at("rule").is_null());
        auto wanted = o.decision(id, "allow", "agent");
        wanted["seconds"] = 3600;
        const auto rule = o.good("approval.preview", wanted).at("rule").as_object();
        QVERIFY(rule.at("id") == 0 && rule.at("agent") == "ann" && rule.contains("until"));
        QVERIFY(o.good("rule.list", {}).at("rules").as_array().empty()); // nothing is kept yet
        const auto done = o.good("approval.decide", wanted);
        QVERIFY(!done.contains("rule_trouble"));
        const auto kept = o.good("rule.list", {}).at("rules").as_array();
        QCOMPARE(kept.size(), std::size_t{1});
        QCOMPARE(kept.at(0).at("fields"), rule.at("fields"));
        QCOMPARE(o.connects("one.example.org"), std::uint64_t{0}); // a rule answers now
        QCOMPARE(o.good("rule.test", {{"agent", "ann"}, {"action", "network"}, {"fields", {{"host", "one.example.org"}, {"port", "443"}}}})
                     .at("answer"),
                 json::value("allow"));
        QCOMPARE(o.good("rule.test", {{"action", "network"}, {"fields", {{"host", "one.example.org"}, {"port", "443"}}}}).at("answer"),
                 json::value("ask")); // for any other agent
        QVERIFY(!o.ask("rule.test", {{"action", "network"}, {"fields", {{"host", "UPPER.example.org"}, {"port", "443"}}}}));
    }

    // One's own in place of the covering one.
    void anotherRuleInItsPlace() {
        Owner o;
        const auto id = o.connects("one.example.org");
        auto wanted = o.decision(id, "allow", "everywhere");
        wanted["rule"] = json::object{{"effect", "allow"}, {"action", "network"}, {"fields", {{"host", {"*.example.org"}}}}, {"note", "all of it"}};
        const auto rule = o.good("approval.preview", wanted).at("rule").as_object();
        QVERIFY(!rule.contains("agent") && rule.at("note") == "all of it");
        QVERIFY(rule.at("toml").as_string().find("*.example.org") != std::string::npos);
        (void)o.good("approval.decide", wanted);
        QCOMPARE(o.connects("two.example.org"), std::uint64_t{0});
    }

    void rulesComeAndGo() {
        Owner o;
        const auto shown = o.good("rule.preview", denies("*.example.org")).at("rule").as_object();
        QVERIFY(shown.at("words").as_string().find("Never") == 0 && shown.at("toml").as_string().find("[[rule]]") == 0);
        const auto id = o.good("rule.add", denies("*.example.org")).at("rule").at("id");
        QCOMPARE(o.count("rule.added"), std::size_t{1});
        QVERIFY(o.good("rule.show", {{"id", id}}).at("rule").at("agent") == "ann");
        QCOMPARE(o.connects("one.example.org"), std::uint64_t{0});
        (void)o.good("rule.remove", {{"id", id}});
        QCOMPARE(o.count("rule.removed"), std::size_t{1});
        QVERIFY(o.ask("rule.remove", {{"id", id}}).error().code == ErrorCode::NotFound);
        QVERIFY(o.connects("one.example.org") != 0);
        auto bad = denies("not a host");
        QVERIFY(!o.ask("rule.add", bad) && o.good("rule.list", {}).at("rules").as_array().empty());
        QCOMPARE(o.count("rule.added"), std::size_t{1});
        bad = denies("example.org");
        bad["rule"].as_object()["agent"] = "nobody";
        QVERIFY(o.ask("rule.add", bad).error().code == ErrorCode::NotFound);
        bad["rule"].as_object()["agent"] = "ann";
        bad["rule"].as_object()["until"] = "tomorrow";
        QVERIFY(!o.ask("rule.add", bad));
        bad["rule"].as_object()["until"] = "2126-12-01T12:00:00Z";
        QVERIFY(o.good("rule.add", bad).at("rule").at("until") == "2126-12-01T12:00:00.000Z");
    }

    // A folder by a link to it, and one that does not stand there: shares go by the name without links.
    void foldersAreAsTheyAre() {
        Owner o;
        fs::create_directory(o.w.folder / "real");
        fs::create_directory_symlink(o.w.folder / "real", o.w.folder / "link");
        const auto folderOf = [&](const fs::path& folder) {
            const auto rule = o.good("rule.preview", {{"rule", {{"effect", "deny"}, {"action", "apply"}, {"fields", {{"folder", {folder.string()}}}}}}});
            return std::string(rule.at("rule").at("fields").at("folder").at(0).as_string());
        };
        QCOMPARE(folderOf(o.w.folder / "link"), (o.w.folder / "real").string());
        QCOMPARE(folderOf(o.w.folder / "link/none/deeper"), (o.w.folder / "real/none/deeper").string());
        QCOMPARE(folderOf("/"), std::string("/"));
    }
    void anImportedName() {
        Owner o;
        const std::string text = "version = 1\nserial = 1\nnext_id = 3\n[[rule]]\nid = 1\neffect = \"deny\"\naction = \"forward\"\nagent = \"ann\"\n"
                                 "[[rule]]\nid = 2\neffect = \"deny\"\naction = \"forward\"\nagent = \"gone\"\n";
        const auto rules = o.good("rule.import", {{"toml", text}}).at("rules").as_array();
        QCOMPARE(rules.at(0).at("agent_id"), json::value(o.agent()->id()));
        QVERIFY(rules.at(1).at("words").as_string().find("not here (gone)") != std::string::npos);
    }

    // A rule that denies settles what waits.
    void aNewRuleAnswersWhatWaits() {
        Owner o;
        const auto id = o.connects("one.example.org");
        (void)o.good("rule.add", denies("*.example.org"));
        QTRY_VERIFY_WITH_TIMEOUT(o.good("approval.show", {{"id", id}}).at("approval").at("state") == "denied", 60'000);
        const auto of = o.good("approval.show", {{"id", id}}).at("approval").as_object();
        QVERIFY(of.at("state") == "denied" && of.at("decision").at("by").as_string().find("rule") == 0);
    }

    void importedAndExported() {
        Owner o;
        (void)o.good("rule.add", denies("one.example.org"));
        const auto text = o.good("rule.export", {}).at("toml");
        const auto preview = o.good("rule.import", {{"preset", "careful"}, {"preview", true}});
        QCOMPARE(preview.at("gone").as_array().size(), std::size_t{1});
        QCOMPARE(o.good("rule.export", {}).at("toml"), text);
        const auto done = o.good("rule.import", {{"preset", "careful"}});
        QCOMPARE(o.good("rule.list", {}).at("rules"), done.at("rules"));
        QVERIFY(o.count("rule.replaced") == 1 && o.count("rule.removed") == 1);
        const auto back = o.good("rule.import", {{"toml", text}});
        QCOMPARE(back.at("rules").as_array().size(), std::size_t{1});
        QVERIFY(!o.ask("rule.import", {{"toml", "version = 1\nserial = 1\nnext_id = 2\n[[rule]]\nid = 1\neffect = \"allow\"\naction = \"fly\"\n"}}));
        QVERIFY(!o.ask("rule.import", {{"toml", "version = 99\n"}}));
        QVERIFY(!o.ask("rule.import", {}));
        QCOMPARE(o.good("rule.list", {}).at("rules"), back.at("rules")); // bad input loses nothing
        QCOMPARE(o.good("rule.presets", {}).at("presets").as_array().size(), std::size_t{3});
    }

    // Everything is denied then, and everybody is told why.
    void tamperedWith() {
        Owner o;
        (void)o.good("rule.add", denies("one.example.org"));
        std::ofstream(o.w.engine->home().folder / "rules.toml", std::ios::app) << "# mine\n";
        const auto list = o.good("rule.list", {});
        QVERIFY(list.at("rules").as_array().empty() && list.contains("trouble"));
        QVERIFY(o.good("approval.list", {}).contains("rules_trouble"));
        QVERIFY(o.good("rule.test", {{"action", "network"}, {"fields", {{"host", "a.org"}, {"port", "443"}}}}).at("answer") == "deny");
        QVERIFY(!o.ask("rule.add", denies("two.example.org")));
        QCOMPARE(o.connects("two.example.org"), std::uint64_t{0});
        (void)o.good("rule.import", {{"preset", "careful"}}); // the owner's word ends it
        QVERIFY(!o.good("rule.list", {}).contains("trouble"));
        QVERIFY(o.connects("two.example.org") != 0);
    }

    void attentionIsCounted() {
        Owner o;
        const auto id = o.connects("one.example.org");
        (void)o.connects("one.example.org");
        (void)o.good("approval.shown", {{"id", id}, {"where", "command line"}});
        (void)o.good("approval.decide", o.decision(id, "deny"));
        const auto stats = o.good("approval.stats", {});
        const auto& total = stats.at("total").as_object();
        QVERIFY(total.at("asked") == 1 && total.at("shown") == 1 && total.at("merged") == 1 && total.at("answered") == 1);
        QCOMPARE(stats.at("rows").as_array().size(), std::size_t{1});
        QVERIFY(o.good("approval.stats", {{"since_ms", 4'102'444'800'000}}).at("rows").as_array().empty());
    }

    // What is allowed stands in the folder when the verb answers.
    void anAllowedApplyIsDone() {
        StandInClerks clerks;
        Owner o;
        auto& services = o.w.engine->services();
        services.clerkProgram = clerks.program();
        for (const char* part : {"kernel", "initrd", "base"}) {
            std::ofstream(o.w.folder / part) << "x";
        }
        services.bootFiles = [&](const std::string&, const auto&) -> Result<agents::BootFiles> {
            return agents::BootFiles{o.w.folder / "kernel", o.w.folder / "initrd", o.w.folder / "base", "quiet"};
        };
        services.accelerator = [](const auto&) -> Result<hypervisor::Accelerator> { return hypervisor::Accelerator::Hardware; };
        fs::create_directory(o.w.folder / "papers");
        (void)o.good("share.add", {{"agent", "ann"}, {"dir", (o.w.folder / "papers").string()}, {"mode", "review"}});
        const std::string content = "#!/bin/sh\n";
        ChangeEntry entry;
        entry.path = SharePath::parse(".git/hooks/post-commit").value();
        entry.kind = ChangeKind::Created;
        entry.mode = 0755;
        entry.size = content.size();
        entry.contentChanged = true;
        entry.generation = 1;
        fs::create_directories(o.w.folder / "papers/.git/hooks");
        std::atomic<bool> settled = false;
        clerks.on("changes.list", [&](const json::object&) -> StandInClerks::Answer {
            return json::object{{"entries", settled ? json::array{} : json::array{toJson(entry)}}, {"next", nullptr}, {"staged", settled ? 0 : 1}};
        });
        clerks.on("changes.settle", [&](const json::object&) -> StandInClerks::Answer {
            settled = true;
            return json::object{{"kept", json::array{}}};
        });
        clerks.onContent([&](const json::object&) -> std::optional<std::string> { return content; });
        (void)o.good("agent.start", {{"agent", "ann"}});
        const auto asked = o.w.engine->approvals().askApply(o.agent(), {}, "the hook you wanted", {});
        QVERIFY2(asked, asked ? "" : asked.error().text().c_str());
        const auto shown = o.good("approval.show", {{"id", asked->submitted.id}});
        QVERIFY(shown.at("approval").at("risk") == "high");
        QCOMPARE(shown.at("confirm"), json::value("post-commit"));
        const auto listed = o.good("changes", {{"agent", "ann"}, {"review", shown.at("review")}});
        QCOMPARE(listed.at("changes").as_array().size(), std::size_t{1}); // the evidence, by the verbs that show reviews
        const auto done = o.good("approval.decide", o.decision(asked->submitted.id, "allow"));
        QVERIFY(done.at("applied").at("totals").at("done") == 1);
        QVERIFY(done.at("approval").at("effect").at("state") == "done");
        QVERIFY(fs::exists(o.w.folder / "papers/.git/hooks/post-commit"));
    }
};

QTEST_GUILESS_MAIN(TestApprovalVerbs)
#include "test_approval_verbs.moc"
