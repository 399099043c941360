// SPDX-License-Identifier: Apache-2.0
// Addresses, pages and what becomes of them, over a web that a test plays.
#include "guest/agent/tools/fetch_tool.h"
#include "guest/agent/tools/html_text.h"
#include "guest/agent/tools/tool_specs.h"
#include "guest/protocol/share_path.h"
#include "tests/guest/agent/tools/tool_words.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

namespace {

class PlayedWeb final : public Web {
public:
    Result<WebPage> get(const WebAddress& address, std::size_t most, const std::stop_token&) override {
        asked.push_back(address.text());
        wanted = most;
        const auto found = pages.find(address.text());
        if (found == pages.end()) {
            return fail(ErrorCode::Unavailable, "nobody answers");
        }
        return found->second;
    }
    std::string whyNot(const std::string& host, const std::stop_token&) override { return why.empty() ? "" : host + " " + why; }
    std::map<std::string, WebPage> pages;
    std::vector<std::string> asked;
    std::string why;
    std::size_t wanted = 0;
};

} // namespace

class TestFetch : public QObject {
    Q_OBJECT
    Folder m_folder;
    PlayedWeb m_web;

    std::string fetches(const std::string& input, FetchLimits limits = {}) {
        FetchTool tool(*ownToolSpec("fetch"), m_folder.path(), m_web, limits);
        const auto outcome = use(tool, input);
        return (outcome.end == ToolEnd::Failed ? "!" : "") + outcome.text;
    }

private slots:
    void init() { m_web = {}; }

    void addresses_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("read"); // empty: refused
        const auto row = [](const char* text, const char* read) { QTest::newRow(text) << QByteArray(text) << QByteArray(read); };
        row("https://example.org", "https://example.org/");
        row(" HTTPS://example.org:8443/a%20b?c=d&e#f ", "https://example.org:8443/a%20b?c=d&e");
        row("http://[::1]:80/x y/\xc3\xa4", "http://[::1]/x%20y/%C3%A4");
        row("http://example.org?q", "http://example.org/?q");
        row("ftp://example.org/", "");
        row("example.org", "");
        row("https://ada:key@example.org/", "");
        row("https:///x", "");
        row("javascript:alert(1)", "");
        row("https://example.org/a\r\nX: y", "https://example.org/a%0D%0AX:%20y"); // no field of its own
    }
    void addresses() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, read);
        const auto address = WebAddress::parse(text.toStdString());
        QCOMPARE(address ? QByteArray::fromStdString(address->text()) : QByteArray(), read);
    }

    void references_data() {
        QTest::addColumn<QByteArray>("reference");
        QTest::addColumn<QByteArray>("leads");
        const auto row = [](const char* reference, const char* leads) { QTest::newRow(reference) << QByteArray(reference) << QByteArray(leads); };
        row("http://other.example.org/x", "http://other.example.org/x");
        row("//other.example.org", "https://other.example.org/");
        row("/top", "https://example.org:444/top");
        row("page", "https://example.org:444/a/b/page");
        row("../up?x=../y", "https://example.org:444/a/up?x=../y");
        row("../../../../far/", "https://example.org:444/far/");
        row("?only", "https://example.org:444/a/b/c?only");
        row("#part", "https://example.org:444/a/b/c?q");
        row("mailto:ada@example.org", "");
    }
    void references() {
        QFETCH(QByteArray, reference);
        QFETCH(QByteArray, leads);
        const auto from = WebAddress::parse("https://example.org:444/a/b/c?q");
        const auto to = from->resolve(reference.toStdString());
        QCOMPARE(to ? QByteArray::fromStdString(to->text()) : QByteArray(), leads);
    }

    void pages_data() {
        QTest::addColumn<QByteArray>("html");
        QTest::addColumn<QByteArray>("text");
        const auto row = [](const char* html, const char* text) { QTest::newRow(html) << QByteArray(html) << QByteArray(text); };
        row("<html><head><title>T</title><style>x{}</style></head><body><h1>One</h1><p>two  three</p></body>", "T\n\n# One\n\ntwo three");
        row("<ul><li>a<li>b</ul>c", "- a\n- b\n\nc");
        row("<a href='/x?a=1&amp;b'>go</a> on", "go (/x?a=1&b) on");
        row("<a href='javascript:x()'>go</a>", "go");
        row("a<br>b<br/>c", "a\nb\nc");
        row("<script>if (a < b) document.write('</p>')</script>left", "left");
        row("<script>never closed", "");
        row("<SCRIPT>x</sCript >y", "y");
        row("a <!-- <p>not</p> --> b", "a b");
        row("3 < 4 &lt; 5 &amp;c; &#228;&#xe4;&nbsp;&unknown; &", "3 < 4 < 5 &c; \xc3\xa4\xc3\xa4 &unknown; &");
        row("<pre>  a\n   b</pre>", "  a\n   b");
        row("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 | 2 |\n3 |");
        row("<img alt=\"a > b\" src=x>", "[a > b]");
        row("<b>bo</b>ld", "bold");
        row("&#0;&#xd800;&#99999999999;", "\xef\xbf\xbd\xef\xbf\xbd&#99999999999;");
        row("<", "<");
        row("</", "");
    }
    void pages() {
        QFETCH(QByteArray, html);
        QFETCH(QByteArray, text);
        QCOMPARE(QByteArray::fromStdString(htmlText(html.toStdString())), text);
    }

    // In proportion to the length: what never ends is not looked through again and again.
    void endlessMarksAreNoWork() {
        for (const char* mark : {"<", "<a ", "</", "<script></", "<!--", "&", "<a href='"}) {
            std::string many;
            while (many.size() < 4 * 1024 * 1024) {
                many += mark;
            }
            QVERIFY(htmlText(many).size() <= many.size());
        }
    }

    void shows() {
        m_web.pages["https://example.org/"] = {200, "text/html; charset=utf-8", "", "<p>hello</p>", true};
        QCOMPARE(fetches("{'url':'https://example.org'}"), std::string("https://example.org/\nHTTP 200, text/html\n\nhello"));
        QCOMPARE(m_web.wanted, FetchLimits{}.readBytes);
        m_web.pages["https://example.org/"] = {404, "text/plain", "", "none\xff", true};
        QCOMPARE(fetches("{'url':'https://example.org'}"), std::string("!https://example.org/\nHTTP 404, text/plain\n\nnone\xef\xbf\xbd"));
        m_web.pages["https://example.org/"] = {200, "application/pdf", "", "%PDF", true};
        QVERIFY(has(fetches("{'url':'https://example.org'}"), "[This is no text: 4 bytes. Give save"));
        m_web.pages["https://example.org/"] = {200, "text/plain", "", std::string("a\0b", 3), true};
        QVERIFY(has(fetches("{'url':'https://example.org'}"), "no text"));
        m_web.pages["https://example.org/"] = {200, "", "", std::string(500'000, 'x'), false};
        const auto told = fetches("{'url':'https://example.org'}");
        QVERIFY(told.size() < 110'000 && has(told, "There is more"));
    }

    void follows() {
        m_web.pages["https://example.org/a"] = {302, "", "b", "", true};
        m_web.pages["https://example.org/b"] = {200, "text/plain", "", "there", true};
        QVERIFY(has(fetches("{'url':'https://example.org/a'}"), "https://example.org/b\nHTTP 200"));
        m_web.pages["https://example.org/b"] = {301, "", "/a", "", true};
        QVERIFY(has(fetches("{'url':'https://example.org/a'}"), "!it leads on more than 5 times"));
        m_web.pages["https://example.org/b"] = {301, "", "file:///etc/passwd", "", true};
        QVERIFY(has(fetches("{'url':'https://example.org/a'}"), "!it leads on to file:///etc/passwd: this is no address of the web"));
    }

    void saves() {
        m_web.pages["https://example.org/x.pdf"] = {200, "application/pdf", "", std::string("%PDF\0x", 6), true};
        QCOMPARE(fetches("{'url':'https://example.org/x.pdf','save':'d/x.pdf'}"), std::string("Wrote 6 bytes to d/x.pdf, of the type application/pdf."));
        QCOMPARE(m_folder.get("d/x.pdf"), std::string("%PDF\0x", 6));
        m_web.pages["https://example.org/x.pdf"].status = 500;
        QVERIFY(has(fetches("{'url':'https://example.org/x.pdf','save':'e'}"), "!e was not written"));
        m_web.pages["https://example.org/x.pdf"] = {200, "", "", "x", false};
        QVERIFY(has(fetches("{'url':'https://example.org/x.pdf','save':'e'}"), "there are more than"));
        QVERIFY(m_folder.get("e").empty());
    }

    void saysWhyNot() {
        QVERIFY(has(fetches("{'url':'https://example.org'}"), "!no answer came from example.org: nobody answers. Hint: look whether"));
        m_web.why = "was denied: no rule allows it";
        QVERIFY(has(fetches("{'url':'https://example.org'}"), "Hint: what Carrel says of connections to example.org: example.org was denied"));
        QVERIFY(has(fetches("{'url':'nowhere'}"), "!this is no address of the web"));
        QVERIFY(has(fetches("{}"), "!fetch: \"url\" is missing"));
    }
};

QTEST_GUILESS_MAIN(TestFetch)
#include "test_fetch.moc"
