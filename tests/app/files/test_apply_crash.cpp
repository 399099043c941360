// SPDX-License-Identifier: Apache-2.0
// I10: kill -9 at any instant. A child process applies (or undoes, or recovers) and ends itself before its
// Nth call that changes anything, for every N; the parent then recovers with fresh objects and compares every
// name, mode, time and byte.
#include "tests/app/files/files_world.h"
#include "tests/support/sanitized.h"

#include <QTemporaryDir>
#include <QTest>

#include <sys/wait.h>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;
using carrel::test::strideOf;

namespace {

constexpr int kKilled = 77;

class Killer : public StepHook {
public:
    explicit Killer(int at)
        : m_left(at) {}
    int before(std::string_view, std::string_view) override {
        if (m_left-- == 0) {
            ::_exit(kKilled); // no destructor, no flush: what a kill leaves
        }
        return 0;
    }

private:
    int m_left;
};

// Runs `work` in a child that ends before its step number `at`. True when it was killed, false when it came
// to its end.
template <class Work> bool killedAt(int at, Work work) {
    const pid_t child = ::fork();
    if (child == 0) {
        Killer killer(at);
        ::_exit(work(killer) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != kKilled && WEXITSTATUS(status) != 0)) {
        qFatal("the child failed at step %d, status %d", at, status);
    }
    return WEXITSTATUS(status) == kKilled;
}

// A copy of a prepared world's folders, to be spoiled. Hard-coded to cp -a: it keeps times to the nanosecond.
class Copy {
public:
    Copy(const World& from, const std::string& name)
        : m_from(from.base)
        , m_keep(from.base + "." + name) {
        restoreFrom(m_from, m_keep);
    }
    ~Copy() { fs::remove_all(m_keep); }
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;
    // In place, so that the share's root stays the same folder (its inode is checked).
    void restore() const {
        for (const char* part : {"share", "data"}) {
            for (const auto& item : fs::directory_iterator(m_from + "/" + part)) {
                fs::remove_all(item.path());
            }
        }
        restoreFrom(m_keep, m_from);
    }

private:
    static void restoreFrom(const std::string& from, const std::string& to) {
        fs::create_directories(to);
        const std::string command = "cp -a '" + from + "/.' '" + to + "'";
        if (std::system(command.c_str()) != 0) {
            qFatal("cannot copy the test's folders");
        }
    }
    std::string m_from, m_keep;
};

// Old or new for every name of the set, whatever the whole is.
bool eachOldOrNew(const Snapshot& now, const Snapshot& before, const Snapshot& after) {
    bool good = true;
    for (const auto& [name, line] : now) {
        if (name.find(kTemporaryPrefix) != std::string::npos) {
            continue; // recovery's to clean up; checked after it
        }
        const auto was = before.find(name);
        const auto is = after.find(name);
        if ((was == before.end() || was->second != line) && (is == after.end() || is->second != line)) {
            // Inside a renamed folder a file may be old under its new name.
            const auto moved =
                name.starts_with("albums/") ? before.find("album/" + name.substr(7)) : before.end();
            if (moved == before.end() || moved->second != line) {
                qWarning("neither old nor new: %s %s", name.c_str(), line.c_str());
                good = false;
            }
        }
    }
    return good;
}

} // namespace

class TestApplyCrash : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        mixedSet(m_world);
        auto review = m_world.review();
        auto set = m_world.freeze(*review);
        QVERIFY(set.has_value());
        m_set = *set;
        m_before = snapshot(m_world.share, Times::Files);
        m_beforeExactly = snapshot(m_world.share, Times::All);
        review.reset();
        m_frozen = std::make_unique<Copy>(m_world, "frozen");
        review = m_world.review();
        auto applied = review->apply(m_world.root.get(), m_set.id, everything(m_set));
        QVERIFY(applied && applied->complete());
        m_after = snapshot(m_world.share, Times::Files);
        m_afterExactly = snapshot(m_world.share, Times::All);
        m_applyId = applied->id;
        review.reset();
        m_applied = std::make_unique<Copy>(m_world, "applied");
    }

    void applyKilledAnywhere_data() {
        QTest::addColumn<bool>("forward");
        QTest::newRow("finish") << true;
        QTest::newRow("roll back") << false;
    }
    void applyKilledAnywhere() {
        QFETCH(bool, forward);
        int steps = 0;
        for (;; steps += strideOf(1)) {
            m_frozen->restore();
            const bool killed = killedAt(steps, [&](StepHook& hook) {
                auto review = m_world.review(&hook);
                auto report = review->apply(m_world.root.get(), m_set.id, everything(m_set));
                return report && report->complete();
            });
            if (!killed) {
                break;
            }
            QVERIFY2(eachOldOrNew(snapshot(m_world.share, Times::Files), m_before, m_after),
                     qPrintable(QString::number(steps)));
            auto review = m_world.review();
            auto reports =
                review->recover(m_world.opener(), forward ? RecoverTo::Finish : RecoverTo::RollBack);
            QVERIFY2(reports, reports ? "" : reports.error().text().c_str());
            const bool began = !review->applies().value().empty();
            // Nothing to recover although it began: the last line was written, it had happened.
            const Snapshot& expected = began && (forward || reports->empty()) ? m_after : m_before;
            QVERIFY2(same(snapshot(m_world.share, Times::Files), expected),
                     qPrintable(QString::number(steps)));
            QVERIFY(review->recover(m_world.opener())->empty()); // nothing left to do
            if (began && forward &&
                steps % 9 == 0) { // what was finished after a crash can be taken back, too
                auto undone = review->undo(m_world.root.get(), review->applies()->front().id);
                QVERIFY(undone && undone->complete());
                QVERIFY2(same(snapshot(m_world.share, Times::All), m_beforeExactly),
                         qPrintable(QString::number(steps)));
            }
        }
        qInfo("killed at steps up to %d", steps);
        QVERIFY(steps > 150);
    }

    void undoKilledAnywhere() {
        int steps = 0;
        for (;; steps += strideOf(1)) {
            m_applied->restore();
            const bool killed = killedAt(steps, [&](StepHook& hook) {
                auto review = m_world.review(&hook);
                auto report = review->undo(m_world.root.get(), m_applyId);
                return report && report->complete();
            });
            if (!killed) {
                break;
            }
            auto review = m_world.review();
            auto reports = review->recover(m_world.opener());
            QVERIFY2(reports, reports ? "" : reports.error().text().c_str());
            const bool began = review->applies().value().size() == 2;
            // The folders' times, too: what is taken back leaves no trace.
            QVERIFY2(same(snapshot(m_world.share, Times::All), began ? m_beforeExactly : m_afterExactly),
                     qPrintable(QString::number(steps)));
        }
        qInfo("killed at steps up to %d", steps);
        QVERIFY(steps > 150);
    }

    // A crash in the recovery of a crash.
    void recoveryKilledAnywhere() {
        for (int first = 5; first < 400; first += strideOf(23)) {
            for (int second = 0;; ++second) {
                m_frozen->restore();
                (void)killedAt(first, [&](StepHook& hook) {
                    auto review = m_world.review(&hook);
                    return review->apply(m_world.root.get(), m_set.id, everything(m_set)).has_value();
                });
                const bool killed = killedAt(second * 7, [&](StepHook& hook) {
                    auto review = m_world.review(&hook);
                    return review->recover(m_world.opener()).has_value();
                });
                auto review = m_world.review();
                QVERIFY(review->recover(m_world.opener()).has_value());
                const bool began = !review->applies().value().empty();
                QVERIFY(same(snapshot(m_world.share, Times::Files), began ? m_after : m_before));
                if (!killed) {
                    break;
                }
            }
        }
    }

    // The user writes to the file while Carrel is dead: their bytes stay, under the name or beside it.
    void editedWhileCarrelWasDead() {
        int steps = 0;
        for (;; steps += strideOf(1)) {
            m_frozen->restore();
            const bool killed = killedAt(steps, [&](StepHook& hook) {
                auto review = m_world.review(&hook);
                return review->apply(m_world.root.get(), m_set.id, everything(m_set)).has_value();
            });
            if (!killed) {
                break;
            }
            const std::string file = m_world.at("docs/report.txt");
            writeFile(file, "the user's own\n", 0640);
            auto review = m_world.review();
            QVERIFY(review->recover(m_world.opener()).has_value());
            QVERIFY2(slurp(file) == "the user's own\n", qPrintable(QString::number(steps)));
        }
    }

    // A power cut may tear the journal's last line.
    void tornJournalLine() {
        m_frozen->restore();
        (void)killedAt(120, [&](StepHook& hook) {
            auto review = m_world.review(&hook);
            return review->apply(m_world.root.get(), m_set.id, everything(m_set)).has_value();
        });
        std::string log;
        for (const auto& item : fs::directory_iterator(m_world.data + "/applies")) {
            log = item.path().string() + "/log";
        }
        QVERIFY(!log.empty());
        std::ofstream(log, std::ios::app)
            << "0123456789abcdef {\"t\":\"end\"}\n" // complete, but not its checksum
            << "0123456789abcdef {\"t\":\"don";
        auto review = m_world.review();
        QVERIFY(review->recover(m_world.opener()).has_value());
        QVERIFY(same(snapshot(m_world.share, Times::Files), m_after));
    }

    void anotherFolderIsNotRecoveredInto() {
        m_frozen->restore();
        (void)killedAt(120, [&](StepHook& hook) {
            auto review = m_world.review(&hook);
            return review->apply(m_world.root.get(), m_set.id, everything(m_set)).has_value();
        });
        QTemporaryDir other;
        auto review = m_world.review();
        auto reports = review->recover([&](const std::string&) -> Result<UniqueFd> {
            return UniqueFd(::open(other.path().toStdString().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        });
        QVERIFY(reports && reports->size() == 1 && !reports->at(0).complete());
        QVERIFY(snapshot(other.path().toStdString(), Times::Files).empty());
        QVERIFY(review->recover(m_world.opener()).has_value()); // and is there again when the folder is
        QVERIFY(same(snapshot(m_world.share, Times::Files), m_after));
    }

private:
    World m_world;
    FrozenSet m_set;
    std::string m_applyId;
    Snapshot m_before, m_after;
    Snapshot m_beforeExactly, m_afterExactly; // with the folders' times
    std::unique_ptr<Copy> m_frozen, m_applied;
};

QTEST_GUILESS_MAIN(TestApplyCrash)
#include "test_apply_crash.moc"
