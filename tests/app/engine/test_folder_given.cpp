// SPDX-License-Identifier: Apache-2.0
// A folder that an agent asks for and the owner chooses: chosen, decided, given and told in that order, once, also over a
// restart.
#include "tests/app/engine/asking_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::engine;
using carrel::engine::test::AskingWorld;
using policy::Effect;
using policy::EffectState;

namespace {

const std::vector<std::string> kFolder{"folder", "--reason", "the pictures"};

bool isShared(const AskingWorld& world, const std::string& dir, agents::ShareMode mode = agents::ShareMode::Review) {
    for (const auto& share : world.w.agent->describeShares()) {
        if (share.at("dir") == boost::json::string(dir) && share.at("mode") == boost::json::string(toString(mode))) {
            return true;
        }
    }
    return false;
}

} // namespace

class TestFolderGiven : public QObject {
    Q_OBJECT
private slots:
    void theOwnerChoosesOne() {
        AskingWorld world;
        const auto dir = world.makeFolder("pictures");
        auto ran = world.running(kFolder);
        const auto id = world.open();
        const auto outcome = world.decide(id, Effect::Allow, {dir, {}});
        QVERIFY2(outcome && !outcome->effectTrouble, outcome ? "" : outcome.error().text().c_str());
        QCOMPARE(outcome->share, std::string("pictures"));
        QVERIFY(isShared(world, dir));
        const auto end = ran.get();
        QCOMPARE(end.status, ask::kExitAllowed);
        QCOMPARE(end.out, std::string("It was allowed: the folder is at /workspace/pictures\n"));
        QCOMPARE(world.run({"why", std::to_string(id)}).out, end.out);
        // Once: the next one is asked for anew.
        QVERIFY(world.asked(world.w.agent, ask::Folder{""})->at(0).id != id);
    }
    void inAnotherMode() {
        AskingWorld world;
        const auto dir = world.makeFolder("pictures");
        const auto id = world.asked(world.w.agent, ask::Folder{""})->at(0).id;
        QVERIFY(world.decide(id, Effect::Allow, {dir, agents::ShareMode::ReadOnly}));
        QVERIFY(isShared(world, dir, agents::ShareMode::ReadOnly));
    }
    void theOwnerDenies() {
        AskingWorld world;
        auto ran = world.running(kFolder);
        const auto id = world.open();
        QVERIFY(world.decide(id, Effect::Deny, {world.makeFolder("pictures"), {}}).error().code == ErrorCode::InvalidArgument);
        QVERIFY(world.decide(id, Effect::Deny));
        QCOMPARE(ran.get().status, ask::kExitDenied);
        QCOMPARE(world.w.agent->describeShares().size(), std::size_t{1});
    }
    // Whatever is wrong with the choice, the question stays open for another one.
    void aChoiceThatCannotBe() {
        AskingWorld world;
        const auto dir = world.makeFolder("pictures");
        const auto id = world.asked(world.w.agent, ask::Folder{""})->at(0).id;
        const auto refused = [&](const Approvals::FolderChoice& choice, ErrorCode code) {
            const auto outcome = world.decide(id, Effect::Allow, choice);
            return !outcome && outcome.error().code == code && world.approvals->queue().find(id)->state == policy::ApprovalState::Open &&
                   world.w.agent->describeShares().size() == 1;
        };
        QVERIFY(refused({}, ErrorCode::InvalidArgument));
        QVERIFY(world.decide(id).error().hint.find("--folder PATH") != std::string::npos);
        QVERIFY(refused({(world.w.folder / "nothing").string(), {}}, ErrorCode::NotFound));
        QVERIFY(refused({world.w.share().string(), {}}, ErrorCode::AlreadyExists)); // it has it
        auto wanted = world.wanted(id, Effect::Allow);
        wanted.scope = policy::Scope::Agent;
        QVERIFY(world.approvals->decide(wanted, agents::test::quiet, {dir, {}}).error().code == ErrorCode::InvalidArgument);
        // Where none is asked for, none can be chosen.
        world.guest->write("a.txt", "agent\n");
        const auto apply = world.asked(world.w.agent, ask::Apply{{}, ""})->at(0).id;
        QVERIFY(world.decide(apply, Effect::Allow, {dir, {}}).error().code == ErrorCode::InvalidArgument);
        QVERIFY(!std::filesystem::exists(world.w.share() / "a.txt"));
        QVERIFY(world.decide(id, Effect::Allow, {dir, {}}) && isShared(world, dir));
    }
    // A rule that denies wins over the owner's choice; one that allows says nothing about what is still to be chosen.
    void rules() {
        AskingWorld world;
        policy::Rule rule;
        rule.effect = Effect::Allow;
        rule.action = policy::Action::Folder;
        QVERIFY(world.approvals->rules().add(rule));
        const auto secret = world.makeFolder("secret");
        std::filesystem::create_directory(world.w.folder / "secret/inside");
        std::filesystem::create_symlink(world.w.folder / "secret/inside", world.w.folder / "looks-harmless");
        rule.effect = Effect::Deny;
        rule.fields["folder"] = {secret};
        QVERIFY(world.approvals->rules().add(rule));
        const auto asked = world.asked(world.w.agent, ask::Folder{""});
        QVERIFY(asked->at(0).state == ask::State::Open);
        const auto id = asked->at(0).id;
        for (const char* name : {"secret", "secret/inside", "looks-harmless"}) {
            QVERIFY(world.decide(id, Effect::Allow, {(world.w.folder / name).string(), {}}).error().code == ErrorCode::Refused);
        }
        QCOMPARE(world.w.agent->describeShares().size(), std::size_t{1});
        QVERIFY(world.decide(id, Effect::Allow, {world.makeFolder("pictures"), {}}));
        rule.fields.clear();
        QVERIFY(world.approvals->rules().add(rule));
        QVERIFY(world.asked(world.w.agent, ask::Folder{""})->at(0).state == ask::State::Denied);
    }
    // Decided, and not given: the owner is asked once more. Given, and not written down: it is found.
    void killedBetweenDecisionAndEffect() {
        AskingWorld world;
        const auto dir = world.makeFolder("pictures");
        const auto id = world.asked(world.w.agent, ask::Folder{""})->at(0).id;
        QVERIFY(world.approvals->queue().decide(world.wanted(id, Effect::Allow)));
        world.comeUp();
        QVERIFY(world.approvals->queue().find(id)->state == policy::ApprovalState::Open && !isShared(world, dir));
        QVERIFY(world.approvals->queue().decide(world.wanted(id, Effect::Allow)) && world.approvals->queue().begin(id));
        QVERIFY(world.w.agent->addShare({dir, agents::ShareMode::Review}, id));
        world.comeUp();
        const auto now = world.approvals->queue().find(id).value();
        QVERIFY(now.state == policy::ApprovalState::Allowed && now.effect == EffectState::Done);
        QCOMPARE(world.run({"wait", std::to_string(id)}).out, std::string("It was allowed: the folder is at /workspace/pictures\n"));
        world.comeUp();
        QCOMPARE(world.approvals->queue().find(id).value().effectWords, now.effectWords);
    }
    // A share that somebody added by a verb was not given for a request.
    void anotherShareIsNotIt() {
        AskingWorld world;
        const auto id = world.asked(world.w.agent, ask::Folder{""})->at(0).id;
        QVERIFY(world.approvals->queue().decide(world.wanted(id, Effect::Allow)));
        QVERIFY(world.w.agent->addShare({world.makeFolder("other"), agents::ShareMode::Review}));
        QVERIFY(world.w.agent->addShare({world.makeFolder("third"), agents::ShareMode::Review}, id + 1));
        world.comeUp();
        QVERIFY(world.approvals->queue().find(id)->state == policy::ApprovalState::Open);
    }
};

QTEST_GUILESS_MAIN(TestFolderGiven)
#include "test_folder_given.moc"
