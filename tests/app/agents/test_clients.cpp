// SPDX-License-Identifier: Apache-2.0
// What a client does in an agent: marked with its name, and over with its token.
#include "tests/app/agents/played_guest.h"

#include <QTest>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::agents;
using namespace carrel::agents::test;
using namespace std::chrono_literals;
using activity::EventKind;
namespace json = boost::json;

namespace {

std::vector<activity::Event> eventsOf(Agent& agent, std::vector<EventKind> kinds) {
    activity::Query query;
    query.kinds = std::move(kinds);
    const auto found = agent.log().query(query);
    std::vector<activity::Event> out;
    for (const auto& each : *found) {
        out.push_back(each.event);
    }
    return out;
}

bool readable(int fd, int milliseconds) {
    pollfd one{fd, POLLIN, 0};
    return ::poll(&one, 1, milliseconds) == 1;
}

const json::object kCommand{{"agent", "ann"}, {"argv", json::array{"ls"}}};

} // namespace

class TestClients : public QObject {
    Q_OBJECT
private slots:
    void commandsCarryItsName() {
        AgentWorld w;
        QVERIFY(w.start());
        UniqueFd socket;
        std::stop_source token;
        QVERIFY(w.agent->exec(kCommand, socket, By{"editor", token.get_token()}));
        UniqueFd owners;
        QVERIFY(w.agent->exec(kCommand, owners));
        const auto events = eventsOf(*w.agent, {EventKind::ExecStarted});
        QCOMPARE(events.size(), std::size_t(2));
        QVERIFY(events[0].detail.at("client") == "editor" && events[0].provenance == activity::Provenance::Host);
        QVERIFY(!events[1].detail.contains("client"));
    }

    // The socket may be in other hands by then; the owner's goes on.
    void commandsEndWithItsToken() {
        AgentWorld w;
        QVERIFY(w.start());
        std::stop_source token;
        std::stop_source other;
        UniqueFd socket;
        UniqueFd others;
        UniqueFd owners;
        QVERIFY(w.agent->exec(kCommand, socket, By{"editor", token.get_token()}));
        QVERIFY(w.agent->exec(kCommand, others, By{"other", other.get_token()}));
        QVERIFY(w.agent->exec(kCommand, owners));
        const UniqueFd elsewhere(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
        QVERIFY(!readable(elsewhere.get(), 0));
        token.request_stop();
        char byte = 0;
        QVERIFY(readable(elsewhere.get(), 60'000));
        QCOMPARE(::read(elsewhere.get(), &byte, 1), ssize_t(0));
        QVERIFY(!readable(others.get(), 0) && !readable(owners.get(), 0));
        const auto again = w.agent->exec(kCommand, socket, By{"editor", token.get_token()});
        QVERIFY(!again && again.error().code == ErrorCode::Refused);
        QCOMPARE(eventsOf(*w.agent, {EventKind::ExecStarted}).size(), std::size_t(3));
    }

    // What the engine keeps of the socket keeps neither end from seeing the other's.
    void theCallersEndIsSeen() {
        AgentWorld w;
        QVERIFY(w.start());
        std::stop_source token;
        UniqueFd socket;
        const auto session = w.agent->exec(kCommand, socket, By{"editor", token.get_token()});
        QVERIFY(session);
        QVERIFY(!readable(socket.get(), 0));
        w.clerks.dropAll(); // one that dies without a word
        QVERIFY(readable(socket.get(), 60'000));
        UniqueFd next;
        std::atomic<unsigned> runsIt = 0; // of the two, the one that has the terminals
        w.clerks.onEach("exec", [&](unsigned clerk, const json::object&) -> StandInClerks::Answer {
            runsIt = clerk;
            return json::object{};
        });
        Result<std::uint32_t> again = fail(ErrorCode::Unavailable, "");
        QTRY_VERIFY_WITH_TIMEOUT(again = w.agent->exec(kCommand, next, By{"editor", token.get_token()}), 60'000);
        w.clerks.tellFrom(runsIt, "exec.ended", {{"session", *again}, {"code", 0}});
        QTRY_COMPARE_WITH_TIMEOUT(eventsOf(*w.agent, {EventKind::ExecEnded}).size(), std::size_t(1), 60'000);
        token.request_stop(); // nothing is held of it any more: a number that is used again is not cut
        QVERIFY(!readable(next.get(), 0));
    }

    // A client's look is told, and takes nothing from the owner's.
    void looksCarryItsName() {
        AgentWorld w(true);
        PlayedGuest guest(w);
        QVERIFY(w.start());
        guest.write("a.txt", "one\n");
        const auto owners = w.agent->freeze(quiet, {});
        QVERIFY(owners && !owners->id.empty());
        const By by{"editor", {}};
        QVERIFY(w.agent->freeze(quiet, {}, Agent::Look::Watch, by));
        QVERIFY(w.agent->freeze(quiet, {}, Agent::Look::Watch, by)); // the same again is no event
        for (int i = 0; i < 100; ++i) {
            guest.write("a.txt", "more " + std::to_string(i) + "\n");
            const auto look = w.agent->freeze(quiet, {}, Agent::Look::Watch, by);
            QVERIFY2(look, look ? "" : look.error().text().c_str());
        }
        QVERIFY(w.agent->openReview(owners->id)); // not pushed out
        const auto events = eventsOf(*w.agent, {EventKind::ReviewFrozen});
        QCOMPARE(events.size(), std::size_t(102));
        QVERIFY(!events[0].detail.contains("client"));
        for (std::size_t i = 1; i < events.size(); ++i) {
            QVERIFY(events[i].detail.at("client") == "editor");
        }
    }

    void whoMayIsToldInTheLog() {
        AgentWorld w;
        QVERIFY(w.agent->noteClient(EventKind::ClientAllowed, "editor", {{"seconds", 60}}));
        QVERIFY(w.agent->noteClient(EventKind::ClientEnded, "editor", {{"how", "revoked"}}));
        const auto events = eventsOf(*w.agent, {EventKind::ClientAllowed, EventKind::ClientEnded});
        QCOMPARE(events.size(), std::size_t(2));
        QCOMPARE(events[0].subject, std::string("editor"));
        QCOMPARE(activity::toString(events[1].kind), std::string_view("client.ended"));
        QVERIFY(activity::eventKindFrom("client.allowed") == EventKind::ClientAllowed);
    }
};

QTEST_GUILESS_MAIN(TestClients)
#include "test_clients.moc"
