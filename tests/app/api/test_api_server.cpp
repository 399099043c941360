// SPDX-License-Identifier: Apache-2.0
#include "app/api/client.h"
#include "app/api/home.h"
#include "app/api/server.h"
#include "app/api/socket_io.h"

#include <QTemporaryDir>
#include <QTest>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <semaphore>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace carrel;
using namespace carrel::api;
namespace json = boost::json;

namespace {
UniqueFd rawConnection(const std::filesystem::path& path) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = addressOf(path);
    if (!address || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
        return {};
    }
    return fd;
}
std::string readToEnd(int fd) {
    std::string all;
    char buffer[4096];
    ssize_t got = 0;
    while ((got = ::read(fd, buffer, sizeof buffer)) > 0) {
        all.append(buffer, static_cast<std::size_t>(got));
    }
    return all;
}
} // namespace

class TestApiServer : public QObject {
    Q_OBJECT
private:
    QTemporaryDir m_folder;
    std::filesystem::path socket() const { return m_folder.filePath("s").toStdString(); }

private slots:
    void answersProgressAndErrors() {
        Handlers handlers;
        handlers["echo"] = [](Call& call) -> Result<json::value> {
            call.progress("one", "first", 0.5);
            call.progress("two", "second");
            return json::value(call.params());
        };
        handlers["no"] = [](Call&) -> Result<json::value> {
            return fail(ErrorCode::Conflict, "it changed", "Look again.");
        };
        handlers["throws"] = [](Call&) -> Result<json::value> { throw std::runtime_error("broken"); };
        auto server = Server::start(socket(), std::move(handlers));
        QVERIFY2(server, server ? "" : server.error().text().c_str());
        struct stat info {};
        QCOMPARE(::stat(socket().c_str(), &info), 0);
        QCOMPARE(int(info.st_mode & 0777), 0600);
        auto client = Client::connect(socket());
        QVERIFY(client);
        std::vector<std::string> steps;
        std::optional<double> fraction;
        Listener listener;
        listener.progress = [&](const Progress& progress) {
            steps.push_back(progress.step + ":" + progress.text);
            fraction = fraction ? fraction : progress.fraction;
        };
        auto echoed = client->call("echo", {{"x", 1}}, listener);
        QVERIFY(echoed);
        QCOMPARE(json::serialize(*echoed), std::string(R"({"x":1})"));
        QCOMPARE(steps, (std::vector<std::string>{"one:first", "two:second"}));
        QCOMPARE(fraction.value_or(0), 0.5);
        auto refused = client->call("no", {});
        QVERIFY(!refused);
        QVERIFY(refused.error().code == ErrorCode::Conflict);
        QCOMPARE(refused.error().message, std::string("it changed"));
        QCOMPARE(refused.error().hint, std::string("Look again."));
        QVERIFY(client->call("throws", {}).error().code == ErrorCode::Internal);
        QVERIFY(client->call("nothing", {}).error().code == ErrorCode::Unsupported);
        QVERIFY(client->call("echo", {})); // still alive
        (*server)->stop();
        QVERIFY(!std::filesystem::exists(socket()));
        QVERIFY(Client::connect(socket()).error().code == ErrorCode::Unavailable);
    }

    void passesADescriptor() {
        Handlers handlers;
        handlers["open"] = [](Call& call) -> Result<json::value> {
            int ends[2];
            if (::pipe2(ends, O_CLOEXEC) != 0) {
                return failErrno("pipe");
            }
            const UniqueFd write(ends[1]);
            call.attachDescriptor(UniqueFd(ends[0]));
            (void)!::write(write.get(), "hello", 5);
            return json::object{};
        };
        handlers["none"] = [](Call&) -> Result<json::value> { return json::object{}; };
        auto server = Server::start(socket(), std::move(handlers));
        QVERIFY(server);
        auto client = Client::connect(socket());
        QVERIFY(client->call("open", {}));
        const auto fd = client->takeDescriptor();
        QVERIFY(fd);
        QCOMPARE(readToEnd(fd.get()), std::string("hello"));
        QVERIFY(client->call("none", {}));
        QVERIFY(!client->takeDescriptor());
    }

    void theAnswerIsSentBeforeWhatComesAfterIt() {
        std::binary_semaphore answered(0);
        std::binary_semaphore over(0);
        bool inOrder = false;
        Handlers handlers;
        handlers["end"] = [&](Call& call) -> Result<json::value> {
            call.afterAnswer([&] {
                inOrder = answered.try_acquire_for(std::chrono::seconds(60)); // a guard against a hang, no more
                over.release();
            });
            return json::object{};
        };
        auto server = Server::start(socket(), std::move(handlers));
        QVERIFY(server);
        auto client = Client::connect(socket());
        QVERIFY(client->call("end", {}));
        answered.release();
        over.acquire();
        QVERIFY(inOrder);
    }

    void aHandlerLearnsThatItsCallerLeft() {
        std::binary_semaphore running(0);
        std::binary_semaphore cancelled(0);
        Handlers handlers;
        handlers["wait"] = [&](Call& call) -> Result<json::value> {
            std::mutex mutex;
            std::condition_variable_any never;
            std::unique_lock lock(mutex);
            running.release();
            never.wait(lock, call.stop(), [] { return false; });
            cancelled.release();
            return fail(ErrorCode::Cancelled, "gone");
        };
        auto server = Server::start(socket(), std::move(handlers));
        QVERIFY(server);
        {
            auto fd = rawConnection(socket());
            QVERIFY(sendAll(fd.get(), R"({"jsonrpc":"2.0","id":1,"method":"wait","params":{}})"
                                      "\n"));
            running.acquire();
        }
        cancelled.acquire(); // a hang here is the failure
        auto fd = rawConnection(socket());
        QVERIFY(sendAll(fd.get(), R"({"jsonrpc":"2.0","id":1,"method":"wait","params":{}})"
                                  "\n"));
        running.acquire();
        (*server)->stop(); // and so does the server's end
        QVERIFY(cancelled.try_acquire());
    }

    void eventsStream() {
        Handlers handlers;
        handlers["timeline"] = [](Call& call) -> Result<json::value> {
            for (int i = 0;; ++i) {
                if (!call.event({{"seq", i}})) {
                    return fail(ErrorCode::Cancelled, "gone");
                }
            }
        };
        auto server = Server::start(socket(), std::move(handlers));
        QVERIFY(server);
        int seen = 0;
        {
            auto client = Client::connect(socket());
            Listener listener;
            listener.event = [&](const json::object&) { return ++seen == 5 ? Flow::Stop : Flow::Continue; };
            QVERIFY(client->call("timeline", {}, listener).error().code == ErrorCode::Cancelled);
        }
        QCOMPARE(seen, 5);
    }

    void hostileInputEndsTheConnection_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("no json") << QByteArray("hello\n");
        QTest::newRow("notification") << QByteArray("{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{}}\n");
        QTest::newRow("response") << QByteArray("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
        QTest::newRow("too long") << QByteArray(int(kMaxRequestLine) + 10, 'x');
        QTest::newRow("deep") << QByteArray(
                                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"a\":") +
                                     QByteArray(100, '[') + QByteArray(100, ']') + "}}\n";
    }
    void hostileInputEndsTheConnection() {
        QFETCH(QByteArray, text);
        auto server = Server::start(socket(), {});
        QVERIFY(server);
        auto fd = rawConnection(socket());
        (void)sendAll(fd.get(), text.toStdString());
        const auto answer = readToEnd(fd.get()); // ends: the server closed
        if (text.size() < 1000) {
            QVERIFY2(answer.find("\"error\"") != std::string::npos, answer.c_str());
        }
        QVERIFY(Client::connect(socket())->call("x", {}).error().code ==
                ErrorCode::Unsupported); // others go on
    }

    void tooManyConnectionsAreTold() {
        auto server = Server::start(socket(), {});
        QVERIFY(server);
        std::vector<Client> clients;
        for (std::size_t i = 0; i < kMaxConnections; ++i) {
            auto client = Client::connect(socket());
            QVERIFY(client);
            QVERIFY(client->call("x", {}).error().code == ErrorCode::Unsupported);
            clients.push_back(std::move(*client));
        }
        auto last = Client::connect(socket());
        QVERIFY(last);
        QVERIFY(last->call("x", {}).error().code == ErrorCode::LimitExceeded);
    }

    void homesAndTheirSockets() {
        QTemporaryDir folder;
        const auto path = [&](const char* name) {
            return std::filesystem::path(folder.filePath(name).toStdString());
        };
        auto a = openHome(path("a"));
        auto b = openHome(path("b"));
        QVERIFY(a && b);
        QVERIFY(a->id != b->id);
        QCOMPARE(a->id.size(), std::size_t(16));
        QCOMPARE(openHome(path("a"))->id, a->id);
        qputenv("XDG_RUNTIME_DIR", "");
        auto fallback = socketPath(*a);
        QVERIFY(fallback);
        QCOMPARE(*fallback, a->folder / "run" / "engine.sock");
        struct stat info {};
        QCOMPARE(::stat((a->folder / "run").c_str(), &info), 0);
        QCOMPARE(int(info.st_mode & 0777), 0700);
        std::filesystem::create_directory(path("x"));
        ::chmod(path("x").c_str(), 0755);
        qputenv("XDG_RUNTIME_DIR", folder.filePath("x").toUtf8()); // open to others: not used
        QCOMPARE(*socketPath(*a), *fallback);
        ::chmod(path("x").c_str(), 0700);
        QCOMPARE(*socketPath(*a), path("x") / ("carrel-" + a->id) / "engine.sock");
        ::chmod((path("x") / ("carrel-" + a->id)).c_str(), 0750);
        QVERIFY(socketPath(*a).error().code == ErrorCode::Refused);
        qputenv("XDG_RUNTIME_DIR", "");
        auto deep = openHome(path(std::string(120, 'd').c_str()));
        QVERIFY(deep);
        QVERIFY(!socketPath(*deep).error().hint.empty());
        ::chmod(b->folder.c_str(), 0777);
        QVERIFY(openHome(path("b")).error().code == ErrorCode::Refused);
    }
};

QTEST_GUILESS_MAIN(TestApiServer)
#include "test_api_server.moc"
