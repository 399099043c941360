// SPDX-License-Identifier: Apache-2.0
// What is tried again, after how long, and what a person is told where it is not.
#include "guest/agent/model_codec.h"
#include "guest/agent/retry_policy.h"

#include <QTest>

#include <thread>

using namespace carrel;
using namespace carrel::agent;
using namespace std::chrono_literals;

namespace {

RetryPolicy policy(double chance = 0) {
    return RetryPolicy([chance] { return chance; });
}
TurnFailure of(FailureKind kind, std::optional<std::chrono::milliseconds> asked = {}) {
    auto failure = failTurn(kind, "x").value();
    failure.retryAfter = asked;
    return failure;
}
TurnFailure status(int code, std::string type = {}, std::string said = {}) {
    return failureOf({code, std::move(type), std::move(said), {}, {}});
}

} // namespace

class TestRetryPolicy : public QObject {
    Q_OBJECT
private slots:
    void theWaitDoublesUpToABound() {
        std::vector<std::int64_t> least;
        std::vector<std::int64_t> most;
        for (unsigned before = 0; before < 8; ++before) {
            least.push_back(policy(0).waitBefore(of(FailureKind::Busy), before)->count());
            most.push_back(policy(1).waitBefore(of(FailureKind::Dropped), before)->count());
        }
        QCOMPARE(least, (std::vector<std::int64_t>{500, 1000, 2000, 4000, 8000, 16000, 30000, 30000}));
        QCOMPARE(most, (std::vector<std::int64_t>{1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000}));
        QVERIFY(!policy().waitBefore(of(FailureKind::Busy), 8));
        RetryRules many;
        many.again = 1000;
        QVERIFY(RetryPolicy([] { return 0.5; }, many).waitBefore(of(FailureKind::Busy), 999) == 45'000ms);
    }

    void howOftenByKind() {
        const auto times = [](FailureKind kind) {
            unsigned before = 0;
            while (policy().waitBefore(of(kind), before)) {
                ++before;
            }
            return before;
        };
        QCOMPARE(times(FailureKind::Busy), 8U);
        QCOMPARE(times(FailureKind::Dropped), 8U);
        QCOMPARE(times(FailureKind::NoConnection), 3U);
        QCOMPARE(times(FailureKind::Malformed), 1U);
        QCOMPARE(times(FailureKind::Empty), 1U);
        for (const auto kind : {FailureKind::Rejected, FailureKind::NoSuchHost, FailureKind::TooMuch, FailureKind::Cancelled}) {
            QCOMPARE(times(kind), 0U);
        }
    }

    void whatTheProviderAsksFor() {
        QVERIFY(policy(0).waitBefore(of(FailureKind::Busy, 20s), 0) == 20s);
        QVERIFY(policy(0.5).waitBefore(of(FailureKind::Busy, 20s), 0) == 20'500ms); // not all at once
        QVERIFY(policy(0).waitBefore(of(FailureKind::Busy, 0s), 3) == 4s);          // its own is longer
        QVERIFY(policy(0).waitBefore(of(FailureKind::Busy, 600s), 0) == 600s);
        QVERIFY(!policy(0).waitBefore(of(FailureKind::Busy, 601s), 0));
        QVERIFY(!policy(0).waitBefore(of(FailureKind::Rejected, 1s), 0));
    }

    void theFieldsThatAskForIt() {
        QVERIFY(retryAfter("20", "", "") == 20s);
        QVERIFY(retryAfter("0", "", "") == 0s);
        QVERIFY(retryAfter("1.5", "", "") == 2s);
        QVERIFY(retryAfter("20", "150", "") == 150ms);
        QVERIFY(retryAfter("Wed, 21 Oct 2026 07:28:00 GMT", "", "Wed, 21 Oct 2026 07:27:30 GMT") == 30s);
        QVERIFY(retryAfter("Wed, 21 Oct 2026 07:28:00 GMT", "", "Wed, 21 Oct 2026 07:29:30 GMT") == 0s);
        QVERIFY(retryAfter("99999999999", "", "") > 600s);
        for (const char* text : {"", "soon", "-1", "1 minute", "1.", "99999999999999999999999", "Wed, 21 Oct 2026 07:28:00 GMT"}) {
            const bool none = std::string(text) != "1.";
            QVERIFY2(retryAfter(text, "", "").has_value() != none, text);
        }
    }

    void statuses_data() {
        QTest::addColumn<int>("code");
        QTest::addColumn<QByteArray>("type");
        QTest::addColumn<QByteArray>("said");
        QTest::addColumn<bool>("again");
        QTest::addColumn<QByteArray>("hint"); // a part of it
        const auto row = [](int code, const char* type, const char* said, bool again, const char* hint) {
            QTest::newRow((std::to_string(code) + " " + type).c_str())
                << code << QByteArray(type) << QByteArray(said) << again << QByteArray(hint);
        };
        row(400, "invalid_request_error", "max_tokens: too large", false, "settings of the provider");
        row(400, "invalid_request_error", "Your credit balance is too low", false, "balance");
        row(400, "context_length_exceeded", "", false, "new task");
        row(400, "invalid_request_error ", "prompt is too long: 210000 tokens > 200000 maximum", false, "new task");
        row(401, "authentication_error", "invalid x-api-key", false, "carrel credential add");
        row(401, "invalid_api_key", "Incorrect API key provided", false, "carrel credential add");
        row(402, "", "", false, "balance");
        row(403, "permission_error", "", false, "carrel credential");
        row(404, "not_found_error", "model: x", false, "model's name");
        row(404, "", "model 'x' not found", false, "fetched");
        row(408, "", "", true, "");
        row(409, "", "", true, "");
        row(413, "request_too_large", "", false, "new task");
        row(422, "", "", false, "");
        row(425, "", "", true, "");
        row(429, "rate_limit_error", "", true, "limits");
        row(429, "insufficient_quota", "You exceeded your current quota", false, "balance");
        row(429, "enforced_spend_limit_reached", "", false, "balance");
        row(500, "api_error", "", true, "");
        row(502, "", "<html>", true, "");
        row(503, "", "", true, "");
        row(504, "", "", true, "");
        row(529, "overloaded_error", "Overloaded", true, "");
        row(307, "", "", false, "documentation");
    }
    void statuses() {
        QFETCH(int, code);
        QFETCH(QByteArray, type);
        QFETCH(QByteArray, said);
        QFETCH(bool, again);
        QFETCH(QByteArray, hint);
        const auto failure = status(code, type.toStdString(), said.toStdString());
        QCOMPARE(policy().waitBefore(failure, 0).has_value(), again);
        const auto& error = failure.error;
        QVERIFY(!error.hint.empty() && error.hint.find(hint.toStdString()) != std::string::npos);
        QVERIFY(error.message.find("HTTP " + std::to_string(code)) != std::string::npos);
        QVERIFY(error.message.find(said.trimmed().toStdString()) != std::string::npos);
        QVERIFY(!error.message.ends_with('.'));
    }

    void whatCarrelItselfAnswers() {
        const auto denied = failureOf({403, "", "Carrel did not let this request through.\noutcome: denied\n", "denied", {}});
        QVERIFY(!policy().waitBefore(denied, 0));
        QVERIFY(denied.error.message.starts_with("Carrel did not let") && denied.error.hint.find("carrel-ask why") != std::string::npos);
        const auto unreachable = failureOf({502, "", "", "unreachable", {}});
        QVERIFY(policy().waitBefore(unreachable, 0).has_value());
    }

    void theProvidersWordsAreOneBoundedLine() {
        const auto failure = status(400, "a\nb", std::string(5000, 'x') + "\x1b[31m");
        QVERIFY(failure.error.message.size() < 600);
        const auto control = status(400, "", "one\ntwo\x1b[31m");
        QVERIFY(control.error.message.find_first_of("\n\x1b") == std::string::npos);
    }

    void bodiesOfErrors_data() {
        QTest::addColumn<QByteArray>("body");
        QTest::addColumn<QByteArray>("type");
        QTest::addColumn<QByteArray>("said");
        QTest::newRow("Anthropic") << QByteArray(
                                          R"({"type":"error","error":{"type":"not_found_error","message":"model: x"},"request_id":"r"})")
                                   << QByteArray("not_found_error") << QByteArray("model: x");
        QTest::newRow("Anthropic, with a code")
            << QByteArray(
                   R"({"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"enforced_spend_limit_reached"}}})")
            << QByteArray("enforced_spend_limit_reached") << QByteArray("m");
        QTest::newRow("OpenAI") << QByteArray(
                                       R"({"error":{"message":"m","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})")
                                << QByteArray("invalid_api_key") << QByteArray("m");
        QTest::newRow("llama.cpp") << QByteArray(R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})")
                                   << QByteArray("unavailable_error") << QByteArray("Loading model");
        QTest::newRow("a sentence") << QByteArray(R"({"error":"model not found"})") << QByteArray("") << QByteArray("model not found");
        QTest::newRow("flat") << QByteArray(R"({"object":"error","message":"m","type":"t"})") << QByteArray("t") << QByteArray("m");
        QTest::newRow("FastAPI") << QByteArray(R"({"detail":"Not Found"})") << QByteArray("") << QByteArray("Not Found");
        QTest::newRow("no JSON") << QByteArray("<html>Bad Gateway") << QByteArray("") << QByteArray("<html>Bad Gateway");
        QTest::newRow("something else") << QByteArray(R"({"error":[7]})") << QByteArray("") << QByteArray("");
        QTest::newRow("nothing") << QByteArray("") << QByteArray("") << QByteArray("");
    }
    void bodiesOfErrors() {
        QFETCH(QByteArray, body);
        QFETCH(QByteArray, type);
        QFETCH(QByteArray, said);
        Answer answer;
        readErrorBody({body.constData(), std::size_t(body.size())}, answer);
        QCOMPARE(QByteArray::fromStdString(answer.type), type);
        QCOMPARE(QByteArray::fromStdString(answer.said), said);
    }

    void waitingCanBeStopped() {
        ClockWaiter waiter;
        std::stop_source source;
        QVERIFY(waiter.wait(1ms, source.get_token()) == Waited::Whole);
        std::jthread other([&] { source.request_stop(); });
        QVERIFY(waiter.wait(24h, source.get_token()) == Waited::Stopped);
        QVERIFY(waiter.wait(24h, source.get_token()) == Waited::Stopped);
    }
};

QTEST_GUILESS_MAIN(TestRetryPolicy)
#include "test_retry_policy.moc"
