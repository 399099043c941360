// SPDX-License-Identifier: Apache-2.0
// How a call of a tool looks to a person.
#include "guest/agent/program/shown_call.h"

#include <QTest>

using namespace carrel;
using namespace carrel::agent;
namespace json = boost::json;

class TestShownCall : public QObject {
    Q_OBJECT

    static std::string text(const json::value& value) { return {value.as_string().data(), value.as_string().size()}; }
    static json::object shown(const char* name, json::object input) { return shownCall({"c", name, std::move(input), {}}, "/w"); }

private slots:
    void titles() {
        QCOMPARE(text(shown("bash", {{"command", "ls\nrm x"}}).at("title")), std::string("ls …"));
        QCOMPARE(text(shown("read", {{"path", "a"}}).at("title")), std::string("Read a"));
        QCOMPARE(text(shown("read", {{"path", "a"}}).at("locations").at(0).at("path")), std::string("/w/a"));
        QCOMPARE(text(shown("edit", {{"path", "/x"}}).at("locations").at(0).at("path")), std::string("/x"));
        QCOMPARE(text(shown("search", {{"pattern", "x"}}).at("kind")), std::string("search"));
        QCOMPARE(text(shown("fetch", {{"url", "https://example.org"}}).at("title")), std::string("Get https://example.org"));
        QCOMPARE(text(shown("fly", {}).at("title")), std::string("fly"));
        QCOMPARE(text(shown("read", {{"path", 5}}).at("title")), std::string("Read read"));
        QVERIFY(text(shown("bash", {{"command", std::string(5000, 'x')}}).at("title")).size() < 210);
    }
    void inputsAreBounded() {
        QVERIFY(shown("write", {{"path", "a"}, {"content", "x"}}).contains("rawInput"));
        QVERIFY(!shown("write", {{"path", "a"}, {"content", std::string(20'000, 'x')}}).contains("rawInput"));
    }
    void results() {
        const auto plain = shownResult({"c", "said", false}, std::nullopt);
        QCOMPARE(text(plain.at(0).at("content").at("text")), std::string("said"));
        const auto changed = shownResult({"c", "said", false}, FileChange{"/w/a", "old", "new"});
        QCOMPARE(changed.size(), std::size_t(2));
        QVERIFY(changed.at(0).at("type") == "diff" && changed.at(0).at("oldText") == "old");
        QVERIFY(shownResult({"c", "", false}, std::nullopt).empty());
        QVERIFY(text(shownResult({"c", std::string(100'000, 'x'), false}, std::nullopt).at(0).at("content").at("text")).size() < 17'000);
    }
    void whatMayChange() {
        QVERIFY(mayChange({"c", "bash", {}, {}}) && mayChange({"c", "write", {}, {}}) && mayChange({"c", "fetch", {{"save", "x"}}, {}}));
        QVERIFY(!mayChange({"c", "read", {}, {}}) && !mayChange({"c", "fetch", {{"url", "x"}}, {}}) && !mayChange({"c", "plan", {}, {}}));
    }
};

QTEST_GUILESS_MAIN(TestShownCall)
#include "test_shown_call.moc"
