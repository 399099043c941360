// SPDX-License-Identifier: Apache-2.0
// The network's tables: rows come, go and change one by one, and hold nothing that acts.
#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"
#include "ui/network/live_model.h"
#include "ui/network/refused_model.h"
#include "ui/network/rules_model.h"

#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>

using namespace carrel::ui;
namespace json = boost::json;

namespace {

json::object live(std::uint64_t number, const std::string& host, std::uint64_t sent, json::value address = "192.0.2.7") {
    return {{"number", number}, {"host", host}, {"port", 443},       {"address", std::move(address)}, {"treat", "tls"},
            {"sent", sent},     {"received", 0}, {"age_ms", 61'000}, {"rule", 7}};
}

json::object rule(std::uint64_t id, const std::string& words, const char* action = "network", const char* agent = "ann") {
    json::object out{{"id", id}, {"effect", "allow"}, {"action", action}, {"words", words}, {"note", words}, {"toml", words}};
    if (*agent != '\0') {
        out["agent"] = agent;
        out["agent_id"] = "0123456789abcdef";
    }
    return out;
}

json::object traffic(std::uint64_t seq, const std::string& to, const std::string& outcome, const char* provenance = "host", const std::string& why = "no rule") {
    return {{"seq", seq},
            {"time", "2026-03-01T12:00:00.000Z"},
            {"kind", "net.traffic"},
            {"provenance", provenance},
            {"subject", to},
            {"detail", {{"outcome", outcome}, {"begun", 2}, {"why", why}}}};
}

QString cell(const QAbstractItemModel& model, int row, int column) {
    return model.index(row, column).data().toString();
}

} // namespace

class TestNetworkModels : public QObject {
    Q_OBJECT
private slots:
    void connectionsComeGoAndChange() {
        LiveModel model(nullptr);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        QSignalSpy resets(&model, &QAbstractItemModel::modelReset);
        QSignalSpy changes(&model, &QAbstractItemModel::dataChanged);
        model.take(liveFrom({live(4, "a.example", 1), live(5, "b.example", 2), live(6, "c.example", 3)}));
        QCOMPARE(model.rowCount(), 3);
        QCOMPARE(cell(model, 0, LiveModel::Destination), QString("a.example:443"));
        QCOMPARE(cell(model, 0, LiveModel::Address), QString("192.0.2.7"));
        QCOMPARE(cell(model, 0, LiveModel::Age), QString("1 min"));
        QCOMPARE(cell(model, 0, LiveModel::By), QString("rule 7"));
        const QPersistentModelIndex last = model.index(2, 0);
        model.take(liveFrom({live(5, "b.example", 2), live(6, "c.example", 2'000'000), live(7, "d.example", 0)}));
        QCOMPARE(last.row(), 1); // what was selected stays so
        QCOMPARE(model.rowCount(), 3);
        QCOMPARE(cell(model, 2, LiveModel::Destination), QString("d.example:443"));
        QCOMPARE(changes.count(), 1); // nothing is drawn anew that is the same
        QCOMPARE(changes.front().at(0).toModelIndex(), model.index(1, LiveModel::Sent));
        QCOMPARE(model.countOfRule(7), 3);
        QCOMPARE(model.countOfRule(8), 0);
        // Of a clerk that counts anew.
        model.take(liveFrom({live(5, "other.example", 0)}));
        QVERIFY(!last.isValid());
        QCOMPARE(cell(model, 0, LiveModel::Destination), QString("other.example:443"));
        QCOMPARE(resets.count(), 0);
    }
    void whatIsNotKnownIsSaid() {
        LiveModel model(nullptr);
        auto raw = live(1, "a.example", 0, nullptr);
        raw["treat"] = "raw";
        raw.erase("rule");
        raw["approval"] = 12;
        model.take(liveFrom({raw}));
        QCOMPARE(cell(model, 0, LiveModel::Address), QString("address unchecked"));
        QVERIFY(model.index(0, LiveModel::Address).data(Qt::ToolTipRole).toString().contains("proxy"));
        QCOMPARE(cell(model, 0, LiveModel::By), QString("your answer to request 12"));
        QCOMPARE(cell(model, 0, LiveModel::Held), QString("no: anything goes"));
        raw["treat"] = "terminate";
        model.take(liveFrom({raw}));
        QCOMPARE(cell(model, 0, LiveModel::Held), QString("each request is read"));
        QVERIFY(!model.index(0, LiveModel::Held).data(Qt::ToolTipRole).toString().contains("not looked at"));
        QVERIFY(model.index(0, LiveModel::Address).data(Qt::AccessibleTextRole).toString().startsWith("Address: "));
    }
    void rulesOfThisAgentsNetwork() {
        const auto some = networkRulesOf({rule(9, "nine"), rule(3, "three", "apply"), rule(4, "four", "network", "bob"), rule(5, "five", "network", ""), 7}, "ann");
        QCOMPARE(some.size(), 2);
        QVERIFY(some.at(0).id == 5 && some.at(0).everyAgent);
        QVERIFY(some.at(1).id == 9 && !some.at(1).everyAgent && some.at(1).allows);
        RulesModel model(nullptr);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        QSignalSpy resets(&model, &QAbstractItemModel::modelReset);
        model.take(some);
        const QPersistentModelIndex nine = model.index(1, 0);
        model.take(networkRulesOf({rule(2, "two"), rule(7, "seven"), rule(9, "nine, of another name"), rule(11, "eleven")}, "ann"));
        QCOMPARE(model.rowCount(), 4);
        QCOMPARE(nine.row(), 2);
        QCOMPARE(cell(model, 2, RulesModel::Words), QString("nine, of another name"));
        model.take({});
        QCOMPARE(model.rowCount(), 0);
        QCOMPARE(resets.count(), 0);
    }
    void refusedLately() {
        RefusedModel model(nullptr);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.add({traffic(1, "a.example:443", "denied"), traffic(2, "b.example:443", "expired"), traffic(3, "a.example:443", "open"),
                   traffic(4, "a.example:443", "closed"), traffic(5, "", "limit")});
        QCOMPARE(model.rowCount(), 3);
        QCOMPARE(cell(model, 0, RefusedModel::Destination), QString("(various)"));
        QCOMPARE(cell(model, 1, RefusedModel::Outcome), QString("Nobody answered in time")); // which is no denial
        model.add({traffic(5, "", "limit"), traffic(6, "a.example:443", "denied", "host", "a rule denies it")}); // the first told twice
        QCOMPARE(model.rowCount(), 3);
        QCOMPARE(cell(model, 0, RefusedModel::Destination), QString("a.example:443"));
        QCOMPARE(cell(model, 0, RefusedModel::Times), QString("4"));
        QCOMPARE(cell(model, 0, RefusedModel::Why), QString("a rule denies it"));
        QCOMPARE(cell(model, 1, RefusedModel::Times), QString("2"));
    }
    // I9: what a machine says of its network is not shown as what was seen.
    void aMachinesWordIsNotShown() {
        RefusedModel model(nullptr);
        model.add({traffic(1, "a.example:443", "denied", "guest"), traffic(2, "a.example:443", "denied", "of another version")});
        QCOMPARE(model.rowCount(), 0);
        QCOMPARE(model.lastSeq(), quint64(2));
    }
    void manyRefused() {
        RefusedModel model(nullptr);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        constexpr int kAll = RefusedModel::kMostRows + 20;
        for (std::uint64_t i = 1; i <= kAll; ++i) {
            model.add({traffic(i, "host" + std::to_string(i) + ".example:443", "denied")});
        }
        QCOMPARE(model.rowCount(), int(RefusedModel::kMostRows));
        QCOMPARE(cell(model, 0, RefusedModel::Destination), QString("host%1.example:443").arg(kAll));
    }
    void nastyTexts_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : carrel::test::nastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
    }
    // I11, in every cell and tip.
    void nastyTexts() {
        QFETCH(QByteArray, text);
        const auto raw = text.toStdString();
        LiveModel live(nullptr);
        auto one = ::live(1, raw, 0, json::value(raw));
        one["treat"] = raw;
        live.take(liveFrom({one}));
        RulesModel rules(nullptr);
        rules.take(networkRulesOf({rule(1, raw)}, "ann"));
        RefusedModel refused(nullptr);
        refused.add({traffic(1, raw, raw, "host", raw)});
        for (const auto* model : std::initializer_list<const QAbstractItemModel*>{&live, &rules, &refused}) {
            QCOMPARE(model->rowCount(), 1);
            for (int column = 0; column < model->columnCount(); ++column) {
                for (const int role : {int(Qt::DisplayRole), int(Qt::AccessibleTextRole), int(Qt::ToolTipRole)}) {
                    const auto shown = model->index(0, column).data(role).toString();
                    QVERIFY2(carrel::test::unfit(shown.toUtf8()).isEmpty(), qPrintable(carrel::test::unfit(shown.toUtf8())));
                    QVERIFY(!shown.contains("<b>") && !shown.contains("<img"));
                }
            }
        }
    }
};

QTEST_MAIN(TestNetworkModels)
#include "test_network_models.moc"
