// SPDX-License-Identifier: Apache-2.0
// The words for the closed types of this room.
#include "hypervisor/api/host_report.h"
#include "hypervisor/api/machine.h"

#include <array>
#include <utility>

namespace carrel::hypervisor {
namespace {

constexpr std::array kFindingNames{
    std::pair{FindingCode::LibvirtMissing, std::string_view{"libvirt-missing"}},
    std::pair{FindingCode::QemuMissing, std::string_view{"qemu-missing"}},
    std::pair{FindingCode::ConfinementMissing, std::string_view{"confinement-missing"}},
    std::pair{FindingCode::RunningAsRoot, std::string_view{"running-as-root"}},
    std::pair{FindingCode::KvmMissing, std::string_view{"kvm-missing"}},
    std::pair{FindingCode::KvmNoPermission, std::string_view{"kvm-no-permission"}},
    std::pair{FindingCode::KvmDoesNotRun, std::string_view{"kvm-does-not-run"}},
    std::pair{FindingCode::SoftwareDoesNotRun, std::string_view{"software-does-not-run"}},
    std::pair{FindingCode::SoftwareEmulation, std::string_view{"software-emulation"}},
    std::pair{FindingCode::LowDisk, std::string_view{"low-disk"}},
    std::pair{FindingCode::LowMemory, std::string_view{"low-memory"}},
};

} // namespace

std::string_view toString(MachineState state) {
    switch (state) {
    case MachineState::Created:
        return "created";
    case MachineState::Paused:
        return "paused";
    case MachineState::Running:
        return "running";
    case MachineState::Stopped:
        return "stopped";
    }
    return "";
}

std::string_view toString(ExitReason reason) {
    switch (reason) {
    case ExitReason::GuestShutdown:
        return "guest-shutdown";
    case ExitReason::Destroyed:
        return "destroyed";
    case ExitReason::Crashed:
        return "crashed";
    case ExitReason::Failed:
        return "failed";
    case ExitReason::Unknown:
        return "unknown";
    }
    return "";
}

std::string_view toString(Severity severity) {
    switch (severity) {
    case Severity::Note:
        return "note";
    case Severity::Problem:
        return "problem";
    case Severity::Blocker:
        return "blocker";
    }
    return "";
}

std::string_view toString(FindingCode code) {
    for (const auto& [known, name] : kFindingNames) {
        if (known == code) {
            return name;
        }
    }
    return "";
}

Result<FindingCode> parseFindingCode(std::string_view text) {
    for (const auto& [code, name] : kFindingNames) {
        if (name == text) {
            return code;
        }
    }
    return fail(ErrorCode::Malformed, "no such finding");
}

} // namespace carrel::hypervisor
