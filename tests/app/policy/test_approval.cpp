// SPDX-License-Identifier: Apache-2.0
// What a request is made of: bounds, the claim of a guest, the rule that would cover it, and its rows in the log.
#include "app/policy/approval_log.h"
#include "app/policy/attention.h"
#include "tests/app/policy/approval_world.h"
#include "tests/app/policy/random_rules.h"

#include <boost/json.hpp>

#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::policy;
using carrel::policy::test::RandomRules;
using carrel::policy::test::World;

namespace {

std::string repeat(std::string_view text, std::size_t times) {
    std::string out;
    while (times-- > 0) {
        out += text;
    }
    return out;
}

} // namespace

class TestApproval : public QObject {
    Q_OBJECT
private slots:
    void aClaimIsOneLine_data() {
        QTest::addColumn<std::string>("raw");
        QTest::addColumn<std::string>("claim");
        const auto row = [](const char* name, const std::string& raw, const std::string& claim) {
            QTest::newRow(name) << raw << claim;
        };
        row("plain", "I need it", "I need it");
        row("lines", "a\nb\r\tc", "a b  c");
        row("escapes", "\x1b[2Ja\x07", " [2Ja ");
        row("C1", "a\xc2\x9b" "b", "a b");
        row("no-break space is none", "a\xc2\xa0" "b", "a\xc2\xa0" "b");
        row("separators", "a\u2028b\u2029c", "a b c");
        row("a zero", std::string("a\0b", 3), "a b");
        row("not UTF-8", "caf\xe9", "caf?");
        row("long", std::string(1'000'000, 'a'), std::string(280, 'a'));
        row("long, of two bytes", repeat("é", 300), repeat("é", 280));
        row("long, of four", repeat("\U0001F600", 300), repeat("\U0001F600", 280));
        row("long, cut within one", "a" + repeat("\U0001F600", 300), "a" + repeat("\U0001F600", 279));
    }
    void aClaimIsOneLine() {
        QFETCH(std::string, raw);
        QFETCH(std::string, claim);
        QCOMPARE(claimOf(raw), claim);
    }

    void whatTheHostGotWrong() {
        const auto bad = [](const std::function<void(Ask&)>& spoil) {
            auto ask = World::connect("example.org");
            spoil(ask);
            return !prepare(std::move(ask)).has_value();
        };
        QVERIFY(!bad([](Ask&) {}));
        QVERIFY(bad([](Ask& ask) { ask.items.clear(); }));
        QVERIFY(bad([](Ask& ask) { ask.items[0].agent = "bob"; }));
        QVERIFY(bad([](Ask& ask) { ask.items[0].session = "s2"; }));
        QVERIFY(bad([](Ask& ask) { ask.action = Action::Forward; }));
        QVERIFY(bad([](Ask& ask) { ask.about.clear(); }));
        QVERIFY(bad([](Ask& ask) { ask.about = "\xff"; }));
        QVERIFY(bad([](Ask& ask) { ask.evidence.reference = "a\nb"; }));
        QVERIFY(bad([](Ask& ask) { ask.evidence.reference.assign(257, 'a'); }));
        QVERIFY(bad([](Ask& ask) { ask.task.assign(129, 'a'); }));
        QVERIFY(bad([](Ask& ask) { ask.items.resize(kMaxItems + 1, ask.items[0]); }));
    }

    // A deny for example.org must not be passed by another spelling of it.
    void requestsHaveOneSpelling_data() {
        QTest::addColumn<std::string>("field");
        QTest::addColumn<std::string>("value");
        const auto row = [](const char* field, const char* value) {
            QTest::addRow("%s: %s", field, value) << std::string(field) << std::string(value);
        };
        row("host", "Example.org");
        row("host", "example.org.");
        row("host", "*.example.org");
        row("host", "");
        row("port", "0443");
        row("method", "get");
        row("path", "/a/../b");
        row("path", "/a//b");
        row("path", "a");
        row("folder", "/home");
    }
    void requestsHaveOneSpelling() {
        QFETCH(std::string, field);
        QFETCH(std::string, value);
        auto request = World::item(Action::Network, {{"host", "example.org"}, {"port", "443"}, {"method", "GET"}, {"path", "/a/b"}});
        QVERIFY(check(request));
        request.fields[field] = value;
        QVERIFY(!check(request));
        request.fields = {{"host", "example.org"}};
        QVERIFY(!check(request)); // of which port
        request = World::item(Action::Apply, {{"folder", "/home/ada"}, {"path", "caf\xe9"}, {"change", "created"}});
        QVERIFY(check(request)); // a name of any bytes
        request.agent.clear();
        QVERIFY(!check(request));
    }

    void theRuleThatWouldCoverIt() {
        World w;
        auto ask = w.apply("x", {"a.txt", "d/[b]*"});
        auto rule = prepare(ask)->question.cover;
        QVERIFY(rule && !rule->high && rule->agent.empty());
        QCOMPARE(rule->fields["path"], (std::vector<std::string>{"a.txt", "d/[[]b][*]"}));
        QCOMPARE(rule->fields["folder"], std::vector<std::string>{"/home/ada/papers"});
        QVERIFY(!matches(*rule, World::item(Action::Apply, {{"folder", "/home/ada/papers"}, {"path", "d/[b]x"}, {"change", "created"}}), 0));
        // More than a person reads: by kind of change. At high risk there is none.
        std::vector<std::string> many;
        for (int i = 0; i < 30; ++i) {
            many.push_back("f" + std::to_string(i));
        }
        ask = w.apply("x", many);
        rule = prepare(ask)->question.cover;
        QVERIFY(rule && !rule->fields.contains("path") && rule->fields["change"] == std::vector<std::string>{"created"});
        ask.items[3].risk = Risk::High;
        QVERIFY(!prepare(ask)->question.cover && prepare(ask)->question.risk == Risk::High);
        ask = w.apply("x", {".git/hooks/post-commit"});
        ask.items[0].risk = Risk::High;
        rule = prepare(ask)->question.cover;
        QVERIFY(rule && rule->high);
        QVERIFY(!prepare(w.apply("x", {"caf\xe9"}))->question.cover); // no rule can be written with it
        // A page is no boundary, a host is.
        auto connect = World::connect("example.org");
        connect.items[0].fields["method"] = "GET";
        connect.items[0].fields["path"] = "/a/b";
        rule = prepare(connect)->question.cover;
        QVERIFY(rule && !rule->fields.contains("path") && rule->fields["method"] == std::vector<std::string>{"GET"});
    }

    void whateverCoversIsARule() {
        RandomRules random(5);
        std::size_t covered = 0;
        for (int round = 0; round < 5000; ++round) {
            std::vector<Request> items;
            const auto first = random.request();
            for (std::size_t i = 1 + random.below(4); i > 0; --i) {
                auto item = random.request();
                if (item.action == first.action) {
                    items.push_back(std::move(item));
                }
            }
            const auto rule = coveringRule(items);
            covered += rule ? 1 : 0;
            QVERIFY(!rule || check(*rule));
            for (const auto& item : items) {
                QVERIFY(!rule || matches(*rule, item, 0));
            }
        }
        QVERIFY(covered > 1000);
    }

    // The longest and nastiest that there can be fits into a row and comes back as it was.
    void everyRowComesBack() {
        World w;
        auto ask = w.apply("x", {});
        for (int i = 0; i < 100; ++i) {
            ask.items.push_back(World::item(Action::Apply, {{"folder", "/" + repeat("\x01", 4000)},
                                                            {"path", std::to_string(i) + (i % 2 == 0 ? repeat("\x02", 3000) : repeat("\xfe", 3000))},
                                                            {"change", "created"}}));
        }
        ask.about = repeat("\x1f", 5000);
        ask.riskReason = repeat("\x03", 5000);
        ask.claim = repeat("\"\\", 500);
        w.folders.there[ask.evidence.reference] = ask.items;
        const auto id = w.opened(ask);
        QVERIFY(id != 0);
        auto small = w.apply("y", {"a \"\\ \u202e \x7f.txt", "caf\xe9", "b[*]"});
        small.about = "small";
        const auto other = w.opened(small);
        auto one = World::connect("example.org");
        const auto net = w.opened(one);
        QVERIFY(w.queue->find(other)->question.complete() && !w.queue->find(id)->question.complete());
        w.queue->shown(other, "notification");
        w.queue->hold(other);
        w.clock.turn(2000);
        small.evidence.digest = files::Sha256::of(std::string_view("changed"));
        QCOMPARE(w.opened(small), other);
        QCOMPARE(w.opened(small), other);
        auto wanted = w.on(net, Effect::Allow, Scope::Agent, "ada \"at\" the desk");
        wanted.lasting = std::chrono::minutes(5);
        QVERIFY(w.queue->decide(wanted));
        QVERIFY(w.queue->begin(net));
        w.queue->finished(net, EffectState::Failed, "no \x01route");
        QCOMPARE(w.queue->submit(one)->kind == Submitted::Kind::Allowed, true);
        QVERIFY(w.queue->withdraw("ann", other));
        w.clock.turn(3'600'000);
        (void)w.queue->tick();
        QVERIFY(w.queue->reopen(id, "ada"));
        for (std::size_t i = 0; i < 4; ++i) {
            (void)w.queue->submit(World::connect("h" + std::to_string(i) + ".org"));
        }
        (void)w.queue->tick();
        for (const char* kind : {"approval.asked", "approval.changed", "approval.repeated", "approval.shown", "approval.decided",
                                 "approval.ended", "approval.reopened", "approval.effect", "approval.turned_away", "rule.kept",
                                 "rule.answered"}) {
            QVERIFY2(w.sink.count(kind) > 0, kind);
        }
        QVERIFY2(w.sink.bad.empty(), w.sink.bad.c_str());
    }

    void strangeRowsAreRefused() {
        World w;
        const auto id = w.opened(World::connect("example.org"));
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow, Scope::Agent)));
        for (const auto& row : std::vector(w.sink.rows)) {
            const auto detail = detailOf(row);
            QVERIFY(recordFrom(kindOf(row), "ann", 0, detail));
            for (const auto& member : detail) {
                if (member.key() == "rule") {
                    continue; // may be left out
                }
                auto less = detail;
                less.erase(member.key());
                auto wrong = detail;
                wrong[member.key()] = boost::json::array{1};
                const bool optional = member.key() == "risk_reason" || member.key() == "why" || member.key() == "rule_id";
                QVERIFY2(optional || !recordFrom(kindOf(row), "ann", 0, less), std::string(member.key()).c_str());
                QVERIFY2(member.key() == "items" || !recordFrom(kindOf(row), "ann", 0, wrong), std::string(member.key()).c_str());
            }
            auto more = detail;
            more["more"] = 1;
            QVERIFY(!recordFrom(kindOf(row), "ann", 0, more));
            if (detail.contains("rule")) {
                more = detail;
                more["rule"] = "[[rule]]\nid = 1\neffect = \"allow\"\naction = \"fly\"\n";
                QVERIFY(!recordFrom(kindOf(row), "ann", 0, more));
            }
        }
        QVERIFY(!recordFrom("apply.decided", "ann", 0, {}));
    }

    void inTheActivityLog() {
        QTemporaryDir folder;
        const auto log = activity::ActivityLog::open(folder.filePath("activity.db").toStdString());
        QVERIFY(log);
        World w;
        const auto id = w.opened(World::connect("example.org"));
        QVERIFY(w.queue->decide(w.on(id, Effect::Allow, Scope::Agent)));
        for (const auto& row : w.sink.rows) {
            QVERIFY((*log)->append(eventOf(row)));
        }
        activity::Event other;
        other.kind = activity::EventKind::ApplyDecided;
        QVERIFY((*log)->append(other));
        auto forged = eventOf(w.sink.rows.at(1));
        forged.provenance = activity::Provenance::Guest;
        QVERIFY((*log)->append(forged));
        const auto read = readApprovals("ann", **log);
        QVERIFY(read && read->records == w.sink.rows && read->damaged.size() == 1);
        QCOMPARE(eventOf(w.sink.rows.at(0)).subject, std::string("example.org:443"));
    }

    void attentionIsCounted() {
        World w;
        const auto first = w.opened(World::connect("example.org"));
        (void)w.opened(World::connect("example.org"));
        (void)w.opened(World::connect("example.org"));
        w.queue->shown(first, "notification");
        w.queue->shown(first, "command line"); // the same prompt
        w.clock.turn(5'000);
        w.clock.at.wallMs -= 3'600'000; // set back: the waiting is what it was
        QVERIFY(w.queue->decide(w.on(first, Effect::Allow)));
        const auto second = w.opened(World::connect("other.org"));
        w.queue->shown(second, "desktop");
        w.clock.turn(120'000);
        (void)w.queue->tick();
        w.clock.turn(86'400'000);
        QVERIFY(w.queue->reopen(second, "ada"));
        w.queue->shown(second, "desktop");
        QVERIFY(w.queue->decide(w.on(second, Effect::Deny, Scope::Agent)));
        QVERIFY(w.queue->submit(World::connect("other.org")));
        QVERIFY(w.queue->submit(World::connect("third.org"))->kind == Submitted::Kind::TurnedAway);
        (void)w.queue->tick();
        Attention attention(Attention::utcDay);
        for (const auto& row : w.sink.rows) {
            attention.add(row);
        }
        const auto& counts = attention.counts();
        AttentionCounts day1;
        day1.asked = 2;
        day1.shown = 2;
        day1.merged = 2;
        day1.answered = 1;
        day1.expired = 1;
        day1.waitedMs = 125'000;
        AttentionCounts day2;
        day2.asked = 1;
        day2.shown = 1;
        day2.answered = 1;
        QVERIFY(counts.at({"ann", "t1", "2026-12-01"}) == day1);
        QVERIFY(counts.at({"ann", "t1", "2026-12-02"}) == day2);
        AttentionCounts none; // of no request, and so of no task
        none.byRule = 1;
        none.cancelled = 1;
        none.turnedAway = 1;
        QVERIFY(counts.at({"ann", "", "2026-12-02"}) == none);
    }
};

QTEST_GUILESS_MAIN(TestApproval)
#include "test_approval.moc"
