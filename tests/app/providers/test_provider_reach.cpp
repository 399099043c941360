// SPDX-License-Identifier: Apache-2.0
// Whether a provider is there: over real sockets, with servers of TLS that a test plays, and without a byte of HTTP.
#include "app/providers/reach.h"
#include "app/relay/leaf_issuer.h"
#include "app/relay/tls_end.h"
#include "tests/app/egress/listener.h"

#include <QTemporaryDir>
#include <QTest>

#include <fcntl.h>
#include <fstream>
#include <thread>

using namespace carrel;
using namespace carrel::providers;
using carrel::egress::test::Listener;
using carrel::egress::test::freePort;

namespace {

struct Names final : egress::Resolver {
    std::map<std::string, std::vector<std::string>> all;
    void resolve(const egress::HostName& name, std::stop_token, std::function<void(egress::Addresses)> done) override {
        const auto at = all.find(name.text());
        if (at == all.end()) {
            return done(fail(ErrorCode::NotFound, "no address is known for that name"));
        }
        std::vector<egress::Address> out;
        for (const auto& each : at->second) {
            out.push_back(egress::Address::parse(each).value());
        }
        done(std::move(out));
    }
};

struct World {
    QTemporaryDir dir;
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
    relay::Authority trusted = relay::makeAuthority("the world", now).value();
    std::shared_ptr<Names> names = std::make_shared<Names>();
    egress::SocketConnector connector;
    Listener there;
    egress::Networks::Ways ways{egress::ProxySettings(), &connector, names, [] { return Result<egress::OwnNetworks>(egress::OwnNetworks({})); },
                                [this]() -> Result<UniqueFd> {
                                    UniqueFd fd(::open(roots().c_str(), O_RDONLY | O_CLOEXEC));
                                    return fd ? Result<UniqueFd>(std::move(fd)) : failErrno("reading the roots");
                                }};

    World() { std::ofstream(roots()) << trusted.certificatePem; }
    [[nodiscard]] std::string roots() const { return dir.filePath("roots.pem").toStdString(); }
    [[nodiscard]] ModelUrl url(const std::string& scheme, const std::string& host) const {
        return ModelUrl::parse(scheme + "://" + host + ":" + std::to_string(there.port()) + "/v1").value();
    }
    [[nodiscard]] std::vector<std::string> tried(const ModelUrl& at, std::stop_token stop = {}, std::chrono::milliseconds patience = std::chrono::seconds(60)) const {
        std::vector<std::string> out;
        for (const auto& step : tryToReach(at, ways, std::move(stop), patience).steps) {
            out.push_back(std::string(step.what) + (step.good ? " good" : " bad"));
            last = step.words;
        }
        return out;
    }
    mutable std::string last;
};

using Steps = std::vector<std::string>;

// Takes one connection and speaks TLS on it as `host`; answers what came after the handshake.
std::string serve(Listener& there, const relay::Authority& by, const std::string& host) {
    const auto context = relay::ServerContext::create().value();
    auto issuer = relay::LeafIssuer::create(by.certificatePem, relay::view(by.keyPem)).value();
    const auto leaf = issuer.leafFor(host, std::chrono::system_clock::now()).value();
    auto end = relay::TlsServerEnd::create(context, *leaf, "api.example.org").value();
    const auto socket = there.accept();
    relay::ByteQueue plain;
    for (;;) {
        std::array<std::byte, 16 * 1024> buffer{};
        const auto got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (got <= 0) {
            return std::string(asText(plain.front()));
        }
        (void)end->feed(ByteSpan(buffer).first(static_cast<std::size_t>(got)));
        (void)end->read(plain, buffer.size());
        const auto out = end->takeOutput(buffer.size());
        (void)::send(socket.get(), out.data(), out.size(), MSG_NOSIGNAL);
    }
}

} // namespace

class TestProviderReach : public QObject {
    Q_OBJECT
private slots:
    void allIsWell() {
        World w;
        w.names->all["api.example.org"] = {"127.0.0.1"};
        std::string said = "nothing was served";
        std::thread server([&] { said = serve(w.there, w.trusted, "api.example.org"); });
        const auto steps = w.tried(w.url("https", "api.example.org"));
        server.join();
        QCOMPARE(steps, (Steps{"address good", "connection good", "certificate good"}));
        QCOMPARE(said, std::string()); // no request
    }
    void aCertificateThatDoesNotHold_data() {
        QTest::addColumn<QString>("host");
        QTest::addColumn<bool>("trusted");
        QTest::newRow("of another host") << "other.example.org" << true;
        QTest::newRow("of nobody's") << "api.example.org" << false;
    }
    void aCertificateThatDoesNotHold() {
        QFETCH(QString, host);
        QFETCH(bool, trusted);
        World w;
        w.names->all["api.example.org"] = {"127.0.0.1"};
        const auto other = relay::makeAuthority("somebody", w.now).value();
        std::thread server([&] { (void)serve(w.there, trusted ? w.trusted : other, host.toStdString()); });
        const auto steps = w.tried(w.url("https", "api.example.org"));
        server.join();
        QCOMPARE(steps, (Steps{"address good", "connection good", "certificate bad"}));
        QVERIFY2(w.last.find("certificate") != std::string::npos, w.last.c_str());
    }
    void noTlsThere() {
        World w;
        w.names->all["api.example.org"] = {"127.0.0.1"};
        std::thread server([&] {
            const auto socket = w.there.accept();
            char byte = 0;
            (void)::recv(socket.get(), &byte, 1, 0);
        });
        QCOMPARE(w.tried(w.url("https", "api.example.org")), (Steps{"address good", "connection good", "certificate bad"}));
        server.join();
    }
    void aServerThatSaysNothing() {
        World w;
        w.names->all["api.example.org"] = {"127.0.0.1"};
        QCOMPARE(w.tried(w.url("https", "api.example.org"), {}, std::chrono::milliseconds(1)), (Steps{"address good", "connection good", "certificate bad"}));
        std::stop_source called;
        called.request_stop();
        const auto steps = w.tried(w.url("https", "api.example.org"), called.get_token());
        QVERIFY(!steps.empty() && steps.back().ends_with("bad"));
    }
    void aNameThatLeadsNowhere() {
        World w;
        QCOMPARE(w.tried(w.url("https", "api.example.org")), (Steps{"address bad"}));
        QVERIFY(w.last.find("api.example.org: no address is known") != std::string::npos);
    }
    // What it leads to is told, where no agent is let there by its name.
    void aNameOfOnesOwnNetwork() {
        World w;
        w.names->all["models.example.org"] = {"127.0.0.1"};
        const auto reach = tryToReach(w.url("http", "models.example.org"), w.ways, {});
        QCOMPARE(reach.special.size(), std::size_t{1});
        QVERIFY(reach.steps.at(0).words.find("only by a rule that names that address") != std::string::npos && reach.steps.at(1).good);
    }
    void onThisComputer() {
        World w; // which knows no name: nobody is asked for this one
        QCOMPARE(w.tried(w.url("http", "localhost")), (Steps{"address good", "connection good"}));
        const auto nobody = ModelUrl::parse("http://localhost:" + std::to_string(freePort())).value();
        QCOMPARE(w.tried(nobody), (Steps{"address good", "connection bad"}));
        QVERIFY(w.last.starts_with("Nobody listens there."));
    }
    void throughAProxy() {
        World w;
        w.ways.proxies = egress::ProxySettings::from([&](const std::string& name) {
            return name == "ALL_PROXY" ? std::optional("http://127.0.0.1:" + std::to_string(w.there.port())) : std::nullopt;
        });
        std::string asked;
        std::thread proxy([&] {
            const auto socket = w.there.accept();
            asked = egress::test::take(socket, 24);
            egress::test::send(socket, "HTTP/1.1 200 OK\r\n\r\n");
            (void)egress::test::isOver(socket);
        });
        const auto url = ModelUrl::parse("http://models.example.org:8000").value();
        QCOMPARE(w.tried(url), (Steps{"address good", "connection good"}));
        proxy.join();
        QVERIFY2(asked.starts_with("CONNECT models.example.o"), asked.c_str());
        w.ways.proxies = fail(ErrorCode::InvalidArgument, "HTTP_PROXY cannot be followed");
        QCOMPARE(w.tried(url), (Steps{"address bad"}));
        QCOMPARE(w.tried(ModelUrl::parse("http://localhost:" + std::to_string(freePort())).value()), (Steps{"address good", "connection bad"})); // which needs none
    }
};

QTEST_GUILESS_MAIN(TestProviderReach)
#include "test_provider_reach.moc"
