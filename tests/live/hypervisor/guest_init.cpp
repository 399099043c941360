// SPDX-License-Identifier: Apache-2.0
// PID 1 of the machines in these tests: loads the image's modules, says kProbeAnswer, echoes lines of the
// control port, and powers off when a line arrives on its console.
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <string>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

void loadModules() {
    std::ifstream list("/lib/carrel/modules.list");
    std::string name;
    while (std::getline(list, name)) {
        if (name.find("virtio") == std::string::npos) {
            continue;
        }
        const std::string path = "/lib/carrel/modules/" + name.substr(name.rfind(' ') + 1);
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            ::syscall(SYS_finit_module, fd, "", 0);
            ::close(fd);
        }
    }
}

int openControlPort() {
    for (int number = 1; number < 16; ++number) {
        for (const char* prefix : {"vport0p", "vport1p", "vport2p", "vport3p"}) {
            const std::string device = prefix + std::to_string(number);
            std::ifstream in("/sys/class/virtio-ports/" + device + "/name");
            std::string name;
            if (in >> name && name == "carrel.control") {
                return ::open(("/dev/" + device).c_str(), O_RDWR | O_CLOEXEC);
            }
        }
    }
    return -1;
}

// All entries of a folder, each as it is or with the first line of a file in it.
std::string listed(const std::string& folder, const char* file) {
    std::string all;
    DIR* dir = ::opendir(folder.c_str());
    while (const dirent* item = dir != nullptr ? ::readdir(dir) : nullptr) {
        const std::string name = item->d_name;
        if (name == "." || name == "..") {
            continue;
        }
        std::string line = name;
        if (file != nullptr) {
            std::ifstream(folder + "/" + name + "/" + file) >> line;
        }
        all += (all.empty() ? "" : " ") + line;
    }
    return all;
}

} // namespace

int main() {
    ::mkdir("/dev", 0755);
    ::mkdir("/proc", 0755);
    ::mkdir("/sys", 0755);
    ::mount("none", "/dev", "devtmpfs", 0, nullptr);
    ::mount("none", "/proc", "proc", 0, nullptr);
    ::mount("none", "/sys", "sysfs", 0, nullptr);
    const int console = ::open("/dev/ttyS0", O_RDWR | O_NOCTTY);
    loadModules();
    const int control = openControlPort();
    struct stat disk {};
    ::dprintf(console, "control port: %s, disk: %s\n", control >= 0 ? "there" : "missing",
              ::stat("/dev/vda", &disk) == 0 ? "there" : "missing");
    ::dprintf(console, "network devices: %s; pci classes: %s;\n", listed("/sys/class/net", nullptr).c_str(),
              listed("/sys/bus/pci/devices", "class").c_str());
    ::dprintf(console, "carrel-init: probe ok\n");
    pollfd ready[2] = {{console, POLLIN, 0}, {control, POLLIN, 0}};
    for (;;) {
        ::poll(ready, 2, -1);
        char buffer[512];
        if ((ready[0].revents & POLLIN) != 0 && ::read(console, buffer, sizeof buffer) > 0) {
            ::reboot(RB_POWER_OFF);
        }
        if ((ready[1].revents & POLLIN) != 0) {
            const ssize_t got = ::read(control, buffer, sizeof buffer);
            if (got > 0 && ::write(control, buffer, static_cast<std::size_t>(got)) != got) {
                ::dprintf(console, "the echo failed\n");
            }
        }
    }
}
