// SPDX-License-Identifier: Apache-2.0
// What the model server takes and refuses as OpenAI's chat completions, in that API's words, and what it sees in a request.
#include "tests/support/model_server/raw_client.h"

#include <QTest>

using namespace carrel;
using namespace carrel::test::model;

namespace {

const std::string kBash = q("{'type':'function','function':{'name':'bash','description':'d','parameters':{'type':'object'}}}");
std::string of(const std::string& messages) {
    return q("{'model':'m','messages':[") + messages + "]}";
}
std::string with(const std::string& more) {
    return q("{'model':'m','messages':[{'role':'user','content':'hi'}],") + more + "}";
}
const std::string kHi = q("{'role':'user','content':'hi'}");
std::string call(const std::string& id) {
    return q("{'id':'") + id + q("','type':'function','function':{'name':'bash','arguments':'{}'}}");
}
std::string calling(const std::string& calls) {
    return q("{'role':'assistant','content':null,'tool_calls':[") + calls + "]}";
}
std::string result(const std::string& id, const std::string& content = "done") {
    return q("{'role':'tool','tool_call_id':'") + id + q("','content':'") + content + "\"}";
}

boost::json::object errorOf(const RawAnswer& answer) {
    return boost::json::parse(answer.body).as_object().at("error").as_object();
}
std::string textOf(const boost::json::object& error, const char* key) {
    return error.at(key).is_null() ? "null" : std::string(error.at(key).as_string());
}

} // namespace

class TestOpenAiRequests : public QObject {
    Q_OBJECT
private slots:
    void headers_data() {
        QTest::addColumn<std::string>("headers");
        QTest::addColumn<int>("status");
        QTest::addColumn<std::string>("message");
        QTest::addColumn<std::string>("code");
        const auto row = [](const char* name, const std::string& headers, int status, const std::string& message, const std::string& code) {
            QTest::newRow(name) << headers << status << message << code;
        };
        const std::string json = "Content-Type: application/json\r\n";
        row("no key", json, 401, "You didn't provide an API key.", "null");
        row("another scheme", json + "Authorization: Basic a-key\r\n", 401, "You didn't provide an API key.", "null");
        row("a wrong key", json + "Authorization: Bearer another\r\n", 401, "Incorrect API key provided.", "invalid_api_key");
        row("the key of the other API", json + "x-api-key: a-key\r\n", 401, "You didn't provide an API key.", "null");
        row("no type", "Authorization: Bearer a-key\r\n", 400, "content-type: should be application/json", "null");
    }
    void headers() {
        QFETCH(std::string, headers);
        QFETCH(int, status);
        QFETCH(std::string, message);
        QFETCH(std::string, code);
        const auto server = serverOf("");
        const auto got = ask(*server, requestOf("POST /v1/chat/completions", headers, of(kHi)));
        QCOMPARE(got.status, status);
        QVERIFY2(textOf(errorOf(got), "message").starts_with(message), got.body.c_str());
        QCOMPARE(textOf(errorOf(got), "type"), std::string("invalid_request_error"));
        QCOMPARE(textOf(errorOf(got), "code"), code);
        QCOMPARE(server->failures().size(), std::size_t(1));
    }

    void places() {
        const auto server = serverOf(q("{'refused':404},{'refused':405}"));
        const auto path = ask(*server, requestOf("POST /v1/responses", kOpenAiHeaders, of(kHi)));
        QCOMPARE(path.status, 404);
        QCOMPARE(textOf(errorOf(path), "message"), std::string("Invalid URL (POST /v1/responses)"));
        const auto method = ask(*server, requestOf("GET /v1/chat/completions", kOpenAiHeaders, ""));
        QCOMPARE(method.status, 405);
        QCOMPARE(textOf(errorOf(method), "code"), std::string("method_not_supported"));
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    void refused_data() {
        QTest::addColumn<std::string>("body");
        QTest::addColumn<std::string>("message");
        QTest::addColumn<std::string>("param");
        QTest::addColumn<std::string>("code");
        const auto row = [](const char* name, const std::string& body, const std::string& message, const std::string& param, const std::string& code) {
            QTest::newRow(name) << body << message << param << code;
        };
        row("no JSON", "{", "We could not parse the JSON body of your request.", "null", "null");
        row("no object", "[]", "We could not parse the JSON body of your request.", "null", "null");
        row("no model", q("{'messages':[]}"), "you must provide a model parameter", "null", "null");
        row("no messages", q("{'model':'m'}"), "Missing required parameter: 'messages'.", "messages", "missing_required_parameter");
        row("a null for messages", q("{'model':'m','messages':null}"), "Invalid type for 'messages': expected an array, but got null instead.", "messages", "invalid_type");
        row("empty messages", of(""), "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.", "messages", "empty_array");
        row("an unknown field", with(q("'top_k':1")), "Unrecognized request argument supplied: top_k", "null", "null");
        row("two unknown fields", with(q("'top_k':1,'thinking':{}")), "Unrecognized request arguments supplied: top_k, thinking", "null", "null");
        row("a stream of text", with(q("'stream':'yes'")), "Invalid type for 'stream': expected a boolean, but got a string instead.", "stream", "invalid_type");
        row("a temperature of text", with(q("'temperature':'warm'")), "Invalid type for 'temperature': expected a decimal, but got a string instead.", "temperature", "invalid_type");
        row("no tokens", with(q("'max_completion_tokens':0")), "Invalid 'max_completion_tokens': integer below minimum value.", "max_completion_tokens", "integer_below_min_value");
        row("options of no stream", with(q("'stream_options':{'include_usage':true}")), "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options", "null");
        row("an unknown option", with(q("'stream':true,'stream_options':{'usage':true}")), "Unknown parameter: 'stream_options.usage'.", "stream_options.usage", "unknown_parameter");
        row("no tools", with(q("'tools':[]")), "Invalid 'tools': empty array.", "tools", "empty_array");
        row("a tool of the other API", with(q("'tools':[{'name':'bash','input_schema':{}}]")), "Unknown parameter: 'tools[0].name'.", "tools[0].name", "unknown_parameter");
        row("a tool's type", with(q("'tools':[{'type':'x','function':{'name':'a'}}]")), "Invalid value: 'x'. Supported values are: 'function'.", "tools[0].type", "invalid_value");
        row("a tool without function", with(q("'tools':[{'type':'function'}]")), "Missing required parameter: 'tools[0].function'.", "tools[0].function", "missing_required_parameter");
        row("a tool without name", with(q("'tools':[{'type':'function','function':{}}]")), "Missing required parameter: 'tools[0].function.name'.", "tools[0].function.name", "missing_required_parameter");
        row("a tool's name", with(q("'tools':[{'type':'function','function':{'name':'a.b'}}]")), "Invalid 'tools[0].function.name': string does not match pattern.", "tools[0].function.name", "invalid_value");
        row("a role", of(q("{'role':'narrator','content':'x'}")), "Invalid value: 'narrator'. Supported values are:", "messages[0].role", "invalid_value");
        row("a message's extra", of(q("{'role':'user','content':'x','id':1}")), "Unknown parameter: 'messages[0].id'.", "messages[0].id", "unknown_parameter");
        row("no content", of(q("{'role':'user'}")), "Invalid value for 'content': expected a string, got null.", "messages.[0].content", "null");
        row("an assistant of nothing", of(kHi + "," + q("{'role':'assistant','content':null}")), "Invalid value for 'content': expected a string, got null.", "messages.[1].content", "null");
        row("a part", of(q("{'role':'user','content':[{'type':'tool_result'}]}")), "Invalid value: 'tool_result'. Supported values are: 'text', 'image_url'", "messages[0].content[0].type", "invalid_value");
        row("an image in a result", of(kHi + "," + calling(call("a")) + "," + q("{'role':'tool','tool_call_id':'a','content':[{'type':'image_url','image_url':{}}]}")),
            "Invalid value: 'image_url'. Supported values are: 'text'.", "messages[2].content[0].type", "invalid_value");
        row("a part without its text", of(q("{'role':'user','content':[{'type':'text'}]}")), "Missing required parameter: 'messages[0].content[0].text'.", "messages[0].content[0].text", "missing_required_parameter");
        row("no calls", of(kHi + "," + q("{'role':'assistant','tool_calls':[]}")), "Invalid 'messages[1].tool_calls': empty array.", "messages[1].tool_calls", "empty_array");
        row("a call without id", of(kHi + "," + calling(q("{'type':'function','function':{'name':'bash','arguments':''}}"))), "Missing required parameter: 'messages[1].tool_calls[0].id'.",
            "messages[1].tool_calls[0].id", "missing_required_parameter");
        row("a call of an object", of(kHi + "," + calling(q("{'id':'a','type':'function','function':{'name':'bash','arguments':{}}}"))),
            "Invalid type for 'messages[1].tool_calls[0].function.arguments': expected a string, but got an object instead.", "messages[1].tool_calls[0].function.arguments", "invalid_type");
        row("a call without type", of(kHi + "," + calling(q("{'id':'a','function':{'name':'bash','arguments':''}}"))), "Missing required parameter: 'messages[1].tool_calls[0].type'.",
            "messages[1].tool_calls[0].type", "missing_required_parameter");
        row("a call with an index", of(kHi + "," + calling(q("{'index':0,'id':'a','type':'function','function':{'name':'bash','arguments':''}}"))), "Unknown parameter: 'messages[1].tool_calls[0].index'.",
            "messages[1].tool_calls[0].index", "unknown_parameter");
        const std::string missing = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ";
        row("a call without result", of(kHi + "," + calling(call("a")) + "," + kHi), missing + "a", "messages.[2].role", "null");
        row("a call at the end", of(kHi + "," + calling(call("a") + "," + call("b"))), missing + "a, b", "messages.[2].role", "null");
        row("one of two", of(kHi + "," + calling(call("a") + "," + call("b")) + "," + result("a")), missing + "b", "messages.[3].role", "null");
        const std::string unasked = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
        row("a result of nothing", of(kHi + "," + result("a")), unasked, "messages.[1].role", "null");
        row("another's result", of(kHi + "," + calling(call("a")) + "," + result("b")), unasked, "messages.[2].role", "null");
        row("a result twice", of(kHi + "," + calling(call("a")) + "," + result("a") + "," + result("a")), unasked, "messages.[3].role", "null");
        row("a result without id", of(kHi + "," + calling(call("a")) + "," + q("{'role':'tool','content':'x'}")), "Missing required parameter: 'messages[2].tool_call_id'.", "messages[2].tool_call_id", "missing_required_parameter");
    }
    void refused() {
        QFETCH(std::string, body);
        QFETCH(std::string, message);
        QFETCH(std::string, param);
        QFETCH(std::string, code);
        const auto server = serverOf(q("{'refused':400}"));
        const auto got = ask(*server, openAi(body));
        QCOMPARE(got.status, 400);
        const auto error = errorOf(got);
        QVERIFY2(textOf(error, "message").starts_with(message), got.body.c_str());
        QCOMPARE(QString::fromStdString(textOf(error, "param")), QString::fromStdString(param));
        QCOMPARE(textOf(error, "code"), code);
        QCOMPARE(textOf(error, "type"), std::string("invalid_request_error"));
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    void noSuchModel() {
        const auto server = serverOf(q("{'refused':404}"));
        const auto got = ask(*server, openAi(q("{'model':'other','messages':[") + kHi + "]}"));
        QCOMPARE(got.status, 404);
        QCOMPARE(textOf(errorOf(got), "message"), std::string("The model `other` does not exist or you do not have access to it."));
        QCOMPARE(textOf(errorOf(got), "code"), std::string("model_not_found"));
    }

    void taken_data() {
        QTest::addColumn<std::string>("body");
        const auto row = [](const char* name, const std::string& body) { QTest::newRow(name) << body; };
        row("fields", with(q("'stream':false,'max_tokens':5,'max_completion_tokens':5,'temperature':1,'top_p':0.5,'n':1,'stop':['x'],'seed':1,'tool_choice':'auto','parallel_tool_calls':true,"
                             "'response_format':{'type':'text'},'reasoning_effort':'low','user':'u','metadata':{},'store':false,'tools':[") + kBash + "]"));
        row("nulls", with(q("'temperature':null,'tools':null,'stream':null,'stream_options':null")));
        row("a chosen tool", with(q("'tool_choice':{'type':'function','function':{'name':'bash'}}")));
        row("one stop", with(q("'stop':'x'")));
        row("the user twice", of(kHi + "," + kHi));
        row("parts", of(q("{'role':'developer','content':[{'type':'text','text':'x'}]},{'role':'user','content':[{'type':'image_url','image_url':{'url':'data:'}}]}")));
        row("parallel results in another order", of(kHi + "," + calling(call("a") + "," + call("b")) + "," + result("b") + "," + result("a") + "," + kHi));
        row("a call with words", of(kHi + "," + q("{'role':'assistant','content':'Now','tool_calls':[") + call("a") + "]}," + result("a")));
    }
    void taken() {
        QFETCH(std::string, body);
        const auto server = serverOf(saying(""));
        const auto got = ask(*server, openAi(body));
        QVERIFY2(got.status == 200, got.body.c_str());
        QCOMPARE(server->failures(), std::vector<std::string>());
    }

    void whatItSees() {
        const auto server = serverOf(saying(""));
        const auto body = q("{'model':'m','tools':[") + kBash + q("],'messages':[{'role':'system','content':'Be brief'},") + kHi + "," + calling(call("a")) + "," + result("a", "old") + "," +
                          calling(call("b") + "," + call("c")) + "," + result("b", "one") + "," + result("c", "two") + "]}";
        QCOMPARE(ask(*server, openAi(body)).status, 200);
        const auto seen = server->requests().at(0).conversation.value();
        QVERIFY(seen.api == Api::OpenAi && !seen.stream && !seen.usageInStream);
        QCOMPARE(seen.system, std::string("Be brief\n"));
        QCOMPARE(seen.user, std::string("hi"));
        QCOMPARE(seen.tools, std::vector<std::string>{"bash"});
        QCOMPARE(seen.texts, (std::vector<std::string>{"hi", "{}", "old", "{}", "{}", "one", "two"}));
        QCOMPARE(seen.toolResults.size(), std::size_t(2));
        QVERIFY(seen.toolResults[0].tool == "bash" && seen.toolResults[0].text == "one" && seen.toolResults[1].text == "two");
    }
};

QTEST_GUILESS_MAIN(TestOpenAiRequests)
#include "test_openai_requests.moc"
