// SPDX-License-Identifier: Apache-2.0
// I10: kill -9 at any instant, by the kernel's own account of what an instant is. A child carries out an apply, an undo,
// the undo of that, and a recovery; its parent stops it before and after every system call that can change something on a
// disk, and kills it there. A fresh start then finishes, or rolls back, and every name, byte, mode, time, attribute and
// link is compared; then it is all taken back and compared again.
//
// What stands on the disk after one call and before the next is the same (that nothing else changes it is a test of its
// own), so by default a run takes the one or the other, and of the rarer works a part of the calls. All of both, eight
// thousand points in five minutes: CARREL_TEST_EVERY_POINT=1.
#include "tests/app/files/call_tracer.h"
#include "tests/app/files/crash_world.h"
#include "tests/app/files/killer.h"

#include <QTest>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

// Which points of a run are tried.
struct Points {
    std::size_t first, step;
};
constexpr Points kBeforeEach{0, 2};
constexpr Points kAfterEverySecond{1, 4};
constexpr Points kAfterSome{3, 14};
constexpr Points kSome{0, 17}; // before and after in turn

class Counter : public Watcher {
public:
    Order before(const Call& call) override {
        ++calls[std::string(call.name())];
        if (call.name() == "openat2") {
            std::uint64_t flags = 0; // the first field of struct open_how
            const std::string bytes = textAt(call.child, call.args[2]);
            std::memcpy(&flags, bytes.data(), std::min(bytes.size(), sizeof flags));
            makingOpens += (flags & (O_CREAT | O_TRUNC)) != 0 ? 1 : 0;
        }
        return {};
    }
    std::map<std::string, std::size_t> calls;
    int makingOpens = 0;
};

std::string nothing(const Result<ApplyReport>& report) {
    return report && report->complete() ? "" : "it did not go well";
}

} // namespace

class TestCallCrash : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        if (const std::string why = whyNoTracing(); !why.empty()) {
            QSKIP(why.c_str());
        }
        QVERIFY(m_prepared.prepare());
    }

    // What the points are worth: there is no call beside the watched ones that can change anything.
    void nothingChangesBesideTheWatchedCalls() {
        for (const Watched watched : {Watched::Unknown, Watched::AllOpens, Watched::Changing}) {
            Counter counter;
            m_prepared.frozen->restore();
            QCOMPARE(trace(applying(), watched, counter).said, std::string());
            QCOMPARE(counter.makingOpens, 0);
            std::string text;
            for (const auto& [name, count] : counter.calls) {
                text += name + " " + std::to_string(count) + " ";
            }
            qInfo("%s", text.c_str());
            QVERIFY2(watched != Watched::Unknown || counter.calls.empty(), text.c_str());
        }
    }

    void applyKilledAtEveryCall_data() {
        QTest::addColumn<bool>("forward");
        QTest::newRow("finish") << true;
        QTest::newRow("roll back") << false;
    }
    void applyKilledAtEveryCall() {
        QFETCH(bool, forward);
        const World& w = m_prepared.world;
        const Points points = forward ? kBeforeEach : kAfterEverySecond;
        killedAt(points, *m_prepared.frozen, applying(), [&](const std::string& where) {
            auto review = m_prepared.world.review();
            auto reports = review->recover(w.opener(), forward ? RecoverTo::Finish : RecoverTo::RollBack);
            QVERIFY2(reports, (where + (reports ? "" : reports.error().text())).c_str());
            const auto applies = review->applies().value();
            // Nothing to recover although it began: the last line was written, it had happened.
            const bool stands = !applies.empty() && (forward || reports->empty());
            if (stands) {
                QVERIFY2(same(snapshot(w.share, Times::Files), m_prepared.after), where.c_str());
                auto undone = review->undo(w.root.get(), applies.front().id);
                QVERIFY2(undone && undone->complete(), where.c_str());
            }
            // A temporary that came and went has moved its folder's time, and was no step that could be taken back.
            const Times times = forward ? Times::All : Times::Files;
            QVERIFY2(same(snapshot(w.share, times), forward ? m_prepared.beforeExactly : m_prepared.before),
                     where.c_str());
            settled(*review, where);
        });
    }

    void undoKilledAtEveryCall() {
        const World& w = m_prepared.world;
        killedAt(kBeforeEach, *m_prepared.applied, undoing(m_prepared.applyId), [&](const std::string& where) {
            auto review = m_prepared.world.review();
            QVERIFY2(review->recover(w.opener()), where.c_str());
            const auto applies = review->applies().value();
            const bool began = applies.size() == 2;
            QVERIFY2(same(snapshot(w.share, Times::All), began ? m_prepared.beforeExactly : m_prepared.afterExactly),
                     where.c_str());
            auto other = review->undo(w.root.get(), applies.back().id);
            QVERIFY2(other && other->complete(), where.c_str());
            QVERIFY2(same(snapshot(w.share, Times::Files), began ? m_prepared.after : m_prepared.before), where.c_str());
            settled(*review, where);
        });
    }

    void undoOfTheUndoKilledAtEveryCall() {
        const World& w = m_prepared.world;
        killedAt(kAfterSome, *m_prepared.undone, undoing(m_prepared.undoId), [&](const std::string& where) {
            auto review = m_prepared.world.review();
            QVERIFY2(review->recover(w.opener()), where.c_str());
            const auto applies = review->applies().value();
            if (applies.size() == 3) {
                QVERIFY2(same(snapshot(w.share, Times::Files), m_prepared.after), where.c_str());
                auto undone = review->undo(w.root.get(), applies.back().id);
                QVERIFY2(undone && undone->complete(), where.c_str());
            }
            QVERIFY2(same(snapshot(w.share, Times::All), m_prepared.beforeExactly), where.c_str());
            settled(*review, where);
        });
    }

    // A crash in the recovery of a crash, for a few of the first ones.
    void recoveryKilledAtEveryCall_data() { applyKilledAtEveryCall_data(); }
    void recoveryKilledAtEveryCall() {
        QFETCH(bool, forward);
        const World& w = m_prepared.world;
        const auto to = forward ? RecoverTo::Finish : RecoverTo::RollBack;
        Counter counter;
        m_prepared.frozen->restore();
        const std::size_t calls = trace(applying(), Watched::Changing, counter).calls;
        for (std::size_t first = calls - 7; first > calls / 4; first -= calls / 5) {
            const auto crashed = [&] {
                m_prepared.frozen->restore();
                Killer killer(2 * first);
                (void)trace(applying(), Watched::Changing, killer);
            };
            const auto recovering = [&]() -> std::string {
                return m_prepared.world.review()->recover(w.opener(), to) ? "" : "it did not go well";
            };
            eachPoint(kSome, crashed, recovering, [&](const std::string& where) {
                auto review = m_prepared.world.review();
                auto reports = review->recover(w.opener(), to);
                QVERIFY2(reports, (where + (reports ? "" : reports.error().text())).c_str());
                QVERIFY2(same(snapshot(w.share, Times::Files), forward ? m_prepared.after : m_prepared.before),
                         where.c_str());
                settled(*review, where);
            });
        }
    }

    void cleanupTestCase() {
        qInfo("killed at %zu points", m_points);
    }

private:
    std::function<std::string()> applying() {
        return [this] {
            auto review = m_prepared.world.review();
            return nothing(review->apply(m_prepared.world.root.get(), m_prepared.set.id, everything(m_prepared.set)));
        };
    }
    std::function<std::string()> undoing(const std::string& id) {
        return [this, id] {
            auto review = m_prepared.world.review();
            return nothing(review->undo(m_prepared.world.root.get(), id));
        };
    }

    void killedAt(Points points, WorldImage& start, const std::function<std::string()>& work,
                  const std::function<void(const std::string&)>& verify) {
        eachPoint(points, [&] { start.restore(); }, work, verify);
    }

    void eachPoint(Points points, const std::function<void()>& restore, const std::function<std::string()>& work,
                   const std::function<void(const std::string&)>& verify) {
        if (qEnvironmentVariableIsSet("CARREL_TEST_EVERY_POINT")) {
            points = {0, 1};
        }
        for (std::size_t point = points.first;; point += points.step) {
            restore();
            Killer killer(point);
            const Traced traced = trace(work, Watched::Changing, killer);
            if (!traced.killed) {
                QCOMPARE(traced.said, std::string());
                break;
            }
            ++m_points;
            verify(killer.where());
            if (QTest::currentTestFailed()) {
                return;
            }
        }
    }

    // Nothing is left to do, and nothing half-written is left in the store.
    static void settled(FileReview& review, const std::string& where) {
        const auto applies = review.applies().value();
        QVERIFY2(std::all_of(applies.begin(), applies.end(), [](const auto& apply) { return apply.finished; }),
                 where.c_str());
    }

    CrashWorld m_prepared;
    std::size_t m_points = 0;
};

QTEST_GUILESS_MAIN(TestCallCrash)
#include "test_call_crash.moc"
