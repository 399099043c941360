// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/libvirt/host_check.h"

#include "hypervisor/libvirt/probe_cache.h"

#include <algorithm>
#include <array>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::hypervisor {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr Mebibytes kProbeMemory{512};
// Software emulation comes first and has nothing to be measured against. It is the last resort, so it gets a
// patience that no host we have seen comes near (1.3 s on two slow cores).
constexpr milliseconds kSoftwarePatience{60000};
constexpr milliseconds kStartSlack{2000};
constexpr int kSilenceFactor = 3;
constexpr milliseconds kLookAround{100}; // how often cancellation is looked for
constexpr std::size_t kMaxConsole = 1024 * 1024;

milliseconds since(Clock::time_point start) {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

Result<MachineSpec> probeSpec(const HostProbe& probe, Accelerator accelerator) {
    auto agent = AgentId::random();
    if (!agent) {
        return fail(agent.error());
    }
    // Eight digits keep two checks at the same time apart and the path short.
    const auto folder = probe.scratchFolder / ("p" + agent->text().substr(0, 8));
    return MachineSpec{.id = MachineId{probe.home, std::move(*agent)},
                       .memory = kProbeMemory,
                       .cpus = 1,
                       .kernel = probe.kernel,
                       .initrd = probe.initrd,
                       .commandLine = "panic=-1 " + std::string(kProbeArgument),
                       .disk = std::nullopt,
                       .runtimeFolder = folder,
                       .accelerator = accelerator};
}

std::string lastPrintable(std::string_view console) {
    std::string text(console.substr(console.size() - std::min<std::size_t>(console.size(), 300)));
    std::ranges::replace_if(
        text, [](char c) { return c < 0x20 || c > 0x7e; }, ' ');
    return text;
}

// Reads the console until the answer, the end, or a silence longer than patience.
Result<ProbeOutcome> listen(int console, Accelerator accelerator, milliseconds patience,
                            const std::stop_token& stop) {
    ProbeOutcome outcome;
    outcome.timing.accelerator = accelerator;
    const auto start = Clock::now();
    auto lastByte = start;
    std::string heard;
    std::array<char, 4096> buffer{};
    while (since(lastByte) <= patience && heard.size() < kMaxConsole) {
        if (stop.stop_requested()) {
            return fail(ErrorCode::Cancelled, "the check of this host was cancelled");
        }
        pollfd ready{.fd = console, .events = POLLIN, .revents = 0};
        if (::poll(&ready, 1, static_cast<int>(kLookAround.count())) <= 0) {
            continue;
        }
        const ssize_t got = ::read(console, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        if (heard.empty()) {
            outcome.timing.firstByte = std::max(since(start), milliseconds(1));
        }
        outcome.longestSilence = std::max(outcome.longestSilence, since(lastByte));
        lastByte = Clock::now();
        heard.append(buffer.data(), static_cast<std::size_t>(got));
        if (heard.find(kProbeAnswer) != std::string::npos) {
            outcome.timing.answered = true;
            break;
        }
    }
    outcome.timing.answer = since(start);
    if (!outcome.timing.answered) {
        outcome.timing.problem =
            heard.empty() ? "the guest printed nothing" : "the guest printed last: " + lastPrintable(heard);
    }
    return outcome;
}

Result<ProbeOutcome> runProbe(Machine& machine, Accelerator accelerator, milliseconds patience,
                              const std::stop_token& stop) {
    auto console = machine.openChannel(ChannelId::Console);
    if (!console) {
        return fail(console.error());
    }
    CARREL_TRY(machine.resume());
    return listen(console->get(), accelerator, patience, stop);
}

// A probe that cannot even start is an answer too ("it does not run"), unless somebody cancelled.
Result<ProbeOutcome> tryProbe(Backend& backend, const HostProbe& probe, Accelerator accelerator,
                              milliseconds patience, const std::stop_token& stop) {
    auto outcome = bootProbe(backend, probe, accelerator, patience, stop);
    if (outcome || outcome.error().code == ErrorCode::Cancelled) {
        return outcome;
    }
    return ProbeOutcome{
        .timing = {.accelerator = accelerator, .problem = lastPrintable(outcome.error().text())}};
}

void sayOutcome(const Backend::Progress& progress, const ProbeOutcome& outcome) {
    progress(outcome.timing.answered
                 ? "  it answered after " + std::to_string(outcome.timing.answer.count()) + " ms"
                 : "  no answer after " + std::to_string(outcome.timing.answer.count()) +
                       " ms: " + outcome.timing.problem);
}

Result<std::vector<ProbeTiming>> runProbes(Backend& backend, const HostFacts& facts, const HostProbe& probe,
                                           const Backend::Progress& progress, const std::stop_token& stop) {
    progress("starting a small guest by software emulation");
    auto software = tryProbe(backend, probe, Accelerator::Software, kSoftwarePatience, stop);
    if (!software) {
        return fail(software.error());
    }
    sayOutcome(progress, *software);
    std::vector<ProbeTiming> probes{software->timing};
    if (facts.kvm != KvmAccess::Usable || probe.choice == AcceleratorChoice::Software) {
        return probes;
    }
    progress("starting the same guest by hardware virtualization");
    auto hardware =
        tryProbe(backend, probe, Accelerator::Hardware, hardwarePatience(software->longestSilence), stop);
    if (!hardware) {
        return fail(hardware.error());
    }
    sayOutcome(progress, *hardware);
    probes.push_back(hardware->timing);
    return probes;
}

Status checkKit(const HostProbe& probe) {
    for (const auto& file : {probe.kernel, probe.initrd}) {
        if (::access(file.c_str(), R_OK) != 0) {
            Error error = errnoError("the guest's " + file.native() + " cannot be read");
            error.code = ErrorCode::InvalidArgument;
            error.hint = "make the image: carrel image build";
            return fail(std::move(error));
        }
    }
    return {};
}

} // namespace

milliseconds hardwarePatience(milliseconds softwareSilence) {
    return kSilenceFactor * softwareSilence + kStartSlack;
}

Result<ProbeOutcome> bootProbe(Backend& backend, const HostProbe& probe, Accelerator accelerator,
                               milliseconds patience, const std::stop_token& stop) {
    if (stop.stop_requested()) {
        return fail(ErrorCode::Cancelled, "the check of this host was cancelled");
    }
    auto spec = probeSpec(probe, accelerator);
    if (!spec) {
        return fail(spec.error());
    }
    if (::mkdir(probe.scratchFolder.c_str(), 0700) != 0 && errno != EEXIST) {
        return failErrno("cannot make the folder " + probe.scratchFolder.native());
    }
    auto machine = backend.create(*spec);
    if (!machine) {
        return fail(machine.error());
    }
    Result<ProbeOutcome> outcome = fail(ErrorCode::Internal, "not started");
    if (auto started = (*machine)->start(); started) {
        outcome = runProbe(**machine, accelerator, patience, stop);
        if (auto stopped = (*machine)->stop(); !stopped && outcome) {
            outcome = fail(stopped.error().wrap("a probe guest could not be stopped"));
        }
    } else {
        outcome = fail(started.error());
    }
    std::error_code ignored; // an empty folder left in a scratch place harms nobody
    std::filesystem::remove_all(spec->runtimeFolder, ignored);
    return outcome;
}

Result<HostReport> checkHost(Backend& backend, const HostFacts& facts, const HostProbe& probe,
                             const Backend::Progress& progress, std::stop_token stop) {
    const Backend::Progress say = progress ? progress : [](std::string_view) {};
    CARREL_TRY(checkKit(probe));
    if (stop.stop_requested()) {
        return fail(ErrorCode::Cancelled, "the check of this host was cancelled");
    }
    if (!blockers(facts).empty()) {
        return conclude(facts, probe.choice, {});
    }
    const std::string key = probeKey(facts, probe);
    if (auto known = loadProbes(probe.cacheFile, key); known && !probe.cacheFile.empty()) {
        HostReport report = conclude(facts, probe.choice, std::move(*known));
        report.fromCache = true;
        return report;
    }
    auto probes = runProbes(backend, facts, probe, say, stop);
    if (!probes) {
        return fail(probes.error());
    }
    HostReport report = conclude(facts, probe.choice, std::move(*probes));
    if (report.accelerator &&
        !probe.cacheFile.empty()) { // a host where nothing works is tried again each time
        if (auto saved = saveProbes(probe.cacheFile, key, report.probes); !saved) {
            say("  " + saved.error().text());
        }
    }
    return report;
}

} // namespace carrel::hypervisor
