// SPDX-License-Identifier: Apache-2.0
#include "app/egress/proxy_settings.h"

#include <QTest>

#include <map>

using namespace carrel;
using namespace carrel::egress;

namespace {

Result<ProxySettings> with(const std::map<std::string, std::string>& variables) {
    return ProxySettings::from([variables](const std::string& name) -> std::optional<std::string> {
        const auto at = variables.find(name);
        return at == variables.end() ? std::nullopt : std::optional(at->second);
    });
}

std::string by(const ProxySettings& settings, const std::string& host, std::uint16_t port) {
    const auto* proxy = settings.proxyFor(Destination::parse(host, port).value());
    return proxy == nullptr ? "directly" : (proxy->kind == Proxy::Kind::Http ? "http " : "socks ") + proxy->at.text();
}

} // namespace

class TestProxySettings : public QObject {
    Q_OBJECT
private slots:
    void none() { QCOMPARE(by(*with({}), "example.org", 443), std::string("directly")); }
    void byPort() {
        const auto s = with({{"HTTP_PROXY", "http://one.example:3128"}, {"HTTPS_PROXY", "two.example:3129/"}, {"ALL_PROXY", "socks5h://three.example"}});
        QVERIFY(s);
        QCOMPARE(by(*s, "example.org", 80), std::string("http one.example:3128"));
        QCOMPARE(by(*s, "example.org", 443), std::string("http two.example:3129"));
        QCOMPARE(by(*s, "example.org", 22), std::string("socks three.example:1080"));
        QCOMPARE(by(*with({{"HTTPS_PROXY", "http://[::1]:3128"}}), "example.org", 22), std::string("directly"));
        QCOMPARE(by(*with({{"HTTPS_PROXY", "http://[::1]:3128"}}), "example.org", 443), std::string("http [::1]:3128"));
    }
    void smallLettersWin() {
        const auto s = with({{"HTTPS_PROXY", "http://one.example"}, {"https_proxy", "http://two.example"}});
        QCOMPARE(by(*s, "example.org", 443), std::string("http two.example:8080"));
        QCOMPARE(by(*with({{"HTTPS_PROXY", "http://one.example"}, {"https_proxy", ""}}), "example.org", 443), std::string("directly"));
    }
    void exceptions() {
        const auto s = with({{"ALL_PROXY", "http://p.example"},
                             {"NO_PROXY", "localhost, .corp.example,*.lan.example,10.0.0.0/8,2001:db8::/32,exact.org:8443,192.0.2.7,10.0.0.0/99,/,,bad_/x"}});
        QVERIFY(s);
        for (const auto& [host, port] : std::map<std::string, std::uint16_t>{{"localhost", 80}, {"corp.example", 443}, {"a.b.corp.example", 443},
                                                                             {"lan.example", 1}, {"x.lan.example", 1}, {"10.1.2.3", 5},
                                                                             {"2001:db8::9", 5}, {"exact.org", 8443}, {"192.0.2.7", 7}}) {
            QCOMPARE(by(*s, host, port), std::string("directly"));
        }
        for (const auto& [host, port] : std::map<std::string, std::uint16_t>{{"notcorp.example", 443}, {"exact.org", 443}, {"11.0.0.1", 5},
                                                                             {"192.0.2.8", 7}, {"xlocalhost", 80}}) {
            QCOMPARE(by(*s, host, port), std::string("http p.example:8080"));
        }
        QCOMPARE(by(*with({{"ALL_PROXY", "http://p.example"}, {"no_proxy", "*"}}), "example.org", 443), std::string("directly"));
    }
    void userAndPassword() {
        const auto s = with({{"ALL_PROXY", "http://ada:p%40ss:word@p.example:1"}});
        const auto* proxy = s->proxyFor(Destination::parse("example.org", 1).value());
        QCOMPARE(proxy->user, std::string("ada"));
        QCOMPARE(proxy->password, std::string("p@ss:word"));
    }
    // Invariant I6: and no error holds what may be a password.
    void whatCannotBeFollowed() {
        for (const char* bad : {"https://secret@p.example", "socks4://secret@p.example", "http://secret@", "http://secret@p.example:0",
                                "http://p.example:99999", "http://secret@p.example/path", "http://a%zz:secret@p.example", "http://a:b%0a@p.example",
                                "http://127.1:80", "http://[::1:80", "http://[::1]x:80", "ftp://secret"}) {
            const auto s = with({{"HTTPS_PROXY", bad}});
            QVERIFY2(!s, bad);
            QVERIFY(s.error().message.find("HTTPS_PROXY") != std::string::npos);
            QVERIFY(s.error().text().find("secret") == std::string::npos);
        }
        QVERIFY(!with({{"ALL_PROXY", std::string(5000, 'a')}}));
    }
};

QTEST_GUILESS_MAIN(TestProxySettings)
#include "test_proxy_settings.moc"
