// SPDX-License-Identifier: Apache-2.0
#include "app/egress/resolver.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>
#include <netdb.h>
#include <system_error>
#include <thread>

namespace carrel::egress {

namespace {

using Clock = std::chrono::steady_clock;

struct Waiter {
    HostName name;
    std::function<void(Addresses)> done; // empty: answered
    Clock::time_point until;
    bool begun = false;
    std::unique_ptr<std::stop_callback<std::function<void()>>> whenStopped;
};
using WaiterPtr = std::shared_ptr<Waiter>;

} // namespace

class SystemResolver::Impl : public std::enable_shared_from_this<SystemResolver::Impl> {
public:
    explicit Impl(Setup setup)
        : m_setup(std::move(setup)) {}

    void begin() {
        m_clock = std::jthread([self = this](const std::stop_token& stop) { self->watch(stop); });
    }

    void resolve(const HostName& name, std::stop_token stop, std::function<void(Addresses)> done) {
        auto one = std::make_shared<Waiter>(Waiter{name, std::move(done), Clock::now() + m_setup.patience, false, nullptr});
        bool full = false;
        {
            const std::lock_guard lock(m_mutex);
            full = m_closed || m_waiting.size() >= m_setup.mostWaiting;
            if (!full) {
                m_waiting.push_back(one);
            }
        }
        if (full) {
            return answer(one, fail(ErrorCode::LimitExceeded, "too many names are looked up at once"));
        }
        // Outside of the lock: it is called at once where that was asked already.
        auto whenStopped = std::make_unique<std::stop_callback<std::function<void()>>>(
            std::move(stop), [weak = weak_from_this(), left = std::weak_ptr(one)] {
                const auto self = weak.lock();
                const auto which = left.lock();
                if (self && which) {
                    self->answer(which, fail(ErrorCode::Cancelled, "it was called off"));
                }
            });
        {
            const std::lock_guard lock(m_mutex);
            one->whenStopped = std::move(whenStopped);
        }
        lookUpMore();
        m_news.notify_all();
    }

    void close() {
        std::list<WaiterPtr> left;
        {
            const std::lock_guard lock(m_mutex);
            m_closed = true;
            left = m_waiting;
        }
        m_clock.request_stop();
        if (m_clock.joinable()) {
            m_clock.join();
        }
        for (const auto& each : left) {
            answer(each, fail(ErrorCode::Cancelled, "Carrel lets go of the network"));
        }
    }

private:
    // Whoever takes the function answers with it, so that it is called once.
    void answer(const WaiterPtr& one, Addresses addresses) {
        std::function<void(Addresses)> done;
        {
            const std::lock_guard lock(m_mutex);
            done.swap(one->done);
            m_waiting.remove(one);
        }
        if (done) {
            done(std::move(addresses));
        }
    }

    void lookUpMore() {
        for (;;) {
            WaiterPtr next;
            {
                const std::lock_guard lock(m_mutex);
                const auto at = std::find_if(m_waiting.begin(), m_waiting.end(), [](const auto& each) { return !each->begun; });
                if (m_closed || m_busy >= m_setup.most || at == m_waiting.end()) {
                    return;
                }
                next = *at;
                next->begun = true;
                ++m_busy;
            }
            try {
                std::thread([self = shared_from_this(), next] {
                    self->answer(next, self->m_setup.lookUp(next->name));
                    {
                        const std::lock_guard lock(self->m_mutex);
                        --self->m_busy;
                    }
                    self->lookUpMore();
                }).detach(); // it holds what it needs, and nobody can end it
            } catch (const std::system_error&) {
                {
                    const std::lock_guard lock(m_mutex);
                    --m_busy;
                }
                answer(next, fail(ErrorCode::Unavailable, "this computer has no room to look up a name"));
            }
        }
    }

    void watch(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            std::vector<WaiterPtr> late;
            {
                std::unique_lock lock(m_mutex);
                auto next = Clock::now() + std::chrono::hours(1);
                for (const auto& each : m_waiting) {
                    next = std::min(next, each->until);
                }
                const auto before = m_waiting.size();
                (void)m_news.wait_until(lock, stop, next, [&] { return m_waiting.size() > before; });
                const auto now = Clock::now();
                std::copy_if(m_waiting.begin(), m_waiting.end(), std::back_inserter(late),
                             [&](const auto& each) { return each->until <= now; });
            }
            for (const auto& each : late) {
                answer(each, fail(ErrorCode::Expired, "its name servers did not answer in time"));
            }
        }
    }

    const Setup m_setup;
    std::mutex m_mutex; // guards what follows; nothing is called with it held
    std::condition_variable_any m_news;
    std::list<WaiterPtr> m_waiting; // those that have no answer
    std::size_t m_busy = 0;         // look-ups under way, also those that nobody waits for any more
    bool m_closed = false;
    std::jthread m_clock;
};

SystemResolver::SystemResolver()
    : SystemResolver(Setup{}) {}

SystemResolver::SystemResolver(Setup setup) {
    if (!setup.lookUp) {
        setup.lookUp = lookUpByHost;
    }
    m_impl = std::make_shared<Impl>(std::move(setup));
    m_impl->begin();
}

SystemResolver::~SystemResolver() {
    m_impl->close();
}

void SystemResolver::resolve(const HostName& name, std::stop_token stop, std::function<void(Addresses)> done) {
    m_impl->resolve(name, std::move(stop), std::move(done));
}

Addresses lookUpByHost(const HostName& name) {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(name.text().c_str(), nullptr, &wanted, &list);
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(list, [](addrinfo* each) {
        if (each != nullptr) {
            ::freeaddrinfo(each);
        }
    });
    if (error == EAI_SYSTEM) {
        return failErrno("looking up a name");
    }
    if (error == EAI_NONAME || error == EAI_NODATA || error == EAI_ADDRFAMILY) {
        return fail(ErrorCode::NotFound, "no address is known for that name");
    }
    if (error != 0) {
        return fail(ErrorCode::Unavailable, std::string("the name cannot be looked up now: ") + ::gai_strerror(error));
    }
    std::vector<Address> out;
    for (const auto* each = list; each != nullptr && out.size() < kMaxAddresses; each = each->ai_next) {
        sockaddr_storage from{};
        std::memcpy(&from, each->ai_addr, std::min<std::size_t>(each->ai_addrlen, sizeof from));
        const auto address = Address::of(from);
        if (address && std::find(out.begin(), out.end(), *address) == out.end()) {
            out.push_back(*address);
        }
    }
    return out.empty() ? Addresses(fail(ErrorCode::NotFound, "no address is known for that name")) : out;
}

} // namespace carrel::egress
