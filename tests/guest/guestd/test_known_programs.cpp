// SPDX-License-Identifier: Apache-2.0
// The host's policy on its way to the kernel, and the kernel's refusals on their way to the host: whole or not at all, each told, and each
// unknown content asked about once, however often it is tried.
#include "guest/guestd/known_programs.h"

#include <QTest>
#include <boost/json.hpp>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::guestd;
using namespace std::chrono_literals;

namespace {

bpf::ContentHash content(unsigned number) {
    bpf::ContentHash out{};
    out[0] = static_cast<std::byte>(number);
    out[1] = static_cast<std::byte>(number >> 8);
    return out;
}

ProgramsPolicyCall part(std::uint64_t number, bool last, std::vector<bpf::ContentHash> allow = {}) {
    return {{bpf::GateMode::Allow, 5, {}, std::move(allow), {}}, true, number, last};
}

struct World {
    std::vector<RpcRequest> sent;
    std::vector<bpf::GatePolicy> applied;
    std::vector<std::string> lines;
    bool kernelFails = false;
    KnownPrograms::Clock::time_point now = KnownPrograms::Clock::time_point() + 1h;
    HostAsks asks{[this](EpochNumber, std::string_view text) -> Status {
        sent.push_back(std::get<RpcRequest>(parseRpc(text).value()));
        return {};
    }};
    KnownPrograms known{asks,
                        {.apply = [this](const bpf::GatePolicy& policy) -> Status {
                             if (kernelFails) {
                                 return fail(ErrorCode::Io, "no room");
                             }
                             applied.push_back(policy);
                             return {};
                         },
                         .log = [this](std::string_view text) { lines.emplace_back(text); }}};

    World() {
        asks.newEpoch(1, now);
        asks.greeted(1, now);
    }
    void refuse(unsigned number, bpf::RefusedWhy why = bpf::RefusedWhy::Unknown) {
        known.refused({why, content(number), 5, 42, "/usr/bin/x", {"sh", "make"}}, now);
    }
    void answer(std::string_view state, std::uint64_t id = 7) {
        asks.receive({*sent.back().id, json::value{{"id", id}, {"state", state}, {"words", ""}}}, 1);
    }
};

} // namespace

class TestKnownPrograms : public QObject {
    Q_OBJECT
private slots:
    void aPolicyIsWholeOrNothing() {
        World w;
        QVERIFY(!w.known.hasPolicy());
        QVERIFY(w.known.take(part(0, false, {content(1)})));
        QVERIFY(w.applied.empty());
        QVERIFY(w.known.take(part(1, true, {content(2)})));
        QCOMPARE(w.applied.size(), 1U);
        QVERIFY((w.applied[0].allow == std::vector{content(1), content(2)}));
        QVERIFY(w.known.hasPolicy());
    }

    void partsThatDoNotFollow() {
        World w;
        QVERIFY(!w.known.take(part(1, true)));
        QVERIFY(w.known.take(part(0, false)));
        QVERIFY(!w.known.take(part(2, true)));
        QVERIFY(!w.known.take(part(1, true)));
        QVERIFY(w.known.take(part(0, false)));
        auto other = part(1, true);
        other.policy.age = 6;
        QVERIFY(!w.known.take(other));
        QVERIFY(w.known.take(part(0, false)));
        QVERIFY(w.known.take(part(0, true))); // begins anew
        QCOMPARE(w.applied.size(), 1U);
    }

    void anEndlessPolicyEnds() {
        World w;
        const std::vector<bpf::ContentHash> many(4096, content(1));
        Status status;
        std::uint64_t number = 0;
        for (; status && number < 100; ++number) {
            status = w.known.take(part(number, false, many));
        }
        QVERIFY(!status && status.error().code == ErrorCode::LimitExceeded);
        QCOMPARE(number, 49U); // beyond 200,000
        QVERIFY(!w.known.take(part(number, true)));
    }

    void whatTheKernelDoesNotTakeIsNoPolicy() {
        World w;
        w.kernelFails = true;
        QVERIFY(!w.known.take(part(0, true)));
        QVERIFY(!w.known.hasPolicy());
    }

    void refusalsAreTold() {
        World w;
        w.refuse(1, bpf::RefusedWhy::Denied);
        QCOMPARE(w.lines.size(), 1U);
        QCOMPARE(w.lines[0], "a program was not run: /usr/bin/x (it is on the list of what may not run; its SHA-256 is 01" + std::string(62, '0') +
                                 "), wanted by sh, process 42 of the machine");
        QVERIFY(w.sent.empty()); // nothing to ask about
    }

    void hostileTextIsBoundedAndValid() {
        World w;
        w.known.refused({bpf::RefusedWhy::Memory, std::nullopt, 5, 42, std::string(5000, '\xff'), {std::string(500, '\xfe')}}, w.now);
        QVERIFY(w.lines.at(0).size() < 1500);
        QVERIFY(json::serialize(json::string(w.lines[0])).find('?') != std::string::npos);
    }

    void manyAreCounted() {
        World w;
        for (unsigned i = 0; i < 100; ++i) {
            w.refuse(1, bpf::RefusedWhy::Denied);
        }
        QCOMPARE(w.lines.size(), KnownPrograms::kLinesPerMinute);
        w.now += 1min;
        w.refuse(1, bpf::RefusedWhy::Denied);
        QVERIFY(w.lines.back().ends_with("; before it, 80 were refused without a line"));
    }

    void unknownIsAskedAboutOnce() {
        World w;
        w.refuse(1);
        QVERIFY(w.sent.empty()); // the policy has not said that it wants it
        QVERIFY(w.known.take(part(0, true)));
        w.refuse(1);
        w.refuse(1);
        QCOMPARE(w.sent.size(), 1U);
        QCOMPARE(w.sent[0].method, std::string("ask.program"));
        QCOMPARE(json::serialize(w.sent[0].params),
                 R"({"sha256":"01)" + std::string(62, '0') + R"(","path":"/usr/bin/x","started_by":["sh","make"]})");
        w.answer("open");
        w.refuse(1); // how does it stand?
        QCOMPARE(w.sent.size(), 2U);
        QCOMPARE(json::serialize(w.sent[1].params), std::string(R"({"id":7,"seconds":0})"));
        w.refuse(1);
        QCOMPARE(w.sent.size(), 2U);
        w.answer("denied");
        w.refuse(1);
        QCOMPARE(w.sent.size(), 2U); // it was answered
        QVERIFY(w.known.take(part(0, true)));
        w.refuse(1);
        QCOMPARE(w.sent.size(), 3U); // under another policy it may be asked again
        w.answer("expired");
        w.refuse(1);
        QCOMPARE(w.sent.size(), 4U); // expired is not denied
    }

    void questionsLeaveRoomForPrograms() {
        World w;
        QVERIFY(w.known.take(part(0, true)));
        for (unsigned i = 0; i < 100; ++i) {
            w.refuse(i);
        }
        QCOMPARE(w.sent.size(), KnownPrograms::kQuestions);
        w.answer("denied");
        w.refuse(99);
        QCOMPARE(w.sent.size(), KnownPrograms::kQuestions + 1);
    }

    void memoryOfQuestionsIsBounded() {
        World w;
        QVERIFY(w.known.take(part(0, true)));
        for (unsigned i = 0; i < KnownPrograms::kRemembered + 50; ++i) {
            w.refuse(i);
            w.answer("denied");
        }
        QCOMPARE(w.sent.size(), KnownPrograms::kRemembered);
    }

    void anEpochsEndAsksAnew() {
        World w;
        QVERIFY(w.known.take(part(0, true)));
        w.refuse(1);
        w.asks.newEpoch(2, w.now);
        w.asks.greeted(2, w.now);
        w.refuse(1);
        QCOMPARE(w.sent.size(), 2U);
    }

    void hashesAreReadStrictly() {
        QVERIFY(bpf::contentHashFrom(bpf::toHex(content(513))) == content(513));
        QVERIFY(!bpf::contentHashFrom(""));
        QVERIFY(!bpf::contentHashFrom(std::string(63, 'a')) && !bpf::contentHashFrom(std::string(65, 'a')));
        QVERIFY(!bpf::contentHashFrom(std::string(64, 'A')) && !bpf::contentHashFrom(std::string(63, 'a') + "g"));
    }
};

QTEST_GUILESS_MAIN(TestKnownPrograms)
#include "test_known_programs.moc"
