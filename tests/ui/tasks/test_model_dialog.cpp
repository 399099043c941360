// SPDX-License-Identifier: Apache-2.0
// The choice of a model: what comes of it is said before, and what is missing too. With a key: test_first_task.cpp.
#include "tests/ui/tasks/task_world.h"

#include "ui/parts/message_bar.h"
#include "ui/providers/model_dialog.h"
#include "ui/text/languages.h"

#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QSignalSpy>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;

#define TRY(what) QTRY_VERIFY_WITH_TIMEOUT(what, kPatience)

class TestModelDialog : public QObject {
    Q_OBJECT
    std::unique_ptr<TaskWorld> w;
    QPointer<ModelDialog> m_dialog;

    template <class Widget> [[nodiscard]] Widget* find(const char* name) const {
        auto* const found = m_dialog->findChild<Widget*>(QString::fromLatin1(name));
        if (found == nullptr) {
            qFatal("there is no %s", name);
        }
        return found;
    }
    void open(int choices) {
        TRY(w->link.state() == EngineLink::State::Ready && w->providers->known());
        m_dialog = new ModelDialog(w->link, "desk", w->providers->all(), nullptr);
        m_dialog->show();
        TRY(find<QListWidget>("choices")->count() == choices);
    }
    [[nodiscard]] QString consequence() const { return find<QLabel>("consequence")->text(); }
    [[nodiscard]] QPushButton* agree() const { return find<QPushButton>("agree"); }

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        installLanguages();
    }
    void init() { w = std::make_unique<TaskWorld>(); }
    void cleanup() {
        delete m_dialog;
        QCOMPARE(w->played.problems(), std::string());
        w.reset();
    }
    void oneThatIsThere() {
        w->played.addProvider("mine", {});
        open(4);
        QCOMPARE(find<QListWidget>("choices")->item(0)->text(), QString("large-1 by mine, at models.example.org:443"));
        QVERIFY(!find<QLineEdit>("model")->isVisible());
        TRY(agree()->isEnabled());
        QVERIFY(consequence().contains("no network"));
        QCOMPARE(static_cast<int>(w->played.asked("provider.use").size()), 1); // to look
        QSignalSpy chosen(m_dialog, &ModelDialog::chosen);
        QTest::mouseClick(agree(), Qt::LeftButton);
        TRY(m_dialog == nullptr || !chosen.isEmpty());
        QCOMPARE(json::serialize(w->played.asked("provider.use").back()), std::string("{\"agent\":\"desk\",\"provider\":\"mine\"}"));
    }
    // A server on this computer: which of its models is asked for has to be said.
    void oneOnThisComputer() {
        open(3);
        find<QListWidget>("choices")->setCurrentRow(1);
        QVERIFY(find<QLineEdit>("url")->isVisible() && !find<QLineEdit>("key")->isVisible());
        TRY(consequence().contains("Say which model"));
        QVERIFY(!agree()->isEnabled() && !find<QLabel>("modelProblem")->isVisible());
        QTest::keyClicks(find<QLineEdit>("model"), "qwen3:8b");
        TRY(agree()->isEnabled());
        QVERIFY2(consequence().contains("desk may connect to this computer, port 11434 without asking"), qPrintable(consequence()));
        QTest::keyClick(find<QLineEdit>("model"), Qt::Key_Return);
        TRY(w->played.asked("provider.use").size() == 1);
        QCOMPARE(json::serialize(w->played.asked("provider.add").back()), std::string("{\"name\":\"ollama\",\"preset\":\"ollama\",\"model\":\"qwen3:8b\"}"));
    }
    void oneThatNeedsAKey() {
        w->played.addProvider("hosted", {}); // so that its name is taken
        open(4);
        find<QListWidget>("choices")->setCurrentRow(1);
        QVERIFY(find<QLineEdit>("key")->isVisible() && find<QLineEdit>("key")->echoMode() != QLineEdit::Normal);
        QCOMPARE(find<QLineEdit>("providerName")->text(), QString("hosted-2"));
        QCOMPARE(find<QLineEdit>("model")->text(), QString("large-1"));
        TRY(agree()->isEnabled());
        QVERIFY(consequence().contains("The key goes there alone"));
        QTest::mouseClick(agree(), Qt::LeftButton);
        TRY(find<QLabel>("modelProblem")->isVisible());
        QVERIFY(find<QLabel>("modelProblem")->text().contains("key"));
        QVERIFY(find<QLineEdit>("key")->hasFocus());
        for (const auto& each : w->played.asked("provider.add")) { // looked at alone
            QVERIFY(api::flagAt(each, "preview"));
        }
    }
    // What the engine says is wrong is said in the dialog.
    void anAddressOfItsOwn() {
        open(3);
        find<QListWidget>("choices")->setCurrentRow(2);
        QVERIFY(find<QLineEdit>("url")->isVisible() && find<QWidget>("api")->isVisible());
        w->played.setAnswer("provider.add", [](const json::object& params) -> Result<json::value> {
            return fail(ErrorCode::InvalidArgument, "that is no address: " + api::textAt(params, "url"), "Write it as https://host/path");
        });
        QTest::keyClicks(find<QLineEdit>("url"), "models");
        QTest::keyClicks(find<QLineEdit>("model"), "large");
        TRY(find<QLabel>("modelProblem")->text().contains("That is no address: models"));
        QVERIFY(!agree()->isEnabled());
    }
    void whatIsRefusedIsSaidAndNothingIsLost() {
        w->played.addProvider("mine", {});
        open(4);
        TRY(agree()->isEnabled());
        w->played.setAnswer("provider.use", [](const json::object&) -> Result<json::value> { return fail(ErrorCode::Refused, "the rules are sealed", "Open them"); });
        QTest::mouseClick(agree(), Qt::LeftButton);
        TRY(m_dialog->findChild<MessageBar*>()->text().contains("The rules are sealed"));
        QVERIFY(m_dialog->isVisible() && agree()->isEnabled());
    }
};

QTEST_MAIN(TestModelDialog)
#include "test_model_dialog.moc"
