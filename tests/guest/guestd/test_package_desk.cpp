// SPDX-License-Identifier: Apache-2.0
// What was found in signed packages reaches the host in questions that it can take, and whoever waits hears whether the host has it.
#include "guest/guestd/known_programs.h"
#include "guest/guestd/package_desk.h"

#include <QTest>
#include <boost/json.hpp>

namespace json = boost::json;
using namespace carrel;
using namespace carrel::guestd;
using namespace std::chrono_literals;

namespace {

std::string content(unsigned number) {
    char out[65];
    std::snprintf(out, sizeof out, "%064x", number);
    return out;
}

packages::Verified package(const std::string& name, unsigned from, unsigned count) {
    packages::Verified out{{name, "1:2-3", "amd64"}, content(1'000'000 + from), {}};
    for (unsigned i = 0; i < count; ++i) {
        out.programs.push_back({content(from + i), "/usr/bin/" + name + std::to_string(i)});
    }
    return out;
}

struct World {
    std::mutex mutex;
    std::vector<ask::Installed> told;
    std::vector<std::string> lines;
    std::vector<packages::Verified> fetched; // what a look finds
    Status looked;
    std::atomic<bool> isNew = true;
    std::atomic<int> looks = 0, forgotten = 0;
    std::atomic<bool> hostAnswers = true;
    std::string state = "allowed";
    HostAsks asks{[this](EpochNumber, std::string_view text) -> Status {
        const auto request = std::get<RpcRequest>(parseRpc(text, {256 * 1024, 12}).value());
        auto question = ask::questionFrom(request.method, request.params);
        if (!question) {
            qFatal("%s", question.error().text().c_str());
        }
        const std::lock_guard lock(mutex);
        told.push_back(std::get<ask::Installed>(*question));
        answers.push_back(*request.id);
        return {};
    }};
    std::vector<std::uint64_t> answers; // owed
    std::map<std::string, bool> heard;
    PackageDesk desk{asks,
                     {.isNew = [this] { return isNew.load(); },
                      .look = [this](const PackageDesk::Found& found, std::stop_token) -> Status {
                          ++looks;
                          for (auto each : fetched) {
                              if (!found(std::move(each))) {
                                  return fail(ErrorCode::Internal, "not taken");
                              }
                          }
                          isNew = false;
                          return looked;
                      },
                      .forget = [this] { ++forgotten, isNew = true; },
                      .log = [this](std::string_view text) {
                          const std::lock_guard lock(mutex);
                          lines.emplace_back(text);
                      }},
                     0ms};

    World() {
        asks.newEpoch(1, HostAsks::Clock::now());
        asks.greeted(1, HostAsks::Clock::now());
        desk.start();
    }
    // The host's part, which a test plays while it waits.
    bool until(const std::function<bool()>& there) {
        return QTest::qWaitFor(
            [&] {
                std::vector<std::uint64_t> now;
                {
                    const std::lock_guard lock(mutex);
                    if (hostAnswers) {
                        now.swap(answers);
                    }
                }
                for (const auto id : now) {
                    asks.receive({id, json::value{{"id", 0}, {"state", state}, {"words", ""}}}, 1);
                }
                const std::lock_guard lock(mutex);
                return there();
            },
            60'000);
    }
    void ask(unsigned number) {
        desk.ask(content(number), [this, number](bool added) {
            const std::lock_guard lock(mutex);
            heard[content(number)] = added;
        });
    }
    bool hears(unsigned number, bool added) {
        return until([&] { return heard.contains(content(number)); }) && heard.at(content(number)) == added;
    }
};

} // namespace

class TestPackageDesk : public QObject {
    Q_OBJECT
private slots:
    void whatIsFoundIsToldAndAnswered() {
        World w;
        w.fetched = {package("tool", 1, 3), package("more", 10, 2)};
        w.ask(2);
        QVERIFY(w.hears(2, true));
        w.ask(99); // of no package
        QVERIFY(w.hears(99, false));
        QCOMPARE(w.told.size(), std::size_t{1});
        QVERIFY(w.told[0].last && w.told[0].packages.size() == 2);
        QCOMPARE(w.told[0].packages[0].programs.size(), std::size_t{3});
        QVERIFY((w.told[0].packages[0].programs[0] == ask::Content{content(1), "/usr/bin/tool0"}));
    }
    void nothingIsLookedAtTwice() {
        World w;
        w.fetched = {package("tool", 1, 1)};
        w.ask(1);
        QVERIFY(w.hears(1, true));
        w.ask(7);
        QVERIFY(w.hears(7, false));
        w.ask(1);
        QVERIFY(w.hears(1, true));
        QCOMPARE(w.looks.load(), 1);
    }
    void muchComesInQuestionsThatAHostTakes() {
        World w;
        w.fetched = {package("large", 0, 1000)};
        for (unsigned i = 0; i < 100; ++i) {
            w.fetched.push_back(package("small", 2000 + i, 1));
        }
        w.ask(999);
        w.ask(2099);
        QVERIFY(w.hears(999, true) && w.hears(2099, true));
        std::size_t programs = 0;
        for (std::size_t i = 0; i < w.told.size(); ++i) {
            QCOMPARE(w.told[i].last, i + 1 == w.told.size());
            QVERIFY(json::serialize(ask::paramsOf(w.told[i])).size() < 120U * 1024U);
            for (const auto& each : w.told[i].packages) {
                programs += each.programs.size();
            }
        }
        QCOMPARE(programs, std::size_t{1100});
        QCOMPARE(w.told.size(), std::size_t{4});
    }
    void whatTheHostDoesNotTakeIsNotAdded() {
        World w;
        w.state = "denied";
        w.fetched = {package("tool", 1, 1)};
        w.ask(1);
        QVERIFY(w.hears(1, false));
        QCOMPARE(w.forgotten.load(), 0); // it was told
    }
    void aHostThatIsAwayIsToldAgain() {
        World w;
        w.hostAnswers = false;
        w.fetched = {package("tool", 1, 1)};
        w.ask(1);
        QVERIFY(w.until([&] { return !w.told.empty(); }));
        w.asks.expire(HostAsks::Clock::now() + 1h);
        QVERIFY(w.hears(1, false));
        QCOMPARE(w.forgotten.load(), 1);
        w.hostAnswers = true;
        w.heard.clear();
        w.ask(1);
        QVERIFY(w.hears(1, true));
    }
    void troubleIsToldOnce() {
        World w;
        w.looked = fail(ErrorCode::NotFound, "there are no keys");
        w.ask(1);
        QVERIFY(w.hears(1, false));
        w.isNew = true;
        w.ask(2);
        QVERIFY(w.hears(2, false));
        QCOMPARE(w.lines.size(), std::size_t{1});
        QVERIFY(w.lines[0].find("there are no keys") != std::string::npos);
    }
    // Before the owner is asked, and instead of that.
    void aRefusedProgramIsLookedForFirst() {
        World w;
        w.fetched = {package("tool", 1, 1)};
        KnownPrograms known{w.asks,
                            {.apply = [](const bpf::GatePolicy&) -> Status { return {}; },
                             .log = [](std::string_view) {},
                             .installed = [&](const std::string& sha256, PackageDesk::Looked looked) {
                                 w.desk.ask(sha256, [&w, sha256, looked = std::move(looked)](bool added) {
                                     looked(added);
                                     const std::lock_guard lock(w.mutex);
                                     w.heard[sha256] = added;
                                 });
                             }}};
        QVERIFY(known.take({{bpf::GateMode::Allow, 5, {}, {}, {}}, true, 0, true}));
        const auto refuse = [&](unsigned number) {
            known.refused({bpf::RefusedWhy::Unknown, bpf::contentHashFrom(content(number)), 5, 42, "/usr/bin/x", {"sh"}}, KnownPrograms::Clock::now());
        };
        refuse(1);
        QVERIFY(w.hears(1, true));
        QCOMPARE(w.told.size(), std::size_t{1}); // the packages, and no question about it
        w.desk.stop();
    }
};

QTEST_GUILESS_MAIN(TestPackageDesk)
#include "test_package_desk.moc"
