// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/shared_window.h"

#include "guest/protocol/unique_fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <sys/mman.h>
#include <sys/stat.h>

namespace carrel::guestd {

namespace {

constexpr const char* kVendor = "0x1af4";
constexpr const char* kDevice = "0x1110";

std::string firstLine(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

ByteSpan mapDevice(const std::string& folder) {
    // Its memory answers only once it is switched on, which no driver did.
    std::ofstream(folder + "/enable") << "1";
    // Write-combining where there is that: the plain file maps it uncached.
    for (const char* name : {"/resource2_wc", "/resource2"}) {
        const UniqueFd file(::open((folder + name).c_str(), O_RDWR | O_CLOEXEC));
        struct stat info {};
        if (!file || ::fstat(file.get(), &info) != 0 || info.st_size <= 0) {
            continue;
        }
        const auto size = static_cast<std::size_t>(info.st_size);
        void* memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
        if (memory != MAP_FAILED) {
            return {static_cast<const std::byte*>(memory), size};
        }
    }
    return {};
}

} // namespace

ByteSpan openSharedWindow(const std::string& devices) {
    DIR* list = ::opendir(devices.c_str());
    if (list == nullptr) {
        return {};
    }
    ByteSpan window;
    while (const dirent* entry = ::readdir(list)) {
        const std::string folder = devices + "/" + entry->d_name;
        if (entry->d_name[0] != '.' && firstLine(folder + "/vendor") == kVendor &&
            firstLine(folder + "/device") == kDevice) {
            window = mapDevice(folder);
            break;
        }
    }
    ::closedir(list);
    return window;
}

} // namespace carrel::guestd
