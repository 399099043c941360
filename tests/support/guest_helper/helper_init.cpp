// SPDX-License-Identifier: Apache-2.0
// First process of a test's machine (rdinit=): leaves a helper behind and becomes Carrel's own /init. The
// helper does beside guestd what no agent can, when the host says so. One line in, one line out on the port
// carrel.helper:
//
//   mount        the peer's share (virtiofs) where guestd mounts Carrel's, so that the agent sees both
//   drop         empties the kernel's caches
//   cpu          jiffies since boot: user and system of all, user and system of guestd
//   pids NAME    the processes of that name (comm), by number
//   kill NAME    SIGKILL to each of them; how many there were
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr const char* kPort = "carrel.helper";
constexpr const char* kWorkspace = "1/root/run/carrel/workspace"; // beneath /proc

void waitABit() {
    const timespec span{0, 50'000'000};
    ::nanosleep(&span, nullptr);
}

void load(int module) {
    (void)::syscall(SYS_finit_module, module, "", 0);
}

// The port of that name, by what the kernel says of each.
int openPort(int sys, int dev) {
    for (;;) {
        const int folder = ::openat(sys, "class/virtio-ports", O_RDONLY | O_DIRECTORY);
        DIR* list = folder < 0 ? nullptr : ::fdopendir(folder);
        for (const dirent* entry = nullptr; list != nullptr && (entry = ::readdir(list)) != nullptr;) {
            const std::string port = entry->d_name; // vport<device>p<number>
            const int file = ::openat(folder, (port + "/name").c_str(), O_RDONLY);
            char name[64] = {};
            if (file >= 0 && ::read(file, name, sizeof name - 1) > 0 &&
                std::strncmp(name, kPort, std::strlen(kPort)) == 0) {
                if (const int opened = ::openat(dev, port.c_str(), O_RDWR); opened >= 0) {
                    return opened;
                }
            }
            ::close(file);
        }
        if (list != nullptr) {
            ::closedir(list);
        }
        waitABit();
    }
}

const char* mountPeer(int proc) {
    const int workspace = ::openat(proc, kWorkspace, O_PATH | O_DIRECTORY);
    if (workspace < 0 || ::fchdir(workspace) != 0) {
        return "no workspace yet";
    }
    (void)::mkdir("peer", 0755);
    return ::mount("peer", "peer", "virtiofs", MS_NOSUID | MS_NODEV, nullptr) == 0 || errno == EBUSY
               ? "ok"
               : std::strerror(errno);
}

const char* dropCaches(int proc) {
    ::sync();
    const int file = ::openat(proc, "sys/vm/drop_caches", O_WRONLY);
    const bool done = file >= 0 && ::write(file, "3", 1) == 1;
    ::close(file);
    return done ? "ok" : std::strerror(errno);
}

std::string slurp(int proc, const std::string& path) {
    std::string text(4096, '\0');
    const int file = ::openat(proc, path.c_str(), O_RDONLY);
    const auto got = file < 0 ? 0 : ::read(file, text.data(), text.size());
    ::close(file);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

std::vector<pid_t> processesNamed(int proc, const std::string& name) {
    std::vector<pid_t> found;
    const int folder = ::openat(proc, ".", O_RDONLY | O_DIRECTORY);
    DIR* list = folder < 0 ? nullptr : ::fdopendir(folder);
    for (const dirent* entry = nullptr; list != nullptr && (entry = ::readdir(list)) != nullptr;) {
        const auto pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10)); // 0 for what is none
        if (pid > 0 && slurp(proc, std::string(entry->d_name) + "/comm") == name + "\n") {
            found.push_back(pid);
        }
    }
    if (list != nullptr) {
        ::closedir(list);
    }
    return found;
}

std::string told(const std::vector<pid_t>& pids) {
    std::string text;
    for (const auto pid : pids) {
        text += (text.empty() ? "" : " ") + std::to_string(pid);
    }
    return text;
}

std::string killAll(const std::vector<pid_t>& pids) {
    int killed = 0;
    for (const auto pid : pids) {
        killed += ::kill(pid, SIGKILL) == 0 ? 1 : 0;
    }
    return std::to_string(killed);
}

std::string processorTime(int proc) {
    unsigned long long user = 0;
    unsigned long long nice = 0;
    unsigned long long system = 0;
    (void)std::sscanf(slurp(proc, "stat").c_str(), "cpu %llu %llu %llu", &user, &nice, &system);
    unsigned long long own = 0;
    unsigned long long ownSystem = 0;
    for (const auto pid : processesNamed(proc, "carrel-guestd")) {
        const auto stat = slurp(proc, std::to_string(pid) + "/stat");
        const auto name = stat.rfind(')');
        unsigned long long utime = 0;
        unsigned long long stime = 0;
        if (name != std::string::npos) {
            (void)std::sscanf(stat.c_str() + name + 1,
                              " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &utime, &stime);
        }
        own += utime;
        ownSystem += stime;
    }
    return std::to_string(user) + " " + std::to_string(system) + " " + std::to_string(own) + " " +
           std::to_string(ownSystem);
}

std::string answerTo(const std::string& line, int proc) {
    const auto space = line.find(' ');
    const auto verb = line.substr(0, space);
    const auto name = space == std::string::npos ? std::string() : line.substr(space + 1);
    if (verb == "mount") {
        return mountPeer(proc);
    }
    if (verb == "drop") {
        return dropCaches(proc);
    }
    if (verb == "cpu") {
        return processorTime(proc);
    }
    if (verb == "pids" && !name.empty()) {
        return told(processesNamed(proc, name));
    }
    if (verb == "kill" && !name.empty()) {
        return killAll(processesNamed(proc, name));
    }
    return "what?";
}

void help(int fuse, int virtiofs) {
    // Mounts of its own: /init moves the others to another root.
    const auto mounted = [](const char* type, const std::string& at) {
        (void)::mkdir(at.c_str(), 0755);
        (void)::mount(type, at.c_str(), type, 0, nullptr);
        return ::open(at.c_str(), O_PATH | O_DIRECTORY);
    };
    const int proc = mounted("proc", "/helper/proc");
    const int sys = mounted("sysfs", "/helper/sys");
    const int dev = mounted("devtmpfs", "/helper/dev");
    const int port = openPort(sys, dev); // virtio is there, so /init has loaded its modules
    load(fuse);                          // those two only where the peer is wanted
    load(virtiofs);
    std::string line;
    for (char c = 0;;) {
        const auto got = ::read(port, &c, 1);
        if (got <= 0) {
            waitABit(); // nobody is connected
            continue;
        }
        if (c != '\n') {
            line.push_back(c);
            continue;
        }
        std::string answer = answerTo(line, proc);
        line.clear();
        answer += '\n';
        (void)!::write(port, answer.data(), answer.size());
    }
}

} // namespace

int main(int, char** argv) {
    const int fuse = ::open("/helper/fuse.ko", O_RDONLY | O_CLOEXEC);
    const int virtiofs = ::open("/helper/virtiofs.ko", O_RDONLY | O_CLOEXEC);
    if (::fork() == 0) {
        (void)::setsid();
        help(fuse, virtiofs);
    }
    ::execv("/init", argv);
    return 1;
}
