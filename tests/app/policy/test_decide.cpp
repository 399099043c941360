// SPDX-License-Identifier: Apache-2.0
// What rules say together: over random rules and requests, and the cases that a person would think of.
#include "app/policy/decide.h"
#include "app/policy/path_pattern.h"
#include "tests/app/policy/random_rules.h"

#include <QTest>

#include <algorithm>

using namespace carrel::policy;
using carrel::policy::test::RandomRules;

namespace {

constexpr std::int64_t kNow = 1000;

Rule rule(std::uint64_t id, Effect effect, std::string host = {}) {
    Rule out;
    out.id = id;
    out.effect = effect;
    out.action = Action::Network;
    if (!host.empty()) {
        out.fields["host"] = {std::move(host)};
    }
    return out;
}
Request to(std::string host) {
    Request out;
    out.agent = "ann";
    out.session = "s1";
    out.action = Action::Network;
    out.fields = {{"host", std::move(host)}, {"port", "443"}};
    return out;
}
Answer answer(const std::vector<Rule>& rules, const Request& request, std::int64_t now = kNow) {
    return decide(rules, request, now).answer;
}

Rule about(Effect effect, const char* field, const char* value) {
    Rule out;
    out.id = effect == Effect::Allow ? 1 : 2;
    out.effect = effect;
    out.action = Action::Apply;
    out.fields[field] = {value};
    return out;
}
Request changed(const char* path, const char* from = nullptr, const char* type = nullptr) {
    Request out;
    out.agent = "ann";
    out.session = "s1";
    out.action = Action::Apply;
    out.fields = {{"folder", "/home/ada"}, {"path", path}, {"change", from == nullptr ? "created" : "renamed"}};
    if (from != nullptr) {
        out.fields["from"] = from;
    }
    if (type != nullptr) {
        out.fields["type"] = type;
    }
    return out;
}

} // namespace

class TestDecide : public QObject {
    Q_OBJECT
private slots:
    // What stands for a connection whose requests are read.
    void aConnectionThatIsRead() {
        const auto plain = to("a.org");
        const auto with = [&](std::string method, std::string path) {
            auto out = plain;
            out.fields["method"] = std::move(method);
            out.fields["path"] = std::move(path);
            return std::optional(out);
        };
        auto post = rule(2, Effect::Allow, "a.org");
        post.fields["method"] = {"POST"};
        post.fields["path"] = {"/up"};
        auto denied = post;
        denied.id = 3;
        denied.effect = Effect::Deny;
        QVERIFY(!asRead(std::vector<Rule>{}, plain, kNow));
        QVERIFY(!asRead(std::vector{rule(1, Effect::Allow, "a.org")}, plain, kNow));
        QVERIFY(!asRead(std::vector{post}, to("b.org"), kNow));
        QCOMPARE(asRead(std::vector{post}, plain, kNow), with("POST", "/up"));
        QCOMPARE(asRead(std::vector{rule(1, Effect::Allow, "a.org"), post}, plain, kNow), std::optional(plain));
        QCOMPARE(asRead(std::vector{post, denied}, plain, kNow), with("GET", "/")); // which nothing allows
        QVERIFY(answer({post, denied}, *with("GET", "/")) == Answer::Ask);
        QCOMPARE(asRead(std::vector{denied}, plain, kNow), with("GET", "/"));
        auto fetch = post; // a pattern stands for a request that it matches
        fetch.fields["path"] = {"/**/git-upload-pack"};
        const auto read = asRead(std::vector{fetch}, plain, kNow);
        QVERIFY(read && answer({fetch}, *read) == Answer::Allow);
        for (const auto& [path, expected] : std::vector<std::pair<const char*, Answer>>{{"/a/b.git/git-upload-pack", Answer::Allow},
                                                                                       {"/git-upload-pack", Answer::Allow},
                                                                                       {"/a/git-upload-packs", Answer::Ask},
                                                                                       {"/a/git-upload-pack/b", Answer::Ask},
                                                                                       {"/a/git-receive-pack", Answer::Ask},
                                                                                       {"/", Answer::Ask}}) {
            QVERIFY2(answer({fetch}, *with("POST", path)) == expected, path);
        }
        auto ended = post;
        ended.untilMs = kNow;
        QVERIFY(!asRead(std::vector{ended}, plain, kNow));
    }
    void withoutARuleAPersonIsAsked() {
        QVERIFY(answer({}, to("example.org")) == Answer::Ask);
        QVERIFY(answer({rule(1, Effect::Allow, "other.org")}, to("example.org")) == Answer::Ask);
    }

    void denyWinsInAnyOrder() {
        const auto allow = rule(1, Effect::Allow);
        const auto deny = rule(2, Effect::Deny, "example.org");
        for (const auto& rules : {std::vector{allow, deny}, std::vector{deny, allow}}) {
            const auto decision = decide(rules, to("example.org"), kNow);
            QVERIFY(decision.answer == Answer::Deny && decision.rule->id == 2);
            QVERIFY(answer(rules, to("other.org")) == Answer::Allow);
        }
        // However narrow what allows is.
        auto narrow = rule(3, Effect::Allow, "example.org");
        narrow.agent = "ann";
        narrow.session = "s1";
        QVERIFY(answer({rule(1, Effect::Deny), narrow}, to("example.org")) == Answer::Deny);
    }

    void scopes() {
        auto one = rule(1, Effect::Allow);
        one.agent = "bob";
        QVERIFY(answer({one}, to("example.org")) == Answer::Ask);
        one.agent = "ann";
        QVERIFY(answer({one}, to("example.org")) == Answer::Allow);
        one.session = "s2";
        QVERIFY(answer({one}, to("example.org")) == Answer::Ask);
        one.session = "s1";
        QVERIFY(answer({one}, to("example.org")) == Answer::Allow);
    }

    void itEnds() {
        auto one = rule(1, Effect::Allow);
        one.untilMs = kNow;
        QVERIFY(answer({one}, to("example.org"), kNow - 1) == Answer::Allow);
        QVERIFY(answer({one}, to("example.org"), kNow) == Answer::Ask);
        one.effect = Effect::Deny;
        QVERIFY(answer({one}, to("example.org"), kNow - 1) == Answer::Deny);
        QVERIFY(answer({one}, to("example.org"), kNow) == Answer::Ask);
    }

    void highRiskIsAllowedOnlyWhereItIsSaid() {
        auto request = to("example.org");
        request.risk = Risk::High;
        auto one = rule(1, Effect::Allow);
        QVERIFY(answer({one}, request) == Answer::Ask);
        one.high = true;
        QVERIFY(answer({one}, request) == Answer::Ask); // it does not say where
        one.fields = {{"host", {"example.org"}}, {"port", {"443"}}};
        QVERIFY(answer({one}, request) == Answer::Allow);
        QVERIFY(answer({one, rule(2, Effect::Deny)}, request) == Answer::Deny);
    }

    // A change that is a way to the host by itself: only a rule for that very path (design section 7).
    void aWayToTheHostIsAllowedOnlyByItsName() {
        Request hook;
        hook.agent = "ann";
        hook.action = Action::Apply;
        hook.risk = Risk::High;
        hook.fields = {{"folder", "/home/ada/papers"}, {"path", ".git/hooks/post-commit"}, {"change", "created"}};
        Rule one;
        one.id = 1;
        one.effect = Effect::Allow;
        one.action = Action::Apply;
        one.high = true;
        QVERIFY(answer({one}, hook) == Answer::Ask && !check(one));
        for (const auto* wide : {"**", ".git/**", ".git/hooks/*", ".git/hooks/post-commi[t]"}) {
            one.fields["path"] = {".git/hooks/post-commit", wide};
            QVERIFY(answer({one}, hook) == Answer::Ask && !check(one));
        }
        one.fields["path"] = {".git/hooks/post-commit"};
        QVERIFY(answer({one}, hook) == Answer::Allow && check(one));
        one.high = false;
        QVERIFY(answer({one}, hook) == Answer::Ask);
    }

    void aPathAsAPattern() {
        for (const auto* path : {"a", "**", "docs/**", "a[b]c", "[[]", "what?", "a*b", "[", "]", "[!a]", "a\\*"}) {
            const auto pattern = literalPattern(path);
            QVERIFY(isLiteralPattern(pattern) && matchesValue(FieldKind::PathPattern, pattern, path));
            for (const auto* other : {"a", "abc", "axb", "docs/x", "what!", "b", "a\\x", "docs/x/y"}) {
                QVERIFY(std::string(other) == path || !matchesValue(FieldKind::PathPattern, pattern, other));
            }
        }
    }

    // It is a way out of the one folder as much as into the other.
    void aRenameIsOfBothNames() {
        const auto renamed = changed("docs/tax.ods", "private/tax.ods");
        QVERIFY(answer({about(Effect::Allow, "path", "docs/**")}, renamed) == Answer::Ask);
        QVERIFY(answer({about(Effect::Allow, "path", "private/**")}, renamed) == Answer::Ask);
        auto both = about(Effect::Allow, "path", "docs/**");
        both.fields["path"].push_back("private/**");
        QVERIFY(answer({both}, renamed) == Answer::Allow);
        for (const auto* denied : {"private/**", "docs/**", "**/tax.ods"}) {
            QVERIFY2(answer({both, about(Effect::Deny, "path", denied)}, renamed) == Answer::Deny, denied);
        }
        QVERIFY(answer({both, about(Effect::Deny, "folder", "/home/ada/private")}, renamed) == Answer::Deny);
    }

    // What is in it nobody has listed, and all of it moves along.
    void aFolderTakesAllWithIt() {
        const auto moved = changed("b", "a", "folder");
        auto wide = about(Effect::Allow, "path", "**");
        QVERIFY(answer({wide}, moved) == Answer::Allow);
        for (const auto* narrow : {"*", "?", "a"}) {
            wide.fields["path"] = {narrow, "b"};
            QVERIFY2(answer({wide}, moved) == Answer::Ask, narrow);
        }
        wide.fields["path"] = {"**"};
        for (const auto* denied : {"a", "a/**", "a/secret/*.key", "**/.env", "*/secret", "b/x/y"}) {
            QVERIFY2(answer({wide, about(Effect::Deny, "path", denied)}, moved) == Answer::Deny, denied);
        }
        for (const auto* other : {"c/**", "*.pdf", "aa", "ab/**"}) {
            QVERIFY2(answer({wide, about(Effect::Deny, "path", other)}, moved) == Answer::Allow, other);
        }
        QVERIFY(answer({wide, about(Effect::Deny, "folder", "/home/ada/a/deep")}, moved) == Answer::Deny);
        QVERIFY(answer({wide, about(Effect::Deny, "folder", "/home/ada/c")}, moved) == Answer::Allow);
    }

    // On a disk that takes SECRET for secret they are one; what allows has to name it as it is.
    void aDenyKnowsNoCase() {
        auto wide = about(Effect::Allow, "path", "**");
        QVERIFY(answer({wide, about(Effect::Deny, "path", "secret/**")}, changed("SECRET/x")) == Answer::Deny);
        QVERIFY(answer({wide, about(Effect::Deny, "path", "Secret/[A-C]*")}, changed("secret/box")) == Answer::Deny);
        QVERIFY(answer({wide, about(Effect::Deny, "folder", "/home/ada/Private")}, changed("private/x")) == Answer::Deny);
        QVERIFY(answer({about(Effect::Allow, "path", "secret/**")}, changed("SECRET/x")) == Answer::Ask);
        // Nothing that a pattern says as it is written is lost by that.
        QVERIFY(answer({wide, about(Effect::Deny, "path", "[!A-Z]*")}, changed("readme")) == Answer::Deny);
        QVERIFY(answer({wide, about(Effect::Deny, "path", "[!a-z]*")}, changed("README")) == Answer::Deny);
        QVERIFY(answer({wide, about(Effect::Deny, "path", "[A-_]*")}, changed("Read")) == Answer::Deny);
    }

    // "In /home/ada/private" means that, whichever folder around it is the one that is shared.
    void aFolderIsWhereItIs() {
        const auto inside = changed("private/x");
        const auto beside = changed("privately");
        for (const auto effect : {Effect::Allow, Effect::Deny}) {
            const auto wanted = effect == Effect::Allow ? Answer::Allow : Answer::Deny;
            for (const auto* folder : {"/", "/home", "/home/ada", "/home/ada/private"}) {
                QVERIFY2(answer({about(effect, "folder", folder)}, inside) == wanted, folder);
            }
            QVERIFY(answer({about(effect, "folder", "/home/ada/private")}, beside) == Answer::Ask);
            QVERIFY(answer({about(effect, "folder", "/hom")}, inside) == Answer::Ask);
            QVERIFY(answer({about(effect, "folder", "/home/ada/private/x/y")}, inside) == Answer::Ask);
        }
    }

    // What happens as one, or not at all.
    void togetherTheyAreAsTheStrictest() {
        RandomRules random(4);
        std::size_t allowed = 0;
        for (int round = 0; round < 4000; ++round) {
            std::vector<Rule> rules;
            for (std::size_t i = random.below(12); i > 0; --i) {
                rules.push_back(random.rule(random.below(1000) + 1));
            }
            std::vector<Request> requests;
            bool denied = false;
            bool all = true;
            for (std::size_t i = random.below(4); i > 0; --i) {
                requests.push_back(random.request());
                const auto one = decide(rules, requests.back(), kNow).answer;
                denied = denied || one == Answer::Deny;
                all = all && one == Answer::Allow;
            }
            const auto together = decideAll(rules, requests, kNow);
            const auto wanted = denied ? Answer::Deny : all && !requests.empty() ? Answer::Allow : Answer::Ask;
            QVERIFY(together.answer == wanted && (wanted == Answer::Ask) == (together.rule == nullptr));
            allowed += wanted == Answer::Allow ? 1 : 0;
        }
        QVERIFY(allowed > 100);
    }

    // A connection that is not read has no method: one that allows GET does not cover it, one that denies POST does.
    void whatCannotBeSeen() {
        auto one = rule(1, Effect::Allow);
        one.fields["method"] = {"GET"};
        QVERIFY(answer({one}, to("example.org")) == Answer::Ask);
        one.effect = Effect::Deny;
        QVERIFY(answer({one}, to("example.org")) == Answer::Deny);
    }

    void moreDenialsNeverAllowMore() {
        RandomRules random(1);
        std::size_t allowed = 0;
        std::size_t turned = 0;
        for (int round = 0; round < 3000; ++round) {
            std::vector<Rule> rules;
            for (std::size_t i = random.below(12); i > 0; --i) {
                rules.push_back(random.rule(random.below(1000) + 1));
            }
            auto deny = random.rule(5000);
            deny.effect = Effect::Deny;
            deny.high = false;
            auto more = rules;
            more.insert(more.begin() + static_cast<std::ptrdiff_t>(random.below(rules.size() + 1)), deny);
            for (int i = 0; i < 10; ++i) {
                const auto request = random.request();
                const auto before = decide(rules, request, kNow);
                const auto after = decide(more, request, kNow);
                allowed += before.answer == Answer::Allow ? 1 : 0;
                turned += before.answer != after.answer ? 1 : 0;
                QVERIFY(after.answer == before.answer || after.answer == Answer::Deny);
                QVERIFY(!matches(deny, request, kNow) || after.answer == Answer::Deny);
            }
        }
        QVERIFY2(allowed > 1000 && turned > 300, "the random ones hardly meet"); // else this shows nothing
    }

    void nothingIsAllowedWithoutARuleThatCoversIt() {
        RandomRules random(2);
        std::size_t allowed = 0;
        for (int round = 0; round < 20'000; ++round) {
            std::vector<Rule> rules;
            for (std::size_t i = random.below(12); i > 0; --i) {
                rules.push_back(random.rule(random.below(1000) + 1));
            }
            const auto request = random.request();
            const auto decision = decide(rules, request, kNow);
            if (decision.answer != Answer::Ask) {
                ++allowed;
                QVERIFY(decision.rule != nullptr && matches(*decision.rule, request, kNow));
                QVERIFY((decision.rule->effect == Effect::Allow) == (decision.answer == Answer::Allow));
                const auto effect = decision.rule->effect; // the rule itself is moved by what follows
                // Without it and all that say the same there is another answer.
                std::erase_if(rules, [&](const Rule& each) {
                    return each.effect == effect && matches(each, request, kNow);
                });
                QVERIFY(decide(rules, request, kNow).answer != decision.answer);
            } else {
                QVERIFY(std::none_of(rules.begin(), rules.end(),
                                     [&](const Rule& each) { return matches(each, request, kNow); }));
            }
        }
        QVERIFY(allowed > 1000);
    }
};

QTEST_GUILESS_MAIN(TestDecide)
#include "test_decide.moc"
