// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/libvirt/libvirt_machine.h"

#include "hypervisor/libvirt/domain_operations.h"

#include <algorithm>
#include <fcntl.h>
#include <thread>

namespace carrel::hypervisor {
namespace {

constexpr std::size_t kLogTail = 32 * 1024; // holds the argument vector and what QEMU wrote after it
constexpr std::chrono::milliseconds kFirstPoll{20};
constexpr std::chrono::milliseconds kLongestPoll{200};

} // namespace

LibvirtMachine::LibvirtMachine(std::shared_ptr<VirtApi> api, MachineId id,
                               std::filesystem::path runtimeFolder, std::string definition)
    : m_api(std::move(api))
    , m_id(std::move(id))
    , m_runtimeFolder(std::move(runtimeFolder))
    , m_definition(std::move(definition))
    , m_phase(Phase::Created) {}

LibvirtMachine::LibvirtMachine(std::shared_ptr<VirtApi> api, MachineId id,
                               std::filesystem::path runtimeFolder)
    : m_api(std::move(api))
    , m_id(std::move(id))
    , m_runtimeFolder(std::move(runtimeFolder))
    , m_phase(Phase::Started) {}

Result<MachineState> LibvirtMachine::state() {
    const std::lock_guard lock(m_mutex);
    return stateLocked();
}

Result<MachineState> LibvirtMachine::stateLocked() {
    if (m_phase == Phase::Created) {
        return MachineState::Created;
    }
    if (m_phase == Phase::Ended) {
        return MachineState::Stopped;
    }
    auto live = liveState(*m_api, m_id);
    if (live && *live == MachineState::Stopped) {
        m_phase = Phase::Ended; // for good, even if somebody makes a domain of this name again
    }
    return live;
}

Status LibvirtMachine::start() {
    const std::lock_guard lock(m_mutex);
    if (m_phase != Phase::Created) {
        return fail(ErrorCode::Refused, "a machine starts once; make a new one to start it again");
    }
    auto created = m_api->createPaused(m_definition);
    if (created) {
        m_phase = Phase::Started;
        return {};
    }
    m_phase = Phase::Ended;
    Error error = created.error();
    const ExitReport report = parseExitLog(m_api->logTail(m_id.name(), kLogTail));
    if (error.code != ErrorCode::Unavailable && !report.lastLines.empty()) {
        error = Error{error.code,
                      "the machine's process said: " + report.lastLines,
                      {},
                      0,
                      std::make_shared<const Error>(std::move(error))};
        std::ranges::replace(error.message, '\n', ' ');
    }
    return fail(error.wrap("the machine did not start", created.error().hint));
}

Status LibvirtMachine::requireLive(std::string_view doing) {
    const std::lock_guard lock(m_mutex);
    auto state = stateLocked();
    if (!state) {
        return fail(state.error());
    }
    if (*state == MachineState::Paused || *state == MachineState::Running) {
        return {};
    }
    return fail(ErrorCode::Refused,
                "cannot " + std::string(doing) + " a machine that is " + std::string(toString(*state)));
}

Status LibvirtMachine::resume() {
    CARREL_TRY(requireLive("resume"));
    auto done = m_api->resume(m_id.uuid());
    // libvirt refuses to resume what runs; for us that is the state that was asked for.
    if (!done && done.error().code == ErrorCode::Refused &&
        liveState(*m_api, m_id) == MachineState::Running) {
        return {};
    }
    return done;
}

Status LibvirtMachine::pause() {
    CARREL_TRY(requireLive("pause"));
    auto done = m_api->suspend(m_id.uuid());
    if (done) {
        return done;
    }
    // One that has put itself to sleep cannot be held, and would wake by itself. No machine of ours has a reason to sleep.
    if (const auto state = m_api->state(m_id.uuid()); state && *state == DomainState::Asleep) {
        CARREL_TRY(stop());
        return fail(done.error().wrap("the machine had put itself to sleep, where it cannot be held, so it was ended"));
    }
    return done;
}

Status LibvirtMachine::stop() {
    const std::lock_guard lock(m_mutex);
    if (m_phase == Phase::Created) {
        return fail(ErrorCode::Refused, "cannot stop a machine that is created and was not started");
    }
    if (m_phase == Phase::Ended) {
        return {};
    }
    auto note = checkOwn(*m_api, m_id); // never end what is not ours
    if (note) {
        auto done = m_api->destroy(m_id.uuid());
        if (!done && done.error().code != ErrorCode::NotFound) {
            return done;
        }
    } else if (note.error().code != ErrorCode::NotFound) {
        return fail(note.error());
    }
    m_phase = Phase::Ended;
    return {};
}

Result<UniqueFd> LibvirtMachine::openChannel(ChannelId channel) {
    CARREL_TRY(requireLive("open a channel of"));
    return connectSocket(socketPath(m_runtimeFolder, channel));
}

Result<UniqueFd> LibvirtMachine::openWindow() {
    CARREL_TRY(requireLive("open the window of"));
    // Another programme of this user's might have put something else there: only a file of our own, never
    // through a link.
    UniqueFd window(
        ::open(windowPath(m_runtimeFolder).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!window) {
        return errno == ENOENT ? Machine::openWindow()
                               : Result<UniqueFd>(failErrno("opening a machine's window"));
    }
    return window;
}

Result<bool> LibvirtMachine::waitStopped(std::chrono::milliseconds patience) {
    // libvirt's events would need an event loop for the whole process; asking a few times a second does not.
    const auto until = std::chrono::steady_clock::now() + patience;
    for (auto nap = kFirstPoll;; nap = std::min(nap * 2, kLongestPoll)) {
        auto now = state();
        if (!now) {
            return fail(now.error());
        }
        if (*now == MachineState::Stopped) {
            return true;
        }
        const auto left = until - std::chrono::steady_clock::now();
        if (left <= std::chrono::steady_clock::duration::zero()) {
            return false;
        }
        std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(nap, left));
    }
}

Result<Activity> LibvirtMachine::activity() {
    CARREL_TRY(requireLive("watch"));
    auto time = m_api->cpuTime(m_id.uuid());
    if (!time) {
        return fail(time.error());
    }
    return Activity{*time};
}

Result<ExitReport> LibvirtMachine::exitReport() {
    const std::lock_guard lock(m_mutex);
    auto state = stateLocked();
    if (!state) {
        return fail(state.error());
    }
    if (*state != MachineState::Stopped) {
        return fail(ErrorCode::Refused, "the machine has not ended");
    }
    return parseExitLog(m_api->logTail(m_id.name(), kLogTail));
}

} // namespace carrel::hypervisor
