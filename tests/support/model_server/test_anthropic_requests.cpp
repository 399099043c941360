// SPDX-License-Identifier: Apache-2.0
// What the model server takes and refuses as Anthropic's Messages API, in that API's words, and what it sees in a request.
#include "tests/support/model_server/raw_client.h"

#include <QTest>

using namespace carrel;
using namespace carrel::test::model;

namespace {

const std::string kBash = q("{'name':'bash','input_schema':{'type':'object'}}");
// A body of these messages, with the tool bash.
std::string of(const std::string& messages) {
    return q("{'model':'m','max_tokens':9,'tools':[") + kBash + q("],'messages':[") + messages + "]}";
}
std::string user(const std::string& content) {
    return q("{'role':'user','content':") + content + "}";
}
std::string assistant(const std::string& content) {
    return q("{'role':'assistant','content':") + content + "}";
}
std::string use(const std::string& id) {
    return q("{'type':'tool_use','id':'") + id + q("','name':'bash','input':{'command':'ls'}}");
}
std::string result(const std::string& id, const std::string& more = "") {
    return q("{'type':'tool_result','tool_use_id':'") + id + "\"" + more + "}";
}
const std::string kHi = user(q("'hi'"));
const std::string kText = q("{'type':'text','text':'and'}");
std::string with(const std::string& more) {
    return kHello.substr(0, kHello.size() - 1) + "," + more + "}";
}

struct Refused {
    std::string type, message;
};
Refused refusedOf(const RawAnswer& answer) {
    const auto body = boost::json::parse(answer.body).as_object();
    const auto& error = body.at("error").as_object();
    return body.at("type") == "error" ? Refused{std::string(error.at("type").as_string()), std::string(error.at("message").as_string())} : Refused();
}

} // namespace

class TestAnthropicRequests : public QObject {
    Q_OBJECT
private slots:
    void headers_data() {
        QTest::addColumn<std::string>("headers");
        QTest::addColumn<int>("status");
        QTest::addColumn<std::string>("type");
        QTest::addColumn<std::string>("message");
        const auto row = [](const char* name, const std::string& headers, int status, const std::string& type, const std::string& message) {
            QTest::newRow(name) << headers << status << type << message;
        };
        const std::string key = "x-api-key: a-key\r\n";
        const std::string version = "anthropic-version: 2026-10-21\r\n";
        const std::string json = "Content-Type: application/json\r\n";
        row("no key", version + json, 401, "authentication_error", "x-api-key header is required");
        row("a wrong key", "x-api-key: another\r\n" + version + json, 401, "authentication_error", "invalid x-api-key");
        row("a longer key", "x-api-key: a-key-\r\n" + version + json, 401, "authentication_error", "invalid x-api-key");
        row("a wrong token", "Authorization: Bearer another\r\n" + version + json, 401, "authentication_error", "Invalid bearer token");
        row("another scheme", "Authorization: Basic a-key\r\n" + version + json, 401, "authentication_error", "x-api-key header is required");
        row("a wrong key beside a good token", "x-api-key: another\r\nAuthorization: Bearer a-key\r\n" + version + json, 401, "authentication_error", "invalid x-api-key");
        row("no version", key + json, 400, "invalid_request_error", "anthropic-version: header is required");
        row("a wrong version", key + json + "anthropic-version: 2024-01-01\r\n", 400, "invalid_request_error", "anthropic-version: \"2024-01-01\" is not a valid version");
        row("no type", key + version, 400, "invalid_request_error", "content-type: should be application/json");
        row("another type", key + version + "Content-Type: text/plain\r\n", 400, "invalid_request_error", "content-type: should be application/json");
    }
    void headers() {
        QFETCH(std::string, headers);
        QFETCH(int, status);
        QFETCH(std::string, type);
        QFETCH(std::string, message);
        const auto server = serverOf(saying(""));
        const auto got = ask(*server, requestOf("POST /v1/messages", headers, kHello));
        QCOMPARE(got.status, status);
        QCOMPARE(refusedOf(got).type, type);
        QCOMPARE(refusedOf(got).message, message);
        QVERIFY(got.body.ends_with(q(",'request_id':'req_0001'}")));
        const auto failures = server->failures();
        QCOMPARE(failures.size(), std::size_t(2)); // this, and the turn that was not played
        QCOMPARE(failures[0], "request 1 (POST /v1/messages): refused with " + std::to_string(status) + ": " + message);
    }

    void places_data() {
        QTest::addColumn<std::string>("line");
        QTest::addColumn<int>("status");
        QTest::addColumn<std::string>("type");
        QTest::newRow("a path") << std::string("POST /v1/complete") << 404 << std::string("not_found_error");
        QTest::newRow("below") << std::string("POST /v1/messages/") << 404 << std::string("not_found_error");
        QTest::newRow("a method") << std::string("GET /v1/messages") << 405 << std::string("invalid_request_error");
        QTest::newRow("another method") << std::string("POST /v1/models") << 405 << std::string("invalid_request_error");
    }
    void places() {
        QFETCH(std::string, line);
        QFETCH(int, status);
        QFETCH(std::string, type);
        const auto server = serverOf("");
        const auto got = ask(*server, requestOf(line, kAnthropicHeaders, kHello));
        QCOMPARE(got.status, status);
        QCOMPARE(refusedOf(got).type, type);
        QCOMPARE(server->failures().size(), std::size_t(1));
    }

    void refused_data() {
        QTest::addColumn<std::string>("body");
        QTest::addColumn<std::string>("message");
        const auto row = [](const char* name, const std::string& body, const std::string& message) { QTest::newRow(name) << body << message; };
        row("no object", "[]", "Input should be a valid dictionary");
        row("no model", q("{'max_tokens':9,'messages':[]}"), "model: Field required");
        row("no max_tokens", q("{'model':'m','messages':[]}"), "max_tokens: Field required");
        row("no messages", q("{'model':'m','max_tokens':9}"), "messages: Field required");
        row("empty messages", of(""), "messages: at least one message is required");
        row("a null for a model", q("{'model':null,'max_tokens':9,'messages':[]}"), "model: Input should be a valid string");
        row("no tokens", q("{'model':'m','max_tokens':0,'messages':[]}"), "max_tokens: Input should be greater than or equal to 1");
        row("half a token", q("{'model':'m','max_tokens':1.5,'messages':[]}"), "max_tokens: Input should be a valid integer");
        row("an unknown field", with(q("'response_format':{}")), "response_format: Extra inputs are not permitted");
        row("a beta field", with(q("'context_management':{}")), "context_management: Extra inputs are not permitted");
        row("a stream of text", with(q("'stream':'yes'")), "stream: Input should be a valid boolean");
        row("a temperature", with(q("'temperature':1")), "temperature: Extra inputs are not permitted");
        row("a top_p", with(q("'top_p':1")), "top_p: Extra inputs are not permitted");
        row("a top_k", with(q("'top_k':1")), "top_k: Extra inputs are not permitted");
        row("the user's citations", of(user(q("[{'type':'text','text':'x','citations':[{}]}]"))), "messages.0.content.0.text.citations: citations are not permitted in user messages");
        row("the assistant's document", of(kHi + "," + assistant(q("[{'type':'document','source':{}}]")) + "," + kHi), "messages.1.content.0: `document` blocks can only be in `user` messages");
        row("the assistant at the end", of(kHi + "," + assistant(q("'x'"))), "This model does not support assistant message prefill. The conversation must end with a user message.");
        row("a system of numbers", with(q("'system':5")), "system: Input should be a valid string or a valid list");
        row("a system of images", with(q("'system':[{'type':'image'}]")), "system.0.type: Input should be 'text'");
        row("tools of no list", with(q("'tools':{}")), "tools: Input should be a valid list");
        row("a tool without schema", with(q("'tools':[{'name':'a'}]")), "tools.0.custom.input_schema: Field required");
        row("a tool's extra", with(q("'tools':[{'name':'a','input_schema':{'type':'object'},'category':'x'}]")), "tools.0.custom.category: Extra inputs are not permitted");
        row("a tool's name", with(q("'tools':[{'name':'a b','input_schema':{'type':'object'}}]")), "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'");
        row("a tool's schema", with(q("'tools':[{'name':'a','input_schema':{'type':'array'}}]")), "tools.0.custom.input_schema.type: Input should be 'object'");
        row("a tool twice", with(q("'tools':[") + kBash + "," + kBash + "]"), "tools: Tool names must be unique.");
        row("a role", of(q("{'role':'system','content':'x'}")), "messages.0.role: Input should be 'user' or 'assistant'");
        row("a message's extra", of(q("{'role':'user','content':'x','reasoning_details':[]}")), "messages.0.reasoning_details: Extra inputs are not permitted");
        row("no content", of(q("{'role':'user'}")), "messages.0.content: Field required");
        row("the assistant first", of(assistant(q("'x'"))), "messages: first message must use the \"user\" role");
        row("the user twice", of(kHi + "," + kHi), "messages: roles must alternate between \"user\" and \"assistant\", but found multiple \"user\" roles in a row");
        row("the assistant twice", of(kHi + "," + assistant(q("'x'")) + "," + assistant(q("'y'"))),
            "messages: roles must alternate between \"user\" and \"assistant\", but found multiple \"assistant\" roles in a row");
        row("an empty text", of(user(q("''"))), "messages.0: user messages must have non-empty content");
        row("an empty list", of(user("[]")), "messages.0: user messages must have non-empty content");
        row("an empty block", of(user(q("[{'type':'text','text':''}]"))), "messages: text content blocks must be non-empty");
        row("an empty assistant in the middle", of(kHi + "," + assistant("[]") + "," + kHi), "messages.1: assistant messages must have non-empty content");
        row("a block's type", of(user(q("[{'type':'video'}]"))), "messages.0.content.0.type: Input tag 'video' found using 'type' does not match any of the expected tags");
        row("a block's extra", of(user(q("[{'type':'text','text':'x','id':1}]"))), "messages.0.content.0.text.id: Extra inputs are not permitted");
        row("a block without its text", of(user(q("[{'type':'text'}]"))), "messages.0.content.0.text.text: Field required");
        row("a use of the user's", of(user("[" + use("a") + "]")), "messages.0.content.0: `tool_use` blocks can only be in `assistant` messages");
        row("a result of the assistant's", of(kHi + "," + assistant("[" + result("a") + "]")), "messages.1.content.0: `tool_result` blocks can only be in `user` messages");
        row("a use's id", of(kHi + "," + assistant("[" + use("a b") + "]")), "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'");
        row("a use's text", of(kHi + "," + assistant(q("[{'type':'tool_use','id':'a','name':'bash','input':'{}'}]"))), "messages.1.content.0.tool_use.input: Input should be a valid dictionary");
        row("a use without tools", q("{'model':'m','max_tokens':9,'messages':[") + kHi + "," + assistant("[" + use("a") + "]") + "]}",
            "Requests which include `tool_use` or `tool_result` blocks must define tools");
        const std::string missing = "`tool_use` ids were found without `tool_result` blocks immediately after: ";
        const std::string each = ". Each `tool_use` block must have a corresponding `tool_result` block in the next message.";
        row("a use without result", of(kHi + "," + assistant("[" + use("a") + "]") + "," + kHi), "messages.1: " + missing + "a" + each);
        row("a use at the end", of(kHi + "," + assistant("[" + use("a") + "]")), "messages.1: " + missing + "a" + each);
        row("one of two", of(kHi + "," + assistant("[" + use("a") + "," + use("b") + "]") + "," + user("[" + result("a") + "]")), "messages.1: " + missing + "b" + each);
        row("none of two", of(kHi + "," + assistant("[" + use("a") + "," + use("b") + "]") + "," + kHi), "messages.1: " + missing + "a, b" + each);
        row("a text before the result", of(kHi + "," + assistant("[" + use("a") + "]") + "," + user("[" + kText + "," + result("a") + "]")), "messages.1: " + missing + "a" + each);
        const std::string unexpected = "unexpected `tool_use_id` found in `tool_result` blocks: b. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.";
        row("a result of nothing", of(user("[" + result("b") + "]")), "messages.0.content.0: " + unexpected);
        row("another's result", of(kHi + "," + assistant("[" + use("a") + "]") + "," + user("[" + result("a") + "," + result("b") + "]")), "messages.2.content.1: " + unexpected);
        row("an older one's result", of(kHi + "," + assistant("[" + use("b") + "]") + "," + user("[" + result("b") + "]") + "," + assistant(q("'x'")) + "," + user("[" + result("b") + "]")),
            "messages.4.content.0: " + unexpected);
        row("a result twice", of(kHi + "," + assistant("[" + use("a") + "]") + "," + user("[" + result("a") + "," + result("a") + "]")),
            "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id: a");
        row("an id twice", of(kHi + "," + assistant("[" + use("a") + "," + use("a") + "]")), "messages: `tool_use` ids must be unique");
        row("a result of what is no content", of(kHi + "," + assistant("[" + use("a") + "]") + "," + user("[" + result("a", q(",'content':[{'type':'tool_use'}]")) + "]")),
            "messages.2.content.0.tool_result.content.0.type: Input should be 'text', 'image' or 'document'");
        row("an error of text", of(kHi + "," + assistant("[" + use("a") + "]") + "," + user("[" + result("a", q(",'is_error':'no'")) + "]")),
            "messages.2.content.0.tool_result.is_error: Input should be a valid boolean");
    }
    void refused() {
        QFETCH(std::string, body);
        QFETCH(std::string, message);
        const auto server = serverOf(q("{'refused':400}"));
        const auto got = ask(*server, anthropic(body));
        QCOMPARE(got.status, 400);
        QCOMPARE(QString::fromStdString(refusedOf(got).message), QString::fromStdString(message));
        QCOMPARE(refusedOf(got).type, std::string("invalid_request_error"));
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    void noJson() {
        const auto server = serverOf(q("{'refused':400}"));
        QVERIFY(refusedOf(ask(*server, anthropic("{\"model\":"))).message.starts_with("The request body is not valid JSON"));
    }

    void noSuchModel() {
        const auto server = serverOf(q("{'refused':404}"));
        const auto got = ask(*server, anthropic(q("{'model':'other','max_tokens':9,'messages':[") + kHi + "]}"));
        QCOMPARE(got.status, 404);
        QCOMPARE(refusedOf(got).type, std::string("not_found_error"));
        QCOMPARE(refusedOf(got).message, std::string("model: other"));
    }

    void taken_data() {
        QTest::addColumn<std::string>("body");
        const auto row = [](const char* name, const std::string& body) { QTest::newRow(name) << body; };
        row("all fields", with(q("'system':[{'type':'text','text':'s','cache_control':{'type':'ephemeral'}}],'stream':false,'stop_sequences':['x'],"
                                 "'tools':[{'name':'a','description':'d','input_schema':{'type':'object'},'type':'custom','cache_control':{'type':'ephemeral'},'strict':true}],"
                                 "'tool_choice':{'type':'auto'},'metadata':{'user_id':'u'},'thinking':{'type':'disabled'},'service_tier':'auto','output_config':{}")));
        row("a null that may be", with(q("'cache_control':null")));
        row("an image", of(user(q("[{'type':'image','source':{'type':'base64','media_type':'image/png','data':''}}]"))));
        row("what the assistant cited", of(kHi + "," + assistant(q("[{'type':'text','text':'x','citations':[{}]}]")) + "," + kHi));
        row("no citations", of(user(q("[{'type':'text','text':'x','citations':[]}]"))));
        row("thinking", of(kHi + "," + assistant(q("[{'type':'thinking','thinking':'t','signature':'s'},{'type':'text','text':'x'}]")) + "," + kHi));
        row("parallel results in another order, and a text after",
            of(kHi + "," + assistant("[" + kText + "," + use("a") + "," + use("b") + "]") + "," +
               user("[" + result("b", q(",'is_error':true,'content':'no'")) + "," + result("a", q(",'content':[{'type':'text','text':'x'}]")) + "," + kText + "]")));
    }
    void taken() {
        QFETCH(std::string, body);
        const auto server = serverOf(saying(""));
        const auto got = ask(*server, anthropic(body));
        QVERIFY2(got.status == 200, got.body.c_str());
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    // The version before took what the newest does not.
    void theVersionBefore() {
        const auto server = serverOf(saying("") + "," + saying("") + "," + q("{'refused':400},{'refused':400}"));
        const auto before = [](const std::string& body) {
            return requestOf("POST /v1/messages", "Authorization: Bearer a-key\r\nanthropic-version: 2023-06-01\r\nContent-Type: application/json\r\n", body);
        };
        QCOMPARE(ask(*server, before(with(q("'temperature':1,'top_p':0.5,'top_k':4")))).status, 200);
        QCOMPARE(ask(*server, before(of(user(q("[{'type':'text','text':'x','citations':[{}]}]"))))).status, 200);
        QCOMPARE(refusedOf(ask(*server, before(with(q("'temperature':1.5"))))).message, std::string("temperature: range: 0..1"));
        QCOMPARE(refusedOf(ask(*server, before(with(q("'top_k':0.5"))))).message, std::string("top_k: Input should be a valid integer"));
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    void betaFieldsWithTheirHeader() {
        const auto server = serverOf(saying(""));
        const auto got = ask(*server, requestOf("POST /v1/messages?beta=true", std::string(kAnthropicHeaders) + "anthropic-beta: context-management-2025-06-27\r\n", with(q("'context_management':{}"))));
        QCOMPARE(got.status, 200);
    }

    // As the API does today, where the scenario says so: results may then be spread over them.
    void messagesOfOneRoleJoin() {
        const auto twice = of(kHi + "," + kHi + "," + assistant("[" + use("a") + "]") + "," + assistant("[" + use("b") + "]") + "," + user("[" + result("a") + "]") + "," + user("[" + result("b") + "]"));
        const auto server = serverOf(saying(""), q(",'same_role_twice':'join'"));
        QCOMPARE(ask(*server, anthropic(twice)).status, 200);
        const auto lacking = ask(*server, anthropic(of(kHi + "," + assistant("[" + use("a") + "]") + "," + assistant("[" + use("b") + "]") + "," + user("[" + result("a") + "]") + "," + kHi)));
        QCOMPARE(lacking.status, 400);
        QVERIFY(refusedOf(lacking).message.find("immediately after: b.") != std::string::npos);
    }

    void whatItSees() {
        const auto server = serverOf(saying(""));
        const auto body = q("{'model':'m','max_tokens':9,'stream':true,'system':'Be brief','tools':[") + kBash + q("],'messages':[") + user(q("'first'")) + "," +
                          assistant("[" + use("z") + "]") + "," + user("[" + result("z", q(",'content':'old'")) + "]") + "," + assistant("[" + kText + "," + use("a") + "," + use("b") + "]") + "," +
                          user("[" + result("a", q(",'content':'one'")) + "," + result("b", q(",'content':[{'type':'text','text':'two'}],'is_error':true")) + "]") + "]}";
        QCOMPARE(ask(*server, anthropic(body)).status, 200);
        const auto request = server->requests().at(0);
        QCOMPARE(request.http.body, body);
        QCOMPARE(request.http.header("anthropic-version"), std::string("2026-10-21"));
        const auto& seen = request.conversation.value();
        QCOMPARE(seen.system, std::string("Be brief"));
        QCOMPARE(seen.user, std::string("first"));
        QVERIFY(seen.stream);
        QCOMPARE(seen.tools, std::vector<std::string>{"bash"});
        QCOMPARE(seen.texts, (std::vector<std::string>{"first", q("{'command':'ls'}"), "old", q("{'command':'ls'}"), q("{'command':'ls'}"), "and", "one", "two"}));
        QCOMPARE(seen.toolResults.size(), std::size_t(2));
        QVERIFY(seen.toolResults[0].tool == "bash" && seen.toolResults[0].text == "one" && !seen.toolResults[0].error);
        QVERIFY(seen.toolResults[1].text == "two" && seen.toolResults[1].error);
    }
};

QTEST_GUILESS_MAIN(TestAnthropicRequests)
#include "test_anthropic_requests.moc"
