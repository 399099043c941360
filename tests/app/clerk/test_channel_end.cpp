// SPDX-License-Identifier: Apache-2.0
// A machine that ends takes its channels along. Whatever the engine asks then, or had asked before, is
// answered: it holds the agent's lock while it waits.
#include "app/clerk/guest_words.h"
#include "tests/app/clerk/clerk_rig.h"
#include "tests/app/clerk/mux_peer.h"

#include <QTemporaryDir>
#include <QTest>
#include <boost/json.hpp>

#include <future>
#include <sys/socket.h>

using namespace carrel;
using namespace carrel::clerk;
using carrel::clerk::test::ClerkRig;
using carrel::clerk::test::MuxPeer;
namespace json = boost::json;

class TestChannelEnd : public QObject {
    Q_OBJECT
private slots:
    void init() {
        m_rig = std::make_unique<ClerkRig>([] { return 0; });
        QVERIFY(m_rig->prepare(m_share.path().toStdString()));
        std::vector<UniqueFd> hostEnds;
        std::vector<int> descriptors;
        for (auto* peer : {&m_control, &m_files, &m_terminals}) {
            int ends[2] = {-1, -1};
            QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
            *peer = std::make_unique<MuxPeer>(UniqueFd(ends[0]), Side::Guest);
            hostEnds.emplace_back(ends[1]);
            descriptors.push_back(ends[1]);
        }
        QVERIFY(m_rig->request("attach", {{"channels", {"control", "files", "terminals"}}}, descriptors));
        bool greeted = false; // QTRY_VERIFY asks once more after a yes
        QTRY_VERIFY_WITH_TIMEOUT(greeted = greeted || answered("hello", {{"version", control::kProtocolVersion},
                                                            {"capabilities", json::array{}},
                                                            {"boot_id", "boot-1"},
                                                            {"shares_failed", json::array{}}}), 60'000);
        QTRY_VERIFY_WITH_TIMEOUT(pump() && m_files->mux().isOpen() && m_terminals->mux().isOpen(), 60'000);
        QVERIFY(m_rig->request("hello", {}));
    }
    void cleanup() { m_rig.reset(); }

    void whatIsAskedAfterwards_data() {
        QTest::addColumn<QString>("method");
        for (const char* method :
             {"hello", "changes.list", "content.copy", "changes.settle", "exec", "power.off"}) {
            QTest::newRow(method) << method;
        }
    }
    void whatIsAskedAfterwards() {
        QFETCH(QString, method);
        for (auto* peer : {&m_terminals, &m_files, &m_control}) {
            (*peer)->hangUp();
        }
        // Asked before the clerk has seen it or after. Then it has seen the others, too: they closed before.
        QVERIFY(isUnavailable(m_rig->request("power.off", {})));
        const UniqueFd file(::memfd_create("content", MFD_CLOEXEC));
        json::object params;
        if (method == "content.copy") {
            params = {{"share", 1}, {"generation", 1}, {"max", 10}, {"path", "a"}};
        } else if (method == "exec") {
            params = {{"session", 1}, {"argv", {"true"}}, {"env", json::object{}}, {"cwd", "/"}};
        } else if (method != "hello" && method != "power.off") {
            params = {{"share", 1}};
        }
        const bool withFile = method == "content.copy" || method == "exec";
        QVERIFY(isUnavailable(m_rig->request(method.toStdString(), std::move(params),
                                             withFile ? std::vector<int>{file.get()} : std::vector<int>{})));
    }

    // The guest has said that all was sent; the bytes never come.
    void aCopyWhoseEndIsMissing() {
        const UniqueFd file(::memfd_create("content", MFD_CLOEXEC));
        auto copy = std::async(std::launch::async, [&] {
            return m_rig->request(
                "content.copy", {{"share", 1}, {"generation", 1}, {"max", 10}, {"path", "a"}}, {file.get()});
        });
        bool sent = false;
        QTRY_VERIFY_WITH_TIMEOUT(sent = sent || answered("content.send", {{"size", 10}}), 60'000);
        m_files->hangUp();
        const auto outcome = copy.get();
        QVERIFY(isUnavailable(outcome));
    }

private:
    static bool isUnavailable(const Result<json::object>& answer) {
        if (answer || answer.error().code != ErrorCode::Unavailable) {
            qInfo("%s", answer ? "answered" : answer.error().text().c_str());
            return false;
        }
        return true;
    }
    bool pump() {
        for (auto* peer : {&m_control, &m_files, &m_terminals}) {
            (void)(*peer)->pump();
        }
        return true;
    }
    // True once the clerk's request of that name has come; it is answered then.
    bool answered(const std::string& method, const json::object& result) {
        (void)pump();
        auto& messages = m_control->streams[control::kRpcStream].messages;
        for (const auto& text : std::exchange(messages, {})) {
            const auto request = json::parse(text).as_object();
            if (request.contains("method") && request.at("method").as_string() == method) {
                const auto answer = json::serialize(
                    json::object{{"jsonrpc", "2.0"}, {"id", request.at("id")}, {"result", result}});
                // MuxPeer took the stream for one of bytes; a short message is one frame either way.
                const bool sent =
                    m_control->mux().sendBytes(control::kRpcStream, asBytes(answer)).has_value();
                (void)pump();
                return sent;
            }
        }
        return false;
    }

    QTemporaryDir m_share;
    std::unique_ptr<ClerkRig> m_rig;
    std::unique_ptr<MuxPeer> m_control;
    std::unique_ptr<MuxPeer> m_files;
    std::unique_ptr<MuxPeer> m_terminals;
};

QTEST_GUILESS_MAIN(TestChannelEnd)
#include "test_channel_end.moc"
