// SPDX-License-Identifier: Apache-2.0
// guestd's socket for questions, with hostile programs at it and a host that the test plays.
#include "guest/guestd/ask_desk.h"
#include "guest/protocol/rpc.h"

#include <QTemporaryDir>
#include <QTest>
#include <boost/json.hpp>

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <future>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::guestd;
using namespace std::chrono_literals;

namespace {

// One of the agent's programs. Waits with patience for what must come; nothing here decides by time.
class Program {
public:
    explicit Program(const std::string& path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        m_fd.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(m_fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            m_fd.reset();
        }
    }
    bool say(std::string_view text) {
        return ::send(m_fd.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
    }
    bool ask(std::uint64_t id, std::string method, json::object params) {
        return say(toText(RpcRequest{id, std::move(method), std::move(params)}) + "\n");
    }
    // The next line; empty: the connection ended.
    std::string hear() {
        for (;;) {
            if (const auto end = m_in.find('\n'); end != std::string::npos) {
                auto line = m_in.substr(0, end);
                m_in.erase(0, end + 1);
                return line;
            }
            char buffer[4096];
            pollfd wait{m_fd.get(), POLLIN, 0};
            if (::poll(&wait, 1, 60'000) <= 0) {
                return "(nothing)";
            }
            const ssize_t got = ::recv(m_fd.get(), buffer, sizeof buffer, 0);
            if (got <= 0) {
                return {};
            }
            m_in.append(buffer, static_cast<std::size_t>(got));
        }
    }
    [[nodiscard]] int fd() const { return m_fd.get(); }
    void hangUp() { m_fd.reset(); }
    [[nodiscard]] bool isOver() const {
        char one = 0;
        const ssize_t got = ::recv(m_fd.get(), &one, 1, MSG_PEEK | MSG_DONTWAIT);
        return got == 0 || (got < 0 && errno != EAGAIN);
    }
    void sayNoMore() { (void)::shutdown(m_fd.get(), SHUT_WR); }

private:
    UniqueFd m_fd;
    std::string m_in;
};

const json::object kWait{{"id", 7}, {"seconds", 60}};

} // namespace

class TestAskDesk : public QObject {
    Q_OBJECT
private slots:
    void init() {
        m_folder = std::make_unique<QTemporaryDir>();
        m_path = m_folder->filePath("ask").toStdString();
        m_sent.clear();
        m_asks = std::make_unique<HostAsks>([this](EpochNumber, std::string_view text) -> Status {
            const std::lock_guard lock(m_mutex);
            m_sent.push_back(std::get<RpcRequest>(parseRpc(text).value()));
            return {};
        });
        m_asks->newEpoch(1, HostAsks::Clock::now());
        m_asks->greeted(1, HostAsks::Clock::now());
        open({});
    }
    void cleanup() {
        m_desk.reset();
        m_asks.reset();
    }

    void aQuestionAndItsAnswer() {
        Program program(m_path);
        QVERIFY(program.ask(3, "ask.apply", {{"paths", {{{"share", "papers"}, {"path", "a"}}}}, {"reason", "done"}}));
        const auto sent = hostHears(0);
        QCOMPARE(sent.method, std::string("ask.apply"));
        QCOMPARE(json::serialize(sent.params), std::string(R"({"paths":[{"share":4,"path":"a"}],"reason":"done"})"));
        hostSays(sent, {{"id", 7}, {"state", "open"}, {"words", "It waits"}});
        QCOMPARE(program.hear(), std::string(R"({"jsonrpc":"2.0","id":3,"result":{"id":7,"state":"open","words":"It waits"}})"));
        // The next one on the same connection, by a program that says no more after it.
        QVERIFY(program.ask(4, "ask.wait", kWait));
        program.sayNoMore();
        hostSays(hostHears(1), {{"id", 7}, {"state", "allowed"}, {"words", ""}});
        QVERIFY(program.hear().find("allowed") != std::string::npos);
        QVERIFY(program.hear().empty());
    }

    // Not by the host, and not before it is done.
    void packagesAreLookedAtBeforeTheAnswer() {
        Program program(m_path);
        QVERIFY(program.ask(5, "packages.look", {}));
        QCOMPARE(program.hear(), std::string(R"({"jsonrpc":"2.0","id":5,"result":{}})")); // there is nobody to look
        QVERIFY(program.ask(6, "packages.look", {{"file", "a"}}));
        QVERIFY(program.hear().find("malformed") != std::string::npos);
        m_desk.reset();
        std::promise<std::function<void()>> asked;
        m_looks = [&asked](std::function<void()> done) { asked.set_value(std::move(done)); };
        open({});
        Program other(m_path);
        QVERIFY(other.ask(7, "packages.look", {}));
        const auto done = asked.get_future().get();
        QVERIFY(!other.isOver());
        done();
        QCOMPARE(other.hear(), std::string(R"({"jsonrpc":"2.0","id":7,"result":{}})"));
        QVERIFY(m_sent.empty());
        m_looks = {};
    }

    void wrongWordsAreAnswered_data() {
        QTest::addColumn<QByteArray>("line");
        QTest::addColumn<QByteArray>("kind");
        QTest::newRow("another method") << QByteArray(R"({"jsonrpc":"2.0","id":1,"method":"power.off"})") << QByteArray("unsupported");
        QTest::newRow("no such share")
            << QByteArray(R"({"jsonrpc":"2.0","id":1,"method":"ask.apply","params":{"paths":[{"share":"x"}],"reason":"y"}})")
            << QByteArray("not-found");
        QTest::newRow("a share's number")
            << QByteArray(R"({"jsonrpc":"2.0","id":1,"method":"ask.apply","params":{"paths":[{"share":4}],"reason":"y"}})")
            << QByteArray("malformed");
        QTest::newRow("the kernel's question")
            << QByteArray(R"({"jsonrpc":"2.0","id":1,"method":"ask.program","params":{"sha256":"%1","path":"/x","started_by":[]}})").replace("%1", QByteArray(64, 'a'))
            << QByteArray("refused");
        QTest::newRow("what guestd alone found") << QByteArray(R"({"jsonrpc":"2.0","id":1,"method":"ask.installed","params":{"packages":[],"last":true}})")
                                                 << QByteArray("refused");
        QTest::newRow("upwards") << QByteArray(
            R"({"jsonrpc":"2.0","id":1,"method":"ask.apply","params":{"paths":[{"share":"papers","path":".."}],"reason":"y"}})")
                                 << QByteArray("malformed");
        QTest::newRow("a path of nothing")
            << QByteArray(R"({"jsonrpc":"2.0","id":1,"method":"ask.apply","params":{"paths":[7,null],"reason":"y"}})")
            << QByteArray("malformed");
    }
    void wrongWordsAreAnswered() {
        QFETCH(QByteArray, line);
        QFETCH(QByteArray, kind);
        Program program(m_path);
        QVERIFY(program.say(line.toStdString() + "\n"));
        const auto answer = program.hear();
        const auto parsed = parseRpc(answer);
        QVERIFY2(parsed && std::holds_alternative<RpcResponse>(*parsed), answer.c_str());
        const auto& response = std::get<RpcResponse>(*parsed);
        QVERIFY(!response.result);
        QCOMPARE(QByteArray(toString(response.result.error().code).data()), kind);
        QVERIFY(program.ask(2, "ask.why", {})); // and the connection is none the worse
        hostSays(hostHears(0), {{"requests", json::array{}}});
        QVERIFY(program.hear().find("requests") != std::string::npos);
    }

    void nonsenseEndsTheConnection_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("nothing") << QByteArray("\n");
        QTest::newRow("no JSON") << QByteArray("\xff\xfe{\n");
        QTest::newRow("a notification") << QByteArray("{\"jsonrpc\":\"2.0\",\"method\":\"ask.why\"}\n");
        QTest::newRow("an answer") << QByteArray("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
        QTest::newRow("too deep") << QByteArray("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ask.why\",\"params\":{\"a\":" +
                                                QByteArray(20, '[') + QByteArray(20, ']') + "}}\n");
        QTest::newRow("no end") << QByteArray(static_cast<qsizetype>(kMaxAskLine) + 1, 'x');
    }
    void nonsenseEndsTheConnection() {
        QFETCH(QByteArray, text);
        Program program(m_path);
        (void)program.say({text.constData(), static_cast<std::size_t>(text.size())});
        QVERIFY(program.hear().empty());
        const std::lock_guard lock(m_mutex);
        QVERIFY(m_sent.empty());
    }

    // Many lines at once are one question after the other.
    void questionsOfOneProgramQueueUp() {
        Program program(m_path);
        std::string all;
        for (int i = 0; i < 50; ++i) {
            all += "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}\n";
        }
        all += toText(RpcRequest{2, "ask.wait", kWait}) + "\n" + toText(RpcRequest{3, "ask.wait", kWait}) + "\n";
        QVERIFY(program.say(all));
        for (int i = 0; i < 50; ++i) {
            QVERIFY(program.hear().find("error") != std::string::npos);
        }
        const auto first = hostHears(0);
        {
            const std::lock_guard lock(m_mutex);
            QCOMPARE(m_sent.size(), std::size_t{1});
        }
        hostSays(first, {{"id", 7}, {"state", "open"}, {"words", ""}});
        QVERIFY(program.hear().find(R"("id":2,"result")") != std::string::npos);
        hostSays(hostHears(1), {{"id", 7}, {"state", "denied"}, {"words", ""}});
        QVERIFY(program.hear().find(R"("id":3,"result")") != std::string::npos);
    }

    void soManyConnections() {
        std::vector<std::unique_ptr<Program>> all;
        for (std::size_t i = 0; i < AskDesk::Bounds().connections; ++i) {
            all.push_back(std::make_unique<Program>(m_path));
        }
        Program late(m_path);
        QVERIFY(late.hear().find("too many programs") != std::string::npos);
        QVERIFY(late.hear().empty());
        all.back()->hangUp();
        // The desk sees it go before it lets in who comes after.
        QTRY_VERIFY_WITH_TIMEOUT(
            [this] {
                Program again(m_path);
                return again.say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}\n") &&
                       again.hear().find("no such question") != std::string::npos;
            }(),
            60'000);
    }

    // Who says nothing is let go by the clock; who waits for an answer is not.
    void silenceEnds() {
        open({.connections = 32, .toSay = 50ms, .toTake = 60s});
        std::unique_ptr<Program> waiting;
        const auto isSent = [this] {
            const std::lock_guard lock(m_mutex);
            return !m_sent.empty();
        };
        do { // on a busy computer even this one may be too slow
            waiting = std::make_unique<Program>(m_path);
            (void)waiting->ask(1, "ask.wait", kWait);
            while (!isSent() && !waiting->isOver()) {
                QTest::qWait(5);
            }
        } while (!isSent());
        Program silent(m_path);
        QVERIFY(silent.hear().empty());
        Program slow(m_path);
        (void)slow.say("{\"jsonrpc\"");
        QVERIFY(slow.hear().empty());
        hostSays(hostHears(0), {{"id", 7}, {"state", "allowed"}, {"words", ""}});
        QVERIFY(waiting->hear().find("allowed") != std::string::npos);
    }

    // Who takes no answer is let go, too, and costs one answer's room.
    void whoDoesNotTakeItsAnswerIsLetGo() {
        open({.connections = 32, .toSay = 60s, .toTake = 50ms});
        Program program(m_path);
        const int small = 1;
        (void)::setsockopt(program.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        std::string all;
        for (int i = 0; i < 3000; ++i) {
            all += "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}\n";
        }
        (void)::fcntl(program.fd(), F_SETFL, O_NONBLOCK);
        // Until the desk, which cannot get rid of its answers, takes no more and hangs up.
        QTRY_VERIFY_WITH_TIMEOUT(!program.say(all) && (errno == EPIPE || errno == ECONNRESET), 60'000);
    }

    // A program that goes does not take back what it asked, and another's answer does not go astray.
    void whoHangsUpIsForgotten() {
        Program first(m_path);
        QVERIFY(first.ask(1, "ask.wait", kWait));
        const auto lost = hostHears(0);
        first.hangUp();
        Program second(m_path);
        QVERIFY(second.ask(1, "ask.wait", kWait));
        const auto kept = hostHears(1);
        hostSays(lost, {{"id", 7}, {"state", "denied"}, {"words", ""}});
        hostSays(kept, {{"id", 7}, {"state", "allowed"}, {"words", ""}});
        QVERIFY(second.hear().find("allowed") != std::string::npos);
    }

    void anEpochsEndIsTold() {
        Program opening(m_path);
        QVERIFY(opening.ask(1, "ask.folder", {{"reason", "more"}}));
        (void)hostHears(0);
        Program waiting(m_path);
        QVERIFY(waiting.ask(1, "ask.wait", kWait));
        (void)hostHears(1);
        m_asks->newEpoch(2, HostAsks::Clock::now());
        QVERIFY(opening.hear().find("Carrel has restarted, ask again") != std::string::npos);
        m_asks->greeted(2, HostAsks::Clock::now());
        const auto again = hostHears(2);
        m_asks->receive({*again.id, json::value{{"id", 7}, {"state", "allowed"}, {"words", ""}}}, 2);
        QVERIFY(waiting.hear().find("allowed") != std::string::npos);
    }

    // By guestd itself: also where nobody is there who could be asked, and beside what waits for somebody.
    void refusedConnectionsAreToldByTheMachine() {
        m_asks->newEpoch(2, HostAsks::Clock::now());
        Program waiting(m_path);
        QVERIFY(waiting.ask(1, "ask.wait", kWait));
        m_refusals.note({"example.org", 443}, {net::Outcome::Denied, "a rule"});
        m_refusals.note({"other.example.org", 443}, {net::Outcome::Offline, ""});
        Program program(m_path);
        QVERIFY(program.ask(3, "net.refusals", {}));
        QCOMPARE(program.hear().substr(0, 100).find(R"({"jsonrpc":"2.0","id":3,"result":{"refusals":[{"at":)"), 0U);
        QVERIFY(program.ask(4, "net.refusals", {{"host", "example.org"}}));
        const auto answer = std::get<RpcResponse>(parseRpc(program.hear()).value());
        const auto told = net::refusalsFrom(answer.result.value().as_object());
        QVERIFY(told && told->size() == 1);
        QVERIFY((told->front().meant == net::Opening{"example.org", 443}));
        QCOMPARE(told->front().words, std::string("a rule"));
        QVERIFY(program.ask(5, "net.refusals", {{"host", "a b"}}));
        QVERIFY(program.hear().find("malformed") != std::string::npos);
        const std::lock_guard lock(m_mutex);
        QVERIFY(m_sent.empty());
    }

    // An earlier guestd's socket is no obstacle.
    void startsAgainAtItsPlace() {
        open({});
        Program program(m_path);
        QVERIFY(program.ask(1, "ask.why", {}));
        hostSays(hostHears(0), {{"requests", json::array{}}});
        QVERIFY(program.hear().find("requests") != std::string::npos);
    }

private:
    void open(AskDesk::Bounds bounds) {
        m_desk = std::make_unique<AskDesk>(
            *m_asks, m_refusals,
            [](std::string_view name) { return name == "papers" ? std::optional<std::uint32_t>(4) : std::nullopt; }, bounds);
        m_desk->onPackages(m_looks);
        const auto started = m_desk->start(m_path);
        QVERIFY2(started, started ? "" : started.error().text().c_str());
    }
    RpcRequest hostHears(std::size_t index) {
        for (int tries = 0; tries < 6000; ++tries) {
            {
                const std::lock_guard lock(m_mutex);
                if (m_sent.size() > index) {
                    return m_sent[index];
                }
            }
            QTest::qWait(10);
        }
        qFatal("the host hears nothing");
    }
    void hostSays(const RpcRequest& to, json::object answer) { m_asks->receive({*to.id, json::value(std::move(answer))}, 1); }

    AskDesk::LookAtPackages m_looks;
    std::unique_ptr<QTemporaryDir> m_folder;
    std::string m_path;
    std::mutex m_mutex;
    std::vector<RpcRequest> m_sent;
    std::unique_ptr<HostAsks> m_asks;
    RefusalBook m_refusals;
    std::unique_ptr<AskDesk> m_desk;
};

QTEST_GUILESS_MAIN(TestAskDesk)
#include "test_ask_desk.moc"
