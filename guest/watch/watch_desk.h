// SPDX-License-Identifier: Apache-2.0
// The book (watch_book.h), shared between who fills it and the host that asks: an answer waits for news as long as the host wants.
// One asks at a time: another takes its place, and the earlier is answered at once with nothing new. Thread: any.
#pragma once

#include "guest/watch/watch_book.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace carrel::watch {

class WatchDesk {
public:
    using Answer = std::function<void(Result<boost::json::value>)>;
    explicit WatchDesk(std::uint64_t book, WatchBook::Bounds bounds = {});
    ~WatchDesk();
    WatchDesk(const WatchDesk&) = delete;
    WatchDesk& operator=(const WatchDesk&) = delete;

    void add(const Event& event);
    void lose(const Lost& more);
    void setWhy(std::string why); // the kernel is not watched; each answer says so
    // After a number of add(): the host hears of it.
    void tellNews();
    void ask(const Ask& ask, Answer answer);
    void stop(); // what waits is answered

private:
    struct Waiting {
        Ask ask;
        Answer answer;
        WatchBook::Clock::time_point until;
    };
    void serve();
    void answerNow(std::unique_lock<std::mutex>& lock, Waiting waiting); // without the lock

    std::mutex m_mutex;
    std::condition_variable m_changed;
    WatchBook m_book;
    std::string m_why;
    std::optional<Waiting> m_waiting;
    bool m_news = false, m_stop = false;
    std::thread m_thread;
};

} // namespace carrel::watch
