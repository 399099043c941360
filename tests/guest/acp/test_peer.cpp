// SPDX-License-Identifier: Apache-2.0
// A conversation over pipes: both ask and are asked, and neither can make the other wait for ever, grow or end.
#include "guest/acp/peer.h"
#include "tests/guest/acp/peer_pair.h"

#include <QTest>

#include <atomic>
#include <sys/socket.h>
#include <thread>

using namespace carrel;
using namespace carrel::acp;
using namespace carrel::acp::test;

class TestPeer : public QObject {
    Q_OBJECT

    // One peer, and the bare ends of its other side.
    struct Half {
        explicit Half(PeerLimits limits = {})
            : peer(std::move(to.read), std::move(from.write), limits) {}
        Pipe to;
        Pipe from;
        Notes notes;
        Peer peer;
        void say(const std::string& line) { QCOMPARE(::write(to.write.get(), line.data(), line.size()), ssize_t(line.size())); }
        std::string hear() { // one line
            std::string out;
            char c = 0;
            while (::read(from.read.get(), &c, 1) == 1 && c != '\n') {
                out += c;
            }
            return out;
        }
    };
    struct Both {
        explicit Both(PeerLimits limits = {})
            : left(std::move(back.read), std::move(there.write), limits)
            , right(std::move(there.read), std::move(back.write), limits) {}
        Pipe there;
        Pipe back;
        Notes leftNotes;
        Notes rightNotes;
        Peer left;
        Peer right;
        void start() {
            QVERIFY(left.start(leftNotes));
            QVERIFY(right.start(rightNotes));
        }
    };

private slots:
    void bothAsk() {
        Both both;
        both.rightNotes.onRequest = [&](Request request) {
            // It asks back before it answers.
            const auto id = request.id;
            QVERIFY(both.right.call("back", {}, [&both, id](Outcome outcome) { both.right.answer(id, std::move(outcome)); }));
        };
        both.leftNotes.onRequest = [&](Request request) {
            QCOMPARE(request.method, std::string("back"));
            both.left.answer(request.id, boost::json::value(42));
        };
        both.start();
        const auto outcome = both.left.ask("there", {{"a", 1}}, {});
        QVERIFY(outcome && *outcome == 42);
        QVERIFY(both.left.notify("note", {{"n", 1}}));
        both.rightNotes.wait([&] { return both.rightNotes.notifications.size() == 1; });
        QVERIFY(both.left.drain(std::chrono::seconds(60)) == Peer::Drained::Yes);
    }

    void anErrorIsAnAnswer() {
        Both both;
        both.rightNotes.onRequest = [&](Request request) { both.right.answer(request.id, tl::unexpected<Problem>({-32601, "no", nullptr})); };
        both.start();
        const auto outcome = both.left.ask("x", {}, {});
        QVERIFY(!outcome && outcome.error().code == -32601);
    }

    void askingCanBeStopped() {
        Both both;
        both.start();
        std::stop_source source;
        std::jthread stopper([&] {
            both.rightNotes.wait([&] { return both.rightNotes.requests.size() == 1; });
            source.request_stop();
        });
        const auto outcome = both.left.ask("slow", {}, source.get_token());
        QVERIFY(!outcome && outcome.error().code == static_cast<std::int64_t>(Code::Cancelled));
        both.rightNotes.wait([&] { return both.rightNotes.notifications.size() == 1; });
        QCOMPARE(both.rightNotes.notifications[0].method, std::string("$/cancel_request"));
        QCOMPARE(both.rightNotes.notifications[0].params.at("requestId").as_int64(), std::get<std::int64_t>(both.rightNotes.requests[0].id));
    }

    void strangersGetTheirIdsBack() {
        Half half;
        half.notes.onRequest = [&](Request request) { half.peer.answer(request.id, boost::json::value("ok")); };
        QVERIFY(half.peer.start(half.notes));
        half.say("{\"jsonrpc\":\"2.0\",\"id\":\"text\",\"method\":\"m\"}\r\n{\"jsonrpc\":\"2.0\",\"id\":-5,\"method\":\"m\"}\n");
        QCOMPARE(half.hear(), std::string(R"({"jsonrpc":"2.0","id":"text","result":"ok"})"));
        QCOMPARE(half.hear(), std::string(R"({"jsonrpc":"2.0","id":-5,"result":"ok"})"));
    }

    void nonsenseIsToldAndPassedOver() {
        Half half;
        QVERIFY(half.peer.start(half.notes));
        half.say("\n  \nDebug: ready\n{oops\n{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":1}\n{\"jsonrpc\":\"2.0\",\"method\":\"m\"}\n");
        QVERIFY(half.hear().find("-32700") != std::string::npos); // of the one line that looked like a message
        half.notes.wait([&] { return half.notes.notifications.size() == 1; });
        QCOMPARE(half.notes.strange.size(), std::size_t(3));
        QVERIFY(half.notes.strange[0].starts_with("Debug: ready"));
        QVERIFY(half.notes.strange[2].ends_with("an answer to nothing that was asked"));
    }

    void aLineIsBounded() {
        Half half({.lineBytes = 100'000});
        QVERIFY(half.peer.start(half.notes));
        std::jthread flood([&] {
            const std::string piece(4096, 'x');
            for (int i = 0; i < 30; ++i) {
                (void)!::write(half.to.write.get(), piece.data(), piece.size());
            }
        });
        half.notes.waitForEnd();
        QVERIFY(half.notes.end->code == ErrorCode::LimitExceeded);
        flood.join();
        half.peer.close();
    }

    void aLongLineComesWhole() {
        Both both;
        both.start();
        const std::string text(3 * 1024 * 1024, 'y');
        QVERIFY(both.left.notify("long", {{"text", text}}));
        both.rightNotes.wait([&] { return both.rightNotes.notifications.size() == 1; });
        QVERIFY(both.rightNotes.notifications[0].params.at("text").as_string() == text.c_str());
    }

    void theEndIsTold() {
        Half half;
        QVERIFY(half.peer.start(half.notes));
        std::atomic<bool> isDone = false;
        QVERIFY(half.peer.call("never", {}, [&](Outcome outcome) { isDone = !outcome && outcome.error().code == -32800; }));
        half.to.write.reset();
        half.notes.waitForEnd();
        QVERIFY(isDone); // before the end
        QVERIFY(half.notes.end->code == ErrorCode::Unavailable);
        QVERIFY(half.peer.call("more", {}, [](Outcome) { std::abort(); }).error().code == ErrorCode::Unavailable);
        QVERIFY(half.peer.notify("last words", {})); // it may still listen
        QVERIFY(half.hear().find("never") != std::string::npos);
        QVERIFY(half.hear().find("last words") != std::string::npos);
    }

    void whoDoesNotListenIsGone() {
        Half half;
        QVERIFY(half.peer.start(half.notes));
        half.from.read.reset();
        QVERIFY(half.peer.notify("x", {})); // SIGPIPE would end this test
        half.notes.waitForEnd();
        QVERIFY(half.notes.end->message.find("does not listen") != std::string::npos);
        QVERIFY(half.peer.notify("x", {}).error().code == ErrorCode::Unavailable);
        QVERIFY(half.peer.drain(std::chrono::seconds(60)) == Peer::Drained::No);
    }

    // Who asks without ever reading the answers stops only himself: not more than a bound is kept.
    void whoDoesNotReadStopsHimself() {
        PeerLimits limits;
        limits.queueBytes = 64 * 1024;
        Half half(limits);
        std::atomic<int> asked = 0;
        const std::string answer(1000, 'a');
        half.notes.onRequest = [&](Request request) {
            ++asked;
            half.peer.answer(request.id, boost::json::value(answer));
        };
        QVERIFY(half.peer.start(half.notes));
        const std::string line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}\n";
        QVERIFY(::fcntl(half.to.write.get(), F_SETFL, O_NONBLOCK) == 0);
        int written = 0;
        const auto flood = [&] {
            while (::write(half.to.write.get(), line.data(), line.size()) > 0) {
                ++written;
            }
            return written < 100'000; // more than that can only be taken by one who keeps everything
        };
        // Until what is kept for him is full, which is told to whoever would say more. The thread that fills it runs when it is let.
        Status said;
        QTRY_VERIFY_WITH_TIMEOUT(flood() && !(said = half.peer.notify("x", {})).has_value(), 60'000);
        QVERIFY(said.error().code == ErrorCode::LimitExceeded);
        QVERIFY(flood());
        QVERIFY(asked < 1000);
        // It goes on when he reads.
        bool isHeard = false;
        for (int heard = 0; heard < 1000 && !isHeard; ++heard) {
            isHeard = half.hear().find(answer) != std::string::npos;
        }
        QVERIFY(isHeard);
    }

    void aWriterMayWait() {
        PeerLimits limits;
        limits.queueBytes = 16 * 1024;
        limits.whenFull = WhenFull::Wait;
        Half half(limits);
        QVERIFY(half.peer.start(half.notes));
        std::jthread writer([&] {
            for (int i = 0; i < 10'000; ++i) {
                QVERIFY(half.peer.notify("update", {{"n", i}}));
            }
        });
        for (int i = 0; i < 10'000; ++i) {
            const auto line = half.hear();
            QVERIFY2(line.find("\"n\":" + std::to_string(i) + "}") != std::string::npos, line.c_str());
        }
    }

    void closingWakesWhoWaits() {
        PeerLimits limits;
        limits.queueBytes = 1024;
        limits.whenFull = WhenFull::Wait;
        Half half(limits);
        QVERIFY(half.peer.start(half.notes));
        std::jthread writer([&] {
            while (half.peer.notify("update", {{"text", std::string(500, 't')}})) {
            }
        });
        std::jthread asker([&] { QVERIFY(!half.peer.ask("x", {}, {})); });
        half.peer.close();
        QVERIFY(half.notes.end.has_value());
        half.peer.close();
    }

    void socketsDoAsWell() {
        int ends[2];
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        UniqueFd mine(ends[0]);
        UniqueFd theirs(ends[1]);
        UniqueFd mineAgain(::fcntl(mine.get(), F_DUPFD_CLOEXEC, 0));
        UniqueFd theirsAgain(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, 0));
        Notes left;
        Notes right;
        Peer one(std::move(mine), std::move(mineAgain));
        Peer other(std::move(theirs), std::move(theirsAgain));
        right.onRequest = [&](Request request) { other.answer(request.id, boost::json::value(std::string(500'000, 'z'))); };
        QVERIFY(one.start(left));
        QVERIFY(other.start(right));
        QVERIFY(one.ask("x", {}, {}));
    }

    void callsAreBounded() {
        PeerLimits limits;
        limits.calls = 2;
        Half half(limits);
        QVERIFY(half.peer.start(half.notes));
        QVERIFY(half.peer.call("a", {}, [](Outcome) {}));
        QVERIFY(half.peer.call("a", {}, [](Outcome) {}));
        QVERIFY(half.peer.call("a", {}, [](Outcome) {}).error().code == ErrorCode::LimitExceeded);
    }
};

QTEST_GUILESS_MAIN(TestPeer)
#include "test_peer.moc"
