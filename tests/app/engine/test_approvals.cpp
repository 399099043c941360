// SPDX-License-Identifier: Apache-2.0
// From what an agent asks to what stands in the folder: asked, decided, carried out, written down in that order (I5), and
// only what was looked at (I12).
#include "app/engine/approvals.h"
#include "app/policy/rules_text.h"
#include "tests/app/agents/played_guest.h"
#include "tests/app/engine/wanted_on.h"
#include "tests/app/policy/turned_clock.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agents::test;
using namespace carrel::engine;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct World {
    AgentWorld w{true};
    policy::test::SharedClock clock;
    std::unique_ptr<PlayedGuest> guest;
    std::unique_ptr<Approvals> approvals;
    std::mutex complaintsMutex; // the approvals' own threads complain
    std::vector<std::string> complaints;

    World() {
        fs::create_directory(w.folder / "home");
        w.services.sessionEnded = [this](const std::string& agent, const std::string& session) {
            if (approvals) {
                approvals->sessionEnded(agent, session);
            }
        };
        comeUp();
        if (!w.start()) {
            qFatal("no machine");
        }
        guest = std::make_unique<PlayedGuest>(w);
    }
    ~World() { approvals.reset(); }
    // As at the engine's start.
    void comeUp() {
        approvals.reset();
        approvals = std::make_unique<Approvals>(
            Approvals::Setup{w.folder / "home", std::make_unique<policy::FileSealKeeper>(w.folder / "home/rules.key"),
                             [this](std::string_view id) { return w.agent && w.agent->id() == id ? w.agent : nullptr; },
                             [this](std::string_view line) {
                                 const std::lock_guard lock(complaintsMutex);
                                 complaints.emplace_back(line);
                             },
                             &clock});
        approvals->recover({w.agent});
    }
    Approvals::Asked ask(const std::vector<std::string>& paths = {}, const std::string& reason = "please") {
        auto asked = approvals->askApply(w.agent, {paths}, reason, {});
        if (!asked) {
            qFatal("%s", asked.error().text().c_str());
        }
        return std::move(*asked);
    }
    [[nodiscard]] policy::DecisionWanted wanted(std::uint64_t id, policy::Effect effect) const {
        return engine::test::wantedOn(*approvals, id, effect);
    }
    Result<Approvals::Outcome> decide(std::uint64_t id, policy::Effect effect = policy::Effect::Allow) {
        return approvals->decide(wanted(id, effect), quiet);
    }
    [[nodiscard]] std::vector<std::string> kinds() const {
        std::vector<std::string> out;
        const auto events = w.agent->log().query({}).value();
        for (const auto& each : events) {
            const auto kind = std::string(toString(each.event.kind));
            if (kind.starts_with("approval.") || kind.starts_with("apply.") || kind.starts_with("rule.")) {
                out.push_back(kind);
            }
        }
        return out;
    }
    [[nodiscard]] policy::Rule rule(policy::Effect effect, const std::string& path) const {
        policy::Rule rule;
        rule.effect = effect;
        rule.action = policy::Action::Apply;
        rule.fields["folder"] = {w.share().string()};
        rule.fields["path"] = {path};
        return rule;
    }
    [[nodiscard]] bool has(const std::string& name) const { return fs::exists(w.share() / name); }
};

} // namespace

class TestApprovals : public QObject {
    Q_OBJECT
private slots:
    void aPersonAllows() {
        World world;
        world.guest->write("a.txt", "agent\n");
        const auto asked = world.ask();
        QVERIFY(asked.submitted.kind == policy::Submitted::Kind::Waiting && asked.submitted.id == 1);
        QVERIFY(!world.has("a.txt"));
        const auto outcome = world.decide(1);
        QVERIFY2(outcome && outcome->report && !outcome->effectTrouble, outcome ? "" : outcome.error().text().c_str());
        QCOMPARE(contentOf(world.w.share() / "a.txt"), std::string("agent\n"));
        QVERIFY(outcome->decided.approval.effect == policy::EffectState::Done);
        QCOMPARE(world.kinds(), (std::vector<std::string>{"approval.asked", "approval.decided", "apply.decided", "apply.done",
                                                          "approval.effect"}));
        QVERIFY(world.guest->staged().empty());
    }
    void aPersonDenies() {
        World world;
        world.guest->write("a.txt", "agent\n");
        (void)world.ask();
        const auto outcome = world.decide(1, policy::Effect::Deny);
        QVERIFY(outcome && !outcome->report);
        QVERIFY(!world.has("a.txt") && world.guest->staged().size() == 1);
        QVERIFY(world.approvals->queue().begin(1).error().code == ErrorCode::Refused);
        QCOMPARE(world.kinds(), (std::vector<std::string>{"approval.asked", "approval.decided"}));
    }
    void aRuleAllows() {
        World world;
        QVERIFY(world.approvals->rules().add(world.rule(policy::Effect::Allow, "*.txt")));
        world.guest->write("a.txt", "agent\n");
        const auto asked = world.ask();
        QVERIFY(asked.submitted.kind == policy::Submitted::Kind::Allowed && asked.report);
        QVERIFY(world.has("a.txt"));
        QCOMPARE(world.kinds(), (std::vector<std::string>{"rule.answered", "apply.decided", "apply.done"}));
        QCOMPARE(world.w.agent->history({}, 1).at(0).apply.facts.by, std::string("rule"));
        world.guest->write("b.pdf", "agent\n");
        QVERIFY(world.ask().submitted.kind == policy::Submitted::Kind::Waiting); // no rule speaks of it
    }
    // I12: a decision is one on the very bytes that were looked at.
    void changedSinceItWasLookedAt() {
        World world;
        world.guest->write("a.txt", "harmless\n");
        (void)world.ask();
        const auto looked = world.wanted(1, policy::Effect::Allow);
        world.guest->write("a.txt", "harmful\n");
        QVERIFY(world.ask().submitted.kind == policy::Submitted::Kind::TurnedAway); // so soon after
        world.clock.turned += std::chrono::milliseconds(policy::kChangeEvery).count();
        QVERIFY(world.ask().submitted.kind == policy::Submitted::Kind::Waiting);
        const auto refused = world.approvals->decide(looked, quiet);
        QVERIFY(!refused && refused.error().code == ErrorCode::Conflict);
        QVERIFY(!world.has("a.txt"));
        QVERIFY(world.decide(1));
        QCOMPARE(contentOf(world.w.share() / "a.txt"), std::string("harmful\n"));
    }
    // Decided, and not yet begun: whoever allowed it is asked once more. Done, and not yet written down: it is found.
    void killedBetweenDecisionAndEffect() {
        World world;
        world.guest->write("a.txt", "agent\n");
        (void)world.ask();
        QVERIFY(world.approvals->queue().decide(world.wanted(1, policy::Effect::Allow)));
        world.comeUp();
        auto now = world.approvals->queue().find(1).value();
        QVERIFY(now.state == policy::ApprovalState::Open && !world.has("a.txt"));
        QVERIFY(world.approvals->queue().decide(world.wanted(1, policy::Effect::Allow)));
        agents::Warrant warrant;
        warrant.approval = 1;
        QVERIFY(world.w.agent->apply(now.question.evidence.reference, {}, quiet, agents::Agent::IfBoth::Conflict, warrant));
        world.comeUp();
        now = world.approvals->queue().find(1).value();
        QVERIFY(now.state == policy::ApprovalState::Allowed && now.effect == policy::EffectState::Done && world.has("a.txt"));
    }
    void whatIsAskedOnIsKept() {
        World world;
        world.guest->write("a.txt", "agent\n");
        (void)world.ask();
        for (int restart = 0; restart < 2; ++restart) {
            for (std::size_t i = 0; i < 2 * agents::kMaxReviews; ++i) {
                world.guest->write("b.txt", std::to_string(restart) + " " + std::to_string(i));
                QVERIFY(world.w.agent->freeze(quiet, {}));
            }
            world.comeUp();
        }
        const auto outcome = world.decide(1);
        QVERIFY2(outcome && outcome->report, !outcome ? outcome.error().text().c_str() : outcome->effectTrouble ? outcome->effectTrouble->text().c_str() : "");
        QVERIFY(world.has("a.txt") && !world.has("b.txt"));
    }
    // Whatever the guest calls it.
    void aChangeIsWhatTheHostSees_data() {
        using files::NodeKind;
        QTest::addColumn<int>("kind");
        QTest::addColumn<int>("was");
        QTest::addColumn<int>("will");
        QTest::addColumn<bool>("content");
        QTest::addColumn<QStringList>("changes");
        const auto row = [](const char* name, ChangeKind kind, NodeKind was, NodeKind will, bool content, const QStringList& changes) {
            QTest::newRow(name) << int(kind) << int(was) << int(will) << content << changes;
        };
        row("new", ChangeKind::Created, NodeKind::Absent, NodeKind::File, true, {"created"});
        row("edited", ChangeKind::Modified, NodeKind::File, NodeKind::File, true, {"modified"});
        row("gone", ChangeKind::Deleted, NodeKind::File, NodeKind::Absent, false, {"deleted"});
        row("a folder in its place", ChangeKind::Modified, NodeKind::File, NodeKind::Directory, false, {"deleted", "created"});
        row("a link in its place", ChangeKind::Created, NodeKind::File, NodeKind::Symlink, false, {"deleted", "link"});
        row("called new", ChangeKind::Created, NodeKind::File, NodeKind::File, true, {"modified"});
        row("called a change of mode", ChangeKind::Mode, NodeKind::File, NodeKind::File, true, {"modified"});
        row("moved, with other content", ChangeKind::Renamed, NodeKind::File, NodeKind::File, true, {"renamed", "modified"});
        row("moved", ChangeKind::Renamed, NodeKind::File, NodeKind::File, false, {"renamed"});
    }
    void aChangeIsWhatTheHostSees() {
        QFETCH(int, kind);
        QFETCH(int, was);
        QFETCH(int, will);
        QFETCH(bool, content);
        QFETCH(QStringList, changes);
        World world;
        agents::ShareRecord share;
        share.dir = "/home/ada/papers";
        files::FrozenEntry entry;
        entry.path = SharePath::parse("a").value();
        entry.kind = static_cast<ChangeKind>(kind);
        if (entry.kind == ChangeKind::Renamed) {
            entry.from = SharePath::parse("b").value();
        }
        entry.base.kind = static_cast<files::NodeKind>(was);
        entry.wanted.kind = static_cast<files::NodeKind>(will);
        entry.contentChanged = content;
        agents::OpenedReview review;
        review.shares = {share};
        review.sets.resize(1);
        review.sets[0].entries = {entry};
        QStringList seen;
        for (const auto& item : Approvals::requestsOf(*world.w.agent, review)) {
            seen << QString::fromStdString(item.fields.at("change"));
            QCOMPARE(item.fields.contains("from"), item.fields.at("change") == "renamed");
        }
        QCOMPARE(seen, changes);
        entry.wanted.mode = 0777;
        review.sets[0].entries = {entry};
        const auto more = Approvals::requestsOf(*world.w.agent, review);
        const bool stays = was == will && was == int(files::NodeKind::File);
        QCOMPARE(more.back().fields.at("change") == "mode", stays);
    }
    // Out of the one folder, into the other.
    void aRenameIsOfBothNames() {
        World world;
        fs::create_directories(world.w.share() / "private");
        fs::create_directories(world.w.share() / "docs");
        std::ofstream(world.w.share() / "private/tax.ods") << "mine\n";
        auto entry = world.guest->over("private/tax.ods");
        entry.kind = ChangeKind::Renamed;
        entry.from = entry.path;
        entry.path = SharePath::parse("docs/tax.ods").value();
        entry.size = 5;
        QVERIFY(world.approvals->rules().add(world.rule(policy::Effect::Allow, "docs/**")));
        world.guest->stage(entry, "mine\n");
        const auto asked = world.ask();
        QVERIFY(asked.submitted.kind == policy::Submitted::Kind::Waiting);
        QVERIFY(world.has("private/tax.ods"));
        QVERIFY(world.approvals->rules().add(world.rule(policy::Effect::Deny, "private/**")));
        QVERIFY(world.ask().submitted.kind == policy::Submitted::Kind::Denied);
    }
    // The owner need not wait for the queue: what is asked is answered by that.
    void theOwnersOwnWord_data() {
        QTest::addColumn<bool>("discard");
        QTest::newRow("applied") << false;
        QTest::newRow("discarded") << true;
    }
    void theOwnersOwnWord() {
        QFETCH(bool, discard);
        World world;
        world.w.services.ownerDecided = [&](const std::string& agent, const std::string& review) {
            world.approvals->ownerDecided(agent, review);
        };
        world.guest->write("a.txt", "agent\n");
        const auto asked = world.ask();
        const auto review = world.approvals->queue().find(asked.submitted.id).value().question.evidence.reference;
        QVERIFY(discard ? world.w.agent->discard(review, {}, quiet) : world.w.agent->apply(review, {}, quiet));
        const auto of = world.approvals->queue().find(asked.submitted.id).value();
        QVERIFY(of.state == policy::ApprovalState::Cancelled && of.ended == policy::EndReason::Gone);
        QCOMPARE(world.has("a.txt"), !discard);
    }
    void autoModeGoesByTheRules() {
        World world;
        agents::ShareRecord share;
        share.dir = world.w.share().string();
        files::FrozenEntry entry;
        entry.path = SharePath::parse("secret/a").value();
        const auto may = [&] { return world.approvals->maySettle(world.w.agent->id(), "s", share, entry); };
        QVERIFY(may() == agents::MaySettle::Yes);
        QVERIFY(world.approvals->rules().add(world.rule(policy::Effect::Deny, "secret/**")));
        QVERIFY(may() == agents::MaySettle::Waits);
        std::ofstream(world.w.folder / "home/rules.toml", std::ios::app) << "# mine\n";
        QVERIFY(may() == agents::MaySettle::Nothing);
    }
    // A guest that draws a list out holds its agent's turn, and nothing else.
    void aSlowGuestHoldsUpNobody() {
        World world;
        world.guest->write("a.txt", "agent\n");
        const auto asked = world.ask();
        std::promise<void> there, go;
        auto gone = go.get_future().share();
        bool once = true;
        world.guest->beforeList([&, gone] {
            if (std::exchange(once, false)) {
                there.set_value();
                gone.wait();
            }
        });
        auto slow = std::async(std::launch::async, [&] { return world.w.agent->freeze(quiet, {}).has_value(); });
        there.get_future().wait();
        policy::Rule deny = world.rule(policy::Effect::Deny, "*.txt");
        within(60s, "a rule", [&] { return world.approvals->rules().add(deny).has_value(); });
        within(60s, "the rules' change", [&] { return world.approvals->rulesChanged(), true; });
        within(60s, "no", [&] { return world.decide(asked.submitted.id, policy::Effect::Deny).has_value(); });
        QVERIFY(world.approvals->queue().find(asked.submitted.id).value().state == policy::ApprovalState::Denied);
        go.set_value();
        QVERIFY(slow.get());
    }
    void onlyWhatIsAskedFor() {
        World world;
        world.guest->makeFolder("new");
        world.guest->write("new/a.txt", "agent\n");
        world.guest->write("new/b.txt", "agent\n");
        world.guest->write("c.txt", "agent\n");
        const auto asked = world.ask({"papers/new/a.txt"});
        QVERIFY(world.decide(asked.submitted.id));
        QVERIFY(world.has("new/a.txt") && !world.has("new/b.txt") && !world.has("c.txt"));
        const auto none = world.approvals->askApply(world.w.agent, {{"papers/nothing"}}, "", {});
        QVERIFY(!none && none.error().code == ErrorCode::NotFound);
    }
    void aRuleMadeMeanwhile() {
        World world;
        world.guest->write("a.txt", "agent\n");
        (void)world.ask();
        QVERIFY(world.approvals->rules().add(world.rule(policy::Effect::Allow, "*.txt")));
        world.approvals->rulesChanged();
        QTRY_VERIFY_WITH_TIMEOUT(world.has("a.txt"), 60'000);
        QTRY_VERIFY_WITH_TIMEOUT(world.approvals->queue().find(1).value().effect == policy::EffectState::Done, 60'000);
        world.guest->write("b.pdf", "agent\n");
        const auto asked = world.ask();
        QVERIFY(world.approvals->rules().add(world.rule(policy::Effect::Deny, "*.pdf")));
        world.approvals->rulesChanged();
        QTRY_VERIFY_WITH_TIMEOUT(world.approvals->queue().find(asked.submitted.id).value().state == policy::ApprovalState::Denied, 60'000);
        QVERIFY(!world.has("b.pdf"));
    }
    void aSessionsRulesEndWithIt() {
        World world;
        world.guest->write("a.txt", "agent\n");
        (void)world.ask();
        auto wanted = world.wanted(1, policy::Effect::Allow);
        wanted.scope = policy::Scope::Session;
        QVERIFY(world.approvals->decide(wanted, quiet));
        QCOMPARE(world.approvals->rules().rules().value().rules.size(), std::size_t{1});
        QVERIFY(world.w.stop());
        QVERIFY(world.approvals->rules().rules().value().rules.empty());
    }
};

QTEST_GUILESS_MAIN(TestApprovals)
#include "test_approvals.moc"
