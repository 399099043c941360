// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/fake/fake_backend.h"

#include <sys/socket.h>
#include <sys/stat.h>

namespace carrel::hypervisor {

class FakeMachine final : public Machine {
public:
    FakeMachine(std::shared_ptr<FakeWorld> world, std::shared_ptr<FakeDomain> domain)
        : m_world(std::move(world))
        , m_domain(std::move(domain))
        , m_id(m_domain->spec.id) {}

    const MachineId& id() const override { return m_id; }

    Result<MachineState> state() override {
        const std::lock_guard lock(m_world->m_mutex);
        return m_domain->state;
    }

    Status start() override {
        const std::lock_guard lock(m_world->m_mutex);
        if (m_domain->state != MachineState::Created) {
            return fail(ErrorCode::Refused, "a machine starts once; make a new one to start it again");
        }
        if (m_world->m_nextStart) {
            m_domain->state = MachineState::Stopped;
            m_domain->exit = {ExitReason::Failed, m_world->m_nextStart->message};
            Error error = std::move(*m_world->m_nextStart);
            m_world->m_nextStart.reset();
            return fail(std::move(error));
        }
        m_domain->state = MachineState::Paused;
        m_world->m_live[m_id] = m_domain;
        return {};
    }

    Status resume() override {
        CARREL_TRY(m_world->mayCall(m_id, FakeCall::Resume));
        const std::lock_guard lock(m_world->m_mutex);
        CARREL_TRY(requireLive("resume"));
        m_domain->state = MachineState::Running;
        m_world->printLocked(*m_domain);
        return {};
    }

    Status pause() override {
        CARREL_TRY(m_world->mayCall(m_id, FakeCall::Pause));
        const std::lock_guard lock(m_world->m_mutex);
        CARREL_TRY(requireLive("pause"));
        m_domain->state = MachineState::Paused;
        return {};
    }

    Status stop() override {
        const std::lock_guard lock(m_world->m_mutex);
        if (m_domain->state == MachineState::Created) {
            return fail(ErrorCode::Refused, "cannot stop a machine that is created and was not started");
        }
        if (m_domain->state != MachineState::Stopped) {
            m_world->endLocked(*m_domain, ExitReason::Destroyed, {});
        }
        return {};
    }

    Result<UniqueFd> openChannel(ChannelId channel) override {
        const std::lock_guard lock(m_world->m_mutex);
        CARREL_TRY(requireLive("open a channel of"));
        if (m_world->m_nextOpen) {
            Error error = std::move(*m_world->m_nextOpen);
            m_world->m_nextOpen.reset();
            return fail(std::move(error));
        }
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
            return failErrno("cannot make a channel");
        }
        m_domain->guestEnds[channel] = UniqueFd(ends[1]);
        return UniqueFd(ends[0]);
    }

    Result<bool> waitStopped(std::chrono::milliseconds patience) override {
        std::unique_lock lock(m_world->m_mutex);
        return m_world->m_ended.wait_for(lock, patience,
                                         [this] { return m_domain->state == MachineState::Stopped; });
    }

    Result<Activity> activity() override {
        const std::lock_guard lock(m_world->m_mutex);
        CARREL_TRY(requireLive("watch"));
        ++m_world->m_looks[m_id];
        if (m_domain->state == MachineState::Running && !m_world->m_stalled.contains(m_id)) {
            m_domain->cpuTime += std::chrono::milliseconds(1);
        }
        if (m_domain->state == MachineState::Paused && m_world->m_runsOn.contains(m_id)) {
            m_domain->cpuTime += std::chrono::seconds(1);
        }
        return Activity{m_domain->cpuTime};
    }

    Result<ExitReport> exitReport() override {
        const std::lock_guard lock(m_world->m_mutex);
        if (m_domain->state != MachineState::Stopped) {
            return fail(ErrorCode::Refused, "the machine has not ended");
        }
        return m_domain->exit;
    }

private:
    Status requireLive(std::string_view doing) const {
        if (m_domain->state == MachineState::Paused || m_domain->state == MachineState::Running) {
            return {};
        }
        return fail(ErrorCode::Refused, "cannot " + std::string(doing) + " a machine that is " +
                                            std::string(toString(m_domain->state)));
    }

    const std::shared_ptr<FakeWorld> m_world;
    const std::shared_ptr<FakeDomain> m_domain;
    const MachineId m_id;
};

class FakeBackend final : public Backend {
public:
    explicit FakeBackend(std::shared_ptr<FakeWorld> world)
        : m_world(std::move(world)) {}

    std::string_view name() const override { return "fake"; }
    Capabilities capabilities() const override { return {.adopt = true, .software = true}; }

    Result<HostReport> checkHost(const HostProbe& probe, const Progress& progress,
                                 std::stop_token stop) override {
        if (stop.stop_requested()) {
            return fail(ErrorCode::Cancelled, "the check of this host was cancelled");
        }
        if (progress) {
            progress("looking at a host that is not there");
        }
        HostReport report;
        report.hypervisorVersion = "fake";
        const std::lock_guard lock(m_world->m_mutex);
        for (const Accelerator accelerator : {Accelerator::Hardware, Accelerator::Software}) {
            const bool asked =
                probe.choice == AcceleratorChoice::Automatic ||
                (probe.choice == AcceleratorChoice::Hardware) == (accelerator == Accelerator::Hardware);
            const bool works = !m_world->m_guests.contains(accelerator) ||
                               m_world->m_guests.at(accelerator) == FakeGuest::AnswersProbe;
            report.probes.push_back({.accelerator = accelerator, .answered = works});
            if (asked && works && !report.accelerator) {
                report.accelerator = accelerator;
                report.reason = "the test said so";
            }
        }
        return report;
    }

    Result<std::unique_ptr<Machine>> create(const MachineSpec& spec) override {
        CARREL_TRY(validate(spec));
        {
            const std::lock_guard lock(m_world->m_mutex);
            if (m_world->m_live.contains(spec.id)) {
                return fail(ErrorCode::AlreadyExists, "this agent's machine runs already");
            }
        }
        if (::mkdir(spec.runtimeFolder.c_str(), 0700) != 0 && errno != EEXIST) {
            return failErrno("cannot make the machine's folder " + spec.runtimeFolder.native());
        }
        auto domain = std::make_shared<FakeDomain>(FakeDomain{.spec = spec});
        return std::make_unique<FakeMachine>(m_world, std::move(domain));
    }

    Result<std::vector<std::unique_ptr<Machine>>> adopt(const HomeId& home) override {
        const std::lock_guard lock(m_world->m_mutex);
        std::vector<std::unique_ptr<Machine>> machines;
        for (const auto& [id, domain] : m_world->m_live) {
            if (id.home == home) {
                machines.push_back(std::make_unique<FakeMachine>(m_world, domain));
            }
        }
        return machines;
    }

private:
    const std::shared_ptr<FakeWorld> m_world;
};

void FakeWorld::setGuest(Accelerator accelerator, FakeGuest guest) {
    const std::lock_guard lock(m_mutex);
    m_guests[accelerator] = guest;
}

void FakeWorld::failNextStart(Error error) {
    const std::lock_guard lock(m_mutex);
    m_nextStart = std::move(error);
}

void FakeWorld::failNextOpen(Error error) {
    const std::lock_guard lock(m_mutex);
    m_nextOpen = std::move(error);
}

void FakeWorld::before(const MachineId& id, FakeCall call, std::function<Status()> what) {
    const std::lock_guard lock(m_mutex);
    m_before[{id, call}] = std::move(what);
}

Status FakeWorld::mayCall(const MachineId& id, FakeCall call) {
    std::function<Status()> what;
    {
        const std::lock_guard lock(m_mutex);
        if (const auto known = m_before.find({id, call}); known != m_before.end()) {
            what = known->second;
        }
    }
    return what ? what() : Status{};
}

void FakeWorld::stall(const MachineId& id) {
    const std::lock_guard lock(m_mutex);
    m_stalled[id] = true;
}

int FakeWorld::looks(const MachineId& id) const {
    const std::lock_guard lock(m_mutex);
    const auto found = m_looks.find(id);
    return found == m_looks.end() ? 0 : found->second;
}

void FakeWorld::runOn(const MachineId& id) {
    const std::lock_guard lock(m_mutex);
    m_runsOn[id] = true;
}

Result<UniqueFd> FakeWorld::takeGuestEnd(const MachineId& id, ChannelId channel) {
    const std::lock_guard lock(m_mutex);
    const auto live = m_live.find(id);
    if (live == m_live.end() || !live->second->guestEnds.contains(channel)) {
        return fail(ErrorCode::NotFound, "nobody is connected to that channel");
    }
    UniqueFd end = std::move(live->second->guestEnds.at(channel));
    live->second->guestEnds.erase(channel);
    return end;
}

Status FakeWorld::end(const MachineId& id, ExitReason reason, std::string lastLines) {
    const std::lock_guard lock(m_mutex);
    const auto live = m_live.find(id);
    if (live == m_live.end()) {
        return fail(ErrorCode::NotFound, "no such machine");
    }
    const auto domain = live->second;
    endLocked(*domain, reason, std::move(lastLines));
    return {};
}

Result<MachineState> FakeWorld::stateOf(const MachineId& id) const {
    const std::lock_guard lock(m_mutex);
    const auto live = m_live.find(id);
    if (live == m_live.end()) {
        return fail(ErrorCode::NotFound, "no such machine");
    }
    return live->second->state;
}

Result<MachineSpec> FakeWorld::specOf(const MachineId& id) const {
    const std::lock_guard lock(m_mutex);
    const auto live = m_live.find(id);
    if (live == m_live.end()) {
        return fail(ErrorCode::NotFound, "no such machine");
    }
    return live->second->spec;
}

void FakeWorld::endLocked(FakeDomain& domain, ExitReason reason, std::string lastLines) {
    domain.state = MachineState::Stopped;
    domain.exit = {reason, std::move(lastLines)};
    domain.guestEnds.clear();
    m_stalled.erase(domain.spec.id);
    m_live.erase(domain.spec.id);
    m_ended.notify_all();
}

void FakeWorld::printLocked(FakeDomain& domain) {
    const auto guest = m_guests.find(domain.spec.accelerator);
    const bool silent = guest != m_guests.end() && guest->second == FakeGuest::Silent;
    const auto console = domain.guestEnds.find(ChannelId::Console);
    if (silent || domain.printed || console == domain.guestEnds.end()) {
        return;
    }
    domain.printed = true;
    const std::string text = "Linux version 6.1.0 (fake)\n" + std::string(kProbeAnswer) + "\n";
    // A socket pair takes this much at once; a test that closed its end must not get SIGPIPE.
    [[maybe_unused]] const auto sent = ::send(console->second.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

std::unique_ptr<Backend> makeFakeBackend(std::shared_ptr<FakeWorld> world) {
    return std::make_unique<FakeBackend>(std::move(world));
}

} // namespace carrel::hypervisor
