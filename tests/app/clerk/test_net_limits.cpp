// SPDX-License-Identifier: Apache-2.0
// What the machine's connections may carry together (net_meter.h): a guest that may be hostile, an engine that sets the limits, and a
// clock that the test turns.
#include "tests/app/clerk/net_world.h"

#include <csignal>

using namespace carrel;
using namespace carrel::clerk;
using namespace carrel::clerk::test;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

const net::Opening kTls{std::string("www.example.org"), 443};
const net::Opening kWeb{std::string("www.example.org"), 80};

struct Limited : NetWorld {
    std::vector<std::unique_ptr<Tcp>> far;
    std::vector<std::uint64_t> numbers;

    void limit(json::object params) { good = desk.setLimits(params).has_value() && good; }
    bool good = true;
    // A connection by that stream; streams of MuxPeer that are no multiple of four are of bytes.
    std::uint64_t join(std::uint32_t stream, const char* treat = "raw", const net::Opening& to = kTls) {
        openStream(stream, to);
        const auto number = asked();
        far.push_back(std::make_unique<Tcp>());
        numbers.push_back(number);
        good = connect(number, *far.back(), treat) && good && until([&] { return atGuest(stream).size() >= head(); });
        return number;
    }
    static qsizetype head() { return qsizetype(toWire(net::Answer{net::Outcome::Open, {}}).size()); }
    // Of the far end's bytes.
    std::uint64_t come(std::uint32_t stream) { return std::uint64_t(atGuest(stream).size() - head()); }
    // Everybody has had many turns, and the clock stood still.
    void turns() {
        for (int i = 0; i < 60; ++i) {
            loop.restart();
            (void)loop.poll();
            (void)guest->pump();
            pollfd none{-1, 0, 0};
            (void)::poll(&none, 1, 1);
        }
    }
    std::vector<std::uint64_t> used() const {
        std::vector<std::uint64_t> out;
        for (const auto& each : told) {
            if (each.method == "net.used") {
                out.push_back(each.params.at("bytes").to_number<std::uint64_t>());
            }
        }
        return out;
    }
};

} // namespace

class TestNetLimits : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { (void)std::signal(SIGPIPE, SIG_IGN); } // as carrel-clerk does

    void nothingIsHeldWhereNothingIsLimited() {
        Limited w;
        w.join(1);
        QVERIFY(w.far[0]->say(QByteArray(50'000, 'x')));
        QVERIFY(w.until([&] { return w.come(1) == 50'000; }));
        QVERIFY(w.used().empty() && w.good);
    }

    // So much a second of the clock, and not a byte more; what comes and what goes is one sum.
    void aRateIsOfBothDirectionsTogether() {
        Limited w;
        w.limit({{"rate", 65'536}});
        w.join(1);
        QVERIFY(w.far[0]->say(QByteArray(40'000, 'd')));
        w.guestSays(1, std::string(40'000, 'u'));
        w.turns();
        QCOMPARE(w.come(1) + std::uint64_t(w.far[0]->take().size()), std::uint64_t{0}); // the bucket is empty to begin with
        const auto moved = [&] { return w.come(1) + std::uint64_t(w.far[0]->take().size()); };
        for (std::uint64_t steps = 1; steps <= 10; ++steps) {
            w.now += 100ms;
            const auto most = steps * 6553 + steps; // and the fraction of a byte
            QVERIFY(w.until([&] { return moved() + 2 * 1639 >= most; }));
            w.turns();
            QVERIFY2(moved() <= most, std::to_string(moved()).c_str());
        }
        QVERIFY(w.come(1) > 20'000 && w.far[0]->take().size() > 20'000); // neither waits for the other to be done
        QVERIFY(w.good && w.used().empty());
    }

    // After a silence there is a tenth of a second's worth, and no more.
    void whatWasNotUsedIsNotSavedUp() {
        Limited w;
        w.limit({{"rate", 655'360}});
        w.join(1);
        w.now += 1h;
        QVERIFY(w.far[0]->say(QByteArray(60'000, 'd')) && w.far[0]->say(QByteArray(20'000, 'd')));
        QVERIFY(w.until([&] { return w.come(1) > 65'536 - 16'384; }));
        w.turns();
        QVERIFY2(w.come(1) <= 65'536, std::to_string(w.come(1)).c_str());
    }

    // However much one has to say, and however many pieces it says it in.
    void oneConnectionDoesNotTakeAnothersTurn() {
        Limited w;
        w.limit({{"rate", 65'536}});
        w.join(1);
        w.join(2);
        w.join(3);
        for (const auto& each : w.far) {
            QVERIFY(each->say(QByteArray(30'000, 'd')));
        }
        for (int steps = 0; steps < 10; ++steps) {
            w.now += 100ms;
            w.turns();
        }
        for (const std::uint32_t stream : {1U, 2U, 3U}) {
            QVERIFY2(w.come(stream) > 14'000, std::to_string(w.come(stream)).c_str()); // of a third, which is 21'845
        }
    }

    void anAllowanceHoldsToTheByte() {
        Limited w;
        w.limit({{"most", 1000}});
        w.join(1);
        QVERIFY(w.far[0]->say(QByteArray(5'000, 'd')));
        QVERIFY(w.until([&] { return !w.used().empty() && w.come(1) == 1000; }));
        w.guestSays(1, "and more");
        w.turns();
        QCOMPARE(w.come(1), std::uint64_t{1000});
        QCOMPARE(w.far[0]->take(), QByteArray());
        QCOMPARE(w.used(), (std::vector<std::uint64_t>{1000, 1000})); // more than half is gone; and somebody wants more
        QCOMPARE(w.closed(w.numbers[0]), std::nullopt);               // the engine ends it, or gives more
        w.limit({{"most", 1000}});                                     // which is no more
        w.turns();
        QCOMPARE(w.used().size(), std::size_t{2});
        w.limit({{"most", 1508}});
        QVERIFY(w.until([&] { return w.come(1) + std::uint64_t(w.far[0]->take().size()) == 1508; }));
        w.turns();
        QCOMPARE(w.come(1) + std::uint64_t(w.far[0]->take().size()), std::uint64_t{1508});
        w.limit({});
        QVERIFY(w.until([&] { return w.come(1) == 5000 && w.far[0]->take() == "and more"; }));
        QVERIFY(w.good);
    }

    void theEngineIsToldBeforeItIsUsedUp() {
        Limited w;
        w.limit({{"most", 10'000}});
        w.join(1);
        QVERIFY(w.far[0]->say(QByteArray(4'999, 'd')));
        QVERIFY(w.until([&] { return w.come(1) == 4'999; }));
        QVERIFY(w.used().empty());
        QVERIFY(w.far[0]->say("d"));
        QVERIFY(w.until([&] { return w.used() == std::vector<std::uint64_t>{5'000}; }));
        w.limit({{"most", 15'000}});
        QVERIFY(w.far[0]->say(QByteArray(10'000, 'd'))); // it never had to wait
        QVERIFY(w.until([&] { return w.come(1) == 15'000; }));
    }

    // New connections, a new epoch, ends of all kinds: none of them gives a byte back.
    void theGuestCannotBeginToCountAnew() {
        Limited w;
        w.limit({{"most", 100}});
        w.join(1);
        w.guestSays(1, std::string(100, 'u'));
        QVERIFY(w.until([&] { return w.far[0]->take().size() == 100; }));
        w.guest->mux().sendReset(1, ECONNRESET);
        QCOMPARE(w.how(w.numbers[0]), std::string("guest"));
        w.join(2);
        w.guestSays(2, "what is beyond");
        QVERIFY(w.until([&] { return w.used() == std::vector<std::uint64_t>({100, 100}); }));
        w.desk.channelGone(); // as at a new epoch
        QCOMPARE(w.how(w.numbers[1]), std::string("channel"));
        w.join(3);
        w.guestSays(3, "what is beyond");
        w.guest->mux().sendEnd(3);
        w.turns();
        QCOMPARE(w.far[1]->take(), QByteArray("!")); // broken off, and not a byte of it
        QCOMPARE(w.far[2]->take(), QByteArray());
        QVERIFY(w.good);
    }

    // Those that have gone while they waited are nobody's turn.
    void whoeverLeavesTheLineHoldsUpNobody() {
        Limited w;
        w.limit({{"most", 0}});
        for (const std::uint32_t stream : {1U, 2U, 3U}) {
            w.join(stream);
            w.guestSays(stream, "hello");
        }
        w.turns();
        w.guest->mux().sendReset(1, ECONNRESET);
        QCOMPARE(w.how(w.numbers[0]), std::string("guest"));
        QVERIFY(w.desk.cut({{"number", w.numbers[1]}, {"text", "the day is used up"}}));
        QCOMPARE(w.how(w.numbers[1]), std::string("cut"));
        w.limit({{"most", 5}});
        QVERIFY(w.until([&] { return w.far[2]->take() == "hello"; }));
        QCOMPARE(w.far[0]->take(), QByteArray("!"));
        QCOMPARE(w.far[1]->take(), QByteArray("!"));
    }

    // A connection whose requests are read is held like any other.
    void requestsAreHeldToIt() {
        Limited w;
        w.limit({{"most", 0}});
        const auto number = w.join(1, "http", kWeb);
        w.guestSays(1, "GET /a HTTP/1.1\r\nHost: www.example.org\r\n\r\n");
        QVERIFY(w.until([&] { return w.told.back().method == "net.request"; }));
        QVERIFY(w.desk.answered({{"number", number}, {"request", 1}, {"allow", true}}, {}));
        QVERIFY(w.until([&] { return w.used() == std::vector<std::uint64_t>{0}; }));
        w.turns();
        QCOMPARE(w.far[0]->take(), QByteArray());
        w.limit({{"most", 4}});
        QVERIFY(w.until([&] { return w.far[0]->take() == "GET "; }));
        w.turns();
        QCOMPARE(w.far[0]->take(), QByteArray("GET "));
        w.limit({{"rate", 4096}});
        QVERIFY(w.until([&] {
            w.now += 100ms;
            return w.far[0]->take().endsWith("\r\n\r\n");
        }));
        QVERIFY(w.good);
    }

    // And one that is refused by the engine is told so in HTTP, though nothing goes on any more.
    void aRequestIsRefusedWhereNothingIsLeft() {
        Limited w;
        w.limit({{"most", 0}});
        const auto number = w.join(1, "http", kWeb);
        w.guestSays(1, "GET /a HTTP/1.1\r\nHost: www.example.org\r\n\r\n");
        QVERIFY(w.until([&] { return w.told.back().method == "net.request"; }));
        QVERIFY(w.desk.answered({{"number", number}, {"request", 1}, {"allow", false}, {"outcome", "limit"}, {"text", "The day is used up"}}, {}));
        QVERIFY(w.until([&] { return w.atGuest(1).contains("The day is used up"); }));
        QVERIFY(w.atGuest(1).contains("HTTP/1.1 403"));
    }

    void aRefusalSaysWhichLimit() {
        Limited w;
        w.openStream(1, kWeb);
        w.guestSays(1, "GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n");
        const auto number = w.asked();
        QVERIFY(w.desk.refused({{"number", number}, {"outcome", "limit"}, {"text", "The day is used up"}}));
        QVERIFY(w.until([&] { return w.atGuest(1).contains("(The day is used up)"); }));
        QVERIFY(w.atGuest(1).contains("HTTP/1.1 403 Forbidden\r\n") && w.atGuest(1).contains("A limit is reached.") &&
                w.atGuest(1).contains("X-Carrel-Outcome: limit\r\n"));
    }

    void whatIsNoLimit() {
        Limited w;
        for (const auto& each : {json::object{{"rate", -1}}, json::object{{"most", "all"}}, json::object{{"rate", 1}, {"day", 1}}}) {
            QVERIFY(!w.desk.setLimits(each));
        }
    }
};

QTEST_GUILESS_MAIN(TestNetLimits)
#include "test_net_limits.moc"
