// SPDX-License-Identifier: Apache-2.0
// Whatever a guest says, the engine gets what it can read: one message of the link, in UTF-8, in the agreed
// form. A message that it could not read would end the clerk.
#include "app/clerk/guest_words.h"
#include "guest/protocol/control.h"
#include "guest/protocol/change_report.h"

#include <QTest>
#include <boost/json/serialize.hpp>

using namespace carrel;
using namespace carrel::clerk;
namespace json = boost::json;

namespace {

// As the engine takes it (link.h).
bool readable(const json::object& result) {
    const auto text = toText(RpcResponse{UINT64_MAX, json::value(result)});
    return text.size() <= kMaxLinkMessage && parseRpc(text, {kMaxLinkMessage, 12}).has_value();
}
bool readable(const Told& told) {
    const auto text = toText(RpcRequest{std::nullopt, told.method, told.params});
    return text.size() <= kMaxLinkMessage && parseRpc(text, {kMaxLinkMessage, 12}).has_value();
}

ChangeEntry newFile(std::string_view path) {
    ChangeEntry entry;
    entry.path = SharePath::parse(path).value();
    entry.mode = 0644;
    entry.contentChanged = true;
    return entry;
}

// The longest path whose JSON is six times as long.
std::string longestPath(char last) {
    std::string path;
    while (path.size() < kMaxPathBytes - 1) {
        path += path.size() % 200 == 199 ? '/' : '\x01';
    }
    return path + last;
}

} // namespace

class TestGuestWords : public QObject {
    Q_OBJECT
private slots:
    void theConsoleSaysAnyBytes_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("plain") << QByteArray("mounting the disk");
        QTest::newRow("no UTF-8") << QByteArray("\xff\xfe\x80 disk");
        QTest::newRow("a NUL") << QByteArray("a\0b", 3);
        QTest::newRow("cut within a character") << QByteArray(299, 'x') + QByteArray("\xc3\xa4\xc3\xa4");
        QTest::newRow("the same, of four bytes") << QByteArray(298, 'x') + QByteArray("\xf0\x9f\x93\x9a");
    }
    void theConsoleSaysAnyBytes() {
        QFETCH(QByteArray, text);
        const std::string_view said(text.constData(), static_cast<std::size_t>(text.size()));
        for (const auto& told :
             {toldByConsole("carrel-init", said, ""), toldByConsole("carrel-guestd", "failed", said)}) {
            QVERIFY(readable(told));
            QVERIFY(told.params.at("detail").as_string().size() <= kMaxDetailBytes);
            QVERIFY(told.params.at("name").as_string().size() <= 64);
        }
    }

    void aLongNotificationIsCutBetweenCharacters() {
        std::string text = "x";
        while (text.size() < 1000) {
            text += "\xc3\xa4";
        }
        const auto stage = toldByGuest("stage", {{"name", "shares"}, {"detail", text}});
        QVERIFY(stage && readable(*stage));
        QCOMPARE(stage->params.at("detail").as_string().size(), std::size_t{299});
        const auto log = toldByGuest("log", {{"level", "info"}, {"text", text}});
        QVERIFY(log && readable(*log));
        QCOMPARE(log->method, std::string("guest.log"));
    }
    void onlyKnownNotificationsPass() {
        QVERIFY(!toldByGuest("apply", {}));
        QVERIFY(!toldByGuest("exec.ended", {{"session", 1}, {"code", 0}}));
        QVERIFY(!toldByGuest("stage", {{"name", "ready"}, {"from", "carrel-engine"}}));
        QVERIFY(!toldByGuest("changes.touched", {{"share", 5000}}));
        QVERIFY(toldByGuest("changes.touched", {{"share", 1}}));
    }

    // What a guest answers to a call to its agent program is read as such and written anew; a page of it fits a message.
    void answersOfAnAgentProgram() {
        QVERIFY(agentAnswerFrom(talk::Cancel{1}, {}));
        QVERIFY(!agentAnswerFrom(talk::Cancel{1}, {{"run", "sh"}}));
        std::vector<talk::Update> many;
        for (std::uint64_t i = 4; i < 40; ++i) {
            many.push_back({i, talk::fitted(talk::Text{1, std::string(talk::kMaxPieceBytes, '\x01')})});
        }
        json::array list;
        for (const auto& update : many) {
            list.push_back(talk::toJson(update));
        }
        const talk::Updates asked{1, 3, std::chrono::seconds(5)};
        const auto page = agentAnswerFrom(asked, {{"updates", list}});
        QVERIFY(page && readable(*page));
        const auto some = talk::updatesFrom(3, *page);
        QVERIFY(some && !some->empty() && some->size() < many.size() && some->front() == many.front());
        QVERIFY(!agentAnswerFrom({talk::Updates{1, 4, std::chrono::seconds(5)}}, {{"updates", list}})); // one that was acknowledged
        list.front().as_object()["run"] = json::object{{"program", "sh"}};
        QVERIFY(agentAnswerFrom(asked, {{"updates", list}}).error().code == ErrorCode::Malformed);
    }

    void aGreetingIsBounded() {
        json::object answer{{"version", control::kProtocolVersion}, {"capabilities", {"shares"}}, {"boot_id", "0-1"},
                            {"shares_failed", {{{"share", 1}, {"why", "it is full"}, {"passing", false}}}}};
        const auto greeting = greetingFrom(answer);
        QVERIFY(greeting);
        QCOMPARE(json::serialize(*greeting), json::serialize(answer));
        answer["more"] = std::string(kMaxLinkMessage, 'x');
        QVERIFY(!greetingFrom(answer));
        answer.erase("more");
        answer["boot_id"] = std::string(kMaxLinkMessage, 'x');
        QVERIFY(!greetingFrom(answer));
        answer["boot_id"] = "0-1";
        const auto fails = [&](json::object one) {
            answer["shares_failed"] = json::array(1, std::move(one));
            return greetingFrom(answer);
        };
        const auto longer = fails({{"share", 1}, {"why", std::string(4000, 'x')}, {"passing", true}});
        QVERIFY(longer && longer->at("shares_failed").at(0).at("why").as_string().size() == kMaxDetailBytes);
        QVERIFY(!fails({{"share", 5000}, {"why", ""}, {"passing", true}}));
        QVERIFY(!fails({{"share", 1}, {"why", std::string(5000, 'x')}, {"passing", true}}));
        QVERIFY(!fails({{"share", 1}, {"why", ""}}));
        answer["shares_failed"] = json::array(129, json::object{{"share", 1}, {"why", ""}, {"passing", true}});
        QVERIFY(!greetingFrom(answer));
        answer["shares_failed"] = json::array();
        answer["version"] = control::kProtocolVersion - 1;
        QVERIFY(greetingFrom(answer).error().code == ErrorCode::Unsupported);
        QVERIFY(!greetingFrom({}));
    }

    void changesFillOneMessageAtMost() {
        json::array entries;
        for (char last = 'a'; last <= 'j'; ++last) {
            entries.push_back(toJson(newFile(longestPath(last))));
        }
        json::object answer{{"entries", entries}, {"staged", 10}};
        const auto page = changesFrom(answer);
        QVERIFY(page && readable(*page));
        const auto taken = page->at("entries").as_array().size();
        QVERIFY(taken >= 1 && taken < 10);
        // The next page begins where this one ends.
        QCOMPARE(std::string(page->at("next").as_string()), longestPath(static_cast<char>('a' + taken - 1)));
    }
    // One page of just the size that is allowed, and then a long name for the next one.
    void theNextPagesNameIsCountedToo() {
        json::array entries;
        std::size_t fit = 0;
        for (int i = 0; i < 200; ++i) {
            entries.push_back(toJson(newFile(std::to_string(1000 + i) + std::string(240, '\x01') + "/" +
                                             std::string(180, '\x01'))));
            json::object answer{{"entries", entries}, {"staged", 1}};
            putPath(answer, "next", longestPath('x'));
            const auto page = changesFrom(answer);
            QVERIFY(page && readable(*page));
            fit = page->at("entries").as_array().size();
        }
        QVERIFY(fit > 10 && fit < 200); // the bound was met
    }
    void aChangeThatMakesNoSenseIsNoPage() {
        auto entry = toJson(newFile("a"));
        entry["path"] = "../a";
        QVERIFY(!changesFrom({{"entries", json::array{entry}}}));
        QVERIFY(!changesFrom({{"entries", json::array{7}}}));
        QVERIFY(!changesFrom({{"entries", json::array{}}, {"more", 1}}));
        QVERIFY(changesFrom({{"entries", json::array{}}}));
    }

    void whatWasKeptIsPathsOnly() {
        const auto kept = keptFrom({{"kept",
                                     {"a/b", 7, json::object{{"path_b64", "/w=="}},
                                      json::object{{"path_b64", "YQ=="}}, json::object{{"other", 1}}}}});
        QVERIFY(kept && readable(*kept));
        QCOMPARE(json::serialize(*kept), std::string(R"({"kept":["a/b",{"path_b64":"/w=="},{"path":"a"}]})"));
        const auto many = keptFrom({{"kept", json::array(90'000, "some/path")}});
        QVERIFY(many && readable(*many));
    }
    void theLastCountIsNumbersOnly() {
        const auto count = lastCountFrom({{"staged",
                                           {json::object{{"share", 1}, {"staged", 3}}, 7, json::object{{"share", 2}},
                                            json::object{{"share", -1}, {"staged", 0}},
                                            json::object{{"share", 3}, {"staged", 0}, {"more", "words"}}}},
                                          {"more", "words"}});
        QCOMPARE(json::serialize(count), std::string(R"({"staged":[{"share":1,"staged":3}]})"));
        QCOMPARE(json::serialize(lastCountFrom({})), std::string(R"({"staged":[]})")); // an earlier guestd
        QCOMPARE(json::serialize(lastCountFrom({{"staged", "many"}})), std::string(R"({"staged":[]})"));
        const auto many = lastCountFrom({{"staged", json::array(90'000, json::object{{"share", 1}, {"staged", 1}})}});
        QVERIFY(readable(many));
    }
    void aSizeIsANumber() {
        QCOMPARE(sentSizeFrom({{"size", 7}}).value(), std::uint64_t{7});
        QVERIFY(!sentSizeFrom({{"size", -1}}));
        QVERIFY(!sentSizeFrom({{"size", 7}, {"more", 1}}));
    }

    // What the machine tells of its programs goes on as it came, when all of it has proved to be in the form.
    void whatProgramsDidIsReadFirst() {
        const watch::Ask ask{7, 3, {}};
        const auto one = watch::toWire({1, 1, {5, 1}, watch::FileDone{watch::FileDeed::Written, 0, "/a"}}).value();
        const auto good = watch::answerOf({7, 4, watch::batchOf(1, one), "half blind"});
        const auto passed = eventsFrom(ask, good);
        QVERIFY(passed.has_value());
        QCOMPARE(json::serialize(*passed), json::serialize(good));
        QVERIFY(!eventsFrom(ask, watch::answerOf({7, 4, watch::batchOf(2, one), {}})).has_value());
        QVERIFY(!eventsFrom(ask, watch::answerOf({7, 5, watch::batchOf(1, one), {}})).has_value());
        auto more = good;
        more["provenance"] = "host";
        QVERIFY(!eventsFrom(ask, more).has_value());
        const auto longest = watch::answerOf({7, 4, Bytes(watch::kMaxBatchBytes, std::byte{0}), std::string(300, '\x01')});
        QVERIFY(json::serialize(longest).size() <= kMaxLinkResult);
    }
};

QTEST_GUILESS_MAIN(TestGuestWords)
#include "test_guest_words.moc"
