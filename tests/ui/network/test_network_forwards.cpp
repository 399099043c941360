// SPDX-License-Identifier: Apache-2.0
// Servers of an agent's machine in the user's browser, in the window, over a whole engine: what is shown, opened by a click and by
// nothing else, stopped at once; another one after what it means was read.
#include "tests/ui/network/network_world.h"

#include "app/egress/forwards.h"
#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"
#include "ui/approvals/approvals_page.h"
#include "ui/approvals/request_view.h"
#include "ui/network/forwards_model.h"
#include "ui/network/show_server_dialog.h"
#include "ui/parts/question.h"
#include "ui/text/languages.h"
#include "ui/text/plain.h"

#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QDesktopServices>
#include <QLineEdit>
#include <QSignalSpy>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;
namespace json = boost::json;

namespace {

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, kPatience)

class Browser : public QObject { // in the place of the user's own
    Q_OBJECT
public:
    Browser() { QDesktopServices::setUrlHandler("http", this, "take"); }
    ~Browser() override { QDesktopServices::unsetUrlHandler("http"); }
    QList<QUrl> opened;
public slots:
    void take(const QUrl& url) { opened << url; }
};

egress::Forwards& forwardsOf(const NetworkWorld& w) {
    return (*w.agent()->running())->forwards();
}

egress::Forward opened(const NetworkWorld& w, std::uint16_t port) {
    return forwardsOf(w).open({port}).value();
}

UniqueFd connectTo(const egress::Forward& forward) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(forward.at);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    UniqueFd out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(out.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
        out.reset();
    }
    return out;
}

ShowServerDialog* asked(NetworkPage& page) {
    click(find<QPushButton>(page, "showServer"));
    return QTest::qWaitFor([] { return dialog<ShowServerDialog>("showServerDialog") != nullptr; }, kPatience) ? dialog<ShowServerDialog>("showServerDialog") : nullptr;
}

bool says(const QWidget& within, const QString& text) {
    const auto labels = within.findChildren<QLabel*>();
    return std::any_of(labels.begin(), labels.end(), [&](const QLabel* each) { return each->isVisible() && each->text().contains(text); });
}

bool isAgreeable(const QDialog& dialog) {
    return find<QPushButton>(dialog, "agree")->isEnabled();
}

json::object told(std::uint64_t number, std::uint64_t port, std::uint64_t sent, const std::string& url = "http://0123.localhost:40001/") {
    return {{"number", number}, {"port", port}, {"url", url}, {"open", 1}, {"connections", 4}, {"sent", sent}, {"received", 0}, {"age_ms", 61'000}};
}

} // namespace

class TestNetworkForwards : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { installLanguages(); }
    void whatIsShown() {
        NetworkWorld w(egress::NetMode::Offline); // it needs no network
        TRY(w.isShown());
        auto& page = w.page();
        TRY(textOf(page, "forwardsTitle") == "Nothing is shown in your browser");
        QVERIFY(!find<QPushButton>(page, "openForward")->isEnabled() && !find<QPushButton>(page, "stopForward")->isEnabled());
        const auto one = opened(w, 8000);
        auto& all = modelOf(page, "forwards");
        TRY(all.rowCount() == 1);
        QCOMPARE(textOf(page, "forwardsTitle"), QString("Shown in your browser: 1 server"));
        QCOMPARE(cellOf(all, 0, ForwardsModel::Port), QString("port 8000"));
        QCOMPARE(cellOf(all, 0, ForwardsModel::Address), QString::fromStdString(one.url()));
        QCOMPARE(cellOf(all, 0, ForwardsModel::Until), QString("you stop it"));
        find<QTableView>(page, "forwards")->selectRow(0);
        const auto browser = connectTo(one);
        TRY(cellOf(all, 0, ForwardsModel::Connections) == "1 now, 1 in all"); // from second to second
        w.send(1, std::string(2000, 'x')); // what the clerk lets through
        TRY(cellOf(all, 0, ForwardsModel::Sent) == sizeText(2000));
        QCOMPARE(find<QTableView>(page, "forwards")->currentIndex().row(), 0);
    }
    void aHiddenPageAsksForNothing() {
        NetworkWorld w;
        TRY(w.isShown());
        auto& page = w.page();
        TRY(textOf(page, "forwardsTitle") == "Nothing is shown in your browser");
        w.window->page("desk")->showPage("foldersPage");
        TRY(!page.isVisible());
        (void)opened(w, 8000);
        QVERIFY(page.findChildren<Request*>().isEmpty());
        QCOMPARE(modelOf(page, "forwards").rowCount(), 0);
        w.window->page("desk")->showPage("networkPage");
        TRY(modelOf(page, "forwards").rowCount() == 1);
    }
    // Neither to choose one, nor a key or a double click, opens anything: what is there was made by the agent.
    void openedByAClickAlone() {
        NetworkWorld w;
        Browser browser;
        TRY(w.isShown());
        auto& page = w.page();
        (void)opened(w, 8000);
        const auto second = opened(w, 8001);
        TRY(modelOf(page, "forwards").rowCount() == 2);
        auto* const view = find<QTableView>(page, "forwards");
        view->setFocus();
        view->selectRow(1);
        QTest::keyClick(view, Qt::Key_Return);
        QTest::mouseDClick(view->viewport(), Qt::LeftButton, {}, view->visualRect(modelOf(page, "forwards").index(1, 0)).center());
        QVERIFY(browser.opened.isEmpty());
        view->selectRow(1);
        click(find<QPushButton>(page, "openForward"));
        QCOMPARE(browser.opened, QList<QUrl>{QUrl(QString::fromStdString(second.url()))});
    }
    // At once, without a question, by the button or by the key; what is connected ends, the others go on.
    void stopped() {
        NetworkWorld w;
        TRY(w.isShown());
        auto& page = w.page();
        const auto one = opened(w, 8000);
        (void)opened(w, 8001);
        const auto third = opened(w, 8002);
        TRY(modelOf(page, "forwards").rowCount() == 3);
        const auto browser = connectTo(one);
        TRY(w.isConnected(1));
        auto* const view = find<QTableView>(page, "forwards");
        view->selectRow(0);
        click(find<QPushButton>(page, "stopForward"));
        TRY(modelOf(page, "forwards").rowCount() == 2);
        QVERIFY(egress::test::isReset(browser) && !connectTo(one));
        QVERIFY(find<MessageBar>(page, "networkBar")->text().contains("Port 8000"));
        QVERIFY(!dialog<Question>("question"));
        view->setFocus();
        view->selectRow(0);
        TRY(view->hasFocus());
        QTest::keyClick(view, Qt::Key_Delete);
        TRY(modelOf(page, "forwards").rowCount() == 1);
        QCOMPARE(forwardsOf(w).list().front().number, third.number);
        view->selectRow(0);
        QVERIFY(forwardsOf(w).close(third.number, "the test closed it")); // before the window has heard of it
        find<QPushButton>(page, "stopForward")->click();
        TRY(find<MessageBar>(page, "networkBar")->text().contains("over already"));
        TRY(modelOf(page, "forwards").rowCount() == 0);
        QVERIFY(!find<QPushButton>(page, "stopForward")->isEnabled());
    }
    // What it means stands there first, for the very port; then a click, and no key, shows it.
    void readThenShown() {
        NetworkWorld w;
        Browser browser;
        TRY(w.isShown());
        auto& page = w.page();
        auto* shown = asked(page);
        QVERIFY(shown);
        auto* port = find<QLineEdit>(*shown, "port");
        TRY(port->hasFocus());
        for (const char* none : {"0", "70000", "x"}) {
            port->clear();
            QTest::keyClicks(port, none);
            QVERIFY2(!isAgreeable(*shown), none);
        }
        port->clear();
        QTest::keyClicks(port, "8000");
        QVERIFY(!isAgreeable(*shown)); // what it means has not come
        TRY(isAgreeable(*shown));
        QVERIFY(find<QWidget>(*shown, "riskFrame")->isVisible());
        QVERIFY(textOf(*shown, "what").contains("agent desk serves at port 8000"));
        for (const char* label : {"what", "meaning"}) { // to its last line
            const auto* const words = find<QLabel>(*shown, label);
            TRY(words->height() >= words->heightForWidth(words->width()));
        }
        for (const char* leak : {"reaches the internet", "WebRTC", "What you type"}) {
            QVERIFY2(textOf(*shown, "meaning").contains(leak), leak);
        }
        QTest::keyClick(port, Qt::Key_Return); // the safe answer is the default
        TRY(!dialog<ShowServerDialog>("showServerDialog"));
        QVERIFY(forwardsOf(w).list().empty());

        shown = asked(page);
        QVERIFY(shown);
        port = find<QLineEdit>(*shown, "port");
        QTest::keyClicks(port, "8000");
        TRY(isAgreeable(*shown));
        QTest::keyClick(port, Qt::Key_Backspace);
        QVERIFY(!isAgreeable(*shown) && !find<QWidget>(*shown, "riskFrame")->isVisible()); // of another port it says nothing
        QTest::keyClicks(port, "1");
        TRY(isAgreeable(*shown));
        QVERIFY(textOf(*shown, "what").contains("8001"));
        find<QComboBox>(*shown, "time")->setCurrentIndex(1);
        click(find<QPushButton>(*shown, "agree"));
        TRY(modelOf(page, "forwards").rowCount() == 1);
        const auto all = forwardsOf(w).list();
        QVERIFY(all.size() == 1 && all.front().port == 8001 && all.front().untilMs);
        TRY(!dialog<ShowServerDialog>("showServerDialog"));
        // It is chosen, and opened by its own click.
        TRY(find<QPushButton>(page, "openForward")->isEnabled());
        QVERIFY(browser.opened.isEmpty());
        click(find<QPushButton>(page, "openForward"));
        QCOMPARE(browser.opened.size(), 1);
    }
    void whatIsRefusedIsSaid() {
        NetworkWorld w;
        TRY(w.isShown());
        auto& page = w.page();
        policy::Rule rule;
        rule.effect = policy::Effect::Deny;
        rule.action = policy::Action::Forward;
        QVERIFY(w.world.engine->approvals().rules().add(rule));
        auto* const shown = asked(page);
        QVERIFY(shown);
        QTest::keyClicks(find<QLineEdit>(*shown, "port"), "8000");
        TRY(isAgreeable(*shown));
        click(find<QPushButton>(*shown, "agree"));
        TRY(find<MessageBar>(*shown, "showServerBar")->text().contains("denies"));
        QVERIFY(shown->isVisible() && forwardsOf(w).list().empty());
        shown->reject();
    }
    void aMachineThatDoesNotRun() {
        NetworkWorld w;
        w.world.addAgent("quiet", false);
        TRY(w.isShown());
        w.window->showAgent("quiet");
        TRY(w.window->page("quiet")->isVisible());
        w.window->page("quiet")->showPage("networkPage");
        auto& page = *find<NetworkPage>(*w.window->page("quiet"), "networkPage");
        TRY(textOf(page, "forwardsTitle") == "Nothing is shown in your browser");
        auto* const shown = asked(page);
        QVERIFY(shown);
        QTest::keyClicks(find<QLineEdit>(*shown, "port"), "8000");
        TRY(find<MessageBar>(*shown, "showServerBar")->text().contains("does not run"));
        QVERIFY(!isAgreeable(*shown));
        shown->reject();
    }
    // An agent asks for it: of high risk, for this once, and allowed by typing the port. Where it is shown is for the owner alone.
    void anAgentAsks() {
        NetworkWorld w;
        TRY(w.isShown());
        QVERIFY(w.world.engine->approvals().askForward(w.agent(), 8000, "the preview is ready"));
        w.window->showApprovals();
        auto& view = find<ApprovalsPage>(*w.window, "approvalsPage")->request();
        auto* const allow = find<QPushButton>(view, "allow");
        TRY(find<QLineEdit>(view, "word")->isVisible());
        QVERIFY(says(view, "HIGH RISK") && says(view, "port 8000 of its machine shown in your browser") && says(view, "WebRTC") && says(view, "is not told"));
        QVERIFY(!find<QWidget>(view, "scope")->isVisible());
        QTest::keyClicks(find<QLineEdit>(view, "word"), "port-800");
        QVERIFY(!allow->isEnabled());
        QTest::keyClicks(find<QLineEdit>(view, "word"), "0");
        TRY(allow->isEnabled());
        click(allow);
        TRY(forwardsOf(w).list().size() == 1);
        TRY(says(view, QString::fromStdString(forwardsOf(w).list().front().url())));
        TRY(w.isShown());
        TRY(modelOf(w.page(), "forwards").rowCount() == 1);
    }
    void theEngineGoesAndComes() {
        NetworkWorld w;
        TRY(w.isShown());
        auto& page = w.page();
        (void)opened(w, 8000);
        TRY(modelOf(page, "forwards").rowCount() == 1);
        w.world.goDown();
        TRY(modelOf(page, "forwards").rowCount() == 0);
        QVERIFY(textOf(page, "forwardsTitle").contains("not known"));
        w.world.comeUp();
        TRY(modelOf(page, "forwards").rowCount() == 1);
    }

    void rowsComeGoAndChange() {
        ForwardsModel model(nullptr);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        QSignalSpy changes(&model, &QAbstractItemModel::dataChanged);
        model.take(forwardsFrom({told(1, 8000, 1), told(2, 8001, 2), 7}));
        QCOMPARE(model.rowCount(), 2);
        const QPersistentModelIndex second = model.index(1, 0);
        model.take(forwardsFrom({told(2, 8001, 2'000'000), told(3, 8002, 0)}));
        QCOMPARE(second.row(), 0);
        QCOMPARE(changes.count(), 1); // nothing is drawn anew that is the same
        QCOMPARE(changes.front().at(0).toModelIndex(), model.index(0, ForwardsModel::Sent));
        QCOMPARE(model.rowOf(3), 1);
        QCOMPARE(model.rowOf(1), -1);
        // Of an engine that counts anew.
        model.take(forwardsFrom({told(2, 8001, 0, "http://4567.localhost:40002/")}));
        QVERIFY(!second.isValid());
    }
    void whatABrowserIsGiven_data() {
        QTest::addColumn<QString>("url");
        QTest::addColumn<bool>("fit");
        QTest::newRow("one of its own") << "http://0123456789abcdef0123456789abcdef.localhost:40123/" << true;
        QTest::newRow("another host") << "http://0123.localhost.example.org:40123/" << false;
        QTest::newRow("a name before it") << "http://example.org@0123.localhost:40123/" << false;
        QTest::newRow("no port") << "http://0123.localhost/" << false;
        QTest::newRow("a file") << "file:///home/ada/.bashrc" << false;
        QTest::newRow("a program's own") << "mailto:ada@0123.localhost" << false;
        QTest::newRow("none") << "" << false;
    }
    void whatABrowserIsGiven() {
        QFETCH(QString, url);
        QFETCH(bool, fit);
        ForwardInfo info;
        info.url = url.toStdString();
        QCOMPARE(info.address().isValid() && !info.address().isEmpty(), fit);
    }
    void nastyTexts_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : carrel::test::nastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
    }
    void nastyTexts() { // I11
        QFETCH(QByteArray, text);
        auto one = told(1, 8000, 0, text.toStdString());
        one["until"] = text.toStdString();
        ForwardsModel model(nullptr);
        model.take(forwardsFrom({one}));
        for (int column = 0; column < model.columnCount(); ++column) {
            for (const int role : {int(Qt::DisplayRole), int(Qt::AccessibleTextRole), int(Qt::ToolTipRole)}) {
                const auto shown = model.index(0, column).data(role).toString();
                QVERIFY2(carrel::test::unfit(shown.toUtf8()).isEmpty(), qPrintable(shown));
            }
        }
        QVERIFY(model.at(0).address().isEmpty());
    }
};

QTEST_MAIN(TestNetworkForwards)
#include "test_network_forwards.moc"
