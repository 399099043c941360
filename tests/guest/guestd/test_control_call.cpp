// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/control_call.h"
#include "guest/guestd/session_start.h"
#include "guest/protocol/control.h"
#include "guest/protocol/mux.h"
#include "tests/support/authority_certificates.h"

#include <QTest>

using namespace carrel;
using namespace carrel::guestd;

namespace {

const QString kHash(64, QLatin1Char('a'));

} // namespace

class TestControlCall : public QObject {
    Q_OBJECT

private slots:
    void good_data();
    void good();
    void bad_data();
    void bad();
    void helloAndAnAuthority();
    void sessionRequests_data();
    void sessionRequests();

private:
    static Result<ControlCall> parse(const QString& method, const QString& params) {
        const QString text =
            QStringLiteral(R"({"jsonrpc":"2.0","id":1,"method":"%1","params":%2})").arg(method, params);
        auto message = parseRpc(text.toStdString(), {.bytes = kMaxMessageBytes, .depth = 12});
        if (!message) {
            return fail(message.error());
        }
        return controlCallFrom(std::get<RpcRequest>(*message));
    }
};

void TestControlCall::good_data() {
    QTest::addColumn<QString>("method");
    QTest::addColumn<QString>("params");
    QTest::addColumn<int>("index");
    QTest::newRow("hello") << "hello"
                           << R"({"version":1,"capabilities":[],"realtime_ns":5,"agent":{"id":"a","name":"b"},
                               "shares":[{"id":1,"name":"x","mode":"review"},{"id":2,"name":"y","mode":"read-only"}]})"
                           << 0;
    QTest::newRow("clock") << "clock"
                           << R"({"realtime_ns":1700000000000000000})" << 1;
    QTest::newRow("add") << "share.add"
                         << R"({"share":{"id":4095,"name":"x","mode":"review"}})" << 2;
    QTest::newRow("remove") << "share.remove"
                            << R"({"id":1})" << 3;
    QTest::newRow("list") << "changes.list"
                          << R"({"share":1,"after":"","limit":200})" << 4;
    QTest::newRow("list on") << "changes.list"
                             << R"({"share":1,"after_b64":"/w==","limit":1})" << 4;
    QTest::newRow("content") << "content.send"
                             << R"({"share":1,"path":"a/b","generation":9,"stream":65536,"max":10})" << 5;
    QTest::newRow("settle") << "changes.settle"
                            << R"({"share":1,"entries":[{"path":"a","generation":1}]})" << 6;
    QTest::newRow("settle, of what stands there")
        << "changes.settle"
        << R"({"share":1,"entries":[{"path":"a","generation":1,"left":{"version":{"inode":1,"size":2,"mtime_ns":3,"ctime_ns":4}}},{"path":"b","generation":1,"left":{}}]})"
        << 6;
    QTest::newRow("off") << "power.off"
                         << "{}" << 7;
    QTest::newRow("cancel") << "cancel"
                            << R"({"id":7})" << 8;
    QTest::newRow("programs") << "programs.policy"
                              << QStringLiteral(R"({"mode":"allow","unknown":"ask","age":3,"deny":["%1"],"allow":["%1"],"code":["%1"],"part":0,"last":true})").arg(kHash)
                              << 9;
    QTest::newRow("programs, none") << "programs.policy" << R"({"mode":"observe","unknown":"refuse","age":0,"deny":[],"allow":[],"part":7,"last":false})" << 9;
}

void TestControlCall::good() {
    QFETCH(QString, method);
    QFETCH(QString, params);
    QFETCH(int, index);
    const auto call = parse(method, params);
    QVERIFY2(call.has_value(), call ? "" : call.error().text().c_str());
    QCOMPARE(static_cast<int>(call->index()), index);
}

void TestControlCall::helloAndAnAuthority() {
    const auto hello = [](const boost::json::value& authority) {
        boost::json::object params{{"version", 1}, {"capabilities", boost::json::array{}}, {"realtime_ns", 5}, {"agent", {{"id", "a"}, {"name", "b"}}},
                                   {"shares", boost::json::array{}}, {"authority", authority}};
        return controlCallFrom({1, "hello", std::move(params)});
    };
    const auto call = hello(toJson(test::authorityOfAda()));
    QVERIFY(call && std::get<HelloCall>(*call).authority == test::authorityOfAda());
    const auto without = hello(nullptr);
    QVERIFY(without && !std::get<HelloCall>(*without).authority);
    for (const boost::json::value& bad : {boost::json::value("x"), boost::json::value{{"certificate", "x"}, {"name_hash", "3a5a69f0"}}}) {
        const auto none = hello(bad);
        QVERIFY(!none && none.error().code == ErrorCode::Malformed);
    }
}

void TestControlCall::bad_data() {
    QTest::addColumn<QString>("method");
    QTest::addColumn<QString>("params");
    QTest::newRow("unknown method") << "share.write"
                                    << "{}";
    const auto programs = [](const char* name, QString params) { QTest::newRow(name) << "programs.policy" << params.replace("HASH", kHash); };
    programs("programs, another mode", R"({"mode":"off","unknown":"ask","age":1,"deny":[],"allow":[],"part":0,"last":true})");
    programs("programs, no word on unknown ones", R"({"mode":"deny","age":1,"deny":[],"allow":[],"part":0,"last":true})");
    programs("programs, another word on them", R"({"mode":"deny","unknown":"allow","age":1,"deny":[],"allow":[],"part":0,"last":true})");
    programs("programs, half a hash", R"({"mode":"deny","unknown":"ask","age":1,"deny":["aa"],"allow":[],"part":0,"last":true})");
    programs("programs, a hash that is none", R"({"mode":"deny","unknown":"ask","age":1,"deny":[7],"allow":[],"part":0,"last":true})");
    programs("programs, more", R"({"mode":"deny","unknown":"ask","age":1,"deny":["HASH"],"allow":[],"part":0,"last":true,"paths":["/x"]})");
    programs("programs, no end", R"({"mode":"deny","unknown":"ask","age":1,"deny":[],"allow":[],"part":0})");
    QString many;
    for (std::size_t i = 0; i <= control::kMaxHashesPerPart / 2; ++i) {
        many += ",\"" + kHash + "\"";
    }
    programs("programs, too many together",
             QStringLiteral(R"({"mode":"deny","unknown":"ask","age":1,"deny":[%1],"allow":[%1],"part":0,"last":true})").arg(many.mid(1)));
    QTest::newRow("settle, half a version")
        << "changes.settle" << R"({"share":1,"entries":[{"path":"a","generation":1,"left":{"version":{"inode":1}}}]})";
    QTest::newRow("settle, left of another form")
        << "changes.settle" << R"({"share":1,"entries":[{"path":"a","generation":1,"left":{"more":1}}]})";
    QTest::newRow("discard leaves nothing")
        << "changes.discard" << R"({"share":1,"entries":[{"path":"a","generation":1,"left":{}}]})";
    QTest::newRow("unknown field") << "power.off"
                                   << R"({"now":true})";
    QTest::newRow("missing field") << "clock"
                                   << "{}";
    QTest::newRow("negative time") << "clock"
                                   << R"({"realtime_ns":-1})";
    QTest::newRow("time too large") << "clock"
                                    << R"({"realtime_ns":18446744073709551615})";
    QTest::newRow("share 0") << "share.remove"
                             << R"({"id":0})";
    QTest::newRow("share 4096") << "share.remove"
                                << R"({"id":4096})";
    QTest::newRow("name with slash") << "share.add"
                                     << R"({"share":{"id":1,"name":"a/b","mode":"review"}})";
    QTest::newRow("name dots") << "share.add"
                               << R"({"share":{"id":1,"name":"..","mode":"review"}})";
    QTest::newRow("mode") << "share.add"
                          << R"({"share":{"id":1,"name":"a","mode":"write"}})";
    QTest::newRow("one share twice")
        << "hello"
        << R"({"version":1,"capabilities":[],"realtime_ns":5,"agent":{"id":"a","name":"b"},
                               "shares":[{"id":1,"name":"x","mode":"review"},{"id":1,"name":"y","mode":"review"}]})";
    QTest::newRow("limit 0") << "changes.list"
                             << R"({"share":1,"after":"","limit":0})";
    QTest::newRow("limit 201") << "changes.list"
                               << R"({"share":1,"after":"","limit":201})";
    QTest::newRow("path up") << "changes.list"
                             << R"({"share":1,"after":"../x","limit":1})";
    QTest::newRow("both paths") << "changes.list"
                                << R"({"share":1,"after":"a","after_b64":"/w==","limit":1})";
    QTest::newRow("stream of a share") << "content.send"
                                       << R"({"share":1,"path":"a","generation":9,"stream":5,"max":10})";
    QTest::newRow("content of the root") << "content.send"
                                         << R"({"share":1,"path":"","generation":9,"stream":65536,"max":10})";
    QTest::newRow("entry that is none") << "changes.discard"
                                        << R"({"share":1,"entries":[7]})";
    QTest::newRow("entry without path") << "changes.discard"
                                        << R"({"share":1,"entries":[{"generation":1}]})";
}

void TestControlCall::bad() {
    QFETCH(QString, method);
    QFETCH(QString, params);
    const auto call = parse(method, params);
    QVERIFY(!call.has_value());
    QVERIFY(call.error().code == (method == "share.write" ? ErrorCode::Unsupported : ErrorCode::Malformed));
}

void TestControlCall::sessionRequests_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<int>("index"); // -1: refused
    QTest::newRow("start") << QByteArray(
                                  R"({"start":{"argv":["ls"],"env":{"A":"b"},"cwd":"/tmp","tty":null}})")
                           << 0;
    QTest::newRow("start tty") << QByteArray(
                                      R"({"start":{"argv":["sh"],"tty":{"rows":2,"cols":3,"term":"x"}}})")
                               << 0;
    QTest::newRow("signal") << QByteArray(R"({"signal":15})") << 1;
    QTest::newRow("resize") << QByteArray(R"({"resize":{"rows":2,"cols":3}})") << 2;
    QTest::newRow("no argv") << QByteArray(R"({"start":{"argv":[]}})") << -1;
    QTest::newRow("empty program") << QByteArray(R"({"start":{"argv":[""]}})") << -1;
    QTest::newRow("NUL") << QByteArray("{\"start\":{\"argv\":[\"a\\u0000b\"]}}") << -1;
    QTest::newRow("variable with =") << QByteArray(R"({"start":{"argv":["a"],"env":{"A=B":"c"}}})") << -1;
    QTest::newRow("variable not text") << QByteArray(R"({"start":{"argv":["a"],"env":{"A":1}}})") << -1;
    QTest::newRow("too long") << QByteArray("{\"start\":{\"argv\":[\"" + QByteArray(131073, 'a') + "\"]}}")
                              << -1;
    QTest::newRow("signal 0") << QByteArray(R"({"signal":0})") << -1;
    QTest::newRow("signal 65") << QByteArray(R"({"signal":65})") << -1;
    QTest::newRow("two things") << QByteArray(R"({"signal":1,"resize":{"rows":2,"cols":3}})") << -1;
    QTest::newRow("nothing") << QByteArray("{}") << -1;
    QTest::newRow("no JSON") << QByteArray("\x00\xff", 2) << -1;
}

void TestControlCall::sessionRequests() {
    QFETCH(QByteArray, text);
    QFETCH(int, index);
    const auto request =
        parseSessionRequest(std::string_view(text.constData(), static_cast<std::size_t>(text.size())));
    QCOMPARE(request ? static_cast<int>(request->index()) : -1, index);
}

QTEST_GUILESS_MAIN(TestControlCall)
#include "test_control_call.moc"
