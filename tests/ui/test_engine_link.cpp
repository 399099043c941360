// SPDX-License-Identifier: Apache-2.0
// The window's line to the engine: whatever becomes of the engine, the window is told as what it is, and never waits.
#include "tests/ui/desktop_world.h"

#include "app/api/wire.h"

#include <QSignalSpy>

#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;
using namespace std::chrono_literals;
namespace json = boost::json;
using State = EngineLink::State;

namespace {

// An engine of a few verbs, where a desktop looks for it.
struct Stage {
    QTemporaryDir dir{"/tmp/carrel-link-XXXXXX"};
    std::unique_ptr<api::Server> server;
    Stage() {
        qputenv("XDG_RUNTIME_DIR", dir.path().toUtf8());
        qputenv("CARREL_HOME", (dir.path() + "/home").toUtf8());
    }
    void serve(api::Handlers handlers) {
        server = std::move(api::Server::start(api::socketPath(api::openHome().value()).value(), std::move(handlers)).value());
    }
    static json::value info(std::uint64_t version = api::kApiVersion) {
        return {{"version", "1.2"}, {"api", version}, {"pid", 1}, {"home", "x"}, {"agents_running", 0}, {"started", "2026-03-01T12:00:00.000Z"}};
    }
    static api::Handler infoHandler(std::uint64_t version = api::kApiVersion) {
        return [version](api::Call&) -> Result<json::value> { return info(version); };
    }
};

sockaddr_un addressOf(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return address;
}

// Somebody who is no engine, where a desktop looks for one.
UniqueFd listenAt(const std::filesystem::path& path, int waiting) {
    UniqueFd out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = addressOf(path);
    if (::bind(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(out.get(), waiting) != 0) {
        qFatal("cannot listen");
    }
    return out;
}

constexpr EngineLink::Pace kQuick{20ms, 100ms};

} // namespace

class TestEngineLink : public QObject {
    Q_OBJECT
private slots:
    void findsTheEngine() {
        Stage stage;
        stage.serve({{"engine.info", Stage::infoHandler()}});
        EngineLink link(kQuick);
        QSignalSpy ready(&link, &EngineLink::ready);
        link.start();
        QVERIFY(link.state() == State::Looking);
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Ready, kPatience);
        QCOMPARE(ready.count(), 1);
        QCOMPARE(link.engineVersion(), QString("1.2"));
    }
    // It goes, which is told at the next look; it comes, started by somebody else.
    void goesAndComes() {
        Stage stage;
        stage.serve({{"engine.info", Stage::infoHandler()}});
        EngineLink link(kQuick);
        QSignalSpy ready(&link, &EngineLink::ready);
        link.start();
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Ready, kPatience);
        stage.server.reset();
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Absent, kPatience);
        QVERIFY(!link.trouble().message.empty());
        stage.serve({{"engine.info", Stage::infoHandler()}});
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Ready, kPatience);
        QCOMPARE(ready.count(), 2);
    }
    void thereIsNone() {
        Stage stage; // and no program beside this test that could be started
        EngineLink link(kQuick);
        link.start();
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Absent, kPatience);
        QVERIFY2(link.trouble().text().find("carrel-engine") != std::string::npos, link.trouble().text().c_str());
        QVERIFY(!link.trouble().hint.empty());
    }
    void theHomeIsNotOurs() {
        Stage stage;
        qputenv("CARREL_HOME", "relative/../../../proc/no such place");
        EngineLink link(kQuick);
        link.start();
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Absent, kPatience);
        QVERIFY(!link.trouble().message.empty());
    }
    // It takes the connection and says nothing: the window goes on, and is told when it speaks again.
    void silentForAWhile() {
        Stage stage;
        std::atomic<bool> silent = false;
        std::atomic<int> asked = 0;
        stage.serve({{"engine.info", [&](api::Call& call) -> Result<json::value> {
                          ++asked;
                          while (silent && !call.peerGone()) {
                              std::this_thread::sleep_for(1ms);
                          }
                          return Stage::info();
                      }}});
        EngineLink link(kQuick);
        QSignalSpy ready(&link, &EngineLink::ready);
        link.start();
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Ready, kPatience);
        silent = true;
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Silent, kPatience);
        const int before = asked;
        int ticks = 0; // the window's thread is free
        QTimer ticking;
        connect(&ticking, &QTimer::timeout, this, [&] { ++ticks; });
        ticking.start(1);
        QTRY_VERIFY_WITH_TIMEOUT(ticks > 50, kPatience);
        QCOMPARE(asked.load(), before); // one question is enough
        silent = false;
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Ready, kPatience);
        QCOMPARE(ready.count(), 1); // the same engine: nothing is asked anew
        silent = false;
    }
    // From the beginning: it is no start that goes on for ever, and once it speaks all is well.
    void silentAtTheBeginning() {
        Stage stage;
        std::atomic<bool> silent = true;
        stage.serve({{"engine.info", [&](api::Call& call) -> Result<json::value> {
                          while (silent && !call.peerGone()) {
                              std::this_thread::sleep_for(1ms);
                          }
                          return Stage::info();
                      }}});
        EngineLink link(kQuick);
        QSignalSpy ready(&link, &EngineLink::ready);
        link.start();
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Silent, kPatience);
        silent = false;
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Ready, kPatience);
        QCOMPARE(ready.count(), 1); // for the first time, so that all is asked
    }
    // Nobody takes the connections: so many wait that there is no room for another.
    void takesNoConnections() {
        Stage stage;
        const auto path = api::socketPath(api::openHome().value()).value();
        UniqueFd listening = listenAt(path, 0);
        const auto address = addressOf(path);
        std::vector<UniqueFd> waiting;
        for (;;) { // until there is none
            UniqueFd one(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            if (::connect(one.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
                QCOMPARE(errno, EAGAIN);
                break;
            }
            waiting.push_back(std::move(one));
        }
        QObject parent;
        auto* const request = new Request(path, "engine.info", {}, &parent);
        QSignalSpy finished(request, &Request::finished);
        int ticks = 0;
        QTimer ticking;
        connect(&ticking, &QTimer::timeout, this, [&] { ++ticks; });
        ticking.start(1);
        QTRY_VERIFY_WITH_TIMEOUT(ticks > 20, kPatience); // it did not block
        QCOMPARE(finished.count(), 0);                   // and did not give up
        listening.reset();
        waiting.clear();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience); // now there is none
    }
    void anotherVersion_data() {
        QTest::addColumn<quint64>("version");
        QTest::addColumn<QString>("word");
        QTest::newRow("older") << quint64(api::kApiVersion - 1) << "older";
        QTest::newRow("newer") << quint64(api::kApiVersion + 1) << "newer";
    }
    void anotherVersion() {
        QFETCH(quint64, version);
        QFETCH(QString, word);
        Stage stage;
        stage.serve({{"engine.info", Stage::infoHandler(version)}});
        EngineLink link(kQuick);
        QSignalSpy ready(&link, &EngineLink::ready);
        link.start();
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Other, kPatience);
        QVERIFY(QString::fromStdString(link.trouble().message).contains(word) && !link.trouble().hint.empty());
        QCOMPARE(link.canRestart(), word == "older");
        QCOMPARE(ready.count(), 0);
    }
    // The older one is asked to end, and the one of this window is started in its place.
    void restarts() {
        Stage stage;
        std::atomic<bool> stopped = false;
        stage.serve({{"engine.info", Stage::infoHandler(0)}, {"engine.stop", [&](api::Call&) -> Result<json::value> {
                                                                 stopped = true;
                                                                 return json::object{};
                                                             }}});
        EngineLink link(kQuick);
        link.start();
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Other, kPatience);
        link.restart();
        QTRY_VERIFY_WITH_TIMEOUT(stopped, kPatience);
        stage.server.reset();
        stage.serve({{"engine.info", Stage::infoHandler()}});
        QTRY_VERIFY_WITH_TIMEOUT(link.state() == State::Ready, kPatience);
    }
    void answersThatAreNone_data() {
        QTest::addColumn<QByteArray>("line");
        QTest::newRow("no JSON") << QByteArray("hello\n");
        QTest::newRow("no object") << QByteArray("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[1]}\n");
        QTest::newRow("of another request") << QByteArray("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n");
        QTest::newRow("the end") << QByteArray();
        QTest::newRow("half a line, then the end") << QByteArray("{\"jsonrpc\":\"2.0\",\"id\":1,\"res");
    }
    void answersThatAreNone() {
        QFETCH(QByteArray, line);
        Stage stage;
        const auto path = api::socketPath(api::openHome().value()).value();
        const UniqueFd listening = listenAt(path, 4);
        std::thread peer([&] {
            const UniqueFd one(::accept(listening.get(), nullptr, nullptr));
            char asked[4096];
            (void)!::recv(one.get(), asked, sizeof asked, 0);
            (void)!::send(one.get(), line.constData(), static_cast<std::size_t>(line.size()), MSG_NOSIGNAL);
        });
        QObject parent;
        auto* const request = new Request(path, "agent.list", {}, &parent);
        std::optional<Answer> got;
        connect(request, &Request::finished, this, [&](const Answer& answer) { got = answer; });
        QTRY_VERIFY_WITH_TIMEOUT(got.has_value(), kPatience);
        QVERIFY(!*got && !got->error().message.empty());
        peer.join();
    }
    // Who does not want it any more closes the window; the engine hears of that.
    void calledOff() {
        Stage stage;
        std::atomic<bool> began = false;
        std::atomic<bool> ended = false;
        stage.serve({{"apply", [&](api::Call& call) -> Result<json::value> {
                          call.progress("apply", "one of two", 0.5);
                          began = true;
                          while (!call.peerGone()) {
                              std::this_thread::sleep_for(1ms);
                          }
                          ended = true;
                          return json::object{};
                      }}});
        auto parent = std::make_unique<QObject>();
        auto* const request = new Request(api::socketPath(api::openHome().value()).value(), "apply", {}, parent.get());
        QSignalSpy finished(request, &Request::finished);
        std::optional<api::Progress> told;
        connect(request, &Request::progress, this, [&](const api::Progress& progress) { told = progress; });
        QTRY_VERIFY_WITH_TIMEOUT(began && told, kPatience);
        QCOMPARE(told->text, std::string("one of two"));
        QVERIFY(told->fraction == 0.5);
        parent.reset();
        QTRY_VERIFY_WITH_TIMEOUT(ended, kPatience);
        QCOMPARE(finished.count(), 0);
    }
    void manyAtOnce() {
        Stage stage;
        stage.serve({{"x", [](api::Call& call) -> Result<json::value> { return json::object{{"n", call.params().at("n")}}; }}});
        const auto path = api::socketPath(api::openHome().value()).value();
        QObject parent;
        int right = 0;
        for (int n = 0; n < 60; ++n) {
            auto* const request = new Request(path, "x", {{"n", n}, {"fill", std::string(20'000, 'x')}}, &parent);
            connect(request, &Request::finished, this, [&right, n](const Answer& answer) { right += answer && (*answer).at("n") == n ? 1 : 0; });
        }
        QTRY_COMPARE_WITH_TIMEOUT(right, 60, kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(parent.children().isEmpty(), kPatience); // each has deleted itself
    }
};

QTEST_GUILESS_MAIN(TestEngineLink)
#include "test_engine_link.moc"
