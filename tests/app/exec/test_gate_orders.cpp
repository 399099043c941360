// SPDX-License-Identifier: Apache-2.0
// What a machine is told about programs follows from the settings, the rules, the image and what was allowed for this session; a deny
// wins; and it comes in parts that a machine takes.
#include "app/exec/gate_orders.h"
#include "guest/protocol/control.h"

#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::exec;
using policy::Effect;
using policy::Rule;

namespace {

std::string content(char digit) {
    return std::string(64, digit);
}

Rule rule(Effect effect, const std::string& sha256, const std::string& agent = {}, const std::string& session = {}) {
    Rule out;
    out.effect = effect;
    out.action = policy::Action::Program;
    out.agent = agent;
    out.session = session;
    if (!sha256.empty()) {
        out.fields["sha256"] = {sha256};
    }
    return out;
}

bool has(const std::vector<std::string>& list, char digit) {
    return std::find(list.begin(), list.end(), content(digit)) != list.end();
}

} // namespace

class TestGateOrders : public QObject {
    Q_OBJECT
    const std::vector<Listed> m_image{{content('1'), false, "/usr/bin/env"}, {content('2'), true, "/usr/bin/node"}};
    InstalledBook m_installed;
    std::vector<Rule> m_rules;

    Known known(Mode mode, std::set<std::string> once = {}) {
        return {{mode, Unknown::Ask}, "ann", "s1", 1000, m_rules, &m_image, &m_installed, std::move(once)};
    }
private slots:
    void init() {
        m_rules.clear();
        m_installed.clear();
    }

    void observeDeniesNothing() {
        m_rules = {rule(Effect::Deny, content('a'))};
        const auto orders = ordersFor(known(Mode::Observe));
        QVERIFY(orders && orders->mode == Mode::Observe && orders->deny.empty() && orders->allow.empty());
    }
    void denyHoldsWhatIsDeniedAndWhatCarrelDenies() {
        m_rules = {rule(Effect::Deny, content('a'), "ann"), rule(Effect::Deny, content('b'), "bob"), rule(Effect::Deny, content('c')),
                   rule(Effect::Deny, content('d'), "ann", "s0"), rule(Effect::Allow, content('e'))};
        const auto orders = ordersFor(known(Mode::Deny));
        QVERIFY(orders && orders->mode == Mode::Deny && orders->allow.empty());
        QVERIFY(has(orders->deny, 'a') && has(orders->deny, 'c'));
        QVERIFY2(!has(orders->deny, 'b') && !has(orders->deny, 'd') && !has(orders->deny, 'e'), "of another agent, of another session");
        QCOMPARE(orders->deny.size(), 2 + deniedByCarrel().size());
        QVERIFY(std::is_sorted(orders->deny.begin(), orders->deny.end()));
    }
    void aRuleThatIsOverCountsNoMore() {
        auto over = rule(Effect::Deny, content('a'));
        over.untilMs = 1000;
        auto lasts = rule(Effect::Deny, content('b'));
        lasts.untilMs = 1001;
        m_rules = {over, lasts};
        const auto orders = ordersFor(known(Mode::Deny));
        QVERIFY(orders && !has(orders->deny, 'a') && has(orders->deny, 'b'));
    }
    void allowHoldsTheImageTheRulesAndTheSession() {
        m_rules = {rule(Effect::Allow, content('a'), "ann"), rule(Effect::Allow, content('b'), "bob")};
        const auto orders = ordersFor(known(Mode::Allow, {content('c')}));
        QVERIFY(orders && orders->mode == Mode::Allow && orders->unknown == Unknown::Ask);
        QVERIFY(has(orders->allow, '1') && has(orders->allow, '2') && has(orders->allow, 'a') && has(orders->allow, 'c'));
        QVERIFY(!has(orders->allow, 'b'));
        QVERIFY(has(orders->code, '2') && !has(orders->code, '1'));
    }
    void onlyWhatIsAllowedToMakesCode() {
        auto maker = rule(Effect::Allow, content('a'), "ann");
        maker.high = true;
        auto others = rule(Effect::Allow, content('b'), "bob");
        others.high = true;
        m_rules = {maker, others, rule(Effect::Allow, content('c'), "ann")};
        const auto orders = ordersFor(known(Mode::Allow));
        QVERIFY(orders && has(orders->allow, 'a') && has(orders->code, 'a') && has(orders->allow, 'c'));
        QVERIFY(!has(orders->code, 'b') && !has(orders->code, 'c'));
        m_rules.push_back(rule(Effect::Deny, content('a')));
        const auto denied = ordersFor(known(Mode::Allow));
        QVERIFY(denied && !has(denied->allow, 'a') && !has(denied->code, 'a'));
    }
    void allowHoldsWhatAptInstalled() {
        m_installed = {{"tool", "1", "amd64", 5, {{content('8'), false, "/usr/bin/tool"}, {content('9'), true, "/usr/bin/node"}}}};
        const auto orders = ordersFor(known(Mode::Allow));
        QVERIFY(orders && has(orders->allow, '8') && has(orders->allow, '9') && has(orders->code, '9') && !has(orders->code, '8'));
        m_rules = {rule(Effect::Deny, content('9'))};
        const auto denied = ordersFor(known(Mode::Allow));
        QVERIFY(denied && has(denied->allow, '8') && !has(denied->allow, '9') && !has(denied->code, '9'));
        m_rules = {rule(Effect::Deny, {})};
        QVERIFY(ordersFor(known(Mode::Allow))->allow.empty());
        QVERIFY(ordersFor(known(Mode::Deny))->allow.empty());
    }
    void aDenyWinsOverAllThatAllows() {
        m_rules = {rule(Effect::Deny, content('2'), "ann"), rule(Effect::Deny, content('c')), rule(Effect::Deny, content('a')),
                   rule(Effect::Allow, content('a'), "ann")};
        const auto orders = ordersFor(known(Mode::Allow, {content('c')}));
        QVERIFY(orders);
        QVERIFY(!has(orders->allow, '2') && !has(orders->allow, 'c') && !has(orders->allow, 'a') && !has(orders->code, '2'));
    }
    void aRuleWithoutAContentMeansEveryProgram() {
        m_rules = {rule(Effect::Allow, {})};
        QVERIFY(ordersFor(known(Mode::Allow))->mode == Mode::Deny);
        m_rules = {rule(Effect::Allow, {}), rule(Effect::Deny, {}, "ann"), rule(Effect::Allow, content('a'))};
        const auto orders = ordersFor(known(Mode::Deny, {content('c')}));
        QVERIFY(orders && orders->mode == Mode::Allow && orders->unknown == Unknown::Refuse);
        QVERIFY2(orders->allow.empty() && orders->code.empty(), "nothing but Carrel's own");
    }
    void rulesOfOtherActionsAreNone() {
        Rule other;
        other.action = policy::Action::Network;
        other.effect = Effect::Deny;
        m_rules = {other};
        QVERIFY(ordersFor(known(Mode::Deny))->mode == Mode::Deny);
    }
    void allowWithoutAListIsRefused() {
        auto without = known(Mode::Allow);
        without.image = nullptr;
        const auto orders = ordersFor(without);
        QVERIFY(!orders && orders.error().code == ErrorCode::Unsupported && !orders.error().hint.empty());
        without.settings.mode = Mode::Deny;
        QVERIFY(ordersFor(without));
    }
    void moreThanAMachineTakesIsRefused() {
        std::vector<Rule> many;
        char digits[65];
        for (std::size_t i = 0; i * policy::kMaxValues <= control::kMaxHashes; ++i) {
            auto one = rule(Effect::Deny, content('a'));
            for (std::size_t n = 0; n < policy::kMaxValues; ++n) {
                std::snprintf(digits, sizeof digits, "%064zx", i * policy::kMaxValues + n);
                one.fields["sha256"].emplace_back(digits);
            }
            many.push_back(std::move(one));
        }
        m_rules = many;
        const auto orders = ordersFor(known(Mode::Deny));
        QVERIFY(!orders && orders.error().code == ErrorCode::LimitExceeded);
    }
    void itComesInPartsThatAMachineTakes() {
        Orders orders{Mode::Allow, Unknown::Refuse, {content('a')}, {}, {content('b')}};
        char digits[65];
        for (std::size_t i = 0; i < 2 * control::kMaxHashesPerPart; ++i) {
            std::snprintf(digits, sizeof digits, "%064zx", i);
            orders.allow.emplace_back(digits);
        }
        const auto parts = partsOf(orders, 7);
        QCOMPARE(parts.size(), std::size_t{3});
        std::size_t deny = 0, allow = 0, code = 0;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            QCOMPARE(parts[i].at("part").to_number<std::size_t>(), i);
            QCOMPARE(parts[i].at("last").as_bool(), i + 1 == parts.size());
            QCOMPARE(parts[i].at("age").to_number<int>(), 7);
            QVERIFY(parts[i].at("mode") == "allow" && parts[i].at("unknown") == "refuse");
            const auto here = parts[i].at("deny").as_array().size() + parts[i].at("allow").as_array().size() + parts[i].at("code").as_array().size();
            QVERIFY(here <= control::kMaxHashesPerPart);
            deny += parts[i].at("deny").as_array().size();
            allow += parts[i].at("allow").as_array().size();
            code += parts[i].at("code").as_array().size();
        }
        QCOMPARE(deny, std::size_t{1});
        QCOMPARE(allow, 2 * control::kMaxHashesPerPart);
        QCOMPARE(code, std::size_t{1});
        const auto none = partsOf({Mode::Observe, Unknown::Ask, {}, {}, {}}, 1);
        QVERIFY(none.size() == 1 && none.front().at("last").as_bool());
    }
};

QTEST_GUILESS_MAIN(TestGateOrders)
#include "test_gate_orders.moc"
