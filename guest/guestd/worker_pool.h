// SPDX-License-Identifier: Apache-2.0
// A few threads and a bounded queue, for control requests that block. Thread: post() and stop() from any.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace carrel::guestd {

class WorkerPool {
public:
    enum class Posted { Yes, Full };

    WorkerPool(unsigned threads, std::size_t maxWaiting);
    ~WorkerPool(); // what waits is dropped, what runs is waited for
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    [[nodiscard]] Posted post(std::function<void()> job);
    void stop();

private:
    void run();

    std::mutex m_mutex;
    std::condition_variable m_ready;
    std::deque<std::function<void()>> m_jobs;
    std::size_t m_maxWaiting;
    bool m_stop = false;
    std::vector<std::thread> m_threads;
};

} // namespace carrel::guestd
