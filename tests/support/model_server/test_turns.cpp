// SPDX-License-Identifier: Apache-2.0
// How the model server plays its turns: expectations, repeats, asides, holds that a test releases, and what fails a scenario.
#include "tests/support/model_server/raw_client.h"

#include <QTest>

#include <future>

using namespace carrel;
using namespace carrel::test::model;

namespace {

using Lines = std::vector<std::string>;

std::string expecting(const std::string& expect) {
    return q("{'expect':{") + expect + q("},'answer':{'content':[{'text':'played'}]}}");
}
// A conversation with results of two tools.
std::string talk(bool stream = false) {
    return q("{'model':'m','max_tokens':9,'stream':") + (stream ? "true" : "false") +
           q(",'system':'You are brief.','tools':[{'name':'bash','input_schema':{'type':'object'}},{'name':'read','input_schema':{'type':'object'}}],'messages':["
             "{'role':'user','content':'Sort the receipts'},"
             "{'role':'assistant','content':[{'type':'tool_use','id':'a','name':'bash','input':{'command':'ls'}},{'type':'tool_use','id':'b','name':'read','input':{}}]},"
             "{'role':'user','content':[{'type':'tool_result','tool_use_id':'a','content':'march.pdf'},{'type':'tool_result','tool_use_id':'b','content':'no such file','is_error':true}]}]}");
}
bool isPlayed(const RawAnswer& answer) {
    return answer.status == 200 && answer.body.find("played") != std::string::npos;
}

} // namespace

class TestTurns : public QObject {
    Q_OBJECT
private slots:
    void expectations_data() {
        QTest::addColumn<std::string>("expect");
        QTest::addColumn<std::string>("why"); // empty: it fits
        const auto row = [](const char* name, const std::string& expect, const std::string& why) { QTest::newRow(name) << expect << why; };
        row("nothing", "", "");
        row("all", q("'api':'anthropic','model':'m','stream':false,'system':'brief','user':'receipts','history':['march','Sort'],'tools':['read','bash'],"
                     "'tool_results':[{'tool':'read','text':'no such','error':true},{'tool':'bash','text':'march.pdf','error':false}]"), "");
        row("the other API", q("'api':'openai'"), "it should come by chat completions, and came by messages");
        row("a stream", q("'stream':true"), "it should ask for a stream, and does not");
        row("a model", q("'model':'big'"), "the model should be big, and is m");
        row("a system prompt", q("'system':'verbose'"), q("the system prompt should contain 'verbose', and is 'You are brief.'"));
        row("a user's words", q("'user':'invoices'"), q("the last user message should contain 'invoices', and is 'Sort the receipts'"));
        row("words before", q("'history':['march','april']"), q("the conversation should contain 'april', and its 5 texts do not"));
        row("a tool", q("'tools':['bash','fetch']"), "the tool fetch should be offered, and is not");
        row("a tool's result", q("'tool_results':[{'tool':'bash','text':'april'}]"),
            q("there should be a result of the tool bash that contains 'april', and there is bash: 'march.pdf', read (an error): 'no such file'"));
        row("another tool's result", q("'tool_results':[{'tool':'fetch'}]"),
            q("there should be a result of the tool fetch that contains '', and there is bash: 'march.pdf', read (an error): 'no such file'"));
        row("a good result", q("'tool_results':[{'tool':'read','error':false}]"),
            q("there should be a result of the tool read that contains '' and is no error, and there is bash: 'march.pdf', read (an error): 'no such file'"));
        row("a bad result", q("'tool_results':[{'tool':'bash','error':true}]"),
            q("there should be a result of the tool bash that contains '' and is an error, and there is bash: 'march.pdf', read (an error): 'no such file'"));
    }
    void expectations() {
        QFETCH(std::string, expect);
        QFETCH(std::string, why);
        const auto server = serverOf(expecting(expect));
        const auto got = ask(*server, anthropic(talk()));
        const auto failures = server->failures();
        if (why.empty()) {
            QVERIFY(isPlayed(got));
            QCOMPARE(failures, Lines());
            QCOMPARE(server->requests()[0].played, std::string("turn 1"));
            return;
        }
        QCOMPARE(got.status, 400); // what no client tries again
        const auto body = boost::json::parse(got.body).as_object();
        QCOMPARE(QString::fromStdString(std::string(body.at("error").at("message").as_string())), QString::fromStdString("The scenario does not expect this: turn 1 of 1: " + why));
        QCOMPARE(failures.size(), std::size_t(2));
        QCOMPARE(failures[0], "request 1 (POST /v1/messages): turn 1 of 1: " + why);
        QCOMPARE(failures[1], std::string("turn 1 of 1 was never asked for")); // it stays whose turn it was
    }

    void theApisAreOneScenario() {
        const auto server = serverOf(expecting(q("'api':'anthropic'")) + "," + expecting(q("'api':'openai','stream':true")) + "," + expecting(q("'stream':false")));
        QVERIFY(isPlayed(ask(*server, anthropic(kHello))));
        QVERIFY(isPlayed(ask(*server, openAi(kHelloStreamed))));
        QVERIFY(!isPlayed(ask(*server, openAi(kHelloStreamed))));
        QCOMPARE(server->failures()[0], std::string("request 3 (POST /v1/chat/completions): turn 3 of 3: it should ask for no stream, and does"));
    }

    void inTheirOrderAndNoMore() {
        const auto server = serverOf(saying(q("{'text':'one'}")) + "," + saying(q("{'text':'two'}")));
        QCOMPARE(server->failures(), (Lines{"turn 1 of 2 was never asked for", "turn 2 of 2 was never asked for"}));
        QVERIFY(ask(*server, anthropic(kHello)).body.find("one") != std::string::npos);
        QCOMPARE(server->failures(), Lines{"turn 2 of 2 was never asked for"});
        QVERIFY(ask(*server, anthropic(kHello)).body.find("two") != std::string::npos);
        QCOMPARE(server->failures(), Lines());
        QCOMPARE(ask(*server, anthropic(kHello)).status, 400);
        QCOMPARE(server->failures(), Lines{"request 3 (POST /v1/messages): all turns have been played"});
    }

    void repeats() {
        const auto server = serverOf(q("{'repeat':3,'answer':{'content':[{'text':'played'}]}}"));
        QVERIFY(isPlayed(ask(*server, anthropic(kHello))));
        QCOMPARE(server->failures(), Lines{"turn 1 of 1 was never asked for, 2 times"});
        QVERIFY(isPlayed(ask(*server, anthropic(kHello))) && isPlayed(ask(*server, anthropic(kHello))));
        QCOMPARE(server->failures(), Lines());
        QVERIFY(!isPlayed(ask(*server, anthropic(kHello))));
    }

    void asides() {
        const auto server = serverOf(saying(q("{'text':'played'}")), q(",'asides':[{'expect':{'user':'title'},'answer':{'content':[{'text':'Receipts'}]}},{'expect':{'user':'never'},'fault':{'status':500}}]"));
        const auto title = q("{'model':'m','messages':[{'role':'user','content':'a title, please'}]}");
        for (int i = 0; i < 2; ++i) {
            QVERIFY(ask(*server, openAi(title)).body.find("Receipts") != std::string::npos);
        }
        QCOMPARE(server->requests()[1].played, std::string("aside 1"));
        QVERIFY(isPlayed(ask(*server, anthropic(kHello))));
        QVERIFY(ask(*server, openAi(title)).body.find("Receipts") != std::string::npos);
        QCOMPARE(server->failures(), Lines());
    }

    // A test of a wrong key says that it expects that, and nothing else is taken for it.
    void expectedRefusals() {
        const auto bad = requestOf("POST /v1/messages", "x-api-key: wrong\r\nanthropic-version: 2026-10-21\r\nContent-Type: application/json\r\n", kHello);
        const auto server = serverOf(q("{'refused':401},{'refused':400},{'refused':401}"));
        QCOMPARE(ask(*server, bad).status, 401);
        QCOMPARE(server->requests()[0].played, std::string("turn 1"));
        QCOMPARE(ask(*server, bad).status, 401);
        QCOMPARE(server->requests()[1].played, std::string());
        QCOMPARE(server->failures()[0], std::string("request 2 (POST /v1/messages): refused with 401: invalid x-api-key"));
        QCOMPARE(ask(*server, anthropic("{}")).status, 400);
        QCOMPARE(ask(*server, anthropic(kHello)).status, 400);
        QCOMPARE(server->failures()[1], std::string("request 4 (POST /v1/messages): turn 3 of 3: it should be refused with 401, and is good"));
        QCOMPARE(server->failures().size(), std::size_t(3));
    }

    void aHoldBeforeAnything() {
        const auto server = serverOf(q("{'hold':'door','answer':{'content':[{'text':'played'}]}}"));
        RawClient client(server->port());
        auto answer = std::async(std::launch::async, [&] {
            client.send(anthropic(kHelloStreamed));
            return client.readAnswer();
        });
        QVERIFY(server->waitUntilHeld("door"));
        QCOMPARE(server->requests()[0].delivery, Delivery::Underway);
        server->release("another");
        QVERIFY(answer.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
        server->release("door");
        QVERIFY(isPlayed(answer.get()));
        QVERIFY(server->waitForDeliveries(1));
        QCOMPARE(server->requests()[0].delivery, Delivery::Whole);
        QVERIFY(!server->waitUntilHeld("door", std::chrono::milliseconds(0)));
    }

    // The client has what came before it, and nothing of what comes after.
    void aHoldInTheMiddle_data() {
        QTest::addColumn<bool>("isOpenAi");
        QTest::newRow("anthropic") << false;
        QTest::newRow("openai") << true;
    }
    void aHoldInTheMiddle() {
        QFETCH(bool, isOpenAi);
        const auto server = serverOf(saying(q("{'text':['before',{'hold':'text'},'after']},{'hold':'between'},{'tool':'bash','arguments':['first',{'hold':'call'},'second']}")));
        RawClient client(server->port());
        client.send(isOpenAi ? openAi(kHelloStreamed) : anthropic(kHelloStreamed));
        const auto reads = [&](const std::string& mark, const std::string& absent) {
            const auto got = client.readUntil(mark);
            return got.ends_with(mark) && got.find(absent) == std::string::npos;
        };
        QVERIFY(reads("before", "after") && server->waitUntilHeld("text"));
        server->release("text");
        QVERIFY(reads("after", "bash") && server->waitUntilHeld("between"));
        server->release("between");
        QVERIFY(reads("first", "second") && server->waitUntilHeld("call"));
        server->release("call");
        QVERIFY(reads("0\r\n\r\n", "first"));
        QCOMPARE(server->failures(), Lines());
    }

    void aHoldOfAWholeResponse() {
        const auto server = serverOf(saying(q("{'text':['a',{'hold':'door'},'b']}")) + "," + saying(q("{'hold':'door'},{'text':'c'}")));
        RawClient client(server->port());
        client.send(anthropic(kHello));
        QVERIFY(server->waitUntilHeld("door"));
        server->release("door");
        QVERIFY(client.readAnswer().body.find(q("'ab'")) != std::string::npos);
        client.send(openAi(kHello)); // what was released once lets all later ones pass
        QVERIFY(client.readAnswer().body.find(q("'c'")) != std::string::npos);
    }

    void theClientLeavesWhileHeld() {
        const auto server = serverOf(saying(q("{'text':['a',{'hold':'ever'}]}")) + "," + q("{'hold':'ever','answer':{'content':[]}}"));
        for (std::size_t i = 1; i <= 2; ++i) {
            RawClient client(server->port());
            client.send(anthropic(kHelloStreamed));
            QVERIFY(server->waitUntilHeld("ever"));
            client.leave();
            QVERIFY(server->waitForDeliveries(i));
            QCOMPARE(server->requests()[i - 1].delivery, Delivery::ClientLeft);
        }
        QCOMPARE(server->failures(), Lines());
    }

    void theServerEndsWhatIsHeld() {
        auto server = serverOf(saying(q("{'text':['a',{'hold':'ever'}]}")));
        RawClient client(server->port());
        client.send(anthropic(kHelloStreamed));
        QVERIFY(server->waitUntilHeld("ever"));
        server.reset();
        const auto got = client.readAnswer();
        QVERIFY(got.status == 200 && !got.whole);
    }

    void twoAtOnce() {
        const auto server = serverOf(q("{'hold':'first','answer':{'content':[{'text':'one'}]}},{'answer':{'content':[{'text':'two'}]}}"));
        RawClient one(server->port());
        one.send(anthropic(kHello));
        QVERIFY(server->waitUntilHeld("first"));
        QVERIFY(ask(*server, openAi(kHello)).body.find("two") != std::string::npos);
        server->release("first");
        QVERIFY(one.readAnswer().body.find("one") != std::string::npos);
        QVERIFY(server->waitForRequests(2) && !server->waitForRequests(3, std::chrono::milliseconds(0)));
    }

    void aCutAndAFaultCanBeHeld() {
        const auto server = serverOf(q("{'hold':'door','fault':{'status':529}},{'hold':'door','answer':{'content':[],'cut_after':3}}"));
        RawClient client(server->port());
        client.send(anthropic(kHello));
        QVERIFY(server->waitUntilHeld("door"));
        server->release("door");
        QCOMPARE(client.readAnswer().status, 529);
        client.send(anthropic(kHelloStreamed));
        QCOMPARE(client.readAnswer().body, std::string("eve"));
    }
};

QTEST_GUILESS_MAIN(TestTurns)
#include "test_turns.moc"
