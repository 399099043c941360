// SPDX-License-Identifier: Apache-2.0
// JSON-RPC messages: what is accepted, what is refused, and errors that survive the way.
#include "guest/protocol/rpc.h"

#include <QTest>

using namespace carrel;

class TestRpc : public QObject {
    Q_OBJECT

private slots:
    void aRequestSurvivesTheWay() {
        RpcRequest request;
        request.id = UINT64_MAX;
        request.method = "changes.list";
        request.params = {{"share", 3}, {"after", ""}};
        const auto read = parseRpc(toText(request));
        QVERIFY(read.has_value());
        const auto& got = std::get<RpcRequest>(*read);
        QVERIFY(got.id == request.id);
        QCOMPARE(got.method, request.method);
        QVERIFY(got.params == request.params);
    }

    void aNotificationHasNoId() {
        const auto read = parseRpc(toText(RpcRequest{std::nullopt, "stage", {{"name", "ready"}}}));
        QVERIFY(read.has_value());
        QVERIFY(!std::get<RpcRequest>(*read).id.has_value());
    }

    void paramsMayBeLeftOut() {
        const auto read = parseRpc(R"({"jsonrpc":"2.0","id":1,"method":"power.off"})");
        QVERIFY(read.has_value());
        QVERIFY(std::get<RpcRequest>(*read).params.empty());
    }

    void aResultSurvivesTheWay_data() {
        QTest::addColumn<QByteArray>("json");
        for (const char* json : {"null", "true", "7", "\"text\"", "[1,2]", "{\"a\":{}}"}) {
            QTest::newRow(json) << QByteArray(json);
        }
    }
    void aResultSurvivesTheWay() {
        QFETCH(QByteArray, json);
        const RpcResponse response{9, boost::json::parse(json.toStdString())};
        const auto read = parseRpc(toText(response));
        QVERIFY(read.has_value());
        const auto& got = std::get<RpcResponse>(*read);
        QCOMPARE(got.id, 9U);
        QVERIFY(got.result.has_value());
        QVERIFY(*got.result == *response.result);
    }

    void everyKindOfErrorSurvivesTheWay() {
        for (int code = 0; code <= static_cast<int>(ErrorCode::Internal); ++code) {
            Error error{static_cast<ErrorCode>(code), "the folder changed", "look at it again", 5, nullptr};
            const auto text = toText(RpcResponse{1, fail(error)});
            QVERIFY(text.find("\"code\":" + std::to_string(-32000 - code)) != std::string::npos);
            const auto read = parseRpc(text);
            QVERIFY(read.has_value());
            const auto& got = std::get<RpcResponse>(*read).result;
            QVERIFY(!got.has_value());
            QVERIFY(got.error().code == error.code);
            QCOMPARE(got.error().message, error.message);
            QCOMPARE(got.error().hint, error.hint);
            QCOMPARE(got.error().sysErrno, 5);
        }
    }

    void causesTravelInTheText() {
        const Error inner{ErrorCode::Io, "the disk is full", "free some space", 28, nullptr};
        const auto got = errorFrom(toJson(inner.wrap("the change could not be kept")));
        QCOMPARE(got.message, std::string("the change could not be kept: the disk is full"));
        QCOMPARE(got.hint, std::string("free some space"));
    }

    void aReceivedErrorIsBounded() {
        const std::string longText(5000, 'x');
        const auto got =
            errorFrom({{"code", 1},
                       {"message", longText},
                       {"data", {{"kind", "no-such-kind"}, {"hint", longText}, {"errno", 1 << 20}}}});
        QCOMPARE(got.message.size(), 2000U);
        QCOMPARE(got.hint.size(), 2000U);
        QVERIFY(got.code == ErrorCode::Internal);
        QCOMPARE(got.sysErrno, 0);
        const std::string umlauts = "x" + [] {
            std::string out;
            for (int i = 0; i < 2000; ++i) {
                out += "\xc3\xa4";
            }
            return out;
        }();
        const auto cut = errorFrom({{"message", umlauts}}).message; // never within a character
        QCOMPARE(cut.size(), 1999U);
    }

    void anErrorWithAnyBytesIsStillJson() {
        const auto text = toText(RpcResponse{1, fail(ErrorCode::NotFound, "no file called \xff\xfe\n")});
        const auto read = parseRpc(text);
        QVERIFY(read.has_value());
        QCOMPARE(std::get<RpcResponse>(*read).result.error().message, std::string("no file called \?\?\n"));
    }

    void whatIsRefused_data() {
        QTest::addColumn<QByteArray>("text");
        const auto row = [](const char* name, const char* text) { QTest::newRow(name) << QByteArray(text); };
        row("nothing", "");
        row("a batch", R"([{"jsonrpc":"2.0","id":1,"method":"x"}])");
        row("no version", R"({"id":1,"method":"x"})");
        row("another version", R"({"jsonrpc":"1.0","id":1,"method":"x"})");
        row("a version that is a number", R"({"jsonrpc":2.0,"id":1,"method":"x"})");
        row("id is text", R"({"jsonrpc":"2.0","id":"1","method":"x"})");
        row("id is negative", R"({"jsonrpc":"2.0","id":-1,"method":"x"})");
        row("id is a fraction", R"({"jsonrpc":"2.0","id":1.5,"method":"x"})");
        row("id is null", R"({"jsonrpc":"2.0","id":null,"method":"x"})");
        row("id twice", R"({"jsonrpc":"2.0","id":1,"id":2,"method":"x"})");
        row("params is a list", R"({"jsonrpc":"2.0","id":1,"method":"x","params":[1]})");
        row("params is null", R"({"jsonrpc":"2.0","id":1,"method":"x","params":null})");
        row("method is empty", R"({"jsonrpc":"2.0","id":1,"method":""})");
        row("method has odd bytes", R"({"jsonrpc":"2.0","id":1,"method":"a b"})");
        row("method is too long",
            R"({"jsonrpc":"2.0","id":1,"method":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})");
        row("an unknown field", R"({"jsonrpc":"2.0","id":1,"method":"x","more":1})");
        row("a request with a result", R"({"jsonrpc":"2.0","id":1,"method":"x","result":1})");
        row("neither result nor error", R"({"jsonrpc":"2.0","id":1})");
        row("result and error", R"({"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":"x"}})");
        row("a response without id", R"({"jsonrpc":"2.0","result":1})");
        row("a response to null", R"({"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}})");
        row("error is text", R"({"jsonrpc":"2.0","id":1,"error":"x"})");
        row("error without code", R"({"jsonrpc":"2.0","id":1,"error":{"message":"x"}})");
        row("error without message", R"({"jsonrpc":"2.0","id":1,"error":{"code":1}})");
        row("error with more", R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x","more":1}})");
        row("error's data is text",
            R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x","data":"y"}})");
        row("text behind", R"({"jsonrpc":"2.0","id":1,"method":"x"}{})");
    }
    void whatIsRefused() {
        QFETCH(QByteArray, text);
        const auto read = parseRpc({text.constData(), static_cast<std::size_t>(text.size())});
        QVERIFY(!read.has_value());
        QVERIFY(read.error().code == ErrorCode::Malformed);
    }

    void theCallersLimitsHold() {
        const auto text = toText(RpcRequest{1, "x", {{"a", std::string(1000, 'x')}}});
        QVERIFY(parseRpc(text, {.bytes = text.size()}).has_value());
        QVERIFY(parseRpc(text, {.bytes = text.size() - 1}).error().code == ErrorCode::LimitExceeded);
    }
};

QTEST_GUILESS_MAIN(TestRpc)
#include "test_rpc.moc"
