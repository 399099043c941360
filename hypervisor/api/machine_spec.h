// SPDX-License-Identifier: Apache-2.0
// What a machine is, before it exists: typed, bounded values and nothing else. A back end builds its native
// definition from these only, so that no text of a user's or a guest's ever becomes part of one unchecked.
// Thread: values.
#pragma once

#include "guest/protocol/result.h"

#include <array>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::hypervisor {

// Whose machines: the id of one Carrel data folder. 16 to 32 lowercase hexadecimal digits.
class HomeId {
public:
    [[nodiscard]] static Result<HomeId> parse(std::string_view text);
    [[nodiscard]] const std::string& text() const { return m_text; }
    auto operator<=>(const HomeId&) const = default;

private:
    explicit HomeId(std::string text)
        : m_text(std::move(text)) {}
    std::string m_text;
};

// Which agent's machine. 16 to 32 lowercase hexadecimal digits, random.
class AgentId {
public:
    [[nodiscard]] static Result<AgentId> parse(std::string_view text);
    [[nodiscard]] static Result<AgentId> random();
    [[nodiscard]] const std::string& text() const { return m_text; }
    auto operator<=>(const AgentId&) const = default;

private:
    explicit AgentId(std::string text)
        : m_text(std::move(text)) {}
    std::string m_text;
};

// A machine's name on the host. The first 16 digits of both ids make the UUID (version 8 of RFC 9562), so a
// machine's owner can be told from either.
struct MachineId {
    HomeId home;
    AgentId agent;

    [[nodiscard]] std::string name() const; // carrel-<8 digits of home>-<8 digits of agent>
    [[nodiscard]] std::string uuid() const; // 8-4-4-4-12, lowercase
    auto operator<=>(const MachineId&) const = default;
};

// An ordered byte stream between host and guest.
enum class ChannelId { Control, Files, Network, Terminals, Console };
inline constexpr std::array kChannels{ChannelId::Control, ChannelId::Files, ChannelId::Network,
                                      ChannelId::Terminals, ChannelId::Console};
[[nodiscard]] std::string_view toString(ChannelId channel); // "control", …
// The name of the virtio-serial port in the guest ("carrel.control", /dev/virtio-ports/…); empty for the
// console, which is the guest's first serial port.
[[nodiscard]] std::string_view portName(ChannelId channel);

enum class Accelerator {
    Hardware, // KVM
    Software, // TCG: slower, and a weaker wall (QEMU's own security policy says so)
};
[[nodiscard]] std::string_view toString(Accelerator accelerator); // "hardware", "software"

struct Mebibytes {
    std::uint64_t value = 0;
    auto operator<=>(const Mebibytes&) const = default;
};

// One virtio disk, /dev/vda in the guest: everybody's read-only base, and over it this agent's own layer.
struct DiskSpec {
    std::filesystem::path base;    // raw; opened read-only
    std::filesystem::path overlay; // qcow2; made when missing, never truncated. Empty: none, the disk is the base, read-only
    std::uint64_t virtualBytes = std::uint64_t{64} << 30; // multiple of 512, not below the base's size
};

// Memory that host and guest both see, beside the machine's own: what one side has to hand over in bulk it
// puts there, and says so on a channel. A guest finds it as a PCI device (1af4:1110, "ivshmem", QEMU's
// docs/specs/ivshmem-spec.rst).
struct WindowSpec {
    Mebibytes size{16}; // a power of two; of it only what is used takes memory
};

// Limits: each is checked by validate().
inline constexpr std::uint64_t kMinMemoryMib = 128;
inline constexpr std::uint64_t kMaxMemoryMib = std::uint64_t{1} << 20; // 1 TiB
inline constexpr unsigned kMaxCpus = 64;
inline constexpr std::size_t kMaxCommandLine = 2000; // x86 Linux takes 2047 and the end mark
inline constexpr std::size_t kMaxPath = 1024;
inline constexpr std::uint64_t kMaxWindowMib = 256;
inline constexpr std::uint64_t kMaxDiskBytes = std::uint64_t{16} << 40; // 16 TiB
inline constexpr std::size_t kMaxSocketPath = 107;                      // sockaddr_un, unix(7)

struct MachineSpec {
    MachineId id;
    Mebibytes memory{1024};
    unsigned cpus = 1;
    std::filesystem::path kernel; // bzImage, or an uncompressed ELF vmlinux (starts faster)
    std::filesystem::path initrd;
    // Printable ASCII. The back end appends what its console and accelerator need (console=…).
    std::string commandLine;
    std::optional<WindowSpec>
        window; // absent, or a back end without the ability: everything goes over the channels
    std::optional<DiskSpec> disk; // absent: a machine that lives in its initrd, e.g. a probe
    // Folder of this machine alone, made 0700 when missing; holds its sockets. Short: see kMaxSocketPath.
    std::filesystem::path runtimeFolder;
    Accelerator accelerator = Accelerator::Software; // as HostReport chose
};

// <runtimeFolder>/<channel>.sock
[[nodiscard]] std::filesystem::path socketPath(const std::filesystem::path& runtimeFolder, ChannelId channel);

// <runtimeFolder>/window
[[nodiscard]] std::filesystem::path windowPath(const std::filesystem::path& runtimeFolder);

// InvalidArgument with the field and the bound in plain words. Touches no file.
[[nodiscard]] Status validate(const MachineSpec& spec);

} // namespace carrel::hypervisor
