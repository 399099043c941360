// SPDX-License-Identifier: Apache-2.0
// What both sides say about a session: what one writes the other reads, and what is not so is said to be wrong.
#include "guest/acp/session.h"

#include <QTest>

using namespace carrel;
using namespace carrel::acp;
namespace json = boost::json;

namespace {
json::object o(const char* text) {
    return json::parse(text).as_object();
}
} // namespace

class TestSession : public QObject {
    Q_OBJECT
private slots:
    void initialize() {
        const InitializeParams params{1, true, false, true, {"carrel", "", "0.1"}};
        QCOMPARE(json::serialize(toJson(params)),
                 std::string(R"({"protocolVersion":1,"clientCapabilities":{"fs":{"readTextFile":true,"writeTextFile":false},"terminal":true},)"
                             R"("clientInfo":{"name":"carrel","version":"0.1"}})"));
        const auto read = initializeParamsFrom(toJson(params));
        QVERIFY(read && read->readTextFile && !read->writeTextFile && read->terminal && read->client.name == "carrel");
        QVERIFY(initializeParamsFrom(o(R"({"protocolVersion":1})")));
        QVERIFY(!initializeParamsFrom(o(R"({"protocolVersion":"1"})")));
        QVERIFY(!initializeParamsFrom(o(R"({})")));

        const InitializeResult result{1, true, false, false, true, {"agent", "Agent", "2"}, {{"key", "A key", ""}}};
        const auto back = initializeResultFrom(toJson(result));
        QVERIFY(back && back->loadSession && back->embeddedContext && !back->image && back->agent.title == "Agent");
        QCOMPARE(back->authMethods.at(0).id, std::string("key"));
        QVERIFY(initializeResultFrom(o(R"({"protocolVersion":1,"agentInfo":{"name":5},"new":[]})"))); // a name is not needed
        QVERIFY(!initializeResultFrom(json::value(nullptr)));
        QVERIFY(!initializeResultFrom(o(R"({"protocolVersion":1,"authMethods":[{}]})")));
    }

    void places() {
        std::size_t servers = 9;
        const auto read = sessionPlaceFrom(toJson(SessionPlace{"s", "/workspace"}), &servers);
        QVERIFY(read && read->sessionId == "s" && read->cwd == "/workspace");
        QCOMPARE(servers, std::size_t(0));
        QVERIFY(!toJson(SessionPlace{"", "/w"}).contains("sessionId"));
        QVERIFY(sessionPlaceFrom(o(R"({"cwd":"/w","mcpServers":[{},{}]})"), &servers));
        QCOMPARE(servers, std::size_t(2));
        QVERIFY(!sessionPlaceFrom(o(R"({"cwd":"w","mcpServers":[]})")));
        QVERIFY(!sessionPlaceFrom(o(R"({"mcpServers":[]})")));

        const SessionState state{"s", "a", {{"a", "A", "one"}, {"b", "B", ""}}};
        const auto back = sessionStateFrom(toJson(state));
        QVERIFY(back && back->mode == "a" && back->modes.size() == 2 && back->modes[0].description == "one");
        QVERIFY(sessionStateFrom(json::value(nullptr)) && !sessionStateFrom(json::value(1)));
        QVERIFY(!sessionStateFrom(o(R"({"sessionId":"s","modes":{"currentModeId":"a"}})")));
    }

    void prompts() {
        const Prompt prompt{"s", {TextBlock{"do"}, LinkBlock{"file:///a", "a", "text/plain", 5}, ResourceBlock{"file:///b", "", "text"}}};
        const auto read = promptFrom(toJson(prompt));
        QVERIFY(read);
        QCOMPARE(std::get<TextBlock>(read->blocks.at(0)).text, std::string("do"));
        QCOMPARE(*std::get<LinkBlock>(read->blocks.at(1)).size, std::uint64_t(5));
        QCOMPARE(std::get<ResourceBlock>(read->blocks.at(2)).text, std::string("text"));
        QCOMPARE(std::get<OtherBlock>(*blockFrom(o(R"({"type":"image","data":"…"})"))).type, std::string("image"));
        QCOMPARE(std::get<OtherBlock>(*blockFrom(o(R"({"type":"resource","resource":{"uri":"u","blob":"…"}})"))).type, std::string("resource"));
        for (const char* bad : {R"({"sessionId":"s"})", R"({"prompt":[]})", R"({"sessionId":"s","prompt":[5]})",
                                R"({"sessionId":"s","prompt":[{"type":"text"}]})", R"({"sessionId":"s","prompt":[{"text":"t"}]})",
                                R"({"sessionId":"s","prompt":[{"type":"resource_link"}]})"}) {
            QVERIFY2(!promptFrom(o(bad)), bad);
        }
        QVERIFY(!promptFrom({{"sessionId", "s"}, {"prompt", json::array(kMostBlocks + 1, json::value(o(R"({"type":"text","text":""})")))}}));
    }

    void reasons() {
        for (const auto reason :
             {StopReason::EndTurn, StopReason::MaxTokens, StopReason::MaxTurnRequests, StopReason::Refusal, StopReason::Cancelled}) {
            const auto read = stopReasonFrom(promptResult(reason));
            QVERIFY(read && *read == reason);
        }
        QVERIFY(!stopReasonFrom(o(R"({"stopReason":"tired"})")));
        QVERIFY(!stopReasonFrom(json::value(nullptr)));
    }

    void updates() {
        const auto read = updateFrom(o(R"({"sessionId":"s","update":{"sessionUpdate":"new_word","x":[1]}})"));
        QVERIFY(read && read->kind == "new_word" && read->update.contains("x"));
        QCOMPARE(json::serialize(toJson(*read)), std::string(R"({"sessionId":"s","update":{"sessionUpdate":"new_word","x":[1]}})"));
        QVERIFY(!updateFrom(o(R"({"sessionId":"s","update":{}})")));
        QVERIFY(!updateFrom(o(R"({"update":{"sessionUpdate":"plan"}})")));
    }

    void permissions() {
        const Permission permission{"s", {{"toolCallId", "c"}}, {{"yes", "Yes", OptionKind::AllowOnce}, {"no", "No", OptionKind::RejectOnce}}};
        const auto read = permissionFrom(toJson(permission));
        QVERIFY(read && read->options.size() == 2 && *read->options[0].kind == OptionKind::AllowOnce);
        const auto strange = permissionFrom(o(R"({"sessionId":"s","toolCall":{},"options":[{"optionId":"x","name":"X","kind":"maybe"}]})"));
        QVERIFY(strange && !strange->options[0].kind);
        QVERIFY(!permissionFrom(o(R"({"sessionId":"s","toolCall":{},"options":[]})")));
        const auto yes = permissionOutcomeFrom(permissionResult("yes"));
        QVERIFY(yes && *yes == "yes");
        const auto no = permissionOutcomeFrom(permissionResult(std::nullopt));
        QVERIFY(no && !*no);
        QVERIFY(!permissionOutcomeFrom(o(R"({"outcome":{"outcome":"selected"}})")));
        QVERIFY(!permissionOutcomeFrom(o(R"({"outcome":{"outcome":"perhaps"}})")));
        QVERIFY(!permissionOutcomeFrom(o(R"({})")));
    }

    void meta() {
        json::object object{{"a", 1}};
        QVERIFY(metaOf(object, kMetaText) == nullptr);
        putMeta(object, kMetaText, "one");
        putMeta(object, kMetaQuestion, true);
        QCOMPARE(json::serialize(object), std::string("{\"a\":1,\"_meta\":{\"carrel\":{\"text\":\"one\",\"question\":true}}}"));
        QVERIFY(*metaOf(object, kMetaText) == "one");
        json::object strange{{"_meta", 5}};
        QVERIFY(metaOf(strange, kMetaText) == nullptr);
    }

    void wordsGoThereAndBack() {
        for (int i = 0; i < 10; ++i) {
            QVERIFY(fromWord<ToolKind>(toString(static_cast<ToolKind>(i))) == static_cast<ToolKind>(i));
        }
        QVERIFY(fromWord<ToolStatus>("in_progress") == ToolStatus::InProgress);
        QVERIFY(fromWord<OptionKind>("allow_always") == OptionKind::AllowAlways);
        QVERIFY(!fromWord<PlanStatus>("done"));
    }
};

QTEST_GUILESS_MAIN(TestSession)
#include "test_session.moc"
