// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/retry_policy.h"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <ctime>
#include <mutex>

namespace carrel::agent {

namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kMostSeconds = 366ULL * 24 * 3600; // more than that is no time that anybody waits

std::optional<std::uint64_t> wholeNumber(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || text.empty()) {
        return std::nullopt;
    }
    const auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
    if (rest.starts_with('.') && rest.find_first_not_of("0123456789", 1) == std::string_view::npos) {
        return value + 1; // "1.5": some say it so
    }
    return rest.empty() ? std::optional(value) : std::nullopt;
}

// IMF-fixdate, the one form that may be sent (RFC 9110, section 5.6.7).
std::optional<std::int64_t> secondsOf(std::string_view date) {
    std::tm time{};
    const std::string text(date);
    const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time);
    if (end == nullptr || *end != '\0') {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(::timegm(&time));
}

} // namespace

RetryPolicy::RetryPolicy(std::function<double()> chance, RetryRules rules)
    : m_chance(std::move(chance))
    , m_rules(rules) {}

std::optional<milliseconds> RetryPolicy::waitBefore(const TurnFailure& failure, unsigned before) const {
    unsigned most = 0;
    switch (failure.kind) {
    case FailureKind::Busy:
    case FailureKind::Dropped:
        most = m_rules.again;
        break;
    case FailureKind::NoConnection:
        most = m_rules.noConnection;
        break;
    case FailureKind::Malformed:
        most = m_rules.malformed;
        break;
    case FailureKind::Empty:
        most = m_rules.empty;
        break;
    case FailureKind::NoSuchHost:
    case FailureKind::Rejected:
    case FailureKind::TooMuch:
    case FailureKind::Cancelled:
        break;
    }
    if (before >= most) {
        return std::nullopt;
    }
    const auto doubled = std::min(m_rules.most, m_rules.first * (std::int64_t{1} << std::min(before, 20U)));
    const double chance = std::clamp(m_chance(), 0.0, 1.0);
    const auto ownWait = milliseconds(static_cast<std::int64_t>(static_cast<double>(doubled.count()) * (0.5 + chance / 2)));
    if (!failure.retryAfter) {
        return ownWait;
    }
    if (*failure.retryAfter > m_rules.mostAsked) {
        return std::nullopt;
    }
    // Never sooner than asked, and not all at the same moment.
    return std::max(ownWait, *failure.retryAfter + milliseconds(static_cast<std::int64_t>(chance * 1'000)));
}

Waited ClockWaiter::wait(milliseconds time, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    (void)wake.wait_until(lock, stop, std::chrono::steady_clock::now() + time, [] { return false; });
    return stop.stop_requested() ? Waited::Stopped : Waited::Whole;
}

std::optional<milliseconds> retryAfter(std::string_view after, std::string_view afterMs, std::string_view date) {
    if (const auto exact = wholeNumber(afterMs); exact && *exact <= kMostSeconds * 1'000) {
        return milliseconds(*exact);
    }
    if (const auto seconds = wholeNumber(after)) {
        return milliseconds(std::min(*seconds, kMostSeconds) * 1'000);
    }
    const auto until = secondsOf(after);
    const auto now = secondsOf(date);
    if (until && now) {
        return milliseconds(std::clamp<std::int64_t>(*until - *now, 0, static_cast<std::int64_t>(kMostSeconds)) * 1'000);
    }
    return std::nullopt;
}

} // namespace carrel::agent
