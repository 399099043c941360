// SPDX-License-Identifier: Apache-2.0
// A way to have machines on this host. One object per process; the machines keep what they need of it alive.
// Thread: every function may be called from any thread, concurrently; all but name and capabilities block
// (checkHost for many seconds: it boots machines).
#pragma once

#include "hypervisor/api/host_report.h"
#include "hypervisor/api/machine.h"

#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>
#include <vector>

namespace carrel::hypervisor {

// What a back end can do beyond the Machine interface. An ability that is not here has no function either:
// it arrives as an interface of its own together with its flag.
struct Capabilities {
    bool adopt = false;    // machines outlive the process that started them
    bool software = false; // can run a guest without hardware virtualization
};

class Backend {
public:
    virtual ~Backend() = default;

    [[nodiscard]] virtual std::string_view name() const = 0; // "libvirt", "fake"
    [[nodiscard]] virtual Capabilities capabilities() const = 0;

    // Finds out, by booting a probe guest, what works here. Progress gets one line in plain words per step,
    // on the calling thread. A host where nothing works is a report without an accelerator, not an error;
    // errors are Cancelled, and InvalidArgument for a probe kit that is not there.
    using Progress = std::function<void(std::string_view line)>;
    [[nodiscard]] virtual Result<HostReport> checkHost(const HostProbe& probe, const Progress& progress,
                                                       std::stop_token stop) = 0;

    // A machine in state Created. Makes the overlay and the runtime folder when they are missing.
    // AlreadyExists: it runs already, adopt it.
    [[nodiscard]] virtual Result<std::unique_ptr<Machine>> create(const MachineSpec& spec) = 0;

    // Every live machine (Paused or Running) of this home; never another home's or somebody else's.
    [[nodiscard]] virtual Result<std::vector<std::unique_ptr<Machine>>> adopt(const HomeId& home) = 0;

    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

protected:
    Backend() = default;
};

} // namespace carrel::hypervisor
