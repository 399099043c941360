// SPDX-License-Identifier: Apache-2.0
// Where a model is: one spelling, and this computer's own servers by the one name that machines have for it.
#include "app/providers/model_url.h"

#include <QTest>

using namespace carrel;
using namespace carrel::providers;

class TestModelUrl : public QObject {
    Q_OBJECT
private slots:
    void goodOnes_data() {
        QTest::addColumn<QString>("typed");
        QTest::addColumn<QString>("kept");
        QTest::addColumn<QString>("guest");
        QTest::addColumn<QString>("place");
        const auto row = [](const char* typed, const char* kept, const char* guest, const char* place) { QTest::newRow(typed) << typed << kept << guest << place; };
        row("https://api.example.org", "https://api.example.org", "https://api.example.org", "api.example.org:443");
        row("HTTPS://Api.Example.ORG/", "https://api.example.org", "https://api.example.org", "api.example.org:443");
        row("https://api.example.org:443/v1/", "https://api.example.org/v1", "https://api.example.org/v1", "api.example.org:443");
        row("https://api.example.org:8443/a/B//", "https://api.example.org:8443/a/B", "https://api.example.org:8443/a/B", "api.example.org:8443");
        row("http://models.example.org:8000/v1", "http://models.example.org:8000/v1", "http://models.example.org:8000/v1", "models.example.org:8000");
        row("http://192.168.1.5:8000", "http://192.168.1.5:8000", "http://192.168.1.5:8000", "192.168.1.5:8000");
        row("http://[fd00::5]:8000/v1", "http://[fd00::5]:8000/v1", "http://[fd00::5]:8000/v1", "[fd00::5]:8000");
        row("http://localhost:11434/v1", "http://localhost:11434/v1", "http://host.carrel.internal:11434/v1", "host.carrel.internal:11434");
        row("http://LOCALHOST:11434", "http://localhost:11434", "http://host.carrel.internal:11434", "host.carrel.internal:11434");
        row("http://127.0.0.1:1234/v1", "http://127.0.0.1:1234/v1", "http://host.carrel.internal:1234/v1", "host.carrel.internal:1234");
        row("http://[::1]:8080/v1", "http://[::1]:8080/v1", "http://host.carrel.internal:8080/v1", "host.carrel.internal:8080");
        row("http://localhost", "http://localhost", "http://host.carrel.internal", "host.carrel.internal:80");
    }
    void goodOnes() {
        QFETCH(QString, typed);
        QFETCH(QString, kept);
        QFETCH(QString, guest);
        QFETCH(QString, place);
        const auto url = ModelUrl::parse(typed.toStdString());
        QVERIFY2(url, url ? "" : url.error().text().c_str());
        QCOMPARE(QString::fromStdString(url->text()), kept);
        QCOMPARE(QString::fromStdString(url->guestText()), guest);
        QCOMPARE(QString::fromStdString(url->destination().text()), place);
        QCOMPARE(url->isOnThisComputer(), place.startsWith("host.carrel"));
        QCOMPARE(ModelUrl::parse(url->text()).value(), *url); // as it is read again
    }
    void badOnes_data() {
        QTest::addColumn<QString>("typed");
        for (const char* typed :
             {"", "api.example.org", "ftp://api.example.org", "https://", "https:///v1", "https://api.example.org:0", "https://api.example.org:65536",
              "https://api.example.org:x", "https://api.example.org:", "https://ada:secret@api.example.org", "https://api.example.org/v1?key=x", "https://api.example.org/#x",
              "https://api.example.org/a b", "https://api.example.org/a/../b", "https://api.example.org/./b", "https://api.example.org/a//b", "https://api.example.org\\v1",
              "https://api.example.org:80", "https://b\xc3\xbc.example", "https://a..example", "https://1.2.3", "http://0x7f.1:80", "http://2130706433:11434",
              "http://[::1", "http://[localhost]:1", "http://::1:8080", "http://127.0.0.1.:1", "http://127.0.0.2:11434", "http://0.0.0.0:11434", "http://[::]:11434",
              "http://[::ffff:127.0.0.1]:11434", "https://localhost:11434", "https://127.0.0.1", "https://[::1]", "http://host.carrel.internal:11434", "http://224.0.0.1:1"}) {
            QTest::newRow(typed) << QString::fromUtf8(typed);
        }
    }
    void badOnes() {
        QFETCH(QString, typed);
        const auto url = ModelUrl::parse(typed.toStdString());
        QVERIFY(!url && url.error().code == ErrorCode::InvalidArgument);
        QVERIFY(!url.error().hint.empty());
        QVERIFY2(url.error().text().find("secret") == std::string::npos, "what was typed as a password is not said back");
    }
    void tooLong() { QVERIFY(!ModelUrl::parse("https://api.example.org/" + std::string(kMaxUrl, 'a'))); }
};

QTEST_GUILESS_MAIN(TestModelUrl)
#include "test_model_url.moc"
