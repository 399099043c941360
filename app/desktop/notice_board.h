// SPDX-License-Identifier: Apache-2.0
// Which notifications there should be, and what to do next so that there are: the logic, without a bus and without a clock.
//
// So that an agent cannot wear a person down with them:
//   - one a request, Limits::atOnce of them at most, high risk first; the others are counted in one more
//   - Limits::newPerMinute at most appear anew in a minute; a request that is over before its turn never appears
//   - what changes is replaced where it is, once in Limits::replaceEvery at most
//   - what a person has closed stays closed, unless the request has become one of high risk since
// An alarm comes before all of them and within no limit: there is one of each agent at most, and the next only when a person has let
// that agent go on.
// Thread: one at a time. `nowMs` is of a steady clock.
#pragma once

#include "app/desktop/notice_words.h"

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace carrel::desktop {

class NoticeBoard {
public:
    struct Limits {
        std::size_t atOnce = 3;
        std::size_t newPerMinute = 6;
        std::chrono::milliseconds replaceEvery{15'000};
        std::size_t known = 1024; // open requests; the queue's own limits are far below
    };
    explicit NoticeBoard(Limits limits);

    void open(const Waiting& waiting);
    void close(std::uint64_t id);

    static constexpr std::uint64_t kMore = 0; // the key of the one that counts; no request has the number
    struct Step {
        enum class Kind { Show, Close } kind = Kind::Show;
        std::uint64_t key = 0;    // Show
        std::uint32_t server = 0; // the server's number: to close, or to replace (0: a new one)
        NoticeWords words;        // Show
        std::uint64_t revision = 0; // Show: of the question that they are of
    };
    // What to do now; none: nothing. After a Show, shown() or failed() must follow before the next call; open() and close()
    // may come between.
    [[nodiscard]] std::optional<Step> next(std::int64_t nowMs);
    // When next() will have something although nothing is opened or closed; none: never.
    [[nodiscard]] std::optional<std::int64_t> due() const { return m_due; }

    void shown(const Step& step, std::uint32_t server, std::int64_t nowMs);
    void failed(const Step& step);             // not tried again before it changes, or renewed()
    void closedByServer(std::uint32_t server); // the person has, or its time was over
    void renewed();                            // another server, that knows of nothing
    [[nodiscard]] std::vector<std::uint32_t> onScreen() const; // the server's numbers

private:
    struct Notice {
        std::uint32_t server = 0; // 0: not on the screen
        enum class Settled { No, Closed, Failed } settled = Settled::No; // why it is not
        NoticeWords words;        // as last shown
        std::uint64_t revision = 0;
        std::int64_t atMs = 0;
    };
    struct Entry {
        Waiting waiting;
        Notice notice;
    };
    [[nodiscard]] Notice* noticeOf(std::uint64_t key);
    [[nodiscard]] bool wanted(const Entry& entry) const; // on the screen, and is not
    [[nodiscard]] bool mayAppear(std::int64_t nowMs);
    [[nodiscard]] bool mayReplace(const Notice& notice, std::int64_t nowMs);
    void later(std::int64_t atMs);
    [[nodiscard]] std::optional<Step> more(std::size_t count, std::size_t high, std::int64_t nowMs);

    const Limits m_limits;
    std::map<std::uint64_t, Entry> m_open;
    Notice m_more;
    std::size_t m_moreClosedAt = 0; // how many it had counted when it was closed
    std::size_t m_moreCount = 0;
    std::vector<std::uint32_t> m_toClose;
    std::deque<std::int64_t> m_appeared; // when, in the last minute
    std::optional<std::int64_t> m_due;
};

} // namespace carrel::desktop
