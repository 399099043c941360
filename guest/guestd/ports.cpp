// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/ports.h"

#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <thread>

namespace carrel::guestd {

Result<std::string> findPort(const std::string& name, const PortFolders& folders) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folders.names, error)) {
        std::ifstream file(entry.path() / "name");
        std::string found;
        if (std::getline(file, found) && found == name) {
            return folders.devices + "/" + entry.path().filename().string();
        }
    }
    return fail(ErrorCode::NotFound, "this machine has no port named " + name);
}

Result<UniqueFd> openPort(const std::string& name, const PortFolders& folders) {
    constexpr std::chrono::milliseconds kPause{5};
    constexpr int kLongestWait = 6000; // pauses: 30 s; under emulation the last port is there within 0.1 s
    for (int waited = 0;; ++waited) {
        if (const auto device = findPort(name, folders)) {
            UniqueFd fd(::open(device->c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
            if (fd) {
                return fd;
            }
            // EBUSY: the last guestd's descriptor is still being closed. ENOENT: devtmpfs lags behind sysfs.
            if (errno != EBUSY && errno != ENOENT && errno != ENXIO) {
                return failErrno("opening " + *device);
            }
        } else if (waited == kLongestWait) {
            return fail(device.error());
        }
        if (waited == kLongestWait) {
            return fail(ErrorCode::Unavailable, "the port " + name + " does not open");
        }
        std::this_thread::sleep_for(kPause);
    }
}

} // namespace carrel::guestd
