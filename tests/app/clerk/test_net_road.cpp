// SPDX-License-Identifier: Apache-2.0
// Connections whose requests are read, at the clerk: TLS ended on both sides, the engine asked about each request, a credential put in
// where its placeholder stood. A program and a host that are played, over real sockets.
#include "tests/app/clerk/net_world.h"
#include "tests/app/relay/packing.h"
#include "tests/app/relay/tls_peer.h"

#include "app/relay/secret_pipe.h"

#include <csignal>
#include <sys/mman.h>

using namespace carrel;
using namespace carrel::clerk;
using namespace carrel::clerk::test;
using relay::test::TlsPeer;

namespace {

const net::Opening kApi{std::string("api.example.org"), 443};
const net::Opening kWeb{std::string("www.example.org"), 80};
constexpr std::string_view kSecret = "s3cr3t-value-of-the-owner";
constexpr std::string_view kPlaceholder = "sk-none-0000000000000000";

UniqueFd fileOf(std::string_view text) {
    UniqueFd out(::memfd_create("roots", MFD_CLOEXEC));
    (void)!::write(out.get(), text.data(), text.size());
    return out;
}

std::vector<UniqueFd> one(UniqueFd fd) {
    std::vector<UniqueFd> out;
    out.push_back(std::move(fd));
    return out;
}

struct Authorities {
    relay::WallTime now = std::chrono::system_clock::now();
    relay::Authority agents = relay::makeAuthority("desk", now).value();
    relay::Authority worlds = relay::makeAuthority("the world", now).value();
    relay::LeafIssuer issuer = relay::LeafIssuer::create(worlds.certificatePem, relay::view(worlds.keyPem)).value();
};

// A program in the machine and a host, both with TLS, on one connection.
struct RoadWorld : NetWorld {
    Authorities of;
    Tcp tcp;
    TlsPeer program{TlsPeer::Role::Client, [this](SSL_CTX* context) {
                        relay::BioPtr pem(::BIO_new_mem_buf(of.agents.certificatePem.data(), static_cast<int>(of.agents.certificatePem.size())));
                        relay::CertificatePtr root(::PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr));
                        ::X509_STORE_add_cert(::SSL_CTX_get_cert_store(context), root.get());
                        ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
                    }};
    TlsPeer host{TlsPeer::Role::Server};
    std::string heardByProgram, heardByHost;
    QByteArray toFar;
    std::uint64_t number = 0;
    std::size_t fromGuest = 0, fromFar = 0; // fed so far

    explicit RoadWorld(const std::string& shown = "api.example.org") {
        host.use(*of.issuer.leafFor(shown, of.now).value());
        program.name("api.example.org");
    }
    bool tellTrust() {
        const std::array texts{relay::view(of.agents.keyPem)};
        return desk.setTrust({}, one(fileOf(of.worlds.certificatePem))) &&
               desk.setAuthority({{"certificate_pem", of.agents.certificatePem}}, one(relay::pipeOf(texts).value())) &&
               desk.setPlaceholders({{"list", json::array{json::object{{"name", "model"}, {"text", kPlaceholder}}}}});
    }
    bool begin() {
        openStream(1, kApi);
        number = asked();
        return connect(number, tcp, "terminate");
    }
    void step() {
        const auto answered = wireOpen();
        const auto& bytes = guest->streams[1].bytes;
        if (bytes.size() < answered) {
            return;
        }
        fromGuest = std::max(fromGuest, answered);
        const auto toSay = program.step(asBytes(std::string_view(bytes).substr(fromGuest)), heardByProgram);
        fromGuest = bytes.size();
        guest->giveBack(1);
        guestSays(1, toSay);
        const auto come = tcp.take();
        auto more = come.mid(qsizetype(fromFar));
        fromFar = std::size_t(come.size());
        if (tcp.isOver()) {
            more.chop(1); // a byte of TLS may look the same
        }
        const auto said = host.step(asBytes({more.constData(), std::size_t(more.size())}), heardByHost);
        toFar.append(reinterpret_cast<const char*>(said.data()), qsizetype(said.size()));
        const auto put = toFar.isEmpty() ? 0 : ::send(tcp.far.get(), toFar.constData(), std::size_t(toFar.size()), MSG_NOSIGNAL);
        toFar.remove(0, std::max<qsizetype>(put, 0));
    }
    static std::size_t wireOpen() { return toWire(net::Answer{net::Outcome::Open, {}}).size(); }
    bool talk(const std::function<bool()>& done) {
        return until([&] {
            step();
            return done();
        });
    }
    std::optional<json::object> requested(std::uint64_t request) {
        for (const auto& each : told) {
            if (each.method == "net.request" && each.params.at("request").to_number<std::uint64_t>() == request) {
                return each.params;
            }
        }
        return std::nullopt;
    }
    bool ask(std::uint64_t request, const std::string& text) {
        program.toSay += text;
        return talk([&] { return requested(request).has_value(); });
    }
    bool inject(std::uint64_t request) {
        const std::string value = "Bearer " + std::string(kSecret);
        const std::array<std::string_view, 2> texts{value, kSecret};
        return desk
            .answered({{"number", number}, {"request", request}, {"allow", true}, {"inject", {{"header", "Authorization"}, {"credential", "model"}}}},
                      one(relay::pipeOf(texts).value()))
            .has_value();
    }
};

const std::string kCanary = "ghx_9f8A7b6C5d4e3F2q0K";
json::object canaries(const std::string& text = kCanary) {
    return {{"list", json::array{json::object{{"name", "bait"}, {"text", text}}}}};
}
// What was told of canaries, each as one text.
std::vector<std::string> found(const NetWorld& world) {
    std::vector<std::string> out;
    for (const auto& each : world.told) {
        if (each.method == "net.canary") {
            out.push_back(json::serialize(each.params));
        }
    }
    return out;
}

const std::string kGet = "GET /v1/models?key=1 HTTP/1.1\r\nHost: api.example.org\r\n";

} // namespace

class TestNetRoad : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { (void)std::signal(SIGPIPE, SIG_IGN); }

    void aRequestIsAskedAboutAndGetsTheSecretOnTheWay() {
        RoadWorld world;
        QVERIFY(world.ready && world.tellTrust() && world.begin());
        QVERIFY(world.ask(1, kGet + "Authorization: Bearer " + std::string(kPlaceholder) + "\r\n\r\n"));
        QVERIFY(::SSL_get_verify_result(world.program.ssl()) == X509_V_OK);
        QCOMPARE(json::serialize(*world.requested(1)),
                 std::string(R"({"number":1,"request":1,"method":"GET","path":"/v1/models","placeholders":["model"],"own_keys":[]})"));
        QVERIFY(world.heardByHost.empty());
        QVERIFY(world.inject(1));
        QVERIFY(world.talk([&] { return world.heardByHost.ends_with("\r\n\r\n"); }));
        QVERIFY(world.heardByHost.find("Authorization: Bearer " + std::string(kSecret) + "\r\n") != std::string::npos);
        QVERIFY(world.heardByHost.find(kPlaceholder) == std::string::npos);
        // What comes back has it nowhere.
        world.host.toSay = "HTTP/1.1 200 OK\r\nContent-Length: 25\r\nX-Echo: " + std::string(kSecret) + "\r\n\r\n" + std::string(kSecret);
        QVERIFY(world.talk([&] { return world.heardByProgram.find("\r\n\r\nsk-none") != std::string::npos; }));
        QVERIFY2(world.heardByProgram.find(kSecret) == std::string::npos, world.heardByProgram.c_str());
        // The next one is asked about anew.
        QVERIFY(world.ask(2, kGet + "\r\n"));
        QVERIFY(world.desk.answered({{"number", world.number}, {"request", 2}, {"allow", true}, {"bound", true}}, {}));
        world.heardByHost.clear();
        QVERIFY(world.talk([&] { return world.heardByHost.ends_with("\r\n\r\n"); }));
        QVERIFY(world.heardByHost.find("uthorization") == std::string::npos);
        QCOMPARE(world.live(), std::size_t{1});
    }

    void whatTheEngineDeniesIsSaidInHttpAndTheConnectionStays() {
        RoadWorld world;
        QVERIFY(world.tellTrust() && world.begin());
        QVERIFY(world.ask(1, kGet + "\r\n"));
        QVERIFY(world.desk.answered({{"number", world.number}, {"request", 1}, {"allow", false}, {"outcome", "denied"}, {"text", "The owner said no"}}, {}));
        QVERIFY(world.talk([&] { return world.heardByProgram.find("The owner said no") != std::string::npos; }));
        QVERIFY(world.heardByProgram.starts_with("HTTP/1.1 403 Forbidden\r\n"));
        QVERIFY(world.heardByHost.empty());
        QVERIFY(world.ask(2, kGet + "\r\n"));
    }

    void aHostWithAnotherCertificateIsNotSpokenTo() {
        RoadWorld world("evil.example.org");
        QVERIFY(world.tellTrust() && world.begin());
        world.program.toSay = kGet + "\r\n";
        QVERIFY(world.talk([&] { return world.heardByProgram.find("HTTP/1.1 502 ") != std::string::npos; }));
        QVERIFY(!world.requested(1) && world.heardByHost.empty());
        world.guest->mux().sendEnd(1);
        QCOMPARE(world.how(world.number), std::string("host tls"));
    }

    void aProgramThatAsksForAnotherHostGetsNoHandshake() {
        RoadWorld world;
        world.program.name("evil.example.org");
        QVERIFY(world.tellTrust() && world.begin());
        QVERIFY(world.talk([&] { return world.closed(world.number).has_value(); }));
        QCOMPARE(world.how(world.number), std::string("http"));
        QVERIFY(!world.requested(1) && world.heardByHost.empty());
    }

    void withoutTrustNothingIsRead() {
        RoadWorld world;
        QVERIFY(world.begin());
        QVERIFY(world.until([&] { return world.guest->streams[1].reset; }));
        QCOMPARE(world.how(world.number), std::string("tls"));
        QVERIFY(!world.desk.setTrust({}, {}));
        QVERIFY(!world.desk.setTrust({}, one(fileOf("no certificate"))));
        QVERIFY(!world.desk.setAuthority({{"certificate_pem", world.of.agents.certificatePem}}, one(fileOf("key"))));
        const std::array another{relay::view(world.of.worlds.keyPem)};
        QVERIFY(!world.desk.setAuthority({{"certificate_pem", world.of.agents.certificatePem}}, one(relay::pipeOf(another).value())));
    }

    void whatTheEngineSaysWronglyIsAnError() {
        RoadWorld world;
        QVERIFY(world.tellTrust() && world.begin() && world.ask(1, kGet + "\r\n"));
        const json::object inject{{"header", "Authorization"}, {"credential", "model"}};
        QVERIFY(!world.desk.answered({{"number", 1}, {"request", 1}, {"allow", true}, {"inject", inject}}, {}));
        const std::array<std::string_view, 1> few{"x"};
        QVERIFY(!world.desk.answered({{"number", 1}, {"request", 1}, {"allow", true}, {"inject", inject}}, one(relay::pipeOf(few).value())));
        QVERIFY(!world.desk.answered({{"number", 1}, {"request", 1}}, {}));
        QVERIFY(!world.desk.setPlaceholders({{"list", json::array{1}}}));
        QVERIFY(world.desk.answered({{"number", 7}, {"request", 1}, {"allow", true}}, {})); // one that is over is none
        QVERIFY(world.desk.answered({{"number", 1}, {"request", 9}, {"allow", true}}, {}));
        world.settle();
        QVERIFY(world.heardByHost.empty());
    }

    // With all of a piece, and with little room on every side.
    void manyBytesGoBothWays() {
        RoadWorld world;
        QVERIFY(world.tellTrust() && world.begin());
        const std::string up(700'000, 'u'), down(3'000'000, 'd');
        QVERIFY(world.ask(1, "POST /x HTTP/1.1\r\nHost: api.example.org\r\nContent-Length: " + std::to_string(up.size()) + "\r\n\r\n" + up));
        QVERIFY(world.desk.answered({{"number", world.number}, {"request", 1}, {"allow", true}}, {}));
        QVERIFY(world.talk([&] { return world.heardByHost.ends_with(up); }));
        world.host.toSay = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(down.size()) + "\r\n\r\n" + down;
        QVERIFY2(world.talk([&] { return world.heardByProgram.ends_with(down); }),
                 std::to_string(world.heardByProgram.size()).c_str());
    }

    void plainRequestsAreReadToo() {
        NetWorld world;
        world.openStream(1, kWeb);
        const auto number = world.asked();
        Tcp tcp;
        QVERIFY(world.connect(number, tcp, "http"));
        world.guestSays(1, "GET /a/../b HTTP/1.1\r\nHost: www.example.org\r\n\r\nGET /c HTTP/1.1\r\nHost: www.example.org\r\n\r\n");
        QVERIFY(world.until([&] { return world.told.back().method == "net.request" || world.guest->streams[1].ended; }));
        world.settle();
        QVERIFY(tcp.take().isEmpty() || tcp.take() == "$");
    }

    void aProgramThatEndsAfterItsRequestIsAnswered() {
        NetWorld world;
        world.openStream(1, kWeb);
        const auto number = world.asked();
        Tcp tcp;
        QVERIFY(world.connect(number, tcp, "http"));
        world.guestSays(1, "GET / HTTP/1.0\r\nHost: www.example.org\r\n\r\n");
        world.guest->mux().sendEnd(1);
        QVERIFY(world.until([&] { return world.told.back().method == "net.request"; }));
        QVERIFY(world.desk.answered({{"number", number}, {"request", 1}, {"allow", true}}, {}));
        QVERIFY(world.until([&] { return tcp.take().endsWith("\r\n\r\n"); }));
        QVERIFY(tcp.say("HTTP/1.1 200 OK\r\n\r\nto the end"));
        QVERIFY(::shutdown(tcp.far.get(), SHUT_WR) == 0);
        QVERIFY(world.until([&] { return world.guest->streams[1].ended; }));
        QVERIFY(world.atGuest(1).endsWith("to the end"));
        QCOMPARE(world.how(number), std::string("ended"));
    }

    // The engine hears of it once, before it hears that the connection is over; the host gets nothing of it, and a reset.
    void aCanaryBreaksBothEnds() {
        const auto body = relay::test::packed(std::string(3000, 'u') + kCanary + std::string(300, 'v'));
        for (const auto& [sent, form] : std::vector<std::pair<std::string, std::string>>{{"the key is " + kCanary + ", and more", "plain"}, {body, "gzip"}}) {
            RoadWorld world;
            QVERIFY(world.tellTrust() && world.desk.setCanaries(canaries()) && world.begin());
            QVERIFY(world.ask(1, "POST /up HTTP/1.1\r\nHost: api.example.org\r\nContent-Length: " + std::to_string(sent.size()) + "\r\n\r\n" + sent));
            QVERIFY(found(world).empty()); // the engine has not said yes
            QVERIFY(world.desk.answered({{"number", world.number}, {"request", 1}, {"allow", true}}, {}));
            QVERIFY(world.until([&] { return world.guest->streams[1].reset && world.tcp.take().endsWith('!'); }));
            const json::object told{{"number", world.number}, {"request", 1}, {"name", "bait"}, {"where", "body"}, {"form", form}};
            QCOMPARE(found(world), std::vector<std::string>{json::serialize(told)});
            QCOMPARE(world.how(world.number), std::string("canary"));
            QVERIFY(world.told.back().method == "net.closed" && world.live() == 0);
            world.step();
            QVERIFY(world.heardByHost.find("ghx_") == std::string::npos && !world.heardByHost.ends_with(sent.substr(sent.size() - 8)));
        }
    }

    void aCanaryInAHeadIsNotAskedAbout() {
        NetWorld world;
        QVERIFY(world.desk.setCanaries(canaries()));
        for (const auto& [text, where] : std::vector<std::pair<std::string, std::string>>{
                 {"GET /x?q=" + kCanary + " HTTP/1.1\r\nHost: www.example.org\r\n\r\n", "target"},
                 {"GET / HTTP/1.1\r\nHost: www.example.org\r\nCookie: k=" + kCanary + "\r\n\r\n", "field"}}) {
            const auto stream = static_cast<std::uint32_t>(1 + found(world).size());
            world.openStream(stream, kWeb);
            const auto number = world.asked();
            Tcp tcp;
            QVERIFY(world.connect(number, tcp, "http"));
            world.guestSays(stream, text);
            QVERIFY(world.until([&] { return world.guest->streams[stream].reset && tcp.take().endsWith('!'); }));
            QCOMPARE(tcp.take(), QByteArray("!"));
            QCOMPARE(world.how(number), std::string("canary"));
            QVERIFY(json::parse(found(world).back()).at("where") == json::value(where));
            QVERIFY(std::none_of(world.told.begin(), world.told.end(), [](const Told& each) { return each.method == "net.request"; }));
        }
    }

    void canariesComeAndGo() {
        RoadWorld world;
        const auto post = [&](std::uint64_t request) {
            world.heardByHost.clear();
            return world.ask(request, "POST /up HTTP/1.1\r\nHost: api.example.org\r\nContent-Length: 22\r\n\r\n" + kCanary) &&
                   world.desk.answered({{"number", world.number}, {"request", request}, {"allow", true}}, {}).has_value();
        };
        const auto passes = [&](std::uint64_t request) {
            if (!post(request) || !world.talk([&] { return world.heardByHost.ends_with(kCanary); })) {
                return false;
            }
            world.heardByProgram.clear();
            world.host.toSay = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            return world.talk([&] { return world.heardByProgram.ends_with("ok"); });
        };
        QVERIFY(world.tellTrust() && world.desk.setCanaries(canaries()) && world.begin());
        QVERIFY(world.desk.setCanaries({{"list", json::array{}}}));
        QVERIFY(passes(1));
        QVERIFY(world.desk.setCanaries(canaries("another-word-of-nobody")));
        QVERIFY(passes(2));
        QVERIFY(found(world).empty());
        QVERIFY(world.desk.setCanaries(canaries())); // the connection is the same
        QVERIFY(post(3));
        QVERIFY(world.until([&] { return world.guest->streams[1].reset; }));
        QCOMPARE(found(world).size(), std::size_t{1});
        // What is said wrongly changes nothing.
        QVERIFY(!world.desk.setCanaries({}) && !world.desk.setCanaries({{"list", json::array{"text"}}}));
        QVERIFY(!world.desk.setCanaries({{"list", json::array{json::object{{"name", "bait"}}}}}));
        QVERIFY(!world.desk.setCanaries({{"list", json::array(65, json::object{{"name", "bait"}, {"text", kCanary}})}}));
    }

    void whatCannotBeSearchedIsRefused() {
        NetWorld world;
        QVERIFY(world.desk.setCanaries(canaries()));
        world.openStream(1, kWeb);
        const auto number = world.asked();
        Tcp tcp;
        QVERIFY(world.connect(number, tcp, "http"));
        const auto bomb = relay::test::packed(std::string(8U << 20U, '\0'));
        world.guestSays(1, "POST /up HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: " + std::to_string(bomb.size()) + "\r\n\r\n" + bomb);
        QVERIFY(world.until([&] { return world.told.back().method == "net.request"; }));
        QVERIFY(world.desk.answered({{"number", number}, {"request", 1}, {"allow", true}}, {}));
        QVERIFY(world.until([&] { return world.guest->streams[1].ended; }));
        QVERIFY2(world.atGuest(1).contains("HTTP/1.1 403") && world.atGuest(1).contains("unfolds to more"), world.atGuest(1).constData());
        world.guest->mux().sendEnd(1);
        QCOMPARE(world.how(number), std::string("packed"));
        QVERIFY(found(world).empty());
    }

    void aCutIsOneForBothSides() {
        RoadWorld world;
        QVERIFY(world.tellTrust() && world.begin() && world.ask(1, kGet + "\r\n"));
        QVERIFY(world.desk.cut({{"number", world.number}, {"text", ""}}));
        QVERIFY(world.until([&] { return world.guest->streams[1].reset && world.tcp.take().endsWith('!'); }));
        QCOMPARE(world.how(world.number), std::string("cut"));
        QVERIFY(world.desk.answered({{"number", world.number}, {"request", 1}, {"allow", true}}, {}));
    }

    // What a model used is told of each request that is metered, and before anything else of that connection.
    void whatAModelUsedIsTold() {
        const std::string body = R"({"model":"m-1","usage":{"input_tokens":25,"output_tokens":15}})";
        const std::string reply = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        const auto models = [](const NetWorld& world) {
            std::vector<std::string> out;
            for (const auto& each : world.told) {
                if (each.method == "net.model" || each.method == "net.closed") {
                    out.push_back(each.method == "net.model" ? json::serialize(each.params) : "closed");
                }
            }
            return out;
        };
        const std::string post = "POST /v1/messages HTTP/1.1\r\nHost: api.example.org\r\nContent-Length: 15\r\n\r\n{\"model\":\"m-0\"}";
        RoadWorld world;
        QVERIFY(world.tellTrust() && world.begin() && world.ask(1, post));
        const auto let = [&](std::uint64_t request) {
            return world.desk.answered({{"number", world.number}, {"request", request}, {"allow", true}, {"meter", true}}, {}).has_value();
        };
        QVERIFY(let(1));
        QVERIFY(world.talk([&] { return world.heardByHost.ends_with("m-0\"}"); }));
        world.host.toSay = reply;
        QVERIFY(world.talk([&] { return world.heardByProgram.ends_with(body); }));
        QCOMPARE(models(world), (std::vector<std::string>{R"({"number":1,"request":1,"model":"m-1","input":25,"output":15,"cache_read":0,"cache_write":0,"estimated":false,"status":200})"}));
        // The program breaks off what it has asked for.
        QVERIFY(world.ask(2, post) && let(2));
        world.heardByHost.clear();
        QVERIFY(world.talk([&] { return world.heardByHost.ends_with("m-0\"}"); }));
        world.guest->mux().sendReset(1, ECONNRESET);
        QCOMPARE(world.how(world.number), std::string("guest"));
        const auto told = models(world);
        QCOMPARE(told.size(), std::size_t{3});
        QCOMPARE(told[1], std::string(R"({"number":1,"request":2,"model":"m-0","input":3,"output":0,"cache_read":0,"cache_write":0,"estimated":true,"status":0})"));
        QCOMPARE(told[2], std::string("closed"));
    }
    void aCutIsToldOfAsWell() {
        RoadWorld world;
        QVERIFY(world.tellTrust() && world.begin() && world.ask(1, kGet + "\r\n"));
        QVERIFY(world.desk.answered({{"number", world.number}, {"request", 1}, {"allow", true}, {"meter", true}}, {}));
        QVERIFY(world.desk.cut({{"number", world.number}, {"text", ""}}));
        QVERIFY(std::any_of(world.told.begin(), world.told.end(), [](const auto& each) { return each.method == "net.model"; }));
    }
};

QTEST_GUILESS_MAIN(TestNetRoad)
#include "test_net_road.moc"
