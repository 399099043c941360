// SPDX-License-Identifier: Apache-2.0
// An agent's way to the network: the owner's word about it, and what goes on there.
#include "app/agents/agent.h"

#include "app/egress/forwards.h"
#include "app/egress/forwards_left.h"

namespace carrel::agents {

using activity::EventKind;
using egress::NetMode;

static bool givesMore(NetMode from, NetMode to) {
    return (from == NetMode::Offline && to != NetMode::Offline) || (from == NetMode::Allowlist && to == NetMode::Ask);
}

NetMode Agent::network() const {
    const std::lock_guard lock(m_mutex);
    return m_record.network;
}

Status Agent::setNetwork(NetMode mode) {
    const boost::json::object detail{{"by", kByOwner}};
    if (mode == NetMode::Offline) { // also where it is so already: it is said to stop what goes on
        if (const auto network = running()) {
            (*network)->forwards().closeAll("The owner said that the agent has no network");
        }
    }
    const std::lock_guard writing(m_recordMutex);
    auto next = record();
    const auto before = std::exchange(next.network, mode);
    if (before == mode) {
        return {};
    }
    return take(next, givesMore(before, mode) ? Gives::More : Gives::Less, {EventKind::NetMode, activity::Provenance::Host, std::string(toString(mode)), detail},
                [mode](egress::Egress& network) { network.setMode(mode); });
}

// m_recordMutex is held: nobody else changes the record meanwhile.
Status Agent::take(const AgentRecord& next, Gives gives, activity::Event event, const std::function<void(egress::Egress&)>& tell) {
    const auto counts = [&] {
        std::shared_ptr<egress::Egress> network;
        {
            const std::lock_guard lock(m_mutex);
            m_record.network = next.network;
            m_record.limits = next.limits;
            m_record.provider = next.provider;
            m_record.programSettings = next.programSettings;
            network = m_network;
        }
        if (network) {
            tell(*network);
        }
    };
    Status saved;
    if (gives == Gives::More) {
        CARREL_TRY(note(event.kind, std::move(event.subject), std::move(event.detail)));
        CARREL_TRY(agents::save(next, file("agent.json")));
        counts();
    } else {
        counts(); // first of all
        (void)noteOwing(event.kind, std::move(event.subject), std::move(event.detail));
        saved = agents::save(next, file("agent.json"));
        if (!saved) {
            const std::lock_guard lock(m_mutex);
            m_owesRecord = true;
        }
    }
    tellChanged();
    return saved ? Status() : fail(saved.error().wrap("It counts from now on, but could not be kept for the next start of Carrel",
                                                      "Make room on the disk, then say it again"));
}

Status Agent::setLimits(std::optional<std::uint64_t> rate, std::optional<std::uint64_t> day) {
    const std::lock_guard writing(m_recordMutex);
    auto next = record();
    const auto before = next.limits;
    next.limits = {rate.value_or(before.rate), day.value_or(before.day)};
    CARREL_TRY(check(next.limits));
    if (next.limits == before) {
        return {};
    }
    const boost::json::object detail{{"by", kByOwner}, {"rate", next.limits.rate}, {"day", next.limits.day}};
    const auto lifts = [](std::uint64_t from, std::uint64_t to) { return from != 0 && (to == 0 || to > from); };
    const bool more = lifts(before.rate, next.limits.rate) || lifts(before.day, next.limits.day);
    return take(next, more ? Gives::More : Gives::Less, {EventKind::NetLimit, activity::Provenance::Host, egress::limitsText(next.limits), detail},
                [limits = next.limits](egress::Egress& network) { network.setLimits(limits); });
}

std::string Agent::provider() const {
    const std::lock_guard lock(m_mutex);
    return m_record.provider;
}

Status Agent::setProvider(const std::string& provider) {
    const std::lock_guard writing(m_recordMutex);
    auto next = record();
    const auto before = std::exchange(next.provider, provider);
    if (before == provider) {
        return {};
    }
    const boost::json::object detail{{"by", kByOwner}, {"before", before}};
    return take(next, provider.empty() ? Gives::Less : Gives::More, {EventKind::ProviderChosen, activity::Provenance::Host, provider, detail},
                [](egress::Egress& network) { network.modelsChanged(); });
}

Agent::LimitsNow Agent::limitsNow() {
    std::shared_ptr<egress::Egress> network;
    LimitsNow out;
    {
        const std::lock_guard lock(m_mutex);
        network = m_network;
        out.limits = m_record.limits;
    }
    out.used = network ? network->usedToday() : volume()->used();
    return out;
}

std::shared_ptr<egress::DayVolume> Agent::volume() {
    const std::lock_guard lock(m_mutex);
    if (!m_volume) {
        m_volume = std::make_shared<egress::DayVolume>(file("volume.json"));
    }
    return m_volume;
}

std::optional<std::chrono::nanoseconds> Agent::processorTime() const {
    std::shared_ptr<hypervisor::Machine> machine;
    {
        const std::lock_guard lock(m_mutex);
        machine = m_machine;
    }
    const auto activity = machine ? machine->activity() : Result<hypervisor::Activity>(fail(ErrorCode::Unavailable, "it does not run"));
    return activity ? std::optional(activity->cpuTime) : std::nullopt;
}

Agent::NetworkNow Agent::networkNow() const {
    std::shared_ptr<egress::Egress> network;
    {
        const std::lock_guard lock(m_mutex);
        network = m_network;
    }
    return network ? NetworkNow{network->live(), network->waiting()} : NetworkNow{};
}

// As all that only takes something away: it goes ahead, and is written down later where it cannot be now.
Result<egress::LiveConnection> Agent::cutConnection(std::uint64_t number) {
    std::shared_ptr<egress::Egress> network;
    {
        const std::lock_guard lock(m_mutex);
        network = m_network;
    }
    auto was = network ? network->cut(number) : fail(ErrorCode::NotFound, "the machine does not run, so nothing of it is connected");
    if (!was) {
        return fail(was.error().wrap("There is no connection " + std::to_string(number) + " of the agent " + name() + " to cut",
                                     "See what is connected now: carrel net live " + name()));
    }
    (void)noteOwing(EventKind::NetCut, was->to.text(),
                    {{"by", kByOwner}, {"number", number}, {"sent", was->bytes.sent}, {"received", was->bytes.received}});
    return was;
}

Result<std::shared_ptr<egress::Egress>> Agent::running() const {
    const std::lock_guard lock(m_mutex);
    if (!m_network) {
        return fail(ErrorCode::Unavailable, "the agent " + m_record.name + " does not run", "Start it first: carrel start " + m_record.name);
    }
    return m_network;
}

void Agent::closeForwardsLeft() {
    auto left = egress::forwardsLeftOpen(*m_log);
    if (!left) {
        m_services.complain(name() + ": " + left.error().wrap("what was shown in a browser could not be looked for in the log").text());
        return;
    }
    for (auto& each : *left) { // where one cannot be written, the next start finds it
        noteAfter(each.kind, std::move(each.subject), std::move(each.detail));
    }
}

void Agent::silenceNetwork() {
    std::shared_ptr<egress::Egress> network;
    {
        const std::lock_guard lock(m_mutex);
        network = m_network;
    }
    if (network) {
        network->setMode(NetMode::Offline);
    }
}

// It may have been changed since openNetwork() looked, or have been silenced.
void Agent::settleNetwork() {
    const std::lock_guard writing(m_recordMutex);
    std::shared_ptr<egress::Egress> network;
    NetMode mode{};
    egress::Limits limits;
    {
        const std::lock_guard lock(m_mutex);
        network = m_network;
        mode = m_record.network;
        limits = m_record.limits;
    }
    if (network) {
        network->setMode(mode);
        network->setLimits(limits);
    }
}

std::shared_ptr<egress::AgentCredentials> Agent::credentials() {
    const std::lock_guard lock(m_mutex);
    if (!m_credentials && m_services.credentials != nullptr) {
        m_credentials = std::make_shared<egress::AgentCredentials>(*m_services.credentials, m_record.id, m_record.name, file("."));
    }
    return m_credentials;
}

// Without it the agent's programs refuse the hosts whose TLS its clerk ends, which is no reason not to start.
std::optional<AuthorityCertificate> Agent::certificate() {
    const auto own = credentials();
    if (!own) {
        return std::nullopt;
    }
    auto certificate = own->certificate();
    if (!certificate) {
        noteAfter(EventKind::EngineNote, "the agent's machine was not told which authority to trust", {{"error", certificate.error().text()}});
        return std::nullopt;
    }
    return std::move(*certificate);
}

std::shared_ptr<egress::Egress> Agent::openNetwork() {
    if (m_services.networks == nullptr) {
        return nullptr;
    }
    const auto of = record();
    const std::weak_ptr<Agent> weak = weak_from_this();
    egress::Networks::Log log;
    log.record = [weak](activity::Event event) {
        if (const auto self = weak.lock()) {
            self->noteAfter(event.kind, std::move(event.subject), std::move(event.detail), event.provenance);
        }
    };
    log.decided = [weak](activity::Event event) -> Status {
        const auto self = weak.lock();
        return self ? self->note(event.kind, std::move(event.subject), std::move(event.detail), event.provenance)
                    : fail(ErrorCode::Unavailable, "the agent is gone");
    };
    log.alarm = [weak](std::optional<activity::Event> event, const std::string& why) {
        if (const auto self = weak.lock()) {
            self->canaryLeft(std::move(event), why);
        }
    };
    if (m_services.modelUsed) {
        log.modelUsed = [used = m_services.modelUsed, agent = of.id](const egress::Destination& to, const relay::ModelUse& use) { used(agent, to, use); };
    }
    if (m_services.mayAskModel) {
        log.mayAskModel = [may = m_services.mayAskModel, agent = of.id] { return may(agent); };
    }
    return m_services.networks->open(of.id, of.session, of.network, std::move(log), credentials(), {of.limits, volume()});
}

// On the network's own thread, which waits for the hypervisor here and for nobody else: whoever holds the brake never waits for it.
void Agent::canaryLeft(std::optional<activity::Event> event, const std::string& why) {
    if (event) { // a full disk is no reason to let it go on
        (void)noteOwing(event->kind, std::move(event->subject), std::move(event->detail));
    }
    const auto paused = pause(Pauser::Canary, why);
    if (!paused) {
        m_services.complain(name() + ": " + paused.error().text());
        alarm(Alarm::StillRuns);
    } else if (*paused != PauseOutcome::NotRunning) {
        alarm(Alarm::CanaryLeft);
    }
}

void Agent::alarm(Alarm what) const {
    if (m_services.alarm) {
        m_services.alarm(id(), what);
    }
}

void Agent::alarmOver() {
    PausedBy was;
    {
        const std::lock_guard lock(m_mutex);
        std::swap(was, m_pausedBy);
    }
    if (was.who == Pauser::Canary) {
        alarm(Alarm::Over);
    }
}

// Where they cannot be read nobody is told: the list of canaries says so.
std::map<std::string, std::string> Agent::canaryVariables() const {
    std::map<std::string, std::string> out;
    const auto all = m_services.canaries != nullptr ? m_services.canaries->of(id()) : Result<std::vector<egress::Canary>>();
    if (all) {
        for (const auto& each : *all) {
            if (each.variable) {
                out[*each.variable] = each.text;
            }
        }
    }
    return out;
}

} // namespace carrel::agents
