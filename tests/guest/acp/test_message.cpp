// SPDX-License-Identifier: Apache-2.0
// What is taken for a message, what is not, and who is told.
#include "guest/acp/message.h"

#include <QTest>

using namespace carrel;
using namespace carrel::acp;

namespace {
const JsonLimits kLimits{.bytes = 64 * 1024, .depth = 16};
}

class TestMessage : public QObject {
    Q_OBJECT
private slots:
    void readsWhatItWrites() {
        const Message messages[] = {
            Request{7, "session/prompt", {{"a", 1}}},
            Request{std::string("x-1"), "initialize", {}},
            Notification{"session/update", {{"text", "two\nlines"}}},
            Answer{-3, boost::json::value{{"stopReason", "end_turn"}}},
            Answer{std::string("x"), boost::json::value(nullptr)},
            Answer{1, tl::unexpected<Problem>({-32601, "no such method", boost::json::value{{"hint", "none"}}})},
        };
        for (const auto& each : messages) {
            const auto line = lineOf(each);
            QVERIFY(line.find('\n') == std::string::npos);
            const auto read = readMessage(line, kLimits);
            QVERIFY(read);
            QCOMPARE(lineOf(*read), line);
            QCOMPARE(read->index(), each.index());
        }
    }

    void paramsMayBeMissing() {
        const auto read = readMessage(R"({"jsonrpc":"2.0","id":1,"method":"m","params":null,"more":true})", kLimits);
        QVERIFY(read && std::get<Request>(*read).params.empty());
        QVERIFY(std::get<Notification>(*readMessage(R"({"jsonrpc":"2.0","method":"m"})", kLimits)).params.empty());
    }

    void anErrorBesideNothingIsAnError() {
        const auto read = readMessage(R"({"jsonrpc":"2.0","id":1,"result":null,"error":{"code":-32000,"message":"m"}})", kLimits);
        QCOMPARE(std::get<Answer>(*read).outcome.error().code, std::int64_t(-32000));
        QVERIFY(std::get<Answer>(*readMessage(R"({"jsonrpc":"2.0","id":1,"result":2,"error":null})", kLimits)).outcome);
        // Somebody waits for it, whatever it is.
        QVERIFY(!std::get<Answer>(*readMessage(R"({"id":1,"error":5})", kLimits)).outcome);
    }

    void unreadable_data() {
        QTest::addColumn<QByteArray>("line");
        QTest::addColumn<int>("told"); // 0: nobody
        QTest::addColumn<QByteArray>("id");
        const auto row = [](const char* line, int told, const char* id) { QTest::newRow(line) << QByteArray(line) << told << QByteArray(id); };
        row("Starting up…", 0, "");
        row("{", -32700, "null");
        row("[]", -32600, "null");
        row("12", 0, "");
        row("{}", 0, "");
        row(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}})", 0, ""); // never an answer to an answer
        row(R"({"jsonrpc":"2.0","id":1})", 0, "");
        row(R"({"jsonrpc":"1.0","id":1,"method":"m"})", -32600, "1");
        row(R"({"id":"a","method":"m"})", -32600, "\"a\"");
        row(R"({"jsonrpc":"2.0","id":1,"method":7})", -32600, "1");
        row(R"({"jsonrpc":"2.0","id":1,"method":""})", -32600, "1");
        row(R"({"jsonrpc":"2.0","id":null,"method":"m"})", -32600, "null");
        row(R"({"jsonrpc":"2.0","id":1.5,"method":"m"})", -32600, "null");
        row(R"({"jsonrpc":"2.0","id":1,"method":"m","params":[1]})", -32602, "1");
        row(R"({"jsonrpc":"2.0","method":"m","params":[1]})", 0, "");
        row(R"({"jsonrpc":"2.0","id":1,"id":2,"method":"m"})", -32700, "null");
        row(R"({"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}}}}}}}}}})", -32700, "null");
    }
    void unreadable() {
        QFETCH(QByteArray, line);
        QFETCH(int, told);
        QFETCH(QByteArray, id);
        const auto read = readMessage(line.toStdString(), kLimits);
        QVERIFY(!read);
        const auto& bad = read.error();
        QCOMPARE(bad.told ? static_cast<int>(*bad.told) : 0, told);
        if (!bad.told) {
            return;
        }
        const auto answer = lineOf(*bad.told, bad.id, bad.why);
        QVERIFY2(answer.find("\"id\":" + id.toStdString() + ",") != std::string::npos, answer.c_str());
        // The other side, reading that, says nothing back.
        const auto back = readMessage(answer, kLimits);
        QVERIFY(back ? std::holds_alternative<Answer>(*back) : !back.error().told);
    }

    void isBounded() {
        const auto with = [](const char* before, std::size_t count, const char* after) { return before + std::string(count, 'x') + after; };
        QVERIFY(readMessage(with("{\"jsonrpc\":\"2.0\",\"method\":\"", kMostMethod, "\"}"), kLimits));
        QVERIFY(!readMessage(with("{\"jsonrpc\":\"2.0\",\"method\":\"", kMostMethod + 1, "\"}"), kLimits));
        QVERIFY(!readMessage(with("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":\"", kMostTextId + 1, "\"}"), kLimits));
        const auto read = readMessage(with("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"", kMostProblem + 9, "\"}}"), kLimits);
        QCOMPARE(std::get<Answer>(*read).outcome.error().message.size(), kMostProblem);
        QVERIFY(!readMessage(std::string(kLimits.bytes + 1, ' '), kLimits));
    }

    void errorsTravel() {
        const auto problem = problemOf(Error{ErrorCode::Expired, "nobody answered", "ask again", 0, nullptr});
        QCOMPARE(problem.code, std::int64_t(-32603));
        const auto back = errorOf(problem);
        QVERIFY(back.code == ErrorCode::Expired);
        QCOMPARE(back.message, std::string("nobody answered"));
        QCOMPARE(back.hint, std::string("ask again"));
        QVERIFY(errorOf({-32800, "m", nullptr}).code == ErrorCode::Cancelled);
        QVERIFY(errorOf({-32601, "m", nullptr}).code == ErrorCode::Unsupported);
        QVERIFY(errorOf({5, "m", boost::json::value{{"hint", 1}}}).code == ErrorCode::Internal);
    }
};

QTEST_GUILESS_MAIN(TestMessage)
#include "test_message.moc"
