// SPDX-License-Identifier: Apache-2.0
// carrel-qemu: what libvirt starts as a machine's emulator. Confines itself, then becomes QEMU.
#include "hypervisor/libvirt/wrapper/qemu_jail.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <unistd.h>
#include <vector>

namespace {

constexpr int kCannotConfine = 125;
constexpr int kCannotExecute = 126;

int complain(const carrel::Error& error, int status) {
    std::fprintf(stderr, "carrel-qemu: %s\n", error.text().c_str());
    if (!error.hint.empty()) {
        std::fprintf(stderr, "carrel-qemu: %s\n", error.hint.c_str());
    }
    return status;
}

int run(int argc, char** argv) {
    using namespace carrel;
    std::optional<hypervisor::QemuPolicy> policy;
    if (const char* text = std::getenv(hypervisor::kQemuPolicyVariable); text != nullptr) {
        auto read = hypervisor::readQemuPolicy(text);
        if (!read) {
            return complain(read.error().wrap("the machine's list of files is damaged, so it is not started"),
                            kCannotConfine);
        }
        policy = std::move(*read);
    }
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (auto confined = hypervisor::confineQemu(policy, arguments); !confined) {
        return complain(
            confined.error().wrap("the machine's process cannot be confined, so it is not started"),
            kCannotConfine);
    }
    ::execv(hypervisor::kRealQemu, argv);
    return complain(errnoError(std::string("cannot start ") + hypervisor::kRealQemu), kCannotExecute);
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception&) { // out of memory: nothing is confined, so nothing starts
        return kCannotConfine;
    }
}
