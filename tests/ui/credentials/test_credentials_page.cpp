// SPDX-License-Identifier: Apache-2.0
// Credentials in the window, over a whole engine: added, tried, removed, by the keyboard too; the sealed file opened and locked; and
// after all of it the value is nowhere in the window.
#include "tests/ui/credentials/credentials_world.h"

#include "ui/credentials/credentials_model.h"
#include "ui/network/network_page.h"
#include "ui/agents/agent_page.h"
#include "ui/text/languages.h"

#include <QAccessible>
#include <QAction>
#include <QMetaProperty>
#include <QPointer>
#include <QTreeWidget>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;
namespace fs = std::filesystem;

namespace {

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, kPatience)

const QString kValue = QStringLiteral("tok-") + QStringLiteral("0123456789abcdefGHIJ");
const QString kPassphrase = QStringLiteral("four words and a blank");
const QStringList kSecrets{kValue, kValue.mid(4, 12), kPassphrase, kPassphrase.left(10)};

QString logged; // all that any part of it has said
void keep(QtMsgType, const QMessageLogContext&, const QString& text) {
    logged += text + '\n';
    fprintf(stderr, "%s\n", qPrintable(text));
}

bool holdsOne(const QString& text) {
    return std::any_of(kSecrets.begin(), kSecrets.end(), [&](const QString& each) { return text.contains(each); });
}

// In any property, model, or word for a screen reader; empty: nowhere.
QString whereASecretIs() {
    QString found;
    const auto look = [&](const QObject& of) {
        const auto name = QString::fromLatin1(of.metaObject()->className()) + ' ' + of.objectName();
        for (int i = 0; i < of.metaObject()->propertyCount(); ++i) {
            if (holdsOne(of.metaObject()->property(i).read(&of).toString())) {
                found += name + '.' + of.metaObject()->property(i).name() + ' ';
            }
        }
        for (const auto& each : of.dynamicPropertyNames()) {
            found += holdsOne(of.property(each).toString()) ? name + '.' + QString::fromLatin1(each) + ' ' : QString();
        }
        if (auto* const accessible = QAccessible::queryAccessibleInterface(const_cast<QObject*>(&of))) {
            for (const auto text : {QAccessible::Name, QAccessible::Description, QAccessible::Value, QAccessible::Help, QAccessible::Accelerator}) {
                found += holdsOne(accessible->text(text)) ? name + " accessible " : QString();
            }
        }
        if (const auto* const model = qobject_cast<const QAbstractItemModel*>(&of)) {
            for (int row = 0; row < model->rowCount(); ++row) {
                for (int column = 0; column < model->columnCount(); ++column) {
                    for (int role = 0; role < Qt::UserRole + 8; ++role) {
                        found += holdsOne(model->index(row, column).data(role).toString()) ? name + " cell " : QString();
                    }
                }
            }
        }
    };
    QList<QPointer<QObject>> all; // some come and go while they are looked at
    for (auto* const top : QApplication::topLevelWidgets()) {
        all << top;
        for (auto* const each : top->findChildren<QObject*>()) {
            all << each;
        }
    }
    for (const auto& each : std::as_const(all)) {
        if (each) {
            look(*each);
        }
    }
    return found + (holdsOne(logged) ? "log" : "");
}

// In any file of the home, and of the runtime folder beside it.
QString whichFileHolds(const fs::path& folder, const QString& text) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) {
            QFile file(QString::fromStdString(entry.path().string()));
            if (file.open(QIODevice::ReadOnly) && file.readAll().contains(text.toUtf8())) {
                return file.fileName();
            }
        }
    }
    return {};
}

AddCredentialDialog* adding() {
    return dialog<AddCredentialDialog>("addCredentialDialog");
}
PassphraseDialog* asking() {
    auto* const found = dialog<PassphraseDialog>("passphraseDialog");
    return found != nullptr && find<QPushButton>(*found, "openFile")->isEnabled() ? found : nullptr;
}
void type(const QDialog& into, const char* field, const QString& text) {
    QTest::keyClicks(find<QLineEdit>(into, field), text);
}
QString said(const QObject& within, const char* label) {
    auto* const found = find<QLabel>(within, label);
    return found->isVisible() ? found->text() : QString();
}
QString bar(const QObject& within) {
    return within.findChild<MessageBar*>()->text();
}

} // namespace

class TestCredentialsPage : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        installLanguages();
        qInstallMessageHandler(keep);
    }
    void cleanupTestCase() { qInstallMessageHandler(nullptr); }

    void emptyHasOneNextStep() {
        CredentialsWorld w;
        TRY(w.isShown());
        QVERIFY(w.emptyAction()->isVisible() && !w.button("addCredential")->isVisible());
        QVERIFY(find<QWidget>(w.page(), "noCredentials")->accessibleName().contains("never see"));
        click(w.emptyAction());
        TRY(adding());
        TRY(find<QLineEdit>(*adding(), "credentialName")->hasFocus());
        QTest::keyClick(adding(), Qt::Key_Escape);
        TRY(!adding());
        QVERIFY(w.world.engine->credentials().list()->empty());
    }
    // By the keyboard alone, from the window to what is kept.
    void addedByTheKeyboard() {
        CredentialsWorld w;
        w.world.addAgent("desk", false);
        w.world.addAgent("scout", false);
        TRY(w.link.state() == EngineLink::State::Ready && find<QAbstractItemView>(*w.window, "agents")->model()->rowCount() == 2);
        QTest::keyClick(w.window.get(), Qt::Key_K, Qt::ControlModifier);
        TRY(w.page().isVisible() && w.emptyAction()->isVisible());
        w.emptyAction()->setFocus();
        QTest::keyClick(w.emptyAction(), Qt::Key_Space);
        TRY(adding() && find<QLineEdit>(*adding(), "credentialName")->hasFocus());
        const auto next = [&](const char* field) {
            QTest::keyClick(QApplication::focusWidget(), Qt::Key_Tab);
            return QApplication::focusWidget() != nullptr && QApplication::focusWidget()->objectName() == field;
        };
        QTest::keyClicks(QApplication::focusWidget(), "hosting");
        QVERIFY(next("hosts"));
        QTest::keyClicks(QApplication::focusWidget(), "git.example.org");
        QVERIFY(next("kind"));
        QTest::keyClick(QApplication::focusWidget(), Qt::Key_Down);
        QTest::keyClick(QApplication::focusWidget(), Qt::Key_Down);
        QVERIFY(next("user"));
        QTest::keyClicks(QApplication::focusWidget(), "ada");
        QVERIFY(next("value"));
        QTest::keyClicks(QApplication::focusWidget(), kValue);
        QVERIFY(next("agentsOfIt"));
        QTest::keyClick(QApplication::focusWidget(), Qt::Key_Home);
        QTest::keyClick(QApplication::focusWidget(), Qt::Key_Space);
        QVERIFY(said(*adding(), "agentsWords").contains("without asking"));
        QVERIFY(next("variable"));
        QTest::keyClicks(QApplication::focusWidget(), "GIT_TOKEN");
        QVERIFY(next("methods"));
        QTest::keyClicks(QApplication::focusWidget(), "get");
        QVERIFY(next("paths"));
        QTest::keyClicks(QApplication::focusWidget(), "/ada/*");
        QVERIFY2(said(*adding(), "consequence").contains("git.example.org alone, as Authorization: Basic, as the user ada"), qPrintable(said(*adding(), "consequence")));
        QTest::keyClick(QApplication::focusWidget(), Qt::Key_Return);
        TRY(w.list().rowCount() == 1);
        TRY(!adding());
        const auto kept = w.world.engine->credentials().find("hosting");
        QVERIFY(kept && kept->hosts == std::vector<std::string>{"git.example.org"} && kept->basicUser == "ada" && kept->variable == "GIT_TOKEN" &&
                kept->methods == std::vector<std::string>{"GET"} && kept->paths == std::vector<std::string>{"/ada/*"} &&
                kept->agents == std::vector{w.world.engine->agent("desk").value()->id()});
        {
            const std::lock_guard lock(w.memory.mutex);
            QCOMPARE(w.memory.values.at("hosting"), kValue.toStdString());
        }
        QCOMPARE(w.list().index(0, CredentialsModel::Agents).data().toString(), QString("desk"));
        QVERIFY(bar(w.page()).contains("in this computer's keyring") && bar(w.page()).contains("GIT_TOKEN"));
        // Invariant I6: the window that it was typed into has nothing of it.
        QCOMPARE(whereASecretIs(), QString());
        QCOMPARE(whichFileHolds(w.world.folder(), kValue), QString());
        QVERIFY(!whichFileHolds(w.world.folder(), "git.example.org").isEmpty()); // the search finds what there is
    }
    // It finds what a window does hold, or it would not mean a thing.
    void theSearchFindsOne() {
        QLabel shown("this " + kValue);
        QVERIFY(whereASecretIs().contains("QLabel"));
    }
    void whatIsWrongIsSaidBesideTheField() {
        CredentialsWorld w;
        TRY(w.isShown());
        click(w.emptyAction());
        TRY(adding());
        auto& add = *adding();
        click(find<QPushButton>(add, "add"));
        QVERIFY(said(add, "credentialNameProblem").contains("lower-case") && said(add, "hostsProblem").contains("one host") &&
                said(add, "valueProblem").contains("Type or paste"));
        QVERIFY(find<QLineEdit>(add, "credentialName")->hasFocus());
        QCOMPARE(find<QLineEdit>(add, "credentialName")->accessibleDescription(), said(add, "credentialNameProblem").mid(2));
        type(add, "credentialName", "hosting");
        QVERIFY(said(add, "credentialNameProblem").isEmpty() && find<QLineEdit>(add, "credentialName")->accessibleDescription().isEmpty());
        type(add, "hosts", "git.example.org");
        QVERIFY(said(add, "hostsProblem").isEmpty());
        for (const auto& [value, says] : {std::pair{"short", "too short"}, {" with a blank before it", "cannot stand in a header field"}}) {
            type(add, "value", value);
            QVERIFY(said(add, "valueProblem").isEmpty());
            click(find<QPushButton>(add, "add"));
            QVERIFY2(said(add, "valueProblem").contains(says), says);
            QVERIFY(find<QLineEdit>(add, "value")->hasFocus());
            find<QLineEdit>(add, "value")->clear();
        }
        QVERIFY(w.world.engine->credentials().list()->empty());
        // What the engine refuses, too: the value is not kept here for another try.
        w.add("hosting", "git.example.org", "another value");
        type(add, "value", kValue);
        click(find<QPushButton>(add, "add"));
        TRY(bar(add).contains("already"));
        QVERIFY(bar(add).contains("typed once more") && find<QLineEdit>(add, "value")->text().isEmpty());
        QCOMPARE(whereASecretIs(), QString());
        add.reject();
    }
    void whereTheEngineIsAway() {
        CredentialsWorld w;
        TRY(w.isShown());
        click(w.emptyAction());
        TRY(adding());
        type(*adding(), "credentialName", "hosting");
        type(*adding(), "hosts", "git.example.org");
        type(*adding(), "value", kValue);
        w.world.goDown();
        click(find<QPushButton>(*adding(), "add"));
        TRY(find<QPushButton>(*adding(), "add")->isEnabled() && bar(*adding()).contains("typed once more"));
        QCOMPARE(whereASecretIs(), QString());
        w.world.comeUp();
        type(*adding(), "value", kValue);
        click(find<QPushButton>(*adding(), "add"));
        TRY(!adding());
        QVERIFY(w.world.engine->credentials().find("hosting"));
    }
    // Without a keyring: first a passphrase, typed twice; then it can be locked, which is said with what it means.
    void theSealedFile() {
        CredentialsWorld w(CredentialsWorld::Keyring::None);
        w.world.addAgent("desk", false);
        TRY(w.isShown());
        click(w.emptyAction());
        TRY(asking());
        QVERIFY(said(*asking(), "passphraseWords").contains("no keyring") && find<QWidget>(*asking(), "passphraseAgain")->isVisible());
        type(*asking(), "passphrase", "short");
        click(find<QPushButton>(*asking(), "openFile"));
        QVERIFY(said(*asking(), "passphraseProblem").contains("too short"));
        type(*asking(), "passphrase", kPassphrase);
        type(*asking(), "passphraseAgain", kPassphrase);
        click(find<QPushButton>(*asking(), "openFile"));
        QVERIFY(said(*asking(), "passphraseProblem").contains("not the same"));
        QVERIFY(find<QLineEdit>(*asking(), "passphrase")->text().isEmpty() && find<QLineEdit>(*asking(), "passphraseAgain")->text().isEmpty());
        type(*asking(), "passphrase", kPassphrase);
        type(*asking(), "passphraseAgain", kPassphrase);
        click(find<QPushButton>(*asking(), "openFile"));
        TRY(adding()); // on with what was wanted
        QCOMPARE(whereASecretIs(), QString());
        type(*adding(), "credentialName", "hosting");
        type(*adding(), "hosts", "git.example.org");
        type(*adding(), "value", kValue);
        click(find<QPushButton>(*adding(), "add"));
        TRY(w.list().rowCount() == 1 && find<QWidget>(w.page(), "openRow")->isVisible());
        QCOMPARE(w.list().index(0, CredentialsModel::Kept).data().toString(), QString("sealed file"));
        click(w.button("lockFile"));
        auto* const locked = find<MessageBar>(w.page(), "lockedBar");
        TRY(locked->isVisible() && !find<QWidget>(w.page(), "openRow")->isVisible());
        QVERIFY(locked->text().contains("refused: hosting") && *w.world.engine->credentials().sealed() == egress::SecretStore::Standing::Locked);
        w.button("testCredential")->click();
        TRY(said(w.page(), "testResult").contains("cannot be had"));
        const auto unlock = [&](const QString& passphrase) {
            type(*asking(), "passphrase", passphrase);
            click(find<QPushButton>(*asking(), "openFile"));
        };
        click(locked->findChild<QPushButton*>());
        TRY(asking());
        QVERIFY(!find<QWidget>(*asking(), "passphraseAgain")->isVisible());
        unlock("another passphrase");
        TRY(asking() && said(*asking(), "passphraseProblem").contains("not the passphrase"));
        QVERIFY(find<QLineEdit>(*asking(), "passphrase")->text().isEmpty());
        unlock(kPassphrase);
        TRY(!locked->isVisible() && find<QWidget>(w.page(), "openRow")->isVisible());
        QVERIFY(said(w.page(), "testResult").isEmpty()); // what was found before is not so any more
        QCOMPARE(whereASecretIs(), QString());
        for (const auto& each : kSecrets) {
            QCOMPARE(whichFileHolds(w.world.folder(), each), QString());
        }
    }
    // Whoever unlocks or adds it elsewhere, this window shows it, without being asked to.
    void byOthersWord() {
        CredentialsWorld w;
        TRY(w.isShown());
        w.add("hosting", "git.example.org", "another value");
        TRY(w.list().rowCount() == 1 && w.button("addCredential")->isVisible());
        QVERIFY(w.world.engine->credentials().remove("hosting"));
        TRY(w.list().rowCount() == 0 && w.emptyAction()->isVisible());
    }
    void tested() {
        CredentialsWorld w;
        w.world.addAgent("desk", false);
        w.world.addAgent("scout", false);
        w.add("hosting", "git.example.org", kValue.toStdString(), {w.world.engine->agent("desk").value()->id()});
        w.add("models", "api.example.org", kValue.toStdString());
        TRY(w.isShown() && w.list().rowCount() == 2);
        TRY(w.button("testCredential")->isEnabled());
        click(w.button("testCredential"));
        TRY(said(w.page(), "testResult").contains("Nothing was sent"));
        auto* const uses = find<QTreeWidget>(w.page(), "uses");
        QCOMPARE(uses->topLevelItemCount(), 1);
        QCOMPARE(uses->topLevelItem(0)->text(0) + ' ' + uses->topLevelItem(0)->text(1) + ' ' + uses->topLevelItem(0)->text(2),
                 QString("desk git.example.org when you allow it"));
        QCOMPARE(uses->topLevelItem(0)->text(4), QString("No network"));
        // Of one alone: it does not stand beside another.
        find<QTableView>(w.page(), "credentials")->selectRow(1);
        QVERIFY(said(w.page(), "testResult").isEmpty() && !uses->isVisible());
        QCOMPARE(said(w.page(), "credentialTitle"), QString("models"));
        w.button("testCredential")->click();
        TRY(uses->isVisible() && uses->topLevelItemCount() == 2);
        QCOMPARE(whereASecretIs(), QString());
    }
    void removedAfterAQuestion() {
        CredentialsWorld w;
        w.add("hosting", "git.example.org", kValue.toStdString());
        TRY(w.isShown() && w.list().rowCount() == 1 && w.button("removeCredential")->isEnabled());
        click(w.button("removeCredential"));
        TRY(dialog<Question>("question"));
        QTest::keyClick(dialog<Question>("question"), Qt::Key_Return); // the safe answer is the default
        TRY(!dialog<Question>("question"));
        QVERIFY(w.world.engine->credentials().find("hosting"));
        {
            const std::lock_guard lock(w.memory.mutex);
            w.memory.silent = true; // so that its value stays
        }
        click(w.button("removeCredential"));
        TRY(dialog<Question>("question"));
        click(find<QPushButton>(*dialog<Question>("question"), "agree"));
        TRY(w.list().rowCount() == 0);
        TRY(bar(w.page()).contains("still where it was kept"));
        QVERIFY(!w.world.engine->credentials().find("hosting"));
    }
    // Where it cannot be told where a value would be kept, nobody types one for nothing.
    void noPlaceForIt() {
        CredentialsWorld w;
        {
            const std::lock_guard lock(w.memory.mutex);
            w.memory.silent = true;
        }
        TRY(w.isShown());
        click(w.emptyAction());
        TRY(bar(w.page()).contains("keyring is locked"));
        QVERIFY(!adding());
    }
    void aHiddenPageAsksForNothing() {
        CredentialsWorld w;
        TRY(w.isShown());
        w.window->showApprovals();
        TRY(!w.page().isVisible());
        QVERIFY(w.page().findChildren<Request*>().isEmpty());
        w.add("hosting", "git.example.org", "another value");
        QCOMPARE(w.list().rowCount(), 0);
        w.window->showCredentials();
        TRY(w.list().rowCount() == 1);
    }
    // Beside an agent's network: those that it can use, and the way to all.
    void thoseThatReachAnAgent() {
        CredentialsWorld w;
        w.world.addAgent("desk", false);
        w.world.addAgent("scout", false);
        const auto desk = w.world.engine->agent("desk").value()->id(), scout = w.world.engine->agent("scout").value()->id();
        w.window->showAgent("desk");
        TRY(w.window->page("desk")->isVisible());
        w.window->page("desk")->showPage("networkPage");
        auto& page = *find<NetworkPage>(*w.window->page("desk"), "networkPage");
        TRY(said(page, "keysTitle") == "No credential reaches this agent");
        w.add("hosting", "git.example.org", "another value", {desk});
        TRY(said(page, "keysTitle") == "1 credential that it can use, and does not see");
        QCOMPARE(said(page, "keys"), QString("hosting, at git.example.org"));
        w.add("other", "api.example.org", "another value", {scout});
        for (const char* name : {"b", "c", "d"}) {
            w.add(name, "any.example.org", "another value");
        }
        TRY(said(page, "keysTitle").startsWith("4 credentials"));
        QCOMPARE(said(page, "keys").split('\n').size(), 4);
        QVERIFY(said(page, "keys").contains("b, at any.example.org, by a rule or when you are asked") && said(page, "keys").endsWith("and 1 more"));
        click(find<QPushButton>(page, "allKeys"));
        TRY(w.page().isVisible() && w.list().rowCount() == 5);
    }
    // Every control has a name that is read out, and is reached in the order in which it stands.
    void namesAndOrder() {
        CredentialsWorld w(CredentialsWorld::Keyring::None);
        const auto passphrase = egress::Secret::ofPassphrase(relay::secretText("a passphrase"));
        QVERIFY(w.world.engine->credentials().unlock(*passphrase));
        w.add("hosting", "git.example.org", "another value");
        TRY(w.isShown() && w.button("lockFile")->isVisible());
        const QStringList order{"credentials", "addCredential", "testCredential", "removeCredential", "lockFile"};
        QStringList met;
        for (auto* each = w.page().nextInFocusChain(); each != &w.page(); each = each->nextInFocusChain()) {
            if (w.page().isAncestorOf(each) && each->isVisible() && (each->focusPolicy() & Qt::TabFocus) != 0) {
                met << (order.contains(each->objectName()) ? each->objectName() : QString());
                auto* const button = qobject_cast<QPushButton*>(each);
                QVERIFY2(!each->accessibleName().isEmpty() || (button != nullptr && !button->text().isEmpty()), qPrintable(each->objectName()));
            }
        }
        met.removeAll(QString());
        QCOMPARE(met, order);
        QVERIFY(find<QAction>(*w.window, "credentialsAction")->shortcut() == QKeySequence("Ctrl+K"));
    }
};

QTEST_MAIN(TestCredentialsPage)
#include "test_credentials_page.moc"
