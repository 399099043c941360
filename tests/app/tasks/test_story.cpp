// SPDX-License-Identifier: Apache-2.0
// The story of a task: followed by whoever watches, kept over a crash at any byte, and bounded.
#include "app/tasks/story.h"

#include <QFile>
#include <QIODevice>
#include <QTemporaryDir>
#include <QTest>

#include <set>

using namespace carrel;
using namespace carrel::tasks;

namespace {

std::string all(const Story& story) {
    std::map<std::uint64_t, std::string> items;
    for (const auto& told : story.since(0, 1'000'000).items) {
        items[told.item] = std::string(toString(told.what.kind)) + ":" + told.what.title + ":" + told.what.text + ":" + std::string(talk::toString(told.what.status)) + ";";
    }
    std::string out;
    for (const auto& [number, text] : items) {
        out += text;
    }
    return out;
}

} // namespace

class TestStory : public QObject {
    Q_OBJECT
private slots:
    void whoWatchesGetsWhatIsNew() {
        QTemporaryDir dir;
        const auto story = Story::open(dir.filePath("s").toStdString()).value();
        QVERIFY(story->add({ItemKind::User, 1, 5, "sort"}));
        QVERIFY(story->take({1, talk::Text{1, "I "}}, 6));
        auto news = story->since(0);
        QVERIFY(news.items.size() == 2 && !news.more);
        QVERIFY(story->since(news.mark).items.empty());
        QVERIFY(story->take({2, talk::Text{1, "see"}}, 7));
        news = story->since(news.mark);
        QVERIFY(news.items.size() == 1 && news.items[0].item == 2 && news.items[0].what.text == "I see" && news.items[0].what.timeMs == 6);
        QVERIFY(story->take({3, talk::Tool{1, "t", "List", talk::ToolKind::Read, talk::ToolStatus::InProgress, "", "", {}, {}}}, 8));
        QVERIFY(story->take({4, talk::Text{1, "so"}}, 9));
        QVERIFY(story->take({5, talk::Tool{1, "t", "List", talk::ToolKind::Read, talk::ToolStatus::Completed, "", "out", {{"/a", {}, "n"}}, {}}}, 10));
        news = story->since(news.mark);
        QVERIFY(news.items.size() == 2 && news.items[0].item == 4 && news.items[1].item == 3); // in the order in which they changed last
        QCOMPARE(story->since(0, 1).more, true);
        QCOMPARE(story->lastWords(1, 100), std::string("so"));
        QVERIFY(story->since(10'000).items.size() == 4); // a mark of nobody's: all of it
        QVERIFY(describe(news.items[1]).at("diffs").as_array().size() == 1 && describe(news.items[1]).at("status") == "completed");
    }

    void noUpdateIsTakenTwice() {
        QTemporaryDir dir;
        {
            const auto story = Story::open(dir.filePath("s").toStdString()).value();
            QVERIFY(story->take({1, talk::Text{1, "a"}}, 1));
            QVERIFY(story->take({2, talk::Text{1, "b"}}, 1));
        }
        const auto story = Story::open(dir.filePath("s").toStdString()).value();
        QCOMPARE(story->taken(), 2U);
        QVERIFY(story->take({2, talk::Text{1, "b"}}, 1));
        QVERIFY(story->take({3, talk::Text{1, "c"}}, 1));
        QCOMPARE(all(*story), std::string("text::abc:pending;"));
        QVERIFY(story->newRun());
        QCOMPARE(story->taken(), 0U);
    }

    // Cut at each byte, it opens as one of the stories that it was, and goes on.
    void aCrashAtAnyByte() {
        QTemporaryDir dir;
        const auto path = dir.filePath("s");
        std::set<std::string> were{""};
        {
            const auto story = Story::open(path.toStdString()).value();
            const auto was = [&] { were.insert(all(*story)); };
            QVERIFY(story->add({ItemKind::User, 1, 1, "sort \xc3\xa4"}));
            was();
            QVERIFY(story->take({1, talk::Text{1, "a"}}, 1));
            was();
            QVERIFY(story->take({2, talk::Text{1, "b"}}, 1));
            was();
            QVERIFY(story->take({3, talk::Tool{1, "t", "T", {}, talk::ToolStatus::Pending, "", "", {}, {}}}, 1));
            was();
            QVERIFY(story->take({4, talk::Tool{1, "t", "T", {}, talk::ToolStatus::Completed, "", "o", {}, {}}}, 1));
            was();
        }
        QFile file(path);
        QVERIFY(file.open(QIODevice::ReadOnly));
        const auto whole = file.readAll();
        file.close();
        for (int length = 0; length <= whole.size(); ++length) {
            QFile cut(dir.filePath("c"));
            QVERIFY(cut.open(QIODevice::WriteOnly | QIODevice::Truncate));
            cut.write(whole.left(length));
            cut.close();
            auto story = Story::open(dir.filePath("c").toStdString());
            QVERIFY2(story, story ? "" : story.error().text().c_str());
            QVERIFY2(were.contains(all(**story)), all(**story).c_str());
            QVERIFY((*story)->add({ItemKind::Note, 1, 1, "on"}));
            const auto again = Story::open(dir.filePath("c").toStdString());
            QVERIFY(again && all(**again) == all(**story));
        }
    }

    void aLineThatCannotBeReadIsSaid() {
        QTemporaryDir dir;
        for (const auto* line : {"{\n", "{\"item\":2,\"kind\":\"note\",\"turn\":1,\"time_ms\":1,\"text\":\"\"}\n", "{\"grow\":1,\"text\":\"a\"}\n", "{\"taken\":-1}\n",
                                 "{\"item\":1,\"kind\":\"song\",\"turn\":1,\"time_ms\":1,\"text\":\"\"}\n"}) {
            QFile file(dir.filePath("s"));
            QVERIFY(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
            file.write(line);
            file.close();
            const auto story = Story::open(dir.filePath("s").toStdString());
            QVERIFY2(!story && !story.error().hint.empty(), line);
            QVERIFY(file.open(QIODevice::ReadOnly) && file.readAll() == line);
        }
    }

    void longTextsGoOnInTheNextItem() {
        QTemporaryDir dir;
        const auto story = Story::open(dir.filePath("s").toStdString()).value();
        std::string wanted;
        for (std::uint64_t i = 1; i <= 40; ++i) {
            std::string piece = "x";
            for (int k = 0; k < 300; ++k) {
                piece += "\xe2\x82\xac"; // of three bytes, so that an item's end falls within one
            }
            wanted += piece;
            QVERIFY(story->take({i, talk::Text{1, piece}}, 1));
        }
        std::string got;
        for (const auto& told : story->since(0, 1000).items) {
            QVERIFY(told.what.text.size() <= kMaxItemText);
            got += told.what.text;
        }
        QVERIFY(got == wanted);
    }

    void aStoryHasAnEnd() {
        QTemporaryDir dir;
        const auto path = dir.filePath("s").toStdString();
        const auto story = Story::open(path).value();
        const std::string much(talk::kMaxOutputBytes, '\x01');
        std::uint64_t number = 0;
        while (std::filesystem::file_size(path) < kMaxStory + 1024 * 1024) {
            const auto before = std::filesystem::file_size(path);
            for (int i = 0; i < 200; ++i) {
                ++number;
                QVERIFY(story->take({number, talk::Tool{1, "t" + std::to_string(number), "", {}, talk::ToolStatus::Completed, much, much, {}, {}}}, 1));
            }
            if (std::filesystem::file_size(path) < before + 100'000) {
                break; // only what was taken is still written
            }
        }
        QVERIFY(std::filesystem::file_size(path) < kMaxStory + 1024 * 1024);
        const auto items = story->since(0, 1'000'000).items;
        QCOMPARE(std::count_if(items.begin(), items.end(), [](const auto& each) { return each.what.kind == ItemKind::Note; }), 1);
        QVERIFY(story->add({ItemKind::User, 2, 1, "what I say is kept"}));
        QCOMPARE(story->taken(), number);
    }
};

QTEST_GUILESS_MAIN(TestStory)
#include "test_story.moc"
