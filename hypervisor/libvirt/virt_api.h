// SPDX-License-Identifier: Apache-2.0
// The thin layer: one function per function of libvirt's that Carrel uses, with typed errors. A test puts a
// mock here; nothing above it includes libvirt's headers. Thread: every function may be called from any
// thread; every one blocks on libvirt's daemon. Errors (from virErrorCode): NotFound = no such domain ·
// Refused = illegal in the domain's state · AlreadyExists = name or UUID taken · Unavailable = no connection
// · Unsupported = no such feature or emulator · Io = the rest. libvirt's own words are the cause.
#pragma once

#include "guest/protocol/result.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace carrel::hypervisor {

// Asleep: the guest has put its machine to sleep (ACPI S3), and wakes it when it likes.
enum class DomainState { Running, Paused, Asleep, ShuttingDown, Gone, Crashed };

struct DomainRecord {
    std::string name;
    std::string uuid;
};

struct VirtVersions {
    unsigned long qemu = 0; // 1,000,000 × major + 1,000 × minor + release
    unsigned long libvirt = 0;
};

class VirtApi {
public:
    virtual ~VirtApi() = default;
    [[nodiscard]] virtual Result<VirtVersions> versions() = 0;                // virConnectGetVersion
    [[nodiscard]] virtual Result<std::vector<DomainRecord>> listActive() = 0; // virConnectListAllDomains
    [[nodiscard]] virtual Status createPaused(const std::string& xml) = 0;    // virDomainCreateXML
    [[nodiscard]] virtual Result<DomainState> state(const std::string& uuid) = 0;
    [[nodiscard]] virtual Status resume(const std::string& uuid) = 0;
    [[nodiscard]] virtual Status suspend(const std::string& uuid) = 0;
    [[nodiscard]] virtual Status destroy(const std::string& uuid) = 0; // gracefully: disks are flushed
    [[nodiscard]] virtual Result<std::chrono::nanoseconds> cpuTime(const std::string& uuid) = 0;
    // The metadata element of that XML name space, as text.
    [[nodiscard]] virtual Result<std::string> metadata(const std::string& uuid, const std::string& space) = 0;
    // The end of libvirt's log of that domain name, at most `bytes`; empty when there is none.
    [[nodiscard]] virtual std::string logTail(const std::string& name, std::size_t bytes) = 0;

    VirtApi(const VirtApi&) = delete;
    VirtApi& operator=(const VirtApi&) = delete;

protected:
    VirtApi() = default;
};

[[nodiscard]] std::shared_ptr<VirtApi> makeVirtApi(std::string uri);

} // namespace carrel::hypervisor
