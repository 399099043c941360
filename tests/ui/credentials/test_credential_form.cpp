// SPDX-License-Identifier: Apache-2.0
// What is typed of a credential: what is said beside each field, and what the engine is asked.
#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"
#include "ui/credentials/credential_form.h"
#include "ui/text/languages.h"

#include <QTest>

using namespace carrel::ui;
namespace json = boost::json;
using Field = CredentialForm::Field;
using Kind = CredentialForm::Kind;

namespace {

constexpr std::array kFields{Field::Name, Field::Hosts, Field::User, Field::Header, Field::Format, Field::Methods, Field::Paths, Field::Variable};

CredentialForm good() {
    CredentialForm out;
    out.name = "hosting";
    out.hosts = "git.example.org";
    return out;
}

QString& of(CredentialForm& form, Field field) {
    switch (field) {
    case Field::Name:
        return form.name;
    case Field::Hosts:
        return form.hosts;
    case Field::User:
        return form.user;
    case Field::Header:
        return form.header;
    case Field::Format:
        return form.format;
    case Field::Methods:
        return form.methods;
    case Field::Paths:
        return form.paths;
    case Field::Variable:
        break;
    }
    return form.variable;
}

} // namespace

class TestCredentialForm : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { installLanguages(); }
    void whatIsWrong_data() {
        QTest::addColumn<int>("field");
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("says"); // empty: nothing
        const auto row = [](Field field, const char* text, const char* says) {
            QTest::addRow("%d %s", int(field), text) << int(field) << QString(text) << QString(says);
        };
        row(Field::Name, "hosting-2_x.y", "");
        row(Field::Name, "", "lower-case");
        row(Field::Name, "Hosting", "lower-case");
        row(Field::Name, "two words", "lower-case");
        row(Field::Name, "taken", "already");
        row(Field::Hosts, "git.example.org, api.example.org", "");
        row(Field::Hosts, "GIT.example.org", "");
        row(Field::Hosts, "", "one host at least");
        row(Field::Hosts, "*.example.org", "without a star");
        row(Field::Hosts, "https://git.example.org", "the host alone");
        row(Field::Hosts, "git.example.org:443", "the host alone");
        row(Field::Hosts, "git.example.org/ada", "the host alone");
        row(Field::Hosts, "m\xc3\xbcller.example", "xn--");
        row(Field::Hosts, "a b c d e f g h i j k l m n o p q", "At most 16 hosts");
        row(Field::User, "ada", "");
        row(Field::User, "", "Name the user");
        row(Field::User, "ada:x", "without a colon");
        row(Field::Header, "X-Auth-Token", "");
        row(Field::Header, "X Auth", "Name the header field");
        row(Field::Header, "", "Name the header field");
        row(Field::Format, "Token {}", "");
        row(Field::Format, "{}", "");
        row(Field::Format, "Token", "Put {} once");
        row(Field::Format, "{}{}", "Put {} once");
        row(Field::Format, " {}", "without blanks");
        row(Field::Methods, "", "");
        row(Field::Methods, "get, POST", "");
        row(Field::Methods, "GET 1", "GET, POST");
        row(Field::Paths, "", "");
        row(Field::Paths, "/api/*, /ada", "");
        row(Field::Paths, "api", "begins with /");
        row(Field::Paths, "/a*b", "star only");
        row(Field::Paths, "/a?b=c", "no query");
        row(Field::Variable, "", "");
        row(Field::Variable, "GIT_TOKEN", "");
        row(Field::Variable, "1TOKEN", "no digit");
        row(Field::Variable, "GIT-TOKEN", "letters, digits and underscores");
        row(Field::Variable, "TAKEN", "The credential taken has that variable already");
    }
    void whatIsWrong() {
        QFETCH(int, field);
        QFETCH(QString, text);
        QFETCH(QString, says);
        const auto which = static_cast<Field>(field);
        auto form = good();
        form.kind = which == Field::User ? Kind::Basic : which == Field::Header || which == Field::Format ? Kind::Own : Kind::Bearer;
        of(form, which) = text;
        CredentialInfo taken;
        taken.name = "taken";
        taken.variable = "TAKEN";
        const auto problem = form.problem(which, {taken});
        QVERIFY2(says.isEmpty() ? problem.isEmpty() : problem.contains(says), qPrintable(problem));
    }
    // A field that is not shown is not wrong.
    void whatIsNotAskedIsNotWrong() {
        for (const auto kind : {Kind::Bearer, Kind::ApiKey}) {
            auto form = good();
            form.kind = kind;
            for (const auto field : kFields) {
                QVERIFY2(form.problem(field, {}).isEmpty(), qPrintable(form.problem(field, {})));
            }
        }
    }
    // A variable is taken in one machine, and not in another.
    void oneVariableInTwoMachines() {
        CredentialInfo other;
        other.name = "other";
        other.variable = "TOKEN";
        other.agents = {"desk"};
        auto form = good();
        form.variable = "TOKEN";
        form.agents = {"scout"};
        QVERIFY(form.problem(Field::Variable, {other}).isEmpty());
        form.agents = {"scout", "desk"};
        QVERIFY(!form.problem(Field::Variable, {other}).isEmpty());
        form.agents = {};
        QVERIFY(!form.problem(Field::Variable, {other}).isEmpty());
    }
    void whatTheEngineIsAsked() {
        auto form = good();
        form.hosts = " GIT.example.org;api.example.org ";
        QCOMPARE(form.parameters(), (json::object{{"name", "hosting"}, {"hosts", {"git.example.org", "api.example.org"}}, {"header", "Authorization"}, {"format", "Bearer {}"}}));
        form.kind = Kind::ApiKey;
        QVERIFY(form.parameters().at("header") == "x-api-key" && form.parameters().at("format") == "{}");
        form.kind = Kind::Own;
        form.header = "X-Auth";
        form.format = "Token {}";
        QVERIFY(form.parameters().at("header") == "X-Auth" && form.parameters().at("format") == "Token {}");
        form.kind = Kind::Basic;
        form.user = "ada";
        form.methods = "get post";
        form.paths = "/ada/*";
        form.agents = {"desk"};
        form.variable = "GIT_TOKEN";
        const auto params = form.parameters();
        QVERIFY(params.at("basic") == "ada" && !params.contains("format"));
        QCOMPARE(params.at("methods"), (json::value{"GET", "POST"}));
        QCOMPARE(params.at("paths"), json::value(json::array{"/ada/*"}));
        QCOMPARE(params.at("agents"), json::value(json::array{"desk"}));
        QCOMPARE(params.at("env"), json::value("GIT_TOKEN"));
    }
    // What is pasted into a field is said back fit to be shown.
    void nastyTexts_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : carrel::test::allNastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
    }
    void nastyTexts() {
        QFETCH(QByteArray, text);
        for (const auto field : kFields) {
            auto form = good();
            form.kind = field == Field::User ? Kind::Basic : Kind::Own;
            of(form, field) = QString::fromUtf8(text).remove(QChar::ReplacementCharacter); // a field holds letters
            const auto problem = form.problem(field, {});
            QVERIFY2(carrel::test::unfit(problem.toUtf8()).isEmpty(), qPrintable(carrel::test::unfit(problem.toUtf8())));
        }
    }
};

QTEST_MAIN(TestCredentialForm)
#include "test_credential_form.moc"
