// SPDX-License-Identifier: Apache-2.0
// Notifications over a bus: what the service is told, and that one which is not there, slow, broken or started anew holds up
// nobody.
#include "app/desktop/approval_notices.h"
#include "app/desktop/desktop_notifier.h"
#include "tests/app/desktop/played_notifications.h"
#include "tests/app/desktop/private_bus.h"

#include <QTest>

#include <atomic>
#include <future>
#include <mutex>

using namespace carrel;
using namespace carrel::desktop;
using namespace carrel::desktop::test;
using policy::Action;
using policy::Risk;

namespace {

constexpr std::chrono::minutes kLong{10};
constexpr int kGuardMs = 60'000; // only against a hang

Waiting of(std::uint64_t id, Risk risk = Risk::Routine) {
    return {id, 1, "desk", Action::Apply, risk, 3};
}

struct World {
    PrivateBus bus;
    std::mutex mutex;
    std::vector<std::string> told;
    DesktopNotifier::Options options;
    World() {
        options.bus = [this] { return std::optional(bus.address()); };
        options.tell = [this](const std::string& line) {
            const std::lock_guard lock(mutex);
            told.push_back(line);
        };
        options.answerWithin = kLong;
        options.tryAgainAfter = kLong;
        options.limits.replaceEvery = std::chrono::milliseconds(0);
        options.limits.newPerMinute = 1000;
    }
    [[nodiscard]] std::vector<std::string> said() {
        const std::lock_guard lock(mutex);
        return told;
    }
};

} // namespace

class TestNotifications : public QObject {
    Q_OBJECT
private slots:
    // Ended while it is about to sleep: the word that wakes it must not be taken by the look before.
    void endsWheneverItIsTold() {
        auto ends = std::async(std::launch::async, [] {
            for (int i = 0; i < 10'000; ++i) {
                DesktopNotifier::Options options;
                options.bus = [] { return std::optional<std::string>(); };
                DesktopNotifier notifier(std::move(options));
                std::this_thread::sleep_for(std::chrono::microseconds(100)); // it sleeps by now, mostly
                notifier.withdraw(1);                                        // it looks
                const auto later = std::chrono::steady_clock::now() + std::chrono::nanoseconds(i % 250 * 200);
                while (std::chrono::steady_clock::now() < later) { // at each moment of its look
                }
            }
        });
        if (ends.wait_for(std::chrono::minutes(2)) != std::future_status::ready) {
            qFatal("it never ends");
        }
    }
    void shownReplacedClosed() {
        World w;
        QVERIFY(w.bus.runs());
        PlayedNotifications service(w.bus.address());
        DesktopNotifier notifier(w.options);
        notifier.show(of(12));
        QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{1}, kGuardMs);
        const auto shown = service.state().screen.at(1);
        QCOMPARE(shown.application, std::string("Carrel"));
        QCOMPARE(shown.body, std::string("The agent desk asks to have 3 changes applied.\nLook at it with: carrel show 12"));
        QCOMPARE(shown.urgency, 1);
        QCOMPARE(shown.actions, std::size_t{0});
        QCOMPARE(shown.hints, std::size_t{1});
        QVERIFY(shown.icon.empty());
        auto changed = of(12, Risk::High);
        changed.revision = 2;
        notifier.show(changed);
        QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.at(1).replaced, 1, kGuardMs);
        QCOMPARE(service.state().screen.at(1).urgency, 2);
        notifier.withdraw(12);
        QTRY_VERIFY_WITH_TIMEOUT(service.state().screen.empty(), kGuardMs);
        notifier.withdraw(12);
        notifier.withdraw(99);
        notifier.show(of(13));
        QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{1}, kGuardMs);
        QCOMPARE(service.state().closed, 1);
        QVERIFY(w.said().empty());
    }

    void whatAnAgentSaysIsNotShown() {
        World w;
        PlayedNotifications service(w.bus.address());
        DesktopNotifier notifier(w.options);
        ApprovalNotices notices(notifier, [](std::string_view) { return "<b>&desk</b>\n\xe2\x80\xae"; });
        policy::Approval approval;
        approval.id = 1;
        approval.about = "SECRET";
        approval.session = "SECRET";
        approval.task = "SECRET";
        approval.question.claim = "SECRET <img src='x'/>";
        approval.question.riskReason = "SECRET";
        approval.question.itemCount = 1;
        policy::Request item;
        item.fields["path"] = "SECRET";
        approval.question.items = {item};
        notices.changed(approval, 1);
        QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{1}, kGuardMs);
        const auto shown = service.state().screen.at(1);
        QCOMPARE(shown.body, std::string("The agent &lt;b&gt;&amp;desk&lt;/b&gt;\\n\\u{202e} asks to have 1 change applied.\n"
                                         "Look at it with: carrel show 1"));
        QVERIFY((shown.body + shown.summary).find("SECRET") == std::string::npos);
        approval.state = policy::ApprovalState::Allowed;
        notices.changed(approval, 2);
        QTRY_VERIFY_WITH_TIMEOUT(service.state().screen.empty(), kGuardMs);
    }

    void aFloodOnTheBus() {
        World w;
        w.options.limits = {};
        PlayedNotifications service(w.bus.address());
        DesktopNotifier notifier(w.options);
        for (std::uint64_t id = 1; id <= 5'000; ++id) {
            notifier.show(of(id));
        }
        QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{4}, kGuardMs);
        for (std::uint64_t id = 1; id <= 5'000; ++id) {
            notifier.withdraw(id);
        }
        QTRY_VERIFY_WITH_TIMEOUT(service.state().screen.empty(), kGuardMs);
        QVERIFY(service.state().mostAtOnce <= 4);
        QVERIFY(service.state().notified <= 7);
    }

    void aServiceThatComesLater() {
        World w;
        DesktopNotifier notifier(w.options);
        notifier.show(of(1));
        notifier.show(of(2));
        QTRY_COMPARE_WITH_TIMEOUT(w.said().size(), std::size_t{1}, kGuardMs);
        QVERIFY(w.said()[0].find("carrel approvals") != std::string::npos);
        notifier.withdraw(1);
        notifier.show(of(3));
        PlayedNotifications service(w.bus.address());
        QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{2}, kGuardMs);
        QCOMPARE(w.said().size(), std::size_t{1}); // once
    }

    void noBus() {
        World w;
        w.options.bus = [] { return std::optional<std::string>(); };
        {
            DesktopNotifier notifier(w.options);
            notifier.show(of(1));
            QTRY_COMPARE_WITH_TIMEOUT(w.said().size(), std::size_t{1}, kGuardMs);
            notifier.show(of(2));
            notifier.withdraw(1);
        }
        QCOMPARE(w.said().size(), std::size_t{1});
        // A bus that comes later.
        std::atomic<bool> there = false;
        w.options.bus = [&] { return there ? std::optional(w.bus.address()) : std::nullopt; };
        w.options.tryAgainAfter = std::chrono::milliseconds(10);
        PlayedNotifications service(w.bus.address());
        DesktopNotifier notifier(w.options);
        notifier.show(of(1));
        QTRY_COMPARE_WITH_TIMEOUT(w.said().size(), std::size_t{2}, kGuardMs);
        there = true;
        QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{1}, kGuardMs);
    }

    void aSilentServiceHoldsUpNobody() {
        World w;
        PlayedNotifications service(w.bus.address());
        service.silent = true;
        {
            DesktopNotifier notifier(w.options); // would wait for minutes
            notifier.show(of(1));
            QTRY_COMPARE_WITH_TIMEOUT(service.state().notified, 1, kGuardMs);
            for (std::uint64_t id = 2; id <= 10'000; ++id) { // none of them waits
                notifier.show(of(id));
                notifier.withdraw(id);
            }
        } // nor does the end
        QVERIFY(w.said().empty());
        w.options.answerWithin = std::chrono::milliseconds(50);
        DesktopNotifier notifier(w.options);
        notifier.show(of(1));
        QTRY_COMPARE_WITH_TIMEOUT(w.said().size(), std::size_t{1}, kGuardMs);
        notifier.show(of(2));
        QCOMPARE(service.state().notified, 2); // it is left alone for a while
    }

    void aBrokenService() {
        for (const bool fails : {true, false}) {
            World w;
            w.options.tryAgainAfter = std::chrono::milliseconds(0);
            PlayedNotifications service(w.bus.address());
            service.change([&](auto& state) { (fails ? state.fails : state.answersNothingUseful) = true; });
            DesktopNotifier notifier(w.options);
            notifier.show(of(1));
            QTRY_COMPARE_WITH_TIMEOUT(service.state().notified, 1, kGuardMs);
            notifier.show(of(2));
            QTRY_COMPARE_WITH_TIMEOUT(service.state().notified, 2, kGuardMs); // each is tried once
            service.change([&](auto& state) { state.fails = state.answersNothingUseful = false; });
            notifier.show(of(3));
            QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{1}, kGuardMs);
            QCOMPARE(service.state().notified, 3);
            QCOMPARE(w.said().size(), std::size_t{1});
        }
    }

    void aServiceThatStartsAnew() {
        World w;
        DesktopNotifier notifier(w.options);
        auto first = std::make_unique<PlayedNotifications>(w.bus.address());
        notifier.show(of(1));
        QTRY_COMPARE_WITH_TIMEOUT(first->state().screen.size(), std::size_t{1}, kGuardMs);
        first.reset();
        notifier.show(of(2));
        PlayedNotifications second(w.bus.address(), 100);
        QTRY_COMPARE_WITH_TIMEOUT(second.state().screen.size(), std::size_t{2}, kGuardMs);
        notifier.withdraw(1); // by the number that the second one gave
        QTRY_COMPARE_WITH_TIMEOUT(second.state().screen.size(), std::size_t{1}, kGuardMs);
        QCOMPARE(second.state().closed, 1);
    }

    // A connection that GLib shares would end the process here.
    void theBusEndsAndComesBack() {
        World w;
        w.options.tryAgainAfter = std::chrono::milliseconds(10);
        DesktopNotifier notifier(w.options);
        {
            PlayedNotifications service(w.bus.address());
            notifier.show(of(1));
            QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{1}, kGuardMs);
        }
        w.bus.stop();
        notifier.show(of(2));
        QTRY_COMPARE_WITH_TIMEOUT(w.said().size(), std::size_t{1}, kGuardMs);
        w.bus.start();
        PlayedNotifications service(w.bus.address());
        QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{2}, kGuardMs);
    }

    void aPersonCloses() {
        World w;
        PlayedNotifications service(w.bus.address());
        DesktopNotifier notifier(w.options);
        notifier.show(of(1));
        QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{1}, kGuardMs);
        service.personCloses(1);
        notifier.show(of(2)); // after the signal, on the same connection
        QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{1}, kGuardMs);
        auto changed = of(1);
        changed.revision = 2;
        notifier.show(changed);
        notifier.show(of(3));
        QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{2}, kGuardMs);
        QCOMPARE(service.state().notified, 3);
    }

    void theEndClosesWhatIsShown() {
        World w;
        PlayedNotifications service(w.bus.address());
        {
            DesktopNotifier notifier(w.options);
            for (std::uint64_t id = 1; id <= 6; ++id) {
                notifier.show(of(id));
            }
            QTRY_COMPARE_WITH_TIMEOUT(service.state().screen.size(), std::size_t{4}, kGuardMs);
        }
        QTRY_VERIFY_WITH_TIMEOUT(service.state().screen.empty(), kGuardMs);
    }
};

QTEST_GUILESS_MAIN(TestNotifications)
#include "test_notifications.moc"
