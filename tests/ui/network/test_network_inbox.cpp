// SPDX-License-Identifier: Apache-2.0
// A request for the network in the inbox, over a whole engine: where to stands first, large and whole; what the agent says of it
// stands apart; what is of high risk takes a word.
#include "tests/support/unfit_text.h"
#include "tests/ui/network/network_world.h"
#include "ui/approvals/approvals_page.h"
#include "ui/approvals/request_view.h"
#include "ui/text/languages.h"

#include <QComboBox>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QTreeWidget>

#include <algorithm>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;

namespace {

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, kPatience)

struct NetworkInbox : NetworkWorld {
    NetworkInbox()
        : NetworkWorld(egress::NetMode::Ask) {
        window->showApprovals();
    }
    [[nodiscard]] RequestView& request() const { return find<ApprovalsPage>(*window, "approvalsPage")->request(); }
    [[nodiscard]] QPushButton* button(const char* name) const { return find<QPushButton>(request(), name); }
    [[nodiscard]] QString label(const char* name) const { return textOf(request(), name); }
    [[nodiscard]] bool isReady() const { return request().isVisible() && button("deny")->isVisible() && button("deny")->isEnabled(); }
    [[nodiscard]] std::shared_ptr<agents::Agent> desk() const { return agent(); }
    // As the engine asks for a connection that waits, with what an agent may say of it.
    std::uint64_t ask(const std::string& host, const std::string& claim, std::map<std::string, std::string> more = {}) const {
        policy::Ask wanted;
        wanted.agent = desk()->id();
        wanted.session = desk()->session();
        wanted.action = policy::Action::Network;
        wanted.about = "network " + host;
        policy::Request item;
        item.agent = wanted.agent;
        item.session = wanted.session;
        item.action = policy::Action::Network;
        item.fields = {{"host", host}, {"port", "443"}};
        item.fields.insert(more.begin(), more.end());
        wanted.items = {item};
        wanted.evidence = {files::Sha256::of(host), "connection"};
        wanted.claim = claim;
        auto asked = world.engine->approvals().queue().submit(std::move(wanted));
        if (!asked) {
            qFatal("%s", asked.error().text().c_str());
        }
        return asked->id;
    }
};

} // namespace

class TestNetworkInbox : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { installLanguages(); }
    void whereToStandsFirst() {
        NetworkInbox w;
        w.open(1, "example.org", 443);
        TRY(w.button("allow")->isEnabled());
        QCOMPARE(w.label("place"), QString("example.org port 443"));
        QCOMPARE(w.label("words"), QString("The agent desk asks to connect, and could send anything there"));
        auto* const place = find<QLabel>(w.request(), "place");
        const auto top = [&](const char* name) { return find<QWidget>(w.request(), name)->mapTo(&w.request(), QPoint()).y(); };
        QVERIFY(top("place") < top("risk") && top("place") < top("words") && top("words") < top("evidence"));
        QVERIFY(place->font().pointSizeF() > find<QLabel>(w.request(), "words")->font().pointSizeF());
        QVERIFY(place->accessibleName().contains("example.org, port 443"));
        QVERIFY(!find<QLabel>(w.request(), "placeNote")->isVisible() && !find<QLabel>(w.request(), "what")->isVisible());
        QVERIFY(!find<QLabel>(w.request(), "claim")->isVisible()); // it has said nothing
        auto* const fields = find<QTreeWidget>(w.request(), "changes");
        QCOMPARE(fields->topLevelItemCount(), 2);
        QCOMPARE(fields->topLevelItem(0)->text(0) + ' ' + fields->topLevelItem(0)->text(1), QString("Host example.org"));
        // The name leads nowhere here: allowed all the same, which the machine is told.
        click(w.button("allow"));
        TRY(w.outcome(1) == "unresolved");
    }
    void theNarrowestRule() {
        NetworkInbox w;
        w.world.nameLeads("example.org", "192.0.2.7");
        w.open(1, "example.org", 443);
        TRY(w.button("allow")->isEnabled());
        auto* const scope = find<QComboBox>(w.request(), "scope");
        scope->setCurrentIndex(scope->findData("agent"));
        TRY(find<QPlainTextEdit>(w.request(), "toml")->toPlainText().contains("[[rule]]"));
        const auto toml = find<QPlainTextEdit>(w.request(), "toml")->toPlainText();
        QVERIFY2(toml.contains("\"example.org\"") && toml.contains("\"443\"") && toml.contains(QString::fromStdString(w.agent()->id())), qPrintable(toml));
        QVERIFY(w.label("rule").contains("connect to example.org, port 443"));
        click(w.button("deny"));
        TRY(w.outcome(1) == "denied");
    }
    void theClaimStandsApart() {
        NetworkInbox w;
        (void)w.ask("example.org", "to fetch the tables you wanted");
        TRY(w.isReady() && w.label("claim") == "to fetch the tables you wanted");
        QVERIFY(!w.label("words").contains("tables") && !w.label("place").contains("tables"));
    }
    void aPathIsShown() {
        NetworkInbox w;
        (void)w.ask("example.org", "", {{"method", "GET"}, {"path", "/tables"}});
        TRY(w.isReady() && find<QTreeWidget>(w.request(), "changes")->topLevelItemCount() == 4);
        QCOMPARE(w.label("what"), QString("GET /tables"));
        QVERIFY(w.label("whatNote").contains("asks the host for something"));
        for (auto* const each : w.request().findChildren<QLabel*>()) {
            QVERIFY(!each->text().contains("send anything"));
        }
    }
    // Of this computer itself: it looks different, says why, and takes a word.
    void highRisk() {
        NetworkInbox w;
        w.openThere(1);
        TRY(w.isReady() && w.label("risk").contains("HIGH RISK"));
        QVERIFY(w.label("placeNote").contains("address"));
        auto* const word = find<QLineEdit>(w.request(), "word");
        QVERIFY(word->isVisible() && !w.button("allow")->isEnabled());
        TRY(find<QTreeWidget>(w.request(), "changes")->topLevelItemCount() == 2);
        QTest::keyClicks(word, "127.0.0.1");
        TRY(w.button("allow")->isEnabled());
        click(w.button("allow"));
        TRY(w.isConnected(1));
    }
    void aNameOfOtherScripts() {
        NetworkInbox w;
        w.open(1, "xn--pypal-4ve.com", 443);
        TRY(w.isReady());
        QCOMPARE(w.label("place"), QString("xn--pypal-4ve.com port 443")); // as it is looked up, never as it looks
        QVERIFY(find<QLabel>(w.request(), "placeNote")->isVisible() && w.label("placeNote").contains("xn--"));
        // Nothing of it stays beside the next.
        click(w.button("deny"));
        TRY(w.outcome(1) == "denied");
    }
    // Whole, at any width: its end says whose it is.
    void aLongName() {
        NetworkInbox w;
        const auto name = "www.bank.example." + std::string(60, 'a') + "." + std::string(60, 'b') + "." + std::string(60, 'c') + ".evil.example";
        w.open(1, name, 443);
        TRY(w.isReady());
        QCOMPARE(w.label("place").remove('\n'), QString::fromStdString(name) + " port 443");
        QVERIFY(w.window->minimumSizeHint().width() < 1000);
        auto* const place = find<QLabel>(w.request(), "place");
        const auto fits = [place] {
            const auto lines = place->text().split('\n');
            return std::all_of(lines.begin(), lines.end(), [&](const QString& line) { return place->fontMetrics().horizontalAdvance(line) <= place->width(); }) &&
                   place->height() >= place->heightForWidth(place->width());
        };
        TRY(fits()); // once it has been laid out
    }
    // A folder is asked for after it: no destination is left beside that.
    void noPlaceWhereThereIsNone() {
        NetworkInbox w;
        w.open(1, "example.org", 443);
        TRY(w.isReady());
        const auto folder = w.world.engine->approvals().askFolder(w.agent(), "the photos");
        QVERIFY(folder);
        auto* const list = find<QAbstractItemView>(*w.window, "requests");
        TRY(list->model()->rowCount() == 2);
        list->setCurrentIndex(list->model()->index(1, 0));
        TRY(w.isReady() && w.label("claim") == "the photos");
        QVERIFY(!find<QLabel>(w.request(), "place")->isVisible());
    }
};

QTEST_MAIN(TestNetworkInbox)
#include "test_network_inbox.moc"
