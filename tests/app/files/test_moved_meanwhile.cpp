// SPDX-License-Identifier: Apache-2.0
// I10: between a crash and the start after it, the user renames, moves or replaces the folder that an apply was at work in.
// What is told is true of the folder that it was begun in, nothing of Carrel's stays behind where that can be found, and
// otherwise the user is told what to look for.
#include "tests/app/files/crash_world.h"
#include "tests/app/files/meddler.h"
#include "tests/support/sanitized.h"

#include <QTest>

#include <sys/wait.h>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

enum class Then { Renamed, AboveRenamed, Another, Twin, Away };
enum class Next { Finish, RollBack, Decision };

std::vector<std::string> temporariesIn(const std::string& folder) {
    std::vector<std::string> found;
    for (const auto& item : fs::recursive_directory_iterator(folder)) {
        if (const std::string name = item.path().filename().string(); name.starts_with(kTemporaryPrefix)) {
            found.push_back(name);
        }
    }
    return found;
}

// One that is replaced, one deleted, one made; by themselves with folders between them, or together.
struct DocsWorld : World {
    FrozenSet set;
    explicit DocsWorld(bool together) {
        fs::create_directories(at("top/docs"));
        for (const char* name : {"changed", "deleted", "mode"}) {
            writeFile(at(std::string("top/docs/") + name), std::string(name) + " as it was\n");
        }
        content(ChangeKind::Modified, "top/docs/changed", "agent\n");
        content(ChangeKind::Created, "top/docs/made", "agent\n");
        claim(ChangeKind::Deleted, "top/docs/deleted");
        claim(ChangeKind::Mode, "top/docs/mode").mode = 0600;
        if (!together) { // what is renamed with its content changed is two operations, and goes by itself
            claims.erase(claims.begin(), claims.begin() + 2);
            auto& entry = renamed("top/docs/changed", "top/docs/made");
            entry.contentChanged = true;
            entry.size = 6;
            guest.contents["top/docs/made"] = "agent\n";
        }
        auto opened = review();
        set = freeze(*opened).value();
    }
    // False: it came to its end.
    bool dieAt(int step, std::string& where) {
        int pipe[2];
        if (::pipe(pipe) != 0) {
            std::abort();
        }
        if (const pid_t child = ::fork(); child == 0) {
            AtStep death(step, [] {});
            struct Dying : StepHook {
                AtStep& at;
                int to;
                Dying(AtStep& step, int fd)
                    : at(step)
                    , to(fd) {}
                int before(std::string_view name, std::string_view path) override {
                    (void)at.before(name, path);
                    if (!at.where.empty()) {
                        (void)!::write(to, at.where.data(), at.where.size());
                        ::_exit(7);
                    }
                    return 0;
                }
            } dying(death, pipe[1]);
            auto opened = review(&dying);
            (void)opened->apply(root.get(), set.id, everything(set));
            ::_exit(0);
        } else {
            int status = 0;
            ::waitpid(child, &status, 0);
            std::string text(64, '\0');
            ::close(pipe[1]);
            const ssize_t got = ::read(pipe[0], text.data(), text.size());
            ::close(pipe[0]);
            where = "step " + std::to_string(step) + ", " + text.substr(0, got > 0 ? static_cast<std::size_t>(got) : 0);
            return WIFEXITED(status) && WEXITSTATUS(status) == 7;
        }
    }
    // Where the folder is then.
    std::string meddle(Then then) const {
        switch (then) {
        case Then::Renamed:
            fs::rename(at("top/docs"), at("top/papers"));
            return at("top/papers");
        case Then::AboveRenamed:
            fs::rename(at("top"), at("bottom"));
            return at("bottom/docs");
        case Then::Another:
            fs::rename(at("top/docs"), at("top/papers"));
            fs::create_directory(at("top/docs"));
            writeFile(at("top/docs/changed"), "the user's\n");
            return at("top/papers");
        case Then::Twin:
            fs::rename(at("top/docs"), at("top/papers"));
            fs::create_directory(at("top/docs"));
            for (const char* name : {"changed", "deleted", "mode"}) {
                writeFile(at(std::string("top/docs/") + name), std::string(name) + " as it was\n");
            }
            return at("top/papers");
        case Then::Away:
            fs::rename(at("top/docs"), base + "/away");
            return base + "/away";
        }
        return {};
    }
};

// The states of what stands in the folder that an entry may be told of as.
bool isTrue(const EntryOutcome& entry, const std::string& folder) {
    const std::string name = folder + "/" + std::string(entry.path.name());
    const bool applied = entry.outcome == Outcome::Applied;
    const auto& what = entry.path.name();
    if (what == "changed") {
        return slurp(name) == (applied ? "agent\n" : "changed as it was\n");
    }
    if (what == "deleted") {
        return fs::exists(name) != applied;
    }
    if (what == "mode") {
        struct stat st {};
        return ::stat(name.c_str(), &st) == 0 && (st.st_mode & 0777) == (applied ? 0600U : 0644U);
    }
    return fs::exists(name) == (applied || entry.outcome == Outcome::Partial);
}

} // namespace

class TestMovedMeanwhile : public QObject {
    Q_OBJECT
private slots:
    void afterACrash_data() {
        QTest::addColumn<int>("then");
        QTest::addColumn<int>("next");
        QTest::addColumn<bool>("together");
        for (const bool together : {true, false}) {
            const char* how = together ? "together" : "by themselves";
            const auto row = [&](const char* name, Then then, Next next) {
                QTest::addRow("%s, %s", name, how) << static_cast<int>(then) << static_cast<int>(next) << together;
            };
            row("renamed", Then::Renamed, Next::Finish);
            row("renamed, and rolled back", Then::Renamed, Next::RollBack);
            row("renamed, and something else decided", Then::Renamed, Next::Decision);
            row("the one above renamed", Then::AboveRenamed, Next::Finish);
            row("another in its place", Then::Another, Next::Finish);
            row("another in its place, and something else decided", Then::Another, Next::Decision);
            row("a twin in its place", Then::Twin, Next::Finish);
            row("moved away", Then::Away, Next::Finish);
        }
    }
    void afterACrash() {
        QFETCH(int, then);
        QFETCH(int, next);
        QFETCH(bool, together);
        int left = 0;
        std::string where;
        for (int step = 0;; step += carrel::test::kSanitized ? 3 : 1) {
            DocsWorld w(together);
            if (!w.dieAt(step, where)) {
                break;
            }
            where += ": ";
            left += temporariesIn(w.share).empty() ? 0 : 1;
            const std::string folder = w.meddle(static_cast<Then>(then));
            auto review = w.review();
            if (static_cast<Next>(next) == Next::Decision) {
                QVERIFY2(review->settle(w.root.get(), "s1"), where.c_str());
            } else {
                const bool back = static_cast<Next>(next) == Next::RollBack;
                auto reports = review->recover(w.opener(), back ? RecoverTo::RollBack : RecoverTo::Finish);
                QVERIFY2(reports, (where + (reports ? "" : reports.error().text())).c_str());
            }
            const auto applies = review->applies().value();
            if (applies.empty()) {
                continue;
            }
            QVERIFY2(applies.front().finished, where.c_str());
            const ApplyReport report = review->report(applies.front().id).value();
            where += describe(report);
            std::string said;
            for (const auto& entry : report.entries) {
                const bool isOthers = fs::exists(w.at("top/docs")) && isTrue(entry, w.at("top/docs")); // it went on there
                const bool isTold = entry.reason.find("moved out of the shared folder") != std::string::npos;
                const bool isUndone = static_cast<Next>(next) == Next::RollBack;
                QVERIFY2(isTrue(entry, folder) || isOthers || isTold || isUndone, (where + " at " + entry.path.text()).c_str());
                said += entry.reason;
            }
            QVERIFY2(temporariesIn(w.share).empty(), where.c_str());
            if (static_cast<Then>(then) == Then::Away) {
                for (const auto& temporary : temporariesIn(folder)) {
                    QVERIFY2(said.find(temporary) != std::string::npos, where.c_str());
                }
            }
            if (static_cast<Then>(then) == Then::Another) {
                QVERIFY2(slurp(w.at("top/docs/changed")) == "the user's\n", where.c_str());
            }
        }
        QVERIFY(left > (carrel::test::kSanitized ? 0 : 3));
    }

    // A power cut, too: the temporary is there, and the line that tells of it is not.
    void withoutItsLine() {
        for (const Next next : {Next::Finish, Next::Decision}) {
            auto world = std::make_unique<DocsWorld>(true);
            std::string where;
            for (int step = 0; world->dieAt(step, where) && where.find("stage.flush") == std::string::npos; ++step) {
                world = std::make_unique<DocsWorld>(true);
            }
            DocsWorld& w = *world;
            QVERIFY(!temporariesIn(w.share).empty());
            const auto id = w.review()->applies()->front().id;
            QVERIFY(::truncate((w.data + "/applies/" + id + "/log").c_str(), 0) == 0);
            (void)w.meddle(Then::Renamed);
            auto review = w.review();
            QVERIFY(next == Next::Decision ? review->settle(w.root.get(), "s1").has_value() : review->recover(w.opener()).has_value());
            QVERIFY(temporariesIn(w.share).empty());
        }
    }
};

QTEST_GUILESS_MAIN(TestMovedMeanwhile)
#include "test_moved_meanwhile.moc"
