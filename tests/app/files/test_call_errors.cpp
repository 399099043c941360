// SPDX-License-Identifier: Apache-2.0
// I10: the system refuses, at any call. A child applies (or takes back), and one call of its fails unperformed, or that
// one and all like it after it; or a write takes only half. What the child then says is true to the letter, nothing is
// lost, no temporary stays, and a second attempt ends well.
//
// By default each call gets one of the errors that suit it, in turn. CARREL_TEST_EVERY_POINT=1: each of them.
#include "tests/app/files/call_tracer.h"
#include "tests/app/files/expected_state.h"

#include <QTest>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

std::vector<int> errorsFor(std::string_view name) {
    for (const std::string_view reading : {"read", "stat", "pread", "getdents", "xattr"}) {
        if (name.find(reading) != std::string_view::npos && name != "fsetxattr") {
            return {EIO, EACCES};
        }
    }
    if (name.starts_with("open")) {
        return {EMFILE, EACCES, EIO, ENOSPC, EROFS};
    }
    if (name == "write" || name.starts_with("mkdir") || name.starts_with("symlink") || name.starts_with("rename")) {
        return {ENOSPC, EIO, EROFS, EACCES};
    }
    if (name.find("sync") != std::string_view::npos) {
        return {EIO, ENOSPC};
    }
    return {EPERM, EROFS, EIO, ENOSPC};
}

enum class Lasting { Once, FromThenOn };

class Refuser : public Watcher {
public:
    Refuser(std::size_t call, std::size_t turn, Lasting lasting)
        : m_call(call)
        , m_turn(turn)
        , m_lasting(lasting) {}
    Order before(const Call& call) override {
        const auto errors = errorsFor(call.name());
        if (call.index == m_call) {
            m_error = errors[m_turn % errors.size()];
            hit = std::string(call.name()) + " " + std::strerror(m_error) + " at call " + std::to_string(call.index);
            turns = errors.size();
            return {Act::Fail, m_error};
        }
        const bool suits = std::find(errors.begin(), errors.end(), m_error) != errors.end();
        return m_lasting == Lasting::FromThenOn && call.index > m_call && suits ? Order{Act::Fail, m_error} : Order{};
    }
    std::string hit;
    std::size_t turns = 0;

private:
    std::size_t m_call, m_turn;
    Lasting m_lasting;
    int m_error = 0;
};

class Shortener : public Watcher {
public:
    explicit Shortener(std::size_t call)
        : m_call(call) {}
    Order before(const Call& call) override {
        const bool cuts = call.name() == "write" && call.args[2] > 1 && call.index >= m_call;
        hit = hit || cuts;
        return cuts ? Order{Act::Shorten} : Order{};
    }
    bool hit = false;

private:
    std::size_t m_call;
};

// A write takes half, its rest finds the disk full; soon after there is room again, and a little later the child dies.
class Tearer : public Watcher {
public:
    Tearer(std::size_t call, std::size_t dies)
        : m_call(call)
        , m_dies(dies) {}
    Order before(const Call& call) override {
        hit = hit || (call.index == m_call && call.name() == "write");
        if (call.index == m_call && hit) {
            return {Act::Shorten};
        }
        if (call.index == m_call + 1 && hit) {
            return {Act::Fail, ENOSPC};
        }
        return {call.index == m_dies ? Act::Kill : Act::Go};
    }
    bool hit = false;

private:
    std::size_t m_call, m_dies;
};

bool hasTemporary(const Snapshot& now) {
    return std::any_of(now.begin(), now.end(), [](const auto& item) {
        return item.first.find(".carrel-") != std::string::npos;
    });
}

} // namespace

class TestCallErrors : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        if (const std::string why = whyNoTracing(); !why.empty()) {
            QSKIP(why.c_str());
        }
        QVERIFY(m_prepared.prepare());
    }

    void applyRefusedAtEveryCall_data() {
        QTest::addColumn<int>("lasting");
        QTest::addColumn<int>("watched");
        const auto row = [](const char* name, Lasting lasting, Watched watched) {
            QTest::newRow(name) << static_cast<int>(lasting) << static_cast<int>(watched);
        };
        row("once", Lasting::Once, Watched::AllOpens);
        row("from then on", Lasting::FromThenOn, Watched::AllOpens);
        row("reading, once", Lasting::Once, Watched::Reading);
        row("reading, from then on", Lasting::FromThenOn, Watched::Reading);
    }
    void applyRefusedAtEveryCall() {
        QFETCH(int, lasting);
        QFETCH(int, watched);
        eachRefusal(static_cast<Lasting>(lasting), static_cast<Watched>(watched), *m_prepared.frozen, applying(),
                    [&](const Traced& traced, const std::string& where) { verifyApply(traced, where); });
    }

    void undoRefusedAtEveryCall_data() { applyRefusedAtEveryCall_data(); }
    void undoRefusedAtEveryCall() {
        QFETCH(int, lasting);
        QFETCH(int, watched);
        eachRefusal(static_cast<Lasting>(lasting), static_cast<Watched>(watched), *m_prepared.applied, undoing(),
                    [&](const Traced& traced, const std::string& where) { verifyUndo(traced, where); });
    }

    void shortWrites() {
        for (std::size_t call = 0;; call += 40) {
            m_prepared.frozen->restore();
            Shortener shortener(call);
            const auto report = fromText(trace(applying(), Watched::Changing, shortener).said);
            QVERIFY(report && report->complete());
            QVERIFY(same(snapshot(m_prepared.world.share, Times::Files), m_prepared.after));
            if (!shortener.hit) {
                break;
            }
        }
    }

    // What is half written must not swallow what is written after it.
    void tornInTheMiddle() {
        std::size_t torn = 0;
        const std::size_t step = qEnvironmentVariableIsSet("CARREL_TEST_EVERY_POINT") ? 1 : 3;
        for (std::size_t call = 0;; call += step) {
            m_prepared.frozen->restore();
            Tearer tearer(call, call + 3 + call % 37);
            const Traced traced = trace(applying(), Watched::Changing, tearer);
            if (traced.calls <= call) {
                break;
            }
            torn += tearer.hit ? 1 : 0;
            if (tearer.hit) {
                verifyApply(traced, "torn at call " + std::to_string(call) + ": ");
            }
            if (QTest::currentTestFailed()) {
                return;
            }
        }
        qInfo("torn %zu times", torn);
        QVERIFY(torn > 40);
    }

    void cleanupTestCase() { qInfo("refused %zu calls", m_refused); }

private:
    std::function<std::string()> applying() {
        return [this] {
            auto review = FileReview::open(m_prepared.world.data);
            return review ? toText((*review)->apply(m_prepared.world.root.get(), m_prepared.set.id, everything(m_prepared.set)))
                          : "error " + review.error().text();
        };
    }
    std::function<std::string()> undoing() {
        return [this] {
            auto review = FileReview::open(m_prepared.world.data);
            return review ? toText((*review)->undo(m_prepared.world.root.get(), m_prepared.applyId))
                          : "error " + review.error().text();
        };
    }

    void eachRefusal(Lasting lasting, Watched watched, WorldImage& start, const std::function<std::string()>& work,
                     const std::function<void(const Traced&, const std::string&)>& verify) {
        const bool all = qEnvironmentVariableIsSet("CARREL_TEST_EVERY_POINT");
        const std::size_t step = all ? 1 : (lasting == Lasting::Once ? 3 : 7) * (watched == Watched::Reading ? 5 : 1);
        for (std::size_t call = 0;; call += step) {
            for (std::size_t turn = call / step, last = turn;; ++turn) {
                start.restore();
                Refuser refuser(call, turn, lasting);
                const Traced traced = trace(work, watched, refuser);
                if (refuser.hit.empty()) {
                    return;
                }
                ++m_refused;
                verify(traced, refuser.hit + ": " + traced.said.substr(0, 300));
                if (QTest::currentTestFailed()) {
                    return;
                }
                last = all ? call / step + refuser.turns - 1 : turn;
                if (turn >= last) {
                    break;
                }
            }
        }
    }

    // Whatever the call said, and after a recovery where it said nothing: true, and no temporary.
    std::optional<ApplyReport> settle(FileReview& review, const Traced& traced, const std::string& where,
                                      std::size_t known) {
        auto told = fromText(traced.said);
        auto recovered = review.recover(m_prepared.world.opener());
        if (!recovered) {
            qWarning("%s: cannot recover: %s", where.c_str(), recovered.error().text().c_str());
            return std::nullopt;
        }
        if (told && !recovered->empty()) {
            qWarning("%s: something was left to recover", where.c_str());
            return std::nullopt;
        }
        if (told) {
            return told;
        }
        if (!recovered->empty()) {
            return recovered->back();
        }
        // It may have come to its last line, and only the flush of that failed.
        const auto applies = review.applies().value();
        return applies.size() == known ? ApplyReport{} : review.report(applies.back().id).value();
    }

    void verifyApply(const Traced& traced, const std::string& where) {
        const World& w = m_prepared.world;
        const ExpectedState expected(m_prepared.set, m_prepared.before, m_prepared.after);
        // Before anything else: the report as it was given.
        if (const auto told = fromText(traced.said)) {
            QVERIFY2(same(snapshot(w.share, Times::Files), expected.applied(*told)), where.c_str());
        }
        auto review = m_prepared.world.review();
        const auto report = settle(*review, traced, where, 0);
        QVERIFY2(report, where.c_str());
        const Snapshot now = snapshot(w.share, Times::Files);
        QVERIFY2(same(now, expected.applied(*report)) && !hasTemporary(now), where.c_str());
        if (report->entries.empty() || !report->complete()) {
            retryApply(*review, *report, where);
        }
        QVERIFY2(same(snapshot(w.share, Times::Files), m_prepared.after), where.c_str());
        const auto applies = review->applies().value();
        for (auto apply = applies.rbegin(); apply != applies.rend(); ++apply) {
            if (apply->undoes.empty() && apply->undoneBy.empty()) {
                auto undone = review->undo(w.root.get(), apply->id);
                QVERIFY2(undone && undone->complete(), (where + (undone ? describe(*undone) : "")).c_str());
            }
        }
        QVERIFY2(same(snapshot(w.share, Times::Files), m_prepared.before), where.c_str());
    }

    void retryApply(FileReview& review, const ApplyReport& report, const std::string& where) {
        const World& w = m_prepared.world;
        std::vector<Selected> rest = everything(m_prepared.set);
        const bool partly = std::any_of(report.entries.begin(), report.entries.end(),
                                        [](const auto& entry) { return entry.outcome == Outcome::Partial; });
        if (partly) { // half a change is taken back first: the review knows nothing of its other half
            auto undone = review.undo(w.root.get(), review.applies()->back().id);
            QVERIFY2(undone && undone->complete(), where.c_str());
            QVERIFY2(same(snapshot(w.share, Times::Files), m_prepared.before), where.c_str());
        } else {
            for (const auto& entry : report.entries) {
                if (entry.outcome == Outcome::Applied) {
                    std::erase_if(rest, [&](const Selected& one) { return one.path == entry.path; });
                }
            }
        }
        auto again = review.apply(w.root.get(), m_prepared.set.id, rest);
        QVERIFY2(again, where.c_str());
        for (const auto& entry : again->entries) {
            // A folder above that is there by now comes along, and says so.
            const bool was = std::none_of(rest.begin(), rest.end(), [&](const auto& one) { return one.path == entry.path; });
            QVERIFY2(was || entry.outcome == Outcome::Applied, (where + describe(*again)).c_str());
        }
    }

    void verifyUndo(const Traced& traced, const std::string& where) {
        const World& w = m_prepared.world;
        const ExpectedState expected(m_prepared.set, m_prepared.before, m_prepared.after);
        if (const auto told = fromText(traced.said)) {
            QVERIFY2(same(snapshot(w.share, Times::Files), expected.undone(*told)), where.c_str());
        }
        auto review = m_prepared.world.review();
        const auto report = settle(*review, traced, where, 1);
        QVERIFY2(report, where.c_str());
        const Snapshot now = snapshot(w.share, Times::Files);
        QVERIFY2(same(now, expected.undone(*report)) && !hasTemporary(now), where.c_str());
        if (report->entries.empty() || !report->complete()) {
            auto again = review->undo(w.root.get(), m_prepared.applyId);
            QVERIFY2(again && again->complete(), (where + (again ? describe(*again) : again.error().text())).c_str());
        }
        QVERIFY2(same(snapshot(w.share, Times::Files), m_prepared.before), where.c_str());
    }

    CrashWorld m_prepared;
    std::size_t m_refused = 0;
};

QTEST_GUILESS_MAIN(TestCallErrors)
#include "test_call_errors.moc"
