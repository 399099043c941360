// SPDX-License-Identifier: Apache-2.0
// A log as JSON Lines: each line holds what its hash is of, whatever is in it, and tells where it is not what was written.
#include "app/activity/signature.h"
#include "app/export/json_lines.h"
#include "app/export/json_text.h"
#include "tests/app/export/session_log.h"

#include <QCryptographicHash>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>

using namespace carrel;
using namespace carrel::exporting;
using namespace carrel::exporting::tests;
using carrel::activity::tests::note;

namespace {

QByteArray little(quint64 number) {
    QByteArray out;
    for (int i = 0; i < 8; ++i) {
        out.append(char(number >> (8 * i)));
    }
    return out;
}

// As a stranger computes it, from what json_lines.h says and nothing else.
QByteArray hashOf(const QJsonObject& line) {
    QByteArray all = QByteArray("carrel-event-1") + '\0' + QByteArray::fromHex(line["previous"].toString().toLatin1()) +
                     little(quint64(line["seq"].toDouble())) + little(quint64(line["time_ns"].toString().toLongLong()));
    for (const char* name : {"kind", "provenance", "subject", "detail_text"}) {
        const auto text = line[name].toString().toUtf8();
        all += little(quint64(text.size())) + text;
    }
    return QCryptographicHash::hash(all, QCryptographicHash::Sha256).toHex();
}

QList<QJsonObject> linesOf(SessionLog& log, QByteArray* raw = nullptr) {
    auto reader = log.reader();
    const auto text = QByteArray::fromStdString(written([&](const Sink& sink) { return writeJsonLines(reader, sink); }));
    if (raw != nullptr) {
        *raw = text;
    }
    QList<QJsonObject> out;
    for (const auto& line : text.split('\n')) {
        if (!line.isEmpty()) {
            out += QJsonDocument::fromJson(line).object();
        }
    }
    return out;
}

void checkChain(const QList<QJsonObject>& lines, QByteArray previous = QByteArray(64, '0')) {
    for (const auto& line : lines) {
        QCOMPARE(line["previous"].toString().toLatin1(), previous);
        previous = hashOf(line);
        QCOMPARE(line["hash"].toString().toLatin1(), previous);
        QVERIFY(!line.contains("as_written"));
    }
}

} // namespace

class TestJsonLines : public QObject {
    Q_OBJECT
private slots:
    void aLineIsWhatItSays() {
        activity::StoredEvent event{7, 1'772'366'400'123'456'789, "exec.started", "guest", "ls <b>\n\"x\"", "{\"argv\":[\"ls\"],\"n\":1.50}", {}, {}, "", true};
        event.hash.fill(0xab);
        const auto expected = QByteArray("{'seq':7,'time':'2026-03-01T12:00:00.123Z','time_ns':'1772366400123456789','kind':'exec.started','provenance':'guest',"
                                         "'subject':'ls <b>\\n\\'x\\'','detail':{'argv':['ls'],'n':1.5E0},'detail_text':'{\\'argv\\':[\\'ls\\'],\\'n\\':1.50}',"
                                         "'previous':'")
                                  .replace('\'', '"') +
                              QByteArray(64, '0') + "\",\"hash\":\"" + QByteArray(32, 'a').replace("a", "ab") + "\"}\n";
        QCOMPARE(QByteArray::fromStdString(jsonLine(event)), expected);
    }

    // With QCryptographicHash and the fields of each line: the chain of a stranger.
    void theChainCanBeCheckedByAStranger() {
        SessionLog log;
        for (const char* subject : {"plain", "", "\xc3\xa4\xe2\x80\xa8\xf0\x9f\x99\x82", "</script><!-- \x01\x7f \\u0041 \"", "line\r\nend\t"}) {
            auto event = note(subject);
            event.provenance = activity::Provenance::Guest;
            event.detail = {{"text", subject}, {"number", -0.1}, {"big", UINT64_MAX}};
            (void)log.log().append(event).value();
        }
        (void)log.log().append(note(std::string(activity::kMaxSubjectBytes, '"'))).value();
        (void)log.log().signHead("asked").value();
        auto large = note("large");
        large.detail["x"] = std::string(60'000, '<');
        (void)log.log().append(large).value();
        log.addRecording("sh", {{{{0, 'o', "hello"}}}});
        QByteArray raw;
        const auto lines = linesOf(log, &raw);
        QCOMPARE(lines.size(), 10);
        QCOMPARE(raw.count('\n'), 10);
        checkChain(lines);
        const auto head = lines[5]["signed_head"].toString().toStdString();
        QVERIFY(activity::isGenuine(activity::signedHeadFrom(head).value()));
        QCOMPARE(lines[6].contains("signed_head"), false);
        QCOMPARE(lines[2]["subject"].toString().toUtf8(), QByteArray("\xc3\xa4\xe2\x80\xa8\xf0\x9f\x99\x82"));
        QCOMPARE(lines[8]["detail"].toObject()["sha256"].toString().size(), 64);
    }

    void whatWasLeftOutIsFollowedOn() {
        SessionLog log;
        for (int i = 0; i < 10; ++i) {
            (void)log.log().append(note("n")).value();
        }
        const auto all = linesOf(log);
        QVERIFY(log.log().cut(4));
        const auto rest = linesOf(log);
        QCOMPARE(rest.first()["seq"].toInt(), 5);
        checkChain(rest, all[3]["hash"].toString().toLatin1());
    }

    // Exported it is, for who wants to know what there is; but not as if it were evidence.
    void whatWasChangedIsMarked() {
        for (const char* sql : {"UPDATE event SET subject = 'x' WHERE seq = 4", "DELETE FROM event WHERE seq = 3", "UPDATE event SET time_ns = 1 WHERE seq = 4",
                                "UPDATE event SET detail = '{' WHERE seq = 4", "UPDATE event SET subject = CAST(x'ff' AS TEXT) WHERE seq = 4",
                                "UPDATE signed_head SET reason = 'other' WHERE seq = 4", "UPDATE signed_head SET hash = zeroblob(32) WHERE seq = 4"}) {
            SessionLog log;
            for (int i = 0; i < 6; ++i) {
                (void)log.log().append(note("n")).value();
                (void)log.log().signHead("asked").value();
            }
            QVERIFY(log.change(sql));
            auto reader = log.reader();
            std::string text;
            const auto counted = writeJsonLines(reader, [&](std::string_view bytes) -> Status {
                text += bytes;
                return {};
            });
            QVERIFY(counted);
            QCOMPARE(counted->firstWrong, std::uint64_t{4});
            for (const auto& line : QByteArray::fromStdString(text).split('\n')) {
                const auto object = QJsonDocument::fromJson(line).object();
                QVERIFY2(line.isEmpty() || !object.isEmpty(), line); // still JSON
                QVERIFY2(object["seq"].toInt() == 4 ? object["as_written"] == QJsonValue(false) : !object.contains("as_written") || object["seq"].toInt() > 4, line);
            }
        }
    }

    void aSinkThatIsFullEndsIt() {
        SessionLog log;
        for (int i = 0; i < 3; ++i) {
            (void)log.log().append(note("n")).value();
        }
        auto reader = log.reader();
        int lines = 0;
        const auto done = writeJsonLines(reader, [&](std::string_view) -> Status {
            return ++lines == 2 ? Status(fail(ErrorCode::Io, "full")) : Status();
        });
        QVERIFY(!done && done.error().code == ErrorCode::Io);
        QCOMPARE(lines, 2);
    }

    void textForOthersIsAlwaysUtf8() {
        QCOMPARE(valid("a\xff\xc3z\xe2\x82"), std::string("a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd"));
        QCOMPARE(jsonString("\x01\"\\\n"), std::string("\"\\u0001\\\"\\\\\\n\""));
        const std::string nasty = "</script><!--&\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa";
        const auto safe = insideScript(jsonString(nasty));
        QCOMPARE(safe, std::string("\"\\u003c/script\\u003e\\u003c!--\\u0026\\u2028\\u2029\xe2\x80\xaa\""));
        QCOMPARE(QJsonDocument::fromJson("[" + QByteArray::fromStdString(safe) + "]").array().at(0).toString().toStdString(), nasty);
        QCOMPARE(asMarkupText("<a href=\"&\">"), std::string("&lt;a href=&quot;&amp;&quot;&gt;"));
    }
};

QTEST_GUILESS_MAIN(TestJsonLines)
#include "test_json_lines.moc"
