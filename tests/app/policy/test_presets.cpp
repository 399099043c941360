// SPDX-License-Identifier: Apache-2.0
// The presets can be read, say what their descriptions say, and each allows no less than the one before.
#include "app/policy/decide.h"
#include "app/policy/presets.h"
#include "app/policy/rule_book.h"
#include "tests/app/policy/random_rules.h"
#include "tests/app/policy/turned_clock.h"

#include <QFile>
#include <QIODevice>
#include <QTemporaryDir>
#include <QTest>

using namespace carrel;
using namespace carrel::policy;
using carrel::policy::test::RandomRules;
using carrel::policy::test::TurnedClock;

namespace {

Answer answer(const char* name, Action action, std::map<std::string, std::string, std::less<>> fields, Risk risk = Risk::Routine) {
    const Request request{"ann", "s1", action, risk, std::move(fields)};
    return check(request) ? decide(preset(name)->set.rules, request, 0).answer : Answer::Deny;
}
std::map<std::string, std::string, std::less<>> get(const char* host, const char* port = "443", const char* method = "GET") {
    return {{"host", host}, {"port", port}, {"method", method}, {"path", "/"}};
}

} // namespace

class TestPresets : public QObject {
    Q_OBJECT
private slots:
    void eachIsWhole_data() {
        QTest::addColumn<QString>("name");
        for (const auto name : kPresets) {
            QTest::addRow("%s", std::string(name).c_str()) << QString::fromStdString(std::string(name));
        }
    }
    void eachIsWhole() {
        QFETCH(QString, name);
        const auto one = preset(name.toStdString());
        QVERIFY2(one, one ? "" : one.error().text().c_str());
        QVERIFY(one->description.size() > 100 && one->description.ends_with('.'));
        QVERIFY(!one->set.rules.empty());
        for (const auto& rule : one->set.rules) {
            QVERIFY(check(rule) && !rule.note.empty() && rule.agent.empty() && !rule.high && !rule.untilMs);
            QVERIFY(describe(rule, "").ends_with('.'));
        }
        // Word for word what is in resources.
        QFile file(QString(CARREL_SOURCE_DIR "/resources/policy/%1.toml").arg(name));
        QVERIFY(file.open(QIODevice::ReadOnly));
        QVERIFY(rulesFrom(file.readAll().toStdString()) == one->set);
        // And can be taken over.
        QTemporaryDir folder;
        const std::filesystem::path at = folder.path().toStdString();
        const TurnedClock clock;
        RuleBook book(at / "rules.toml", std::make_unique<FileSealKeeper>(at / "key"), clock);
        QVERIFY(book.reset(one->set.rules) && book.rules()->rules == one->set.rules);
    }

    void thereIsNoOther() {
        const auto none = preset("reckless");
        QVERIFY(!none && none.error().code == ErrorCode::NotFound && none.error().hint.find("careful") != std::string::npos);
    }

    void whatTheySay() {
        QVERIFY(answer("careful", Action::Network, get("deb.debian.org")) == Answer::Ask);
        QVERIFY(answer("careful", Action::Folder, {{"folder", "/home/ada"}, {"mode", "auto"}}) == Answer::Deny);
        QVERIFY(answer("careful", Action::Folder, {{"folder", "/home/ada"}, {"mode", "review"}}) == Answer::Ask);
        QVERIFY(answer("careful", Action::Forward, {{"port", "8080"}}) == Answer::Deny);
        QVERIFY(answer("balanced", Action::Network, get("pypi.org")) == Answer::Allow);
        QVERIFY(answer("balanced", Action::Network, get("pypi.org", "443", "POST")) == Answer::Ask);
        QVERIFY(answer("balanced", Action::Network, {{"host", "pypi.org"}, {"port", "443"}}) == Answer::Ask); // not read
        QVERIFY(answer("balanced", Action::Network, get("example.org")) == Answer::Ask);
        QVERIFY(answer("generous", Action::Network, get("example.org")) == Answer::Allow);
        QVERIFY(answer("generous", Action::Network, get("example.org", "443", "PUT")) == Answer::Ask);
        for (const auto* name : {"careful", "balanced", "generous"}) {
            QVERIFY(answer(name, Action::Network, get("mail.example.org", "587")) == Answer::Deny);
            QVERIFY(answer(name, Action::Credential, {{"name", "model"}, {"host", "example.org"}}) == Answer::Ask);
            QVERIFY(answer(name, Action::Program, {{"sha256", std::string(64, 'a')}}) == Answer::Ask);
            const auto apply = [&](const char* change, Risk risk = Risk::Routine) {
                return answer(name, Action::Apply, {{"folder", "/home/ada/papers"}, {"path", "a.txt"}, {"change", change}}, risk);
            };
            const bool generous = std::string(name) == "generous";
            QVERIFY(apply("created") == (generous ? Answer::Allow : Answer::Ask));
            QVERIFY(apply("deleted") == Answer::Ask && apply("created", Risk::High) == Answer::Ask);
        }
    }

    void eachAllowsNoLessThanTheOneBefore() {
        RandomRules random(6);
        std::vector<RuleSet> sets;
        for (const auto name : kPresets) {
            sets.push_back(preset(name)->set);
        }
        for (int round = 0; round < 5000; ++round) {
            const auto request = random.request();
            Answer before = Answer::Deny;
            for (const auto& set : sets) {
                const auto now = decide(set.rules, request, 0).answer;
                QVERIFY(before != Answer::Allow || now == Answer::Allow);
                before = now;
            }
        }
    }
};

QTEST_GUILESS_MAIN(TestPresets)
#include "test_presets.moc"
