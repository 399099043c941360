// SPDX-License-Identifier: Apache-2.0
// What counts as the certificate of an agent's authority: one, in one spelling, and nothing beside it.
#include "guest/protocol/authority_certificate.h"
#include "guest/protocol/share_path.h"
#include "tests/support/authority_certificates.h"

#include <QTest>

using namespace carrel;
using namespace carrel::test;
namespace json = boost::json;

namespace {

const std::string kBegin = "-----BEGIN CERTIFICATE-----\n";
const std::string kEnd = "-----END CERTIFICATE-----\n";

std::string pemOf(const std::string& der, std::size_t line = 64) {
    const auto text = toBase64(der);
    std::string out = kBegin;
    for (std::size_t at = 0; at < text.size(); at += line) {
        out += text.substr(at, line) + "\n";
    }
    return out + kEnd;
}

// A sequence of that many bytes within.
std::string sequence(std::size_t length) {
    std::string head = "\x30";
    if (length < 0x80) {
        head += static_cast<char>(length);
    } else if (length < 0x100) {
        head += std::string("\x81") + static_cast<char>(length);
    } else {
        head += std::string("\x82") + static_cast<char>(length >> 8U) + static_cast<char>(length & 0xffU);
    }
    return head + std::string(length, 'x');
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
    const auto at = text.find(what);
    return at == std::string::npos ? std::string() : text.replace(at, what.size(), by);
}

} // namespace

class TestAuthorityCertificate : public QObject {
    Q_OBJECT
private slots:
    void whatIsOne() {
        QVERIFY(isCertificatePem(authorityOfAda().pem) && isCertificatePem(authorityOfBob().pem));
        for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{0x7f}, std::size_t{0x80}, std::size_t{0xff}, std::size_t{0x100}, std::size_t{5000}}) {
            QVERIFY2(isCertificatePem(pemOf(sequence(length))), std::to_string(length).c_str());
        }
        QVERIFY(isGood(authorityOfAda()));
    }
    void whatIsNone_data() {
        QTest::addColumn<QByteArray>("text");
        const auto pem = authorityOfAda().pem;
        const auto row = [](const char* name, const std::string& text) { QTest::newRow(name) << QByteArray::fromStdString(text); };
        row("nothing", "");
        row("a begin alone", kBegin);
        row("no body", kBegin + kEnd);
        row("an empty line for a body", kBegin + "\n" + kEnd);
        row("begin and end that share their dashes", "-----BEGIN CERTIFICATE-----END CERTIFICATE-----\n");
        row("two of them", pem + authorityOfBob().pem);
        row("a key behind it", pem + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        row("a key in its place", replaced(replaced(pem, "CERTIFICATE", "PRIVATE KEY"), "END CERTIFICATE", "END PRIVATE KEY"));
        row("a trusted certificate of OpenSSL's", replaced(replaced(pem, "CERTIFICATE", "TRUSTED CERTIFICATE"), "END CERTIFICATE", "END TRUSTED CERTIFICATE"));
        row("words before it", "subject=here\n" + pem);
        row("words behind it", pem + "x");
        row("a newline before it", "\n" + pem);
        row("a newline more", pem + "\n");
        row("no newline at its end", pem.substr(0, pem.size() - 1));
        row("lines of Windows", replaced(pem, "\n", "\r\n"));
        row("a blank within", replaced(pem, "MIIB", "MII B"));
        row("a header within", replaced(pem, kBegin, kBegin + "Proc-Type: 4,ENCRYPTED\n\n"));
        row("a NUL within", replaced(pem, "MIIB", std::string("MII\0", 4)));
        row("letters beyond ASCII", replaced(pem, "MIIB", "M\xc4\xb0" "B"));
        row("lines too short", pemOf(sequence(500), 60));
        row("lines too long", pemOf(sequence(500), 76));
        row("a short line within", replaced(pem, "MIIB", "MIIB\n"));
        row("bits in its padding", replaced(pem, "MglA=", "MglB="));
        row("padding within", replaced(pem, "MIIB", "MII="));
        row("no DER", pemOf("hello"));
        row("of another kind", pemOf("\x31\x03xyz"));
        row("longer than it says", pemOf(sequence(200) + "x"));
        row("shorter than it says", pemOf(sequence(200).substr(0, 150)));
        row("a length that is not the shortest", pemOf(std::string("\x30\x81\x03xyz")));
        row("a length with a zero before it", pemOf(std::string("\x30\x82\x00\x80", 4) + std::string(128, 'x')));
        row("a length to be found out", pemOf(std::string("\x30\x80xyz\0\0", 7)));
        row("a length of three bytes", pemOf(std::string("\x30\x83\x00\x01\x00", 5) + std::string(256, 'x')));
        row("a length without its bytes", pemOf("\x30\x82"));
        row("more than the bound", pemOf(sequence(kMaxCertificatePem)));
    }
    void whatIsNone() {
        QFETCH(QByteArray, text);
        QVERIFY(!isCertificatePem({text.constData(), static_cast<std::size_t>(text.size())}));
    }
    void asAField() {
        const json::object there{{"authority", toJson(authorityOfAda())}};
        JsonFields fields(there, "hello");
        QVERIFY(takeAuthority(fields, "authority") == authorityOfAda());
        QVERIFY(fields.finish());
        for (const auto& empty : {json::object{}, json::object{{"authority", nullptr}}}) {
            JsonFields none(empty, "hello");
            QVERIFY(!takeAuthority(none, "authority"));
            QVERIFY(none.finish());
        }
    }
    void whatIsNoField_data() {
        QTest::addColumn<QByteArray>("text");
        const auto row = [](const char* name, const json::value& value) { QTest::newRow(name) << QByteArray::fromStdString(json::serialize(value)); };
        const auto with = [](const char* key, const json::value& value) {
            auto out = toJson(authorityOfAda());
            out[key] = value;
            return out;
        };
        row("a text", json::string(authorityOfAda().pem));
        row("empty", json::object{});
        row("a key beside it", with("key", "x"));
        row("no certificate", with("certificate", ""));
        row("another certificate's text", with("certificate", json::value(authorityOfAda().pem + authorityOfBob().pem)));
        row("no hash", with("name_hash", ""));
        row("a short hash", with("name_hash", "3a5a69f"));
        row("a long hash", with("name_hash", "3a5a69f00"));
        row("a hash in capitals", with("name_hash", "3A5A69F0"));
        row("a path for a hash", with("name_hash", "../../ab"));
        row("a number for a hash", with("name_hash", 12345678));
    }
    void whatIsNoField() {
        QFETCH(QByteArray, text);
        const json::object object{{"authority", json::parse(text.toStdString())}};
        JsonFields fields(object, "hello");
        QVERIFY(!takeAuthority(fields, "authority"));
        const auto read = fields.finish();
        QVERIFY(!read && read.error().code == ErrorCode::Malformed);
    }
};

QTEST_APPLESS_MAIN(TestAuthorityCertificate)
#include "test_authority_certificate.moc"
