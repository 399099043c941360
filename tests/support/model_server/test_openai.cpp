// SPDX-License-Identifier: Apache-2.0
// What the model server answers as OpenAI's chat completions, to the byte.
#include "tests/support/model_server/raw_client.h"

#include <QTest>

using namespace carrel;
using namespace carrel::test::model;

namespace {

const std::string kHead = q("{'id':'chatcmpl-0001','object':'chat.completion.chunk','created':1735689600,'model':'m','choices':[");
std::string line(const std::string& data) {
    return "data: " + data + "\n\n";
}
std::string chunk(const std::string& delta, const std::string& finish = "null", const std::string& usage = "") {
    return line(kHead + q("{'index':0,'delta':") + delta + q(",'logprobs':null,'finish_reason':") + finish + "}]" + usage + "}");
}
const std::string kDone = line("[DONE]");
const std::string kBegin = chunk(q("{'role':'assistant','content':'','refusal':null}"));
const std::string kBeginCalls = chunk(q("{'role':'assistant','content':null,'refusal':null}"));
std::string call(int index, const std::string& id, const std::string& name) {
    return chunk(q("{'tool_calls':[{'index':") + std::to_string(index) + q(",'id':'") + id + q("','type':'function','function':{'name':'") + name + q("','arguments':''}}]}"));
}
std::string arguments(int index, const std::string& escaped) {
    return chunk(q("{'tool_calls':[{'index':") + std::to_string(index) + q(",'function':{'arguments':'") + escaped + q("'}}]}"));
}
std::string text(const std::string& said) {
    return chunk(q("{'content':'") + said + "\"}");
}
std::string ended(const std::string& why) {
    return chunk("{}", "\"" + why + "\"") + kDone;
}

} // namespace

class TestOpenAi : public QObject {
    Q_OBJECT
private slots:
    void streams_data() {
        QTest::addColumn<std::string>("answer");
        QTest::addColumn<std::string>("expected");
        const auto row = [](const char* name, const std::string& answer, const std::string& expected) { QTest::newRow(name) << answer << expected; };
        row("text in pieces", q("'content':[{'text':['Hel','lo']}]"), kBegin + text("Hel") + text("lo") + ended("stop"));
        row("a tool in pieces", q("'content':[{'tool':'bash','arguments':['{\\'command\\':','\\'ls\\'}']}]"),
            kBeginCalls + call(0, "call_0001", "bash") + arguments(0, q("{\\'command\\':")) + arguments(0, q("\\'ls\\'}")) + ended("tool_calls"));
        row("parallel tools after text", q("'content':[{'text':'Now'},{'tool':'read','arguments':{'path':'a'}},{'tool':'read','id':'mine','arguments':{}}]"),
            kBegin + text("Now") + call(0, "call_0001", "read") + arguments(0, q("{\\'path\\':\\'a\\'}")) + call(1, "mine", "read") + arguments(1, "{}") + ended("tool_calls"));
        row("an empty turn", q("'content':[]"), kBegin + ended("stop"));
        row("too long", q("'content':[{'text':'a'}],'stop':'length'"), kBegin + text("a") + ended("length"));
        row("a refusal", q("'content':[],'stop':'refusal'"), kBegin + ended("content_filter"));
        row("an unknown event", q("'content':[{'event':'weather','data':'{}'},{'text':'a'}]"), kBegin + "event: weather\ndata: {}\n\n" + text("a") + ended("stop"));
        row("malformed JSON", q("'content':[{'data':'{\\'id\\':'}]"), kBegin + line("{\"id\":") + ended("stop"));
        row("malformed arguments", q("'content':[{'tool':'bash','arguments':'{\\'comm'}]"), kBeginCalls + call(0, "call_0001", "bash") + arguments(0, q("{\\'comm")) + ended("tool_calls"));
        row("a comment", q("'content':[{'comment':'busy'}]"), kBegin + ": busy\n\n" + ended("stop"));
        row("an error in the middle", q("'content':[{'text':'a'},{'error':{'type':'server_error','message':'Broken'}}]"),
            kBegin + text("a") + line(q("{'error':{'message':'Broken','type':'server_error','param':null,'code':null}}")));
    }
    void streams() {
        QFETCH(std::string, answer);
        QFETCH(std::string, expected);
        const auto server = serverOf("{\"answer\":{" + answer + "}}");
        const auto got = ask(*server, openAi(kHelloStreamed));
        QCOMPARE(got.status, 200);
        QVERIFY(got.head.find("\r\nContent-Type: text/event-stream; charset=utf-8\r\n") != std::string::npos);
        QVERIFY(got.head.find("\r\nx-request-id: req_0001\r\n") != std::string::npos);
        QCOMPARE(got.body, expected);
        QVERIFY(got.whole);
        for (const auto& one : got.chunks) {
            QVERIFY(one.ends_with("\n\n") && one.find("\n\n") == one.size() - 2);
        }
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    // The last chunk has it, the others a null for it; and nobody has it who did not ask.
    void usageOfAStream() {
        const auto server = serverOf(q("{'answer':{'content':[{'text':'a'}],'usage':{'input':5,'output':6,'cache_read':7,'cache_write':1}}}"));
        const auto got = ask(*server, openAi(q("{'model':'m','stream':true,'stream_options':{'include_usage':true},'messages':[{'role':'user','content':'x'}]}")));
        const std::string null = ",\"usage\":null";
        QCOMPARE(got.body, chunk(q("{'role':'assistant','content':'','refusal':null}"), "null", null) + chunk(q("{'content':'a'}"), "null", null) + chunk("{}", "\"stop\"", null) +
                               line(kHead + q("],'usage':{'prompt_tokens':13,'completion_tokens':6,'total_tokens':19,'prompt_tokens_details':{'cached_tokens':7}}}")) + kDone);
    }

    void whole_data() {
        QTest::addColumn<std::string>("answer");
        QTest::addColumn<std::string>("message");
        QTest::addColumn<std::string>("stop");
        QTest::newRow("text") << q("'content':[{'text':['a','b']},{'text':'c'}]") << q("{'role':'assistant','content':'abc','refusal':null}") << std::string("stop");
        QTest::newRow("tools") << q("'content':[{'tool':'bash','arguments':['{\\'a\\'',':1}']},{'tool':'read','id':'x','arguments':'{'}]")
                               << q("{'role':'assistant','content':null,'refusal':null,'tool_calls':[{'id':'call_0001','type':'function','function':{'name':'bash','arguments':'{\\'a\\':1}'}},"
                                     "{'id':'x','type':'function','function':{'name':'read','arguments':'{'}}]}")
                               << std::string("tool_calls");
        QTest::newRow("nothing") << q("'content':[]") << q("{'role':'assistant','content':'','refusal':null}") << std::string("stop");
    }
    void whole() {
        QFETCH(std::string, answer);
        QFETCH(std::string, message);
        QFETCH(std::string, stop);
        const auto server = serverOf("{\"answer\":{" + answer + q(",'usage':{'input':3,'output':4}}}"));
        const auto got = ask(*server, openAi(kHello));
        QCOMPARE(got.status, 200);
        QCOMPARE(got.body, q("{'id':'chatcmpl-0001','object':'chat.completion','created':1735689600,'model':'m','choices':[{'index':0,'message':") + message +
                               q(",'logprobs':null,'finish_reason':'") + stop +
                               q("'}],'usage':{'prompt_tokens':3,'completion_tokens':4,'total_tokens':7,'prompt_tokens_details':{'cached_tokens':0}}}"));
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    void onlyAStreamCanSay() {
        const auto server = serverOf(saying(q("{'data':'{'}")));
        QCOMPARE(ask(*server, openAi(kHello)).status, 400);
        QVERIFY(server->failures()[0].find("asks for no stream") != std::string::npos);
    }

    void faults_data() {
        QTest::addColumn<int>("status");
        QTest::addColumn<std::string>("type");
        QTest::addColumn<std::string>("code");
        const auto row = [](int status, const std::string& type, const std::string& code) { QTest::addRow("%d", status) << status << type << code; };
        row(400, "invalid_request_error", "null");
        row(401, "invalid_request_error", "\"invalid_api_key\"");
        row(403, "invalid_request_error", "null");
        row(404, "invalid_request_error", "null");
        row(429, "requests", "\"rate_limit_exceeded\"");
        row(500, "server_error", "null");
        row(503, "server_error", "null");
    }
    void faults() {
        QFETCH(int, status);
        QFETCH(std::string, type);
        QFETCH(std::string, code);
        const auto number = std::to_string(status);
        const auto server = serverOf(q("{'fault':{'status':") + number + q(",'message':'No','retry_after':'2'}},{'fault':{'status':") + number + q(",'message':'No','code':'own'}}"));
        const auto plain = ask(*server, openAi(kHelloStreamed));
        QCOMPARE(plain.status, status);
        QCOMPARE(plain.body, q("{'error':{'message':'No','type':'") + type + q("','param':null,'code':") + code + "}}");
        QVERIFY(plain.head.find("\r\nRetry-After: 2\r\n") != std::string::npos);
        QVERIFY(ask(*server, openAi(kHello)).body.ends_with(q("'code':'own'}}")));
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    void cut() {
        const auto server = serverOf(q("{'answer':{'content':[{'text':'Hello'}],'cut_after':250}}"));
        const auto got = ask(*server, openAi(kHelloStreamed));
        QCOMPARE(got.body, (kBegin + text("Hello")).substr(0, 250));
        QVERIFY(!got.whole);
    }

    void endless() {
        const auto server = serverOf(saying(q("{'text':'so '},{'endless':'la '}")));
        RawClient client(server->port());
        client.send(openAi(kHelloStreamed));
        QVERIFY(client.readUntil(text("so ")).ends_with(text("so ")));
        for (int i = 0; i < 1000; ++i) {
            QVERIFY(client.readUntil(text("la ")).ends_with(text("la ")));
        }
        client.leave();
        QVERIFY(server->waitForDeliveries(1));
        QCOMPARE(server->requests()[0].delivery, Delivery::ClientLeft);
    }

    void models() {
        const auto server = serverOf("");
        const auto got = ask(*server, requestOf("GET /v1/models", kOpenAiHeaders, ""));
        QCOMPARE(got.status, 200);
        QCOMPARE(got.body, q("{'object':'list','data':[{'id':'m','object':'model','created':1735689600,'owned_by':'a test'}]}"));
        QCOMPARE(server->failures(), std::vector<std::string>());
    }
};

QTEST_GUILESS_MAIN(TestOpenAi)
#include "test_openai.moc"
