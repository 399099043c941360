// SPDX-License-Identifier: Apache-2.0
// The page as it looks, light and dark, wide and narrow. What a picture can be held against: that nothing is cut off for want of
// room, and that text stands out from what it is on. With CARREL_TEST_PICTURES=FOLDER the pictures are kept there, to be looked at.
#include "tests/ui/changes/page_test.h"

#include "tests/ui/dark_palette.h"
#include "ui/changes/diff_view.h"
#include "ui/parts/tones.h"

#include <QLabel>
#include <QPushButton>
#include <QStyleFactory>
#include <QTabWidget>

using namespace carrel;
using namespace carrel::ui;
using namespace carrel::ui::test;

namespace {

std::vector<json::object> sample() {
    auto notes = change("receipts/notes/ideas.md");
    notes["lines_added"] = 4;
    notes["lines_removed"] = 2;
    auto renamed = change("receipts/2026/march.csv", "renamed");
    renamed["from"] = "receipts/march.csv";
    auto mode = change("receipts/2026/run.sh", "mode");
    mode["content"] = nullptr;
    mode["mode"] = "0755";
    return {change("receipts/2026", "created", "directory"),
            change("receipts/2026/april.csv", "created"),
            renamed,
            risky(mode, "it becomes a program that can be run"),
            inConflict(notes),
            change("receipts/notes/plan with a name that is longer than any column could ever be.txt"),
            change("receipts/old scans/photo 1.png", "deleted"),
            change("receipts/old scans/photo 2.png", "deleted"),
            risky(change("site/.git/hooks/post-commit", "created")),
            change("site/index.html"),
            change("site/style.css")};
}

const char* const kDiff = "@@ -1,8 +1,9 @@\n"
                          " # Ideas for the spring\n"
                          " \n"
                          "-Ask the baker about the price of bread: 2.40 is too much.\n"
                          "+Ask the baker about the price of rye bread: 2.60 is far too much.\n"
                          "+Ask the miller, too.\n"
                          " \tindented with a tab\n"
                          " A line that did not change\n"
                          "-This one is gone.\n"
                          " \n"
                          " The end of the first part\n"
                          "@@ -40,4 +41,5 @@ \n"
                          " Further down\n"
                          "-total = price * number\n"
                          "+total = price * (number + 1)  # the one for the taster\n"
                          "+print(total)\n"
                          " done\n"
                          "\\ No newline at end of file\n";

} // namespace

class TestChangesPictures : public QObject {
    Q_OBJECT
    std::unique_ptr<PageWorld> m;

    static void keep(QWidget& widget, const QString& name) {
        const auto folder = qEnvironmentVariable("CARREL_TEST_PICTURES");
        const auto picture = widget.grab();
        QVERIFY(!picture.isNull());
        QVERIFY(folder.isEmpty() || picture.save(folder + '/' + name + ".png"));
    }
    static double brightness(const QColor& colour) {
        const auto part = [](double value) { return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4); };
        return 0.2126 * part(colour.redF()) + 0.7152 * part(colour.greenF()) + 0.0722 * part(colour.blueF());
    }
    // Of WCAG 2.2.
    static double contrast(const QColor& a, const QColor& b) {
        const double one = brightness(a);
        const double other = brightness(b);
        return (std::max(one, other) + 0.05) / (std::min(one, other) + 0.05);
    }
    // No button and no label shows less than its whole text.
    void checkRoom() const {
        for (const auto* const button : m->page->findChildren<QAbstractButton*>()) {
            if (button->isVisible()) {
                QVERIFY2(button->width() >= button->minimumSizeHint().width(), qPrintable(button->text()));
            }
        }
        for (const auto* const label : m->page->findChildren<QLabel*>()) {
            if (label->isVisible() && label->wordWrap()) {
                QVERIFY2(label->height() >= label->heightForWidth(label->width()), qPrintable(label->text()));
            }
        }
    }

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        QApplication::setStyle(QStyleFactory::create("Fusion"));
    }
    void page_data() {
        QTest::addColumn<bool>("dark");
        QTest::addColumn<int>("width");
        QTest::newRow("light") << false << 1160;
        QTest::newRow("dark") << true << 1160;
        QTest::newRow("narrow") << false << 760;
    }
    void page() {
        QFETCH(bool, dark);
        QFETCH(int, width);
        const auto before = QApplication::palette();
        QApplication::setPalette(dark ? carrel::ui::test::darkPalette() : QApplication::style()->standardPalette());
        m = std::make_unique<PageWorld>();
        m->engine.setDiff("receipts/notes/ideas.md",
                          {{"diff", kDiff},
                           {"three_way",
                            {{"base_known", true},
                             {"listing", "@@ 3,2: both changed it @@\n # Ideas\n|Ask about bread: 2.30\n<Ask about bread: 2.50\n>Ask about rye bread: "
                                         "2.60\n The end\n@@ 9,1: the agent changed it @@\n|x\n>y\n"},
                             {"both_changed", 1}}}});
        m->engine.addToChanges({{"left_out", json::array{{{"share", "receipts"}, {"path", "receipts/scans.iso"}, {"reason", "it is too large for one review"}}}}});
        m->engine.setAnswer("history", json::parse(R"({"applies":[
            {"number":6,"kind":"undo","time":"2026-03-01T12:09:00.000Z","by":"owner","done":2,"not_done":0,"undoes":5,"undone_by":null,"shares":["papers"],"first":"receipts/monday.txt"},
            {"number":5,"kind":"apply","time":"2026-03-01T12:00:00.000Z","by":"auto","done":2,"not_done":1,"undoes":null,"undone_by":6,"shares":["papers"],"first":"receipts/monday.txt"},
            {"number":4,"kind":"apply","time":"2026-02-28T09:30:00.000Z","by":"rule","done":12,"not_done":0,"undoes":null,"undone_by":null,"shares":["papers"],"first":"site/index.html"}],
            "next":null})").as_object());
        m->engine.stage('a', sample());
        QVERIFY(m->open());
        m->page->resize(width, 720);
        const QString name = QString::fromLatin1(QTest::currentDataTag());
        auto* const apply = m->find<QPushButton>("apply");
        QTRY_VERIFY_WITH_TIMEOUT(apply->isVisible() && apply->isEnabled(), 60'000);
        m->choose("receipts/2026/april.csv");
        m->choose("site");
        m->tree()->setCurrentIndex(m->row("receipts/notes/ideas.md"));
        auto* const view = m->find<DiffView>("diffView");
        QTRY_VERIFY_WITH_TIMEOUT(view->isVisible() && view->changes() == 3, 60'000);
        keep(*m->page, name + "-review");
        checkRoom();
        QTest::mouseClick(m->find<QAbstractButton>("threeWays"), Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(view->isVisible() && view->document().rows.front().kind == RowKind::Gap && view->changes() == 2, 60'000);
        keep(*m->page, name + "-three");
        QTest::mouseClick(apply, Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(m->dialog() != nullptr, 60'000);
        keep(*m->dialog(), name + "-risk");
        QTest::keyClick(m->dialog(), Qt::Key_Escape);
        QTRY_VERIFY_WITH_TIMEOUT(m->dialog() == nullptr, 60'000);
        m->engine.stage('b', sample());
        auto answer = m->engine.done("apply", 9);
        answer["outcomes"] = json::array{{{"share", "receipts"}, {"path", "receipts/notes/ideas.md"}, {"kind", "modified"}, {"outcome", "conflict"}, {"reason", "the file changed on this computer since the agent read it"}}};
        answer["totals"] = {{"done", 10}, {"conflicts", 1}, {"refused", 0}, {"failed", 0}, {"kept", 0}};
        m->engine.setAnswer("apply", answer);
        QTest::mouseClick(apply, Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(m->dialog() != nullptr, 60'000);
        QTest::keyClicks(ui::test::find<QWidget>(*m->dialog(), "word"), "apply");
        QTest::mouseClick(ui::test::find<QPushButton>(*m->dialog(), "yes"), Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(m->find<QWidget>("outcomes")->isVisible() && apply->isEnabled(), 60'000);
        keep(*m->page, name + "-applied");
        m->find<QTabWidget>("changesTabs")->setCurrentIndex(1);
        QTRY_COMPARE_WITH_TIMEOUT(m->find<QTreeView>("historyList")->model()->rowCount(), 3, 60'000);
        keep(*m->page, name + "-history");
        m->find<QTabWidget>("changesTabs")->setCurrentIndex(0);
        m->engine.nothingStaged();
        QTest::mouseClick(m->find<QPushButton>("lookAgain"), Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(m->find<QWidget>("emptyState")->isVisible(), 60'000);
        keep(*m->page, name + "-empty");
        checkRoom();
        m.reset();
        QApplication::setPalette(before);
    }
    void wordsStandOutFromTheirBackgrounds_data() {
        QTest::addColumn<bool>("dark");
        QTest::newRow("light") << false;
        QTest::newRow("dark") << true;
    }
    void wordsStandOutFromTheirBackgrounds() {
        QFETCH(bool, dark);
        const auto palette = dark ? carrel::ui::test::darkPalette() : QApplication::style()->standardPalette();
        for (const auto tone : {Tone::Added, Tone::Removed, Tone::Note, Tone::Warning}) {
            QVERIFY(contrast(palette.color(QPalette::Text), toneBackground(tone, palette)) >= 4.5);
            QVERIFY(contrast(toneColour(tone, palette), toneBackground(tone, palette)) >= 3); // signs
        }
    }
};

QTEST_MAIN(TestChangesPictures)
#include "test_changes_pictures.moc"
