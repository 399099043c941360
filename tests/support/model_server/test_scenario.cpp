// SPDX-License-Identifier: Apache-2.0
// A scenario's JSON: what all of it means, and that what does not fit is said with its place.
#include "tests/support/model_server/raw_client.h"

#include <QTest>

using namespace carrel;
using namespace carrel::test::model;

namespace {

std::string withTurn(const std::string& turn) {
    return q("{'key':'k','models':['m'],'turns':[") + turn + "]}";
}
std::string withPart(const std::string& part) {
    return withTurn(q("{'answer':{'content':[") + part + "]}}");
}

} // namespace

class TestScenario : public QObject {
    Q_OBJECT
private slots:
    void everyField() {
        const auto read = parseScenario(q("{'key':'k','models':['a','b'],'same_role_twice':'join',"
              "'asides':[{'expect':{'system':'title'},'answer':{'content':[]}}],"
              "'turns':["
              "{'expect':{'api':'openai','model':'a','stream':false,'system':'s','user':'u','history':['h'],'tools':['t'],"
              "'tool_results':[{'tool':'t','text':'x','error':true},{'tool':'v'}]},"
              "'hold':'door','repeat':3,"
              "'answer':{'content':[{'text':'one'},{'text':['a',{'hold':'b'}]},{'tool':'t','arguments':{'n':1}},{'tool':'t','id':'i','arguments':['{','}']},"
              "{'hold':'h'},{'comment':'c'},{'data':'{','event':'e'},{'data':'d'},{'endless':'l'}],"
              "'stop':'length','usage':{'input':1,'output':2,'cache_read':3,'cache_write':4},'cut_after':5}},"
              "{'fault':{'status':429,'message':'m','code':'c','retry_after':'2'}},"
              "{'fault':{'status':200,'body':'<html>'}},"
              "{'refused':401},"
              "{'answer':{'content':[{'error':{'type':'overloaded_error','message':'Overloaded'}}]}}]}"));
        QVERIFY2(read, read ? "" : read.error().message.c_str());
        QCOMPARE(read->models, (std::vector<std::string>{"a", "b"}));
        QCOMPARE(read->sameRoleTwice, SameRoleTwice::Join);
        QCOMPARE(read->asides.size(), std::size_t(1));
        QCOMPARE(read->turns.size(), std::size_t(5));
        const auto& first = read->turns[0];
        QCOMPARE(first.expect.api, std::optional(Api::OpenAi));
        QCOMPARE(first.expect.stream, std::optional(false));
        QCOMPARE(first.expect.toolResults.size(), std::size_t(2));
        QCOMPARE(first.expect.toolResults[0].error, std::optional(true));
        QVERIFY(!first.expect.toolResults[1].error);
        QCOMPARE(first.hold, std::optional<std::string>("door"));
        QCOMPARE(first.repeat, std::uint64_t(3));
        const auto& answer = std::get<Answer>(first.what);
        QCOMPARE(answer.content.size(), std::size_t(9));
        QVERIFY(std::get<TextPart>(answer.content[1]).pieces[1].hold);
        QCOMPARE(std::get<ToolPart>(answer.content[2]).arguments[0].text, q("{'n':1}"));
        QCOMPARE(std::get<ToolPart>(answer.content[3]).arguments.size(), std::size_t(2));
        QCOMPARE(std::get<EventPart>(answer.content[6]).name, std::string("e"));
        QVERIFY(answer.stop == Stop::Length);
        QCOMPARE(answer.usage.cacheWrite, std::uint64_t(4));
        QCOMPARE(answer.cutAfter, std::optional<std::size_t>(5));
        QCOMPARE(std::get<Fault>(read->turns[1].what).retryAfter, std::optional<std::string>("2"));
        QCOMPARE(std::get<Fault>(read->turns[2].what).status, 200);
        QCOMPARE(std::get<ExpectedRefusal>(read->turns[3].what).status, 401);
        QCOMPARE(std::get<ErrorPart>(std::get<Answer>(read->turns[4].what).content[0]).type, std::string("overloaded_error"));
    }

    void whatIsNotSaid() {
        const auto read = parseScenario(withTurn(q("{'answer':{'content':[]}},{'answer':{'content':[{'tool':'t','arguments':{}}]}}")));
        QVERIFY(read);
        QCOMPARE(read->sameRoleTwice, SameRoleTwice::Refuse);
        QCOMPARE(read->turns[0].repeat, std::uint64_t(1));
        QVERIFY(std::get<Answer>(read->turns[0].what).stop == Stop::End);
        QVERIFY(std::get<Answer>(read->turns[1].what).stop == Stop::Tools);
        QCOMPARE(std::get<Answer>(read->turns[0].what).usage.input, std::uint64_t(100));
        QCOMPARE(std::get<Answer>(read->turns[0].what).usage.output, std::uint64_t(10));
    }

    void whatDoesNotFit_data() {
        QTest::addColumn<std::string>("text");
        QTest::addColumn<std::string>("says");
        const auto row = [](const char* name, const std::string& text, const std::string& says) { QTest::newRow(name) << text << says; };
        row("no JSON", "{", "");
        row("an empty key", q("{'key':'','models':['m'],'turns':[]}"), "has an empty key");
        row("no model", q("{'key':'k','models':[],'turns':[]}"), "needs a model");
        row("an unknown field", q("{'key':'k','models':['m'],'turns':[],'x':1}"), "a field that is not known");
        row("a role rule", q("{'key':'k','models':['m'],'turns':[],'same_role_twice':'maybe'}"), "same_role_twice");
        row("no turn", withTurn("7"), "turns[0] is no object");
        row("an empty turn", withTurn("{}"), "turns[0] needs one of");
        row("two answers", withTurn(q("{'answer':{'content':[]},'fault':{'status':500}}")), "turns[0] needs one of");
        row("an unknown field of a turn", withTurn(q("{'answer':{'content':[]},'wait':1}")), "turns[0]: ");
        row("never", withTurn(q("{'answer':{'content':[]},'repeat':0}")), "never played");
        row("a refusal with a hold", withTurn(q("{'refused':401,'hold':'h'}")), "turns[0] is \"refused\" before");
        row("a refusal that expects", withTurn(q("{'refused':401,'expect':{}}")), "turns[0] is \"refused\" before");
        row("an api", withTurn(q("{'expect':{'api':'gemini'},'answer':{'content':[]}}")), "turns[0].expect: \"api\"");
        row("an unknown expectation", withTurn(q("{'expect':{'users':'x'},'answer':{'content':[]}}")), "turns[0].expect");
        row("a result", withTurn(q("{'expect':{'tool_results':[{'text':'x'}]},'answer':{'content':[]}}")), "turns[0].expect.tool_results[0]: \"tool\" is missing");
        row("no content", withTurn(q("{'answer':{}}")), "turns[0].answer: \"content\" is missing");
        row("a stop", withTurn(q("{'answer':{'content':[],'stop':'now'}}")), "turns[0].answer: \"stop\"");
        row("a usage", withTurn(q("{'answer':{'content':[],'usage':{'input':-1}}}")), "turns[0].answer.usage: \"input\"");
        row("a part", withPart(q("{'texts':'x'}")), "turns[0].answer.content[0] is none of");
        row("two parts in one", withPart(q("{'text':'x','tool':'t'}")), "turns[0].answer.content[0]");
        row("pieces", withPart(q("{'text':7}")), "turns[0].answer.content[0].text is neither");
        row("a piece", withPart(q("{'text':['a',7]}")), "turns[0].answer.content[0].text[1] is neither");
        row("a call of nothing", withPart(q("{'tool':'t'}")), "without \"arguments\"");
        row("an event of lines", withPart(q("{'data':'a\\nb'}")), "more than one line");
        row("after the end", withPart(q("{'endless':'a'},{'text':'b'}")), "turns[0].answer.content[0] ends the answer");
        row("after the error", withPart(q("{'error':{'type':'t','message':'m'}},{'text':'b'}")), "turns[0].answer.content[0] ends the answer");
        row("a fault that is none", withTurn(q("{'fault':{'status':200}}")), "turns[0].fault has the status 200");
        row("a status", withTurn(q("{'fault':{'status':600}}")), "turns[0].fault: \"status\" is too large");
        row("a header in a header", withTurn(q("{'fault':{'status':429,'retry_after':'1\\r\\nx: y'}}")), "more than one line");
        row("an aside for everybody", q("{'key':'k','models':['m'],'turns':[],'asides':[{'answer':{'content':[]}}]}"), "asides[0] needs an \"expect\"");
        row("an aside in numbers", q("{'key':'k','models':['m'],'turns':[],'asides':[{'expect':{},'repeat':2,'answer':{'content':[]}}]}"), "asides[0] needs an \"expect\"");
    }
    void whatDoesNotFit() {
        QFETCH(std::string, text);
        QFETCH(std::string, says);
        const auto read = parseScenario(text);
        QVERIFY(!read);
        QVERIFY(read.error().code == ErrorCode::Malformed);
        QVERIFY2(read.error().message.find(says) != std::string::npos, read.error().message.c_str());
    }
};

QTEST_GUILESS_MAIN(TestScenario)
#include "test_scenario.moc"
