// SPDX-License-Identifier: Apache-2.0
// A session as a page: its policy names exactly what is in it, and nothing of a machine's is anything but data. What a browser makes of
// it: tests/readers.
#include "app/export/html_page.h"
#include "app/export/page_parts.h"
#include "tests/app/export/session_log.h"

#include <QCryptographicHash>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QRegularExpression>
#include <QTest>

using namespace carrel;
using namespace carrel::exporting;
using namespace carrel::exporting::tests;
using carrel::activity::tests::note;

namespace {

QString page(SessionLog& log, PageSubject subject = {"desk", {}, 1'772'366'400'000'000'000}) {
    auto reader = log.reader();
    return QString::fromStdString(written([&](const Sink& sink) { return writePage(reader, subject, sink); }));
}

QJsonDocument dataOf(const QString& page, const QString& attribute) {
    const auto begin = page.indexOf("<script type=\"application/json\" " + attribute + ">");
    const auto from = page.indexOf('>', begin) + 1;
    return begin < 0 ? QJsonDocument() : QJsonDocument::fromJson(page.mid(from, page.indexOf("</script>", from) - from).toUtf8());
}

QString sourceHash(const QString& text) {
    return "'sha256-" + QCryptographicHash::hash(text.toUtf8(), QCryptographicHash::Sha256).toBase64() + "'";
}

QString between(const QString& text, const QString& begin, const QString& end) {
    const auto from = text.lastIndexOf(begin) + begin.size();
    return text.mid(from, text.indexOf(end, from) - from);
}

} // namespace

class TestHtmlPage : public QObject {
    Q_OBJECT
private slots:
    void itsPolicyNamesItsOneScriptAndItsOneStyle() {
        SessionLog log;
        log.addRecording("sh", {{{{0, 'o', "hello"}}}});
        const auto text = page(log);
        const auto policy = between(text, "<meta http-equiv=\"Content-Security-Policy\" content=\"", "\"");
        QCOMPARE(policy, "default-src 'none'; script-src " + sourceHash(between(text, "<script>", "</script>")) + "; style-src " +
                             sourceHash(between(text, "<style>", "</style>")) +
                             "; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'");
        QCOMPARE(text.count("<script>"), 1);
        QCOMPARE(text.count("<style>"), 1);
        QVERIFY(text.indexOf("Content-Security-Policy") < text.indexOf("<style>"));
        QVERIFY(!text.contains("{{") || text.indexOf("{{") > text.indexOf("<script>"));
    }

    // Nothing that could load, or make markup of a text.
    void itsPartsAreHarmless() {
        const auto script = QString::fromUtf8(pageScript().data(), qsizetype(pageScript().size()));
        const auto style = QString::fromUtf8(pageStyle().data(), qsizetype(pageStyle().size()));
        for (const char* word : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "fetch(", "XMLHttpRequest", "import(", "WebSocket",
                                 "</script", "<!--", "http:", "https:", "setAttribute('style", "localStorage"}) {
            QVERIFY2(!script.contains(word), word);
        }
        QVERIFY(!style.contains("url(") && !style.contains("@import") && !style.contains("</style"));
        const auto frame = QString::fromUtf8(pageFrame().data(), qsizetype(pageFrame().size()));
        QVERIFY(!frame.contains(QRegularExpression("\\s(src|href|style|on[a-z]+)=")));
    }

    void everyKindOfEventHasWords() {
        const auto script = QString::fromUtf8(pageScript().data(), qsizetype(pageScript().size()));
        for (const auto kind : activity::kEventKinds) {
            const auto name = activity::toString(kind);
            QVERIFY2(script.contains("'" + QString::fromUtf8(name.data(), qsizetype(name.size())) + "': ["), name.data());
        }
    }

    // The text of a machine, wherever it can stand.
    void nothingOfAMachinesIsMarkupOrScript() {
        const std::string nasty = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!--\"'&\xe2\x80\xa8";
        SessionLog log;
        auto event = note(nasty);
        event.kind = activity::EventKind::GuestLog;
        event.provenance = activity::Provenance::Guest;
        event.detail = {{nasty, nasty}, {"deep", {nasty, {{"x", nasty}}}}};
        (void)log.log().append(event).value();
        log.addRecording(nasty, {{{{0, 'o', nasty}}, nasty}});
        const auto text = page(log, {nasty, {}, 0});
        QCOMPARE(text.count("<script>"), 1);
        QCOMPARE(text.count("<script"), text.count("</script"));
        QVERIFY(!text.contains("<img") && !text.contains("alert(1)</script><img"));
        const QRegularExpression data("<script type=\"application/json\"[^>]*>([^<]*)</script>");
        auto each = data.globalMatch(text);
        int count = 0;
        while (each.hasNext()) {
            const auto content = each.next().captured(1);
            ++count;
            QVERIFY2(!QJsonDocument::fromJson(content.toUtf8()).isNull(), qPrintable(content));
            QVERIFY(!content.contains('>') && !content.contains('&') && !content.contains(QChar(0x2028)));
        }
        QCOMPARE(count, 5); // events, about, a piece, recordings, widths
        QVERIFY(text.contains("<title>&lt;/script&gt;&lt;script&gt;alert(1)"));
        const auto first = dataOf(text, "class=\"events\"").array().at(0).toObject();
        QVERIFY(first["s"].toString().startsWith("</script><script>alert(1)"));
        QCOMPARE(first["g"].toInt(), 1);
        QVERIFY(first["d"].toObject()["deep"].toArray().at(0).toString().startsWith("</script>"));
    }

    // I11: what turns a line round, or is not to be seen, is written out.
    void textForPeopleIsFit() {
        SessionLog log;
        auto event = note("a\xe2\x80\xaetxt.exe");
        event.detail = {{"b\xe2\x80\x8b", "c\xe2\x81\xa6\x1b[2J"}};
        (void)log.log().append(event).value();
        const auto text = page(log);
        QVERIFY(!text.contains(QChar(0x202e)) && !text.contains(QChar(0x200b)) && !text.contains(QChar(0x2066)));
        const auto first = dataOf(text, "class=\"events\"").array().at(0).toObject();
        QCOMPARE(first["s"].toString(), QString("a\\u{202e}txt.exe"));
    }

    // I9
    void whoSawItIsTold() {
        SessionLog log;
        auto event = note("x");
        (void)log.log().append(event).value();
        event.provenance = activity::Provenance::Guest;
        (void)log.log().append(event).value();
        const auto events = dataOf(page(log), "class=\"events\"").array();
        QCOMPARE(events.at(0).toObject()["g"].toInt(), 0);
        QCOMPARE(events.at(1).toObject()["g"].toInt(), 1);
        QVERIFY(log.change("UPDATE event SET subject = 'y' WHERE seq = 2"));
        auto reader = log.reader();
        QCOMPARE(writePage(reader, {"desk", {}, 0}, [](std::string_view) { return Status(); }).value().events.firstWrong, std::uint64_t{2});
        QCOMPARE(dataOf(page(log), "class=\"events\"").array().at(1).toObject()["x"].toInt(), 1);
    }

    void recordingsAreInPieces() {
        SessionLog log;
        const auto first = log.addRecording("one", {{{{0, 'o', "a"}, {5, 'i', "typed"}, {10, 'r', "90x20"}}}, {{{20'000'000, 'o', "b"}}, "screen", 90, 20}});
        log.addRecording("none", {});
        log.addRecording("two", {{{{7, 'o', "c"}}}});
        const auto told = dataOf(page(log), "id=\"recordings\"").array();
        QCOMPARE(told.size(), 2);
        QCOMPARE(told.at(0).toObject()["pieces"].toArray().size(), 2);
        QCOMPARE(told.at(0).toObject()["pieces"].toArray().at(1).toObject()["from"].toDouble(), 20e6);
        const auto piece = dataOf(page(log), QString("id=\"r%1p2\"").arg(first)).object();
        QCOMPARE(piece["screen"].toString(), QString("screen"));
        QCOMPARE(piece["columns"].toInt(), 90);
        QCOMPARE(dataOf(page(log), QString("id=\"r%1p1\"").arg(first)).object()["events"].toArray().size(), 2); // without what was typed
        PageSubject subject{"desk", first, 0};
        QCOMPARE(dataOf(page(log, subject), "id=\"recordings\"").array().size(), 1);
        subject.recording = 99;
        QVERIFY(page(log, subject).contains("error: there is no recording 99"));
    }

    void aDamagedPieceIsAnError() {
        SessionLog log;
        log.addRawRecording("sh", "nonsense\n");
        QVERIFY(page(log).contains("error: this piece of the recording has no form"));
    }

    void aPageThatNoBrowserOpensIsNotWritten() {
        SessionLog log;
        log.addRecording("sh", {{{{0, 'o', std::string(100'000, 'x')}}}});
        QVERIFY(page(log, {"desk", {}, 0, 200'000}).endsWith("</html>\n"));
        QCOMPARE(page(log, {"desk", {}, 0, 100'000}), QString("error: the page would be too large for a browser"));
    }

    void theOldestOfVeryManyAreLeftOut() {
        SessionLog log;
        for (int i = 0; i < 5; ++i) {
            QVERIFY(log.log().appendUnflushed(std::vector<activity::Event>(4'001, note("many"))));
        }
        const auto text = page(log);
        QCOMPARE(dataOf(text, "id=\"about\"").object()["leftOut"].toInt(), 5);
        QCOMPARE(text.count("class=\"events\">"), 20);
        QCOMPARE(dataOf(text, "class=\"events\"").array().at(0).toObject()["n"].toInt(), 6);
    }
};

QTEST_GUILESS_MAIN(TestHtmlPage)
#include "test_html_page.moc"
