// SPDX-License-Identifier: Apache-2.0
// The table of credentials: rows come, go and change one by one, and hold nothing that acts.
#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"
#include "ui/credentials/credentials_model.h"

#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>

using namespace carrel::ui;
namespace json = boost::json;

namespace {

json::object told(const std::string& name, const std::string& host = "git.example.org") {
    return {{"name", name},
            {"hosts", {host, "api.example.org"}},
            {"header", "Authorization"},
            {"format", "Bearer {}"},
            {"basic", nullptr},
            {"methods", {"GET", "POST"}},
            {"paths", json::array{}},
            {"agents", json::array{"desk"}},
            {"env", nullptr},
            {"kept", "keyring"},
            {"created", "2026-03-01T12:00:00.000Z"},
            {"used", nullptr}};
}

QString cell(const QAbstractItemModel& model, int row, int column) {
    return model.index(row, column).data().toString();
}

} // namespace

class TestCredentialsModel : public QObject {
    Q_OBJECT
private slots:
    void whatIsTold() {
        CredentialsModel model(nullptr);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        auto basic = told("hosting");
        basic["format"] = nullptr;
        basic["basic"] = "ada";
        basic["agents"] = json::array{};
        basic["kept"] = "file";
        basic["used"] = "2026-03-02T12:00:00.000Z";
        model.take(credentialsFrom({told("models"), basic}));
        QCOMPARE(model.rowCount(), 2);
        QCOMPARE(cell(model, 0, CredentialsModel::Hosts), QString("git.example.org, api.example.org"));
        QCOMPARE(cell(model, 0, CredentialsModel::Written), QString::fromUtf8("Authorization: Bearer …"));
        QCOMPARE(cell(model, 0, CredentialsModel::Agents), QString("desk"));
        QCOMPARE(cell(model, 0, CredentialsModel::Kept), QString("keyring"));
        QCOMPARE(cell(model, 0, CredentialsModel::Used), QString("never"));
        QCOMPARE(cell(model, 1, CredentialsModel::Written), QString("Authorization: Basic, as the user ada"));
        QCOMPARE(cell(model, 1, CredentialsModel::Agents), QString("any"));
        QCOMPARE(cell(model, 1, CredentialsModel::Kept), QString("sealed file"));
        QVERIFY(cell(model, 1, CredentialsModel::Used).contains("2026"));
        QCOMPARE(methodsText(model.at(0)), QString("GET, POST"));
        QCOMPARE(pathsText(model.at(0)), QString("any"));
        QVERIFY(model.at(0).reaches("desk") && !model.at(0).reaches("scout") && model.at(1).reaches("scout"));
        QVERIFY(model.index(0, 0).data(Qt::AccessibleTextRole).toString() == "Name: models");
    }
    void rowsComeGoAndChange() {
        CredentialsModel model(nullptr);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        QSignalSpy resets(&model, &QAbstractItemModel::modelReset);
        QSignalSpy changes(&model, &QAbstractItemModel::dataChanged);
        model.take(credentialsFrom({told("a"), told("b"), told("c")}));
        const QPersistentModelIndex last = model.index(2, 0);
        auto used = told("c");
        used["used"] = "2026-03-02T12:00:00.000Z";
        model.take(credentialsFrom({told("b"), used, told("d")}));
        QCOMPARE(last.row(), 1);
        QCOMPARE(model.rowCount(), 3);
        QCOMPARE(cell(model, 2, CredentialsModel::Name), QString("d"));
        QCOMPARE(changes.count(), 1); // nothing is drawn anew that is the same
        QVERIFY(model.rowOf("c") == 1 && model.rowOf("a") == -1);
        model.take({});
        QVERIFY(model.rowCount() == 0 && !last.isValid() && resets.count() == 0);
    }
    // Of a later engine, or of none that is known: less is shown, and nothing fails.
    void whatIsOfAnotherForm() {
        const auto some = credentialsFrom({7, nullptr, json::object{}, json::object{{"name", 7}, {"hosts", {1, "a.example", nullptr}}, {"basic", json::array{}}}});
        QCOMPARE(some.size(), 2);
        QVERIFY(some.at(1).name.empty() && some.at(1).hosts == std::vector<std::string>{"a.example"} && !some.at(1).user);
    }
    void nastyTexts_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : carrel::test::nastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
        for (const auto& [name, text] : carrel::test::misleadingTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
    }
    // I11, in every cell and tip, and in every line about one.
    void nastyTexts() {
        QFETCH(QByteArray, text);
        const auto raw = text.toStdString();
        auto one = told(raw, raw);
        for (const char* key : {"header", "format", "basic", "env", "created", "used"}) {
            one[key] = raw;
        }
        for (const char* key : {"methods", "paths", "agents"}) {
            one[key] = json::array{raw};
        }
        CredentialsModel model(nullptr);
        model.take(credentialsFrom({one}));
        QStringList shown{methodsText(model.at(0)), pathsText(model.at(0)), agentsText(model.at(0)), writtenText(model.at(0)), usedText(model.at(0))};
        for (int column = 0; column < model.columnCount(); ++column) {
            for (const int role : {int(Qt::DisplayRole), int(Qt::AccessibleTextRole), int(Qt::ToolTipRole)}) {
                shown << model.index(0, column).data(role).toString();
                QVERIFY(role != Qt::ToolTipRole || (!shown.last().contains("<b>") && !shown.last().contains("<img")));
            }
        }
        for (const auto& each : shown) {
            QVERIFY2(carrel::test::unfit(each.toUtf8()).isEmpty(), qPrintable(carrel::test::unfit(each.toUtf8())));
        }
    }
};

QTEST_MAIN(TestCredentialsModel)
#include "test_credentials_model.moc"
