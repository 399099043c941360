// SPDX-License-Identifier: Apache-2.0
// A request's target has one spelling, which is decided about and sent (RFC 3986, RFC 9112, section 3.2).
#include "app/relay/http_target.h"

#include <QTest>

using namespace carrel::relay;

namespace {

const Origin kOrigin{Scheme::Https, "example.org", 443};
std::string targetOf(std::string_view text, std::string_view method = "GET", const Origin& origin = kOrigin) {
    const auto target = readTarget(text, method, origin);
    return target ? target->path + "|" + target->query : "refused " + std::to_string(target.error().status);
}

} // namespace

class TestHttpTarget : public QObject {
    Q_OBJECT
private slots:
    void whatIsTheSameIsSpelledAlike_data() {
        QTest::addColumn<QString>("given");
        QTest::addColumn<QString>("expected");
        const char* const rows[][2] = {{"/", "/|"},
                                       {"/a/b?c=d", "/a/b|?c=d"},
                                       {"/%61%2Db%7e", "/a-b~|"},
                                       {"/a%2fb%c3%a9", "/a%2Fb%C3%A9|"},
                                       {"/a?%61=../x", "/a|?%61=../x"},
                                       {"/a..b/.c/...", "/a..b/.c/...|"},
                                       {"/a/./b/././c", "/a/b/c|"},
                                       {"/./Packages?x=./", "/Packages|?x=./"},
                                       {"/a/%2e", "/a/|"},
                                       {"/.", "/|"},
                                       {"/@scope%2fname", "/@scope%2Fname|"},
                                       {"https://example.org/x", "/x|"},
                                       {"HTTPS://Example.ORG:443?q", "/|?q"},
                                       {"https://example.org", "/|"}};
        for (const auto& row : rows) {
            QTest::newRow(row[0]) << row[0] << row[1];
        }
    }
    void whatIsTheSameIsSpelledAlike() {
        QFETCH(QString, given);
        QFETCH(QString, expected);
        QCOMPARE(targetOf(given.toStdString()), expected.toStdString());
    }

    void whatIsReadDifferentlyIsRefused_data() {
        QTest::addColumn<QString>("given");
        for (const char* given : {"", "a", "/../a", "/a/..", "/%2e%2E/a", "/.%2e", "/a/..%2fb", "/a%5c..%5Cb", "/..;x/a", "/..%3bx/a", "/a\\b",
                                  "/.%2fa", "/.;x/a", "/a/./../b", "/a%00", "/a%0d%0aHost:x", "/a%7f", "/a%", "/a%4", "/a%zz", "/a#b", "/a b", "/\xc3\xa9", "*", "example.org:443",
                                  "ftp://example.org/", "/a%2"}) {
            QTest::newRow(given[0] == '\0' ? "empty" : given) << given;
        }
    }
    void whatIsReadDifferentlyIsRefused() {
        QFETCH(QString, given);
        QVERIFY2(targetOf(given.toStdString()).starts_with("refused 400"), targetOf(given.toStdString()).c_str());
    }

    void anotherHostIsRefused() {
        for (const char* given : {"https://evil.example/", "https://example.org.evil.example/", "https://example.org:444/", "https://user@example.org/",
                                  "https://example.org@evil.example/", "https:///", "http://example.org/"}) {
            QCOMPARE(targetOf(given), std::string("refused 421"));
        }
        QCOMPARE(targetOf("*", "OPTIONS"), std::string("*|"));
    }

    void theAuthorityOfEachKindOfHost() {
        const Origin odd{Scheme::Http, "2001:db8::1", 8080};
        QCOMPARE(odd.text(), std::string("[2001:db8::1]:8080"));
        QVERIFY(odd.isNamedBy("[2001:DB8::1]:8080") && !odd.isNamedBy("[2001:db8::1]") && !odd.isNamedBy("2001:db8::1:8080"));
        QVERIFY(kOrigin.isNamedBy("example.org") && kOrigin.isNamedBy("EXAMPLE.org:443") && !kOrigin.isNamedBy("example.org:80"));
        QVERIFY(!kOrigin.isNamedBy("") && !kOrigin.isNamedBy("example.org.") && !kOrigin.isNamedBy("example.org:"));
    }
};

QTEST_GUILESS_MAIN(TestHttpTarget)
#include "test_http_target.moc"
