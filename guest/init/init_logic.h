// SPDX-License-Identifier: Apache-2.0
// What carrel-init decides, free of system calls so that it can be tested anywhere: the order of kernel
// modules, the kernel command line, and when guestd is started again. Thread: values and pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::init {

// Which machines a module is for. Hyper-V's are loaded only where its bus exists: elsewhere they only cost
// time.
enum class ModuleGroup { Base, HyperV };

struct ModuleEntry {
    ModuleGroup group = ModuleGroup::Base;
    std::string file; // a plain file name beneath /lib/carrel/modules

    bool operator==(const ModuleEntry&) const = default;
};

struct ModuleList {
    std::vector<ModuleEntry> entries; // dependencies before what needs them
    std::string error;                // empty when the list is good
};

inline constexpr std::size_t kMaxModules = 256;

// The list that the image recipe writes: the first line is "carrel-modules 1", then "<group> <file>" a line,
// with group base or hyperv. Comments start with #. A name with a slash, a second entry of a name, or an
// unknown group makes the whole list bad: a half-loaded machine is harder to explain than one that says why
// it stopped.
[[nodiscard]] ModuleList parseModuleList(std::string_view text);

// What /proc/cmdline asked for; unknown words belong to the kernel.
struct CommandLine {
    bool probe = false;            // carrel.probe=1: say that a kernel ran, then power off
    // carrel.viewer=1: nothing of this machine is kept. The disk is read-only, guestd serves as the viewer, and its end is
    // the machine's.
    bool viewer = false;
    std::string disk = "/dev/vda"; // carrel.disk=
    bool operator==(const CommandLine&) const = default;
};
[[nodiscard]] CommandLine parseCommandLine(std::string_view text);

// What to do after guestd ended.
enum class AfterExit { PowerOff, Restart };
struct ExitDecision {
    AfterExit action = AfterExit::Restart;
    std::chrono::milliseconds delay{0}; // before the next start
};

// Starts guestd again for ever (a machine without it is of no use, and powering off would lose what the agent
// has in memory), at once the first time, then with a doubling delay that a healthy run resets.
class RestartPolicy {
public:
    static constexpr std::chrono::milliseconds kFirstDelay{100};
    static constexpr std::chrono::milliseconds kLongestDelay{5000};
    static constexpr std::chrono::milliseconds kHealthyRun{30000};

    enum class PowerOffWish { Absent, Present }; // the file /run/carrel/poweroff

    // waitStatus as of waitpid(2).
    [[nodiscard]] ExitDecision afterExit(int waitStatus, std::chrono::milliseconds ranFor, PowerOffWish wish);

private:
    std::chrono::milliseconds m_next{0};
};

// "exit status 3" or "signal 11 (Segmentation fault)".
[[nodiscard]] std::string describeWaitStatus(int waitStatus);

} // namespace carrel::init
