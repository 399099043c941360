// SPDX-License-Identifier: Apache-2.0
// What keeps the pages of an agent's server to themselves: where a response may lead, what it may say, and what a road makes of it.
#include "app/relay/forward_guard.h"
#include "tests/app/relay/road_rig.h"

#include <QTest>

using namespace carrel::relay;
using carrel::relay::test::RoadRig;

namespace {

const Origin kOrigin{Scheme::Http, "0123456789abcdef0123456789abcdef.localhost", 40123};
const std::string kName = kOrigin.text();

ResponseHead answered(Fields fields, int status = 200) {
    ResponseHead head;
    head.status = status;
    head.fields = std::move(fields);
    const ForwardGuard guard(kOrigin, 8000);
    if (guard.response(head, {})) {
        head.status = 0;
    }
    return head;
}

std::vector<std::string> valuesOf(const ResponseHead& head, std::string_view name) {
    std::vector<std::string> out;
    for (const auto& field : head.fields) {
        if (isField(field, name)) {
            out.push_back(field.value);
        }
    }
    return out;
}
using Values = std::vector<std::string>;

std::unique_ptr<RoadRig> rig() {
    HttpRoad::Settings settings{kOrigin, nullptr, {}, {}, std::make_shared<ForwardGuard>(kOrigin, 8000)};
    return std::make_unique<RoadRig>(std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(),
                                     std::move(settings));
}
std::string get(const std::string& more = {}) {
    return "GET / HTTP/1.1\r\nHost: " + kName + "\r\n" + more + "\r\n";
}

} // namespace

class TestForwardGuard : public QObject {
    Q_OBJECT
private slots:
    void whereItLeads_data() {
        QTest::addColumn<QString>("location");
        QTest::addColumn<QString>("to"); // "=": as it is; empty: elsewhere
        const auto row = [](const QString& location, const QString& to) { QTest::newRow(qPrintable(location)) << location << to; };
        const auto own = QString::fromStdString("http://" + kName);
        for (const auto& same : {QString("/"), QString("/a?b#c"), QString("next"), QString("../up"), QString("?q=http://evil.example.org"), QString("#x"), QString(""),
                                 QString("a/b:c"), own, own + "/", own + "/a", own + "?a", own + "#a", QString("HTTP://") + own.mid(7).toUpper() + "/a"}) {
            row(same, "=");
        }
        row("http://localhost:8000/a?b", own + "/a?b"); // as the server knows itself
        row("http://127.0.0.1:8000", own);
        row("http://[::1]:8000/x", own + "/x");
        row("http://0.0.0.0:8000?x", own + "?x");
        row("http://localhost:8000//evil.example.org/", own + "//evil.example.org/");
        for (const auto& away :
             {QString("http://evil.example.org/"), QString("https://") + own.mid(7), QString("//evil.example.org"), QString("///evil.example.org"), QString("/\\evil.example.org"),
              QString("\\\\evil.example.org"), QString("/\t/evil.example.org"), QString(" //evil.example.org"), QString("http:evil.example.org"), QString("http:/evil.example.org"),
              QString("javascript:alert(1)"), QString("data:text/html,x"), own + "@evil.example.org/", own + ".evil.example.org/", own + ":80/", own + "\\@evil.example.org",
              QString("http://localhost:8001/"), QString("http://localhost/"), QString("http://localhost:8000@evil.example.org/"), QString("ftp://localhost:8000/")}) {
            row(away, "");
        }
    }
    void whereItLeads() {
        QFETCH(QString, location);
        QFETCH(QString, to);
        const auto head = answered({{"Location", location.toStdString()}}, 302);
        if (to.isEmpty()) {
            QCOMPARE(head.status, 0);
        } else {
            QCOMPARE(valuesOf(head, "location"), Values{(to == "=" ? location : to).toStdString()});
        }
    }
    void onlyARedirectLeads() {
        QCOMPARE(answered({{"Location", "https://example.org/"}}, 201).status, 201); // tells where something is, and no browser goes there
        QCOMPARE(answered({{"Location", "https://example.org/"}}, 304).status, 304);
        QCOMPARE(answered({{"Location", "https://example.org/"}}, 300).status, 0);
        QCOMPARE(answered({{"Location", "/"}, {"Location", "https://example.org/"}}, 307).status, 0);
    }

    void whatTellsTheBrowserToSpeakElsewhere() {
        Fields all;
        for (const auto* name : {"Report-To", "Reporting-Endpoints", "NEL", "Expect-CT", "Content-Security-Policy-Report-Only", "Link", "Speculation-Rules", "Alt-Svc",
                                 "Strict-Transport-Security", "Clear-Site-Data", "Service-Worker-Allowed", "Access-Control-Allow-Origin",
                                 "access-control-allow-credentials", "X-DNS-Prefetch-Control"}) {
            all.push_back({name, "on"});
        }
        all.push_back({"Content-Type", "text/html"});
        const auto head = answered(all);
        for (const auto& field : all) {
            const auto left = valuesOf(head, field.name);
            QVERIFY2(isField(field, "content-type") || std::find(left.begin(), left.end(), "on") == left.end(), field.name.c_str());
        }
        QCOMPARE(valuesOf(head, "content-type"), Values{"text/html"});
        QCOMPARE(valuesOf(head, "x-dns-prefetch-control"), Values{"off"});
    }
    void aRefreshThatLeadsAway() {
        QCOMPARE(valuesOf(answered({{"Refresh", "5"}}), "refresh"), Values{"5"});
        for (const auto* away : {"5; url=https://evil.example.org/", "0,https://evil.example.org/", "5 url", ".5", ""}) {
            QVERIFY2(valuesOf(answered({{"Refresh", away}}), "refresh").empty(), away);
        }
    }
    // Twice, a browser takes none of the two; the server's alone, it would take that.
    void whatIsSaidOnce() {
        const auto head = answered({{"Cross-Origin-Opener-Policy", "unsafe-none"},
                                    {"Cross-Origin-Resource-Policy", "cross-origin"},
                                    {"Referrer-Policy", "unsafe-url"},
                                    {"X-Content-Type-Options", "sniff"},
                                    {"Permissions-Policy", "camera=*"}});
        QCOMPARE(valuesOf(head, "cross-origin-opener-policy"), Values{"same-origin"});
        QCOMPARE(valuesOf(head, "cross-origin-resource-policy"), Values{"same-origin"});
        QCOMPARE(valuesOf(head, "referrer-policy"), Values{"same-origin"});
        QCOMPARE(valuesOf(head, "x-content-type-options"), Values{"nosniff"});
        const auto permissions = valuesOf(head, "permissions-policy");
        QVERIFY(permissions.size() == 2 && permissions.back().find("camera=()") != std::string::npos); // the last one counts
    }
    void policiesAreAdded_data() {
        QTest::addColumn<QString>("given");
        QTest::addColumn<QString>("kept");
        QTest::newRow("as it is") << "default-src 'none'; img-src https:" << "default-src 'none'; img-src https:";
        QTest::newRow("reports") << "report-uri https://evil.example.org; default-src *;Report-To x" << "default-src *";
        QTest::newRow("several") << "default-src *, report-uri https://evil.example.org/, img-src 'self'" << "default-src *, img-src 'self'";
        QTest::newRow("a tab") << "report-uri\thttps://evil.example.org" << "";
        QTest::newRow("nothing") << ";;,;" << "";
    }
    void policiesAreAdded() {
        QFETCH(QString, given);
        QFETCH(QString, kept);
        const auto all = valuesOf(answered({{"Content-Security-Policy", given.toStdString()}}), "content-security-policy");
        QCOMPARE(all.size(), std::size_t{2});
        QCOMPARE(all.front(), kept.toStdString());
        const auto& ours = all.back();
        const auto sandbox = ours.substr(ours.find("sandbox "));
        QVERIFY(ours.find("sandbox ") != std::string::npos && sandbox.find(';') == std::string::npos);
        for (const auto* never : {"allow-downloads", "allow-popups", "allow-top-navigation"}) {
            QVERIFY2(sandbox.find(never) == std::string::npos, never);
        }
        for (const auto& part : {std::string("default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:;"), "connect-src 'self' ws://" + kName + " data: blob:;",
                                 std::string("form-action 'self';"), std::string("base-uri 'self';"), std::string("frame-ancestors 'self';"), std::string("object-src 'none';")}) {
            QVERIFY2(ours.find(part) != std::string::npos, part.c_str());
        }
    }
    void cookiesAreOfThisHostAlone_data() {
        QTest::addColumn<QString>("given");
        QTest::addColumn<QString>("kept");
        QTest::newRow("none") << "a=b; Path=/; HttpOnly" << "a=b; Path=/; HttpOnly";
        QTest::newRow("one") << "a=b; Domain=localhost; Path=/" << "a=b; Path=/";
        QTest::newRow("two") << "a=b;DOMAIN = .localhost ; domain=x" << "a=b";
        QTest::newRow("bare") << "a=b; domain" << "a=b";
        QTest::newRow("a name") << "domain=b; secure" << "domain=b; secure";
    }
    void cookiesAreOfThisHostAlone() {
        QFETCH(QString, given);
        QFETCH(QString, kept);
        QCOMPARE(valuesOf(answered({{"Set-Cookie", given.toStdString()}}), "set-cookie"), Values{kept.toStdString()});
    }

    void whatTheUserIsShownInstead() {
        const ForwardGuard guard(kOrigin, 8000);
        const auto page = [&](const std::string& location, std::string_view method = "GET") {
            return guard.page({403, "elsewhere", location}, method, After::Close);
        };
        auto text = page("https://evil.example.org/?a=\"><script>&b='");
        QVERIFY(text.find("<script>") == std::string::npos);
        QVERIFY(text.find("href=\"https://evil.example.org/?a=&quot;&gt;&lt;script&gt;&amp;b=&#39;\"") != std::string::npos);
        QVERIFY(text.find("<b>evil.example.org</b>") != std::string::npos);
        QVERIFY(page("//evil.example.org/x").find("href=\"http://evil.example.org/x\"") != std::string::npos);
        // What could be read in two ways, or is no address of the web, is not offered to be followed.
        for (const auto* odd : {"javascript:alert(1)", "https://good.example.org@evil.example.org/", "https:\\\\evil.example.org", "https://ev il/", "x-app:run"}) {
            QVERIFY2(page(odd).find("href=") == std::string::npos, odd);
        }
        QVERIFY(page("https://example.org/" + std::string(3000, 'x')).find("href=") == std::string::npos);
        QVERIFY(page("https://example.org/" + std::string(3000, 'x')).size() < 5000);
        for (const auto& each : {text, guard.page({421, "bad-request", "for another host\r\nX-Evil: 1"}, "GET", After::Close)}) {
            QVERIFY(each.find("0123456789abcdef") == std::string::npos);
            QVERIFY(each.find("\r\nX-Evil") == std::string::npos);
            QVERIFY(each.find("\r\nContent-Security-Policy: default-src 'none'; ") != std::string::npos);
        }
        QVERIFY(page("https://example.org/", "HEAD").ends_with("\r\n\r\n"));
    }

    // All of it by a road: pages, redirects, early hints, and what the host is told.
    void aRoadThatIsGuarded() {
        const auto road = rig();
        road->program.say(get("Sec-Fetch-Site: same-origin\r\n"));
        road->run();
        road->host.say("HTTP/1.1 103 Early Hints\r\nLink: <https://evil.example.org/>; rel=preconnect\r\n\r\n"
                       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAlt-Svc: h2=\":1\"\r\n\r\nok");
        road->run();
        QVERIFY(road->program.heard.ends_with("\r\n\r\nok"));
        QVERIFY(road->program.heard.find("evil") == std::string::npos && road->program.heard.find("Alt-Svc") == std::string::npos);
        QVERIFY(road->program.heard.find("\r\nContent-Security-Policy: default-src 'self'") != std::string::npos);
        road->program.heard.clear();
        road->program.say(get());
        road->run();
        road->host.say("HTTP/1.1 302 Found\r\nLocation: //evil.example.org\r\nContent-Length: 4\r\n\r\nbody");
        road->run();
        QVERIFY(road->program.heard.starts_with("HTTP/1.1 403 Forbidden\r\n"));
        QVERIFY(road->program.heard.find("body") == std::string::npos || road->program.heard.find("\r\n\r\nbody") == std::string::npos);
        QVERIFY(road->program.sawEnd);
    }
    void whatIsRefusedIsToldToNobody() {
        const auto road = rig();
        road->program.say("GET / HTTP/1.1\r\nHost: evil.example.org\r\n\r\n");
        road->run();
        QVERIFY(road->program.heard.starts_with("HTTP/1.1 421 "));
        QVERIFY(road->program.heard.find("0123456789abcdef") == std::string::npos);
        QVERIFY(road->host.heard.empty() && road->asked.empty());
        const auto other = rig();
        other->program.say("POST / HTTP/1.1\r\nHost: " + kName + "\r\nOrigin: https://evil.example.org\r\nContent-Length: 4\r\n\r\nbody");
        other->run();
        QVERIFY(other->program.heard.starts_with("HTTP/1.1 403 "));
        QVERIFY(other->host.heard.empty() && other->asked.empty());
    }
};

QTEST_GUILESS_MAIN(TestForwardGuard)
#include "test_forward_guard.moc"
