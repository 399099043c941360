// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/package_desk.h"

#include <future>
#include <sys/resource.h>
#include <unistd.h>

namespace carrel::guestd {

PackageDesk::PackageDesk(HostAsks& asks, Hands hands, std::chrono::milliseconds pause)
    : m_asks(asks)
    , m_hands(std::move(hands))
    , m_pause(pause) {}

PackageDesk::~PackageDesk() {
    stop();
}

void PackageDesk::start() {
    m_thread = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void PackageDesk::stop() {
    m_thread.request_stop();
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

bool PackageDesk::ask(const std::string& sha256, Looked looked) {
    const std::lock_guard lock(m_mutex);
    if (m_waiting.size() >= kWaiting) {
        return false;
    }
    m_waiting.emplace(sha256, std::move(looked));
    m_changed.notify_all();
    return true;
}

void PackageDesk::run(const std::stop_token& stop) {
    // What the agent does now goes before this.
    constexpr int kLessUrgent = 10;
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kLessUrgent);
    while (!stop.stop_requested()) {
        std::multimap<std::string, Looked> waiting;
        {
            std::unique_lock lock(m_mutex);
            m_changed.wait(lock, stop, [this] { return !m_waiting.empty(); });
            if (stop.stop_requested()) {
                return;
            }
            waiting.swap(m_waiting);
        }
        const bool looks = m_hands.isNew();
        if (looks) {
            lookOnce(stop);
        }
        for (const auto& [sha256, looked] : waiting) {
            if (stop.stop_requested()) {
                return;
            }
            looked(m_added.contains(sha256));
        }
        if (looks) {
            std::unique_lock lock(m_mutex);
            m_changed.wait_for(lock, stop, m_pause, [] { return false; });
        }
    }
}

void PackageDesk::lookOnce(const std::stop_token& stop) {
    m_batch = {};
    m_batchPrograms = 0;
    m_toldAll = true;
    const auto looked = m_hands.look(
        [this](packages::Verified&& one) {
            take(std::move(one));
            return true;
        },
        stop);
    if (!m_batch.packages.empty()) {
        m_batch.last = true;
        tell(std::move(m_batch));
    }
    if (!m_toldAll) {
        m_hands.forget();
    }
    // Once, not with each program that is unknown.
    if (!looked && looked.error().code != ErrorCode::Cancelled && looked.error().text() != m_lastTrouble) {
        m_lastTrouble = looked.error().text();
        m_hands.log("what apt installed was not looked at: " + m_lastTrouble);
    }
}

void PackageDesk::take(packages::Verified&& one) {
    std::size_t at = 0;
    do {
        if (m_batch.packages.size() == ask::kMaxInstalledPackages || m_batchPrograms == ask::kMaxInstalledPrograms) {
            m_batch.last = false;
            tell(std::exchange(m_batch, {}));
            m_batchPrograms = 0;
        }
        ask::Package package{one.package.name, one.package.version, one.package.architecture, {}};
        for (; at < one.programs.size() && m_batchPrograms < ask::kMaxInstalledPrograms; ++at, ++m_batchPrograms) {
            package.programs.push_back({one.programs[at].sha256, one.programs[at].path});
        }
        if (!package.programs.empty()) {
            m_batch.packages.push_back(std::move(package));
        }
    } while (at < one.programs.size());
}

void PackageDesk::tell(ask::Installed&& batch) {
    std::vector<std::string> contents;
    for (const auto& package : batch.packages) {
        for (const auto& each : package.programs) {
            contents.push_back(each.sha256);
        }
    }
    std::promise<Result<ask::Standings>> promise;
    auto future = promise.get_future();
    m_asks.ask(std::move(batch), [&promise](Result<ask::Standings> answer) { promise.set_value(std::move(answer)); }, HostAsks::Clock::now());
    const auto answer = future.get(); // in time: by the host, or by the clock
    if (!answer || answer->empty()) {
        m_toldAll = false;
        return;
    }
    if (answer->front().state == ask::State::Allowed && m_added.size() + contents.size() <= kAdded) {
        m_added.insert(contents.begin(), contents.end());
    }
}

} // namespace carrel::guestd
