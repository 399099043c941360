// SPDX-License-Identifier: Apache-2.0
// What a request of an agent's needs, in the inbox, over a whole engine: one with a method and a path, and the use of a credential. What
// and where stand first; what allowing means stands with it; allowed, that goes on and nothing else.
#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"
#include "tests/ui/network/network_world.h"
#include "ui/approvals/approvals_model.h"
#include "ui/approvals/approvals_page.h"
#include "ui/approvals/request_view.h"
#include "ui/text/languages.h"

#include <QComboBox>
#include <QPlainTextEdit>
#include <QTreeWidget>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;
namespace json = boost::json;

namespace {

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, kPatience)

constexpr const char* kHost = "here.example";
constexpr const char* kValue = "tok-" "0123456789abcdefGHIJ";

struct CredentialInbox : NetworkWorld {
    std::vector<json::object> answers; // that the clerk was given, under mutex

    CredentialInbox()
        : NetworkWorld(egress::NetMode::Ask) {
        world.nameLeads(kHost, "127.0.0.1");
        (void)rule(policy::Effect::Allow, "127.0.0.1", there.port());
        for (const char* method : {"net.answer", "net.placeholders", "net.trust", "net.authority"}) {
            world.clerks.on(method, [this, method](const json::object& params) {
                if (std::string_view(method) == "net.answer") {
                    const std::lock_guard lock(mutex);
                    answers.push_back(params);
                }
                return json::object{};
            });
        }
        window->showApprovals();
    }
    void addCredential(std::vector<std::string> methods = {}) const {
        const auto passphrase = egress::Secret::ofPassphrase(relay::secretText("a passphrase"));
        auto value = egress::Secret::ofCredential(relay::secretText(kValue));
        egress::Credential wanted;
        wanted.name = "hosting";
        wanted.hosts = {kHost};
        wanted.methods = std::move(methods);
        wanted.paths = {"/ada/*"};
        if (!world.engine->credentials().unlock(*passphrase) || !world.engine->credentials().add(wanted, *value)) {
            qFatal("no credential");
        }
    }
    // Of a host that rules with methods speak of.
    void readRequests(const char* method) const {
        policy::Rule out;
        out.effect = policy::Effect::Allow;
        out.action = policy::Action::Network;
        out.agent = agent()->id();
        out.fields = {{"host", {kHost}}, {"port", {std::to_string(there.port())}}, {"method", {method}}};
        if (!world.engine->approvals().rules().add(out)) {
            qFatal("no rule");
        }
        world.engine->approvals().rulesChanged();
    }
    void request(std::uint64_t number, const std::string& method, const std::string& path, json::array placeholders = {}) {
        world.clerks.tell("net.request", {{"number", number}, {"request", 1}, {"method", method}, {"path", path}, {"placeholders", std::move(placeholders)}});
    }
    [[nodiscard]] std::size_t answered() {
        const std::lock_guard lock(mutex);
        return answers.size();
    }
    [[nodiscard]] RequestView& view() const { return find<ApprovalsPage>(*window, "approvalsPage")->request(); }
    [[nodiscard]] QPushButton* button(const char* name) const { return find<QPushButton>(view(), name); }
    [[nodiscard]] QString label(const char* name) const {
        auto* const found = find<QLabel>(view(), name);
        return found->isVisible() ? found->text() : QString();
    }
    [[nodiscard]] bool isReady() const { return view().isVisible() && button("deny")->isVisible() && button("allow")->isEnabled(); }
    [[nodiscard]] bool says(const QString& text) const {
        const auto labels = view().findChildren<QLabel*>();
        return std::any_of(labels.begin(), labels.end(), [&](const QLabel* each) { return each->isVisible() && each->text().contains(text); });
    }
    [[nodiscard]] QString fact(const QString& what) const {
        auto* const facts = find<QTreeWidget>(view(), "changes");
        const auto found = facts->findItems(what, Qt::MatchExactly, 0);
        return found.isEmpty() ? QString() : found.front()->text(1);
    }
};

} // namespace

class TestCredentialInbox : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { installLanguages(); }
    void aRequestWithMethodAndPath() {
        CredentialInbox w;
        w.readRequests("GET");
        w.open(1, kHost, w.there.port());
        TRY(w.isConnected(1));
        w.request(1, "POST", "/repos/ada/issues");
        TRY(w.isReady());
        QCOMPARE(w.label("place"), QString("%1 port %2").arg(kHost).arg(w.there.port()));
        QCOMPARE(w.label("what"), QString("POST /repos/ada/issues"));
        QVERIFY(w.label("whatNote").contains("change what is there"));
        QCOMPARE(w.label("words"), QString("The agent desk asks to make this request"));
        QVERIFY(w.says("any content and anything behind a ?") && !w.says("send anything there that they have"));
        QVERIFY(w.fact("Method") == "POST" && w.fact("Path") == "/repos/ada/issues" && w.fact("Host") == kHost);
        const auto top = [&](const char* name) { return find<QWidget>(w.view(), name)->mapTo(&w.view(), QPoint()).y(); };
        QVERIFY(top("place") < top("what") && top("what") < top("words") && top("words") < top("evidence"));
        QVERIFY(find<QLabel>(w.view(), "what")->accessibleName().contains("POST /repos/ada/issues"));
        auto* const scope = find<QComboBox>(w.view(), "scope");
        scope->setCurrentIndex(scope->findData("agent"));
        TRY(find<QPlainTextEdit>(w.view(), "toml")->toPlainText().contains("\"POST\""));
        scope->setCurrentIndex(scope->findData("once"));
        click(w.button("allow"));
        TRY(w.answered() == 1);
        QVERIFY(w.answers.front().at("allow").as_bool());
        // Another path is another question; nothing of the first stays beside it.
        w.world.clerks.tell("net.request", {{"number", 1}, {"request", 2}, {"method", "GET"}, {"path", "/"}, {"placeholders", json::array{}}});
        TRY(w.answered() == 2); // by the rule
    }
    void theUseOfACredential() {
        CredentialInbox w;
        w.addCredential({"GET", "POST"});
        (void)w.rule(policy::Effect::Allow, kHost, w.there.port());
        w.open(1, kHost, w.there.port());
        TRY(w.isConnected(1));
        w.request(1, "POST", "/ada/x", {"hosting"});
        TRY(w.isReady());
        QCOMPARE(w.label("place"), QString(kHost));
        QCOMPARE(w.label("what"), QString("with the credential hosting"));
        QVERIFY(w.label("whatNote").contains("taken for you"));
        QCOMPARE(w.label("words"), QString("The agent desk asks to use it, without seeing it"));
        QVERIFY(w.says("as if it were you") && w.says("does not reach the agent's machine"));
        QVERIFY(w.fact("Credential") == "hosting" && w.fact("Host") == kHost && w.fact("Methods") == "GET, POST" && w.fact("Paths") == "/ada/*");
        QVERIFY(w.fact("Sent as").startsWith("Authorization: Bearer"));
        auto* const scope = find<QComboBox>(w.view(), "scope");
        scope->setCurrentIndex(scope->findData("agent"));
        TRY(w.label("rule").contains("the credential hosting at here.example"));
        click(w.button("allow"));
        TRY(w.answered() == 1);
        QVERIFY(w.answers.front().at("allow").as_bool());
        QCOMPARE(w.answers.front().at("inject").at("header"), json::value("Authorization"));
        for (auto* const each : w.window->findChildren<QLabel*>()) {
            QVERIFY(!each->text().contains(QString(kValue).mid(4)));
        }
    }
    void denied() {
        CredentialInbox w;
        w.addCredential();
        (void)w.rule(policy::Effect::Allow, kHost, w.there.port());
        w.open(1, kHost, w.there.port());
        TRY(w.isConnected(1));
        w.request(1, "GET", "/ada/x", {"hosting"});
        TRY(w.isReady());
        QTest::keyClick(w.button("deny"), Qt::Key_Return); // the safe answer is the default
        TRY(w.answered() == 1);
        QVERIFY(!w.answers.front().at("allow").as_bool() && !w.answers.front().contains("inject"));
    }
    // What it is bound to cannot be shown any more: there is nothing to allow.
    void oneThatIsGone() {
        CredentialInbox w;
        policy::Ask wanted;
        wanted.agent = w.agent()->id();
        wanted.session = w.agent()->session();
        wanted.action = policy::Action::Credential;
        wanted.about = "credential gone";
        policy::Request item;
        item.agent = wanted.agent;
        item.session = wanted.session;
        item.action = wanted.action;
        item.fields = {{"host", kHost}, {"name", "gone"}};
        wanted.items = {item};
        wanted.evidence = {files::Sha256::of("gone"), "request"};
        QVERIFY(w.world.engine->approvals().queue().submit(std::move(wanted)));
        TRY(w.says("no credential of that name any more"));
        QVERIFY(!w.button("allow")->isEnabled() && w.button("deny")->isEnabled());
    }
    // A path of any length and letters is shown whole, and acts on nothing (I11).
    void nastyPaths_data() {
        QTest::addColumn<QByteArray>("path");
        for (const auto& [name, text] : carrel::test::nastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString("/" + text);
        }
        QTest::newRow("long") << QByteArray("/" + QByteArray(3000, 'x') + "/its/end");
    }
    void nastyPaths() {
        QFETCH(QByteArray, path);
        CredentialInbox w;
        policy::Ask wanted;
        wanted.agent = w.agent()->id();
        wanted.session = w.agent()->session();
        wanted.action = policy::Action::Network;
        wanted.about = "a request";
        policy::Request item;
        item.agent = wanted.agent;
        item.session = wanted.session;
        item.action = wanted.action;
        item.fields = {{"host", kHost}, {"port", "443"}, {"method", "GET"}, {"path", path.toStdString()}};
        wanted.items = {item};
        wanted.evidence = {files::Sha256::of("path"), "request"};
        const auto asked = w.world.engine->approvals().queue().submit(std::move(wanted));
        if (!asked || asked->id == 0) {
            QVERIFY(path.contains("//") || path.contains('\0')); // no path at all: nobody is asked
            return;
        }
        TRY(w.isReady());
        for (auto* const each : w.view().findChildren<QLabel*>()) {
            QVERIFY2(carrel::test::unfit(each->text().toUtf8()).isEmpty(), qPrintable(carrel::test::unfit(each->text().toUtf8())));
        }
        auto* const what = find<QLabel>(w.view(), "what");
        if (path.size() > 1000) {
            QCOMPARE(what->text().remove('\n'), QString("GET ") + path);
            QVERIFY(w.window->minimumSizeHint().width() < 1000);
        }
    }
};

QTEST_MAIN(TestCredentialInbox)
#include "test_credential_inbox.moc"
