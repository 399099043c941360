// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/notice_board.h"

#include <algorithm>

namespace carrel::desktop {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;

} // namespace

NoticeBoard::NoticeBoard(Limits limits)
    : m_limits(limits) {}

void NoticeBoard::open(const Waiting& waiting) {
    const auto at = m_open.find(waiting.id);
    if (at != m_open.end()) {
        auto& [known, notice] = at->second;
        if (notice.settled == Notice::Settled::Failed && known != waiting) {
            notice.settled = Notice::Settled::No;
        }
        known = waiting;
    } else if (waiting.id != kMore && m_open.size() < m_limits.known) {
        m_open[waiting.id].waiting = waiting;
    }
}

void NoticeBoard::close(std::uint64_t id) {
    const auto at = m_open.find(id);
    if (at == m_open.end()) {
        return;
    }
    if (at->second.notice.server != 0) {
        m_toClose.push_back(at->second.notice.server);
    }
    m_open.erase(at);
}

bool NoticeBoard::wanted(const Entry& entry) const {
    const auto& notice = entry.notice;
    if (notice.server != 0) {
        return false;
    }
    switch (notice.settled) {
    case Notice::Settled::No:
        return true;
    case Notice::Settled::Failed:
        return false;
    case Notice::Settled::Closed:
        return entry.waiting.risk == policy::Risk::High && notice.words.urgency != Urgency::Critical;
    }
    return false;
}

void NoticeBoard::later(std::int64_t atMs) {
    m_due = m_due ? std::min(*m_due, atMs) : atMs;
}

bool NoticeBoard::mayAppear(std::int64_t nowMs) {
    while (!m_appeared.empty() && nowMs - m_appeared.front() >= kMinuteMs) {
        m_appeared.pop_front();
    }
    if (m_appeared.size() < m_limits.newPerMinute) {
        return true;
    }
    later(m_appeared.front() + kMinuteMs);
    return false;
}

bool NoticeBoard::mayReplace(const Notice& notice, std::int64_t nowMs) {
    const auto from = notice.atMs + m_limits.replaceEvery.count();
    if (nowMs >= from) {
        return true;
    }
    later(from);
    return false;
}

std::optional<NoticeBoard::Step> NoticeBoard::next(std::int64_t nowMs) {
    m_due.reset();
    if (!m_toClose.empty()) {
        const auto server = m_toClose.back();
        m_toClose.pop_back();
        return Step{Step::Kind::Close, 0, server, {}, 0};
    }
    std::vector<const Entry*> waiting;
    std::size_t onScreen = 0;
    for (const auto& [id, entry] : m_open) {
        const bool isAlarm = entry.waiting.isAlarm();
        onScreen += entry.notice.server != 0 && !isAlarm ? 1 : 0;
        if (wanted(entry)) {
            if (isAlarm) {
                return Step{Step::Kind::Show, id, 0, wordsFor(entry.waiting), entry.waiting.revision};
            }
            waiting.push_back(&entry);
        } else if (entry.notice.server != 0) {
            auto words = wordsFor(entry.waiting);
            const bool changed = words != entry.notice.words || entry.waiting.revision != entry.notice.revision;
            if (changed && mayReplace(entry.notice, nowMs)) {
                return Step{Step::Kind::Show, id, entry.notice.server, std::move(words), entry.waiting.revision};
            }
        }
    }
    std::stable_sort(waiting.begin(), waiting.end(), [](const Entry* a, const Entry* b) {
        return a->waiting.risk == policy::Risk::High && b->waiting.risk != policy::Risk::High;
    });
    const auto room = m_limits.atOnce - std::min(m_limits.atOnce, onScreen);
    if (room > 0 && !waiting.empty() && mayAppear(nowMs)) {
        const auto& first = waiting.front()->waiting;
        return Step{Step::Kind::Show, first.id, 0, wordsFor(first), first.revision};
    }
    const auto beyond = waiting.begin() + static_cast<std::ptrdiff_t>(std::min(room, waiting.size()));
    const auto high = std::count_if(beyond, waiting.end(), [](const Entry* each) { return each->waiting.risk == policy::Risk::High; });
    return more(static_cast<std::size_t>(waiting.end() - beyond), static_cast<std::size_t>(high), nowMs);
}

std::optional<NoticeBoard::Step> NoticeBoard::more(std::size_t count, std::size_t high, std::int64_t nowMs) {
    m_moreCount = count;
    if (count == 0) {
        const auto server = m_more.server;
        m_more = {};
        m_moreClosedAt = 0;
        return server == 0 ? std::nullopt : std::optional(Step{Step::Kind::Close, 0, server, {}, 0});
    }
    auto words = wordsForMore(count, high);
    if (m_more.server != 0) {
        if (words == m_more.words || !mayReplace(m_more, nowMs)) {
            return std::nullopt;
        }
    } else {
        const bool isNews = m_more.settled == Notice::Settled::No ||
                            (m_more.settled == Notice::Settled::Closed &&
                             (count > m_moreClosedAt || words.urgency > m_more.words.urgency) && mayReplace(m_more, nowMs));
        if (!isNews || !mayAppear(nowMs)) {
            return std::nullopt;
        }
    }
    return Step{Step::Kind::Show, kMore, m_more.server, std::move(words), 0};
}

NoticeBoard::Notice* NoticeBoard::noticeOf(std::uint64_t key) {
    const auto at = m_open.find(key);
    return key == kMore ? &m_more : (at == m_open.end() ? nullptr : &at->second.notice);
}

void NoticeBoard::shown(const Step& step, std::uint32_t server, std::int64_t nowMs) {
    if (step.server == 0 && step.key < kFirstAlarm) {
        m_appeared.push_back(nowMs);
    }
    auto* notice = noticeOf(step.key);
    if (notice == nullptr) { // it was over while this was on its way
        if (step.server == 0) {
            m_toClose.push_back(server);
        }
        return;
    }
    *notice = {server, Notice::Settled::No, step.words, step.revision, nowMs};
}

void NoticeBoard::failed(const Step& step) {
    auto* notice = noticeOf(step.key);
    if (notice == nullptr) {
        return;
    }
    if (step.server == 0) {
        notice->settled = Notice::Settled::Failed;
    } else { // the older one may still be there, and is to be closed in time
        notice->words = step.words;
        notice->revision = step.revision;
    }
}

void NoticeBoard::closedByServer(std::uint32_t server) {
    const auto close = [server](Notice& notice) {
        if (notice.server == server) {
            notice.server = 0;
            notice.settled = Notice::Settled::Closed;
            return true;
        }
        return false;
    };
    for (auto& [id, entry] : m_open) {
        (void)close(entry.notice);
    }
    if (close(m_more)) {
        m_moreClosedAt = m_moreCount;
    }
}

void NoticeBoard::renewed() {
    m_toClose.clear();
    const auto forget = [](Notice& notice) {
        notice.server = 0;
        // What a person has closed, they have seen.
        notice.settled = notice.settled == Notice::Settled::Closed ? Notice::Settled::Closed : Notice::Settled::No;
    };
    for (auto& [id, entry] : m_open) {
        forget(entry.notice);
    }
    forget(m_more);
}

std::vector<std::uint32_t> NoticeBoard::onScreen() const {
    auto out = m_toClose;
    for (const auto& [id, entry] : m_open) {
        if (entry.notice.server != 0) {
            out.push_back(entry.notice.server);
        }
    }
    if (m_more.server != 0) {
        out.push_back(m_more.server);
    }
    return out;
}

} // namespace carrel::desktop
