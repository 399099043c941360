// SPDX-License-Identifier: Apache-2.0
// Chat completions, as OpenAI and as other servers speak them.
#include "guest/agent/chat_codec.h"
#include "guest/protocol/strict_json.h"
#include "tests/guest/agent/turn_words.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

namespace {

const ChatCodec kCodec;

QString qj(const char* text) {
    return QString::fromStdString(j(text));
}

std::string quoted(const std::string& text) {
    return boost::json::serialize(boost::json::value(text));
}
std::string chunk(const std::string& delta, const std::string& finish = "null") {
    return j("{'id':'c','object':'chat.completion.chunk','created':1,'model':'m','choices':[{'index':0,'delta':") + delta +
           j(",'logprobs':null,'finish_reason':") + finish + j("}],'usage':null}");
}
std::string said(const std::string& text) {
    return chunk(j("{'content':") + quoted(text) + "}");
}
const std::string kUsage = j("{'id':'c','object':'chat.completion.chunk','choices':[],'usage':{'prompt_tokens':100,'completion_tokens':7,'"
                             "total_tokens':107,'prompt_tokens_details':{'cached_tokens':60}}}");
const std::string kDone = "[DONE]";

Read read(const std::vector<std::string>& lines) {
    return readTurn(kCodec, events(lines));
}

} // namespace

class TestChatCodec : public QObject {
    Q_OBJECT
private slots:
    void aRequest() {
        const std::vector<Message> messages{
            {Role::User, {Text{"sort them"}, Text{"by date"}}},
            {Role::Assistant,
             {Sealed{"anthropic", {{"x", 1}}}, Text{"I look."}, ToolUse{"t1", "list", {{"path", "."}}, {}},
              ToolUse{"t2", "fly", {}, "no"}}},
            {Role::User, {ToolResult{"t1", "a\nb", false}, ToolResult{"t2", "there is none", true}, Text{"and hurry"}}},
            {Role::Assistant, {ToolUse{"t3", "list", {}, {}}}},
            {Role::User, {ToolResult{"t3", "", false}}},
            {Role::Assistant, {Sealed{"anthropic", {{"x", 1}}}}}};
        const std::vector<ToolSpec> tools{{"list", "Lists a folder.", {{"type", "object"}}}};
        const auto body = parseJson(kCodec.body({"some-model", "Be brief.", messages, tools, 4096}));
        const auto wanted =
            parseJson(j("{ "
                        "'model': 'some-model', 'max_tokens': 4096, 'stream': true, 'stream_options': {'include_usage': true}, "
                        "'tools': [{'type': 'function', 'function': {'name': 'list', 'description': 'Lists a folder.', 'parameters': "
                        "{'type': 'object'}}}], "
                        "'messages': [ "
                        "{'role': 'system', 'content': 'Be brief.'}, "
                        "{'role': 'user', 'content': 'sort them\\n\\nby date'}, "
                        "{'role': 'assistant', 'content': 'I look.', 'tool_calls': [ "
                        "{'id': 't1', 'type': 'function', 'function': {'name': 'list', 'arguments': '{^path^:^.^}'}}, "
                        "{'id': 't2', 'type': 'function', 'function': {'name': 'fly', 'arguments': '{}'}}]}, "
                        "{'role': 'tool', 'tool_call_id': 't1', 'content': 'a\\nb'}, "
                        "{'role': 'tool', 'tool_call_id': 't2', 'content': 'Error: there is none'}, "
                        "{'role': 'user', 'content': 'and hurry'}, "
                        "{'role': 'assistant', 'content': null, 'tool_calls': [{'id': 't3', 'type': 'function', 'function': {'name': "
                        "'list', 'arguments': '{}'}}]}, "
                        "{'role': 'tool', 'tool_call_id': 't3', 'content': ''}]}"));
        QVERIFY(body && wanted);
        QVERIFY2(*body == *wanted, boost::json::serialize(*body).c_str());
        const auto other = parseJsonObject(ChatCodec(LimitWord::MaxCompletionTokens).body({"m", "", messages, {}, 1}));
        QVERIFY(other && other->contains("max_completion_tokens") && !other->contains("max_tokens") && !other->contains("tools"));
        QVERIFY(kCodec.headers("").empty());
        QCOMPARE(kCodec.headers("k").front().second, std::string("Bearer k"));
    }

    void aTurnOfWords() {
        const auto [turn, thoughts] = read({chunk(j("{'role':'assistant','content':'','refusal':null}")), said("Hel"), said("lo"),
                                            chunk("{}", "\"stop\""), kUsage, kDone, "no JSON"});
        QVERIFY2(turn.has_value(), turn ? "" : turn.error().error.text().c_str());
        QCOMPARE(words(turn->message), std::string("Hello"));
        QVERIFY(turn->stop == StopReason::EndOfTurn && thoughts.empty());
        QVERIFY(turn->usage == (Usage{40, 60, 0, 7}));
    }

    void callsByTheirIndex() {
        const auto [turn, thoughts] =
            read({said("I look."),
                  chunk(j("{'tool_calls':[{'index':0,'id':'call_a','type':'function','function':{'name':'read','arguments':''}}]}")),
                  chunk(j("{'tool_calls':[{'index':0,'function':{'arguments':'{^p^'}}]}")),
                  chunk(j("{'tool_calls':[{'index':1,'id':'call_b','type':'function','function':{'name':'list','arguments':'{'}},{'index':"
                          "0,'function':{'arguments':':1}'}}]}")),
                  chunk(j("{'tool_calls':[{'index':1,'function':{'arguments':'}'}}]}")), chunk("{}", "\"tool_calls\""), kDone});
        QVERIFY(turn.has_value());
        QCOMPARE(words(turn->message), (j("I look.|call call_a read {'p':1}|call call_b list {}")));
        QVERIFY(turn->stop == StopReason::ToolUse);
    }

    void callsOfOtherServers_data() {
        QTest::addColumn<QStringList>("deltas");
        QTest::addColumn<QByteArray>("calls");
        QTest::newRow("each whole, all with index 0")
            << QStringList{qj("{'tool_calls':[{'index':0,'id':'a','function':{'name':'read','arguments':'{^p^:1}'}}]}"),
                           qj("{'tool_calls':[{'index':0,'id':'b','function':{'name':'read','arguments':'{^p^:2}'}}]}")}
            << QByteArray::fromStdString(j("call a read {'p':1}|call b read {'p':2}"));
        QTest::newRow("without an index") << QStringList{qj("{'tool_calls':[{'id':'a','function':{'name':'read','arguments':'{^p^:1}'}},{'"
                                                            "id':'b','function':{'name':'read','arguments':'{}'}}]}")}
                                          << QByteArray::fromStdString(j("call a read {'p':1}|call b read {}"));
        QTest::newRow("without an index, in pieces")
            << QStringList{qj("{'tool_calls':[{'id':'a','function':{'name':'read','arguments':'{^p^:'}}]}"),
                           qj("{'tool_calls':[{'function':{'arguments':'1}'}}]}")}
            << QByteArray::fromStdString(j("call a read {'p':1}"));
        QTest::newRow("without an id") << QStringList{qj("{'tool_calls':[{'index':0,'function':{'name':'read','arguments':'{}'}},{'index':"
                                                         "1,'function':{'name':'list','arguments':'{}'}}]}")}
                                       << QByteArray("call  read {}|call  list {}");
        QTest::newRow("another id with each piece")
            << QStringList{qj("{'tool_calls':[{'index':0,'id':'a','function':{'name':'read','arguments':'{^p^'}}]}"),
                           qj("{'tool_calls':[{'index':0,'id':'z','function':{'name':'','arguments':':1}'}}]}")}
            << QByteArray::fromStdString(j("call a read {'p':1}"));
        QTest::newRow("the name with each piece")
            << QStringList{qj("{'tool_calls':[{'index':0,'id':'a','function':{'name':'read','arguments':'{^p^'}}]}"),
                           qj("{'tool_calls':[{'index':0,'id':'a','function':{'name':'read','arguments':':1}'}}]}")}
            << QByteArray::fromStdString(j("call a read {'p':1}"));
        QTest::newRow("arguments as an object")
            << QStringList{qj("{'tool_calls':[{'index':0,'id':'a','function':{'name':'read','arguments':{'p':1}}}]}")}
            << QByteArray::fromStdString(j("call a read {'p':1}"));
        QTest::newRow("no arguments") << QStringList{qj(
                                             "{'tool_calls':[{'index':0,'id':'a','function':{'name':'read','arguments':null}}]}")}
                                      << QByteArray("call a read {}");
        QTest::newRow("no JSON") << QStringList{qj("{'tool_calls':[{'index':0,'id':'a','function':{'name':'','arguments':'p=1'}}]}")}
                                 << QByteArray("call a unnamed {} !");
    }
    void callsOfOtherServers() {
        QFETCH(QStringList, deltas);
        QFETCH(QByteArray, calls);
        std::vector<std::string> lines;
        for (const auto& delta : deltas) {
            lines.push_back(chunk(delta.toStdString()));
        }
        lines.push_back(chunk("{}", "\"stop\"")); // as some say it
        const auto [turn, thoughts] = read(lines);
        QVERIFY2(turn.has_value(), turn ? "" : turn.error().error.text().c_str());
        QCOMPARE(QByteArray::fromStdString(words(turn->message)), calls);
        QVERIFY(turn->stop == StopReason::ToolUse);
    }

    void thoughtsAreShownAndNotKept() {
        const auto [turn, thoughts] = read({chunk(j("{'reasoning_content':'so ','content':null}")), chunk(j("{'reasoning':'what'}")),
                                            said("ok"), chunk("{}", "\"stop\""), kDone});
        QCOMPARE(words(turn->message), std::string("ok"));
        QCOMPARE(thoughts, std::string("so what"));
    }

    void howATurnEnds_data() {
        QTest::addColumn<QByteArray>("word");
        QTest::addColumn<int>("reason");
        const auto row = [](const char* word, StopReason reason) { QTest::newRow(word) << QByteArray(word) << int(reason); };
        row("\"stop\"", StopReason::EndOfTurn);
        row("\"length\"", StopReason::MaxTokens);
        row("\"content_filter\"", StopReason::Refusal);
        row("\"eos\"", StopReason::Other);
    }
    void howATurnEnds() {
        QFETCH(QByteArray, word);
        QFETCH(int, reason);
        const auto [turn, thoughts] = read({said("x"), chunk("{}", word.toStdString())});
        QCOMPARE(int(turn->stop), reason);
        QCOMPARE(int(read({chunk(j("{'refusal':'I will not'}")), chunk("{}", "\"stop\"")}).turn->stop), int(StopReason::Refusal));
    }

    void theEnd() {
        QVERIFY(read({said("x"), chunk("{}", "\"stop\"")}).turn.has_value()); // no [DONE]
        QVERIFY(read({said("x"), kDone}).turn.has_value());                   // no reason
        QVERIFY(read({said("x")}).turn.error().kind == FailureKind::Dropped);
        QVERIFY(read({}).turn.error().kind == FailureKind::Dropped);
        QVERIFY(read({chunk("{}", "\"stop\""), kDone}).turn.error().kind == FailureKind::Empty);
        QVERIFY(read({kDone}).turn.error().kind == FailureKind::Empty);
        QVERIFY(!kCodec.reader()->isOver());
    }

    void whatIsNotKnownIsPassedOver() {
        const auto [turn, thoughts] =
            readTurn(kCodec, "event: something\ndata: new\n\n" +
                                 events({j("{'object':'other'}"), j("{'choices':null,'x':1}"),
                                         j("{'choices':[{'index':1,'delta':{'content':'another'}}]}"), said("ok"), kDone}));
        QVERIFY(turn.has_value());
        QCOMPARE(words(turn->message), std::string("ok"));
    }

    void anErrorWithin_data() {
        QTest::addColumn<QByteArray>("stream");
        QTest::addColumn<int>("kind");
        QTest::newRow("vLLM") << QByteArray::fromStdString(j("{'error':{'message':'no memory','type':'InternalServerError','code':500}}"))
                              << int(FailureKind::Busy);
        QTest::newRow("llama.cpp")
            << QByteArray::fromStdString(j(
                   "{'error':{'code':400,'message':'the request exceeds the available context size','type':'exceed_context_size_error'}}"))
            << int(FailureKind::Rejected);
        QTest::newRow("a sentence") << QByteArray::fromStdString(j("{'error':'an error was encountered'}")) << int(FailureKind::Busy);
        QTest::newRow("OpenAI") << QByteArray::fromStdString(j("{'error':{'message':'x','type':'server_error','param':null,'code':null}}"))
                                << int(FailureKind::Busy);
        QTest::newRow("money") << QByteArray::fromStdString(
                                      j("{'error':{'message':'x','type':'insufficient_quota','code':'insufficient_quota'}}"))
                               << int(FailureKind::Rejected);
    }
    void anErrorWithin() {
        QFETCH(QByteArray, stream);
        QFETCH(int, kind);
        const auto [turn, thoughts] = read({said("x"), stream.toStdString(), kDone});
        QVERIFY(!turn && !turn.error().error.hint.empty());
        QCOMPARE(int(turn.error().kind), kind);
        const auto named = readTurn(kCodec, "event: error\ndata: " + stream.toStdString() + "\n\n").turn;
        QCOMPARE(int(named.error().kind), kind);
    }

    void whatIsMalformed_data() {
        QTest::addColumn<QByteArray>("line");
        for (const auto& line :
             std::vector<std::string>{"{", "[]", "DONE", j("{'choices':{}}"), j("{'choices':[1]}"), j("{'choices':[{'index':'0'}]}"),
                                      j("{'choices':[{'delta':[]}]}"), j("{'choices':[{'delta':{'content':[{'type':'text'}]}}]}"),
                                      j("{'choices':[{'delta':{'tool_calls':{}}}]}"), j("{'choices':[{'delta':{'tool_calls':['x']}}]}"),
                                      j("{'choices':[{'delta':{'tool_calls':[{'index':-1}]}}]}"),
                                      j("{'choices':[{'delta':{'tool_calls':[{'function':{'arguments':7}}]}}]}"),
                                      j("{'choices':[{'finish_reason':1}]}"), j("{'choices':[],'usage':{'prompt_tokens':-1}}")}) {
            QTest::newRow(line.c_str()) << QByteArray::fromStdString(line);
        }
    }
    void whatIsMalformed() {
        QFETCH(QByteArray, line);
        const auto [turn, thoughts] = read({said("x"), line.toStdString(), chunk("{}", "\"stop\""), kDone});
        QVERIFY(!turn);
        QVERIFY(turn.error().kind == FailureKind::Malformed && !turn.error().error.hint.empty());
    }
};

QTEST_GUILESS_MAIN(TestChatCodec)
#include "test_chat_codec.moc"
