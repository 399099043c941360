// SPDX-License-Identifier: Apache-2.0
// What a host can do for machines, found out by booting one, and said in words for a person.
// Thread: values.
#pragma once

#include "guest/protocol/result.h"
#include "hypervisor/api/machine_spec.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::hypervisor {

enum class AcceleratorChoice {
    Automatic, // hardware where it works, else software
    Hardware,  // or nothing
    Software,
};

// The guest that answers: kernel and initrd of the image, with carrel.probe=1 on the command line, must print
// kProbeAnswer on the console.
inline constexpr std::string_view kProbeAnswer = "carrel-init: probe ok";
inline constexpr std::string_view kProbeArgument = "carrel.probe=1";

struct HostProbe {
    std::filesystem::path kernel;
    std::filesystem::path initrd;
    AcceleratorChoice choice = AcceleratorChoice::Automatic;
    std::filesystem::path scratchFolder; // for the probes' sockets; short, made when missing
    std::filesystem::path dataFolder;    // where overlays will live: its free space is looked at
    // Remembers the answer for this host kernel, QEMU, guest kernel and access to the device. Empty: never
    // cached.
    std::filesystem::path cacheFile;
    HomeId home; // the probes are this home's machines
};

enum class FindingCode {
    LibvirtMissing,     // no libvirt on this host, or its session daemon does not start
    QemuMissing,        // libvirt finds no usable QEMU
    ConfinementMissing, // the wrapper that confines QEMU is not there, or the kernel lacks Landlock
    RunningAsRoot,
    KvmMissing,      // no /dev/kvm
    KvmNoPermission, // /dev/kvm is there and not ours
    KvmDoesNotRun,   // opens, but a guest never comes up through it
    SoftwareDoesNotRun,
    SoftwareEmulation, // works, but slower and a weaker wall
    LowDisk,
    LowMemory,
};
[[nodiscard]] std::string_view toString(FindingCode code); // "kvm-missing", … for --json
[[nodiscard]] Result<FindingCode> parseFindingCode(std::string_view text);

enum class Severity { Note, Problem, Blocker };
[[nodiscard]] std::string_view toString(Severity severity);

struct Finding {
    FindingCode code = FindingCode::SoftwareEmulation;
    Severity severity = Severity::Note;
    std::string what;   // one sentence
    std::string why;    // the cause that was seen
    std::string remedy; // what a person can do; may be empty
    std::string command = {}; // that does it, as a person types it; Carrel never gives it itself. Empty: none does

    bool operator==(const Finding&) const = default;
};

// One accelerator's trial.
struct ProbeTiming {
    Accelerator accelerator = Accelerator::Software;
    bool answered = false;
    std::chrono::milliseconds firstByte{0}; // after resume; 0 when none came
    std::chrono::milliseconds answer{0};    // until kProbeAnswer, or until given up
    std::string problem;                    // why it did not answer, printable ASCII; empty when it did

    bool operator==(const ProbeTiming&) const = default;
};

struct HostReport {
    std::optional<Accelerator> accelerator; // absent: no machine can run here, the blockers say why
    std::string reason;                     // why this accelerator, one sentence
    std::vector<Finding> findings;
    std::vector<ProbeTiming> probes;
    std::string hypervisorVersion; // "QEMU 7.2.0, libvirt 9.0.0"
    bool fromCache = false; // the probes were not run again; findings on disk and memory are always fresh
};

} // namespace carrel::hypervisor
