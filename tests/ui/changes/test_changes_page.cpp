// SPDX-License-Identifier: Apache-2.0
#include "tests/ui/changes/page_test.h"

#include "tests/support/nasty_texts.h"
#include "ui/changes/change_tree_model.h"
#include "ui/changes/diff_view.h"
#include "ui/parts/empty_state.h"
#include "ui/parts/message_bar.h"

#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTabWidget>
#include <QTableView>
#include <QTreeWidget>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;

namespace {
constexpr int kPatience = 30'000; // only a test that fails waits for it
}
#define SOON(what) QTRY_VERIFY_WITH_TIMEOUT(what, kPatience)
#define SOON_SAME(a, b) QTRY_COMPARE_WITH_TIMEOUT(a, b, kPatience)

class TestChangesPage : public QObject {
    Q_OBJECT
    std::unique_ptr<PageWorld> m;

    static std::vector<json::object> threeChanges() {
        return {change("papers/a.md"), change("papers/notes/b.md", "created"), change("papers/old.txt", "deleted")};
    }
    void openWith(std::vector<json::object> changes) {
        m->engine.stage('a', std::move(changes));
        QVERIFY(m->open());
        SOON(applyButton()->isEnabled());
    }
    QPushButton* applyButton() const { return m->find<QPushButton>("apply"); }
    MessageBar* bar(const char* name) const { return m->find<MessageBar>(name); }
    static void press(const QWidget* within, const char* name) { QTest::mouseClick(ui::test::find<QPushButton>(*within, name), Qt::LeftButton); }
    static QPushButton* actionOf(const MessageBar* bar) { return bar->findChild<QPushButton*>(); }
    json::object last(const char* verb) const {
        const auto all = m->engine.asked(verb);
        return all.empty() ? json::object() : all.back();
    }
    int count(const char* verb) const { return static_cast<int>(m->engine.asked(verb).size()); }

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
    }
    void init() { m = std::make_unique<PageWorld>(); }
    void cleanup() {
        m->page.reset();
        QCOMPARE(m->engine.problems(), std::string());
        m.reset();
    }

    // Look, choose, apply, take back: exactly the review and the paths that were on the screen.
    void whatIsChosenIsAppliedAndTakenBack() {
        openWith(threeChanges());
        QCOMPARE(m->find<QLabel>("summary")->text(), "3 change(s), 2.4 kB of new content");
        m->choose("papers/notes");
        m->choose("papers/old.txt");
        QCOMPARE(applyButton()->text(), "&Apply 2");
        QTest::mouseClick(applyButton(), Qt::LeftButton);
        SOON_SAME(count("apply"), 1);
        QCOMPARE(json::serialize(last("apply")), json::serialize(json::object{{"agent", "desk"},
                                                                            {"review", std::string(64, 'a')},
                                                                            {"paths", json::array{json::object{{"path", "papers/notes"}},
                                                                                                  json::object{{"path", "papers/old.txt"}}}}}));
        SOON(bar("resultBar")->isVisible());
        QCOMPARE(bar("resultBar")->text(), "3 change(s) applied.");
        QTest::mouseClick(actionOf(bar("resultBar")), Qt::LeftButton);
        SOON_SAME(count("undo"), 1);
        QCOMPARE(json::serialize(last("undo")), std::string("{\"agent\":\"desk\",\"apply\":4}"));
        SOON(bar("resultBar")->text().contains("taken back"));
    }
    void nothingChosenMeansTheWholeReview() {
        openWith(threeChanges());
        QCOMPARE(applyButton()->text(), "&Apply all 3");
        QTest::mouseClick(applyButton(), Qt::LeftButton);
        SOON_SAME(count("apply"), 1);
        QVERIFY(!last("apply").contains("paths"));
        SOON_SAME(count("changes"), 2); // and it looks at what is left
    }
    // But not while a filter hides some of it.
    void aFilterIsNoChoice() {
        openWith(threeChanges());
        m->find<QLineEdit>("filterName")->setText("a.md");
        SOON(!applyButton()->isEnabled());
        m->choose("papers");
        QCOMPARE(applyButton()->text(), "&Apply 1");
        QTest::mouseClick(applyButton(), Qt::LeftButton);
        SOON_SAME(count("apply"), 1);
        QCOMPARE(json::serialize(last("apply").at("paths")), std::string("[{\"path\":\"papers/a.md\"}]"));
    }
    void pagesAreListedWhole() {
        std::vector<json::object> many;
        for (int i = 0; i < 2500; ++i) {
            many.push_back(change("papers/" + std::to_string(i / 100) + "/" + std::to_string(i)));
        }
        openWith(many);
        QCOMPARE(count("changes"), 3);
        QCOMPARE(applyButton()->text(), "&Apply all 2500");
    }
    // A list that is not whole cannot be decided on.
    void aListWithHolesIsRefused() {
        m->engine.stage('a', threeChanges());
        m->engine.addToChanges({{"totals", {{"changes", 9}, {"bytes", 0}, {"high_risk", 0}, {"conflicts", 0}}}});
        QVERIFY(m->open());
        SOON(m->find<EmptyState>("emptyState")->text().contains("not whole"));
        QVERIFY(!applyButton()->isEnabled());
    }
    void highRiskNeedsItsWord() {
        openWith({change("papers/a.md"), risky(change("papers/.git/hooks/post-commit", "created"))});
        QTest::mouseClick(applyButton(), Qt::LeftButton);
        SOON(m->dialog() != nullptr);
        auto* dialog = m->dialog();
        QCOMPARE(dialog->objectName(), "highRiskDialog");
        const auto* const files = ui::test::find<QTableView>(*dialog, "files");
        QCOMPARE(files->model()->rowCount(), 1);
        QCOMPARE(files->model()->index(0, 0).data().toString(), "papers/.git/hooks/post-commit");
        QCOMPARE(files->model()->index(0, 1).data().toString(), "git runs this file");
        auto* const yes = ui::test::find<QPushButton>(*dialog, "yes");
        auto* const word = ui::test::find<QLineEdit>(*dialog, "word");
        QVERIFY(ui::test::find<QPushButton>(*dialog, "no")->isDefault());
        QVERIFY(!yes->isEnabled());
        QTest::keyClicks(word, "appl");
        QTest::keyClick(word, Qt::Key_Return); // closes nothing
        QVERIFY(dialog->isVisible() && !yes->isEnabled());
        QTest::keyClicks(word, "y");
        QVERIFY(yes->isEnabled());
        QCOMPARE(count("apply"), 0);
        QTest::mouseClick(yes, Qt::LeftButton);
        SOON_SAME(count("apply"), 1);
        QVERIFY(!last("apply").contains("paths"));
    }
    void theSafeAnswerSendsNothing_data() {
        QTest::addColumn<int>("key");
        QTest::newRow("enter") << int(Qt::Key_Return);
        QTest::newRow("escape") << int(Qt::Key_Escape);
    }
    void theSafeAnswerSendsNothing() {
        QFETCH(int, key);
        openWith({change("papers/a.md"), risky(change("papers/run.sh"))});
        QTest::mouseClick(applyButton(), Qt::LeftButton);
        SOON(m->dialog() != nullptr);
        QTest::keyClick(m->dialog(), Qt::Key(key));
        SOON(m->dialog() == nullptr);
        m->choose("papers");
        press(m->page.get(), "discard");
        SOON(m->dialog() != nullptr);
        QTest::keyClick(m->dialog(), Qt::Key(key));
        SOON(m->dialog() == nullptr);
        // Whatever was sent would have come before this.
        QTest::keySequence(m->page.get(), QKeySequence::Refresh);
        press(m->page.get(), "lookAgain");
        SOON_SAME(count("changes"), 2);
        QCOMPARE(count("apply"), 0);
        QCOMPARE(count("discard"), 0);
    }
    void whatIsDiscardedIsAskedAboutAndNamed() {
        openWith(threeChanges());
        QVERIFY(!m->find<QPushButton>("discard")->isEnabled()); // never everything by itself
        m->choose("papers/a.md");
        press(m->page.get(), "discard");
        SOON(m->dialog() != nullptr);
        QCOMPARE(ui::test::find<QTableView>(*m->dialog(), "files")->model()->index(0, 0).data().toString(), "papers/a.md");
        press(m->dialog(), "yes");
        SOON_SAME(count("discard"), 1);
        QCOMPARE(json::serialize(last("discard")),
                 "{\"agent\":\"desk\",\"review\":\"" + std::string(64, 'a') + "\",\"paths\":[{\"path\":\"papers/a.md\"}]}");
        SOON(bar("resultBar")->text().contains("discarded"));
        QVERIFY(!actionOf(bar("resultBar"))->isVisible()); // nothing to take back
    }
    void conflictsAreLeftOutAndBothCanBeKept() {
        openWith({change("papers/a.md"), inConflict(change("papers/b.md"))});
        QCOMPARE(applyButton()->text(), "&Apply all 1");
        m->choose("papers/b.md");
        QVERIFY(!applyButton()->isEnabled());
        QVERIFY2(m->find<QLabel>("chosen")->text().contains("1 conflict(s) left out"), qPrintable(m->find<QLabel>("chosen")->text()));
        QVERIFY(m->find<QLabel>("conflict")->text().contains("changed on this computer"));
        press(m->page.get(), "keepBoth");
        SOON_SAME(count("apply"), 1);
        QVERIFY(last("apply").at("keep_both").as_bool());
        QCOMPARE(json::serialize(last("apply").at("paths")), std::string("[{\"path\":\"papers/b.md\"}]"));
        SOON(bar("resultBar")->text().contains("put beside yours"));
    }
    void whatWasNotDoneIsListedWithWhy() {
        openWith(threeChanges());
        auto answer = m->engine.done("apply", 4);
        answer["outcomes"] = json::array{{{"share", "papers"}, {"path", "papers/a.md"}, {"kind", "modified"}, {"outcome", "conflict"}, {"reason", "you changed it"}},
                                         {{"share", "papers"}, {"path", "papers/old.txt"}, {"kind", "deleted"}, {"outcome", "kept"}, {"reason", "it was worked on"}},
                                         {{"share", "papers"}, {"path", "papers/notes/b.md"}, {"kind", "created"}, {"outcome", "done"}}};
        answer["totals"] = {{"done", 1}, {"conflicts", 1}, {"refused", 0}, {"failed", 0}, {"kept", 1}};
        m->engine.setAnswer("apply", answer);
        QTest::mouseClick(applyButton(), Qt::LeftButton);
        SOON(m->find<QWidget>("outcomes")->isVisible());
        const auto* const list = m->find<QTreeWidget>("outcomeList");
        QCOMPARE(list->topLevelItemCount(), 2);
        QCOMPARE(list->topLevelItem(0)->text(0), "papers/a.md");
        QCOMPARE(list->topLevelItem(0)->text(1), "Conflict");
        QCOMPARE(list->topLevelItem(0)->text(2), "you changed it");
        QVERIFY(bar("resultBar")->text().contains("1 could not be done"));
    }
    // What is on the screen stays, and is what is applied, whatever the agent goes on to do.
    void somethingNewerIsSaidAndNotApplied() {
        openWith(threeChanges());
        m->engine.stage('b', {change("papers/sneaky.sh")});
        SOON(bar("newerBar")->isVisible());
        QVERIFY(m->row("papers/a.md").isValid());
        QTest::mouseClick(applyButton(), Qt::LeftButton);
        SOON_SAME(count("apply"), 1);
        QCOMPARE(api::textAt(last("apply"), "review"), std::string(64, 'a'));
    }
    void lookingAgainShowsTheNewer() {
        openWith(threeChanges());
        m->choose("papers/a.md");
        m->engine.stage('b', {change("papers/a.md"), change("papers/more.md")});
        SOON(bar("newerBar")->isVisible());
        QTest::mouseClick(actionOf(bar("newerBar")), Qt::LeftButton);
        SOON(m->row("papers/more.md").isValid());
        SOON(applyButton()->isEnabled());
        QVERIFY(!bar("newerBar")->isVisible());
        QCOMPARE(applyButton()->text(), "&Apply all 2"); // what was chosen of the other review is not chosen of this one
    }
    // The same bytes under another mark are no news.
    void theSameAgainIsNoNews() {
        openWith(threeChanges());
        m->engine.stage('a', threeChanges());
        SOON_SAME(count("changes"), 2); // it was looked into
        SOON_SAME(count("changes.wait"), 3);
        QVERIFY(!bar("newerBar")->isVisible());
    }
    void nothingStagedIsSaidAndSomethingThatComesIsShown() {
        m->engine.nothingStaged();
        QVERIFY(m->open());
        SOON(m->find<EmptyState>("emptyState")->text().contains("Nothing waits for review"));
        m->engine.stage('a', threeChanges());
        SOON(applyButton()->isVisible() && applyButton()->isEnabled());
    }
    void whatIsNotInTheReviewIsSaid() {
        m->engine.addToChanges({{"left_out", json::array{{{"share", "papers"}, {"path", "papers/scans.iso"}, {"reason", "it is too large for one review"}}}},
                                {"not_listed", json::array{{{"share", "photos"}, {"why", "its log is damaged"}}}},
                                {"auto_full", json::array{{{"share", "papers"}, {"until", "2026-03-01T13:00:00.000Z"}}}}});
        openWith(threeChanges());
        QVERIFY(bar("notesBar")->isVisible());
        for (const char* part : {"papers/scans.iso: it is too large", "photos: cannot be listed", "its log is damaged", "automatic mode"}) {
            QVERIFY2(bar("notesBar")->text().contains(part), qPrintable(bar("notesBar")->text()));
        }
    }
    void anAgentThatDoesNotRunCanBeStarted() {
        m->engine.setRunning(false, "stopped");
        m->engine.stage('a', threeChanges());
        QVERIFY(m->open());
        SOON(m->find<EmptyState>("emptyState")->text().contains("desk is not running"));
        QCOMPARE(count("changes"), 0);
        QSignalSpy wanted(m->page.get(), &ChangesPage::startWanted);
        press(m->find<QWidget>("emptyState"), "emptyAction");
        QCOMPARE(wanted.size(), 1);
        m->engine.setRunning(true, "ready");
        SOON(applyButton()->isVisible() && applyButton()->isEnabled());
    }
    // What was looked at stays on the screen, and is said to be that.
    void anAgentThatStopsMeanwhile() {
        openWith(threeChanges());
        m->engine.setRunning(false, "stopped");
        SOON(bar("machineBar")->isVisible());
        QVERIFY(m->row("papers/a.md").isValid());
        QSignalSpy wanted(m->page.get(), &ChangesPage::startWanted);
        QTest::mouseClick(actionOf(bar("machineBar")), Qt::LeftButton);
        QCOMPARE(wanted.size(), 1);
    }
    // An engine that does not answer takes nothing from the window; and it can be called off.
    void aSilentEngineLeavesTheWindowAlive() {
        openWith(threeChanges());
        m->engine.stall("apply");
        QTest::mouseClick(applyButton(), Qt::LeftButton);
        SOON_SAME(count("apply"), 1);
        m->tree()->setCurrentIndex(m->row("papers/notes/b.md"));
        SOON_SAME(m->find<QLabel>("changeName")->text(), "papers/notes/b.md");
        QVERIFY(!applyButton()->isEnabled()); // not twice
        QPushButton* cancel = nullptr;
        SOON([&] {
            for (auto* const each : m->page->findChildren<QPushButton*>("cancel")) {
                cancel = each->isVisible() ? each : cancel;
            }
            return cancel != nullptr;
        }());
        QTest::mouseClick(cancel, Qt::LeftButton);
        SOON_SAME(m->engine.calledOff("apply"), 1);
        SOON(bar("resultBar")->text().contains("stays done"));
        SOON(applyButton()->isEnabled());
    }
    void lookingCanBeCalledOff() {
        m->engine.stage('a', threeChanges());
        m->engine.stall("changes");
        QVERIFY(m->open());
        QPushButton* cancel = nullptr;
        SOON([&] {
            for (auto* const each : m->page->findChildren<QPushButton*>("cancel")) {
                cancel = each->isVisible() ? each : cancel;
            }
            return cancel != nullptr;
        }());
        QTest::mouseClick(cancel, Qt::LeftButton);
        SOON_SAME(m->engine.calledOff("changes"), 1);
        m->engine.goOn("changes");
        press(m->find<QWidget>("emptyState"), "emptyAction");
        SOON(applyButton()->isVisible() && applyButton()->isEnabled());
    }
    void anEngineThatGoesAndComes() {
        m->engine.nothingStaged();
        QVERIFY(m->open());
        SOON(m->find<EmptyState>("emptyState")->text().contains("Nothing waits"));
        m->engine.goDown();
        m->engine.stage('a', threeChanges());
        m->engine.comeUp();
        SOON(applyButton()->isVisible() && applyButton()->isEnabled());
    }
    void hiddenItAsksForNothing() {
        openWith(threeChanges());
        m->page->hide();
        SOON(m->engine.calledOff("changes.wait") >= 1);
        const auto asked = count("changes");
        m->engine.stage('b', {change("papers/x")});
        // A round to the engine and back.
        QSignalSpy round(new Request(api::socketPath(api::openHome().value()).value(), "engine.info", {}, m->page.get()), &Request::finished);
        SOON(round.count() == 1);
        QCOMPARE(count("changes"), asked);
        QVERIFY(!bar("newerBar")->isVisibleTo(m->page.get()));
        m->page->show();
        SOON(bar("newerBar")->isVisible());
    }
    void theDifferenceIsShown() {
        openWith(threeChanges());
        m->tree()->setCurrentIndex(m->row("papers/a.md"));
        SOON(m->find<DiffView>("diffView")->isVisible());
        QCOMPARE(json::serialize(last("diff")), "{\"agent\":\"desk\",\"review\":\"" + std::string(64, 'a') +
                                                    "\",\"paths\":[{\"path\":\"papers/a.md\"}],\"limit\":1}");
        QCOMPARE(m->find<DiffView>("diffView")->document().rows.size(), std::size_t(3));
    }
    void whatHasNoLinesSaysWhy() {
        m->engine.setDiff("papers/a.md", {{"diff", nullptr}, {"no_diff", "not text"}});
        openWith(threeChanges());
        m->tree()->setCurrentIndex(m->row("papers/a.md"));
        SOON_SAME(m->find<QLabel>("noDifference")->text(), "There is nothing to show line by line: not text.");
    }
    // Of an office file a viewer in a machine of its own takes the text, which takes a while.
    void aDocumentIsWaitedFor() {
        m->engine.doNotHold("diff");
        auto before = change("papers/offer.docx");
        before["document"] = {{"kind", "docx"}, {"state", "waiting"}};
        m->engine.setDiff("papers/offer.docx", {{"change", before}, {"diff", nullptr}, {"no_diff", "the viewer is at work"}});
        openWith({change("papers/offer.docx")});
        SOON(m->find<QLabel>("noDifference")->text().contains("The viewer is reading the document"));
        SOON(last("diff").contains("documents"));
        auto after = before;
        after["document"] = {{"kind", "docx"}, {"state", "ready"}, {"same_text", false}};
        m->engine.setDiff("papers/offer.docx", {{"change", after}, {"diff", "@@ -1 +1 @@\n-100\n+120\n"}});
        SOON(m->find<DiffView>("diffView")->isVisible());
        QVERIFY(bar("documentNote")->text().startsWith("Text taken from the document by an offline viewer"));
    }
    void threeVersionsOfAConflict() {
        auto both = inConflict(change("papers/b.md"));
        m->engine.setDiff("papers/b.md", {{"three_way", {{"base_known", true}, {"listing", "@@ 1,1: both changed it @@\n|older\n<old\n>new\n"}, {"both_changed", 1}}}});
        openWith({change("papers/a.md"), both});
        m->tree()->setCurrentIndex(m->row("papers/b.md"));
        auto* const button = m->find<QAbstractButton>("threeWays");
        SOON(button->isVisible());
        QTest::mouseClick(button, Qt::LeftButton);
        SOON(m->find<DiffView>("diffView")->document().rows.size() == 4 && m->find<DiffView>("diffView")->isVisible());
        QVERIFY(last("diff").at("three_way").as_bool());
        QCOMPARE(m->find<DiffView>("diffView")->document().rows[2].kind, RowKind::Yours);
    }
    void theHistoryTakesBackWhatIsAsked() {
        const auto history = json::parse(R"({"applies":[
            {"number":7,"kind":"apply","time":"2026-03-01T12:10:00.000Z","by":"owner","done":2,"not_done":1,"undoes":null,"undone_by":null,"shares":["papers"],"first":"papers/a"},
            {"number":6,"kind":"undo","time":"2026-03-01T12:09:00.000Z","by":"owner","done":2,"not_done":0,"undoes":5,"undone_by":null,"shares":["papers"],"first":"papers/b"},
            {"number":5,"kind":"apply","time":"2026-03-01T12:00:00.000Z","by":"auto","done":2,"not_done":0,"undoes":null,"undone_by":6,"shares":["papers"],"first":"papers/b"}],
            "next":null})");
        m->engine.setAnswer("history", history.as_object());
        openWith(threeChanges());
        m->find<QTabWidget>("changesTabs")->setCurrentIndex(1);
        auto* const list = m->find<QTreeView>("historyList");
        SOON_SAME(list->model()->rowCount(), 3);
        auto* const undo = m->find<QPushButton>("undoPast");
        list->setCurrentIndex(list->model()->index(2, 0));
        QVERIFY(!undo->isEnabled()); // it is taken back already
        list->setCurrentIndex(list->model()->index(0, 0));
        QTest::mouseClick(undo, Qt::LeftButton);
        SOON(m->dialog() != nullptr);
        QTest::keyClick(m->dialog(), Qt::Key_Return); // what is safe
        SOON(m->dialog() == nullptr);
        QTest::mouseClick(undo, Qt::LeftButton);
        SOON(m->dialog() != nullptr);
        press(m->dialog(), "yes");
        SOON_SAME(count("undo"), 1);
        QCOMPARE(json::serialize(last("undo")), std::string("{\"agent\":\"desk\",\"apply\":7}"));
    }
    void errorsAreSaid() {
        openWith(threeChanges());
        m->engine.setAnswer("apply", []() -> Result<json::value> {
            return fail(ErrorCode::NotFound, "there is no such review any more", "Look again and decide on what is there now");
        });
        QTest::mouseClick(applyButton(), Qt::LeftButton);
        SOON_SAME(bar("resultBar")->text(), "There is no such review any more. Look again and decide on what is there now.");
    }
    // Whatever a guest calls its files, and whatever it says: no label, bar, row or question shows anything that acts.
    void nastyTextsAreShownHarmless_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : carrel::test::allNastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
    }
    void nastyTextsAreShownHarmless() {
        QFETCH(QByteArray, text);
        const auto nasty = text.isValidUtf8() ? text.toStdString() : std::string("\xe2\x80\xae"); // JSON is UTF-8
        auto bad = risky(inConflict(change("papers/a"), nasty.c_str()), nasty.c_str());
        const auto name = text.left(4000); // as long as a path may be
        bad.erase("path");
        bad["path_b64"] = ("papers/" + name).toBase64().toStdString();
        bad["kind"] = "renamed";
        bad["from"] = nasty.substr(0, 4000);
        auto good = risky(change("papers/good"), nasty.c_str());
        m->engine.setDiff("papers/" + name.toStdString(), {{"diff", nullptr}, {"no_diff", nasty}});
        m->engine.addToChanges({{"left_out", json::array{{{"share", nasty}, {"path", nasty.substr(0, 4000)}, {"reason", nasty}}}}});
        auto answer = m->engine.done("apply", 4);
        answer["outcomes"] = json::array{{{"share", nasty}, {"path", nasty.substr(0, 4000)}, {"kind", "modified"}, {"outcome", "failed"}, {"reason", nasty}}};
        answer["totals"] = {{"done", 0}, {"conflicts", 0}, {"refused", 0}, {"failed", 1}, {"kept", 0}};
        answer["review"] = std::string(64, 'a');
        openWith({good, bad});
        m->engine.setAnswer("apply", answer);
        m->tree()->setCurrentIndex(qobject_cast<ChangeTreeModel*>(m->tree()->model())->indexOf("papers/" + name.toStdString()));
        SOON(m->find<QLabel>("noDifference")->text().startsWith("There is nothing to show line by line: "));
        QTest::mouseClick(applyButton(), Qt::LeftButton);
        SOON(m->dialog() != nullptr);
        checkHarmless();
        QTest::keyClicks(ui::test::find<QLineEdit>(*m->dialog(), "word"), "apply");
        press(m->dialog(), "yes");
        SOON(m->find<QWidget>("outcomes")->isVisible());
        SOON(bar("resultBar")->isVisible());
        checkHarmless();
    }

private:
    void checkHarmless() const {
        QStringList shown;
        for (const auto* const label : m->page->findChildren<QLabel*>()) {
            QVERIFY(label->text().isEmpty() || label->textFormat() == Qt::PlainText);
            shown << label->text() << label->accessibleName();
        }
        for (const auto* const view : m->page->findChildren<QAbstractItemView*>()) {
            collect(*view->model(), {}, shown);
        }
        for (const auto& text : shown) {
            QVERIFY2(carrel::test::actsOnNobody(text.toStdString()), qPrintable(text));
        }
    }
    static void collect(const QAbstractItemModel& model, const QModelIndex& above, QStringList& out) {
        for (int row = 0; row < model.rowCount(above); ++row) {
            for (int column = 0; column < model.columnCount(above); ++column) {
                for (const int role : {int(Qt::DisplayRole), int(Qt::ToolTipRole), int(Qt::AccessibleTextRole)}) {
                    out << model.index(row, column, above).data(role).toString();
                }
            }
            collect(model, model.index(row, 0, above), out);
        }
    }
};

QTEST_MAIN(TestChangesPage)
#include "test_changes_page.moc"
