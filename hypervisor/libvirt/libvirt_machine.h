// SPDX-License-Identifier: Apache-2.0
// One domain as a Machine. Private to this room.
#pragma once

#include "hypervisor/api/machine.h"
#include "hypervisor/libvirt/virt_api.h"

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

namespace carrel::hypervisor {

class LibvirtMachine final : public Machine {
public:
    // Created: `definition` is what start() will hand to libvirt.
    LibvirtMachine(std::shared_ptr<VirtApi> api, MachineId id, std::filesystem::path runtimeFolder,
                   std::string definition);
    // Live already.
    LibvirtMachine(std::shared_ptr<VirtApi> api, MachineId id, std::filesystem::path runtimeFolder);

    [[nodiscard]] const MachineId& id() const override { return m_id; }
    [[nodiscard]] Result<MachineState> state() override;
    [[nodiscard]] Status start() override;
    [[nodiscard]] Status resume() override;
    [[nodiscard]] Status pause() override;
    [[nodiscard]] Status stop() override;
    [[nodiscard]] Result<UniqueFd> openChannel(ChannelId channel) override;
    [[nodiscard]] Result<UniqueFd> openWindow() override;
    [[nodiscard]] Result<bool> waitStopped(std::chrono::milliseconds patience) override;
    [[nodiscard]] Result<Activity> activity() override;
    [[nodiscard]] Result<ExitReport> exitReport() override;

private:
    enum class Phase { Created, Started, Ended };
    [[nodiscard]] Result<MachineState> stateLocked();
    [[nodiscard]] Status requireLive(std::string_view doing);

    const std::shared_ptr<VirtApi> m_api;
    const MachineId m_id;
    const std::filesystem::path m_runtimeFolder;
    const std::string m_definition;
    // Orders start, stop and the first sight of the end; held across libvirt calls, so callers may wait for
    // each other but never for a guest.
    std::mutex m_mutex;
    Phase m_phase;
};

} // namespace carrel::hypervisor
