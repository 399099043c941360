// SPDX-License-Identifier: Apache-2.0
// A guest that answers hello with an error: a share of before is still in use there, its disk is full. Nobody but the clerk
// asks again in this epoch, and the engine waits for it.
#include "tests/app/clerk/clerk_rig.h"
#include "tests/app/clerk/mux_peer.h"
#include "tests/support/authority_certificates.h"

#include <QTemporaryDir>
#include <QTest>
#include <boost/json.hpp>

#include <future>
#include <sys/socket.h>

using namespace carrel;
using namespace carrel::clerk;
using carrel::clerk::test::ClerkRig;
using carrel::clerk::test::MuxPeer;
using carrel::test::authorityOfAda;
namespace json = boost::json;

class TestGreeting : public QObject {
    Q_OBJECT
private slots:
    void init() { begin(nullptr); }
    void cleanup() {
        m_guest.reset(); // whoever still waits is answered
        if (m_greeting.valid()) {
            m_greeting.wait();
        }
        m_rig.reset();
    }

    // The certificate alone, as it came; and where there is none, nothing.
    void theAuthorityIsTold() {
        QVERIFY(answerHello(greeting()));
        QVERIFY(!m_hello.contains("authority"));
        cleanup();
        begin(toJson(authorityOfAda()));
        QVERIFY(answerHello(fail(ErrorCode::Io, "no space")));
        const auto isTold = [this] {
            const auto* authority = m_hello.if_contains("authority");
            return authority != nullptr && *authority == toJson(authorityOfAda());
        };
        QVERIFY(isTold());
        QVERIFY(answerHello(greeting()));
        QVERIFY(isTold()); // each time that it is asked
    }
    void whatIsNoAuthorityIsRefused_data() {
        QTest::addColumn<QByteArray>("authority");
        const auto row = [](const char* name, const json::value& value) { QTest::newRow(name) << QByteArray::fromStdString(json::serialize(value)); };
        auto withKey = toJson(authorityOfAda());
        withKey["certificate"] = authorityOfAda().pem + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        row("a key with it", withKey);
        row("no certificate", json::object{{"certificate", "x"}, {"name_hash", "3a5a69f0"}});
        row("a text", json::value(authorityOfAda().pem));
        row("no hash", json::object{{"certificate", authorityOfAda().pem}});
    }
    void whatIsNoAuthorityIsRefused() {
        QFETCH(QByteArray, authority);
        QVERIFY(answerHello(greeting())); // of the other one
        ClerkRig rig([] { return 0; });
        const auto prepared = rig.prepare(m_share.path().toStdString(), json::parse(authority.toStdString()));
        QVERIFY(!prepared && prepared.error().code == ErrorCode::InvalidArgument);
        QVERIFY(!rig.request("hello", {})); // it is not confined, and does nothing
    }

    void isAskedAgain() {
        QVERIFY(answerHello(fail(ErrorCode::Unavailable, "the share of before is still in use in the machine")));
        QVERIFY2(answerHello(greeting()), "nobody asked again");
        const auto greeted = m_greeting.get();
        QVERIFY2(greeted, greeted ? "" : greeted.error().text().c_str());
    }
    // What does not pass by itself soon is told; it is asked again all the same, as there may be room by then.
    void whoWaitsIsToldWhy() {
        do { // who waits may come after the first
            QVERIFY(answerHello(fail(ErrorCode::Io, "writing the staged work: no space left on device")));
        } while (m_greeting.wait_for(std::chrono::milliseconds(200)) != std::future_status::ready);
        auto greeted = m_greeting.get();
        QVERIFY(!greeted && greeted.error().code == ErrorCode::Io);
        QVERIFY2(answerHello(greeting()), "nobody asked again");
        greeted = m_rig->request("hello", {});
        QVERIFY2(greeted, greeted ? "" : greeted.error().text().c_str());
    }
    void nobodyWaitsForEver() {
        for (int times = 0; times < 3 || m_greeting.wait_for(std::chrono::milliseconds(200)) != std::future_status::ready; ++times) {
            QVERIFY(answerHello(fail(ErrorCode::Unavailable, "the share of before is still in use in the machine")));
        }
        const auto greeted = m_greeting.get();
        QVERIFY(!greeted && greeted.error().text().find("still in use") != std::string::npos);
    }
    // It holds up nobody, and the clerk goes on asking for it.
    void aShareThatFailsIsTold() {
        QVERIFY(answerHello(greeting(failure("its log is damaged", false))));
        const auto greeted = m_greeting.get();
        QVERIFY2(greeted, greeted ? "" : greeted.error().text().c_str());
        QCOMPARE(told(), std::string(R"([{"share":7,"why":"its log is damaged"}])"));
        QVERIFY2(answerHello(greeting(failure("its log is damaged", false))), "nobody asked again");
        QVERIFY2(answerHello(greeting()), "nobody asked again");
        QTRY_VERIFY_WITH_TIMEOUT(m_rig->request("hello", {}) && told() == "[]", 60'000);
    }
    // A command would find no folder where there is one in a moment.
    void whatMayPassIsWaitedFor() {
        QVERIFY(answerHello(greeting(failure("the share of before is still in use", true))));
        QVERIFY2(answerHello(greeting()), "nobody asked again");
        const auto greeted = m_greeting.get();
        QVERIFY2(greeted, greeted ? "" : greeted.error().text().c_str());
        QCOMPARE(told(), std::string());
    }
    void butNotForEver() {
        for (int times = 0; times < 3; ++times) {
            QVERIFY2(answerHello(greeting(failure("the share of before is still in use", true))), "nobody asked again");
        }
        const auto greeted = m_greeting.get();
        QVERIFY2(greeted, greeted ? "" : greeted.error().text().c_str());
        QCOMPARE(told(), std::string(R"([{"share":7,"why":"the share of before is still in use"}])"));
    }

    // It is on its way when the clerk says so: whoever lets the guest's processors run then, waits for no guest before.
    void theClockIsOnItsWay() {
        QVERIFY(answerHello(greeting()));
        QVERIFY(m_greeting.get());
        const auto now = [] {
            return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
        };
        const auto before = now();
        QVERIFY(m_rig->request("clock", {})); // and nobody has answered it
        const auto after = now();
        QVERIFY(!m_rig->request("clock", {{"realtime_ns", 1}}));
        std::vector<json::object> said;
        QVERIFY(QTest::qWaitFor([&] {
            (void)m_guest->pump();
            for (const auto& text : std::exchange(m_guest->streams[control::kRpcStream].messages, {})) {
                said.push_back(json::parse(text).as_object());
            }
            return !said.empty();
        }, 60'000));
        QCOMPARE(said.size(), std::size_t{1});
        QVERIFY(said[0].at("method") == "clock");
        const auto& params = said[0].at("params").as_object();
        QCOMPARE(params.size(), std::size_t{1});
        const auto told = params.at("realtime_ns").to_number<std::int64_t>();
        QVERIFY(told >= before && told <= after);
    }

    // Nobody asks for it; a guest that does not answer hears of it once.
    void theClockIsKept() {
        cleanup();
        begin(nullptr, std::chrono::milliseconds(20));
        QVERIFY(answerHello(greeting()));
        QVERIFY(m_greeting.get());
        std::vector<json::object> said;
        const auto hears = [&](std::size_t count) {
            return QTest::qWaitFor([&] {
                (void)m_guest->pump();
                for (const auto& text : std::exchange(m_guest->streams[control::kRpcStream].messages, {})) {
                    said.push_back(json::parse(text).as_object());
                }
                return said.size() >= count;
            }, 60'000);
        };
        for (std::size_t count = 1; count <= 3; ++count) {
            QVERIFY(hears(count));
            QCOMPARE(said.size(), count);
            QVERIFY(said.back().at("method") == "clock");
            const auto answer = toText(RpcResponse{said.back().at("id").to_number<std::uint64_t>(), json::value(json::object())});
            QVERIFY(m_guest->mux().sendBytes(control::kRpcStream, asBytes(answer)).has_value());
        }
    }

private:
    void begin(const json::value& authority, std::chrono::nanoseconds drift = kDriftPatience) {
        m_rig = std::make_unique<ClerkRig>([] { return 0; }, drift);
        QVERIFY(m_rig->prepare(m_share.path().toStdString(), authority));
        int ends[2] = {-1, -1};
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        m_guest = std::make_unique<MuxPeer>(UniqueFd(ends[0]), Side::Guest);
        const UniqueFd host(ends[1]);
        QVERIFY(m_rig->request("attach", {{"channels", {"control"}}}, {host.get()}));
        m_greeting = std::async(std::launch::async, [this] { return m_rig->request("hello", {}); });
    }
    static json::object greeting(json::array failed = {}) {
        return {{"version", control::kProtocolVersion},
                {"capabilities", json::array{}},
                {"boot_id", "boot-1"},
                {"shares_failed", std::move(failed)}};
    }
    static json::array failure(const char* why, bool passing) { return {{{"share", 7}, {"why", why}, {"passing", passing}}}; }
    // What the engine was told last of shares that failed.
    std::string told() {
        std::string last;
        for (const auto& each : m_rig->told()) {
            last = each.method == "shares.failed" ? json::serialize(each.params.at("shares")) : last;
        }
        return last;
    }
    // Waits for the clerk's next hello.
    bool answerHello(const Result<json::object>& answer) {
        return QTest::qWaitFor(
            [&] {
                (void)m_guest->pump();
                for (const auto& text : std::exchange(m_guest->streams[control::kRpcStream].messages, {})) {
                    const auto request = json::parse(text).as_object();
                    if (request.contains("method") && request.at("method").as_string() == "hello") {
                        m_hello = request.at("params").as_object();
                        RpcResponse response{request.at("id").to_number<std::uint64_t>(), json::value()};
                        if (answer) {
                            response.result = json::value(*answer);
                        } else {
                            response.result = fail(answer.error());
                        }
                        // MuxPeer took the stream for one of bytes; a short message is one frame either way.
                        const bool sent =
                            m_guest->mux().sendBytes(control::kRpcStream, asBytes(toText(response))).has_value();
                        (void)m_guest->pump();
                        return sent;
                    }
                }
                return false;
            },
            60'000);
    }

    QTemporaryDir m_share;
    std::unique_ptr<ClerkRig> m_rig;
    std::unique_ptr<MuxPeer> m_guest;
    std::future<Result<json::object>> m_greeting;
    json::object m_hello; // the last one
};

QTEST_GUILESS_MAIN(TestGreeting)
#include "test_greeting.moc"
