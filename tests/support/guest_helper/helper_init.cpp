// SPDX-License-Identifier: Apache-2.0
// First process of a test's machine (rdinit=): leaves a helper behind and becomes Carrel's own /init. The
// helper does beside guestd what no agent can, when the host says so. One line in, one line out on the port
// carrel.helper:
//
//   mount        the peer's share (virtiofs) where guestd mounts Carrel's, so that the agent sees both
//   net          QEMU's user network (slirp: 10.0.2.0/24, the host is .2) beside Carrel's, in the agent's network
//   drop         empties the kernel's caches
//   cpu          jiffies since boot: user and system of all, user and system of guestd
//   pids NAME    the processes of that name (comm), by number
//   kill NAME    SIGKILL to each of them; how many there were; likewise
//   stop NAME    SIGSTOP, and
//   go NAME      SIGCONT
//
// Modules that the peer needs lie in /helper/modules and are loaded in the order of their names.
#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
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

std::string linkOf(int proc, const std::string& path) {
    char text[64] = {};
    return ::readlinkat(proc, path.c_str(), text, sizeof text - 1) > 0 ? text : std::string();
}

// The network namespace of the agent: the one that is not ours. -1: there is none yet.
int agentsNetwork(int proc) {
    const auto own = linkOf(proc, "self/ns/net");
    const int folder = ::openat(proc, ".", O_RDONLY | O_DIRECTORY);
    DIR* list = folder < 0 ? nullptr : ::fdopendir(folder);
    int found = -1;
    for (const dirent* entry = nullptr; found < 0 && list != nullptr && (entry = ::readdir(list)) != nullptr;) {
        const auto path = std::string(entry->d_name) + "/ns/net";
        const auto network = linkOf(proc, path);
        if (!network.empty() && network != own) {
            found = ::openat(proc, path.c_str(), O_RDONLY | O_CLOEXEC);
        }
    }
    if (list != nullptr) {
        ::closedir(list);
    }
    return found;
}

// rtnetlink(7): the device of that index goes over to that namespace.
bool moveDevice(int index, int network) {
    struct {
        nlmsghdr head;
        ifinfomsg info;
        rtattr attribute;
        int fd;
    } request{};
    request.head.nlmsg_len = sizeof request;
    request.head.nlmsg_type = RTM_NEWLINK;
    request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request.info.ifi_index = index;
    request.attribute.rta_len = RTA_LENGTH(sizeof(int));
    request.attribute.rta_type = IFLA_NET_NS_FD;
    request.fd = network;
    const int netlink = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    char answer[4096] = {};
    const bool asked = ::send(netlink, &request, sizeof request, 0) > 0 && ::recv(netlink, answer, sizeof answer, 0) > 0;
    ::close(netlink);
    const auto* head = reinterpret_cast<const nlmsghdr*>(answer);
    return asked && head->nlmsg_type == NLMSG_ERROR && reinterpret_cast<const nlmsgerr*>(NLMSG_DATA(head))->error == 0;
}

bool setAddress(unsigned long what, const char* device, const char* address) {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strncpy(request.ifr_name, device, IFNAMSIZ - 1);
    bool done = false;
    if (address != nullptr) {
        auto* to = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
        to->sin_family = AF_INET;
        done = ::inet_pton(AF_INET, address, &to->sin_addr) == 1 && ::ioctl(socket, what, &request) == 0;
    } else { // it goes up
        done = ::ioctl(socket, SIOCGIFFLAGS, &request) == 0;
        request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
        done = done && ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
    }
    ::close(socket);
    return done;
}

// By a child, which does not come back from there.
const char* addUserNetwork(int proc) {
    const int network = agentsNetwork(proc);
    if (network < 0) {
        return "no agent yet";
    }
    const auto index = ::if_nametoindex("eth0");
    if (index == 0 || !moveDevice(static_cast<int>(index), network)) {
        return "no device";
    }
    const pid_t child = ::fork();
    if (child == 0) {
        const bool done = ::setns(network, CLONE_NEWNET) == 0 && setAddress(SIOCSIFADDR, "eth0", "10.0.2.15") &&
                          setAddress(SIOCSIFNETMASK, "eth0", "255.255.255.0") && setAddress(0, "eth0", nullptr);
        ::_exit(done ? 0 : 1);
    }
    int status = 1;
    (void)::waitpid(child, &status, 0);
    ::close(network);
    return status == 0 ? "ok" : "it cannot be set up";
}

std::string slurp(int proc, const std::string& path) {
    std::string text(4096, '\0');
    const int file = ::openat(proc, path.c_str(), O_RDONLY);
    const auto got = file < 0 ? 0 : ::read(file, text.data(), text.size());
    ::close(file);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

// The parent of a process (proc_pid_stat(5)); 0 when it has gone.
pid_t parentOf(int proc, pid_t pid) {
    const auto stat = slurp(proc, std::to_string(pid) + "/stat");
    const auto name = stat.rfind(')');
    int parent = 0;
    if (name != std::string::npos) {
        (void)std::sscanf(stat.c_str() + name + 1, " %*c %d", &parent);
    }
    return parent;
}

bool isNamed(int proc, pid_t pid, const std::string& name) {
    return slurp(proc, std::to_string(pid) + "/comm") == name + "\n";
}

// A child that a program has just forked bears its name until it runs another one: that is not counted.
std::vector<pid_t> processesNamed(int proc, const std::string& name) {
    std::vector<pid_t> found;
    const int folder = ::openat(proc, ".", O_RDONLY | O_DIRECTORY);
    DIR* list = folder < 0 ? nullptr : ::fdopendir(folder);
    for (const dirent* entry = nullptr; list != nullptr && (entry = ::readdir(list)) != nullptr;) {
        const auto pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10)); // 0 for what is none
        if (pid > 0 && isNamed(proc, pid, name) && !isNamed(proc, parentOf(proc, pid), name)) {
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

std::string signalAll(const std::vector<pid_t>& pids, int number) {
    int told = 0;
    for (const auto pid : pids) {
        told += ::kill(pid, number) == 0 ? 1 : 0;
    }
    return std::to_string(told);
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
    if (verb == "net") {
        return addUserNetwork(proc);
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
    for (const auto& [word, number] : {std::pair("kill", SIGKILL), std::pair("stop", SIGSTOP), std::pair("go", SIGCONT)}) {
        if (verb == word && !name.empty()) {
            return signalAll(processesNamed(proc, name), number);
        }
    }
    return "what?";
}

void help(const std::vector<int>& modules) {
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
    for (const int module : modules) {
        load(module);
    }
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
    std::vector<std::string> names;
    DIR* folder = ::opendir("/helper/modules");
    for (const dirent* entry = nullptr; folder != nullptr && (entry = ::readdir(folder)) != nullptr;) {
        if (entry->d_name[0] != '.') {
            names.emplace_back(entry->d_name);
        }
    }
    std::sort(names.begin(), names.end());
    std::vector<int> modules;
    for (const auto& name : names) { // while they can be seen: /init has another root
        modules.push_back(::open(("/helper/modules/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    }
    if (::fork() == 0) {
        (void)::setsid();
        help(modules);
    }
    ::execv("/init", argv);
    return 1;
}
