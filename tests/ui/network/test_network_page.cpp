// SPDX-License-Identifier: Apache-2.0
// An agent's network in the window, over a whole engine: what is connected, by which word, what is taken away and what that cuts.
#include "tests/ui/network/network_world.h"

#include "ui/agents/agents_model.h"
#include "ui/network/live_model.h"
#include "ui/network/mode_dialog.h"
#include "ui/network/refused_model.h"
#include "ui/network/rules_model.h"
#include "ui/parts/question.h"
#include "ui/text/languages.h"
#include "ui/text/plain.h"

#include <QHeaderView>
#include <QLineEdit>
#include <QListView>
#include <QRadioButton>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;

namespace {

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, kPatience)

void selectRow(NetworkPage& page, const char* view, int row) {
    find<QTableView>(page, view)->selectRow(row);
}

bool says(const QWidget& dialog, const QString& text) {
    const auto labels = dialog.findChildren<QLabel*>();
    return std::any_of(labels.begin(), labels.end(), [&](const QLabel* each) { return each->text().contains(text); });
}

} // namespace

class TestNetworkPage : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { installLanguages(); }
    void whatIsConnected() {
        NetworkWorld w;
        const auto rule = w.rule(policy::Effect::Allow, "127.0.0.1", w.there.port(), false, "the test's own");
        TRY(w.isShown());
        auto& page = w.page();
        TRY(textOf(page, "networkMode") == "Only what rules allow");
        TRY(textOf(page, "liveTitle") == "Nothing is connected");
        w.openThere(1);
        auto& live = modelOf(page, "live");
        TRY(live.rowCount() == 1);
        QCOMPARE(cellOf(live, 0, LiveModel::Destination), QString("127.0.0.1:%1").arg(w.there.port()));
        QCOMPARE(cellOf(live, 0, LiveModel::Address), QString("127.0.0.1"));
        QCOMPARE(cellOf(live, 0, LiveModel::By), QString("rule %1").arg(rule.id));
        QCOMPARE(cellOf(live, 0, LiveModel::Held), QString("no: anything goes"));
        QCOMPARE(textOf(page, "liveTitle"), QString("1 connection now"));
        // By the engine's word from second to second; what is selected stays so.
        selectRow(page, "live", 0);
        w.openThere(2);
        TRY(live.rowCount() == 2);
        w.send(1, std::string(2000, 'x'));
        const auto other = w.there.accept();
        TRY(cellOf(live, 0, LiveModel::Sent) == sizeText(2000));
        QCOMPARE(find<QTableView>(page, "live")->currentIndex().row(), 0);
        w.close(2);
        TRY(live.rowCount() == 1);
    }
    void aHiddenPageAsksForNothing() {
        NetworkWorld w;
        (void)w.rule(policy::Effect::Allow, "127.0.0.1", w.there.port());
        TRY(w.isShown());
        auto& page = w.page();
        TRY(textOf(page, "liveTitle") == "Nothing is connected");
        w.window->page("desk")->showPage("foldersPage");
        TRY(!page.isVisible());
        QVERIFY(page.findChildren<Request*>().isEmpty());
        w.openThere(1);
        TRY(w.isConnected(1));
        QCOMPARE(modelOf(page, "live").rowCount(), 0);
        w.window->page("desk")->showPage("networkPage");
        TRY(modelOf(page, "live").rowCount() == 1);
    }
    // At once, without a question: it is a brake.
    void cutOff() {
        NetworkWorld w;
        (void)w.rule(policy::Effect::Allow, "127.0.0.1", w.there.port());
        TRY(w.isShown());
        auto& page = w.page();
        w.openThere(1);
        TRY(modelOf(page, "live").rowCount() == 1);
        const auto other = w.there.accept();
        auto* const offline = find<QPushButton>(page, "goOffline");
        TRY(offline->isVisible());
        click(offline);
        TRY(w.agent()->network() == egress::NetMode::Offline);
        QVERIFY(egress::test::isOver(other));
        TRY(modelOf(page, "live").rowCount() == 0);
        TRY(!offline->isVisible());
        QCOMPARE(textOf(page, "networkMode"), QString("No network"));
    }
    // One of them, at once and without a question, by the button or by the key; the others go on.
    void oneIsCut() {
        NetworkWorld w;
        const auto rule = w.rule(policy::Effect::Allow, "127.0.0.1", w.there.port());
        TRY(w.isShown());
        auto& page = w.page();
        auto* const cut = find<QPushButton>(page, "cut");
        auto* const view = find<QTableView>(page, "live");
        auto& live = modelOf(page, "live");
        QVERIFY(!cut->isEnabled() && !cut->accessibleName().isEmpty());
        w.openThere(1);
        TRY(live.rowCount() == 1);
        const auto first = w.there.accept();
        w.openThere(2);
        w.openThere(3);
        TRY(live.rowCount() == 3);
        selectRow(page, "live", 0);
        QVERIFY(cut->isEnabled());
        cut->setFocus();
        QTest::keyClick(cut, Qt::Key_Space);
        TRY(live.rowCount() == 2);
        QVERIFY(egress::test::isOver(first));
        TRY(w.outcome(1) == "cut");
        auto* const bar = find<MessageBar>(page, "networkBar");
        QVERIFY2(bar->text().contains(QString("127.0.0.1:%1 is cut").arg(w.there.port())) && bar->text().contains(QString("Rule %1 allows").arg(rule.id)), qPrintable(bar->text()));
        QVERIFY(!dialog<Question>("question"));
        view->setFocus();
        selectRow(page, "live", 0);
        TRY(view->hasFocus());
        QTest::keyClick(view, Qt::Key_Delete);
        TRY(live.rowCount() == 1);
        TRY(w.outcome(2) == "cut");
        QVERIFY(w.outcome(3).empty() && w.agent()->networkNow().live.size() == 1);
        // Who cut what is in the timeline.
        w.window->page("desk")->showPage("timelinePage");
        auto* const timeline = find<QAbstractItemView>(*w.window->page("desk"), "events");
        const auto told = [&] {
            int found = 0;
            for (int row = 0; row < timeline->model()->rowCount(); ++row) {
                for (int column = 0; column < timeline->model()->columnCount(); ++column) {
                    found += timeline->model()->index(row, column).data().toString().contains("Connection cut by you") ? 1 : 0;
                }
            }
            return found;
        };
        TRY(told() == 2);
    }
    // It ended by itself a moment before: that is said, and is no error.
    void oneThatIsOverAlready() {
        NetworkWorld w;
        (void)w.rule(policy::Effect::Allow, "127.0.0.1", w.there.port());
        TRY(w.isShown());
        auto& page = w.page();
        w.openThere(1);
        TRY(modelOf(page, "live").rowCount() == 1);
        selectRow(page, "live", 0);
        QVERIFY(w.agent()->cutConnection(1)); // before the window has heard of it
        auto* const cut = find<QPushButton>(page, "cut");
        cut->click();
        TRY(find<MessageBar>(page, "networkBar")->text().contains("was over already"));
        TRY(modelOf(page, "live").rowCount() == 0);
        QVERIFY(!cut->isEnabled());
    }
    // More is given by name alone: neither Return nor an arrow key gives any.
    void moreIsAskedFor() {
        NetworkWorld w(egress::NetMode::Offline);
        TRY(w.isShown());
        auto& page = w.page();
        TRY(textOf(page, "networkMode") == "No network");
        click(find<QPushButton>(page, "changeMode"));
        TRY(dialog<ModeDialog>("modeDialog"));
        auto* dialogShown = dialog<ModeDialog>("modeDialog");
        QVERIFY(find<QRadioButton>(*dialogShown, "offline")->isChecked());
        QVERIFY(!find<QPushButton>(*dialogShown, "agree")->isEnabled());
        TRY(find<QRadioButton>(*dialogShown, "offline")->hasFocus());
        QTest::keyClick(find<QRadioButton>(*dialogShown, "offline"), Qt::Key_Down);
        QVERIFY(find<QRadioButton>(*dialogShown, "ask")->isChecked());
        for (const char* name : {"offline", "ask", "allowlist"}) {
            QVERIFY(!find<QRadioButton>(*dialogShown, name)->accessibleDescription().isEmpty());
        }
        QTest::keyClick(find<QRadioButton>(*dialogShown, "ask"), Qt::Key_Return);
        TRY(!dialog<ModeDialog>("modeDialog"));
        QVERIFY(w.agent()->network() == egress::NetMode::Offline);
        click(find<QPushButton>(page, "changeMode"));
        TRY(dialog<ModeDialog>("modeDialog"));
        dialogShown = dialog<ModeDialog>("modeDialog");
        find<QRadioButton>(*dialogShown, "ask")->setChecked(true);
        click(find<QPushButton>(*dialogShown, "agree"));
        TRY(w.agent()->network() == egress::NetMode::Ask);
        TRY(textOf(page, "networkMode") == "Asks first");
        QVERIFY(textOf(page, "networkModeWords").contains("You are asked"));
    }
    // In plain words, and changed by what can be read alone; Return changes nothing.
    void howMuchItMayCarry() {
        NetworkWorld w;
        TRY(w.isShown());
        auto& page = w.page();
        TRY(textOf(page, "networkLimits") == "There is no limit on how much it may carry.");
        auto* const change = find<QPushButton>(page, "changeLimits");
        TRY(change->isEnabled());
        click(change);
        TRY(dialog<QDialog>("limitsDialog"));
        auto* shown = dialog<QDialog>("limitsDialog");
        auto* rate = find<QLineEdit>(*shown, "rate");
        auto* day = find<QLineEdit>(*shown, "day");
        auto* agree = find<QPushButton>(*shown, "agree");
        QVERIFY(rate->text().isEmpty() && day->text().isEmpty() && !agree->isEnabled());
        for (const char* wrong : {"many", "1.5 MiB", "0", "-1", "5 MiB/s"}) {
            rate->setText(wrong);
            QVERIFY2(!agree->isEnabled() && textOf(*shown, "problem").startsWith("Write a whole number"), wrong);
        }
        rate->setText("5 mib");
        day->setText(" 2GiB ");
        QVERIFY(agree->isEnabled() && textOf(*shown, "problem").isEmpty());
        QTest::keyClick(rate, Qt::Key_Return);
        TRY(!dialog<QDialog>("limitsDialog"));
        QVERIFY(w.agent()->limitsNow().limits == egress::Limits{});
        click(change);
        TRY(dialog<QDialog>("limitsDialog"));
        shown = dialog<QDialog>("limitsDialog");
        find<QLineEdit>(*shown, "rate")->setText("5 MiB");
        find<QLineEdit>(*shown, "day")->setText("64 KiB");
        click(find<QPushButton>(*shown, "agree"));
        TRY((w.agent()->limitsNow().limits == egress::Limits{5 << 20, 64 << 10}));
        TRY(textOf(page, "networkLimits").startsWith("At most 5 MiB a second, all its connections together. At most 64 KiB a day"));
        // As it is; and a day that is used up says so.
        click(change);
        TRY(dialog<QDialog>("limitsDialog"));
        shown = dialog<QDialog>("limitsDialog");
        QCOMPARE(find<QLineEdit>(*shown, "rate")->text(), QString("5 MiB"));
        QCOMPARE(find<QLineEdit>(*shown, "day")->text(), QString("64 KiB"));
        find<QLineEdit>(*shown, "rate")->clear();
        click(find<QPushButton>(*shown, "agree"));
        TRY((w.agent()->limitsNow().limits == egress::Limits{0, 64 << 10}));
        w.world.clerks.tell("net.used", {{"bytes", 64 << 10}});
        TRY(textOf(page, "networkLimits").startsWith("The 64 KiB of today are used up"));
    }
    // What the engine does not take is said, and nothing is changed.
    void aLimitThatCannotBe() {
        NetworkWorld w;
        TRY(w.isShown());
        auto& page = w.page();
        TRY(find<QPushButton>(page, "changeLimits")->isEnabled());
        click(find<QPushButton>(page, "changeLimits"));
        TRY(dialog<QDialog>("limitsDialog"));
        find<QLineEdit>(*dialog<QDialog>("limitsDialog"), "day")->setText("5 kB");
        click(find<QPushButton>(*dialog<QDialog>("limitsDialog"), "agree"));
        TRY(find<MessageBar>(page, "networkBar")->text().contains("no volume"));
        QVERIFY(w.agent()->limitsNow().limits == egress::Limits{});
    }
    // The list says which agents have one, in a sign and in words.
    void theListOfAgents() {
        NetworkWorld w;
        w.world.addAgent("quiet", false);
        TRY(w.isShown());
        auto& agents = modelOf(*w.window, "agents");
        TRY(agents.rowCount() == 2);
        TRY(agents.index(0, 0).data(AgentsModel::NetworkRole).toBool());
        QVERIFY(agents.index(0, 0).data(Qt::AccessibleTextRole).toString().endsWith("Network: Only what rules allow"));
        QVERIFY(!agents.index(1, 0).data(AgentsModel::NetworkRole).toBool());
        QVERIFY(agents.index(1, 0).data(Qt::AccessibleTextRole).toString().endsWith("Network: No network"));
        // The sign is drawn: the two rows differ where it stands.
        auto* const list = find<QListView>(*w.window, "agents");
        const auto corner = [&](int row) {
            const auto box = list->visualRect(agents.index(row, 0));
            return list->viewport()->grab(QRect(box.right() - 30, box.top(), 30, box.height() / 2)).toImage();
        };
        list->clearSelection();
        list->setCurrentIndex({});
        QVERIFY(corner(0) != corner(1));
    }
    void aRuleIsRemoved() {
        NetworkWorld w;
        const auto own = w.rule(policy::Effect::Allow, "127.0.0.1", w.there.port(), false, "the test's own");
        const auto everyone = w.rule(policy::Effect::Deny, "evil.example", 443, true);
        TRY(w.isShown());
        auto& page = w.page();
        auto& rules = modelOf(page, "rules");
        TRY(rules.rowCount() == 2);
        QCOMPARE(textOf(page, "rulesTitle"), QString("2 rules speak of this agent's network"));
        QCOMPARE(cellOf(rules, 0, RulesModel::Note), QString("the test's own"));
        QVERIFY(cellOf(rules, 0, RulesModel::Words).contains("connect to 127.0.0.1, port"));
        w.openThere(1);
        TRY(modelOf(page, "live").rowCount() == 1);
        const auto other = w.there.accept();
        auto* const remove = find<QPushButton>(page, "removeRule");
        QVERIFY(!remove->isEnabled());
        selectRow(page, "rules", 0);
        QVERIFY(remove->isEnabled());
        click(remove);
        TRY(dialog<Question>("question"));
        auto* question = dialog<Question>("question");
        QVERIFY(says(*question, "1 connection of this agent goes on by it"));
        QTest::keyClick(question, Qt::Key_Return); // the safe answer is the default
        TRY(!dialog<Question>("question"));
        QCOMPARE(rules.rowCount(), 2);
        click(remove);
        TRY(dialog<Question>("question"));
        click(find<QPushButton>(*dialog<Question>("question"), "agree"));
        TRY(rules.rowCount() == 1);
        QVERIFY(egress::test::isOver(other));
        TRY(modelOf(page, "live").rowCount() == 0);
        QVERIFY(w.world.engine->approvals().rules().rules()->rules.front().id == everyone.id && own.id != everyone.id);
        TRY(!dialog<Question>("question"));
        selectRow(page, "rules", 0);
        click(remove);
        TRY(dialog<Question>("question"));
        question = dialog<Question>("question");
        QVERIFY(says(*question, "every agent") && says(*question, "denies"));
        click(find<QPushButton>(*question, "agree"));
        TRY(rules.rowCount() == 0);
        QVERIFY(!remove->isEnabled());
    }
    // Another window, or the command line, changes the rules: by the engine's word.
    void rulesThatOthersChange() {
        NetworkWorld w;
        TRY(w.isShown());
        auto& page = w.page();
        TRY(textOf(page, "rulesTitle") == "No rule speaks of this agent's network");
        (void)w.rule(policy::Effect::Allow, "example.org");
        TRY(modelOf(page, "rules").rowCount() == 1);
    }
    void whatWasRefused() {
        NetworkWorld w;
        w.open(1, "evil.example", 443);
        TRY(w.outcome(1) == "denied");
        TRY(w.isShown());
        auto& page = w.page();
        auto& refused = modelOf(page, "refused");
        TRY(refused.rowCount() == 1);
        QCOMPARE(cellOf(refused, 0, RefusedModel::Destination), QString("evil.example:443"));
        QCOMPARE(cellOf(refused, 0, RefusedModel::Outcome), QString("Denied"));
        QVERIFY(cellOf(refused, 0, RefusedModel::Why).contains("no rule"));
        (void)w.rule(policy::Effect::Allow, "nowhere.example");
        w.open(2, "nowhere.example", 443);
        TRY(refused.rowCount() == 2); // by the stream
        QCOMPARE(cellOf(refused, 0, RefusedModel::Outcome), QString("The name leads nowhere"));
        QVERIFY(textOf(page, "refusedTitle").contains("lately"));
    }
    void theEngineGoesAndComes() {
        NetworkWorld w;
        (void)w.rule(policy::Effect::Allow, "127.0.0.1", w.there.port());
        TRY(w.isShown());
        auto& page = w.page();
        w.openThere(1);
        TRY(modelOf(page, "live").rowCount() == 1);
        w.world.goDown();
        TRY(modelOf(page, "live").rowCount() == 0);
        QVERIFY(textOf(page, "liveTitle").contains("not known"));
        w.world.comeUp();
        TRY(modelOf(page, "live").rowCount() == 1);
        TRY(modelOf(page, "rules").rowCount() == 1);
    }
    // Every control has a name that is read out, and is reached in the order in which it stands.
    void namesAndOrder() {
        NetworkWorld w;
        TRY(w.isShown());
        auto& page = w.page();
        TRY(find<QPushButton>(page, "goOffline")->isVisible());
        const QStringList order{"changeMode", "goOffline", "allKeys", "live", "cut", "forwards", "openForward", "stopForward", "showServer", "rules", "allowPreset", "removeRule", "refused"};
        QStringList met;
        for (auto* each = page.nextInFocusChain(); each != &page; each = each->nextInFocusChain()) {
            if (order.contains(each->objectName()) && page.isAncestorOf(each)) {
                met << each->objectName();
                auto* const button = qobject_cast<QPushButton*>(each);
                QVERIFY2(!each->accessibleName().isEmpty() || (button != nullptr && !button->text().isEmpty()), qPrintable(each->objectName()));
                QVERIFY((each->focusPolicy() & Qt::TabFocus) != 0);
            }
        }
        QCOMPARE(met, order);
    }
};

QTEST_MAIN(TestNetworkPage)
#include "test_network_page.moc"
