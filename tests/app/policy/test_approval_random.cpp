// SPDX-License-Identifier: Apache-2.0
// Whatever is done to the queue in whatever order, with rules coming and going, the disk filling up, clocks being set and
// the engine killed at any row: nothing begins without a rule or a person's decision that stands in the log before it, on
// just that content, and nothing that a rule denies. Judged from the rows alone, by code that shares nothing with the queue.
#include "tests/app/policy/approval_world.h"
#include "tests/app/policy/random_rules.h"
#include "tests/support/sanitized.h"

#include <QTest>

using namespace carrel;
using namespace carrel::policy;
using carrel::policy::test::RandomRules;
using carrel::policy::test::World;
using Kind = Submitted::Kind;

namespace {

struct Seen { // what was asked, by its number
    std::vector<Request> items;
    files::Sha256 digest;
};

struct Play {
    World w;
    RandomRules random;
    std::map<std::uint64_t, std::map<std::string, Seen>> asked; // by request and digest
    std::map<std::uint64_t, std::uint64_t> begun;               // since the decision that stands
    std::map<std::uint64_t, std::size_t> begunUnder;            // which decision that was
    std::size_t ruled = 0, begins = 0, refused = 0, restarts = 0, reopened = 0, conflicts = 0;
    std::string wrong;

    explicit Play(unsigned seed)
        : random(seed) {}

    Ask ask() {
        Ask out;
        const auto first = random.request();
        out.agent = first.agent;
        out.session = first.session;
        out.action = first.action;
        // Whole, as the host makes them; with few names, so that they are alike now and then.
        for (std::size_t i = 0; i <= random.below(first.action == Action::Apply ? 20 : 1); ++i) {
            auto item = first;
            for (const auto& field : fieldsOf(item.action)) {
                while (!item.fields.contains(field.name)) {
                    auto other = random.request();
                    if (other.action == item.action && other.fields.contains(field.name)) {
                        item.fields[std::string(field.name)] = other.fields[std::string(field.name)];
                    }
                }
            }
            out.items.push_back(std::move(item));
        }
        out.about = "thing " + std::to_string(random.below(3));
        const auto content = "content " + std::to_string(random.below(3));
        std::string whole = content;
        for (const auto& item : out.items) {
            for (const auto& [name, value] : item.fields) {
                whole += "\n" + name + "=" + value;
            }
            whole += item.risk == Risk::High ? "\nhigh" : "";
        }
        out.evidence = {files::Sha256::of(whole), "review " + files::Sha256::of(whole).hex()};
        w.folders.there[out.evidence.reference] = out.items;
        return out;
    }

    bool denied(const std::vector<Request>& items) {
        const auto now = w.clock.now().wallMs;
        return std::any_of(w.rules.rules.begin(), w.rules.rules.end(), [&](const Rule& rule) {
            return rule.effect == Effect::Deny && std::any_of(items.begin(), items.end(), [&](const Request& item) {
                       return matches(rule, item, now);
                   });
        });
    }
    void expect(bool good, const std::string& what) {
        if (!good && wrong.empty()) {
            wrong = what;
        }
    }

    void submit() {
        auto one = ask();
        const auto items = one.items;
        const auto digest = one.evidence.digest;
        const auto rows = w.sink.rows.size();
        const auto out = w.queue->submit(std::move(one));
        if (!out) {
            return;
        }
        if (out->kind == Kind::Waiting || (out->kind == Kind::Allowed && out->id != 0)) {
            asked[out->id][digest.hex()] = {items, digest};
        }
        if (out->kind != Kind::Allowed) {
            return;
        }
        expect(!denied(items), "allowed against a rule");
        if (out->id == 0) {
            ++ruled;
            const auto* row = w.sink.rows.size() > rows ? std::get_if<record::RuleAnswered>(&w.sink.rows.back().what) : nullptr;
            expect(row != nullptr && row->effect == Effect::Allow && row->digest == digest, "allowed by a rule, not in the log");
            const auto now = w.clock.now().wallMs;
            expect(std::all_of(items.begin(), items.end(), [&](const Request& item) {
                       return std::any_of(w.rules.rules.begin(), w.rules.rules.end(), [&](const Rule& rule) {
                           return rule.effect == Effect::Allow && matches(rule, item, now);
                       });
                   }),
                   "allowed by no rule");
        }
    }

    // The row of the decision that stands, or none: by the rows alone.
    std::pair<const record::Decided*, std::size_t> decision(std::uint64_t id) {
        std::pair<const record::Decided*, std::size_t> last{nullptr, 0};
        for (std::size_t i = 0; i < w.sink.rows.size(); ++i) {
            if (w.sink.rows[i].id != id) {
                continue;
            }
            if (const auto* decided = std::get_if<record::Decided>(&w.sink.rows[i].what)) {
                last = {decided, i};
            } else if (std::holds_alternative<record::Reopened>(w.sink.rows[i].what)) {
                last = {nullptr, 0};
            }
        }
        return last;
    }

    void begin(std::uint64_t id) {
        if (!w.queue->begin(id)) {
            ++refused;
            return;
        }
        ++begins;
        const auto found = decision(id);
        const auto* row = found.first;
        const auto at = found.second;
        expect(row != nullptr && row->facts.effect == Effect::Allow, "begun without a decision in the log");
        if (row == nullptr) {
            return;
        }
        const auto seen = asked[id].find(row->digest.hex());
        expect(seen != asked[id].end(), "begun on other content than was asked for");
        expect(seen == asked[id].end() || !denied(seen->second.items), "begun against a rule");
        if (begunUnder[id] != at) {
            begunUnder[id] = at;
            begun[id] = 0;
        }
        expect(++begun[id] <= row->facts.uses, "begun more often than was allowed");
        // And the row asked for that content before it.
        const auto wasAsked = std::any_of(w.sink.rows.begin(), w.sink.rows.begin() + static_cast<std::ptrdiff_t>(at), [&](const auto& each) {
            const auto* first = std::get_if<record::Asked>(&each.what);
            const auto* changed = std::get_if<record::Changed>(&each.what);
            return each.id == id && ((first != nullptr && first->question.evidence.digest == row->digest) ||
                                     (changed != nullptr && changed->question.evidence.digest == row->digest));
        });
        expect(wasAsked, "decided on what was never asked");
    }

    void decide(std::uint64_t id) {
        auto wanted = w.on(id, random.chance(60) ? Effect::Allow : Effect::Deny, static_cast<Scope>(random.below(4)), "ada");
        if (random.chance(15) && !asked[id].empty()) { // looked at before
            wanted.digest = asked[id].begin()->second.digest;
        }
        if (random.chance(20)) {
            wanted.lasting = std::chrono::minutes(1 + random.below(10));
        }
        const auto before = w.queue->find(id);
        const auto out = w.queue->decide(wanted);
        if (out && wanted.effect == Effect::Allow) {
            expect(before && before->question.evidence.digest == wanted.digest, "allowed on other content");
        }
        conflicts += !out && out.error().code == ErrorCode::Conflict ? 1 : 0;
    }

    void restart() {
        ++restarts;
        w.sink.full = false;
        w.sink.room = SIZE_MAX;
        std::map<std::uint64_t, Approval> before;
        for (auto& each : w.queue->list(true)) {
            before.emplace(each.id, std::move(each));
        }
        for (const auto& each : before) {
            if (random.chance(30)) {
                w.effects.finished.insert(each.first);
            }
        }
        const auto recovered = w.restart("s1", {"ann", "bob"});
        reopened += recovered.reopened.size();
        expect(recovered.misfits.empty(), recovered.misfits.empty() ? "" : recovered.misfits[0].text());
        for (const auto& after : w.queue->list(true)) {
            const auto was = before.find(after.id);
            if (was == before.end()) {
                continue; // the queue kept newer ones
            }
            // What the log says is what there was. Only a no that could not be written down is open again.
            const bool same = after.state == was->second.state && after.question == was->second.question &&
                              after.revision == was->second.revision;
            const bool engineEnded = was->second.state == ApprovalState::Open && after.ended == EndReason::EngineEnded;
            const bool openAgain = after.state == ApprovalState::Open || after.ended == EndReason::EngineEnded;
            expect(same || engineEnded || openAgain, "a restart finds another state");
            expect(after.state != ApprovalState::Allowed || was->second.state == ApprovalState::Allowed, "allowed by a restart");
        }
    }

    void step() {
        const auto all = w.queue->list(true);
        const auto id = all.empty() ? 1 : all[random.below(all.size())].id;
        const auto pick = [&](ApprovalState state) { // one of those, mostly
            for (const auto& each : all) {
                if (each.state == state && random.chance(50)) {
                    return each.id;
                }
            }
            return id;
        };
        switch (random.below(20)) {
        case 0: {
            auto rule = random.rule(0);
            rule.untilMs = rule.untilMs ? std::optional(w.clock.at.wallMs + *rule.untilMs * 100) : std::nullopt;
            (void)w.rules.add(rule);
            if (random.chance(50)) {
                for (const auto& each : all) {
                    w.queue->reconsider(each.agent);
                }
            }
            break;
        }
        case 1:
            if (!w.rules.rules.empty()) {
                w.rules.rules.erase(w.rules.rules.begin() + static_cast<std::ptrdiff_t>(random.below(w.rules.rules.size())));
            }
            break;
        case 2:
            (void)w.queue->reopen(id, "ada");
            break;
        case 3:
            w.queue->finished(id, static_cast<EffectState>(1 + random.below(2)), "");
            break;
        case 4:
            w.clock.turn(static_cast<std::int64_t>(random.below(200'000)));
            (void)w.queue->tick();
            break;
        case 5:
            w.clock.at.wallMs += (random.chance(50) ? 1 : -1) * static_cast<std::int64_t>(random.below(10'000'000));
            break;
        case 6:
            w.sink.full = random.chance(30);
            w.sink.room = random.chance(30) ? random.below(5) : SIZE_MAX; // killed, or full, at some row
            break;
        case 7:
            if (random.chance(20)) {
                restart();
            }
            break;
        case 8:
            (void)(random.chance(50) ? w.queue->withdraw("ann", id) : w.queue->sessionEnded("bob", "s2").map([](const auto&) {}));
            break;
        case 9:
            w.queue->shown(id, "desktop");
            w.queue->hold(id);
            break;
        case 10:
            if (random.chance(20)) {
                w.folders.there.clear();
            }
            break;
        case 11:
        case 12:
        case 13:
        case 14:
            decide(pick(ApprovalState::Open));
            break;
        case 15:
        case 16:
            begin(pick(ApprovalState::Allowed));
            break;
        default:
            submit();
        }
    }
};

} // namespace

class TestApprovalRandom : public QObject {
    Q_OBJECT
private slots:
    void nothingBeginsWithoutARuleOrADecision() {
        std::size_t ruled = 0, begins = 0, refused = 0, restarts = 0, reopened = 0, conflicts = 0;
        constexpr unsigned kSeeds = carrel::test::kSanitized ? 50 : 250;
        for (unsigned seed = 1; seed <= kSeeds; ++seed) {
            Play play(seed);
            for (int i = 0; i < 300 && play.wrong.empty(); ++i) {
                play.step();
            }
            QVERIFY2(play.wrong.empty(), (play.wrong + ", seed " + std::to_string(seed)).c_str());
            QVERIFY2(play.w.sink.bad.empty(), play.w.sink.bad.c_str());
            ruled += play.ruled;
            begins += play.begins;
            refused += play.refused;
            restarts += play.restarts;
            reopened += play.reopened;
            conflicts += play.conflicts;
        }
        const auto counts = QString("ruled %1, begun %2, refused %3, restarts %4, asked once more %5, conflicts %6")
                                .arg(ruled).arg(begins).arg(refused).arg(restarts).arg(reopened).arg(conflicts);
        qInfo("%s", qPrintable(counts));
        // Else it shows nothing.
        QVERIFY2(ruled > kSeeds && begins > kSeeds && refused > kSeeds && restarts > kSeeds && reopened > kSeeds / 4 &&
                     conflicts > kSeeds,
                 qPrintable(counts));
    }
};

QTEST_GUILESS_MAIN(TestApprovalRandom)
#include "test_approval_random.moc"
