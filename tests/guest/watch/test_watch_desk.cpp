// SPDX-License-Identifier: Apache-2.0
// Who asks waits for news, for as long as it said, and never for ever.
#include "guest/watch/watch_desk.h"

#include <QTest>

#include <boost/json.hpp>

#include <future>

using namespace carrel;
using namespace carrel::watch;
using namespace std::chrono_literals;

namespace {

using Answered = std::future<Result<boost::json::value>>;

Answered ask(WatchDesk& desk, const Ask& what) {
    auto promise = std::make_shared<std::promise<Result<boost::json::value>>>();
    auto future = promise->get_future();
    desk.ask(what, [promise](Result<boost::json::value> answer) { promise->set_value(std::move(answer)); });
    return future;
}

std::size_t countOf(Answered& answered, const Ask& asked) {
    const auto answer = answered.get();
    const auto told = toldFrom(asked, answer.value().as_object());
    return readBatch(told.value().batch, [](const Event&) { return Status(); }).value();
}

const Event kEvent{1, 1, {7, 1}, FileDone{FileDeed::Written, 0, "/a"}};

} // namespace

class TestWatchDesk : public QObject {
    Q_OBJECT
private slots:
    void newsEndTheWait() {
        WatchDesk desk(9);
        auto answered = ask(desk, {0, 0, kMaxWait});
        QVERIFY(answered.wait_for(0s) == std::future_status::timeout);
        desk.add(kEvent);
        desk.tellNews();
        QCOMPARE(countOf(answered, {}), std::size_t{1});
    }
    void itsEndEndsTheWait() {
        WatchDesk desk(9);
        auto answered = ask(desk, {0, 0, 1ms});
        QCOMPARE(countOf(answered, {}), std::size_t{0});
    }
    void whatIsThereIsAnsweredAtOnce() {
        WatchDesk desk(9);
        desk.add(kEvent);
        auto answered = ask(desk, {0, 0, kMaxWait});
        QCOMPARE(countOf(answered, {}), std::size_t{1});
        answered = ask(desk, {9, 0, kMaxWait}); // as before: it was not acknowledged
        QCOMPARE(countOf(answered, {9, 0, {}}), std::size_t{1});
        auto next = ask(desk, {9, 1, 1ms});
        QCOMPARE(countOf(next, {9, 1, {}}), std::size_t{0});
    }
    void anotherTakesItsPlace() {
        WatchDesk desk(9);
        auto first = ask(desk, {0, 0, kMaxWait});
        auto second = ask(desk, {0, 0, kMaxWait});
        QVERIFY(first.get().error().code == ErrorCode::Cancelled);
        auto wrong = ask(desk, {9, 5, kMaxWait});
        QVERIFY(second.get().error().code == ErrorCode::Cancelled);
        QVERIFY(wrong.get().error().code == ErrorCode::InvalidArgument);
    }
    void whyItIsBlindIsInEachAnswer() {
        WatchDesk desk(9);
        desk.setWhy("the kernel has no \xff");
        auto answered = ask(desk, {0, 0, 1ms});
        QCOMPARE(toldFrom({}, answered.get().value().as_object()).value().why, std::string("the kernel has no ?"));
    }
    void itsOwnEndAnswersAll() {
        auto desk = std::make_unique<WatchDesk>(9);
        auto waits = ask(*desk, {0, 0, kMaxWait});
        desk->stop();
        QCOMPARE(countOf(waits, {}), std::size_t{0});
        auto late = ask(*desk, {0, 0, kMaxWait});
        QVERIFY(late.get().error().code == ErrorCode::Unavailable);
    }
};

QTEST_GUILESS_MAIN(TestWatchDesk)
#include "test_watch_desk.moc"
