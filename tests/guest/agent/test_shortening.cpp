// SPDX-License-Identifier: Apache-2.0
// A conversation that fills what the model can read is replaced by the model's own notes.
#include "tests/guest/agent/played_model.h"
#include "tests/guest/agent/turn_words.h"

#include <QTest>

#include <fstream>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

namespace {

// A turn that calls the one tool, and has read so much.
PlayedTurn works(std::uint64_t read) {
    auto out = calls({{"echo", "{}"}});
    out.deltas.emplace_back(UsageSeen{{read - 10, 4, 3, 3}});
    return out;
}

std::string ofResources(const char* name) {
    std::ifstream file(std::string(CARREL_SOURCE_DIR "/resources/agent/") + name);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct Rig {
    PlayedModel model;
    NoWaiter waiter;
    Told told;
    Conversation conversation;
    PlayedTool echo{"echo", [](const boost::json::object&, const std::stop_token&) { return ToolOutcome{"ok", ToolEnd::Done}; }};
    LoopSettings settings;
    std::optional<Loop> loop;
    std::stop_source source;

    explicit Rig(std::deque<PlayedTurn> turns)
        : model(std::move(turns)) {
        settings.window = 1000;
        settings.maxTokens = 100;
        settings.shortening = {"write it down", "notes: {summary} asked: {asked}"};
    }
    Ended prompt(const char* text) {
        if (!loop) {
            loop.emplace(settings, model, std::vector<Tool*>{&echo}, RetryPolicy([] { return 0.0; }), waiter);
        }
        return loop->prompt(conversation, text, told, source.get_token());
    }
    [[nodiscard]] auto times() const { return std::count(told.lines.begin(), told.lines.end(), "shortened"); }
};

} // namespace

class TestShortening : public QObject {
    Q_OBJECT
private slots:
    void whenNearlyFull() {
        Rig rig({works(100), works(300), works(600), works(800), says("I found {asked} and $1."), says("Done.")});
        QVERIFY(rig.prompt("sort them").reason == EndReason::EndOfTurn);
        QCOMPARE(rig.times(), 1);
        const auto& messages = rig.conversation.messages();
        QCOMPARE(messages.size(), std::size_t(2));
        QCOMPARE(words(messages[0]), std::string("notes: I found {asked} and $1. asked: sort them"));
        QCOMPARE(words(messages[1]), std::string("Done."));
        QCOMPARE(rig.model.asked[4].size(), std::size_t(9)); // the whole of it, and the wish
        QVERIFY(words(rig.model.asked[4].back()).ends_with("|write it down"));
        QCOMPARE(rig.model.tools, std::size_t(1)); // an interface that sees calls wants to know the tools
        QVERIFY(std::find(rig.told.lines.begin(), rig.told.lines.end(), "text I found {asked} and $1.") == rig.told.lines.end());
    }

    void notBefore() {
        Rig rig({works(799), works(799), works(799), works(799), works(799), says("Done.")});
        QVERIFY(rig.prompt("go").reason == EndReason::EndOfTurn);
        QCOMPARE(rig.times(), 0);
        Rig unknown({works(5000), works(5000), works(5000), works(5000), works(5000), says("Done.")});
        unknown.settings.window = 0;
        QVERIFY(unknown.prompt("go").reason == EndReason::EndOfTurn);
        QCOMPARE(unknown.times(), 0);
    }

    void withTheNextPrompt() {
        auto last = says("Done.");
        last.deltas.emplace_back(UsageSeen{{900, 0, 0, 0}});
        Rig rig({works(1), last, says("notes"), says("And done.")});
        QVERIFY(rig.prompt("first").reason == EndReason::EndOfTurn);
        QCOMPARE(rig.times(), 0);
        QVERIFY(rig.prompt("second").reason == EndReason::EndOfTurn);
        QCOMPARE(rig.times(), 1);
        QCOMPARE(words(rig.conversation.messages()[0]), std::string("notes: notes asked: second"));
    }

    void notAgainAtOnce() {
        Rig rig({works(900), says("notes"), works(900), works(900), works(900), works(900),
                 says("more notes"), says("Done.")});
        QVERIFY(rig.prompt("go").reason == EndReason::EndOfTurn);
        QCOMPARE(rig.times(), 2);
    }

    void whereItFails() {
        const std::deque<PlayedTurn> before{works(900)};
        const auto with = [&](PlayedTurn turn) {
            auto turns = before;
            turns.push_back(std::move(turn));
            return turns;
        };
        for (const auto& turn : {calls({{"echo", "{}"}}), says("half", StopReason::MaxTokens), says("no", StopReason::Refusal),
                                 PlayedTurn{{}, failureOf({401, "", "", {}, {}}), {}}}) {
            Rig rig(with(turn));
            const auto how = rig.prompt("go");
            QVERIFY(how.reason == EndReason::Failed && how.error->message.find("nearly as long") != std::string::npos &&
                    !how.error->hint.empty());
            QCOMPARE(rig.conversation.messages().size(), std::size_t(3)); // as it was
            QCOMPARE(rig.times(), 0);
        }
        std::stop_source* source = nullptr;
        auto stopped = says("x");
        stopped.then = [&source] { source->request_stop(); };
        Rig rig(with(stopped));
        source = &rig.source;
        QVERIFY(rig.prompt("go").reason == EndReason::Cancelled);
        QCOMPARE(rig.conversation.messages().size(), std::size_t(3));
    }

    void theWordsAreThere() {
        const auto use = ofResources("summary-use.txt");
        QVERIFY(use.find("{summary}") != std::string::npos && use.find("{asked}") != std::string::npos);
        QVERIFY(ofResources("summary-ask.txt").size() > 200);
    }
};

QTEST_GUILESS_MAIN(TestShortening)
#include "test_shortening.moc"
