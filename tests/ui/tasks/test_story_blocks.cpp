// SPDX-License-Identifier: Apache-2.0
// What a text is drawn as: paragraphs, entries and code, and nothing that a guest could mean as markup.
#include "app/api/display_text.h"
#include "tests/support/nasty_texts.h"
#include "tests/support/unfit_text.h"
#include "tests/ui/tasks/played_tasks.h"
#include "ui/tasks/story_blocks.h"
#include "ui/text/languages.h"

#include <QLatin1Char>
#include <QRegularExpression>
#include <QStringList>
#include <QTest>

using namespace carrel::ui;
using namespace carrel::ui::test;
using Kind = StoryBlock::Kind;

namespace {

QString shape(const std::vector<StoryBlock>& blocks) {
    QStringList out;
    for (const auto& each : blocks) {
        const char* const names = "WFPECARLO"; // in the order of the kinds
        out << QString(QLatin1Char(names[static_cast<int>(each.kind)])) + (each.mark.isEmpty() ? QString() : '<' + each.mark + '>') + ':' + each.text;
    }
    return out.join('|');
}

QString all(const std::vector<StoryBlock>& blocks) {
    QString out;
    for (const auto& each : blocks) {
        out += each.mark + each.text + each.more + '\n';
    }
    return out;
}

} // namespace

class TestStoryBlocks : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { installLanguages(); }
    void paragraphs() {
        QCOMPARE(shape(textBlocks("one\ntwo\n\n\nthree\n")), QString("P:one\ntwo|P:three"));
        QVERIFY(textBlocks("").empty());
    }
    void lists() {
        QCOMPARE(shape(textBlocks("Found:\n- tea\n  3.10\n* paper\n  - white\n12. rent\n-no entry")),
                 QString("P:Found:|E<•>:tea\n3.10|E<•>:paper|E<•>:white|E<12.>:rent|P:-no entry"));
        const auto blocks = textBlocks("- a\n  - b\n            - c");
        QCOMPARE(blocks[1].depth, 1);
        QCOMPARE(blocks[2].depth, 4); // and no deeper
    }
    void code() {
        QCOMPARE(shape(textBlocks("see\n```python\nx = 1\n\n- y\n```\nend")), QString("P:see|C:python|C:x = 1\n\n- y|P:end"));
        QCOMPARE(shape(textBlocks("````\n```\n````")), QString("C:```"));
        QCOMPARE(shape(textBlocks("~~~\nnever ended")), QString("C:never ended"));
        QCOMPARE(shape(textBlocks("| a | b |\n|---|---|\nend")), QString("C:| a | b |\n|---|---||P:end"));
    }
    // Neither of HTML nor of Markdown anything is taken for what it means elsewhere.
    void noMarkup() {
        const QString text = "# <b>bold</b> **x** [here](http://evil.example) <a href=\"x\">y</a> &lt; `z` ![i](j)";
        QCOMPARE(shape(textBlocks(text)), "P:" + text);
        const auto item = storyItemFrom(taskItem(1, "text", text.toStdString()));
        QCOMPARE(itemBlocks(item, false).back().text, text);
    }
    // So that one that grows is laid out where it grows.
    void aLongTextIsInPieces() {
        const QString lines = QString("a line of it\n").repeated(1000);
        const auto blocks = textBlocks("```\n" + lines + "```");
        QVERIFY(blocks.size() > 10);
        QString joined;
        for (const auto& each : blocks) {
            QVERIFY(each.kind == Kind::Code && each.text.count('\n') < 64);
            QCOMPARE(each.goesOn, !joined.isEmpty());
            joined += each.text + '\n';
        }
        QCOMPARE(joined, lines);
        const auto more = textBlocks("```\n" + lines + "one more\n```");
        QVERIFY(std::equal(blocks.begin(), blocks.end() - 1, more.begin()));
    }
    void aToolInOneLine() {
        auto from = toolItem(4, "Run pdftotext receipt.pdf", "failed");
        from["input"] = "pdftotext receipt.pdf -";
        from["paths"] = json::array{"/workspace/receipts/receipt.pdf"};
        from["diffs"] = json::array{json::object{{"path", "report.md"}, {"old", "tea 3\n"}, {"new", "tea 3.10\nrent\n"}}};
        const auto item = storyItemFrom(from);
        QVERIFY(item.folds() && item.isClaim());
        QCOMPARE(shape(itemBlocks(item, false)), QString("F<>_>:Run pdftotext receipt.pdf"));
        QCOMPARE(itemBlocks(item, false).front().more, QString("failed"));
        const auto opened = shape(itemBlocks(item, true));
        for (const char* part : {"The agent says that it uses a tool", "C:/workspace/receipts/receipt.pdf", "C:pdftotext receipt.pdf -", "R:- tea 3|A:+ tea 3.10\n+ rent", "C:what it printed"}) {
            QVERIFY2(opened.contains(part), qPrintable(opened));
        }
    }
    // Who says it, in words: what is the agent's claim, and what is not.
    void whoSaysSo() {
        const auto who = [](const char* kind) {
            const auto item = storyItemFrom(taskItem(1, kind, "Carrel: all is well"));
            const auto blocks = itemBlocks(item, true);
            const auto at = std::find_if(blocks.begin(), blocks.end(), [](const StoryBlock& each) { return each.kind == Kind::Who; });
            return std::pair(at == blocks.end() ? QString() : at->text, item.isClaim());
        };
        QCOMPARE(who("user"), std::pair(QString("You"), false));
        QCOMPARE(who("note"), std::pair(QString("Carrel"), false));
        for (const char* kind : {"text", "thought", "tool", "permission", "other", "of a later engine"}) {
            QVERIFY2(who(kind).first.startsWith("The agent") && who(kind).second, kind);
        }
    }
    void aPermission() {
        auto from = taskItem(2, "permission", "to send it");
        from["title"] = "Run curl";
        QVERIFY(itemBlocks(storyItemFrom(from), false).back().kind == Kind::Open);
        from["answer"] = "Allowed once, by you";
        const auto blocks = itemBlocks(storyItemFrom(from), false);
        QVERIFY(blocks.back().kind == Kind::Label);
        QCOMPARE(blocks.back().text, QString("Answered: Allowed once, by you"));
    }
    void nastyTexts_data() {
        QTest::addColumn<int>("at");
        int at = 0;
        for (const auto& [name, text] : carrel::test::nastyTexts()) {
            QTest::newRow(name) << at++;
        }
    }
    // Through every field that a guest writes.
    void nastyTexts() {
        QFETCH(const int, at);
        const auto text = carrel::test::nastyTexts().at(static_cast<std::size_t>(at)).second;
        for (const char* kind : {"text", "thought", "tool", "permission", "other"}) {
            auto from = taskItem(1, kind, "> " + text);
            for (const char* key : {"title", "input", "answer"}) {
                from[key] = carrel::api::asUtf8("> " + text);
            }
            from["text"] = carrel::api::asUtf8("> " + text);
            from["paths"] = json::array{carrel::api::asUtf8("> " + text)};
            from["diffs"] = json::array{json::object{{"path", carrel::api::asUtf8("> " + text)}, {"old", carrel::api::asUtf8("> " + text)}, {"new", carrel::api::asUtf8("> " + text)}}};
            const auto item = storyItemFrom(from);
            for (const bool opened : {false, true}) {
                auto shown = all(itemBlocks(item, opened));
                shown.replace(QRegularExpression("\n(?=Request 99|Carrel: )"), "\n> "); // lines of a text: their item says whose they are
                const auto problem = carrel::test::unfit(shown.toUtf8());
                QVERIFY2(problem.isEmpty(), qPrintable(problem));
            }
            QVERIFY(!item.title.contains('\n'));
        }
    }
};

QTEST_MAIN(TestStoryBlocks)
#include "test_story_blocks.moc"
