// SPDX-License-Identifier: Apache-2.0
// The part of the host check that only looks.
#include "hypervisor/confine/confine.h"
#include "hypervisor/libvirt/host_check.h"

#include <fcntl.h>
#include <fstream>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace carrel::hypervisor {
namespace {

KvmAccess lookAtKvm() {
    const UniqueFd device(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
    if (device) {
        return KvmAccess::Usable;
    }
    return errno == EACCES || errno == EPERM ? KvmAccess::NoPermission : KvmAccess::Missing;
}

// MemAvailable of proc(5), which counts what the page cache would give back.
std::uint64_t availableMemory() {
    std::ifstream in("/proc/meminfo");
    std::string key;
    std::uint64_t kibibytes = 0;
    std::string unit;
    while (in >> key >> kibibytes) {
        if (key == "MemAvailable:") {
            return kibibytes * 1024;
        }
        std::getline(in, unit);
    }
    return 0;
}

std::uint64_t freeDisk(std::filesystem::path folder) {
    struct statvfs info {};
    while (::statvfs(folder.c_str(), &info) != 0) { // the folder may not exist yet: its parent's disk counts
        if (!folder.has_relative_path()) {
            return 0;
        }
        folder = folder.parent_path();
    }
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

std::string versionText(unsigned long version) {
    return std::to_string(version / 1000000) + "." + std::to_string(version / 1000 % 1000) + "." +
           std::to_string(version % 1000);
}

Finding virtFinding(const Error& problem) {
    if (problem.code == ErrorCode::Unavailable) {
        return {FindingCode::LibvirtMissing, Severity::Blocker, "libvirt cannot be used", problem.text(),
                "install it (the command is that of Debian and Ubuntu); then check: virsh -c qemu:///session list",
                "sudo apt-get install libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients"};
    }
    return {FindingCode::QemuMissing, Severity::Blocker, "libvirt finds no usable QEMU", problem.text(),
            "install it (the command is that of Debian and Ubuntu)", "sudo apt-get install qemu-system-x86"};
}

void addRoom(const HostFacts& facts, std::vector<Finding>& findings) {
    if (facts.freeDiskBytes < kComfortableDisk) {
        findings.push_back(
            {FindingCode::LowDisk, Severity::Problem, "there is little free disk space",
             std::to_string(facts.freeDiskBytes >> 20) + " MiB are free where machines are kept",
             "free at least 5 GiB, or move CARREL_HOME to a larger disk"});
    }
    if (facts.freeMemoryBytes < kComfortableMemory) {
        findings.push_back({FindingCode::LowMemory, Severity::Problem, "there is little free memory",
                            std::to_string(facts.freeMemoryBytes >> 20) + " MiB are available",
                            "close other programs, or give machines less with --memory"});
    }
}

// Why the accelerator's guest did not answer; empty when it did, nullptr when it was not tried.
const std::string* problemOf(const std::vector<ProbeTiming>& probes, Accelerator accelerator) {
    for (const ProbeTiming& probe : probes) {
        if (probe.accelerator == accelerator) {
            return &probe.problem;
        }
    }
    return nullptr;
}

std::string because(const std::string* problem) {
    return problem == nullptr || problem->empty() ? "" : " (" + *problem + ")";
}

void addKvm(const HostFacts& facts, bool hardwareAnswered, const std::string* problem,
            std::vector<Finding>& findings) {
    if (facts.kvm == KvmAccess::Missing) {
        findings.push_back(
            {FindingCode::KvmMissing, Severity::Problem, "hardware virtualization is not available",
             "there is no usable /dev/kvm",
             "switch on virtualization (VT-x, AMD-V) in the firmware; in a virtual machine, nested "
             "virtualization must be switched on outside"});
    } else if (facts.kvm == KvmAccess::NoPermission) {
        findings.push_back({FindingCode::KvmNoPermission, Severity::Problem,
                            "you may not use hardware virtualization",
                            "/dev/kvm is there, and your account may not open it",
                            "join the group kvm, then sign out and in again", "sudo usermod -aG kvm \"$USER\""});
    } else if (!hardwareAnswered) {
        findings.push_back(
            {FindingCode::KvmDoesNotRun, Severity::Problem, "hardware virtualization does not work here",
             "/dev/kvm opens, but a guest started through it never came up" + because(problem),
             "in a virtual machine this is a fault or setting of the host outside; elsewhere check "
             "the kernel's log for messages of kvm"});
    }
}

bool answered(const std::vector<ProbeTiming>& probes, Accelerator accelerator) {
    for (const ProbeTiming& probe : probes) {
        if (probe.accelerator == accelerator && probe.answered) {
            return true;
        }
    }
    return false;
}

} // namespace

HostFacts HostFacts::read(VirtApi& api, const std::filesystem::path& emulator, const HostProbe& probe) {
    HostFacts facts;
    facts.kvm = lookAtKvm();
    if (auto versions = api.versions(); versions) {
        facts.versions = *versions;
    } else {
        facts.virtProblem = versions.error();
    }
    facts.emulatorPresent = ::access(emulator.c_str(), X_OK) == 0;
    facts.confinement = confine::landlockAbi() > 0;
    facts.root = ::geteuid() == 0;
    utsname names{};
    if (::uname(&names) == 0) {
        facts.kernelRelease = names.release;
    }
    facts.freeDiskBytes = freeDisk(probe.dataFolder);
    facts.freeMemoryBytes = availableMemory();
    return facts;
}

std::vector<Finding> blockers(const HostFacts& facts) {
    std::vector<Finding> findings;
    if (facts.root) {
        findings.push_back({FindingCode::RunningAsRoot, Severity::Blocker, "Carrel does not run as root",
                            "a machine must never have more rights than you",
                            "start it as an ordinary user"});
    }
    if (facts.virtProblem) {
        findings.push_back(virtFinding(*facts.virtProblem));
    }
    if (!facts.emulatorPresent || !facts.confinement) {
        findings.push_back(
            {FindingCode::ConfinementMissing, Severity::Blocker, "machines cannot be confined here",
             facts.confinement ? "the program carrel-qemu is missing" : "this kernel has no Landlock",
             facts.confinement ? "install Carrel again"
                               : "use a kernel of version 5.13 or later with Landlock switched on"});
    }
    return findings;
}

HostReport conclude(const HostFacts& facts, AcceleratorChoice choice, std::vector<ProbeTiming> probes) {
    HostReport report;
    report.findings = blockers(facts);
    if (facts.versions) {
        report.hypervisorVersion =
            "QEMU " + versionText(facts.versions->qemu) + ", libvirt " + versionText(facts.versions->libvirt);
    }
    const bool blocked = !report.findings.empty();
    const bool hardware = answered(probes, Accelerator::Hardware);
    const bool software = answered(probes, Accelerator::Software);
    report.probes = std::move(probes);
    if (!blocked && choice != AcceleratorChoice::Software) {
        addKvm(facts, hardware, problemOf(report.probes, Accelerator::Hardware), report.findings);
    }
    if (blocked) {
        report.reason = "machines cannot run here: " + report.findings.front().what;
    } else if (hardware && choice != AcceleratorChoice::Software) {
        report.accelerator = Accelerator::Hardware;
        report.reason = "a guest answered through hardware virtualization (KVM)";
    } else if (software && choice != AcceleratorChoice::Hardware) {
        report.accelerator = Accelerator::Software;
        report.reason = choice == AcceleratorChoice::Software
                            ? "software emulation was asked for"
                            : "software emulation, because " + report.findings.back().what;
        report.findings.push_back({FindingCode::SoftwareEmulation, Severity::Note,
                                   "machines run by software emulation",
                                   "it is slower, and a weaker wall between machine and host than hardware "
                                   "virtualization",
                                   "", ""});
    } else if (choice == AcceleratorChoice::Hardware) {
        report.reason = "hardware virtualization was asked for and does not work here";
    } else {
        report.findings.push_back(
            {FindingCode::SoftwareDoesNotRun, Severity::Blocker,
             "no guest came up, not even by software emulation",
             "the probe guest did not answer" + because(problemOf(report.probes, Accelerator::Software)),
             "check the image; then look at libvirt's log of the machine", "carrel image verify"});
        report.reason = "machines cannot run here: " + report.findings.back().what;
    }
    addRoom(facts, report.findings);
    return report;
}

} // namespace carrel::hypervisor
