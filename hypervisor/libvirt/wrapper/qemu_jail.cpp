// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/libvirt/wrapper/qemu_jail.h"

#include "guest/protocol/strict_json.h"

#include <seccomp.h>

#include <array>
#include <cerrno>
#include <memory>

namespace carrel::hypervisor {
namespace {

using confine::Access;

constexpr std::string_view kLibvirtFolder = "/libvirt/qemu/lib/";

bool climbs(std::string_view path) {
    return path.find("/../") != std::string_view::npos || path.ends_with("/..");
}

// "<anything>/libvirt/qemu/lib/<one component beginning with prefix>" → the component's end, else npos.
std::size_t endOfLibvirtComponent(std::string_view path, std::string_view prefix) {
    const std::size_t at = path.find(kLibvirtFolder);
    if (!path.starts_with('/') || climbs(path) || at == std::string_view::npos ||
        !path.substr(at + kLibvirtFolder.size()).starts_with(prefix)) {
        return std::string_view::npos;
    }
    const std::size_t end = path.find('/', at + kLibvirtFolder.size());
    return end == std::string_view::npos ? path.size() : end;
}

confine::FileView systemView() {
    confine::FileView view;
    view.required = {
        {"/usr", Access::ReadExecute}, {"/dev/null", Access::ReadWrite}, {"/dev/urandom", Access::ReadOnly}};
    view.optional = {{"/lib", Access::ReadExecute},
                     {"/lib64", Access::ReadExecute},
                     {"/etc/ld.so.cache", Access::ReadOnly},
                     {"/etc/qemu", Access::ReadOnly},
                     {"/proc/self", Access::ReadOnly},
                     {"/proc/filesystems", Access::ReadOnly},
                     {"/sys/devices/system/cpu", Access::ReadOnly},
                     {"/sys/devices/system/node", Access::ReadOnly},
                     {"/sys/module/kvm", Access::ReadOnly},
                     {"/sys/module/kvm_intel", Access::ReadOnly},
                     {"/sys/module/kvm_amd", Access::ReadOnly}};
    return view;
}

Status refuseSockets() {
    const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                                   seccomp_release);
    if (!filter) {
        return fail(ErrorCode::Unsupported, "this system cannot filter system calls");
    }
    constexpr std::array kRefused{
        SCMP_SYS(socket),
        SCMP_SYS(connect),
        SCMP_SYS(bind),
        SCMP_SYS(io_uring_setup),
        SCMP_SYS(ptrace),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(open_by_handle_at),
        SCMP_SYS(unshare),
        SCMP_SYS(setns),
        SCMP_SYS(mount),
        SCMP_SYS(bpf),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(keyctl),
        SCMP_SYS(add_key),
        SCMP_SYS(request_key),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(pidfd_getfd),
    };
    for (const int call : kRefused) {
        if (const int error = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0); error != 0) {
            return failErrno("cannot refuse a system call", -error);
        }
    }
    if (const int error = seccomp_load(filter.get()); error != 0) {
        return failErrno("the kernel did not take the filter of system calls", -error);
    }
    return {};
}

} // namespace

std::string domainKeyFile(std::span<const std::string> arguments) {
    for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
        if (arguments[i] != "-object") {
            continue;
        }
        const auto object = parseJsonObject(arguments[i + 1]);
        const auto* file = object ? object->if_contains("file") : nullptr;
        if (file == nullptr || !file->is_string()) {
            continue;
        }
        const std::string path(file->as_string());
        const std::size_t end = endOfLibvirtComponent(path, "domain-");
        if (end != std::string::npos && std::string_view(path).substr(end) == "/master-key.aes") {
            return path;
        }
    }
    return {};
}

std::string capabilityProbeFolder(std::span<const std::string> arguments) {
    for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
        if (arguments[i] != "-pidfile") {
            continue;
        }
        const std::string& path = arguments[i + 1];
        const std::size_t end = endOfLibvirtComponent(path, "qmp-");
        if (end != std::string::npos && std::string_view(path).substr(end) == "/qmp.pid") {
            return path.substr(0, end);
        }
    }
    return {};
}

confine::FileView qemuView(const std::optional<QemuPolicy>& policy, std::span<const std::string> arguments) {
    confine::FileView view = systemView();
    if (!policy) {
        view.optional.push_back({"/dev/kvm", Access::ReadWrite}); // the probe asks whether KVM is there
        if (std::string folder = capabilityProbeFolder(arguments); !folder.empty()) {
            view.required.push_back({std::move(folder), Access::ReadWrite});
        }
        return view;
    }
    for (const std::string& path : policy->readOnly) {
        view.required.push_back({path, Access::ReadOnly});
    }
    for (const std::string& path : policy->readWrite) {
        view.required.push_back({path, Access::ReadWrite});
    }
    if (policy->hardware) {
        view.required.push_back({"/dev/kvm", Access::ReadWrite});
    }
    if (std::string file = domainKeyFile(arguments); !file.empty()) {
        view.required.push_back({std::move(file), Access::ReadOnly});
    }
    return view;
}

Status confineQemu(const std::optional<QemuPolicy>& policy, std::span<const std::string> arguments) {
    CARREL_TRY(confine::restrictFiles(qemuView(policy, arguments)));
    return policy ? refuseSockets() : Status{};
}

} // namespace carrel::hypervisor
