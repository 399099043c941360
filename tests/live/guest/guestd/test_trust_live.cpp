// SPDX-License-Identifier: Apache-2.0
// The certificate of the agent's authority in a real machine: programs take what it signs and nothing that another one signs, the
// machine's own tools keep it, and it is there once, whatever the agent did to the store.
#include "app/relay/leaf_issuer.h"
#include "guest/protocol/authority_certificate.h"
#include "guest/protocol/control.h"
#include "tests/live/guest/guestd/machine_rig.h"

#include <QTest>
#include <boost/json.hpp>
#include <openssl/pem.h>

using namespace carrel;
using namespace carrel::test;
namespace json = boost::json;

namespace {

const char* const kHost = "tls.example.org";
const char* const kBundle = "/etc/ssl/certs/ca-certificates.crt";

// An authority, and a certificate of the host that it issued, with its key.
struct Signer {
    AuthorityCertificate told;
    QByteArray leaf;

    explicit Signer(const char* name) {
        const auto now = std::chrono::system_clock::now();
        const auto made = relay::makeAuthority(name, now).value();
        told = {made.certificatePem, relay::nameHashOf(made.certificatePem).value()};
        auto issuer = relay::LeafIssuer::create(made.certificatePem, relay::view(made.keyPem)).value();
        const auto issued = issuer.leafFor(kHost, now).value();
        const relay::BioPtr text(::BIO_new(::BIO_s_mem()));
        (void)::PEM_write_bio_PrivateKey(text.get(), issued->key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        (void)::PEM_write_bio_X509(text.get(), issued->certificate.get());
        char* data = nullptr;
        const long size = BIO_get_mem_data(text.get(), &data);
        leaf = QByteArray(data, size);
    }
    [[nodiscard]] json::value asField() const { return toJson(told); }
};

// Serves that certificate for ever, on the port of its file's name.
const char* const kServe = R"(
import http.server, ssl, sys
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "5"); self.end_headers(); self.wfile.write(b"here\n")
s = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), H)
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain("/tmp/leaf." + sys.argv[1])
s.socket = c.wrap_socket(s.socket, server_side=True); print("ready", flush=True); s.serve_forever()
)";

} // namespace

class TestTrustLive : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void itIsThereOnce();
    void programsTakeWhatItSigns_data();
    void programsTakeWhatItSigns();
    void programsAreTold();
    void theMachinesOwnToolsKeepIt();
    void anotherOneTakesItsPlace();
    void withoutThePackage();
    void thePackageComesLater();
    void whatIsInItsWay();

private:
    [[nodiscard]] QByteArray out(const std::string& script) {
        const auto result = m_rig.run({"bash", "-c", script});
        return result.out + result.err;
    }
    void serve(int port, const QByteArray& leaf);
    // "1 1 1": that certificate is in the bundle once, it is what the link leads to, and that one is linked by its hash once. (As long
    // as the bundle holds nothing else, `openssl rehash` makes a link of the same hash to that, too.)
    [[nodiscard]] QByteArray timesOf(const Signer& signer) {
        const auto body = QString::fromStdString(signer.told.pem).split('\n').at(1).toStdString(); // differs between any two: it holds the serial number
        return out("cd /etc/ssl/certs; for file in ca-certificates.crt carrel-agent.pem; do grep -cxF -- '" + body + "' $file; done;" +
                   "for link in " + signer.told.nameHash + ".?; do readlink $link; done | grep -cx carrel-agent.pem").simplified();
    }
    [[nodiscard]] QByteArray verify(int port) { return out("openssl verify /tmp/leaf." + std::to_string(port) + " 2>&1 | tail -1").trimmed(); }

    MachineRig m_rig;
    Signer m_first{"desk-one"}, m_second{"desk-one"}, m_stranger{"desk-two"};
};

void TestTrustLive::initTestCase() {
    const QString problem = m_rig.boot();
    if (problem.contains(QStringLiteral("CARREL_TEST_IMAGE"))) {
        QSKIP(qPrintable(problem));
    }
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    QVERIFY2(m_rig.greet({}, m_first.asField()), m_rig.console().constData());
    serve(8441, m_first.leaf);
    serve(8442, m_stranger.leaf);
    QCOMPARE(out(std::string("echo '127.0.0.1 ") + kHost + "' >> /etc/hosts; rm -f /tmp/not-there"), QByteArray());
}

void TestTrustLive::serve(int port, const QByteArray& leaf) {
    const auto number = std::to_string(port);
    QVERIFY(m_rig.run({"sh", "-c", "cat > /tmp/leaf." + number}, leaf).end.contains("\"code\":0"));
    const auto server = m_rig.startSession({{"argv", {"python3", "-c", kServe, number}}});
    QVERIFY2(m_rig.until([&] { return m_rig.outcome(server).out == "ready\n" || m_rig.ended(server); }) && !m_rig.ended(server),
             m_rig.outcome(server).err.constData());
}

void TestTrustLive::itIsThereOnce() {
    QCOMPARE(timesOf(m_first), QByteArray("1 1 1"));
    QCOMPARE(out("cat /usr/local/share/ca-certificates/carrel-agent.crt"), QByteArray::fromStdString(m_first.told.pem));
    QCOMPARE(out("stat -Lc '%U:%G %a' /usr/local/share/ca-certificates/carrel-agent.crt /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/carrel-agent.pem"),
             QByteArray("root:root 644\nroot:root 644\nroot:root 644\n"));
    QVERIFY(out(std::string("grep -c BEGIN ") + kBundle).toInt() > 100); // beside the others
    QCOMPARE(out("grep -rl 'PRIVATE KEY' /usr/local/share/ca-certificates /etc/ssl/certs | wc -l"), QByteArray("0\n"));
}

void TestTrustLive::programsTakeWhatItSigns_data() {
    QTest::addColumn<QString>("script"); // prints "here" for %1, and ends with another status for what is not trusted
    QTest::newRow("curl") << "curl -sS https://%1/";
    QTest::newRow("wget") << "wget -qO- https://%1/";
    QTest::newRow("python") << "python3 -c 'import urllib.request as u; print(u.urlopen(\"https://%1/\").read().decode(), end=\"\")'";
    QTest::newRow("python, in an environment of its own")
        << "test -d /tmp/own || python3 -m venv --without-pip /tmp/own; /tmp/own/bin/python -c 'import urllib.request as u; print(u.urlopen(\"https://%1/\").read().decode(), end=\"\")'";
    QTest::newRow("pip's own requests") << "python3 -c 'from pip._vendor import requests as r; print(r.get(\"https://%1/\").text, end=\"\")'";
    // As httpx does it, which most model providers' clients are made of.
    QTest::newRow("python, by SSL_CERT_DIR alone")
        << "python3 -c 'import os, ssl, urllib.request as u; c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); c.load_verify_locations(capath=os.environ[\"SSL_CERT_DIR\"]);"
           "print(u.urlopen(\"https://%1/\", context=c).read().decode(), end=\"\")'";
    // As requests does it with the roots that pip brings.
    QTest::newRow("python, by REQUESTS_CA_BUNDLE alone")
        << "python3 -c 'import os, ssl, urllib.request as u; c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); c.load_verify_locations(cafile=os.environ[\"REQUESTS_CA_BUNDLE\"]);"
           "print(u.urlopen(\"https://%1/\", context=c).read().decode(), end=\"\")'";
    // As Node does it, beside its own.
    QTest::newRow("python, by NODE_EXTRA_CA_CERTS alone")
        << "python3 -c 'import os, ssl, urllib.request as u; c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); c.load_verify_locations(cafile=os.environ[\"NODE_EXTRA_CA_CERTS\"]);"
           "print(u.urlopen(\"https://%1/\", context=c).read().decode(), end=\"\")'";
    QTest::newRow("openssl, by the folder") << "(printf 'GET / HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -no-CAfile -CApath /etc/ssl/certs -verify_return_error -verify_hostname tls.example.org -connect %1 2>/dev/null || true) | grep here";
    // The server knows no git, which only shows once it is trusted.
    QTest::newRow("git") << "(git ls-remote https://%1/x 2>&1 || true) | grep -o 'not valid' | sed 's/.*/here/' | grep here";
}

void TestTrustLive::programsTakeWhatItSigns() {
    QFETCH(QString, script);
    const auto at = [&](int port) { return "set -o pipefail; " + script.arg(QString("%1:%2").arg(kHost).arg(port)).toStdString() + "; echo status=$?"; };
    const auto taken = out(at(8441));
    QVERIFY2(taken.endsWith("here\nstatus=0\n"), taken.constData());
    const auto refused = out(at(8442)); // of another authority
    QVERIFY2(refused.contains("status=") && !refused.contains("status=0") && !refused.contains("here\n"), refused.constData());
}

void TestTrustLive::programsAreTold() {
    QCOMPARE(out("env | grep -E '^(NODE_EXTRA_CA_CERTS|DENO_CERT|REQUESTS_CA_BUNDLE|SSL_CERT_DIR)=' | sort"),
             QByteArray("DENO_CERT=/usr/local/share/ca-certificates/carrel-agent.crt\nNODE_EXTRA_CA_CERTS=/usr/local/share/ca-certificates/carrel-agent.crt\n"
                        "REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt\nSSL_CERT_DIR=/etc/ssl/certs\n"));
    const auto own = m_rig.startSession({{"argv", {"sh", "-c", "echo $NODE_EXTRA_CA_CERTS $SSL_CERT_DIR"}}, {"env", {{"NODE_EXTRA_CA_CERTS", "/mine"}}}});
    QVERIFY(m_rig.until([&] { return m_rig.ended(own); }));
    QCOMPARE(m_rig.outcome(own).out, QByteArray("/mine /etc/ssl/certs\n")); // the caller's wins
}

void TestTrustLive::theMachinesOwnToolsKeepIt() {
    // Of three others: an emulated machine needs a minute for all of them.
    const auto updated = out("grep -m3 ^mozilla /etc/ca-certificates.conf > /tmp/three && cp /tmp/three /etc/ca-certificates.conf &&"
                             "update-ca-certificates --fresh && update-ca-certificates; echo status=$?");
    QVERIFY2(updated.contains("status=0"), updated.constData());
    QCOMPARE(out(std::string("grep -c BEGIN ") + kBundle), QByteArray("4\n"));
    QCOMPARE(timesOf(m_first), QByteArray("1 1 1"));
    QCOMPARE(verify(8441), QByteArray("/tmp/leaf.8441: OK"));
    // A hello on the way changes nothing: not a file is written anew.
    const std::string stamps = "stat -c '%i %Y' /etc/ssl/certs /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates/carrel-agent.crt";
    const auto before = out(stamps);
    QVERIFY(m_rig.greet({}, m_first.asField()));
    QCOMPARE(out(stamps), before);
}

void TestTrustLive::anotherOneTakesItsPlace() {
    serve(8443, m_second.leaf);
    QVERIFY(!verify(8443).contains("OK"));
    QVERIFY(m_rig.greet({}, m_second.asField()));
    QCOMPARE(timesOf(m_second), QByteArray("1 1 1"));
    QCOMPARE(timesOf(m_first), QByteArray("0 0 1"));
    QCOMPARE(verify(8443), QByteArray("/tmp/leaf.8443: OK"));
    QVERIFY(!verify(8441).contains("OK"));
    QCOMPARE(out(std::string("curl -sS https://") + kHost + ":8443/"), QByteArray("here\n"));
    QVERIFY(out(std::string("curl -sS https://") + kHost + ":8441/") != QByteArray("here\n"));
}

// As in a machine that never had it. Whoever brings roots of their own keeps them.
void TestTrustLive::withoutThePackage() {
    QCOMPARE(out("rm -rf /etc/ssl/certs /usr/local/share/ca-certificates; ls -d /etc/ssl/certs 2>&1 | grep -c 'No such'"), QByteArray("1\n"));
    QVERIFY(m_rig.greet({}, m_first.asField()));
    QCOMPARE(timesOf(m_first), QByteArray("1 1 1"));
    QCOMPARE(out(std::string("grep -c BEGIN ") + kBundle), QByteArray("1\n"));
    QCOMPARE(verify(8441), QByteArray("/tmp/leaf.8441: OK"));
    QCOMPARE(out(std::string("curl -sS https://") + kHost + ":8441/"), QByteArray("here\n"));
    QCOMPARE(out("env | grep -cE '^(REQUESTS_CA_BUNDLE|SSL_CERT_DIR)='; env | grep -cE '^(NODE_EXTRA_CA_CERTS|DENO_CERT)='"), QByteArray("0\n2\n"));
}

// What apt does at the end of its installation: the package's trigger.
void TestTrustLive::thePackageComesLater() {
    const auto triggered = out("dpkg-trigger --by-package=ca-certificates update-ca-certificates && dpkg --triggers-only --pending; echo status=$?");
    QVERIFY2(triggered.contains("status=0"), triggered.constData());
    QCOMPARE(out(std::string("grep -c BEGIN ") + kBundle), QByteArray("4\n"));
    QCOMPARE(timesOf(m_first), QByteArray("1 1 1"));
    QCOMPARE(verify(8441), QByteArray("/tmp/leaf.8441: OK"));
    QVERIFY(m_rig.greet({}, m_second.asField())); // the store is looked at again with another certificate, as with another start
    QCOMPARE(out("env | grep -cE '^(REQUESTS_CA_BUNDLE|SSL_CERT_DIR)='"), QByteArray("2\n"));
}

// The agent gets ready, and the host hears why its programs do not trust it. Nothing but the agent's own root is touched.
void TestTrustLive::whatIsInItsWay() {
    QCOMPARE(out("rm /etc/ssl/certs/ca-certificates.crt; mkdir -p /etc/ssl/certs/ca-certificates.crt/x; echo $?"), QByteArray("0\n"));
    QVERIFY(m_rig.greet({}, m_first.asField()));
    const auto toldOf = [&](const char* what) {
        return m_rig.until([&] {
            return std::ranges::any_of(m_rig.control().streams[control::kRpcStream].messages,
                                       [&](const QByteArray& each) { return each.contains("\"log\"") && each.contains(what); });
        });
    };
    QVERIFY(toldOf("ca-certificates.crt"));
    QCOMPARE(out("cat /usr/local/share/ca-certificates/carrel-agent.crt"), QByteArray::fromStdString(m_first.told.pem));
    // It is tried again by each hello, until it can be done.
    QCOMPARE(out("rm -r /etc/ssl/certs/ca-certificates.crt; mkfifo /etc/ssl/certs/ca-certificates.crt; echo $?"), QByteArray("0\n"));
    QVERIFY(m_rig.greet({}, m_first.asField()));
    QCOMPARE(out("rm /etc/ssl/certs/ca-certificates.crt; mount -t tmpfs none /etc/ssl; echo $?"), QByteArray("0\n"));
    QVERIFY(m_rig.greet({}, m_second.asField()));
    QVERIFY(toldOf("opening /etc/ssl/certs")); // no mount of the agent's is waited for
    QCOMPARE(out("ls /etc/ssl; umount /etc/ssl"), QByteArray());
    QVERIFY(m_rig.greet({}, m_second.asField()));
    QCOMPARE(timesOf(m_second), QByteArray("1 1 1"));
}

QTEST_GUILESS_MAIN(TestTrustLive)
#include "test_trust_live.moc"
