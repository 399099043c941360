// SPDX-License-Identifier: Apache-2.0
// What the parts of ActivityLog share: its database, its newest event, its lock. Private to app/activity.
// Thread: `mutex` is held around everything.
#pragma once

#include "app/activity/activity_log.h"
#include "app/activity/event_rows.h"
#include "guest/protocol/unique_fd.h"

#include <condition_variable>
#include <functional>
#include <mutex>

namespace carrel::activity {

struct ActivityLog::Impl {
    Impl(Database opened, UniqueFd held)
        : database(std::move(opened))
        , lock(std::move(held)) {}

    Database database;
    UniqueFd lock;
    std::optional<EventWriter> writer; // of the database, so gone before it
    mutable std::mutex mutex;
    std::condition_variable_any grown;
    Head head;
    LogId id{};
    std::shared_ptr<const SigningKey> key;

    [[nodiscard]] Status read(); // id and head
    // As `head`'s successor: `head` itself stays as it is until the caller says that it is written for good.
    [[nodiscard]] Result<Recorded> insert(const Head& after, Event event);
    // All of it or nothing, durable when this returns. `what` inserts events after `last` and moves that on.
    [[nodiscard]] Status together(const std::function<Status(Head& last)>& what);
    [[nodiscard]] Result<std::optional<SignedHead>> newestSigned();
    [[nodiscard]] Status indexWords(); // all events that are not yet
    [[nodiscard]] Status addEvent(Head& last, Event event);
};

[[nodiscard]] std::int64_t nowNs(); // since 1970 UTC

} // namespace carrel::activity
