// SPDX-License-Identifier: Apache-2.0
// What the clerk asks carrel-guestd, and what it takes from it: answers to what was asked, notifications, and requests, which
// are another's to judge (test_guest_asks.cpp).
#include "app/clerk/guest_rpc.h"

#include <QTest>
#include <boost/json/serialize.hpp>

using namespace carrel;
using namespace carrel::clerk;
namespace json = boost::json;

namespace {

struct World {
    std::vector<std::string> sent;
    std::vector<std::string> notified;
    std::vector<std::string> asked;
    Status sending;
    GuestRpc rpc{[this](std::string_view text) -> Status {
                     if (sending) {
                         sent.emplace_back(text);
                     }
                     return sending;
                 },
                 [this](const std::string& method, const json::object& params) {
                     notified.push_back(method + json::serialize(params));
                 },
                 [this](std::uint64_t id, const std::string& method, const json::object& params) -> Status {
                     asked.push_back(std::to_string(id) + method + json::serialize(params));
                     return {};
                 }};
    std::vector<Result<json::object>> answers;

    void ask(const std::string& method) {
        rpc.request(method, {},
                    [this](Result<json::object> answer) { answers.push_back(std::move(answer)); });
    }
    Status hear(std::string_view text) { return rpc.receive(asBytes(text)); }
};

QByteArray answer(const QByteArray& result) {
    return R"({"jsonrpc":"2.0","id":1,"result":)" + result + "}";
}

} // namespace

class TestGuestRpc : public QObject {
    Q_OBJECT
private slots:
    void answersFindTheirRequest() {
        World world;
        world.ask("first");
        world.ask("second");
        QCOMPARE(world.sent.size(), std::size_t{2});
        QVERIFY(world.hear(R"({"jsonrpc":"2.0","id":2,"result":{"n":2}})"));
        QVERIFY(world.hear(
            R"({"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"no","data":{"kind":"conflict"}}})"));
        QCOMPARE(world.answers.size(), std::size_t{2});
        QCOMPARE(world.answers[0]->at("n").to_number<int>(), 2);
        QVERIFY(!world.answers[1]);
        QVERIFY(world.answers[1].error().code == ErrorCode::Conflict);
    }

    void malformed_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("nothing") << QByteArray();
        QTest::newRow("not JSON") << QByteArray("\xff\xfe");
        QTest::newRow("an answer to nothing") << QByteArray(R"({"jsonrpc":"2.0","id":7,"result":{}})");
        QTest::newRow("a batch") << QByteArray(R"([{"jsonrpc":"2.0","id":1,"result":{}}])");
        QTest::newRow("both result and error")
            << QByteArray(R"({"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}})");
        QTest::newRow("too deep") << answer(QByteArray(20, '[') + QByteArray(20, ']'));
        QTest::newRow("too long") << answer('"' + QByteArray(3 * 1024 * 1024, 'x') + '"');
    }
    void malformed() {
        QFETCH(QByteArray, text);
        World world;
        world.ask("hello");
        QVERIFY(!world.hear({text.constData(), static_cast<std::size_t>(text.size())}));
        QVERIFY(world.answers.empty()); // whoever asked still waits for a real answer
        QVERIFY(world.hear(R"({"jsonrpc":"2.0","id":1,"result":{}})"));
        QCOMPARE(world.answers.size(), std::size_t{1});
        QVERIFY(!world.hear(R"({"jsonrpc":"2.0","id":1,"result":{}})")); // and that one only once
        QCOMPARE(world.answers.size(), std::size_t{1});
    }

    void anAnswerIsAnObject() {
        World world;
        world.ask("hello");
        QVERIFY(world.hear(R"({"jsonrpc":"2.0","id":1,"result":[1]})"));
        QCOMPARE(world.answers.size(), std::size_t{1});
        QVERIFY(!world.answers[0]);
        QVERIFY(world.answers[0].error().code == ErrorCode::Malformed);
    }

    void unansweredRequestsAreBounded() {
        World world;
        for (std::size_t i = 0; i < kMaxPendingRequests; ++i) {
            world.ask("hello");
        }
        QVERIFY(world.answers.empty());
        world.ask("one more");
        QCOMPARE(world.answers.size(), std::size_t{1});
        QVERIFY(world.answers[0].error().code == ErrorCode::LimitExceeded);
        QCOMPARE(world.sent.size(), kMaxPendingRequests); // and it was not sent
        QVERIFY(world.hear(R"({"jsonrpc":"2.0","id":1,"result":{}})"));
        world.ask("now there is room");
        QCOMPARE(world.sent.size(), kMaxPendingRequests + 1);
    }

    void tellingIsNotAsking() {
        World world;
        QVERIFY(world.hear(R"({"jsonrpc":"2.0","method":"ask.why","params":{}})"));
        QCOMPARE(world.notified, std::vector<std::string>{"ask.why{}"});
        QVERIFY(world.asked.empty());
        QVERIFY(world.hear(R"({"jsonrpc":"2.0","id":9,"method":"stage","params":{"name":"ready"}})"));
        QCOMPARE(world.notified.size(), std::size_t{1});
        QCOMPARE(world.asked, std::vector<std::string>{R"(9stage{"name":"ready"})"});
        QVERIFY(world.sent.empty() && world.answers.empty());
    }

    void whoCannotSendIsTold() {
        World world;
        world.sending = fail(ErrorCode::Unavailable, "nobody there");
        world.ask("hello");
        QCOMPARE(world.answers.size(), std::size_t{1});
        QVERIFY(world.answers[0].error().code == ErrorCode::Unavailable);
    }

    void anEndOfTheEpochAnswersAll() {
        World world;
        world.ask("first");
        world.ask("second");
        world.rpc.failAll(Error{ErrorCode::Unavailable, "began anew", {}, 0, {}});
        QCOMPARE(world.answers.size(), std::size_t{2});
        QVERIFY(world.answers[1].error().code == ErrorCode::Unavailable);
        QVERIFY(!world.hear(R"({"jsonrpc":"2.0","id":1,"result":{}})")); // too late
        QCOMPARE(world.answers.size(), std::size_t{2});
    }
};

QTEST_GUILESS_MAIN(TestGuestRpc)
#include "test_guest_rpc.moc"
