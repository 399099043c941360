// SPDX-License-Identifier: Apache-2.0
// A conversation is at each moment one that both interfaces accept.
#include "guest/agent/conversation.h"
#include "tests/guest/agent/turn_words.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

namespace {

std::string words(const Conversation& conversation) {
    std::string out;
    for (const auto& message : conversation.messages()) {
        out += (message.role == Role::User ? "U:" : "A:") + test::words(message) + "\n";
    }
    return out;
}

Message turn(std::vector<Part> parts) {
    return {Role::Assistant, std::move(parts)};
}

struct Kept final : ConversationKeeper {
    std::vector<Message> messages;
    bool fails = false;
    Status keep(const Message& added) override {
        if (fails) {
            return fail(ErrorCode::Io, "the disk is full");
        }
        messages.push_back(added);
        return {};
    }
    Status keepInstead(const std::vector<Message>& all) override {
        if (fails) {
            return fail(ErrorCode::Io, "the disk is full");
        }
        messages = all;
        return {};
    }
};

} // namespace

class TestConversation : public QObject {
    Q_OBJECT
private slots:
    void turnsAlternate() {
        Conversation of;
        QVERIFY(of.addTurn(turn({Text{"first?"}})).error().code == ErrorCode::Conflict);
        QVERIFY(of.addUser("hello"));
        QVERIFY(of.addUser("there"));
        QVERIFY(of.addTurn(turn({})));
        QVERIFY(of.addTurn(turn({Text{"Hi."}})));
        QVERIFY(of.addTurn(turn({Text{"Again."}})).error().code == ErrorCode::Conflict);
        QVERIFY(of.addTurn({Role::User, {Text{"x"}}}).error().code == ErrorCode::Conflict);
        QVERIFY(of.addUser(" \n").error().code == ErrorCode::InvalidArgument);
        QVERIFY(of.addUser(std::string(16 * 1024 * 1024 + 1, 'x')).error().code == ErrorCode::LimitExceeded);
        QVERIFY(of.addUser("bytes \xff"));
        QCOMPARE(words(of), std::string("U:hello|there\nA:Hi.\nU:bytes ?\n"));
    }

    void eachCallHasItsResult() {
        Conversation of;
        QVERIFY(of.addUser("go"));
        QVERIFY(of.addTurn(turn({ToolUse{"a", "x", {}, {}}, ToolUse{"b", "y", {}, {}}})));
        QCOMPARE(of.openCalls().size(), std::size_t(2));
        QVERIFY(of.addUser("hurry").error().code == ErrorCode::Conflict);
        QVERIFY(!of.addResults({}));
        QVERIFY(!of.addResults({{"a", "1", false}}));
        QVERIFY(!of.addResults({{"a", "1", false}, {"a", "1", false}}));
        QVERIFY(!of.addResults({{"a", "1", false}, {"b", "2", false}, {"c", "3", false}}));
        QVERIFY(of.addResults({{"b", "2 \xff", true}, {"a", "1", false}}));
        QVERIFY(!of.addResults({{"b", "2", true}, {"a", "1", false}}));
        QVERIFY(of.openCalls().empty());
        QVERIFY(of.addUser("and?"));
        QCOMPARE(words(of), std::string("U:go\nA:call a x {}|call b y {}\nU:error b 2 ?|result a 1|and?\n"));
    }

    void idsAreThereOnce() {
        Conversation of;
        QVERIFY(of.addUser("go"));
        QVERIFY(of.addTurn(turn({ToolUse{"", "x", {}, {}}, ToolUse{"a", "x", {}, {}}, ToolUse{"a", "x", {}, {}},
                                 ToolUse{"no good", "x", {}, {}}, ToolUse{"", "x", {}, {}}})));
        std::set<std::string> ids;
        std::vector<ToolResult> results;
        for (const auto& call : of.openCalls()) {
            QCOMPARE(fittingName(call.id), call.id);
            ids.insert(call.id);
            results.push_back({call.id, "", false});
        }
        QCOMPARE(ids.size(), std::size_t(5));
        QVERIFY(ids.contains("a"));
        QVERIFY(of.addResults(std::move(results)));
        QVERIFY(of.addTurn(turn({ToolUse{"a", "x", {}, {}}, ToolUse{"call_1", "x", {}, {}}}))); // of a server that begins anew each time
        for (const auto& call : of.openCalls()) {
            QVERIFY(ids.insert(call.id).second);
        }
    }

    void whatCannotBeKeptIsNotAdded() {
        Kept kept;
        Conversation of(&kept);
        QVERIFY(of.addUser("go"));
        kept.fails = true;
        QVERIFY(of.addTurn(turn({Text{"x"}})).error().code == ErrorCode::Io);
        QVERIFY(of.addUser("on").error().code == ErrorCode::Io);
        QVERIFY(of.replace("x").error().code == ErrorCode::Io);
        QCOMPARE(words(of), std::string("U:go\n"));
        kept.fails = false;
        QVERIFY(of.addTurn(turn({ToolUse{"", "x", {}, {}}})));
        QVERIFY(of.addResults({{"call_1", "ok", false}}));
        const auto again = Conversation::restored(kept.messages);
        QVERIFY(again.has_value());
        QCOMPARE(words(*again), words(of));
        QVERIFY(of.replace("the short of it"));
        QCOMPARE(words(*Conversation::restored(kept.messages)), std::string("U:the short of it\n"));
        QCOMPARE(words(of), std::string("U:the short of it\n"));
    }

    void whatWasCutIsMadeWhole() {
        Kept kept;
        const auto at_end = Conversation::restored({{Role::User, {Text{"go"}}}, turn({ToolUse{"a", "x", {}, {}}})}, &kept);
        QVERIFY(at_end && at_end->openCalls().empty());
        QVERIFY(words(*at_end).starts_with("U:go\nA:call a x {}\nU:error a The machine was stopped"));
        QCOMPARE(kept.messages.size(), std::size_t(1)); // kept, as it is new
        const auto within =
            Conversation::restored({{Role::User, {Text{"go"}}}, turn({ToolUse{"a", "x", {}, {}}}), {Role::User, {Text{"and?"}}}});
        QVERIFY(within && words(*within).ends_with("|and?\n"));
        QVERIFY(Conversation::restored({})->messages().empty());
    }

    void whatNoConversationLooksLike() {
        QVERIFY(!Conversation::restored({turn({Text{"x"}})}));
        QVERIFY(!Conversation::restored({{Role::User, {Text{"a"}}}, turn({Text{"x"}}), turn({Text{"y"}})}));
        QVERIFY(!Conversation::restored({{Role::User, {Text{"a"}}}, {Role::User, {ToolResult{"a", "", false}}}}));
        QVERIFY(!Conversation::restored(
            {{Role::User, {Text{"a"}}}, turn({ToolUse{"a", "x", {}, {}}}), {Role::User, {ToolResult{"b", "", false}}}}));
        QVERIFY(!Conversation::restored({{Role::User, {Text{"a"}}}, turn({ToolUse{"a", "x", {}, {}}, ToolUse{"a", "x", {}, {}}})}));
        QVERIFY(!Conversation::restored({{Role::User, {Text{"a"}}}, turn({ToolUse{"", "x", {}, {}}})}));
    }
};

QTEST_GUILESS_MAIN(TestConversation)
#include "test_conversation.moc"
