// SPDX-License-Identifier: Apache-2.0
// The rules' file: what Carrel wrote counts, and whatever else stands there denies everything and is told.
#include "app/policy/rule_book.h"
#include "tests/app/policy/turned_clock.h"

#include <QTemporaryDir>
#include <QTest>

#include <filesystem>
#include <fstream>
#include <future>
#include <sys/stat.h>

using namespace carrel;
using namespace carrel::policy;
using carrel::policy::test::TurnedClock;
namespace fs = std::filesystem;

namespace {

struct Locked final : SealKeeper { // a keyring that can be locked
    std::optional<Kept> kept;
    bool locked = false;
    int asked = 0; // to keep one
    Result<std::optional<Kept>> load() override {
        return locked ? fail(ErrorCode::Unavailable, "the keyring is locked") : Result<std::optional<Kept>>(kept);
    }
    Status keep(const Kept& next) override {
        ++asked;
        if (locked) {
            return fail(ErrorCode::Unavailable, "the keyring is locked");
        }
        kept = next;
        return {};
    }
};

struct World {
    QTemporaryDir folder;
    fs::path file = fs::path(folder.path().toStdString()) / "rules.toml";
    fs::path key = fs::path(folder.path().toStdString()) / "rules.key";
    TurnedClock clock;
    std::unique_ptr<RuleBook> book;
    World() { open(); }
    void open() { book = std::make_unique<RuleBook>(file, std::make_unique<FileSealKeeper>(key), clock); }
    [[nodiscard]] std::string text() const {
        std::ifstream in(file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void write(const std::string& text) const {
        std::ofstream(file.string() + ".edit", std::ios::binary) << text;
        fs::rename(file.string() + ".edit", file);
    }
};

Rule allow(std::string host) {
    Rule rule;
    rule.effect = Effect::Allow;
    rule.action = Action::Network;
    rule.fields["host"] = {std::move(host)};
    return rule;
}
Request to(std::string host) {
    Request out;
    out.agent = "ann";
    out.action = Action::Network;
    out.fields["host"] = std::move(host);
    return out;
}
RuleBook::Verdict ask(RuleBook& book, const char* host = "example.org") {
    const std::vector requests{to(host)};
    return book.decide(requests);
}

} // namespace

class TestRuleBook : public QObject {
    Q_OBJECT
private slots:
    void itIsKept() {
        World w;
        QVERIFY(ask(*w.book).answer == Answer::Ask); // there was never one
        const auto first = w.book->add(allow("example.org"));
        const auto second = w.book->add(allow("other.org"));
        QVERIFY(first && second && first->id == 1 && second->id == 2);
        w.open();
        const auto verdict = ask(*w.book);
        QVERIFY(verdict.answer == Answer::Allow && verdict.rule == *first);
        QVERIFY(w.book->remove(1));
        QVERIFY(ask(*w.book).answer == Answer::Ask);
        QVERIFY(!w.book->remove(1));
        w.open();
        const auto third = w.book->add(allow("third.org"));
        QVERIFY(third && third->id == 3); // a number means one rule for ever
        struct stat info {};
        for (const auto& path : {w.file, w.key}) {
            QVERIFY(::stat(path.c_str(), &info) == 0 && (info.st_mode & 0777U) == 0600U);
        }
    }

    void anotherProcessHasWrittenIt() {
        World w;
        QVERIFY(w.book->add(allow("example.org")));
        RuleBook other(w.file, std::make_unique<FileSealKeeper>(w.key), w.clock);
        QVERIFY(other.remove(1));
        QVERIFY(ask(*w.book).answer == Answer::Ask);
        QVERIFY(w.book->add(allow("example.org"))); // on top of that
        QCOMPARE(other.rules()->nextId, std::uint64_t{3});
    }

    void everyByteCounts() {
        World w;
        auto deny = allow("example.org");
        deny.effect = Effect::Deny;
        QVERIFY(w.book->add(deny));
        QVERIFY(w.book->add(allow("other.org")));
        const auto good = w.text();
        for (std::size_t at = 0; at < good.size(); ++at) {
            auto bad = good;
            bad[at] = static_cast<char>(bad[at] ^ 1);
            w.write(bad);
            const auto verdict = ask(*w.book, "other.org");
            QVERIFY(verdict.answer == Answer::Deny && verdict.trouble && !verdict.trouble->hint.empty());
            QVERIFY(!w.book->add(allow("more.org")) && !w.book->rules());
        }
        for (const auto size : {std::size_t{0}, good.size() / 2, good.size() - 1}) {
            w.write(good.substr(0, size));
            QVERIFY(ask(*w.book, "other.org").answer == Answer::Deny);
        }
        w.write(good + "\n");
        QVERIFY(ask(*w.book, "other.org").answer == Answer::Deny);
        w.write(good);
        QVERIFY(ask(*w.book, "other.org").answer == Answer::Allow);
    }

    void anOlderOneIsKnown() {
        World w;
        QVERIFY(w.book->add(allow("example.org")));
        const auto old = w.text();
        QVERIFY(w.book->remove(1));
        w.write(old);
        for (int i = 0; i < 2; ++i) {
            const auto verdict = ask(*w.book);
            QVERIFY(verdict.answer == Answer::Deny && verdict.trouble->message.find("older") != std::string::npos);
            w.open();
        }
    }

    // What it denies would be asked, or allowed by a rule added since.
    void oneThatHasGoneDenies() {
        World w;
        auto deny = allow("example.org");
        deny.effect = Effect::Deny;
        QVERIFY(w.book->add(deny));
        fs::remove(w.file);
        for (int i = 0; i < 2; ++i) {
            const auto verdict = ask(*w.book, "other.org");
            QVERIFY(verdict.answer == Answer::Deny && verdict.trouble->message.find("gone") != std::string::npos);
            w.open();
        }
        QVERIFY(w.book->reset({deny}));
        QVERIFY(ask(*w.book, "other.org").answer == Answer::Ask);
        QVERIFY(ask(*w.book).answer == Answer::Deny && !ask(*w.book).trouble);
    }

    void oneThatNobodySealed() {
        World w;
        QVERIFY(w.book->add(allow("example.org")));
        const auto text = w.text();
        fs::remove(w.key);
        w.open();
        QVERIFY(ask(*w.book).answer == Answer::Deny && ask(*w.book).trouble);
        QVERIFY(w.book->reset({}));
        QVERIFY(ask(*w.book).answer == Answer::Ask);
        w.write(text); // under the former key
        QVERIFY(ask(*w.book).answer == Answer::Deny);
    }

    void ofANewerVersion() {
        World w;
        QVERIFY(w.book->add(allow("example.org")));
        FileSealKeeper keeper(w.key);
        const auto kept = keeper.load();
        QVERIFY(kept && *kept);
        w.write(*seal("version = 2\nserial = 9\nnext_id = 9\n", (*kept)->key));
        const auto verdict = ask(*w.book);
        QVERIFY(verdict.answer == Answer::Deny && verdict.trouble->code == ErrorCode::Unsupported);
        QVERIFY(!w.book->add(allow("example.org")));
    }

    void aKeyThatOthersMayRead() {
        World w;
        QVERIFY(w.book->add(allow("example.org")));
        ::chmod(w.key.c_str(), 0640);
        w.open();
        const auto verdict = ask(*w.book);
        QVERIFY(verdict.answer == Answer::Deny && verdict.trouble->hint.find("chmod 600") != std::string::npos);
        ::chmod(w.key.c_str(), 0600);
        QVERIFY(ask(*w.book).answer == Answer::Allow);
    }

    void aLockedKeyring() {
        World w;
        auto keeper = std::make_unique<Locked>();
        auto* keyring = keeper.get();
        RuleBook book(w.file, std::move(keeper), w.clock);
        keyring->locked = true;
        QVERIFY(ask(book).answer == Answer::Deny);
        QVERIFY(!book.add(allow("example.org")) && !book.reset({}));
        keyring->locked = false;
        QVERIFY(ask(book).answer == Answer::Ask); // and nothing has to be started again
        QVERIFY(book.add(allow("example.org")));
        QVERIFY(ask(book).answer == Answer::Allow);
    }

    // The file is newer than what the keyring knows: a crash came between the two.
    void aCrashBeforeTheKeyringKnew() {
        World w;
        QVERIFY(w.book->add(allow("example.org")));
        FileSealKeeper keeper(w.key);
        auto kept = keeper.load().value().value();
        QVERIFY(w.book->add(allow("other.org")));
        QVERIFY(keeper.keep(kept));
        w.open();
        QVERIFY(ask(*w.book, "other.org").answer == Answer::Allow);
        QVERIFY(w.book->remove(1));
        w.open();
        QVERIFY(ask(*w.book, "other.org").answer == Answer::Allow);
        QVERIFY(ask(*w.book).answer == Answer::Ask);
    }

    // The key is at hand, and the keyring is locked when it is to be told how new the file is: what was done counts, as who
    // asked for it is told, and the keyring is told when it can be.
    void theKeyringLocksBetween() {
        World w;
        auto keeper = std::make_unique<Locked>();
        auto* keyring = keeper.get();
        RuleBook book(w.file, std::move(keeper), w.clock);
        QVERIFY(book.add(allow("example.org")));
        keyring->locked = true;
        auto deny = allow("other.org");
        deny.effect = Effect::Deny;
        const auto kept = book.add(deny);
        QVERIFY2(kept && kept->id == 2, kept ? "" : kept.error().text().c_str());
        QVERIFY(ask(book, "other.org").answer == Answer::Deny && ask(book).answer == Answer::Allow && book.remove(1));
        const auto knew = keyring->kept->serial;
        // A keyring that stays locked is not asked with each question.
        const auto tries = keyring->asked;
        for (int i = 0; i < 50; ++i) {
            QVERIFY(ask(book).answer == Answer::Ask);
        }
        QVERIFY(keyring->asked - tries <= 1);
        keyring->locked = false;
        w.clock.turn(60'000);
        QVERIFY(ask(book).answer == Answer::Ask);
        QCOMPARE(keyring->kept->serial, book.rules()->serial);
        QVERIFY(keyring->kept->serial > knew);
        // Found so after a crash, it is told as well.
        keyring->kept->serial = knew;
        auto second = std::make_unique<Locked>();
        auto* other = second.get();
        second->kept = keyring->kept;
        RuleBook again(w.file, std::move(second), w.clock);
        QVERIFY(ask(again).answer == Answer::Ask && ask(again).answer == Answer::Ask);
        QCOMPARE(other->kept->serial, again.rules()->serial);
    }

    // What is no file is a trouble at once, and nobody waits for whoever may write into it.
    void whatIsNoFile_data() {
        QTest::addColumn<QString>("what");
        for (const char* what : {"pipe", "folder", "link"}) {
            QTest::newRow(what) << what;
        }
    }
    void whatIsNoFile() {
        QFETCH(QString, what);
        World w;
        QVERIFY(w.book->add(allow("example.org")));
        const auto aside = w.file.string() + ".aside";
        fs::rename(w.file, aside);
        if (what == "pipe") {
            QVERIFY(::mkfifo(w.file.c_str(), 0600) == 0);
        } else if (what == "folder") {
            fs::create_directory(w.file);
        } else {
            fs::create_symlink(aside, w.file);
        }
        auto asked = std::async(std::launch::async, [&] { return ask(*w.book); });
        const bool hung = asked.wait_for(std::chrono::seconds(20)) != std::future_status::ready;
        if (hung) {
            std::ofstream(w.file) << "\n"; // lets it go on
        }
        const auto verdict = asked.get();
        QVERIFY2(!hung, "it waits");
        QVERIFY(verdict.answer == Answer::Deny && verdict.trouble && !verdict.trouble->hint.empty());
        fs::remove(w.file);
        fs::rename(aside, w.file);
        QVERIFY(ask(*w.book).answer == Answer::Allow);
    }

    // A number means one rule for ever, also in the logs: what comes after a file that cannot be read has other ones.
    void numbersAfterAReset() {
        World w;
        QVERIFY(w.book->reset({allow("a.org"), allow("b.org"), allow("c.org")}));
        QVERIFY(w.book->remove(3));
        w.write("tampered\n");
        for (int i = 0; i < 2; ++i) { // known to the same book, and to one that has never read it
            w.open();
            const auto replaced = w.book->reset({allow("example.org")});
            QVERIFY2(replaced, replaced ? "" : replaced.error().text().c_str());
            QVERIFY2(replaced->come.at(0).id > 3 + std::uint64_t(i), std::to_string(replaced->come.at(0).id).c_str());
            w.write("tampered again\n");
        }
        QVERIFY(ask(*w.book).answer == Answer::Deny);
        const auto again = w.book->reset({allow("example.org")});
        QVERIFY(again && again->come.at(0).id > 5);
    }

    // Every rule that comes, by a verb or by a decision, and the end of a session's. A deleted agent has no log any more.
    void theRecorderSeesWhatComes() {
        World w;
        std::vector<std::pair<RuleBook::Change, std::uint64_t>> seen;
        bool fails = false;
        w.book->setRecorder([&](RuleBook::Change change, const Rule& rule) -> Status {
            seen.emplace_back(change, rule.id);
            return fails ? Status(fail(ErrorCode::Io, "the log is full")) : Status();
        });
        auto session = allow("example.org");
        session.agent = "ann";
        session.session = "s1";
        QVERIFY(w.book->add(session));
        QVERIFY(w.book->add(allow("other.org")));
        QVERIFY(w.book->endSessions("ann", ""));
        using enum RuleBook::Change;
        QVERIFY((seen == std::vector<std::pair<RuleBook::Change, std::uint64_t>>{{Added, 1}, {Added, 2}, {SessionOver, 1}}));
        fails = true;
        const auto refused = w.book->add(session);
        QVERIFY(!refused && refused.error().code == ErrorCode::Io);
        QCOMPARE(w.book->rules()->rules.size(), std::size_t{1});
        fails = false;
        QVERIFY(w.book->add(session));
        fails = true;
        QCOMPARE(w.book->endSessions("ann", "")->size(), std::size_t{1});
        QVERIFY(w.book->remove(2));
        QVERIFY(w.book->rules()->rules.empty());
    }

    // Half an hour was given; the clock is set back by three.
    void aClockThatIsSetLengthensNothing() {
        World w;
        auto half = allow("example.org");
        half.untilMs = w.clock.at.wallMs + 1'800'000;
        QVERIFY(w.book->add(half));
        w.clock.turn(1'799'999);
        QVERIFY(ask(*w.book).answer == Answer::Allow);
        w.clock.at.wallMs -= 3 * 3'600'000;
        QVERIFY(ask(*w.book).answer == Answer::Allow);
        const auto good = w.text(); // nor does a trouble that comes and goes
        w.write("tampered\n");
        QVERIFY(ask(*w.book).answer == Answer::Deny);
        w.write(good);
        QVERIFY(ask(*w.book).answer == Answer::Allow);
        w.clock.turn(1);
        QVERIFY(ask(*w.book).answer == Answer::Ask);
        // Set forward, it ends with that.
        QVERIFY(w.book->remove(1));
        half.untilMs = w.clock.at.wallMs + 1'800'000;
        QVERIFY(w.book->add(half));
        w.clock.at.wallMs += 1'800'000;
        QVERIFY(ask(*w.book).answer == Answer::Ask);
        // An end as far off as there are years is no mishap, and one beyond is none.
        half.untilMs = INT64_MAX / 2;
        QVERIFY(!w.book->add(half));
        half.untilMs = kLatestMs;
        QVERIFY(w.book->add(half));
        QVERIFY(ask(*w.book).answer == Answer::Allow);
    }

    void rulesOfASessionGoWithIt() {
        World w;
        for (const auto* session : {"s1", "s2", ""}) {
            auto rule = allow("example.org");
            rule.agent = "ann";
            rule.session = session;
            QVERIFY(w.book->add(rule));
        }
        auto like = w.book->rules()->rules.at(1);
        like.id = 77;
        QVERIFY(w.book->find(like)->value().id == 2);
        QVERIFY(w.book->endSessions("bob", "")->empty());
        QCOMPARE(w.book->endSessions("ann", "s2")->size(), std::size_t{1});
        QCOMPARE(w.book->endSessions("ann", "")->at(0).id, std::uint64_t{2});
        QVERIFY(!*w.book->find(like));
        QCOMPARE(w.book->rules()->rules.size(), std::size_t{1});
    }

    void aBadRuleIsNotKept() {
        World w;
        QVERIFY(!w.book->add(allow("*")));
        QVERIFY(!w.book->reset({allow("example.org"), allow("Example.org")}));
        QVERIFY(!fs::exists(w.file));
    }
};

QTEST_GUILESS_MAIN(TestRuleBook)
#include "test_rule_book.moc"
