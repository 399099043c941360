// SPDX-License-Identifier: Apache-2.0
// The middle layer: what Carrel does with domains, in terms of VirtApi, without state of its own.
// Thread: any; blocking like VirtApi.
#pragma once

#include "hypervisor/api/machine.h"
#include "hypervisor/libvirt/domain_xml.h"
#include "hypervisor/libvirt/virt_api.h"

namespace carrel::hypervisor {

// The note of a live domain if it is ours by all three marks: name, UUID, metadata. NotFound: no such domain.
// Refused: a domain of that UUID is there and somebody else's.
[[nodiscard]] Result<MachineNote> checkOwn(VirtApi& api, const MachineId& id);

// Notes of every live domain of this home. One that disappears meanwhile is left out.
[[nodiscard]] Result<std::vector<MachineNote>> listOwn(VirtApi& api, const HomeId& home);

// Paused or Running; Stopped when the domain is gone.
[[nodiscard]] Result<MachineState> liveState(VirtApi& api, const MachineId& id);

// What libvirt's log of the domain says about the end of its latest run.
[[nodiscard]] ExitReport parseExitLog(std::string_view tail);

// Connects to a listening unix socket.
[[nodiscard]] Result<UniqueFd> connectSocket(const std::filesystem::path& path);

} // namespace carrel::hypervisor
