// SPDX-License-Identifier: Apache-2.0
// What the model server answers as Anthropic's Messages API, to the byte.
#include "tests/support/model_server/raw_client.h"

#include <QTest>

using namespace carrel;
using namespace carrel::test::model;

namespace {

std::string sse(const std::string& type, const std::string& rest) {
    return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + rest + "}\n\n";
}
std::string started(int number, const std::string& usage = q("{'input_tokens':100,'cache_creation_input_tokens':0,'cache_read_input_tokens':0,'output_tokens':1}")) {
    return sse("message_start", q(",'message':{'id':'msg_000") + std::to_string(number) +
                                      q("','type':'message','role':'assistant','model':'m','content':[],'stop_reason':null,'stop_sequence':null,'stop_details':null,'usage':") + usage + "}");
}
const std::string kPing = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
std::string textStart(int index) {
    return sse("content_block_start", ",\"index\":" + std::to_string(index) + q(",'content_block':{'type':'text','text':''}"));
}
std::string text(int index, const std::string& said) {
    return sse("content_block_delta", ",\"index\":" + std::to_string(index) + q(",'delta':{'type':'text_delta','text':'") + said + "\"}");
}
std::string toolStart(int index, const std::string& id, const std::string& name) {
    return sse("content_block_start", ",\"index\":" + std::to_string(index) + q(",'content_block':{'type':'tool_use','id':'") + id + q("','name':'") + name + q("','input':{},'caller':{'type':'direct'}}"));
}
std::string input(int index, const std::string& escaped) {
    return sse("content_block_delta", ",\"index\":" + std::to_string(index) + q(",'delta':{'type':'input_json_delta','partial_json':'") + escaped + "\"}");
}
std::string blockStop(int index) {
    return sse("content_block_stop", ",\"index\":" + std::to_string(index));
}
std::string ended(const std::string& stop, const std::string& usage = q("{'input_tokens':100,'cache_creation_input_tokens':0,'cache_read_input_tokens':0,'output_tokens':10}")) {
    return sse("message_delta", q(",'delta':{'stop_reason':'") + stop + q("','stop_sequence':null,'stop_details':null},'usage':") + usage) + sse("message_stop", "");
}
std::string errorOf(const std::string& type, const std::string& message) {
    return q("{'type':'error','error':{'type':'") + type + q("','message':'") + message + q("'},'request_id':'req_0001'}");
}

} // namespace

class TestAnthropic : public QObject {
    Q_OBJECT
private slots:
    void allBytesOfAResponse() {
        const auto server = serverOf(saying(q("{'text':'Hi'}")));
        RawClient client(server->port());
        client.send(requestOf("POST /v1/messages", std::string(kAnthropicHeaders) + "Connection: close\r\n", kHelloStreamed));
        std::string expected = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
                               "request-id: req_0001\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (const auto& one : {started(1), textStart(0), kPing, text(0, "Hi"), blockStop(0), ended("end_turn").substr(0, ended("end_turn").find("event: message_stop")),
                                sse("message_stop", "")}) {
            char size[20];
            (void)std::snprintf(size, sizeof size, "%zx\r\n", one.size());
            expected += size + one + "\r\n";
        }
        QCOMPARE(client.readToEnd(), expected + "0\r\n\r\n");
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    void streams_data() {
        QTest::addColumn<std::string>("answer");
        QTest::addColumn<std::string>("expected");
        const auto row = [](const char* name, const std::string& answer, const std::string& expected) { QTest::newRow(name) << answer << expected; };
        row("text in pieces", q("'content':[{'text':['Hel','lo']}]"),
            started(1) + textStart(0) + kPing + text(0, "Hel") + text(0, "lo") + blockStop(0) + ended("end_turn"));
        row("two texts", q("'content':[{'text':'a'},{'text':'b'}]"),
            started(1) + textStart(0) + kPing + text(0, "a") + blockStop(0) + textStart(1) + text(1, "b") + blockStop(1) + ended("end_turn"));
        row("a tool in pieces", q("'content':[{'tool':'bash','arguments':['{\\'command\\':','\\'ls\\'}']}]"),
            started(1) + toolStart(0, "toolu_0001", "bash") + kPing + input(0, "") + input(0, q("{\\'command\\':")) + input(0, q("\\'ls\\'}")) + blockStop(0) + ended("tool_use"));
        row("parallel tools after text", q("'content':[{'text':'Now'},{'tool':'read','arguments':{'path':'a'}},{'tool':'read','id':'mine','arguments':{}}]"),
            started(1) + textStart(0) + kPing + text(0, "Now") + blockStop(0) + toolStart(1, "toolu_0001", "read") + input(1, "") + input(1, q("{\\'path\\':\\'a\\'}")) + blockStop(1) +
                toolStart(2, "mine", "read") + input(2, "") + input(2, "{}") + blockStop(2) + ended("tool_use"));
        row("an empty turn", q("'content':[]"), started(1) + kPing + ended("end_turn"));
        row("too long", q("'content':[{'text':'a'}],'stop':'length'"), started(1) + textStart(0) + kPing + text(0, "a") + blockStop(0) + ended("max_tokens"));
        row("a refusal", q("'content':[],'stop':'refusal'"), started(1) + kPing + ended("refusal"));
        row("tools without a call", q("'content':[],'stop':'tools'"), started(1) + kPing + ended("tool_use"));
        row("usage", q("'content':[],'usage':{'input':7,'output':8,'cache_read':9,'cache_write':6}"),
            started(1, q("{'input_tokens':7,'cache_creation_input_tokens':6,'cache_read_input_tokens':9,'output_tokens':1}")) + kPing +
                ended("end_turn", q("{'input_tokens':7,'cache_creation_input_tokens':6,'cache_read_input_tokens':9,'output_tokens':8}")));
        row("an unknown event", q("'content':[{'event':'weather','data':'{\\'type\\':\\'weather\\'}'},{'text':'a'}]"),
            started(1) + "event: weather\ndata: {\"type\":\"weather\"}\n\n" + textStart(0) + kPing + text(0, "a") + blockStop(0) + ended("end_turn"));
        row("malformed JSON", q("'content':[{'event':'content_block_delta','data':'{\\'type\\':'}]"),
            started(1) + "event: content_block_delta\ndata: {\"type\":\n\n" + kPing + ended("end_turn"));
        row("malformed arguments", q("'content':[{'tool':'bash','arguments':'{\\'comm'}]"),
            started(1) + toolStart(0, "toolu_0001", "bash") + kPing + input(0, "") + input(0, q("{\\'comm")) + blockStop(0) + ended("tool_use"));
        row("a comment", q("'content':[{'comment':'busy'}]"), started(1) + ": busy\n\n" + kPing + ended("end_turn"));
        row("an error in the middle", q("'content':[{'text':'a'},{'error':{'type':'overloaded_error','message':'Overloaded'}}]"),
            started(1) + textStart(0) + kPing + text(0, "a") + blockStop(0) + sse("error", q(",'error':{'type':'overloaded_error','message':'Overloaded'}")));
    }
    void streams() {
        QFETCH(std::string, answer);
        QFETCH(std::string, expected);
        const auto server = serverOf("{\"answer\":{" + answer + "}}");
        const auto got = ask(*server, anthropic(kHelloStreamed));
        QCOMPARE(got.status, 200);
        QCOMPARE(got.body, expected);
        QVERIFY(got.whole);
        for (const auto& chunk : got.chunks) { // an event is never waited for because of the next
            QVERIFY(chunk.ends_with("\n\n") && chunk.find("\n\n") == chunk.size() - 2);
        }
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    void whole_data() {
        QTest::addColumn<std::string>("answer");
        QTest::addColumn<std::string>("content");
        QTest::addColumn<std::string>("stop");
        QTest::newRow("text") << q("'content':[{'text':['a','b']},{'text':'c'}]") << q("[{'type':'text','text':'ab'},{'type':'text','text':'c'}]") << std::string("end_turn");
        QTest::newRow("tools") << q("'content':[{'tool':'bash','arguments':['{\\'a\\'',':1}']},{'tool':'read','id':'x','arguments':{}}]")
                               << q("[{'type':'tool_use','id':'toolu_0001','name':'bash','input':{'a':1},'caller':{'type':'direct'}},{'type':'tool_use','id':'x','name':'read','input':{},'caller':{'type':'direct'}}]")
                               << std::string("tool_use");
        QTest::newRow("nothing") << q("'content':[]") << std::string("[]") << std::string("end_turn");
        QTest::newRow("too long") << q("'content':[],'stop':'length'") << std::string("[]") << std::string("max_tokens");
    }
    void whole() {
        QFETCH(std::string, answer);
        QFETCH(std::string, content);
        QFETCH(std::string, stop);
        const auto server = serverOf("{\"answer\":{" + answer + q(",'usage':{'input':3,'output':4}}}"));
        const auto got = ask(*server, anthropic(kHello));
        QCOMPARE(got.status, 200);
        QVERIFY(got.head.find("\r\nContent-Type: application/json\r\n") != std::string::npos);
        QCOMPARE(got.body, q("{'id':'msg_0001','type':'message','role':'assistant','model':'m','content':") + content + q(",'stop_reason':'") + stop +
                               q("','stop_sequence':null,'stop_details':null,'usage':{'input_tokens':3,'cache_creation_input_tokens':0,'cache_read_input_tokens':0,'output_tokens':4}}"));
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    // What only a stream can say fails the scenario, and is not bent into something else.
    void onlyAStreamCanSay_data() {
        QTest::addColumn<std::string>("part");
        QTest::newRow("malformed arguments") << q("{'tool':'bash','arguments':'{'}");
        QTest::newRow("an event") << q("{'data':'{'}");
        QTest::newRow("endless") << q("{'endless':'a'}");
        QTest::newRow("an error") << q("{'error':{'type':'t','message':'m'}}");
        QTest::newRow("a comment") << q("{'comment':'c'}");
    }
    void onlyAStreamCanSay() {
        QFETCH(std::string, part);
        const auto server = serverOf(saying(part));
        QCOMPARE(ask(*server, anthropic(kHello)).status, 400);
        QCOMPARE(server->failures().size(), std::size_t(1));
        QVERIFY(server->failures()[0].find("asks for no stream") != std::string::npos);
    }

    void faults_data() {
        QTest::addColumn<int>("status");
        QTest::addColumn<std::string>("type");
        QTest::addColumn<std::string>("words");
        const auto row = [](int status, const std::string& type, const std::string& words) { QTest::addRow("%d", status) << status << type << words; };
        row(400, "invalid_request_error", "The request is not good");
        row(401, "authentication_error", "The key is not good");
        row(403, "permission_error", "The key may not do this");
        row(404, "not_found_error", "There is no such thing");
        row(413, "request_too_large", "Payload Too Large");
        row(429, "rate_limit_error", "This request would exceed your rate limit");
        row(500, "api_error", "Internal server error");
        row(504, "timeout_error", "Status 504");
        row(529, "overloaded_error", "Overloaded");
    }
    void faults() {
        QFETCH(int, status);
        QFETCH(std::string, type);
        QFETCH(std::string, words);
        const auto number = std::to_string(status);
        const auto server = serverOf(q("{'fault':{'status':") + number + q(",'retry_after':'2'}},{'fault':{'status':") + number + q(",'message':'Go away'}}"));
        const auto plain = ask(*server, anthropic(kHelloStreamed));
        QCOMPARE(plain.status, status);
        QCOMPARE(plain.body, errorOf(type, words));
        QVERIFY(plain.head.find("\r\nRetry-After: 2\r\n") != std::string::npos);
        QVERIFY(plain.head.find("\r\nrequest-id: req_0001\r\n") != std::string::npos);
        const auto own = ask(*server, anthropic(kHello));
        QVERIFY(own.body.find("\"Go away\"") != std::string::npos && own.head.find("Retry-After") == std::string::npos);
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    void aBodyOfSomebodyElse() {
        const auto server = serverOf(q("{'fault':{'status':502,'body':'<html>Bad Gateway</html>'}},{'fault':{'status':200,'body':'{\\'id\\':'}}"));
        const auto page = ask(*server, anthropic(kHello));
        QCOMPARE(page.status, 502);
        QVERIFY(page.head.find("\r\nContent-Type: text/html\r\n") != std::string::npos);
        QCOMPARE(page.body, std::string("<html>Bad Gateway</html>"));
        const auto half = ask(*server, anthropic(kHello));
        QCOMPARE(half.status, 200);
        QCOMPARE(half.body, std::string("{\"id\":"));
    }

    void models() {
        const auto server = serverOf("");
        const auto got = ask(*server, requestOf("GET /v1/models?limit=9", kAnthropicHeaders, ""));
        QCOMPARE(got.status, 200);
        QCOMPARE(got.body, q("{'data':[{'type':'model','id':'m','display_name':'m','created_at':'2025-01-01T00:00:00Z','lifecycle':'active','max_input_tokens':200000,'max_tokens':64000}],'has_more':false,'first_id':'m','last_id':'m'}"));
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    void cuts_data() {
        QTest::addColumn<int>("bytes");
        for (const int bytes : {0, 1, 100, 400}) {
            QTest::addRow("%d", bytes) << bytes;
        }
    }
    void cuts() {
        QFETCH(int, bytes);
        const auto count = std::to_string(bytes);
        const auto server = serverOf(q("{'answer':{'content':[{'text':'Hello'}],'cut_after':") + count + q("}},{'answer':{'content':[{'text':'Hello'}],'cut_after':") + count + "}}");
        const auto all = started(1) + textStart(0) + kPing + text(0, "Hello") + blockStop(0) + ended("end_turn");
        const auto streamed = ask(*server, anthropic(kHelloStreamed));
        QCOMPARE(streamed.status, 200);
        QCOMPARE(streamed.body, all.substr(0, std::size_t(bytes)));
        QVERIFY(!streamed.whole);
        QVERIFY(server->waitForDeliveries(1));
        QCOMPARE(server->requests()[0].delivery, Delivery::Cut);
        const auto whole = ask(*server, anthropic(kHello));
        QCOMPARE(whole.whole, bytes == 400); // it is shorter
        QVERIFY(whole.whole || whole.body.size() == std::size_t(bytes));
    }

    void endless() {
        const auto server = serverOf(saying(q("{'endless':'la '}")));
        RawClient client(server->port());
        client.send(anthropic(kHelloStreamed));
        const auto one = text(0, "la ");
        const auto begin = client.readUntil(kPing);
        std::string sized;
        for (int i = 0; i < 1000; ++i) {
            sized += client.readUntil(one);
        }
        QVERIFY(sized.ends_with(one));
        QCOMPARE(server->requests()[0].delivery, Delivery::Underway);
        client.leave();
        QVERIFY(server->waitForDeliveries(1));
        QCOMPARE(server->requests()[0].delivery, Delivery::ClientLeft);
        QCOMPARE(server->failures(), std::vector<std::string>());
    }
};

QTEST_GUILESS_MAIN(TestAnthropic)
#include "test_anthropic.moc"
