// SPDX-License-Identifier: Apache-2.0
#include "guest/watch/watch_desk.h"

#include "guest/protocol/plain_text.h"

#include <utility>

namespace carrel::watch {

namespace {

constexpr std::size_t kMostWhy = 300;

} // namespace

WatchDesk::WatchDesk(std::uint64_t book, WatchBook::Bounds bounds)
    : m_book(book, bounds)
    , m_thread([this] { serve(); }) {}

WatchDesk::~WatchDesk() {
    stop();
}

void WatchDesk::add(const Event& event) {
    const std::lock_guard lock(m_mutex);
    m_book.add(event, WatchBook::Clock::now());
}

void WatchDesk::lose(const Lost& more) {
    const std::lock_guard lock(m_mutex);
    m_book.lose(more);
}

void WatchDesk::setWhy(std::string why) {
    const std::lock_guard lock(m_mutex);
    m_why = plainText(why, kMostWhy);
}

void WatchDesk::tellNews() {
    const std::lock_guard lock(m_mutex);
    m_news = m_waiting && m_book.hasNews(m_waiting->ask);
    if (m_news) {
        m_changed.notify_all();
    }
}

void WatchDesk::ask(const Ask& ask, Answer answer) {
    std::unique_lock lock(m_mutex);
    if (m_stop) {
        lock.unlock();
        answer(fail(ErrorCode::Unavailable, "the machine is going off"));
        return;
    }
    auto earlier = std::exchange(m_waiting, std::nullopt);
    if (const auto known = m_book.acknowledge(ask); !known) {
        lock.unlock();
        answer(fail(known.error()));
    } else {
        m_waiting = Waiting{ask, std::move(answer), WatchBook::Clock::now() + ask.wait};
        m_news = m_book.hasNews(ask);
        m_changed.notify_all();
        lock.unlock();
    }
    if (earlier) {
        earlier->answer(fail(ErrorCode::Cancelled, "another asks for it by now"));
    }
}

void WatchDesk::answerNow(std::unique_lock<std::mutex>& lock, Waiting waiting) {
    auto told = m_book.handOut(waiting.ask);
    told.why = m_why;
    lock.unlock();
    waiting.answer(boost::json::value(answerOf(told)));
    lock.lock();
}

void WatchDesk::serve() {
    std::unique_lock lock(m_mutex);
    while (!m_stop) {
        if (!m_waiting) {
            m_changed.wait(lock);
        } else if (m_news || WatchBook::Clock::now() >= m_waiting->until) {
            m_news = false;
            answerNow(lock, *std::exchange(m_waiting, std::nullopt));
        } else {
            const auto until = m_waiting->until; // it may have gone when the wait is over
            m_changed.wait_until(lock, until);
        }
    }
    if (auto last = std::exchange(m_waiting, std::nullopt)) {
        answerNow(lock, std::move(*last));
    }
}

void WatchDesk::stop() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
        m_changed.notify_all();
    }
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

} // namespace carrel::watch
