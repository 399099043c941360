// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/worker_pool.h"

namespace carrel::guestd {

WorkerPool::WorkerPool(unsigned threads, std::size_t maxWaiting)
    : m_maxWaiting(maxWaiting) {
    for (unsigned i = 0; i < threads; ++i) {
        m_threads.emplace_back([this] { run(); });
    }
}

WorkerPool::~WorkerPool() {
    stop();
}

WorkerPool::Posted WorkerPool::post(std::function<void()> job) {
    const std::lock_guard lock(m_mutex);
    if (m_stop || m_jobs.size() >= m_maxWaiting) {
        return Posted::Full;
    }
    m_jobs.push_back(std::move(job));
    m_ready.notify_one();
    return Posted::Yes;
}

void WorkerPool::stop() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
        m_jobs.clear();
        m_ready.notify_all();
    }
    for (auto& thread : m_threads) {
        if (thread.joinable()) {
            thread.join();
        }
    }
}

void WorkerPool::run() {
    std::unique_lock lock(m_mutex);
    for (;;) {
        m_ready.wait(lock, [this] { return m_stop || !m_jobs.empty(); });
        if (m_stop) {
            return;
        }
        auto job = std::move(m_jobs.front());
        m_jobs.pop_front();
        lock.unlock();
        job();
        lock.lock();
    }
}

} // namespace carrel::guestd
