// SPDX-License-Identifier: Apache-2.0
// Whether a content that is on no list came with a package that Debian has signed: asked by whoever hears of a refusal, answered when all
// that apt has fetched was looked at (guest/packages) and the host has it. What is found is told to the host, which keeps it and sends it
// back as policy; nothing counts in this machine by this object's word.
//
// An agent can make unknown contents, and files for apt's folders, as fast as it likes. So there is one look at a time, with a pause
// after it, for all who wait by then; none where apt's folders are as they were; and no more wait than so many.
//
// Ownership: borrows the asks. Thread: any; answers come on a thread of its own, or at once.
#pragma once

#include "guest/guestd/host_asks.h"
#include "guest/packages/package_search.h"

#include <condition_variable>
#include <thread>

namespace carrel::guestd {

class PackageDesk {
public:
    using Found = std::function<bool(packages::Verified&& one)>;
    using Looked = std::function<void(bool added)>; // added: the host has it among what may run
    struct Hands {
        std::function<bool()> isNew;
        std::function<Status(const Found& found, std::stop_token stop)> look;
        std::function<void()> forget; // what was found may be found again
        std::function<void(std::string_view text)> log;
    };
    static constexpr std::size_t kWaiting = 64;
    static constexpr std::size_t kAdded = 30'000; // contents; as many as a policy has at most

    PackageDesk(HostAsks& asks, Hands hands, std::chrono::milliseconds pause = std::chrono::seconds(2));
    ~PackageDesk(); // stops
    PackageDesk(const PackageDesk&) = delete;
    PackageDesk& operator=(const PackageDesk&) = delete;

    void start();
    void stop(); // whoever waits is answered no more

    // False where too many wait: it is not answered then, and the next attempt asks again. "": no content, but all that apt has fetched.
    bool ask(const std::string& sha256, Looked looked);

private:
    void run(const std::stop_token& stop);
    void lookOnce(const std::stop_token& stop);
    void take(packages::Verified&& one);
    void tell(ask::Installed&& batch);

    HostAsks& m_asks;
    Hands m_hands;
    std::chrono::milliseconds m_pause;
    std::mutex m_mutex;
    std::condition_variable_any m_changed;
    std::multimap<std::string, Looked> m_waiting;
    // The thread's own.
    std::set<std::string, std::less<>> m_added;
    ask::Installed m_batch;
    std::size_t m_batchPrograms = 0;
    bool m_toldAll = true;
    std::string m_lastTrouble;
    std::jthread m_thread;
};

} // namespace carrel::guestd
