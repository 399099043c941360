// SPDX-License-Identifier: Apache-2.0
// What all connections of an agent may carry: given to the clerk in pieces, counted by the kernel whatever a clerk says, and kept over
// machines, clerks and engines. The clerk is played, and may lie.
#include "tests/app/egress/egress_world.h"

#include <QTemporaryDir>

using namespace carrel;
using namespace carrel::egress;
using namespace carrel::egress::test;
using activity::EventKind;
using policy::Effect;
namespace json = boost::json;

namespace {

constexpr std::uint64_t kDay = 64 * 1024; // one piece

struct Folder {
    QTemporaryDir dir;
    std::string day = "2026-03-01";
    [[nodiscard]] std::shared_ptr<DayVolume> volume() {
        return std::make_shared<DayVolume>(dir.filePath("volume.json").toStdString(), [this] { return day; });
    }
};

struct LimitedWorld : EgressWorld {
    explicit LimitedWorld(Folder& folder, Limits limits = {0, kDay})
        : EgressWorld(NetMode::Allowlist, ProxySettings(), {limits, folder.volume()}) {
        rule(Effect::Allow, "here.example");
        nameLoopback();
    }
    // What the clerk was told last, and how often.
    [[nodiscard]] std::string limits() const {
        const std::lock_guard lock(clerk->mutex);
        std::string out;
        for (const auto& each : clerk->all) {
            out = each.method == "net.limits" ? json::serialize(each.params) : out;
        }
        return out;
    }
    Status used(std::uint64_t bytes) { return egress->told(at, "net.used", {{"bytes", bytes}}); }
    // Both ends of a connection.
    struct Both {
        UniqueFd clerks, others;
    };
    [[nodiscard]] Both joined(std::uint64_t number) {
        Both out;
        if (openThere(number) && QTest::qWaitFor([&] { return of(number) == "connected raw"; }, 60'000)) {
            out = {clerk->socket(number), there.accept()};
        }
        return out;
    }
};

#define TRY(condition) QTRY_VERIFY_WITH_TIMEOUT(condition, 60'000)

} // namespace

class TestEgressLimits : public QObject {
    Q_OBJECT
private slots:
    void aClerkIsToldNothingWhereNothingIsLimited() {
        Folder f;
        LimitedWorld w(f, {});
        const auto both = w.joined(1);
        QVERIFY(both.clerks);
        QCOMPARE(w.limits(), std::string());
        send(both.clerks, std::string(5000, 'x'));
        QCOMPARE(take(both.others, 5000).size(), std::size_t{5000});
        TRY(w.egress->usedToday() == 5000); // it is counted all the same
        w.egress->setLimits({8192, 0});
        TRY(w.limits() == R"({"rate":8192})");
        w.egress->setLimits({});
        TRY(w.limits() == "{}");
        QVERIFY(w.close(1, 5000, 0));
        w.egress->stop();
        QCOMPARE(f.volume()->used(), std::uint64_t{5000});
    }

    // Before it is handed a connection; and no piece is given that is not written down.
    void aDayIsGivenInPieces() {
        Folder f;
        LimitedWorld w(f, {8192, 20 * kDay});
        TRY(w.limits() == R"({"rate":8192,"most":81920})"); // a sixteenth
        QCOMPARE(f.volume()->used(), std::uint64_t{81'920}); // as another engine would find it
        QCOMPARE(w.egress->usedToday(), std::uint64_t{0});
        QVERIFY(w.used(30'000)); // more than half is left
        QVERIFY(w.openThere(1));
        TRY_OF(w, 1, "connected raw");
        QCOMPARE(w.limits(), std::string(R"({"rate":8192,"most":81920})"));
        QVERIFY(w.used(50'000));
        TRY(w.limits() == R"({"rate":8192,"most":131920})");
        QCOMPARE(f.volume()->used(), std::uint64_t{131'920});
        QCOMPARE(w.egress->usedToday(), std::uint64_t{50'000});
        QVERIFY(w.used(20 * kDay - 1000)); // of the last piece there is less
        TRY(w.limits() == R"({"rate":8192,"most":1310720})");
        w.egress->stop();
        QCOMPARE(f.volume()->used(), std::uint64_t{20 * kDay - 1000}); // what was not used is not counted
    }

    void whatIsConnectedIsCutAndNothingElseIs() {
        Folder f;
        LimitedWorld w(f);
        const auto both = w.joined(1);
        QVERIFY(both.clerks);
        QVERIFY(w.used(kDay));
        QVERIFY(isOver(both.others)); // though the clerk keeps its descriptor
        TRY_BEGINS(w, 1, "cut This agent has used up the 64 KiB that its owner lets it carry in a day.");
        QVERIFY2(w.of(1).ends_with("(carrel net limit)"), w.of(1).c_str()); // what to do
        for (std::uint64_t number = 2; number < 20; ++number) {
            QVERIFY(w.openThere(number));
            TRY_BEGINS(w, number, "refused limit: This agent has used up");
        }
        QVERIFY(!w.there.hasOne());
        const auto told = w.ofKind(EventKind::NetSpent); // once
        QCOMPARE(told.size(), std::size_t{1});
        QCOMPARE(told[0].subject, std::string("64 KiB"));
        QCOMPARE(json::serialize(told[0].detail), std::string(R"({"alert":true,"day":65536,"used":65536})"));
        w.egress->stop();
        QCOMPARE(w.sum(w.thereText(), "limit", "begun"), std::uint64_t{19}); // in sums, the cut one among them
    }

    // No name is looked up, and nobody is asked about what cannot be had.
    void beyondItNobodyIsAsked() {
        Folder f;
        EgressWorld w(NetMode::Ask, ProxySettings(), {{0, kDay}, f.volume()});
        QVERIFY(w.openThere(1));
        QTRY_COMPARE_WITH_TIMEOUT(w.queue.list(true).size(), std::size_t{1}, 60'000);
        QVERIFY(w.egress->told(w.at, "net.used", {{"bytes", kDay}}));
        TRY_BEGINS(w, 1, "refused limit");
        TRY(w.queue.list(true).at(0).state == policy::ApprovalState::Cancelled); // nobody waits for it any more
        QVERIFY(w.openThere(2));
        TRY_BEGINS(w, 2, "refused limit");
        QVERIFY(w.queue.list(true).size() == 1 && w.resolver->count() == 0);
    }

    // A clerk that was taken over takes no notice of its allowance, and says nothing of what it carries.
    void aClerkThatLiesIsCountedByTheKernel() {
        Folder f;
        LimitedWorld w(f);
        const auto both = w.joined(1);
        QVERIFY(both.clerks);
        for (int i = 0; i < 10; ++i) {
            send(both.clerks, std::string(8000, 'x'));
            QCOMPARE(take(both.others, 8000).size(), std::size_t{8000});
        }
        QVERIFY(w.used(0));
        QVERIFY(isOver(both.others));
        TRY_BEGINS(w, 1, "cut This agent has used up");
        QVERIFY(w.openThere(2));
        TRY_BEGINS(w, 2, "refused limit");
        QCOMPARE(w.egress->usedToday(), std::uint64_t{80'000});
    }
    // Nor does it help that it says nothing at all.
    void aSilentClerkIsCountedToo() {
        Folder f;
        LimitedWorld w(f);
        const auto both = w.joined(1);
        QVERIFY(both.clerks);
        send(both.others, std::string(70'000, 'x'));
        QVERIFY(take(both.clerks, 70'000).size() == 70'000);
        TRY_BEGINS(w, 1, "cut This agent has used up");
    }
    void aClerkThatSaysLessAtTheEndIsNotBelieved() {
        Folder f;
        LimitedWorld w(f);
        const auto both = w.joined(1);
        QVERIFY(both.clerks);
        send(both.clerks, std::string(40'000, 'x'));
        QCOMPARE(take(both.others, 40'000).size(), std::size_t{40'000});
        QTRY_COMPARE_WITH_TIMEOUT(w.egress->live().at(0).bytes.sent, std::uint64_t{40'000}, 60'000);
        QVERIFY(w.close(1, 1, 0));
        QCOMPARE(w.egress->usedToday(), std::uint64_t{40'000});
    }
    // What the far end has not taken yet is delivered when the clerk has let go of it, too.
    void whatIsStillOnItsWayAtTheEndIsCounted() {
        Folder f;
        LimitedWorld w(f, {});
        const auto both = w.joined(1);
        QVERIFY(both.clerks);
        const std::string piece(64 * 1024, 'x');
        std::uint64_t put = 0;
        for (ssize_t some = 0; (some = ::send(both.clerks.get(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0;) {
            put += static_cast<std::uint64_t>(some);
        }
        QVERIFY(w.close(1, 0, 0));
        QVERIFY2(w.egress->usedToday() >= put && put > piece.size(), qPrintable(QString::number(w.egress->usedToday()) + " of " + QString::number(put)));
    }
    // It uses up the day that it says it has, and no later one.
    void aClerkCannotPayInAdvance() {
        Folder f;
        LimitedWorld w(f);
        QVERIFY(w.used(1ULL << 50U));
        QVERIFY(w.openThere(1));
        TRY_BEGINS(w, 1, "refused limit");
        f.day = "2026-03-02";
        const auto both = w.joined(2);
        QVERIFY(both.clerks);
        QVERIFY(w.close(2, 1ULL << 50U, 1ULL << 50U)); // nor so
        const auto more = w.joined(3);
        QVERIFY(more.clerks);
        send(more.others, std::string(70'000, 'x'));
        QVERIFY(take(more.clerks, 70'000).size() == 70'000);
        TRY_BEGINS(w, 3, "cut This agent has used up");
    }

    void theNextClerkGoesOnWithTheRest() {
        Folder f;
        LimitedWorld w(f);
        TRY(w.limits() == R"({"most":65536})");
        QVERIFY(w.used(40'000));
        TRY(w.egress->usedToday() == 40'000);
        w.egress->detach(w.at);
        w.clerk = std::make_shared<ToldClerk>();
        w.at = w.egress->attach(w.clerk);
        TRY(w.limits() == R"({"most":25536})"); // which counts from its own beginning
        QCOMPARE(w.egress->usedToday(), std::uint64_t{40'000});
        QVERIFY(w.used(25'536));
        QVERIFY(w.openThere(1));
        TRY_BEGINS(w, 1, "refused limit");
    }

    void theNextEngineDoesNotBeginAnew() {
        Folder f;
        {
            LimitedWorld w(f);
            QVERIFY(w.used(kDay));
            TRY(w.ofKind(EventKind::NetSpent).size() == 1);
        }
        LimitedWorld w(f);
        QVERIFY(w.openThere(1));
        TRY_BEGINS(w, 1, "refused limit");
        QVERIFY(w.ofKind(EventKind::NetSpent).empty()); // the owner knows
    }

    void theOwnerAllowsMoreAndTheNextDayDoes() {
        Folder f;
        LimitedWorld w(f);
        QVERIFY(w.used(kDay) && w.openThere(1));
        TRY_BEGINS(w, 1, "refused limit");
        w.egress->setLimits({0, 2 * kDay});
        QVERIFY(w.joined(2).clerks);
        QCOMPARE(w.limits(), std::string(R"({"most":131072})"));
        QVERIFY(w.used(2 * kDay) && w.openThere(3));
        TRY_BEGINS(w, 3, "refused limit: This agent has used up the 128 KiB");
        TRY(w.ofKind(EventKind::NetSpent).size() == 2); // another one
        f.day = "2026-03-02";
        QVERIFY(w.joined(4).clerks);
        const auto today = w.egress->usedToday();
        QVERIFY(today <= 2); // the kernel counts an end of the former one as a byte
        QCOMPARE(w.limits(), std::string(R"({"most":131072})")); // it has carried none of what it was given
        w.egress->setLimits({});
        TRY(w.limits() == "{}");
    }

    // Taken away while it goes on.
    void aLowerLimitCutsAtOnce() {
        Folder f;
        LimitedWorld w(f, {});
        const auto both = w.joined(1);
        QVERIFY(both.clerks && w.used(100'000));
        w.egress->setLimits({0, kDay});
        QVERIFY(isOver(both.others));
        TRY_BEGINS(w, 1, "cut This agent has used up");
    }

    void whatCannotBeCountedIsNotConnected() {
        Folder f;
        QVERIFY(QDir(f.dir.path()).mkdir("volume.json")); // nothing can be put in its place
        LimitedWorld w(f);
        QVERIFY(w.openThere(1));
        TRY_BEGINS(w, 1, "refused limit");
        f.day = "2026-03-02";
        QVERIFY(w.openThere(2));
        TRY_BEGINS(w, 2, "refused limit: how much this agent has used today cannot be written down");
        w.egress->setLimits({8192, 0}); // then nobody has to count
        QVERIFY(w.joined(3).clerks);
    }

    void whatAClerkCannotSay() {
        Folder f;
        LimitedWorld w(f);
        for (const auto& each : {json::object{}, json::object{{"bytes", -1}}, json::object{{"bytes", "all"}}, json::object{{"bytes", 1}, {"more", 1}}}) {
            QVERIFY(!w.egress->told(w.at, "net.used", each));
        }
        QVERIFY(!w.egress->told(w.at, "net.limits", {{"most", 1}})); // the engine's word, and nobody else's
    }

    // The owner's "cut 4" is of the connection that was shown as 4, whichever clerk has come since.
    void noNumberIsShownTwice() {
        Folder f;
        LimitedWorld w(f, {});
        const auto first = w.joined(1);
        QVERIFY(first.clerks);
        const auto shown = w.egress->live().at(0).number;
        w.egress->detach(w.at);
        w.clerk = std::make_shared<ToldClerk>();
        w.at = w.egress->attach(w.clerk);
        const auto second = w.joined(1); // as that clerk counts
        QVERIFY(second.clerks);
        QVERIFY(w.egress->live().at(0).number != shown);
        QVERIFY(!w.egress->cut(shown));
        QCOMPARE(w.egress->live().size(), std::size_t{1});
        // Nor by the next session's.
        const auto other = w.networks->open("ann", "s2", NetMode::Allowlist, {[](const activity::Event&) {}, {}});
        const auto line = std::make_shared<ToldClerk>();
        const auto at = other->attach(line);
        QVERIFY(other->told(at, "net.open", {{"number", 1}, {"host", "here.example"}, {"port", w.there.port()}}));
        QTRY_COMPARE_WITH_TIMEOUT(other->live().size(), std::size_t{1}, 60'000);
        QVERIFY(other->live().at(0).number != shown && other->live().at(0).number != w.egress->live().at(0).number);
        QVERIFY(w.egress->cut(w.egress->live().at(0).number));
        other->stop();
    }
};

QTEST_GUILESS_MAIN(TestEgressLimits)
#include "test_egress_limits.moc"
