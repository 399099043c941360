// SPDX-License-Identifier: Apache-2.0
// A disk that answers to names which it does not list, as vfat and ntfs do: a folder, shown again by the kernel's FUSE under a
// second mount, where "SSH~1" opens ".ssh" and so on. A broker serves it, since it speaks that protocol. In a user and mount
// namespace of a child's own: no privilege is needed, and nothing outlives the test. Read-only.
#pragma once

#include "tests/app/clerk/guest_side.h"

#include <csignal>
#include <fcntl.h>
#include <functional>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace carrel::clerk::test {

using OtherNames = std::map<std::string, std::string>; // what it answers to besides, and what that is

inline bool writeText(const char* file, const std::string& text) {
    const UniqueFd fd(::open(file, O_WRONLY | O_CLOEXEC));
    return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

inline void serveDisk(int fuse, const std::string& folder, const OtherNames& names) {
    ShareBroker::Options options;
    options.watchHost = false;
    Guest disk(folder, options);
    Bytes request(1U << 20U);
    for (;;) {
        const ssize_t got = ::read(fuse, request.data(), request.size());
        if (got < static_cast<ssize_t>(sizeof(lower::InHeader))) {
            if (got < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN)) {
                continue;
            }
            return; // unmounted
        }
        Bytes message(request.begin(), request.begin() + got);
        const auto header = loadLe<lower::InHeader>(message);
        if (header.opcode == static_cast<std::uint32_t>(lower::Opcode::Lookup)) {
            std::string name(asText(message).substr(sizeof header));
            name.pop_back();
            if (const auto other = names.find(name); other != names.end()) {
                name = other->second + '\0';
                message = test::message(lower::Opcode::Lookup, header.nodeid, asBytes(name), header.unique);
            }
        }
        if (header.opcode == static_cast<std::uint32_t>(lower::Opcode::Init)) {
            auto init = loadLe<lower::InitIn>(message, sizeof header);
            init.flags &= ~(1U << 14U); // FUSE_READDIRPLUS_AUTO: a broker knows no other listing
            message = test::message(lower::Opcode::Init, 0, structBody(init), header.unique);
        }
        auto reply = disk.broker->handle(message);
        while (!reply && disk.broker->nextDeferred()) {
            std::this_thread::sleep_until(*disk.broker->nextDeferred());
            auto late = disk.broker->runDeferred();
            if (!late.empty()) {
                reply = std::move(late.front());
            }
        }
        if (reply) {
            (void)!::write(fuse, reply->data(), reply->size());
        }
    }
}

// What `body` complains of, in a child that sees `folder` at `mountPoint`; "-" in front: it could not be tried.
inline std::string onSuchADisk(const std::string& folder, const std::string& mountPoint, const OtherNames& names,
                               const std::function<std::string()>& body) {
    constexpr std::size_t kRoom = 16384;
    void* shared = ::mmap(nullptr, kRoom, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const auto inChild = [&]() -> std::string {
        const std::string user = std::to_string(::geteuid());
        const std::string group = std::to_string(::getegid());
        if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !writeText("/proc/self/setgroups", "deny") ||
            !writeText("/proc/self/uid_map", user + " " + user + " 1") ||
            !writeText("/proc/self/gid_map", group + " " + group + " 1")) {
            return "-user namespaces are forbidden on this system";
        }
        const UniqueFd fuse(::open("/dev/fuse", O_RDWR | O_CLOEXEC)); // in the namespace that mounts it
        const std::string how = "fd=" + std::to_string(fuse.get()) + ",rootmode=40000,user_id=" + user + ",group_id=" + group;
        if (!fuse || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("other-names", mountPoint.c_str(), "fuse", MS_NOSUID | MS_NODEV, how.c_str()) != 0) {
            return "-this system lets no namespace mount a FUSE file system";
        }
        const pid_t server = ::fork();
        if (server == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            serveDisk(fuse.get(), folder, names);
            ::_exit(0);
        }
        std::string said = body();
        ::kill(server, SIGKILL);
        ::waitpid(server, nullptr, 0);
        ::umount2(mountPoint.c_str(), MNT_DETACH);
        return said;
    };
    const pid_t child = ::fork();
    if (child == 0) {
        const std::string said = inChild();
        std::memcpy(shared, said.data(), std::min(said.size(), kRoom - 1));
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    std::string said =
        status == 0 ? std::string(static_cast<const char*>(shared)) : "the child died, status " + std::to_string(status);
    ::munmap(shared, kRoom);
    return said;
}

} // namespace carrel::clerk::test
