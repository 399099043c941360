// SPDX-License-Identifier: Apache-2.0
// What is kept of what was told, until the host has it: as little as needs be, and within its bounds.
#include "guest/runner/output_tail.h"
#include "guest/runner/update_book.h"

#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::runner;
using namespace carrel::talk;

namespace {

std::vector<Update> fetch(UpdateBook& book, std::uint64_t after) {
    auto updates = updatesFrom(after, book.handOut(after));
    return updates ? *updates : std::vector<Update>{{0, Lost{}}};
}
Tool tool(std::uint64_t turn, const std::string& id, ToolStatus status) {
    Tool out;
    out.turn = turn;
    out.id = id;
    out.status = status;
    return out;
}

} // namespace

class TestUpdateBook : public QObject {
    Q_OBJECT

private slots:
    void neighboursBecomeOne();
    void aLongTextIsSeveral();
    void newerStatesTakeThePlace();
    void whatWasHandedOutStays();
    void questionsThatAreOver();
    void isBounded();
    void whatIsNeverLost();
    void lostOnceAndAgain();
    void everythingFits();
    void tails();
};

void TestUpdateBook::neighboursBecomeOne() {
    UpdateBook book({});
    book.add(Text{1, "a"});
    book.add(Text{1, "b"});
    book.add(Thought{1, "c"});
    book.add(Thought{1, "d"});
    book.add(Text{1, "e"});
    book.add(Text{2, "f"});
    const std::vector<Update> expected{{1, Text{1, "ab"}}, {2, Thought{1, "cd"}}, {3, Text{1, "e"}}, {4, Text{2, "f"}}};
    QCOMPARE(fetch(book, 0), expected);
    book.add(Text{2, "g"}); // not to what was handed out
    QCOMPARE(fetch(book, 4), (std::vector<Update>{{5, Text{2, "g"}}}));
}

void TestUpdateBook::aLongTextIsSeveral() {
    UpdateBook book({});
    std::string text;
    while (text.size() < 3 * kMaxPieceBytes) {
        text += "ü~";
    }
    book.add(Text{1, text});
    std::string again;
    for (const auto& update : fetch(book, 0)) {
        const auto& piece = std::get<Text>(update.what).text;
        again += piece;
        QVERIFY(piece.size() <= kMaxPieceBytes && (piece.size() > kMaxPieceBytes - 4 || again.size() == text.size()));
    }
    QVERIFY(again == text);
}

void TestUpdateBook::newerStatesTakeThePlace() {
    UpdateBook book({});
    book.add(tool(1, "a", ToolStatus::Pending));
    book.add(Plan{1, {{"first", Priority::High, StepStatus::Pending}}});
    book.add(tool(1, "b", ToolStatus::Pending));
    book.add(tool(2, "a", ToolStatus::Pending));
    book.add(tool(1, "a", ToolStatus::Completed));
    book.add(Plan{1, {}});
    const std::vector<Update> expected{
        {1, tool(1, "a", ToolStatus::Completed)}, {2, Plan{1, {}}}, {3, tool(1, "b", ToolStatus::Pending)}, {4, tool(2, "a", ToolStatus::Pending)}};
    QCOMPARE(fetch(book, 0), expected);
    book.add(tool(1, "b", ToolStatus::Failed));
    QCOMPARE(fetch(book, 4), (std::vector<Update>{{5, tool(1, "b", ToolStatus::Failed)}}));
}

void TestUpdateBook::whatWasHandedOutStays() {
    UpdateBook book({});
    book.add(Text{1, "a"});
    const auto first = fetch(book, 0);
    book.add(Text{1, "b"});
    book.add(ModeNow{"m"});
    auto all = fetch(book, 0); // the host has begun anew
    QCOMPARE(all.size(), 3U);
    QCOMPARE(all[0], first[0]);
    QVERIFY(book.has(2) && !book.has(3));
    book.forget(2);
    QCOMPARE(book.size(), 1U);
    QCOMPARE(fetch(book, 0), (std::vector<Update>{{3, ModeNow{"m"}}}));
    book.forget(1000);
    QCOMPARE(book.size(), 0U);
    QCOMPARE(book.bytes(), 0U);
    QVERIFY(fetch(book, 0).empty());
    book.add(ModeNow{"n"});
    QCOMPARE(fetch(book, 3), (std::vector<Update>{{4, ModeNow{"n"}}}));
}

void TestUpdateBook::questionsThatAreOver() {
    UpdateBook book({});
    book.add(Permission{1, 1, "q", "t", {}});
    book.add(PermissionOver{1}); // nobody has heard of it
    QVERIFY(fetch(book, 0).empty());
    book.add(Permission{1, 2, "q", "t", {}});
    const auto asked = fetch(book, 0);
    QCOMPARE(asked.size(), 1U);
    book.add(PermissionOver{2});
    QCOMPARE(fetch(book, asked[0].number).size(), 1U);
}

void TestUpdateBook::isBounded() {
    UpdateBook book({.updates = 100, .bytes = 1024 * 1024});
    for (int i = 0; i < 100; ++i) {
        QVERIFY(!book.isFull());
        book.add(tool(1, std::to_string(i), ToolStatus::Pending));
    }
    QVERIFY(book.isFull());
    book.add(tool(1, "100", ToolStatus::Pending));
    QVERIFY(!book.isFull() && book.size() <= 52);
    const auto updates = fetch(book, 0);
    const auto lost = std::get<Lost>(updates.front().what).count;
    QCOMPARE(lost + updates.size() - 1, 101U);
    QCOMPARE(updates.front().number, lost); // the number of the last of them
    QCOMPARE(std::get<Tool>(updates.back().what).id, std::string("100"));

    UpdateBook heavy({.updates = 1'000'000, .bytes = 100'000});
    for (int i = 0; i < 1000; ++i) {
        heavy.add(Other{1, "x", std::string(kMaxOutputBytes, 'x')});
        QVERIFY(heavy.bytes() < 110'000);
    }
}

void TestUpdateBook::whatIsNeverLost() {
    UpdateBook book({.updates = 20, .bytes = 1024 * 1024});
    book.add(Started{});
    book.add(Permission{1, 1, "q", "t", {}});
    for (int i = 0; i < 1000; ++i) {
        book.add(tool(1, std::to_string(i), ToolStatus::Pending));
        if (i == 500) {
            book.add(TurnEnded{});
        }
    }
    book.add(Ended{});
    std::size_t started = 0, asked = 0, turns = 0, ended = 0;
    for (const auto& update : fetch(book, 0)) {
        started += std::holds_alternative<Started>(update.what);
        asked += std::holds_alternative<Permission>(update.what);
        turns += std::holds_alternative<TurnEnded>(update.what);
        ended += std::holds_alternative<Ended>(update.what);
    }
    QCOMPARE(started + asked + turns + ended, 4U);
    QVERIFY(book.size() <= 25);
}

void TestUpdateBook::lostOnceAndAgain() {
    UpdateBook book({.updates = 10, .bytes = 1024 * 1024});
    std::uint64_t after = 0, lost = 0, heard = 0;
    for (int i = 0; i < 1000; ++i) {
        book.add(tool(1, std::to_string(i), ToolStatus::Pending));
        if (i % 37 == 0 || i == 999) {
            for (const auto& update : fetch(book, after)) { // which also says that the numbers go up
                after = update.number;
                if (const auto* each = std::get_if<Lost>(&update.what)) {
                    lost += each->count;
                } else {
                    ++heard;
                }
            }
            if (i % 2 == 0) { // not each one is acknowledged
                book.forget(after);
            }
        }
    }
    QCOMPARE(lost + heard, 1000U);
}

void TestUpdateBook::everythingFits() {
    UpdateBook book({});
    const std::string odd(200'000, '\xff');
    const std::string control(200'000, '\x01'); // six times as long as JSON
    for (const auto& text : {odd, control}) {
        Tool large{1, text, text, ToolKind::Edit, ToolStatus::Pending, text, text, std::vector<Diff>(100, Diff{text, text, text}), std::vector<std::string>(100, text)};
        book.add(large);
        book.add(Plan{1, std::vector<PlanEntry>(1000, PlanEntry{text, Priority::Low, StepStatus::Pending})});
        book.add(Permission{1, 1, text, text, std::vector<Option>(100, Option{text, text, OptionKind::AllowOnce})});
        book.add(Started{text, text, text, true, true, std::vector<Mode>(100, Mode{text, text}), text});
        book.add(Other{1, text, text});
        book.add(TurnEnded{1, TurnStop::Failed, text, text});
        book.add(Ended{text, 1, {}, text});
    }
    std::uint64_t after = 0;
    std::size_t count = 0;
    while (book.has(after)) {
        const auto answer = book.handOut(after);
        QVERIFY(boost::json::serialize(answer).size() <= kMaxAnswerBytes);
        const auto updates = updatesFrom(after, answer);
        QVERIFY2(updates && !updates->empty(), updates ? "" : updates.error().message.c_str());
        after = updates->back().number;
        count += updates->size();
    }
    QVERIFY(count >= 12);
}

void TestUpdateBook::tails() {
    OutputTail tail(5);
    tail.add("ab");
    QCOMPARE(tail.text(), std::string("ab"));
    QVERIFY(!tail.wasCut());
    tail.add("\xc3"); // half of a character
    QCOMPARE(tail.text(), std::string("ab"));
    tail.add("\xbc" "cd");
    QCOMPARE(tail.text(), std::string("bücd"));
    QVERIFY(tail.wasCut());
    OutputTail lines(100);
    lines.add("g\xc3\xbcte\n\xff\xfe\xc3\xbc\n");
    QCOMPARE(lines.text(), std::string("güte\n????\n"));
    OutputTail large(1000);
    for (int i = 0; i < 10000; ++i) {
        large.add("xy");
    }
    large.add(std::string(5000, 'z'));
    QCOMPARE(large.text(), std::string(1000, 'z'));
}

QTEST_GUILESS_MAIN(TestUpdateBook)
#include "test_update_book.moc"
