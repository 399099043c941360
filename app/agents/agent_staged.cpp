// SPDX-License-Identifier: Apache-2.0
// Finding out that something is staged. guestd says so, at most once a second; what it says between two clerks is lost, so
// as long as somebody watches the list is asked for now and then as well. Both are in a guest's hand, so neither makes the
// host work more often than the bounds below say.
#include "app/agents/agent.h"
#include "app/files/sha256.h"

#include <algorithm>
#include <chrono>

namespace carrel::agents {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kWatchPeriod{2};        // asked that often while somebody watches
constexpr std::chrono::milliseconds kWatchLeast{1000}; // and never told more often than that
constexpr int kWatchShare = 4; // of the time at most a quarter goes into listing and copying
constexpr std::chrono::seconds kLookPatience{10};

} // namespace

std::string Agent::markOf(const std::vector<ChangeEntry>& entries) {
    files::Sha256Hasher hash;
    const auto add = [&](std::string_view text) {
        const auto size = static_cast<std::uint64_t>(text.size());
        hash.add(asBytes(std::string_view(reinterpret_cast<const char*>(&size), sizeof size)));
        hash.add(asBytes(text));
    };
    for (const auto& entry : entries) {
        add(entry.path.text());
        add(entry.from ? entry.from->text() : std::string());
        add(std::string(toString(entry.kind)) + " " + std::to_string(entry.generation) + " " +
            std::to_string(entry.size) + " " + std::to_string(entry.mode));
    }
    return hash.finish().hex();
}

// None: it cannot be said at the moment.
std::optional<Agent::StagedState> Agent::lookStaged(std::stop_token stop) {
    const std::unique_lock operation(m_operation, std::try_to_lock);
    if (!operation) {
        return std::nullopt; // whatever is under way, it is looked at after it
    }
    const auto at = readyDoor();
    if (!at) {
        return StagedState{isPaused() ? "paused" : "stopped", false};
    }
    std::string all;
    for (const auto& share : record().shares) {
        if (share.mode == ShareMode::ReadOnly) {
            continue;
        }
        const auto entries = listChanges(**at, share, stop, kLookPatience, IfBetween::GiveUp);
        if (!entries) {
            if (entries.error().code == ErrorCode::NotFound && failureOf(share.id)) {
                all += std::to_string(share.id) + " not there\n"; // the others are watched all the same
                continue;
            }
            if (entries.error().code == ErrorCode::LimitExceeded ||
                entries.error().code == ErrorCode::Malformed) {
                return StagedState{"unreadable", true}; // the list itself will say why
            }
            return std::nullopt;
        }
        all += std::to_string(share.id) + " " + markOf(*entries) + "\n";
    }
    return StagedState{files::Sha256::of(all).hex(), true};
}

std::uint64_t Agent::countStaged(std::stop_token stop) {
    const std::lock_guard operation(m_operation);
    const auto at = readyDoor();
    std::uint64_t all = 0;
    for (const auto& share : record().shares) {
        if (share.mode == ShareMode::ReadOnly) {
            continue;
        }
        const auto entries = at ? listChanges(**at, share, stop, kLookPatience, IfBetween::GiveUp) : fail(at.error());
        all += entries ? entries->size() : share.staged;
    }
    return all;
}

Result<Agent::StagedState> Agent::waitStaged(const std::string& known, std::stop_token stop) {
    const std::stop_callback wake(stop, [this] {
        const std::lock_guard lock(m_mutex);
        m_wake.notify_all();
    });
    const auto pause = [&](std::chrono::milliseconds most, std::optional<std::uint64_t> touched) {
        std::unique_lock lock(m_mutex);
        m_wake.wait_for(lock, most,
                        [&] { return stop.stop_requested() || (touched && m_touched != *touched); });
        return m_touched;
    };
    std::chrono::milliseconds least{0};
    if (!known.empty()) {
        const std::lock_guard lock(m_mutex);
        least = std::max(kWatchLeast, kWatchShare * m_listTook);
    }
    auto touched = pause(least, std::nullopt);
    while (!stop.stop_requested()) {
        std::error_code error;
        if (!std::filesystem::exists(file("agent.json"), error)) {
            return fail(ErrorCode::NotFound, "the agent was deleted");
        }
        if (auto now = lookStaged(stop); now && now->mark != known) {
            return *now;
        }
        touched = pause(kWatchPeriod, touched);
        (void)pause(kWatchLeast, std::nullopt);
    }
    return fail(ErrorCode::Cancelled, "nobody watches any more");
}

} // namespace carrel::agents
