// SPDX-License-Identifier: Apache-2.0
// carrel-ask from its words to its exit status, against a socket that the test answers.
#include "guest/ask/ask_run.h"
#include "guest/protocol/rpc.h"
#include "guest/protocol/unique_fd.h"

#include <QTemporaryDir>
#include <QTest>
#include <boost/json.hpp>

#include <cstring>
#include <functional>
#include <mutex>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>

namespace json = boost::json;
using namespace carrel;

namespace {

// Answers one connection after the other, a line a line.
class Desk {
public:
    using Answer = std::function<std::string(const RpcRequest&)>; // a line; empty: hangs up
    Desk(const std::string& path, Answer answer)
        : m_answer(std::move(answer)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        m_listener.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::bind(m_listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(m_listener.get(), 4) != 0) {
            qFatal("no socket");
        }
        m_thread = std::thread([this] { serve(); });
    }
    ~Desk() {
        (void)::shutdown(m_listener.get(), SHUT_RDWR);
        m_thread.join();
    }
    [[nodiscard]] std::vector<std::string> heard() const {
        const std::lock_guard lock(m_mutex);
        return m_heard;
    }

private:
    void serve() {
        for (;;) {
            const UniqueFd fd(::accept(m_listener.get(), nullptr, nullptr));
            if (!fd) {
                return;
            }
            std::string in;
            char buffer[4096];
            for (bool more = true; more;) {
                const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
                if (got <= 0) {
                    break;
                }
                in.append(buffer, static_cast<std::size_t>(got));
                while (more && in.find('\n') != std::string::npos) {
                    const auto request = std::get<RpcRequest>(parseRpc(in.substr(0, in.find('\n'))).value());
                    in.erase(0, in.find('\n') + 1);
                    {
                        const std::lock_guard lock(m_mutex);
                        m_heard.push_back(request.method + " " + json::serialize(request.params));
                    }
                    const auto line = m_answer(request);
                    more = !line.empty();
                    (void)!::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL);
                }
            }
        }
    }

    Answer m_answer;
    UniqueFd m_listener;
    mutable std::mutex m_mutex;
    std::vector<std::string> m_heard;
    std::thread m_thread;
};

std::string line(const RpcRequest& to, Result<json::value> result) {
    return toText(RpcResponse{*to.id, std::move(result)}) + "\n";
}
json::object standing(std::uint64_t id, std::string_view state, std::string_view words = "so it is") {
    return {{"id", id}, {"state", state}, {"words", words}};
}

json::object refused(std::string_view outcome, std::string_view words, int times) {
    return {{"at", 1795819210}, {"host", "example.org"}, {"port", 443}, {"outcome", outcome}, {"words", words}, {"times", times}};
}

} // namespace

class TestAskRun : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { qputenv("TZ", "UTC"); }
    void init() {
        m_folder = std::make_unique<QTemporaryDir>();
        m_at = {};
        m_out.clear();
        m_err.clear();
        m_at.socket = m_folder->filePath("ask").toStdString();
        m_at.workspace = "/workspace";
        m_at.workingFolder = "/workspace/papers";
        m_at.out = [this](std::string_view text) { m_out += text; };
        m_at.err = [this](std::string_view text) { m_err += text; };
    }

    void packagesAreLookedAt() {
        {
            const Desk desk(m_at.socket, [](const RpcRequest& request) { return line(request, json::object()); });
            QCOMPARE(run({"packages"}), 0);
            QCOMPARE(desk.heard(), std::vector<std::string>{"packages.look {}"});
        }
        QCOMPARE(run({"packages"}), 69); // nobody is there
        QVERIFY(m_out.empty());
    }

    // The exit status says how it stands.
    void statusOfEachState_data() {
        QTest::addColumn<QString>("state");
        QTest::addColumn<int>("status");
        QTest::newRow("allowed") << "allowed" << 0;
        QTest::newRow("denied") << "denied" << 1;
        QTest::newRow("expired") << "expired" << 2;
        QTest::newRow("cancelled") << "cancelled" << 3;
    }
    void statusOfEachState() {
        QFETCH(QString, state);
        QFETCH(int, status);
        int waits = 0;
        const Desk desk(m_at.socket, [&](const RpcRequest& request) {
            if (request.method == "ask.apply") {
                return line(request, standing(7, "open"));
            }
            return line(request, standing(7, ++waits == 1 ? "open" : state.toStdString(), "the\nwords"));
        });
        QCOMPARE(run({"apply", "a", "/workspace/other", "--reason", "done"}), status);
        QCOMPARE(m_out, std::string("the words\n"));
        QCOMPARE(m_err, std::string("Request 7 waits for an answer.\n"));
        QCOMPARE(desk.heard(),
                 (std::vector<std::string>{
                     R"(ask.apply {"paths":[{"share":"papers","path":"a"},{"share":"other"}],"reason":"done"})",
                     R"(ask.wait {"id":7,"seconds":60})", R"(ask.wait {"id":7,"seconds":60})"}));
    }

    void answeredAtOnce() {
        const Desk desk(m_at.socket, [](const RpcRequest& request) { return line(request, standing(0, "denied", "")); });
        QCOMPARE(run({"folder", "--reason", "more"}), 1);
        QCOMPARE(m_out, std::string("denied\n"));
        QCOMPARE(desk.heard(), std::vector<std::string>{R"(ask.folder {"reason":"more"})"});
    }

    void comesBackLater() {
        const Desk desk(m_at.socket, [](const RpcRequest& request) {
            return line(request, request.method == "ask.why" ? json::object{{"requests", {standing(7, "open")}}} : standing(7, "open"));
        });
        QCOMPARE(run({"apply", "--reason", "done", "--no-wait"}), 75);
        QCOMPARE(m_out, std::string("7\n"));
        QVERIFY(m_err.empty());
        QCOMPARE(run({"wait", "7", "--for", "0"}), 75);
        QVERIFY(m_err.find("carrel-ask wait 7") != std::string::npos);
        QCOMPARE(desk.heard().back(), std::string(R"(ask.wait {"id":7,"seconds":0})"));
        m_out.clear();
        QCOMPARE(run({"why", "7"}), 75);
        QCOMPARE(m_out, std::string("so it is\n"));
    }

    void lists() {
        json::array refusals;
        json::array requests{standing(8, "open"), standing(7, "expired", "late")};
        const Desk desk(m_at.socket, [&](const RpcRequest& request) {
            return line(request, request.method == "ask.why" ? json::object{{"requests", requests}} : json::object{{"refusals", refusals}});
        });
        QCOMPARE(run({"why"}), 0);
        QCOMPARE(m_out, std::string("8  open  so it is\n7  expired  late\n"));
        refusals = {refused("denied", "a\x1brule", 3), refused("offline", "", 1)};
        m_out.clear();
        QCOMPARE(run({"why"}), 0);
        QCOMPARE(m_out, std::string("connection  2026-11-27 22:40:10  denied  example.org port 443  a rule (3 times)\n"
                                    "connection  2026-11-27 22:40:10  offline  example.org port 443  The agent has no network.\n"
                                    "8  open  so it is\n7  expired  late\n"));
        refusals.clear();
        requests.clear();
        m_out.clear();
        QCOMPARE(run({"why"}), 4);
        QVERIFY(m_out.empty());
        QCOMPARE(m_err, std::string("Nothing has been asked, and no connection was refused.\n"));
    }

    // Of one host, nobody but the machine itself is asked.
    void whyAHostWasRefused() {
        json::array refusals{refused("denied", "a rule", 1)};
        const Desk desk(m_at.socket, [&](const RpcRequest& request) { return line(request, json::object{{"refusals", refusals}}); });
        QCOMPARE(run({"why", "Example.org"}), 0);
        QCOMPARE(m_out, std::string("connection  2026-11-27 22:40:10  denied  example.org port 443  a rule\n"));
        refusals.clear();
        QCOMPARE(run({"why", "example.org"}), 4);
        QVERIFY2(m_err.find("No connection to example.org was refused. A refused HTTP request says why") == 0, m_err.c_str());
        QCOMPARE(desk.heard(), std::vector<std::string>(2, R"(net.refusals {"host":"example.org"})"));
    }

    // What the machine knows is told also where nobody can be asked.
    void refusalsWithoutAHost() {
        json::array refusals{refused("closed", "", 1)};
        const Desk desk(m_at.socket, [&](const RpcRequest& request) {
            return line(request, request.method == "ask.why" ? Result<json::value>(fail(ErrorCode::Unavailable, "Carrel does not answer"))
                                                             : json::object{{"refusals", refusals}});
        });
        QCOMPARE(run({"why"}), 0);
        QVERIFY2(m_out.find("closed  example.org port 443  The connection was given up.") != std::string::npos, m_out.c_str());
        QCOMPARE(m_err, std::string("carrel-ask: Carrel does not answer\n"));
        refusals.clear();
        QCOMPARE(run({"why"}), 69);
    }

    void takesBack() {
        bool late = false;
        const Desk desk(m_at.socket, [&](const RpcRequest& request) {
            return line(request, standing(7, late ? "allowed" : "cancelled"));
        });
        QCOMPARE(run({"withdraw", "7"}), 0);
        late = true;
        QCOMPARE(run({"withdraw", "7"}), 1);
    }

    void wrongWordsAskNobody() {
        QCOMPARE(run({"apply"}), 64);
        QVERIFY(m_err.find("--reason") != std::string::npos);
        m_err.clear();
        QCOMPARE(run({"apply", "/etc/passwd", "--reason", "x"}), 64);
        QVERIFY2(m_err.find("is in no shared folder") != std::string::npos, m_err.c_str());
        QCOMPARE(run({"--help"}), 0);
        QVERIFY(m_out.find("Exit status: 0 allowed, 1 denied") != std::string::npos);
    }

    void errorsOfTheHost_data() {
        QTest::addColumn<int>("code");
        QTest::addColumn<int>("status");
        QTest::newRow("no such request") << static_cast<int>(ErrorCode::NotFound) << 64;
        QTest::newRow("refused") << static_cast<int>(ErrorCode::Refused) << 1;
        QTest::newRow("too many") << static_cast<int>(ErrorCode::LimitExceeded) << 69;
        QTest::newRow("restarted") << static_cast<int>(ErrorCode::Unavailable) << 69;
        QTest::newRow("no answer in time is no answer") << static_cast<int>(ErrorCode::Expired) << 69;
    }
    void errorsOfTheHost() {
        QFETCH(int, code);
        QFETCH(int, status);
        const Desk desk(m_at.socket, [&](const RpcRequest& request) {
            return line(request, fail(static_cast<ErrorCode>(code), "so it\x1b is", "do this"));
        });
        QCOMPARE(run({"wait", "7"}), status);
        QVERIFY2(m_err.starts_with("carrel-ask: so it  is. do this\n"), m_err.c_str());
        QCOMPARE(m_err.find("Come back with: carrel-ask wait 7") != std::string::npos, status == 69);
    }

    void nobodyIsThere() {
        QCOMPARE(run({"why"}), 69); // no socket
        const Desk desk(m_at.socket, [](const RpcRequest&) { return std::string(); });
        QCOMPARE(run({"wait", "7"}), 69); // it hangs up
        QVERIFY(m_err.find("Come back with: carrel-ask wait 7") != std::string::npos);
    }

    void nonsenseIsNoAnswer_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("no JSON") << QByteArray("yes\n");
        QTest::newRow("another's") << QByteArray("{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{\"id\":7,\"state\":\"allowed\",\"words\":\"\"}}\n");
        QTest::newRow("an unknown state") << QByteArray("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"id\":7,\"state\":\"sure\",\"words\":\"\"}}\n");
        QTest::newRow("no object") << QByteArray("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":7}\n");
        QTest::newRow("without end") << QByteArray(200'000, 'x');
    }
    void nonsenseIsNoAnswer() {
        QFETCH(QByteArray, text);
        const Desk desk(m_at.socket, [&](const RpcRequest&) { return text.toStdString(); });
        QCOMPARE(run({"wait", "7"}), 69);
        QCOMPARE(run({"why", "example.org"}), 69);
        QVERIFY(m_out.empty());
    }

private:
    int run(const std::vector<std::string>& words) { return ask::run(words, m_at); }
    std::unique_ptr<QTemporaryDir> m_folder;
    ask::Surroundings m_at;
    std::string m_out, m_err;
};

QTEST_GUILESS_MAIN(TestAskRun)
#include "test_ask_run.moc"
