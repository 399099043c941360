// SPDX-License-Identifier: Apache-2.0
// The clients' socket: what gets in, what a client may ask, and that nothing else is the owner's but the owner's socket.
#include "app/api/auth.h"
#include "app/api/client.h"
#include "app/api/home.h"
#include "app/api/roles.h"
#include "app/api/server.h"
#include "app/api/socket_io.h"

#include <QDir>
#include <QTemporaryDir>
#include <QTest>

#include <poll.h>
#include <semaphore>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace carrel;
using namespace carrel::api;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

const std::string kGood = std::string(kTokenPrefix) + std::string(64, 'a');
const std::string kWrong = std::string(kTokenPrefix) + std::string(64, 'b');
const std::string kOver = std::string(kTokenPrefix) + std::string(64, 'c');

std::vector<std::string> allVerbs() {
    std::vector<std::string> out;
    for (const auto& file : QDir(CARREL_SOURCE_DIR "/app/api/schema").entryList({"*.json"}, QDir::Files)) {
        if (file != "common.json" && file != "auth.json") {
            out.push_back(file.chopped(5).toStdString());
        }
    }
    return out;
}

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

bool endsWithin(int fd, std::chrono::milliseconds patience) {
    pollfd one{fd, POLLIN, 0};
    char byte = 0;
    return ::poll(&one, 1, int(patience.count())) == 1 && ::read(fd, &byte, 1) == 0;
}

std::string request(std::string_view verb, json::object params) {
    return toText(RpcRequest{1, std::string(verb), std::move(params)}) + "\n";
}

// A server whose verbs note that they were reached, and a gate that knows one token.
struct World {
    QTemporaryDir dir{"/tmp/carrel-gate-XXXXXX"};
    std::filesystem::path owner = dir.filePath("o").toStdString();
    std::filesystem::path client = dir.filePath("c").toStdString();
    std::mutex mutex;
    std::vector<std::string> reached;
    std::atomic<int> asked = 0;
    std::stop_source ends;
    std::binary_semaphore waiting{0};
    Listening where;
    std::unique_ptr<Server> server;

    World() {
        ClientGate gate;
        gate.socket = client;
        gate.patience = 60s;
        gate.wrongTokenPause = 0ms;
        gate.admit = [this](std::string_view token) -> Result<Admission> {
            ++asked;
            if (token == kOver) {
                return fail(ErrorCode::Expired, "the time of that token is over");
            }
            if (token != kGood) {
                return fail(ErrorCode::Refused, "that token is not known");
            }
            Admission out; // a gate that forgets to say so lets nobody in as the owner
            out.caller.client = "editor";
            out.caller.agents = {"1"};
            out.caller.ends = ends.get_token();
            out.told = {{"client", "editor"}};
            return out;
        };
        where = Listening{owner, std::move(gate)};
    }
    void start() {
        Handlers handlers;
        for (const auto& verb : allVerbs()) {
            handlers[verb] = [this](Call& call) -> Result<json::value> {
                const std::lock_guard lock(mutex);
                reached.emplace_back(call.verb());
                return json::object{{"owner", call.caller().isOwner()}, {"client", call.caller().client}};
            };
        }
        handlers["changes.wait"] = [this](Call& call) -> Result<json::value> {
            std::mutex own;
            std::condition_variable_any never;
            std::unique_lock lock(own);
            waiting.release();
            never.wait(lock, call.stop(), [] { return false; });
            return fail(ErrorCode::Cancelled, "gone");
        };
        server = std::move(Server::start(std::move(where), std::move(handlers)).value());
    }
    Result<Client> connected() const {
        auto made = Client::connect(client);
        if (made) {
            if (auto in = made->call(kAuthVerb, {{"token", kGood}}); !in) {
                return fail(in.error());
            }
        }
        return made;
    }
    std::vector<std::string> takeReached() {
        const std::lock_guard lock(mutex);
        return std::exchange(reached, {});
    }
};

} // namespace

class TestClientGate : public QObject {
    Q_OBJECT
private slots:
    // Every verb that there is, also those to come: what is not listed is refused, and never reaches its handler.
    void aClientReachesWhatIsListed() {
        World w;
        w.start();
        auto client = w.connected();
        QVERIFY(client);
        std::optional<Error> words;
        unsigned refused = 0;
        for (const auto& verb : allVerbs()) {
            if (verb == "changes.wait") {
                continue;
            }
            const auto answer = client->call(verb, {});
            if (mayCall(Role::Client, verb)) {
                QVERIFY2(answer, verb.c_str());
                QCOMPARE(json::serialize(*answer), std::string(R"({"owner":false,"client":"editor"})"));
                QCOMPARE(w.takeReached(), std::vector{verb});
                continue;
            }
            ++refused;
            QVERIFY2(!answer && answer.error().code == ErrorCode::Refused, verb.c_str());
            QVERIFY(w.takeReached().empty());
            words = words ? words : answer.error();
            QCOMPARE(answer.error().message, words->message);
        }
        QVERIFY(refused >= 20);
        const auto none = client->call("no.such.verb", {});
        QVERIFY(!none && none.error().code == ErrorCode::Refused && none.error().message == words->message);
        // The owner's own socket is as it was.
        auto owner = Client::connect(w.owner);
        for (const auto& verb : allVerbs()) {
            if (verb != "changes.wait") {
                auto answer = owner->call(verb, {});
                QVERIFY2(answer && answer->at("owner").as_bool(), verb.c_str());
            }
        }
    }

    void nothingBeforeTheToken() {
        World w;
        w.start();
        for (const auto& verb : allVerbs()) {
            auto fd = rawConnection(w.client);
            QVERIFY(sendAll(fd.get(), request(verb, {}) + request(kAuthVerb, {{"token", kGood}}) + request("agent.list", {})));
            const auto answer = readToEnd(fd.get()); // ends
            QVERIFY2(answer.find("\"refused\"") != std::string::npos && answer.find('\n') == answer.size() - 1, answer.c_str());
        }
        QVERIFY(w.takeReached().empty());
        QCOMPARE(w.asked.load(), 0);
    }

    void whatIsNoTokenEndsTheConnection_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("kind");
        const auto row = [](const char* name, const std::string& text, const char* kind) {
            QTest::newRow(name) << QByteArray::fromStdString(text) << QByteArray(kind);
        };
        row("wrong", request("auth", {{"token", kWrong}}), "refused");
        row("over", request("auth", {{"token", kOver}}), "expired");
        row("empty", request("auth", {{"token", ""}}), "refused");
        row("cut short", request("auth", {{"token", kGood.substr(0, kGood.size() - 1)}}), "refused");
        row("and more", request("auth", {{"token", kGood + "a"}}), "refused");
        row("none", request("auth", {}), "malformed");
        row("number", request("auth", {{"token", 1}}), "malformed");
        row("other field", request("auth", {{"token", kGood}, {"role", "owner"}}), "malformed");
        row("too long", request("auth", {{"token", std::string(kMaxAuthLine, 'a')}}), "limit");
        row("endless", std::string(3 * 1024 * 1024, 'a'), "");
        row("no json", "hello\n", "malformed");
        row("notification", toText(RpcRequest{std::nullopt, "auth", {{"token", kGood}}}) + "\n", "malformed");
        row("list", "[" + request("auth", {{"token", kGood}}) + "]\n", "malformed");
    }
    void whatIsNoTokenEndsTheConnection() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, kind);
        World w;
        w.start();
        auto fd = rawConnection(w.client);
        (void)sendAll(fd.get(), text.toStdString() + request("agent.list", {}));
        const auto answer = QByteArray::fromStdString(readToEnd(fd.get())); // ends
        if (!kind.isEmpty()) {
            QVERIFY2(answer.contains(kind) && answer.count('\n') == 1, answer.constData());
        }
        QVERIFY(!answer.contains(kGood.c_str()));
        QVERIFY(w.takeReached().empty());
        QVERIFY(w.connected()); // others go on
    }

    // Whoever presents a token at the owner's socket means to be a client: it is not left there as the owner.
    void noTokenAtTheOwnersSocket() {
        World w;
        w.start();
        for (const auto& before : {std::string(), request("agent.list", {})}) {
            auto fd = rawConnection(w.owner);
            QVERIFY(sendAll(fd.get(), before + request(kAuthVerb, {{"token", kGood}}) + request("apply", {})));
            const auto answer = readToEnd(fd.get());
            QVERIFY2(answer.find("the owner's socket takes no token") != std::string::npos, answer.c_str());
            QCOMPARE(w.takeReached().size(), before.empty() ? std::size_t(0) : std::size_t(1));
        }
        QCOMPARE(w.asked.load(), 0);
    }

    void aSecondTokenEndsTheConnection() {
        World w;
        w.start();
        for (const auto& second : {kGood, kWrong}) {
            auto client = w.connected();
            QVERIFY(client);
            const auto again = client->call(kAuthVerb, {{"token", second}});
            QVERIFY(!again && again.error().code == ErrorCode::Refused);
            QVERIFY(endsWithin(client->descriptor(), 60s));
        }
        QCOMPARE(w.asked.load(), 2);
    }

    void aWrongTokenWaitsForItsAnswer() {
        World w;
        w.where.clients->wrongTokenPause = std::chrono::hours(1);
        w.start();
        auto fd = rawConnection(w.client);
        QVERIFY(sendAll(fd.get(), request(kAuthVerb, {{"token", kWrong}})));
        QTRY_COMPARE_WITH_TIMEOUT(w.asked.load(), 1, 60'000);
        pollfd one{fd.get(), POLLIN, 0};
        QCOMPARE(::poll(&one, 1, 200), 0);
        w.server->stop(); // or it hangs
    }

    void silenceEndsTheConnection() {
        World w;
        w.where.clients->patience = 50ms;
        w.start();
        auto fd = rawConnection(w.client);
        QVERIFY(sendAll(fd.get(), "{"));
        const auto answer = readToEnd(fd.get());
        QVERIFY2(answer.find("no token came in time") != std::string::npos, answer.c_str());
    }

    // Revoked or over: whatever the client has under way ends, and it gets in no more.
    void theEndOfTheTokenEndsTheConnections() {
        World w;
        w.start();
        auto idle = w.connected();
        auto busy = w.connected();
        QVERIFY(idle && busy);
        std::thread waits([&] { (void)busy->call("changes.wait", {}).has_value(); });
        w.waiting.acquire();
        w.ends.request_stop();
        waits.join(); // or it hangs
        QVERIFY(endsWithin(idle->descriptor(), 60s));
        auto late = w.connected(); // admitted by a gate that looked before the end
        QVERIFY(!late || !late->call("agent.list", {}));
        QVERIFY(w.takeReached().empty());
    }

    // However many clients, known or not, the owner gets in.
    void boundsAreApart() {
        World w;
        w.start();
        std::vector<UniqueFd> unknown;
        for (std::size_t i = 0; i < kMaxUnknownConnections; ++i) {
            unknown.push_back(rawConnection(w.client));
            QVERIFY(unknown.back());
        }
        const auto more = w.connected();
        QVERIFY(!more && more.error().code == ErrorCode::LimitExceeded);
        unknown.clear();
        std::vector<Client> clients;
        while (clients.size() < kMaxClientConnections) { // those that went take a moment to be gone
            if (auto next = w.connected()) {
                clients.push_back(std::move(*next));
            } else {
                QVERIFY(next.error().code == ErrorCode::LimitExceeded);
                QTest::qWait(1);
            }
        }
        const auto last = w.connected();
        QVERIFY(!last && last.error().code == ErrorCode::LimitExceeded);
        std::vector<Client> owners;
        for (std::size_t i = 0; i < kMaxConnections; ++i) {
            auto owner = Client::connect(w.owner);
            QVERIFY(owner && owner->call("agent.list", {}));
            owners.push_back(std::move(*owner));
        }
        QVERIFY(clients.back().call("agent.list", {})); // and the owner does not push out the clients
    }

    // Another local user, were the folder's mode no hindrance: neither socket answers any verb, token or not.
    void anotherUserIsRefused() {
        World w;
        w.where.user = ::geteuid() + 1;
        w.start();
        for (const auto& path : {w.owner, w.client}) {
            for (const auto& verb : allVerbs()) {
                auto fd = rawConnection(path);
                // It may be cut off before we have said anything.
                (void)sendAll(fd.get(), request(kAuthVerb, {{"token", kGood}}) + request(verb, {}));
                const auto answer = readToEnd(fd.get());
                QVERIFY2(answer.empty() || answer.find("another user") != std::string::npos, answer.c_str());
            }
            auto quiet = rawConnection(path);
            QVERIFY(readToEnd(quiet.get()).find("another user") != std::string::npos);
        }
        QVERIFY(w.takeReached().empty());
        QCOMPARE(w.asked.load(), 0);
    }

    void theSocketStandsAlone() {
        QTemporaryDir folder;
        qputenv("XDG_RUNTIME_DIR", "");
        auto home = openHome(folder.filePath("h").toStdString());
        const auto owners = socketPath(*home);
        const auto clients = clientSocketPath(*home);
        QVERIFY(owners && clients);
        QCOMPARE(clients->native().size(), owners->native().size()); // one bound for both
        QCOMPARE(clients->parent_path().parent_path(), owners->parent_path());
        struct stat info {};
        QCOMPARE(::stat(clients->parent_path().c_str(), &info), 0);
        QCOMPARE(int(info.st_mode & 0777), 0700);
        ::chmod(clients->parent_path().c_str(), 0755);
        QVERIFY(clientSocketPath(*home).error().code == ErrorCode::Refused);
    }
};

QTEST_GUILESS_MAIN(TestClientGate)
#include "test_client_gate.moc"
