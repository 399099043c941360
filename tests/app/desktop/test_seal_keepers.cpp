// SPDX-License-Identifier: Apache-2.0
// The key of the rules' seal in a keyring: kept, found again, and whatever can be wrong with a keyring told apart; and where a
// home's key is, decided once.
#include "app/desktop/seal_keepers.h"
#include "app/policy/rule_book.h"
#include "tests/app/desktop/played_keyring.h"
#include "tests/app/desktop/private_bus.h"
#include "tests/app/policy/turned_clock.h"

#include <QTemporaryDir>
#include <QTest>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

using namespace carrel;
using namespace carrel::desktop;
using namespace carrel::desktop::test;
using policy::SealKeeper;
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds kShort{300};

SealKeeper::Kept someKey(std::uint64_t serial = 0) {
    return {*policy::newSealKey(), serial};
}
bool same(const SealKeeper::Kept& a, const SealKeeper::Kept& b) {
    return a.key == b.key && a.serial == b.serial;
}
template <class R> bool unavailable(const R& out) {
    return !out && out.error().code == ErrorCode::Unavailable && !out.error().hint.empty();
}

struct World {
    PrivateBus bus;
    QTemporaryDir folder;
    fs::path home = folder.path().toStdString();

    [[nodiscard]] SecretServiceKeeper::Options options(std::chrono::milliseconds patience = std::chrono::seconds(60)) const {
        return {bus.address(), "0123456789abcdef", "Carrel: the seal of the rules", patience, std::chrono::milliseconds(0)};
    }
    [[nodiscard]] SealPlaces places(std::chrono::milliseconds patience = std::chrono::seconds(60)) const {
        return {home / "seal.place", home / "rules.key", options(patience)};
    }
    [[nodiscard]] std::unique_ptr<SealKeeper> chosen(std::chrono::milliseconds patience = std::chrono::seconds(60)) const {
        return chosenSealKeeper(places(patience));
    }
    [[nodiscard]] std::string recorded() const {
        std::ifstream in(home / "seal.place", std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    [[nodiscard]] bool keyFile() const { return fs::exists(home / "rules.key"); }
};

} // namespace

class TestSealKeepers : public QObject {
    Q_OBJECT
private slots:
    // Everything is denied then, and would be for ever: it is said what to take away, and what comes of that.
    void theWayOutOfALostKeyring() {
        World w;
        const policy::test::TurnedClock clock;
        policy::Rule rule;
        rule.action = policy::Action::Network;
        rule.fields["host"] = {"example.org"};
        {
            PlayedKeyring keyring(w.bus.address());
            policy::RuleBook book(w.home / "rules.toml", w.chosen(), clock);
            QVERIFY(book.add(rule));
        }
        policy::RuleBook book(w.home / "rules.toml", w.chosen(), clock);
        auto rules = book.rules();
        QVERIFY(unavailable(rules));
        QVERIFY2(rules.error().hint.find((w.home / "seal.place").string()) != std::string::npos, rules.error().hint.c_str());
        QVERIFY(rules.error().hint.find("rules import") != std::string::npos && !book.reset({rule}));
        fs::remove(w.home / "seal.place");
        rules = book.rules();
        QVERIFY(!rules && rules.error().code == ErrorCode::Refused);
        QVERIFY(book.reset({rule}) && book.rules()->rules.size() == 1);
    }
    void itIsKeptAndFoundAgain() {
        World w;
        QVERIFY(w.bus.runs());
        PlayedKeyring keyring(w.bus.address());
        const auto first = someKey();
        {
            SecretServiceKeeper keeper(w.options());
            const auto none = keeper.load();
            QVERIFY2(none && !*none, none ? "" : none.error().text().c_str());
            const auto kept = keeper.keep(first);
            QVERIFY2(kept, kept ? "" : kept.error().text().c_str());
        }
        SecretServiceKeeper keeper(w.options());
        auto found = keeper.load();
        QVERIFY(found && *found && same(**found, first));
        const auto next = someKey(7);
        QVERIFY(keeper.keep(next));
        found = keeper.load();
        QVERIFY(found && *found && same(**found, next));
        const auto state = keyring.state();
        QCOMPARE(state.items.size(), std::size_t{1});
        QCOMPARE(state.items[0].label, std::string("Carrel: the seal of the rules"));
        QCOMPARE(state.items[0].attributes.at("home"), std::string("0123456789abcdef"));
        QCOMPARE(state.prompts, 0);
    }

    void anotherHomeHasAnotherKey() {
        World w;
        PlayedKeyring keyring(w.bus.address());
        SecretServiceKeeper one(w.options());
        auto options = w.options();
        options.home = "fedcba9876543210";
        SecretServiceKeeper other(options);
        QVERIFY(one.keep(someKey(1)));
        const auto none = other.load();
        QVERIFY(none && !*none);
        QVERIFY(other.keep(someKey(2)));
        QVERIFY((*one.load())->serial == 1 && (*other.load())->serial == 2);
    }

    void aLockedKeyringIsNotAsked() {
        World w;
        PlayedKeyring keyring(w.bus.address());
        SecretServiceKeeper keeper(w.options());
        const auto key = someKey(3);
        QVERIFY(keeper.keep(key));
        keyring.change([](auto& state) { state.locked = true; });
        const auto found = keeper.load();
        QVERIFY(unavailable(found));
        QVERIFY(found.error().message.find("locked") != std::string::npos && found.error().hint.find("Unlock") != std::string::npos);
        QVERIFY(unavailable(keeper.keep(someKey(4))));
        QCOMPARE(keyring.state().prompts, 0); // nothing opens a window
        keyring.change([](auto& state) { state.locked = false; });
        QVERIFY(same(**keeper.load(), key));
    }

    void aPromptIsRefused() {
        World w;
        PlayedKeyring::State state;
        state.wantsPrompt = true;
        PlayedKeyring keyring(w.bus.address(), state);
        SecretServiceKeeper keeper(w.options());
        QVERIFY(unavailable(keeper.keep(someKey())));
        QCOMPARE(keyring.state().prompts, 0);
    }

    void noServiceNoBusNoKeyring() {
        World w;
        SecretServiceKeeper keeper(w.options());
        QVERIFY(unavailable(keeper.load()) && unavailable(keeper.keep(someKey())));
        QVERIFY(*keeper.standing() == SecretServiceKeeper::Standing::Absent);
        {
            PlayedKeyring::State state;
            state.hasKeyring = false;
            PlayedKeyring keyring(w.bus.address(), state);
            QVERIFY(keeper.load() && unavailable(keeper.keep(someKey())));
            QVERIFY(*keeper.standing() == SecretServiceKeeper::Standing::Absent);
            QCOMPARE(keyring.state().prompts, 0); // none is made, which would ask for its password
        }
        w.bus.stop();
        QVERIFY(unavailable(keeper.load()) && unavailable(keeper.keep(someKey())));
        QVERIFY(*keeper.standing() == SecretServiceKeeper::Standing::Absent);
        auto options = w.options();
        options.bus.reset();
        SecretServiceKeeper without(options);
        QVERIFY(unavailable(without.load()) && *without.standing() == SecretServiceKeeper::Standing::Absent);
    }

    // Also: the process goes on when the bus ends, which a connection shared by GLib would not let it.
    void itComesAndGoes() {
        World w;
        const auto key = someKey(5);
        PlayedKeyring::State state;
        SecretServiceKeeper keeper(w.options());
        {
            PlayedKeyring keyring(w.bus.address());
            QVERIFY(keeper.keep(key));
            state = keyring.state();
        }
        QVERIFY(unavailable(keeper.load()));
        w.bus.stop();
        QVERIFY(unavailable(keeper.load()));
        w.bus.start();
        PlayedKeyring keyring(w.bus.address(), state);
        QVERIFY(same(**keeper.load(), key));
    }

    void nothingBlocksForEver_data() {
        QTest::addColumn<QString>("method");
        for (const char* method : {"OpenSession", "SearchItems", "GetSecret", "SetSecret", "ReadAlias", "CreateItem"}) {
            QTest::newRow(method) << method;
        }
    }
    void nothingBlocksForEver() {
        QFETCH(QString, method);
        World w;
        PlayedKeyring keyring(w.bus.address());
        if (method != "ReadAlias" && method != "CreateItem") {
            QVERIFY(SecretServiceKeeper(w.options()).keep(someKey()));
        }
        keyring.change([&](auto& state) { state.silentFrom = method.toStdString(); });
        auto options = w.options(kShort);
        options.breather = std::chrono::hours(1);
        SecretServiceKeeper keeper(options);
        const auto found = keeper.load();
        const auto kept = keeper.keep(someKey(1));
        QVERIFY(unavailable(kept));
        QVERIFY(kept.error().message.find("in time") != std::string::npos);
        // What waits for the rules does not wait again for each of them.
        const auto calls = keyring.state().calls;
        QVERIFY(unavailable(keeper.load()) && unavailable(keeper.keep(someKey(2))));
        QCOMPARE(keyring.state().calls, calls);
    }

    void aDamagedKeyIsTold() {
        World w;
        PlayedKeyring keyring(w.bus.address());
        SecretServiceKeeper keeper(w.options());
        const auto key = someKey(4);
        QVERIFY(keeper.keep(key));
        for (const auto& bad : {std::string(), std::string("x"), policy::textOf(key).substr(1), policy::textOf(key) + "\n",
                                      std::string(1 << 20, 'a'), std::string("\0\xff", 2)}) {
            keyring.change([&](auto& state) { state.items[0].secret = bad; });
            const auto found = keeper.load();
            QVERIFY(!found && found.error().code == ErrorCode::Malformed && !found.error().hint.empty());
        }
        QVERIFY(keeper.keep(someKey(5))); // "rules import" comes to this
        QVERIFY((*keeper.load())->serial == 5);
        QCOMPARE(keyring.state().items.size(), std::size_t{1});
    }

    void twoKeysAreNone() {
        World w;
        PlayedKeyring keyring(w.bus.address());
        SecretServiceKeeper keeper(w.options());
        const auto key = someKey(4);
        QVERIFY(keeper.keep(key));
        keyring.change([&](auto& state) {
            state.items.push_back(state.items[0]);
            state.items[1].secret = policy::textOf({key.key, 9});
        });
        QVERIFY((*keeper.load())->serial == 9); // of one key the newer: an older file stays an older one
        keyring.change([&](auto& state) { state.items[1].secret = policy::textOf(someKey(9)); });
        const auto found = keeper.load();
        QVERIFY(!found && found.error().code == ErrorCode::Malformed);
        QVERIFY(keeper.keep(key) && same(**keeper.load(), key));
    }

    void theKeyringIsChosenAndStaysChosen() {
        World w;
        const auto key = someKey(1);
        PlayedKeyring::State state;
        {
            PlayedKeyring keyring(w.bus.address());
            auto keeper = w.chosen();
            const auto none = keeper->load();
            QVERIFY(none && !*none);
            QCOMPARE(w.recorded(), std::string()); // nothing is kept, so nothing is decided
            QVERIFY(keeper->keep(key));
            QCOMPARE(w.recorded(), std::string("keyring\n"));
            keyring.change([](auto& now) { now.locked = true; });
            QVERIFY(unavailable(w.chosen()->load()) && unavailable(w.chosen()->keep(someKey(2))));
            keyring.change([](auto& now) { now.hasKeyring = false; });
            QVERIFY(unavailable(w.chosen()->load()) && unavailable(w.chosen()->keep(someKey(2))));
            keyring.change([](auto& now) {
                now.locked = false;
                now.silentFrom = "SearchItems";
            });
            QVERIFY(unavailable(w.chosen(kShort)->load()) && unavailable(w.chosen(kShort)->keep(someKey(2))));
            state = keyring.state();
        }
        // The service has gone, then the bus: never a key in a file.
        QVERIFY(unavailable(w.chosen()->load()) && unavailable(w.chosen()->keep(someKey(2))));
        w.bus.stop();
        QVERIFY(unavailable(w.chosen()->load()) && unavailable(w.chosen()->keep(someKey(2))));
        QVERIFY(!w.keyFile());
        w.bus.start();
        state.silentFrom.clear();
        PlayedKeyring keyring(w.bus.address(), state);
        QVERIFY(same(**w.chosen()->load(), key));
    }

    void theFileIsChosenAndStaysChosen() {
        World w;
        const auto key = someKey(1);
        QVERIFY(w.chosen()->load() && w.chosen()->keep(key));
        QCOMPARE(w.recorded(), std::string("file\n"));
        QVERIFY(w.keyFile());
        PlayedKeyring keyring(w.bus.address());
        QVERIFY(same(**w.chosen()->load(), key));
        QVERIFY(w.chosen()->keep(someKey(2)));
        QVERIFY(keyring.state().items.empty());
        QCOMPARE(keyring.state().calls, 0);
    }

    void nothingIsChosenBlindly() {
        World w;
        PlayedKeyring::State state;
        state.locked = true;
        PlayedKeyring keyring(w.bus.address(), state);
        QVERIFY(unavailable(w.chosen()->load()) && unavailable(w.chosen()->keep(someKey())));
        keyring.change([](auto& now) { now.silentFrom = "SearchItems"; });
        QVERIFY(unavailable(w.chosen(kShort)->load()) && unavailable(w.chosen(kShort)->keep(someKey())));
        QVERIFY(w.recorded().empty() && !w.keyFile());
    }

    void aLostRecordIsFoundAgain() {
        World w;
        PlayedKeyring keyring(w.bus.address());
        const auto key = someKey(1);
        QVERIFY(w.chosen()->keep(key));
        fs::remove(w.home / "seal.place");
        // A key file that something puts there does not lead away from the keyring's.
        QVERIFY(policy::FileSealKeeper(w.home / "rules.key").keep(someKey(9)));
        for (const bool hides : {false, true}) {
            keyring.change([&](auto& state) {
                state.locked = true;
                state.hidesLocked = hides;
            });
            QVERIFY(unavailable(w.chosen()->load()));
        }
        keyring.change([](auto& state) { state.locked = false; });
        QVERIFY(same(**w.chosen()->load(), key));
        QCOMPARE(w.recorded(), std::string("keyring\n"));
        // And of a file's.
        World f;
        QVERIFY(f.chosen()->keep(key));
        fs::remove(f.home / "seal.place");
        PlayedKeyring later(f.bus.address());
        QVERIFY(same(**f.chosen()->load(), key));
        QCOMPARE(f.recorded(), std::string("file\n"));
    }

    void aBrokenRecordIsTold() {
        World w;
        QVERIFY(w.chosen()->keep(someKey(1)));
        const auto broken = [&] {
            const auto found = w.chosen()->load();
            const auto kept = w.chosen()->keep(someKey(2));
            return !found && found.error().code == ErrorCode::Malformed && !found.error().hint.empty() && !kept;
        };
        for (const auto& bad : {std::string(), std::string("keyring"), std::string("fil\n"), std::string("file\nfile\n"), std::string(5000, 'x')}) {
            std::ofstream(w.home / "seal.place", std::ios::binary) << bad;
            QVERIFY(broken());
        }
        fs::remove(w.home / "seal.place");
        QCOMPARE(::mkfifo((w.home / "seal.place").c_str(), 0600), 0);
        QVERIFY(broken());
    }

    // The whole of it: a downgrade is refused, and what was denied stays denied.
    void rulesUnderAKeyringThatIsTakenAway() {
        World w;
        policy::test::TurnedClock clock;
        policy::Rule deny;
        deny.effect = policy::Effect::Deny;
        deny.action = policy::Action::Network;
        deny.fields["host"] = {"example.org"};
        policy::Request to;
        to.agent = "ann";
        to.action = policy::Action::Network;
        to.fields["host"] = "other.org";
        PlayedKeyring::State state;
        {
            PlayedKeyring keyring(w.bus.address());
            policy::RuleBook book(w.home / "rules.toml", w.chosen(), clock);
            QVERIFY(book.add(deny));
            QVERIFY(book.decide({&to, 1}).answer == policy::Answer::Ask);
            state = keyring.state();
        }
        fs::remove(w.home / "rules.toml");
        policy::RuleBook book(w.home / "rules.toml", w.chosen(), clock);
        const auto verdict = book.decide({&to, 1});
        QVERIFY(verdict.answer == policy::Answer::Deny && verdict.trouble);
        QVERIFY(!book.add(deny) && !book.reset({deny}) && !w.keyFile());
        PlayedKeyring keyring(w.bus.address(), state);
        QVERIFY(book.decide({&to, 1}).answer == policy::Answer::Deny); // the file has gone
        QVERIFY(book.reset({deny}) && book.decide({&to, 1}).answer == policy::Answer::Ask);
    }
};

QTEST_GUILESS_MAIN(TestSealKeepers)
#include "test_seal_keepers.moc"
