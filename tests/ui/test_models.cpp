// SPDX-License-Identifier: Apache-2.0
// The desktop's models: what a view may ask of them in any state, what a guest says in them, and large ones.
#include "tests/ui/desktop_world.h"

#include "app/api/answers.h"
#include "tests/support/json_schema.h"
#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"
#include "ui/agents/agents_model.h"
#include "ui/approvals/approvals_model.h"
#include "ui/folders/folders_model.h"
#include "ui/text/plain.h"
#include "ui/timeline/timeline_filter.h"

#include <QAbstractItemModelTester>
#include <QSignalSpy>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;
namespace json = boost::json;

namespace {

json::object told(std::uint64_t seq, const char* kind, const char* provenance, const std::string& subject, json::object detail = {}) {
    return {{"seq", seq},         {"time", "2026-03-01T12:00:00.000Z"}, {"kind", kind}, {"provenance", provenance},
            {"subject", subject}, {"detail", std::move(detail)},        {"hash", ""}};
}

} // namespace

class TestModels : public QObject {
    Q_OBJECT
private slots:
    void agentsComeGoAndChange() {
        DesktopWorld world;
        EngineLink link;
        AgentStore store(link);
        AgentsModel model(store, nullptr);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        QSignalSpy resets(&model, &QAbstractItemModel::modelReset);
        link.start();
        QTRY_VERIFY_WITH_TIMEOUT(store.known(), kPatience);
        QCOMPARE(model.rowCount(), 0);
        for (const char* name : {"mia", "ann", "zoe"}) {
            world.addAgent(name, false);
        }
        QTRY_COMPARE_WITH_TIMEOUT(model.rowCount(), 3, kPatience); // by the engine's word alone
        QCOMPARE(model.index(0).data().toString(), QString("ann"));
        QCOMPARE(model.index(1).data(AgentsModel::StateTextRole).toString(), QString("Not started yet"));
        const QPersistentModelIndex mia = model.index(1);
        QVERIFY(world.engine->deleteAgent("ann", agents::Agent::Staged::Refuse, agents::test::quiet));
        QTRY_COMPARE_WITH_TIMEOUT(model.rowCount(), 2, kPatience);
        QCOMPARE(mia.row(), 0); // what was selected stays so
        QVERIFY(world.engine->agent("mia").value()->start(agents::test::quiet, {}));
        QTRY_COMPARE_WITH_TIMEOUT(mia.data(AgentsModel::StateRole).toInt(), static_cast<int>(AgentState::Ready), kPatience);
        QCOMPARE(resets.count(), 0);
    }
    void folders() {
        DesktopWorld world;
        world.addAgent("ann");
        EngineLink link;
        AgentStore store(link);
        FoldersModel model(store, "ann", nullptr);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        link.start();
        QTRY_COMPARE_WITH_TIMEOUT(model.rowCount(), 1, kPatience);
        QCOMPARE(model.index(0, FoldersModel::Folder).data().toString(), QString::fromStdString(world.papers().string()));
        QVERIFY(world.engine->agent("ann").value()->revokeShare("papers"));
        QTRY_COMPARE_WITH_TIMEOUT(model.index(0, FoldersModel::State).data().toString(), QString("Access taken away"), kPatience);
    }
    void aTimelineGrows() {
        TimelineModel model(nullptr);
        TimelineFilter filter;
        filter.setSourceModel(&model);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        const QAbstractItemModelTester filterTester(&filter, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.add({told(1, "exec.started", "host", "ls"), told(2, "exec.ended", "guest", "", {{"code", 0}})});
        model.add({told(2, "exec.ended", "guest", ""), told(3, "file.read", "host", "papers/a")}); // told twice
        QCOMPARE(model.rowCount(), 3);
        QCOMPARE(model.lastSeq(), quint64(3));
        filter.setSays(TimelineFilter::Says::Guest);
        QCOMPARE(filter.rowCount(), 1);
        model.add({told(4, "guest.log", "guest", "hello"), told(5, "vm.state", "host", "ready")});
        QCOMPARE(filter.rowCount(), 2);
        filter.setText("HEL log");
        QCOMPARE(filter.rowCount(), 1);
        filter.setSays(TimelineFilter::Says::Anybody);
        filter.setText({});
        filter.setGroup(EventGroup::Commands);
        QCOMPARE(filter.rowCount(), 2);
        filter.setGroup({});
        QCOMPARE(filter.rowCount(), 5);
    }
    // I9: nothing that is not known to be the host's is told as such.
    void whoSaysSo() {
        TimelineModel model(nullptr);
        model.add({told(1, "vm.state", "host", ""), told(2, "vm.state", "guest", ""), told(3, "vm.state", "of another version", "")});
        const auto says = [&](int row) { return model.index(row, TimelineModel::WhoSays).data().toString(); };
        QCOMPARE(says(0), QString("seen by Carrel"));
        QCOMPARE(says(1), QString("the machine says"));
        QCOMPARE(says(2), says(1));
        QVERIFY(model.index(1, TimelineModel::Subject).data(Qt::AccessibleTextRole).toString().startsWith(says(1)));
        QVERIFY(!model.index(0, TimelineModel::Subject).data(Qt::AccessibleTextRole).toString().contains(says(1)));
    }
    // By what a program is never run again: its content as it was told with its start, and nothing that merely looks like one.
    void theContentOfAProgram() {
        TimelineModel model(nullptr);
        const std::string content(64, 'a');
        model.add({told(1, "program.started", "guest", "/tmp/tool", {{"argv", json::array{"sha256=" + std::string(64, 'b')}}, {"sha256", content}}),
                   told(2, "program.started", "guest", "/tmp/tool", {{"argv", json::array{"sha256=" + content}}}),
                   told(3, "program.started", "guest", "/tmp/tool", {{"sha256", std::string(64, 'A')}}),
                   told(4, "program.started", "guest", "/tmp/tool", {{"sha256", content + "a"}}),
                   told(5, "exec.started", "host", "/tmp/tool", {{"sha256", content}})});
        QCOMPARE(model.at(0).content, content);
        for (int row = 1; row < 5; ++row) {
            QVERIFY2(model.at(row).content.empty(), qPrintable(QString::number(row)));
        }
    }
    // What was seen of the network is told in words; what a machine says of it stays as it is (I9).
    void theNetworkInWords() {
        TimelineModel model(nullptr);
        const json::object denied{{"outcome", "denied"}, {"begun", 1}, {"why", "no rule"}};
        model.add({told(1, "net.traffic", "host", "example.org:443", denied), told(2, "net.traffic", "guest", "example.org:443", denied),
                   told(3, "net.mode", "host", "ask", {{"by", "owner"}}),
                   told(4, "net.cut", "host", "example.org:443", {{"by", "owner"}, {"number", 4}, {"sent", 812}, {"received", 0}}),
                   told(5, "credential.used", "host", "hosting", {{"host", "git.example.org"}, {"port", 443}, {"method", "GET"}, {"path", "/ada"}, {"rule", 3}}),
                   told(6, "credential.used", "guest", "hosting", {{"path", "/ada"}}),
                   told(7, "credential.refused", "host", "hosting", {{"alert", true}, {"host", "evil.example"}, {"port", 80}, {"why", "its placeholder was sent"}}),
                   told(8, "canary.left", "host", "bait", {{"alert", true}, {"risk", "high"}, {"host", "evil.example"}, {"port", 443}, {"where", "body"}, {"form", "gzip"}}),
                   told(9, "canary.left", "host", "bait", {{"host", "evil.example"}, {"port", 443}, {"where", "target"}, {"form", "base64"}}),
                   told(10, "canary.added", "host", "bait", {{"by", "owner"}, {"agents", "all"}}),
                   told(11, "canary.planted", "host", "bait", {{"by", "owner"}, {"agents", "some"}, {"planted", "papers/a.txt"}, {"env", "API_KEY"}}),
                   told(12, "canary.removed", "host", "bait", {{"by", "owner"}, {"agents", "some"}}),
                   told(13, "forward.opened", "host", "8000", {{"number", 1}, {"host", "a.localhost"}, {"at", 40000}, {"by", "owner"}}),
                   told(14, "forward.traffic", "host", "8000", {{"number", 1}, {"begun", 1}, {"ended", 1}, {"sent", 812}, {"received", 0}, {"refused", 2}}),
                   told(15, "forward.closed", "host", "8000", {{"number", 1}, {"host", "a.localhost"}, {"at", 40000}, {"why", "The engine ended"}})});
        const auto detail = [&](int row) { return model.index(row, TimelineModel::Detail).data().toString(); };
        QVERIFY2(detail(0).startsWith("Denied") && detail(0).endsWith(": no rule"), qPrintable(detail(0)));
        QCOMPARE(detail(1), QString("outcome=denied  begun=1  why=no rule"));
        QVERIFY(detail(2).startsWith("Asks first"));
        QCOMPARE(detail(3), "after " + sizeText(812) + " sent, " + sizeText(0) + " received");
        QCOMPARE(detail(4), QString("at git.example.org:443, by rule 3: GET /ada"));
        QCOMPARE(detail(5), QString("path=/ada"));
        QCOMPARE(detail(6), QString("at evil.example:80: its placeholder was sent"));
        QCOMPARE(detail(7), QString("to evil.example:443, in what a request sends, compressed; it was stopped, and the agent paused"));
        QCOMPARE(detail(8), QString("to evil.example:443, in the address of a request, written as base64; it was stopped, and the agent paused"));
        QCOMPARE(detail(9), QString("for every agent"));
        QCOMPARE(detail(10), QString("as the variable API_KEY; you noted: papers/a.txt"));
        QCOMPARE(detail(11), QString("for the agents that you named; nobody looks for it any more"));
        QCOMPARE(detail(12), QString("at a.localhost:40000"));
        QCOMPARE(detail(13), "1 connection(s) begun, 1 ended: " + sizeText(812) + " sent, " + sizeText(0) + " received; 2 turned away");
        QCOMPARE(detail(14), QString("at a.localhost:40000: The engine ended"));
        TimelineFilter filter;
        filter.setSourceModel(&model);
        filter.setGroup(EventGroup::Network);
        QCOMPARE(filter.rowCount(), 15);
    }
    void everyKindHasWords() {
        const auto kinds = carrel::test::Schemas(CARREL_SOURCE_DIR "/app/api/schema").load("common.json").at("$defs").at("eventKind").at("enum").as_array();
        QVERIFY(kinds.size() > 30);
        for (const auto& kind : kinds) {
            const std::string name(kind.as_string());
            QVERIFY2(kindText(name) != QString::fromStdString(name), name.c_str());
        }
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
        TimelineModel model(nullptr);
        model.add({told(1, "file.read", "guest", raw, {{raw, raw}}), told(2, raw.c_str(), "host", raw),
                   told(3, "program.started", "guest", raw, {{"process", raw}, {"argv", {raw, raw}}, {raw, raw}}), told(4, "file.mode", "guest", raw, {{"process", raw}})});
        for (int row = 0; row < model.rowCount(); ++row) {
            for (int column = 0; column < TimelineModel::Columns; ++column) {
                const auto cell = model.index(row, column).data().toString();
                QVERIFY2(carrel::test::unfit(cell.toUtf8()).isEmpty() && cell.size() < 3000, qPrintable(carrel::test::unfit(cell.toUtf8())));
                const auto tip = model.index(row, column).data(Qt::ToolTipRole).toString();
                QVERIFY(!tip.contains("<b>") && !tip.contains("<img"));
            }
        }
        QVERIFY(carrel::test::unfit(lineOf(raw).toUtf8()).isEmpty());
        const Error error{ErrorCode::Refused, raw, raw, 0, {}};
        QVERIFY(carrel::test::unfit(bothOf(error).toUtf8()).isEmpty());
        const PlainLabel label(QString::fromStdString("<b>x</b>"));
        QCOMPARE(label.textFormat(), Qt::PlainText);
    }
    void manyEvents() {
        TimelineModel model(nullptr);
        TimelineFilter filter;
        filter.setSourceModel(&model);
        constexpr std::uint64_t kAll = TimelineModel::kMostRows;
        for (std::uint64_t at = 0; at < kAll; at += 1000) {
            json::array page;
            for (std::uint64_t i = 1; i <= 1000; ++i) {
                page.push_back(told(at + i, "file.read", "host", "papers/" + std::to_string(at + i)));
            }
            model.add(page);
        }
        QCOMPARE(model.rowCount(), int(kAll));
        filter.setText("papers/99999");
        QCOMPARE(filter.rowCount(), 1);
        filter.setText({});
        model.add({told(kAll + 1, "file.read", "host", "papers/one more")}); // and the oldest go
        QCOMPARE(model.rowCount(), int(kAll + 1 - kAll / 10));
        QCOMPARE(filter.rowCount(), model.rowCount());
        QCOMPARE(model.firstSeq(), kAll / 10 + 1);
        QCOMPARE(model.lastSeq(), kAll + 1);
    }
};

QTEST_MAIN(TestModels)
#include "test_models.moc"
