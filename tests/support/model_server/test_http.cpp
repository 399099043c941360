// SPDX-License-Identifier: Apache-2.0
// The model server as a server of HTTP/1.1 (RFC 9110, 9112), with TLS and without.
#include "app/relay/leaf_issuer.h"
#include "tests/support/model_server/raw_client.h"

#include <QTest>

using namespace carrel;
using namespace carrel::test::model;

namespace {

using Lines = std::vector<std::string>;
const std::string kTwo = saying(q("{'text':'one'}")) + "," + saying(q("{'text':'two'}"));

std::string certificateText(X509* certificate) {
    const relay::BioPtr text(::BIO_new(::BIO_s_mem()));
    ::PEM_write_bio_X509(text.get(), certificate);
    char* bytes = nullptr;
    const auto size = ::BIO_get_mem_data(text.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}
std::string keyText(EVP_PKEY* key) {
    const relay::BioPtr text(::BIO_new(::BIO_s_mem()));
    ::PEM_write_bio_PKCS8PrivateKey(text.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    char* bytes = nullptr;
    const auto size = ::BIO_get_mem_data(text.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}
struct Certificates {
    std::string authority;
    ModelServerOptions options;
};
Certificates certificates() {
    const auto now = std::chrono::system_clock::now();
    const auto authority = relay::makeAuthority("a test", now).value();
    const auto leaf = relay::LeafIssuer::create(authority.certificatePem, relay::view(authority.keyPem))->leafFor("localhost", now).value();
    return {authority.certificatePem, {certificateText(leaf->certificate.get()), keyText(leaf->key.get())}};
}

} // namespace

class TestHttp : public QObject {
    Q_OBJECT
private slots:
    void aConnectionIsUsedAgain() {
        const auto server = serverOf(kTwo + "," + kTwo);
        RawClient client(server->port());
        for (const auto& request : {anthropic(kHello), anthropic(kHelloStreamed), openAi(kHelloStreamed), openAi(kHello)}) {
            client.send(request);
            QVERIFY(client.readAnswer().whole);
        }
        QCOMPARE(server->failures(), Lines());
    }

    void aClientThatWantsItClosed() {
        const auto server = serverOf(kTwo);
        RawClient client(server->port());
        client.send(requestOf("POST /v1/messages", std::string(kAnthropicHeaders) + "Connection: close\r\n", kHello));
        QVERIFY(client.readAnswer().whole);
        QCOMPARE(client.readToEnd(), std::string());
    }

    void aBodyInChunksAndInPieces() {
        const auto server = serverOf(kTwo);
        RawClient client(server->port());
        client.send("POST /v1/messages HTTP/1.1\r\nHost: x\r\n");
        client.send(std::string(kAnthropicHeaders) + "Transfer-Encoding: chunked\r\n\r\n");
        for (std::size_t at = 0; at < kHello.size(); at += 7) {
            const auto piece = kHello.substr(at, 7);
            client.send(std::to_string(piece.size()) + "\r\n" + piece + "\r\n");
        }
        client.send("0\r\n\r\n");
        QCOMPARE(client.readAnswer().status, 200);
        QCOMPARE(server->requests()[0].http.body, kHello);
    }

    // curl(1) asks before it sends what is large.
    void aClientThatAsksBefore() {
        const auto server = serverOf(kTwo);
        RawClient client(server->port());
        const auto request = requestOf("POST /v1/messages", std::string(kAnthropicHeaders) + "Expect: 100-continue\r\n", kHello);
        const auto head = request.find("\r\n\r\n") + 4;
        client.send(request.substr(0, head));
        QCOMPARE(client.readUntil("\r\n\r\n"), std::string("HTTP/1.1 100 Continue\r\n\r\n"));
        client.send(request.substr(head));
        QCOMPARE(client.readAnswer().status, 200);
    }

    void whatIsNoHttp() {
        const auto server = serverOf("");
        QCOMPARE(ask(*server, "GEThello\r\n\r\n").status, 400);
        QVERIFY(server->failures().at(0).starts_with("a connection: this is no HTTP"));
    }

    void aRequestThatEndsInItsMiddle() {
        const auto server = serverOf("");
        RawClient client(server->port());
        client.send("POST /v1/messages HTTP/1.1\r\n");
        client.stopSending();
        QCOMPARE(client.readAnswer().status, 400);
        QCOMPARE(server->failures(), Lines{"a connection: the request ends in its middle"});
    }

    // Whoever only connects, and a connection that is kept for later, fail nothing.
    void aConnectionWithoutARequest() {
        const auto server = serverOf(saying(""));
        RawClient nothing(server->port());
        nothing.stopSending();
        QCOMPARE(nothing.readToEnd(), std::string());
        RawClient kept(server->port());
        kept.send(anthropic(kHello));
        QVERIFY(kept.readAnswer().whole);
        kept.stopSending();
        QCOMPARE(kept.readToEnd(), std::string());
        QCOMPARE(server->failures(), Lines());
    }

    void tooLarge() {
        const auto server = serverOf("");
        RawClient client(server->port());
        client.send("POST /v1/messages HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n");
        QCOMPARE(client.readAnswer().status, 413);
    }

    void records() {
        const auto server = serverOf(saying(""));
        (void)ask(*server, requestOf("POST /v1/messages?beta=true", std::string(kAnthropicHeaders) + "User-Agent: one\r\n", kHello));
        (void)ask(*server, requestOf("GET /v1/models", kOpenAiHeaders, ""));
        const auto requests = server->requests();
        QCOMPARE(requests.size(), std::size_t(2));
        QCOMPARE(requests[0].http.method, std::string("POST"));
        QCOMPARE(requests[0].http.target, std::string("/v1/messages?beta=true"));
        QCOMPARE(requests[0].http.header("user-agent"), std::string("one"));
        QCOMPARE(requests[0].http.body, kHello);
        QCOMPARE(requests[0].status, 200);
        QVERIFY(requests[0].conversation && !requests[1].conversation);
        QCOMPARE(requests[1].played, std::string()); // a list of models is no turn
        QCOMPARE(server->failures(), Lines());
    }

    void linesOfALog() {
        std::vector<std::string> lines;
        ModelServerOptions options;
        options.log = [&](const std::string& line) { lines.push_back(line); };
        const auto server = serverOf(saying(""), {}, std::move(options));
        (void)ask(*server, anthropic(kHello));
        (void)ask(*server, anthropic("{}"));
        QVERIFY(server->waitForDeliveries(2));
        QCOMPARE(lines, (Lines{"request 1 (POST /v1/messages): 200, turn 1", "request 2 (POST /v1/messages): 400"}));
    }

    void withTls() {
        const auto made = certificates();
        const auto server = serverOf(kTwo + "," + saying(q("{'text':['a',{'hold':'ever'}]}")) + "," + q("{'answer':{'content':[],'cut_after':4}}"), {}, made.options);
        QVERIFY(server->url().starts_with("https://127.0.0.1:"));
        RawClient client(server->port(), made.authority);
        client.send(anthropic(kHelloStreamed));
        QVERIFY(client.readAnswer().whole);
        client.send(requestOf("POST /v1/messages", std::string(kAnthropicHeaders) + "Connection: close\r\n", kHello));
        QVERIFY(client.readAnswer().whole);
        QCOMPARE(client.readToEnd(), std::string());
        QVERIFY(client.endedInOrder());
        RawClient leaving(server->port(), made.authority);
        leaving.send(anthropic(kHelloStreamed));
        QVERIFY(server->waitUntilHeld("ever"));
        leaving.leave();
        QVERIFY(server->waitForDeliveries(3));
        QCOMPARE(server->requests()[2].delivery, Delivery::ClientLeft);
        RawClient cut(server->port(), made.authority);
        cut.send(anthropic(kHelloStreamed));
        QCOMPARE(cut.readAnswer().body, std::string("even"));
        QVERIFY(!cut.endedInOrder());
        QCOMPARE(server->failures(), Lines());
    }

    void tlsIsTheCertificatesOwn() {
        const auto made = certificates();
        const auto server = serverOf("", {}, made.options);
        QVERIFY_THROWS_EXCEPTION(std::runtime_error, RawClient(server->port(), made.authority, "example.org"));
        QVERIFY_THROWS_EXCEPTION(std::runtime_error, RawClient(server->port(), certificates().authority));
        QVERIFY(server->requests().empty());
    }

    void aCertificateOfAnother() {
        auto options = certificates().options;
        options.keyPem = certificates().options.keyPem;
        const auto server = ModelServer::start(parseScenario(q("{'key':'k','models':['m'],'turns':[]}")).value(), options);
        QVERIFY(!server && server.error().code == ErrorCode::Malformed);
    }

    void aPortThatIsTaken() {
        const auto server = serverOf("");
        ModelServerOptions options;
        options.port = server->port();
        const auto second = ModelServer::start(parseScenario(q("{'key':'k','models':['m'],'turns':[]}")).value(), options);
        QVERIFY(!second && second.error().code == ErrorCode::Io);
        QVERIFY(second.error().message.find(std::to_string(server->port())) != std::string::npos);
    }
};

QTEST_GUILESS_MAIN(TestHttp)
#include "test_http.moc"
