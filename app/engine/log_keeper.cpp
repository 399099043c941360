// SPDX-License-Identifier: Apache-2.0
#include "app/engine/log_keeper.h"

#include "app/agents/agent_record.h"
#include "app/agents/review_book.h"
#include "app/files/durable_file.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace carrel::engine {

namespace json = boost::json;
using activity::ActivityLog;

namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxFileBytes = 4096;
constexpr std::int64_t kNsOfS = 1'000'000'000;

std::filesystem::path limitsFile(const std::filesystem::path& folder) {
    return folder / "log-limits.json";
}

std::int64_t nowNs() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Status check(const LogLimits& limits) {
    if (limits.bytes != 0 && (limits.bytes < kLeastLogBytes || limits.bytes > kMostLogBytes)) {
        return fail(ErrorCode::InvalidArgument, "a log can be limited to 1 MiB and more", "Write for example 500MiB, or none.");
    }
    if (limits.ageS != 0 && (limits.ageS < kLeastLogAgeS || limits.ageS > kMostLogAgeS)) {
        return fail(ErrorCode::InvalidArgument, "a log can be limited to one day and more, up to 100 years", "Write for example 365d, or none.");
    }
    return {};
}

} // namespace

LogKeeper::LogKeeper(Setup setup)
    : m_setup(std::move(setup)) {
    m_thread = std::jthread([this](const std::stop_token& stop) {
        std::unique_lock lock(m_waitMutex);
        while (!m_wait.wait_for(lock, stop, m_setup.interval, [&] { return stop.stop_requested(); })) {
            lock.unlock();
            lookAfterAll();
            lock.lock();
        }
    });
}

LogKeeper::~LogKeeper() {
    m_thread.request_stop();
    m_thread.join();
}

Result<std::shared_ptr<const activity::SigningKey>> LogKeeper::key() {
    const std::lock_guard lock(m_keyMutex);
    if (m_key) {
        return m_key;
    }
    auto kept = m_setup.keeper->load();
    if (!kept) {
        return fail(std::move(kept).error());
    }
    if (!*kept) {
        auto made = policy::newSealKey();
        if (!made) {
            return fail(std::move(made).error());
        }
        *kept = policy::SealKeeper::Kept{*made, 0};
        CARREL_TRY(m_setup.keeper->keep(**kept));
    }
    auto key = activity::SigningKey::fromSeed((*kept)->key.bytes);
    if (!key) {
        return fail(std::move(key).error());
    }
    m_key = std::make_shared<const activity::SigningKey>(std::move(*key));
    return m_key;
}

Result<activity::PublicKey> LogKeeper::publicKey() {
    auto mine = key();
    if (!mine) {
        return fail(std::move(mine).error());
    }
    return (*mine)->publicKey();
}

Result<activity::SignedHead> LogKeeper::sign(ActivityLog& log, std::string_view reason) {
    auto mine = key();
    if (!mine) {
        return fail(std::move(mine).error());
    }
    log.signWith(*mine);
    return log.signHead(reason);
}

Result<LogLimits> LogKeeper::limitsOf(const std::filesystem::path& folder) {
    std::error_code error;
    if (!std::filesystem::exists(limitsFile(folder), error)) {
        return LogLimits{};
    }
    auto text = files::readWhole(limitsFile(folder), kMaxFileBytes);
    if (!text) {
        return fail(std::move(text).error());
    }
    const auto broken = [&] {
        return Error{ErrorCode::Malformed, "How long an agent's log is kept cannot be read in " + limitsFile(folder).string(),
                     "Set it anew with \"carrel log keep\". Everything is kept until then", 0, nullptr};
    };
    auto object = parseJsonObject(*text, JsonLimits{kMaxFileBytes, 4});
    if (!object) {
        return fail(broken());
    }
    JsonFields fields(*object, "log limits");
    const auto version = fields.number("version", 1);
    LogLimits limits{fields.number("bytes", kMostLogBytes), fields.number("age_s", kMostLogAgeS)};
    if (!fields.finish() || version != kVersion || !check(limits)) {
        return fail(broken());
    }
    return limits;
}

Status LogKeeper::setLimits(const Kept& of, const LogLimits& limits) {
    CARREL_TRY(check(limits));
    activity::Event event;
    event.kind = activity::EventKind::LogKept;
    event.detail = {{"bytes", limits.bytes}, {"age_s", limits.ageS}, {"by", agents::kByOwner}};
    if (auto written = of.log->append(std::move(event)); !written) {
        return fail(std::move(written).error());
    }
    CARREL_TRY(files::replaceDurably(limitsFile(of.folder), json::serialize(json::object{{"version", kVersion}, {"bytes", limits.bytes}, {"age_s", limits.ageS}})));
    return shorten(of, limits);
}

Status LogKeeper::shorten(const Kept& of, const LogLimits& limits) {
    std::uint64_t upTo = 0;
    if (limits.ageS != 0) {
        auto old = of.log->lastBefore(nowNs() - static_cast<std::int64_t>(limits.ageS) * kNsOfS);
        if (!old) {
            return fail(std::move(old).error());
        }
        upTo = *old;
    }
    if (limits.bytes != 0) {
        auto surplus = of.log->lastToFit(limits.bytes);
        if (!surplus) {
            return fail(std::move(surplus).error());
        }
        upTo = std::max(upTo, *surplus);
    }
    const auto newest = of.log->head().seq;
    upTo = newest == 0 ? 0 : std::min(upTo, newest - 1);
    if (upTo == 0) {
        return {};
    }
    auto mine = key();
    if (!mine) {
        return fail(std::move(mine).error());
    }
    of.log->signWith(*mine);
    return of.log->cut(upTo);
}

void LogKeeper::lookAfterAll() {
    bool good = true;
    const auto told = [&](const Error& error) {
        good = false;
        complainOnce(error);
    };
    for (const auto& each : m_setup.logs()) {
        if (const auto limits = limitsOf(each.folder); !limits) {
            told(limits.error());
        } else if (auto shorter = shorten(each, *limits); !shorter) {
            told(shorter.error());
        }
        if (auto indexed = each.log->indexWords(); !indexed) { // so that a search need not wait for it
            told(indexed.error());
        }
        const auto newest = each.log->newestSignedHead();
        const auto head = each.log->head();
        if (head.seq == 0 || (newest && *newest && (*newest)->seq == head.seq)) {
            continue;
        }
        if (auto done = sign(*each.log, "interval"); !done) {
            told(done.error());
        }
    }
    if (good) {
        const std::lock_guard lock(m_complaintMutex);
        m_complained.clear();
    }
}

void LogKeeper::complainOnce(const Error& error) {
    const auto text = error.text();
    const std::lock_guard lock(m_complaintMutex);
    if (text != m_complained) {
        m_complained = text;
        m_setup.complain(error.wrap("an agent's log was not looked after").text());
    }
}

} // namespace carrel::engine
