// SPDX-License-Identifier: Apache-2.0
// What agents ask, answered in the window, over a whole engine: what is allowed is what was shown, the safe answer is the default,
// and what a guest says is never mistaken for what Carrel saw.
#include "tests/ui/desktop_world.h"

#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"
#include "ui/approvals/approvals_page.h"
#include "ui/approvals/request_view.h"
#include "ui/changes/diff_view.h"
#include "ui/parts/message_bar.h"
#include "ui/window/main_window.h"

#include <QAction>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTextDocument>
#include <QTreeWidget>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;
using agents::test::contentOf;

namespace {

struct Inbox {
    DesktopWorld world;
    EngineLink link{EngineLink::Pace{std::chrono::milliseconds(50), std::chrono::seconds(30)}};
    std::unique_ptr<MainWindow> window = std::make_unique<MainWindow>(link);

    Inbox() {
        world.addAgent("desk");
        window->show();
        link.start();
        window->showApprovals();
    }
    [[nodiscard]] std::shared_ptr<agents::Agent> agent() const { return world.engine->agent("desk").value(); }
    std::uint64_t askApply(const std::string& claim = "the report you wanted") {
        auto asked = world.engine->approvals().askApply(agent(), {{}}, claim, {});
        if (!asked) {
            qFatal("%s", asked.error().text().c_str());
        }
        return asked->submitted.id;
    }
    [[nodiscard]] RequestView& request() const { return find<ApprovalsPage>(*window, "approvalsPage")->request(); }
    [[nodiscard]] QPushButton* button(const char* name) const { return find<QPushButton>(request(), name); }
    [[nodiscard]] QString label(const char* name) const { return find<QLabel>(request(), name)->text(); }
    [[nodiscard]] QString bar() const { return find<MessageBar>(request(), "requestBar")->text(); }
    [[nodiscard]] QStringList linesShown() const {
        QStringList out;
        if (auto* const view = request().findChild<DiffView*>()) {
            for (const auto& row : view->document().rows) {
                if (row.kind == RowKind::Added) {
                    out << QString::fromUtf8(row.right.data(), static_cast<qsizetype>(row.right.size()));
                }
            }
        }
        return out;
    }
    [[nodiscard]] policy::ApprovalState state(std::uint64_t id) const { return world.engine->approvals().queue().find(id)->state; }
    [[nodiscard]] bool shown() const { return request().isVisible() && button("deny")->isVisible() && button("deny")->isEnabled(); }
};

} // namespace

class TestInbox : public QObject {
    Q_OBJECT
private slots:
    void allowed() {
        Inbox inbox;
        inbox.world.guest->write("report.md", "one\ntwo\n");
        const auto id = inbox.askApply();
        QTRY_VERIFY_WITH_TIMEOUT(find<QAction>(*inbox.window, "approvals")->text().contains("(1)"), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(inbox.button("allow")->isEnabled(), kPatience);
        QVERIFY(inbox.label("words").contains("desk"));
        QCOMPARE(inbox.label("claim"), QString("the report you wanted"));
        auto* const changes = find<QTreeWidget>(inbox.request(), "changes");
        QCOMPARE(changes->topLevelItemCount(), 1);
        QCOMPARE(changes->topLevelItem(0)->text(0), QString("papers/report.md"));
        QTRY_VERIFY_WITH_TIMEOUT(inbox.linesShown() == QStringList({"one", "two"}), kPatience);
        QVERIFY(!std::filesystem::exists(inbox.world.papers() / "report.md"));
        click(inbox.button("allow"));
        QTRY_VERIFY_WITH_TIMEOUT(inbox.state(id) == policy::ApprovalState::Allowed, kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(inbox.bar().contains("1 change(s) applied"), kPatience);
        QCOMPARE(contentOf(inbox.world.papers() / "report.md"), std::string("one\ntwo\n"));
        QTRY_COMPARE_WITH_TIMEOUT(find<QAction>(*inbox.window, "approvals")->text(), QString("Approvals"), kPatience);
        QVERIFY(!inbox.button("allow")->isVisible());
    }
    // The answer comes when somebody looks at another request by then: nothing of it is told there.
    void anAnswerIsOfItsOwnRequest() {
        Inbox inbox;
        inbox.world.guest->write("report.md", "one\n");
        const auto first = inbox.askApply();
        QTRY_VERIFY_WITH_TIMEOUT(inbox.button("allow")->isEnabled(), kPatience);
        const auto folder = inbox.world.engine->approvals().askFolder(inbox.agent(), "the photos");
        QVERIFY(folder);
        auto* const list = find<QListView>(*inbox.window, "requests");
        QTRY_COMPARE_WITH_TIMEOUT(list->model()->rowCount(), 2, kPatience);
        click(inbox.button("allow"));
        list->setCurrentIndex(list->model()->index(1, 0)); // before the answer can have come
        inbox.request().takeFolder("/home/ada/photos");
        QTRY_VERIFY_WITH_TIMEOUT(inbox.state(first) == policy::ApprovalState::Allowed, kPatience);
        QTRY_COMPARE_WITH_TIMEOUT(list->model()->index(1, 0).data(Qt::AccessibleTextRole).toString().contains("Allowed"), true, kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(inbox.label("words").contains("folder"), kPatience);
        QVERIFY2(!inbox.bar().contains("applied"), qPrintable(inbox.bar()));
        QCOMPARE(inbox.label("claim"), QString("the photos"));
    }
    void denied() {
        Inbox inbox;
        inbox.world.guest->write("report.md", "one\n");
        const auto id = inbox.askApply();
        QTRY_VERIFY_WITH_TIMEOUT(inbox.button("allow")->isEnabled(), kPatience);
        // No key that is pressed without looking allows anything.
        QTest::keyClick(&inbox.request(), Qt::Key_Return);
        QTest::keyClick(find<QListView>(*inbox.window, "requests"), Qt::Key_Return);
        QVERIFY(inbox.state(id) == policy::ApprovalState::Open);
        click(inbox.button("deny"));
        QTRY_VERIFY_WITH_TIMEOUT(inbox.state(id) == policy::ApprovalState::Denied, kPatience);
        QVERIFY(!std::filesystem::exists(inbox.world.papers() / "report.md"));
    }
    // Looks different, and takes a word.
    void highRisk() {
        Inbox inbox;
        inbox.world.guest->makeFolder(".git");
        inbox.world.guest->makeFolder(".git/hooks");
        inbox.world.guest->write(".git/hooks/post-commit", "#!/bin/sh\n", 0755);
        const auto id = inbox.askApply();
        QTRY_VERIFY_WITH_TIMEOUT(inbox.shown() && find<QTreeWidget>(inbox.request(), "changes")->topLevelItemCount() == 3, kPatience);
        QVERIFY(inbox.label("risk").contains("HIGH RISK"));
        auto* const word = find<QLineEdit>(inbox.request(), "word");
        QVERIFY(word->isVisible() && !inbox.button("allow")->isEnabled());
        QTest::keyClicks(word, "yes");
        QVERIFY(!inbox.button("allow")->isEnabled());
        QTest::keyClick(word, Qt::Key_Return);
        QVERIFY(inbox.state(id) == policy::ApprovalState::Open);
        word->clear();
        QTest::keyClicks(word, ".git"); // that it names
        QTRY_VERIFY_WITH_TIMEOUT(inbox.button("allow")->isEnabled(), kPatience);
        click(inbox.button("allow"));
        QTRY_VERIFY_WITH_TIMEOUT(inbox.state(id) == policy::ApprovalState::Allowed, kPatience);
    }
    // The very rule is shown before it is kept.
    void aRuleIsKept() {
        Inbox inbox;
        inbox.world.guest->write("report.md", "one\n");
        const auto id = inbox.askApply();
        QTRY_VERIFY_WITH_TIMEOUT(inbox.button("allow")->isEnabled(), kPatience);
        QVERIFY(!find<QPlainTextEdit>(inbox.request(), "toml")->isVisible());
        auto* const scope = find<QComboBox>(inbox.request(), "scope");
        scope->setCurrentIndex(scope->findData("agent"));
        QTRY_VERIFY_WITH_TIMEOUT(find<QPlainTextEdit>(inbox.request(), "toml")->toPlainText().contains("[[rule]]"), kPatience);
        const auto toml = find<QPlainTextEdit>(inbox.request(), "toml")->toPlainText();
        click(inbox.button("allow"));
        QTRY_VERIFY_WITH_TIMEOUT(inbox.state(id) == policy::ApprovalState::Allowed, kPatience);
        QTRY_COMPARE_WITH_TIMEOUT(inbox.world.engine->approvals().rules().rules().value().rules.size(), std::size_t{1}, kPatience);
        QVERIFY(toml.contains("report.md"));
    }
    // What has changed since it was shown is shown anew, and not allowed by a click that was meant for the old one.
    void itChangesMeanwhile() {
        Inbox inbox;
        const auto ask = [&](const std::string& claim) {
            policy::Ask wanted;
            wanted.agent = inbox.agent()->id();
            wanted.session = inbox.agent()->session();
            wanted.action = policy::Action::Network;
            wanted.about = "example.org";
            policy::Request item;
            item.agent = wanted.agent;
            item.session = wanted.session;
            item.action = policy::Action::Network;
            item.fields = {{"host", "example.org"}, {"port", "443"}};
            wanted.items = {item};
            wanted.evidence = {files::Sha256::of("example.org"), "request line"};
            wanted.claim = claim;
            return inbox.world.engine->approvals().queue().submit(std::move(wanted)).value().id;
        };
        const auto id = ask("a package");
        QTRY_VERIFY_WITH_TIMEOUT(inbox.button("allow")->isEnabled() && inbox.label("claim") == "a package", kPatience);
        QCOMPARE(ask("something else"), id);
        QTRY_VERIFY_WITH_TIMEOUT(inbox.bar().contains("changed"), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(inbox.button("allow")->isEnabled() && inbox.label("state").contains("2"), kPatience);
        QVERIFY(inbox.state(id) == policy::ApprovalState::Open);
        click(inbox.button("allow"));
        QTRY_VERIFY_WITH_TIMEOUT(inbox.state(id) == policy::ApprovalState::Allowed, kPatience);
    }
    // Somebody else was first: it is said, and nothing is done twice.
    void decidedElsewhere() {
        Inbox inbox;
        inbox.world.guest->write("report.md", "one\n");
        const auto id = inbox.askApply();
        QTRY_VERIFY_WITH_TIMEOUT(inbox.button("allow")->isEnabled(), kPatience);
        (void)inbox.world.engine->approvals().queue().withdraw(inbox.agent()->id(), id).has_value();
        QTRY_VERIFY_WITH_TIMEOUT(!inbox.button("allow")->isVisible(), kPatience);
        QVERIFY(find<QListView>(*inbox.window, "requests")->model()->index(0, 0).data(Qt::AccessibleTextRole).toString().contains("took it back"));
    }
    void aFolder() {
        Inbox inbox;
        const auto asked = inbox.world.engine->approvals().askFolder(inbox.agent(), "the photos, please");
        QVERIFY(asked && asked->kind == policy::Submitted::Kind::Waiting);
        QTRY_VERIFY_WITH_TIMEOUT(inbox.shown() && find<QPushButton>(inbox.request(), "chooseFolder")->isVisible(), kPatience);
        QVERIFY(!inbox.button("allow")->isEnabled());
        std::filesystem::create_directory(inbox.world.folder() / "photos");
        inbox.request().takeFolder(QString::fromStdString((inbox.world.folder() / "photos").string()));
        auto* const word = find<QLineEdit>(inbox.request(), "word");
        if (word->isVisible()) {
            word->setText("photos");
        }
        QTRY_VERIFY_WITH_TIMEOUT(inbox.button("allow")->isEnabled(), kPatience);
        click(inbox.button("allow"));
        QTRY_VERIFY_WITH_TIMEOUT(inbox.state(asked->id) == policy::ApprovalState::Allowed, kPatience);
        QTRY_COMPARE_WITH_TIMEOUT(inbox.agent()->describeShares().size(), std::size_t{2}, kPatience);
    }
    void nastyTexts_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : carrel::test::nastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
    }
    // I11: as a claim, as a file's name, in its lines.
    void nastyTexts() {
        QFETCH(QByteArray, text);
        Inbox inbox;
        auto name = QString::fromUtf8(text).left(60).replace(QChar::ReplacementCharacter, "_").toStdString();
        std::erase(name, '\0');
        std::replace(name.begin(), name.end(), '/', '_');
        inbox.world.guest->write(name, text.toStdString() + "\n");
        (void)inbox.askApply(text.toStdString());
        QTRY_VERIFY_WITH_TIMEOUT(inbox.shown() && find<QTreeWidget>(inbox.request(), "changes")->topLevelItemCount() == 1, kPatience);
        const auto fits = [](const QString& shown) { return carrel::test::unfit(shown.toUtf8()).isEmpty(); };
        for (auto* const label : inbox.request().findChildren<QLabel*>()) {
            QVERIFY2(fits(label->text()), qPrintable(label->text()));
            QVERIFY(label->textFormat() == Qt::PlainText || !Qt::mightBeRichText(label->text()));
        }
        QVERIFY(fits(find<QTreeWidget>(inbox.request(), "changes")->topLevelItem(0)->text(0)));
    }
};

QTEST_MAIN(TestInbox)
#include "test_inbox.moc"
