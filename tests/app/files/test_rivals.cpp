// SPDX-License-Identifier: Apache-2.0
// The user, or a program of theirs, works on the same things as the agent, between the review and the apply or within it.
// What they did stays, an apply says so, and nothing is written anywhere but in the folder that was shared.
#include "tests/app/files/expected_state.h"
#include "tests/app/files/meddler.h"

#include "app/files/tree.h"

#include <QTest>

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

constexpr auto kFolder = EntryType::Directory;

struct Rivalry {
    const char* name;
    std::function<void(World&)> agent;
    std::function<void(World&)> user;
    std::vector<std::pair<const char*, Outcome>> told;
    std::vector<const char*> afterwards; // "path=content", "path?" (something is there), "!path" (nothing is)
};

void makeSocket(const std::string& path) {
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        qFatal("cannot bind a socket");
    }
}

void prepare(World& w) {
    fs::create_directories(w.at("d/inner"));
    writeFile(w.at("d/f"), "base d");
    writeFile(w.at("d/inner/g"), "base g");
    writeFile(w.at("f"), "base f");
    writeFile(w.at("g"), "base g");
    fs::create_symlink("f", w.at("l"));
    fs::create_directories(w.base + "/outside/inner");
    writeFile(w.base + "/outside/f", "outside");
}

const std::vector<Rivalry>& rivalries() {
    static const std::vector<Rivalry> kAll{
        {"deletes what is edited", [](World& w) { w.claim(ChangeKind::Deleted, "f"); },
         [](World& w) { writeFile(w.at("f"), "user"); }, {{"f", Outcome::Conflict}}, {"f=user"}},
        {"edits what is deleted", [](World& w) { w.content(ChangeKind::Modified, "f", "agent"); },
         [](World& w) { fs::remove(w.at("f")); }, {{"f", Outcome::Conflict}}, {"!f"}},
        {"deletes what is deleted", [](World& w) { w.claim(ChangeKind::Deleted, "f"); },
         [](World& w) { fs::remove(w.at("f")); }, {{"f", Outcome::Conflict}}, {"!f"}},
        {"renames what is edited", [](World& w) { w.renamed("f", "n"); },
         [](World& w) { writeFile(w.at("f"), "user"); }, {{"n", Outcome::Conflict}}, {"f=user", "!n"}},
        {"renames a folder in which something is edited", [](World& w) { w.renamed("d", "e", kFolder); },
         [](World& w) { writeFile(w.at("d/f"), "user"); }, {{"e", Outcome::Applied}}, {"e/f=user", "!d"}},
        {"renames a folder and edits what is edited", [](World& w) {
             w.renamed("d", "e", kFolder);
             w.content(ChangeKind::Modified, "e/f", "agent").base = w.versionOf("d/f");
             w.content(ChangeKind::Modified, "e/inner/g", "agent").base = w.versionOf("d/inner/g");
         }, [](World& w) { writeFile(w.at("d/f"), "user"); },
         {{"e", Outcome::Applied}, {"e/f", Outcome::Conflict}, {"e/inner/g", Outcome::Applied}},
         {"e/f=user", "e/inner/g=agent"}},
        {"renames a folder to a name that is taken", [](World& w) { w.renamed("d", "e", kFolder); },
         [](World& w) { fs::create_directory(w.at("e")); }, {{"e", Outcome::Conflict}}, {"d/f=base d", "e?"}},
        // The same bytes stand there: only that the folder did not come tells that these are not the ones.
        {"renames a folder that the user copied to that name", [](World& w) {
             w.renamed("d", "e", kFolder);
             w.content(ChangeKind::Modified, "e/f", "agent").base = w.versionOf("d/f");
             w.claim(ChangeKind::Deleted, "e/inner/g").base = w.versionOf("d/inner/g");
         }, [](World& w) { fs::copy(w.at("d"), w.at("e"), fs::copy_options::recursive); },
         {{"e", Outcome::Conflict}, {"e/f", Outcome::Conflict}, {"e/inner/g", Outcome::Conflict}},
         {"e/f=base d", "e/inner/g=base g", "d/f=base d"}},
        {"moves something into a folder that cannot come", [](World& w) {
             w.renamed("d", "n", kFolder);
             w.renamed("f", "n/moved");
             w.content(ChangeKind::Created, "n/new", "agent").base.reset();
         }, [](World& w) { fs::create_directory(w.at("n")); },
         {{"n", Outcome::Conflict}, {"n/moved", Outcome::Conflict}, {"n/new", Outcome::Conflict}},
         {"f=base f", "!n/moved", "!n/new", "d/f=base d"}},
        {"renames a folder that is renamed", [](World& w) { w.renamed("d", "e", kFolder); },
         [](World& w) { fs::rename(w.at("d"), w.at("user's")); }, {{"e", Outcome::Conflict}}, {"user's/f=base d", "!e"}},
        {"edits in a folder that is renamed", [](World& w) { w.content(ChangeKind::Modified, "d/f", "agent"); },
         [](World& w) { fs::rename(w.at("d"), w.at("e")); }, {{"d/f", Outcome::Conflict}}, {"e/f=base d", "!d"}},
        {"deletes a folder to which something is added", [](World& w) {
             w.claim(ChangeKind::Deleted, "d/inner/g");
             w.claim(ChangeKind::Deleted, "d/inner", kFolder);
         }, [](World& w) { writeFile(w.at("d/inner/new"), "user"); },
         {{"d/inner/g", Outcome::Applied}, {"d/inner", Outcome::Conflict}}, {"d/inner/new=user", "!d/inner/g"}},
        {"deletes a folder that became a link", [](World& w) {
             w.claim(ChangeKind::Deleted, "d/inner/g");
             w.claim(ChangeKind::Deleted, "d/inner", kFolder);
         }, [](World& w) {
             fs::remove_all(w.at("d"));
             fs::create_symlink(w.base + "/outside", w.at("d"));
         }, {{"d/inner/g", Outcome::Conflict}, {"d/inner", Outcome::Conflict}}, {"d/f=outside", "d/inner?"}},
        {"edits in a folder that became a link", [](World& w) { w.content(ChangeKind::Modified, "d/f", "agent"); },
         [](World& w) {
             fs::remove_all(w.at("d"));
             fs::create_symlink(w.base + "/outside", w.at("d"));
         }, {{"d/f", Outcome::Conflict}}, {"d/f=outside"}},
        {"creates where a pipe is", [](World& w) { w.content(ChangeKind::Created, "n", "agent"); },
         [](World& w) { ::mkfifo(w.at("n").c_str(), 0600); }, {{"n", Outcome::Conflict}}, {"n?"}},
        {"edits what became a pipe", [](World& w) { w.content(ChangeKind::Modified, "f", "agent"); }, [](World& w) {
             fs::remove(w.at("f"));
             ::mkfifo(w.at("f").c_str(), 0600);
         }, {{"f", Outcome::Conflict}}, {"f?"}},
        {"deletes what became a socket", [](World& w) { w.claim(ChangeKind::Deleted, "f"); }, [](World& w) {
             fs::remove(w.at("f"));
             makeSocket(w.at("f"));
         }, {{"f", Outcome::Conflict}}, {"f?"}},
        {"renames onto a socket", [](World& w) { w.renamed("f", "n"); },
         [](World& w) { makeSocket(w.at("n")); }, {{"n", Outcome::Conflict}}, {"f=base f", "n?"}},
        {"edits what got a second name", [](World& w) { w.content(ChangeKind::Modified, "f", "agent"); },
         [](World& w) { fs::create_hard_link(w.at("f"), w.at("same")); }, {{"f", Outcome::Conflict}},
         {"f=base f", "same=base f"}},
        {"deletes what got a second name", [](World& w) { w.claim(ChangeKind::Deleted, "f"); },
         [](World& w) { fs::create_hard_link(w.at("f"), w.at("same")); }, {{"f", Outcome::Conflict}},
         {"f=base f", "same=base f"}},
        {"changes a link that leads elsewhere by now", [](World& w) { w.link("l", "g"); }, [](World& w) {
             fs::remove(w.at("l"));
             fs::create_symlink("d/f", w.at("l"));
         }, {{"l", Outcome::Conflict}}, {"l=base d"}},
        {"sets permissions that are others by now", [](World& w) { w.claim(ChangeKind::Mode, "f").mode = 0755; },
         [](World& w) { ::chmod(w.at("f").c_str(), 0600); }, {{"f", Outcome::Conflict}}, {"f=base f"}},
        {"swaps two of which one is edited", [](World& w) {
             w.renamed("f", "g");
             w.renamed("g", "f");
         }, [](World& w) { writeFile(w.at("g"), "user"); }, {{"f", Outcome::Conflict}, {"g", Outcome::Conflict}},
         {"f=base f", "g=user"}},
        {"makes a folder where one is", [](World& w) {
             w.claim(ChangeKind::Created, "n", kFolder);
             w.content(ChangeKind::Created, "n/agent's", "agent");
         }, [](World& w) {
             fs::create_directory(w.at("n"));
             writeFile(w.at("n/user's"), "user");
         }, {{"n", Outcome::Conflict}, {"n/agent's", Outcome::Applied}}, {"n/user's=user", "n/agent's=agent"}},
    };
    return kAll;
}

void saveAtomically(const World& w, const char* name, std::string_view text) {
    writeFile(w.at("saving"), text);
    fs::rename(w.at("saving"), w.at(name));
}

struct LastMoment {
    const char* name;
    const char* step;
    std::function<void(World&)> agent;
    std::function<void(World&)> user;
    std::vector<const char*> afterwards;
};

const std::vector<LastMoment>& lastMoments() {
    const auto ring = [](World& w) {
        w.renamed("f", "g");
        w.renamed("g", "f");
    };
    static const std::vector<LastMoment> kAll{
        {"renamed", "rename", [](World& w) { w.renamed("f", "n"); },
         [](World& w) { saveAtomically(w, "f", "user"); }, {"f=user", "!n"}},
        {"renamed, a folder", "rename", [](World& w) { w.renamed("d", "e", kFolder); }, [](World& w) {
             fs::rename(w.at("d"), w.at("user's"));
             fs::create_directory(w.at("d"));
             writeFile(w.at("d/f"), "user");
         }, {"d/f=user", "user's/f=base d", "!e"}},
        {"in a ring, the first", "exchange", ring, [](World& w) { saveAtomically(w, "f", "user"); }, {"f=user", "g=base g"}},
        {"in a ring, the second", "exchange", ring, [](World& w) { saveAtomically(w, "g", "user"); }, {"f=base f", "g=user"}},
        {"in a ring, both", "exchange", ring, [](World& w) {
             saveAtomically(w, "f", "user f");
             saveAtomically(w, "g", "user g");
         }, {"f=user f", "g=user g"}},
        {"in a ring, a folder", "exchange", [](World& w) {
             w.renamed("f", "d");
             w.renamed("d", "f", kFolder);
         }, [](World& w) {
             fs::rename(w.at("d"), w.at("user's"));
             fs::create_directory(w.at("d"));
             writeFile(w.at("d/f"), "user");
         }, {"d/f=user", "user's/f=base d", "f=base f"}},
    };
    return kAll;
}

} // namespace

class TestRivals : public QObject {
    Q_OBJECT
private slots:
    void bothWork_data() {
        QTest::addColumn<std::size_t>("index");
        for (std::size_t i = 0; i < rivalries().size(); ++i) {
            QTest::newRow(rivalries()[i].name) << i;
        }
    }
    // After the review; and before it, where the review itself must say so or leave it out.
    void bothWork() {
        QFETCH(std::size_t, index);
        const Rivalry& rivalry = rivalries()[index];
        for (const bool late : {true, false}) {
            World w;
            prepare(w);
            const auto outside = snapshot(w.base + "/outside", Times::All);
            rivalry.agent(w);
            auto review = w.review();
            if (!late) {
                rivalry.user(w);
            }
            auto set = w.freeze(*review);
            QVERIFY(set);
            if (late) {
                rivalry.user(w);
            }
            auto report = review->apply(w.root.get(), set->id, everything(*set));
            QVERIFY(report);
            for (const auto& [name, outcome] : rivalry.told) {
                const auto told = std::find_if(report->entries.begin(), report->entries.end(),
                                               [path = name](const auto& entry) { return entry.path.text() == path; });
                if (late) {
                    QVERIFY2(told != report->entries.end() && told->outcome == outcome, describe(*report).c_str());
                    QVERIFY(told->reason.empty() == (outcome == Outcome::Applied));
                }
            }
            for (const std::string line : rivalry.afterwards) {
                verifyLine(w, line);
            }
            QVERIFY(same(snapshot(w.base + "/outside", Times::All), outside));
            for (const auto& [name, text] : snapshot(w.share, Times::Files)) {
                QVERIFY2(name.find(".carrel-") == std::string::npos, name.c_str());
            }
        }
    }

    // A folder goes away and a link out of the share takes its place, at any moment of an apply of everything.
    void aLinkTakesTheFoldersPlace() {
        CrashWorld c;
        QVERIFY(c.prepare());
        World& w = c.world;
        const std::string outside = w.base + "/outside";
        fs::create_directories(outside + "/old");
        for (const char* name : {"report.txt", "run", "old/gone.txt"}) {
            writeFile(outside + "/" + name, "outside");
        }
        const auto decoys = snapshot(outside, Times::All);
        const ExpectedState expected(c.set, c.before, c.after);
        int conflicts = 0;
        for (int step = 0;; step += 3) {
            c.frozen->restore();
            AtStep hook(step, [&] {
                fs::rename(w.at("docs"), w.at("docs.real"));
                fs::create_symlink(outside, w.at("docs"));
            });
            auto review = w.review(&hook);
            auto told = review->apply(w.root.get(), c.set.id, everything(c.set));
            if (hook.where.empty()) {
                break;
            }
            const std::string where = "step " + std::to_string(step) + ", " + hook.where;
            QVERIFY2(told, where.c_str());
            QVERIFY2(same(snapshot(outside, Times::All), decoys), where.c_str());
            conflicts += told->complete() ? 0 : 1;
            fs::remove(w.at("docs"));
            fs::rename(w.at("docs.real"), w.at("docs"));
            QVERIFY2(same(snapshot(w.share, Times::Files), expected.applied(*told)), (where + describe(*told)).c_str());
        }
        qInfo("it made a difference in %d runs", conflicts);
        QVERIFY(conflicts > 20);
    }

    // An editor saves atomically between the last look and the call: what is moved is what was saved, and nobody reviewed that.
    void whatIsSavedAtTheLastMomentStaysWhereItIs_data() {
        QTest::addColumn<std::size_t>("index");
        for (std::size_t i = 0; i < lastMoments().size(); ++i) {
            QTest::newRow(lastMoments()[i].name) << i;
        }
    }
    void whatIsSavedAtTheLastMomentStaysWhereItIs() {
        QFETCH(std::size_t, index);
        const LastMoment& moment = lastMoments()[index];
        World w;
        prepare(w);
        moment.agent(w);
        Meddler meddler;
        auto review = w.review(&meddler);
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        meddler.step = moment.step;
        meddler.action = [&] { moment.user(w); };
        auto applied = review->apply(w.root.get(), set->id, everything(*set));
        VERIFY_OK(applied);
        for (const auto& entry : applied->entries) {
            QVERIFY2(entry.outcome == Outcome::Conflict && !entry.reason.empty(), describe(*applied).c_str());
        }
        for (const std::string line : moment.afterwards) {
            verifyLine(w, line);
        }
    }

    // And a crash right after the call: who put there what cannot be told any more, so nothing is moved about, and the user
    // is told what to look at.
    void orIsToldAfterACrash_data() { whatIsSavedAtTheLastMomentStaysWhereItIs_data(); }
    void orIsToldAfterACrash() {
        QFETCH(std::size_t, index);
        const LastMoment& moment = lastMoments()[index];
        World w;
        prepare(w);
        moment.agent(w);
        auto review = w.review();
        auto set = w.freeze(*review);
        VERIFY_OK(set);
        review.reset();
        if (const pid_t child = ::fork(); child == 0) {
            struct Dies : StepHook {
                const LastMoment& moment;
                World& world;
                bool called = false;
                Dies(const LastMoment& m, World& w)
                    : moment(m)
                    , world(w) {}
                int before(std::string_view name, std::string_view) override {
                    if (called) {
                        ::_exit(0);
                    }
                    if (name == moment.step) {
                        called = true;
                        moment.user(world);
                    }
                    return 0;
                }
            } dies(moment, w);
            auto opened = w.review(&dies);
            (void)opened->apply(w.root.get(), set->id, everything(*set));
            ::_exit(1);
        } else {
            int status = 0;
            QVERIFY(::waitpid(child, &status, 0) == child && status == 0);
        }
        const auto left = snapshot(w.share, Times::Files);
        review = w.review();
        auto reports = review->recover(w.opener());
        VERIFY_OK(reports);
        QCOMPARE(reports->size(), std::size_t{1});
        for (const auto& entry : reports->front().entries) {
            QVERIFY2(entry.outcome == Outcome::Conflict, describe(reports->front()).c_str());
            QVERIFY2(entry.reason.find("what stands at ") != std::string::npos, describe(reports->front()).c_str());
        }
        QVERIFY(same(snapshot(w.share, Times::Files), left));
    }

    // The kernel's own files have no size and no end that anybody knows: nothing is read past what a file was.
    void whatGrowsIsNotReadForEver() {
        const Place place{UniqueFd(::open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), "status"};
        auto state = observe(place, LookAt::Content);
        QVERIFY(!state && state.error().code == ErrorCode::Conflict);
    }

private:
    static void verifyLine(const World& w, const std::string& line) {
        struct stat st {};
        const auto equals = line.find('=');
        if (line.front() == '!') {
            QVERIFY2(::lstat(w.at(line.substr(1)).c_str(), &st) != 0, line.c_str());
        } else if (line.back() == '?') {
            QVERIFY2(::lstat(w.at(line.substr(0, line.size() - 1)).c_str(), &st) == 0, line.c_str());
        } else {
            QCOMPARE(slurp(w.at(line.substr(0, equals))), line.substr(equals + 1));
        }
    }
};

QTEST_GUILESS_MAIN(TestRivals)
#include "test_rivals.moc"
