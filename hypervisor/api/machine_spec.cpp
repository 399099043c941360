// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/api/machine_spec.h"

#include <algorithm>
#include <bit>
#include <sys/random.h>

namespace carrel::hypervisor {
namespace {

constexpr std::size_t kMinIdDigits = 16;
constexpr std::size_t kMaxIdDigits = 32;

bool isLowerHex(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Status checkId(std::string_view text, std::string_view what) {
    if (text.size() < kMinIdDigits || text.size() > kMaxIdDigits || !isLowerHex(text)) {
        return fail(ErrorCode::InvalidArgument,
                    std::string(what) + " must be 16 to 32 lowercase hexadecimal digits");
    }
    return {};
}

bool isPrintableAscii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

// QEMU and libvirt take paths as text in JSON and XML: bytes that either cannot carry are refused here.
Status checkPath(const std::filesystem::path& path, std::string_view what) {
    const std::string& text = path.native();
    if (text.empty() || text.front() != '/') {
        return fail(ErrorCode::InvalidArgument, "the path of the " + std::string(what) + " must be absolute");
    }
    if (text.size() > kMaxPath) {
        return fail(ErrorCode::InvalidArgument, "the path of the " + std::string(what) + " is longer than " +
                                                    std::to_string(kMaxPath) + " bytes");
    }
    if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
        return fail(ErrorCode::InvalidArgument,
                    "the path of the " + std::string(what) + " contains a control character");
    }
    return {};
}

Status checkDisk(const DiskSpec& disk) {
    CARREL_TRY(checkPath(disk.base, "base image"));
    if (disk.overlay.empty()) {
        return {}; // as large as its base
    }
    CARREL_TRY(checkPath(disk.overlay, "machine's disk"));
    if (disk.virtualBytes == 0 || disk.virtualBytes % 512 != 0 || disk.virtualBytes > kMaxDiskBytes) {
        return fail(ErrorCode::InvalidArgument,
                    "the disk's size must be a multiple of 512 bytes and at most 16 TiB");
    }
    return {};
}

Status checkSockets(const std::filesystem::path& folder) {
    CARREL_TRY(checkPath(folder, "runtime folder"));
    for (const ChannelId channel : kChannels) {
        const std::string path = socketPath(folder, channel).native();
        if (path.size() > kMaxSocketPath) {
            return fail(ErrorCode::InvalidArgument,
                        "the path of a machine's socket is " + std::to_string(path.size()) +
                            " bytes long and the system takes at most " + std::to_string(kMaxSocketPath) +
                            " (" + path + ")",
                        "choose a shorter folder, for example by setting CARREL_HOME or XDG_RUNTIME_DIR");
        }
    }
    return {};
}

} // namespace

Result<HomeId> HomeId::parse(std::string_view text) {
    CARREL_TRY(checkId(text, "the id of a data folder"));
    return HomeId(std::string(text));
}

Result<AgentId> AgentId::parse(std::string_view text) {
    CARREL_TRY(checkId(text, "the id of an agent"));
    return AgentId(std::string(text));
}

Result<AgentId> AgentId::random() {
    std::array<unsigned char, kMaxIdDigits / 2> raw{};
    if (::getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) {
        return failErrno("no random numbers from the system");
    }
    std::string text;
    for (const unsigned char byte : raw) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return AgentId(std::move(text));
}

std::string MachineId::name() const {
    return "carrel-" + home.text().substr(0, 8) + "-" + agent.text().substr(0, 8);
}

std::string MachineId::uuid() const {
    std::string digits = home.text().substr(0, 16) + agent.text().substr(0, 16);
    digits[12] = '8'; // version 8: "vendor's own layout"
    digits[16] = "89ab"[(digits[16] <= '9' ? digits[16] - '0' : digits[16] - 'a' + 10) & 3]; // the variant
    return digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-" + digits.substr(12, 4) + "-" +
           digits.substr(16, 4) + "-" + digits.substr(20);
}

std::string_view toString(ChannelId channel) {
    switch (channel) {
    case ChannelId::Control:
        return "control";
    case ChannelId::Files:
        return "files";
    case ChannelId::Network:
        return "network";
    case ChannelId::Terminals:
        return "terminals";
    case ChannelId::Console:
        return "console";
    }
    return "";
}

std::string_view portName(ChannelId channel) {
    switch (channel) {
    case ChannelId::Control:
        return "carrel.control";
    case ChannelId::Files:
        return "carrel.files";
    case ChannelId::Network:
        return "carrel.network";
    case ChannelId::Terminals:
        return "carrel.terminals";
    case ChannelId::Console:
        return "";
    }
    return "";
}

std::string_view toString(Accelerator accelerator) {
    return accelerator == Accelerator::Hardware ? "hardware" : "software";
}

std::filesystem::path socketPath(const std::filesystem::path& runtimeFolder, ChannelId channel) {
    return runtimeFolder / (std::string(toString(channel)) + ".sock");
}

std::filesystem::path windowPath(const std::filesystem::path& runtimeFolder) {
    return runtimeFolder / "window";
}

Status validate(const MachineSpec& spec) {
    if (spec.memory.value < kMinMemoryMib || spec.memory.value > kMaxMemoryMib) {
        return fail(ErrorCode::InvalidArgument, "a machine's memory must be between " +
                                                    std::to_string(kMinMemoryMib) + " and " +
                                                    std::to_string(kMaxMemoryMib) + " MiB");
    }
    if (spec.cpus == 0 || spec.cpus > kMaxCpus) {
        return fail(ErrorCode::InvalidArgument,
                    "a machine has between 1 and " + std::to_string(kMaxCpus) + " processors");
    }
    if (spec.commandLine.size() > kMaxCommandLine || !isPrintableAscii(spec.commandLine)) {
        return fail(ErrorCode::InvalidArgument,
                    "the kernel's command line must be printable ASCII of at most " +
                        std::to_string(kMaxCommandLine) + " bytes");
    }
    if (spec.window &&
        (!std::has_single_bit(spec.window->size.value) || spec.window->size.value > kMaxWindowMib)) {
        return fail(ErrorCode::InvalidArgument, "a machine's window is a power of two of at most " +
                                                    std::to_string(kMaxWindowMib) + " MiB");
    }
    CARREL_TRY(checkPath(spec.kernel, "kernel"));
    CARREL_TRY(checkPath(spec.initrd, "initrd"));
    if (spec.disk) {
        CARREL_TRY(checkDisk(*spec.disk));
    }
    return checkSockets(spec.runtimeFolder);
}

} // namespace carrel::hypervisor
