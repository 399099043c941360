// SPDX-License-Identifier: Apache-2.0
// Sets of destinations: nothing is kept that was not shown, and nothing by a key that is pressed without looking.
#include "tests/ui/network/network_world.h"

#include "ui/network/preset_dialog.h"
#include "ui/text/languages.h"

#include <QListWidget>
#include <QPlainTextEdit>
#include <QTreeWidget>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;

namespace {

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, kPatience)

std::size_t rulesKept(const NetworkWorld& w) {
    return w.world.engine->approvals().rules().rules()->rules.size();
}

} // namespace

class TestNetworkPresetDialog : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { installLanguages(); }
    void shownThenKept() {
        NetworkWorld w(egress::NetMode::Offline);
        TRY(w.isShown());
        auto& page = w.page();
        click(find<QPushButton>(page, "allowPreset"));
        TRY(dialog<PresetDialog>("presetDialog"));
        auto* const sets = dialog<PresetDialog>("presetDialog");
        auto* const list = find<QListWidget>(*sets, "presets");
        auto* const rules = find<QTreeWidget>(*sets, "presetRules");
        auto* const agree = find<QPushButton>(*sets, "agree");
        TRY(list->count() == 3 && agree->isEnabled());
        QCOMPARE(list->item(0)->text(), QString("Package registries"));
        list->setCurrentRow(1);
        QVERIFY(!agree->isEnabled()); // what it would keep has not come
        TRY(agree->isEnabled());
        QCOMPARE(rules->topLevelItemCount(), 10);
        QCOMPARE(rules->topLevelItem(0)->text(0), QString("GitHub"));
        QVERIFY(rules->topLevelItem(0)->text(1).contains("github.com"));
        QCOMPARE(rules->topLevelItem(0)->text(2), QString("443"));
        QCOMPARE(rules->topLevelItem(0)->text(3), QString("GET, HEAD"));
        QCOMPARE(rules->topLevelItem(1)->text(3), QString("POST to /**/git-upload-pack"));
        const auto toml = find<QPlainTextEdit>(*sets, "presetToml")->toPlainText();
        QCOMPARE(toml.count("[[rule]]"), 10);
        QVERIFY(toml.contains("the agent desk may connect to"));
        QVERIFY(toml.contains(QString::fromStdString(w.agent()->id()))); // for this agent alone
        QCOMPARE(rulesKept(w), std::size_t{0});
        click(agree);
        TRY(rulesKept(w) == 10);
        TRY(modelOf(page, "rules").rowCount() == 10);
        TRY(!dialog<PresetDialog>("presetDialog"));
        const auto said = find<MessageBar>(page, "networkBar")->text();
        QVERIFY2(said.contains("10 rules are kept") && said.contains("no network all the same"), qPrintable(said));
    }
    void thereAlready() {
        NetworkWorld w;
        policy::Rule known;
        known.effect = policy::Effect::Allow;
        known.note = "GitLab";
        known.action = policy::Action::Network;
        known.agent = w.agent()->id();
        known.fields = {{"host", {"gitlab.com"}}, {"port", {"443"}}, {"method", {"GET", "HEAD"}}};
        QVERIFY(w.world.engine->approvals().rules().add(known));
        TRY(w.isShown());
        click(find<QPushButton>(w.page(), "allowPreset"));
        TRY(dialog<PresetDialog>("presetDialog"));
        auto* const sets = dialog<PresetDialog>("presetDialog");
        TRY(find<QListWidget>(*sets, "presets")->count() == 3);
        find<QListWidget>(*sets, "presets")->setCurrentRow(1);
        TRY(find<QTreeWidget>(*sets, "presetRules")->topLevelItemCount() == 9); // the one that is there is not among them
        QTest::keyClick(find<QListWidget>(*sets, "presets"), Qt::Key_Return);
        TRY(!dialog<PresetDialog>("presetDialog"));
        QCOMPARE(rulesKept(w), std::size_t{1});
    }
};

QTEST_MAIN(TestNetworkPresetDialog)
#include "test_network_preset_dialog.moc"
