// SPDX-License-Identifier: Apache-2.0
// The Messages interface: what is asked, and what is made of its events.
#include "guest/agent/anthropic_codec.h"
#include "guest/protocol/strict_json.h"
#include "tests/guest/agent/turn_words.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

namespace {

const AnthropicCodec kCodec;

const std::string kStart =
    j("{'type':'message_start','message':{'id':'msg_1','type':'message','role':'assistant','content':[],'model':'m','stop_reason':null,'"
      "usage':{'input_tokens':25,'cache_creation_input_tokens':3,'cache_read_input_tokens':100,'output_tokens':1}}}");
const std::string kStop = j("{'type':'message_stop'}");

std::string quoted(const std::string& text) {
    return boost::json::serialize(boost::json::value(text));
}
std::string ending(const char* reason) {
    return j("{'type':'message_delta','delta':{'stop_reason':") + quoted(reason) +
           j(",'stop_sequence':null},'usage':{'output_tokens':15}}");
}
std::string textBlock(int index, const char* text) {
    const auto at = std::to_string(index);
    return j("{'type':'content_block_delta','index':") + at + j(",'delta':{'type':'text_delta','text':") + quoted(text) + "}}";
}
const std::string kTextStart = j("{'type':'content_block_start','index':0,'content_block':{'type':'text','text':''}}");
const std::string kTextStop = j("{'type':'content_block_stop','index':0}");
std::string toolStart(int index, const char* id, const char* name) {
    return j("{'type':'content_block_start','index':") + std::to_string(index) + j(",'content_block':{'type':'tool_use','id':") +
           quoted(id) + j(",'name':") + quoted(name) + j(",'input':{}}}");
}
std::string toolInput(int index, const std::string& json) {
    return j("{'type':'content_block_delta','index':") + std::to_string(index) + j(",'delta':{'type':'input_json_delta','partial_json':") +
           quoted(json) + "}}";
}
std::string stop(int index) {
    return j("{'type':'content_block_stop','index':") + std::to_string(index) + "}";
}

Read read(const std::vector<std::string>& lines) {
    return readTurn(kCodec, events(lines));
}

} // namespace

class TestAnthropicCodec : public QObject {
    Q_OBJECT
private slots:
    void aRequest() {
        const std::vector<Message> messages{
            {Role::User, {Text{"sort them"}, Text{" \n"}}},
            {Role::Assistant,
             {Sealed{"anthropic", {{"type", "thinking"}, {"thinking", "hm"}, {"signature", "s"}}}, Sealed{"chat", {{"x", 1}}},
              Text{"I look."}, ToolUse{"t1", "list", {{"path", "."}}, {}}, ToolUse{"t2", "fly", {}, "no"}}},
            {Role::User, {ToolResult{"t1", "a\nb", false}, ToolResult{"t2", "there is none", true}, Text{"and hurry"}}}};
        const std::vector<ToolSpec> tools{{"list", "Lists a folder.", {{"type", "object"}}}};
        const auto body = parseJson(kCodec.body({"some-model", "Be brief.", messages, tools, 4096}));
        const auto wanted =
            parseJson(j("{ "
                        "'model': 'some-model', 'max_tokens': 4096, 'stream': true, "
                        "'system': [{'type': 'text', 'text': 'Be brief.', 'cache_control': {'type': 'ephemeral'}}], "
                        "'tools': [{'name': 'list', 'description': 'Lists a folder.', 'input_schema': {'type': 'object'}}], "
                        "'messages': [ "
                        "{'role': 'user', 'content': [{'type': 'text', 'text': 'sort them'}]}, "
                        "{'role': 'assistant', 'content': [ "
                        "{'type': 'thinking', 'thinking': 'hm', 'signature': 's'}, "
                        "{'type': 'text', 'text': 'I look.'}, "
                        "{'type': 'tool_use', 'id': 't1', 'name': 'list', 'input': {'path': '.'}}, "
                        "{'type': 'tool_use', 'id': 't2', 'name': 'fly', 'input': {}}]}, "
                        "{'role': 'user', 'content': [ "
                        "{'type': 'tool_result', 'tool_use_id': 't1', 'content': 'a\\nb'}, "
                        "{'type': 'tool_result', 'tool_use_id': 't2', 'content': 'there is none', 'is_error': true}, "
                        "{'type': 'text', 'text': 'and hurry', 'cache_control': {'type': 'ephemeral'}}]}]}"));
        QVERIFY(body && wanted);
        QCOMPARE(QString::fromStdString(boost::json::serialize(*body)).size(),
                 QString::fromStdString(boost::json::serialize(*wanted)).size());
        QVERIFY(*body == *wanted);
        const auto bare = parseJsonObject(kCodec.body({"m", "", messages, {}, 1}));
        QVERIFY(bare && !bare->contains("system") && !bare->contains("tools"));
    }

    void headersHoldTheKey() {
        using Headers = std::vector<std::pair<std::string, std::string>>;
        QVERIFY(kCodec.headers("k") == (Headers{{"anthropic-version", "2023-06-01"}, {"x-api-key", "k"}}));
        QVERIFY(kCodec.headers("") == (Headers{{"anthropic-version", "2023-06-01"}}));
    }

    void aTurnOfWords() {
        const auto [turn, thoughts] = read({kStart, kTextStart, j("{'type': 'ping'}"), textBlock(0, "Hello"), textBlock(0, " there\u00e9"),
                                            kTextStop, ending("end_turn"), kStop, "no JSON"});
        QVERIFY(turn.has_value());
        QCOMPARE(words(turn->message), std::string("Hello there\u00e9"));
        QVERIFY(turn->stop == StopReason::EndOfTurn);
        QVERIFY(turn->usage == (Usage{25, 100, 3, 15}));
        QVERIFY(turn->message.role == Role::Assistant && thoughts.empty());
    }

    void callsWithTheirInputInPieces() {
        const auto [turn, thoughts] =
            read({kStart, kTextStart, textBlock(0, "I look."), kTextStop, toolStart(1, "toolu_1", "read"), toolInput(1, ""),
                  toolInput(1, j("{'path': 'a")), toolInput(1, j(".txt'}")), stop(1), toolStart(2, "toolu_2", "list"), stop(2),
                  toolStart(3, "toolu_3", "write it"), toolInput(3, j("{'a': ")), stop(3), ending("tool_use"), kStop});
        QVERIFY(turn.has_value());
        QCOMPARE(words(turn->message), (j("I look.|call toolu_1 read {'path':'a.txt'}|call toolu_2 list {}|call toolu_3 write_it {} !")));
        QVERIFY(turn->stop == StopReason::ToolUse);
    }

    void anInputThatComesAtOnce() {
        const auto [turn, thoughts] = read(
            {kStart, j("{'type':'content_block_start','index':0,'content_block':{'type':'tool_use','id':'a','name':'b','input':{'c':1}}}"),
             stop(0), ending("tool_use"), kStop});
        QCOMPARE(words(turn->message), (j("call a b {'c':1}")));
    }

    void inputThatIsNoObject_data() {
        QTest::addColumn<QString>("json");
        for (const char* json : {"[1]", "null", "\"text\"", "{\"a\":1,\"a\":2}", "{} {}", "{\"a\":1e999}", "<xml>"}) {
            QTest::newRow(json) << json;
        }
    }
    void inputThatIsNoObject() {
        QFETCH(QString, json);
        const auto [turn, thoughts] =
            read({kStart, toolStart(0, "a", "b"), toolInput(0, json.toStdString()), stop(0), ending("tool_use"), kStop});
        const auto& use = std::get<ToolUse>(turn->message.parts.front());
        QVERIFY(!use.problem.empty() && use.input.empty());
    }

    void sealedThoughtsAreKeptAsTheyCame() {
        const auto [turn, thoughts] =
            read({kStart, j("{'type':'content_block_start','index':0,'content_block':{'type':'thinking','thinking':'','signature':''}}"),
                  j("{'type':'content_block_delta','index':0,'delta':{'type':'thinking_delta','thinking':'So '}}"),
                  j("{'type':'content_block_delta','index':0,'delta':{'type':'thinking_delta','thinking':'what'}}"),
                  j("{'type':'content_block_delta','index':0,'delta':{'type':'signature_delta','signature':'EqQ='}}"), stop(0),
                  j("{'type':'content_block_start','index':1,'content_block':{'type':'redacted_thinking','data':'xyz'}}"), stop(1),
                  toolStart(2, "a", "b"), stop(2), ending("tool_use"), kStop});
        QVERIFY(turn.has_value());
        QCOMPARE(words(turn->message), (j("sealed anthropic {'type':'thinking','thinking':'So what','signature':'EqQ='}|sealed anthropic "
                                          "{'type':'redacted_thinking','data':'xyz'}|call a b {}")));
        QCOMPARE(thoughts, std::string("So what"));
    }

    void thoughtsWithoutASealAreNotSentBack() {
        const auto [turn, thoughts] =
            read({kStart, j("{'type':'content_block_start','index':0,'content_block':{'type':'thinking','thinking':'hm'}}"), stop(0),
                  toolStart(1, "a", "b"), stop(1), ending("tool_use"), kStop});
        QCOMPARE(words(turn->message), std::string("call a b {}"));
        QCOMPARE(thoughts, std::string("hm"));
    }

    void whatIsNotKnownIsPassedOver() {
        const auto [turn, thoughts] =
            read({kStart, j("{'type':'something_new','index':'x'}"),
                  j("{'type':'content_block_start','index':0,'content_block':{'type':'server_tool_use','id':7}}"),
                  j("{'type':'content_block_delta','index':0,'delta':{'type':'input_json_delta','partial_json':'{'}}"), stop(0),
                  j("{'type':'content_block_start','index':1,'content_block':{'type':'text','text':'o'}}"),
                  j("{'type':'content_block_delta','index':1,'delta':{'type':'citations_delta','citation':{}}}"), textBlock(1, "k"),
                  stop(1), ending("a_new_reason"), kStop});
        QVERIFY2(turn.has_value(), turn ? "" : turn.error().error.text().c_str());
        QCOMPARE(words(turn->message), std::string("ok"));
        QVERIFY(turn->stop == StopReason::Other);
    }

    void howATurnEnds_data() {
        QTest::addColumn<QByteArray>("word");
        QTest::addColumn<int>("reason");
        const auto row = [](const char* word, StopReason reason) { QTest::newRow(word) << QByteArray(word) << int(reason); };
        row("end_turn", StopReason::EndOfTurn);
        row("stop_sequence", StopReason::EndOfTurn);
        row("tool_use", StopReason::ToolUse);
        row("max_tokens", StopReason::MaxTokens);
        row("model_context_window_exceeded", StopReason::WindowFull);
        row("refusal", StopReason::Refusal);
        row("pause_turn", StopReason::Other);
    }
    void howATurnEnds() {
        QFETCH(QByteArray, word);
        QFETCH(int, reason);
        const auto [turn, thoughts] = read({kStart, kTextStart, textBlock(0, "x"), kTextStop, ending(word.constData()), kStop});
        QCOMPARE(int(turn->stop), reason);
    }

    void anEmptyTurn() {
        const auto [turn, thoughts] = read({kStart, ending("end_turn"), kStop});
        QVERIFY(!turn && turn.error().kind == FailureKind::Empty && !turn.error().error.hint.empty());
        const auto blank = read({kStart, kTextStart, textBlock(0, " \n"), kTextStop, ending("end_turn"), kStop});
        QVERIFY(!blank.turn && blank.turn.error().kind == FailureKind::Empty);
        QVERIFY(read({kStart, ending("max_tokens"), kStop}).turn.has_value()); // all of it went into thoughts
    }

    void aStreamThatIsCut() {
        const std::vector<std::string> whole{kStart, kTextStart, textBlock(0, "Hello"), kTextStop, ending("end_turn"), kStop};
        for (std::size_t count = 0; count < whole.size(); ++count) {
            const auto [turn, thoughts] = read({whole.begin(), whole.begin() + std::ptrdiff_t(count)});
            QVERIFY(!turn && turn.error().kind == FailureKind::Dropped);
        }
        QVERIFY(read(whole).turn.has_value());
    }

    void anErrorWithin_data() {
        QTest::addColumn<QByteArray>("error");
        QTest::addColumn<int>("kind");
        QTest::addColumn<QByteArray>("holds");
        QTest::newRow("overloaded") << QByteArray::fromStdString(
                                           j("{'type':'error','error':{'type':'overloaded_error','message':'Overloaded'}}"))
                                    << int(FailureKind::Busy) << QByteArray("says: Overloaded");
        QTest::newRow("rate") << QByteArray::fromStdString(j("{'type':'error','error':{'type':'rate_limit_error','message':'slow'}}"))
                              << int(FailureKind::Busy) << QByteArray("fewer requests");
        QTest::newRow("api") << QByteArray::fromStdString(j("{'type':'error','error':{'type':'api_error','message':'x'}}"))
                             << int(FailureKind::Busy) << QByteArray("failed");
        QTest::newRow("key") << QByteArray::fromStdString(j("{'type':'error','error':{'type':'authentication_error','message':'x'}}"))
                             << int(FailureKind::Rejected) << QByteArray("key");
        QTest::newRow("without a word") << QByteArray::fromStdString(j("{'type':'error'}")) << int(FailureKind::Rejected)
                                        << QByteArray("provider");
    }
    void anErrorWithin() {
        QFETCH(QByteArray, error);
        QFETCH(int, kind);
        QFETCH(QByteArray, holds);
        const auto [turn, thoughts] = read({kStart, error.toStdString(), kStop});
        QVERIFY(!turn);
        QCOMPARE(int(turn.error().kind), kind);
        QVERIFY2(turn.error().error.message.find(holds.toStdString()) != std::string::npos, turn.error().error.message.c_str());
        QVERIFY(!turn.error().error.hint.empty());
    }

    void whatIsMalformed_data() {
        QTest::addColumn<QByteArray>("line");
        for (const auto& line : std::vector<std::string>{
                 "{", "[]", "{\"type\":7}", "{\"type\":\"message_start\"}", j("{'type':'content_block_start','index':0}"),
                 j("{'type':'content_block_start','index':-1,'content_block':{'type':'text'}}"),
                 j("{'type':'content_block_start','index':1,'content_block':{'type':'tool_use','name':'x'}}"),
                 j("{'type':'content_block_start','index':1,'content_block':{'type':'tool_use','id':'x'}}"),
                 j("{'type':'content_block_start','index':0,'content_block':{'type':'text'}}"),
                 j("{'type':'content_block_delta','index':5,'delta':{'type':'text_delta','text':'x'}}"),
                 j("{'type':'content_block_delta','index':0,'delta':{'type':'text_delta'}}"),
                 j("{'type':'content_block_delta','index':0,'delta':{'type':'text_delta','text':['x']}}"),
                 j("{'type':'content_block_stop','index':9}"), j("{'type':'message_delta','delta':{'stop_reason':1}}"),
                 j("{'type':'message_delta','usage':{'output_tokens':'many'}}"), "{\"type\":\"ping\",\"a\":\"\xff\"}"}) {
            QTest::newRow(line.c_str()) << QByteArray::fromStdString(line);
        }
    }
    void whatIsMalformed() {
        QFETCH(QByteArray, line);
        const auto [turn, thoughts] =
            read({kStart, kTextStart, line.toStdString(), textBlock(0, "x"), kTextStop, ending("end_turn"), kStop});
        QVERIFY(!turn);
        QVERIFY(turn.error().kind == FailureKind::Malformed);
        QVERIFY(turn.error().error.code == ErrorCode::Malformed && turn.error().error.cause && !turn.error().error.hint.empty());
    }

    void aTurnIsBounded() {
        const auto of = [](TurnLimits limits, const std::vector<std::string>& lines) {
            return readTurn(kCodec, events(lines), limits).turn;
        };
        const std::vector<std::string> spoken{kStart, kTextStart, textBlock(0, "12345"), textBlock(0, "678"), kTextStop, ending("end_turn"),
                                              kStop};
        QVERIFY(of({.bytes = 8}, spoken).has_value());
        QVERIFY(of({.bytes = 7}, spoken).error().kind == FailureKind::TooMuch);
        const std::vector<std::string> called{kStart,
                                              toolStart(0, "a", "b"),
                                              toolInput(0, j("{'c':")),
                                              toolInput(0, "1}"),
                                              stop(0),
                                              toolStart(1, "d", "e"),
                                              stop(1),
                                              ending("tool_use"),
                                              kStop};
        QVERIFY(of({.toolInput = 7, .tools = 2}, called).has_value());
        QVERIFY(of({.toolInput = 6}, called).error().kind == FailureKind::TooMuch);
        QVERIFY(of({.tools = 1}, called).error().kind == FailureKind::TooMuch);
        QVERIFY(of({.bytes = 10}, called).error().kind == FailureKind::TooMuch);
        const std::vector<std::string> thought{
            kStart, j("{'type':'content_block_start','index':0,'content_block':{'type':'thinking','thinking':'123456789'}}"), stop(0),
            ending("max_tokens"), kStop};
        QVERIFY(of({.bytes = 9}, thought).has_value());
        QVERIFY(of({.bytes = 8}, thought).error().kind == FailureKind::TooMuch);
    }
};

QTEST_GUILESS_MAIN(TestAnthropicCodec)
#include "test_anthropic_codec.moc"
