// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/net_steering.h"

#include "guest/guestd/net_places.h"

#include <array>
#include <cstddef>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <vector>

namespace carrel::guestd {

namespace {

constexpr std::uint16_t kDnsPort = 53;
constexpr std::uint16_t kNtpPort = 123;
// At the resolver's address, where nobody else listens; connections come by the steering and not by this number.
constexpr std::uint16_t kListenPort = 1;
constexpr int kBacklog = 4096;

// Places in the map of sockets.
enum Slot : std::int32_t { kTcp4 = 0, kTcp6 = 1, kDns4 = 2, kDns6 = 3, kNtp4 = 4, kNtp6 = 5, kSlots = 6 };

long bpf(bpf_cmd command, bpf_attr& what) {
    return ::syscall(SYS_bpf, command, &what, sizeof what);
}

std::uint64_t pointer(const void* to) {
    return reinterpret_cast<std::uint64_t>(to);
}

// The program, built up instruction by instruction: there is no compiler for it here, and it is short.
class Program {
public:
    enum Register : std::uint8_t { R0, R1, R2, R3, R4, R5, Context, Socket, R8, R9, Stack };

    void load(Register to, std::size_t field) { add(BPF_LDX | BPF_MEM | BPF_W, to, Context, static_cast<std::int16_t>(field), 0); }
    void set(Register to, std::int32_t value) { add(BPF_ALU64 | BPF_MOV | BPF_K, to, R0, 0, value); }
    void copy(Register to, Register from) { add(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
    void mask(Register what, std::int32_t value) { add(BPF_ALU64 | BPF_AND | BPF_K, what, R0, 0, value); }
    void call(std::int32_t function) { add(BPF_JMP | BPF_CALL, R0, R0, 0, function); }
    void exit(std::int32_t verdict) {
        set(R0, verdict);
        add(BPF_JMP | BPF_EXIT, R0, R0, 0, 0);
    }
    // A jump whose aim is told later, by land().
    using Jump = std::size_t;
    // 32 bits wide: fields are no longer, and an address may look negative.
    Jump jumpIf(Register what, std::uint32_t value) { return jump(BPF_JMP32 | BPF_JEQ | BPF_K, what, value); }
    Jump jumpUnless(Register what, std::uint32_t value) { return jump(BPF_JMP32 | BPF_JNE | BPF_K, what, value); }
    Jump jumpIfNull(Register what) { return jump(BPF_JMP | BPF_JEQ | BPF_K, what, 0); } // a pointer is wider
    Jump jumpAlways() { return jump(BPF_JMP | BPF_JA, R0, 0); }
    void land(Jump from) { m_code[from].off = static_cast<std::int16_t>(m_code.size() - from - 1); }
    void land(const std::vector<Jump>& all) {
        for (const Jump from : all) {
            land(from);
        }
    }
    void loadMap(Register to, int map) {
        add(BPF_LD | BPF_IMM | BPF_DW, to, static_cast<Register>(BPF_PSEUDO_MAP_FD), 0, map);
        add(0, R0, R0, 0, 0);
    }
    void store(std::int16_t at, std::int32_t value) { add(BPF_ST | BPF_MEM | BPF_W, Stack, R0, at, value); }
    void moveBy(Register what, std::int32_t by) { add(BPF_ALU64 | BPF_ADD | BPF_K, what, R0, 0, by); }

    [[nodiscard]] const std::vector<bpf_insn>& code() const { return m_code; }

private:
    Jump jump(int code, Register what, std::uint32_t value) {
        add(code, what, R0, 0, static_cast<std::int32_t>(value));
        return m_code.size() - 1;
    }
    void add(int code, Register to, Register from, std::int16_t offset, std::int32_t value) {
        bpf_insn one{};
        one.code = static_cast<std::uint8_t>(code);
        one.dst_reg = to & 0xfU;
        one.src_reg = from & 0xfU;
        one.off = offset;
        one.imm = value;
        m_code.push_back(one);
    }
    std::vector<bpf_insn> m_code;
};

// As the program sees it: network order, loaded as a number.
std::uint32_t word(const std::uint8_t* bytes) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

Program steering(int map) {
    constexpr std::size_t kAddress6 = offsetof(bpf_sk_lookup, local_ip6);
    constexpr std::int16_t kKey = -4;
    Program program;
    std::vector<Program::Jump> own;   // stays the agent's
    std::vector<Program::Jump> found; // the key is on the stack
    program.copy(Program::Context, Program::R1);
    program.load(Program::R3, offsetof(bpf_sk_lookup, protocol));
    program.load(Program::R4, offsetof(bpf_sk_lookup, local_port)); // in host order
    program.load(Program::R2, offsetof(bpf_sk_lookup, family));
    const auto isV6 = program.jumpUnless(Program::R2, AF_INET);
    const auto chooseUnless = [&](Program::Jump isOther, std::int32_t slot) {
        program.store(kKey, slot);
        found.push_back(program.jumpAlways());
        program.land(isOther);
    };
    const auto choose = [&](std::int32_t tcp, std::int32_t dns, std::int32_t ntp) {
        chooseUnless(program.jumpUnless(Program::R3, IPPROTO_TCP), tcp);
        chooseUnless(program.jumpUnless(Program::R4, kDnsPort), dns);
        chooseUnless(program.jumpUnless(Program::R4, kNtpPort), ntp);
        program.exit(SK_DROP); // no socket: the kernel says so to the sender
    };

    program.load(Program::R2, offsetof(bpf_sk_lookup, local_ip4));
    own.push_back(program.jumpIf(Program::R2, word(kOwnAddress4.data())));
    program.mask(Program::R2, 0xff); // the first byte
    own.push_back(program.jumpIf(Program::R2, 127));
    choose(kTcp4, kDns4, kNtp4);

    program.land(isV6);
    const auto isOwn6 = [&](const net::Ipv6& address) {
        std::vector<Program::Jump> other;
        for (std::size_t at = 0; at < address.size(); at += 4) {
            program.load(Program::R2, kAddress6 + at);
            other.push_back(program.jumpUnless(Program::R2, word(address.data() + at)));
        }
        own.push_back(program.jumpAlways());
        program.land(other);
    };
    net::Ipv6 loopback{};
    loopback.back() = 1;
    isOwn6(loopback);
    isOwn6(kOwnAddress6);
    choose(kTcp6, kDns6, kNtp6);

    program.land(found);
    program.loadMap(Program::R1, map);
    program.copy(Program::R2, Program::Stack);
    program.moveBy(Program::R2, kKey);
    program.call(BPF_FUNC_map_lookup_elem);
    own.push_back(program.jumpIfNull(Program::R0));
    program.copy(Program::Socket, Program::R0);
    program.copy(Program::R1, Program::Context);
    program.copy(Program::R2, Program::Socket);
    program.set(Program::R3, 0);
    program.call(BPF_FUNC_sk_assign);
    program.copy(Program::R1, Program::Socket);
    program.call(BPF_FUNC_sk_release);
    program.land(own);
    program.exit(SK_PASS);
    return program;
}

union Address {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

Result<UniqueFd> socketAt(int family, int type, std::uint16_t port) {
    UniqueFd socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    Address at{};
    socklen_t size = sizeof at.v4;
    const int yes = 1;
    at.any.sa_family = static_cast<sa_family_t>(family);
    if (family == AF_INET) {
        at.v4.sin_port = htons(port);
        std::memcpy(&at.v4.sin_addr, kResolver4.data(), kResolver4.size());
    } else {
        size = sizeof at.v6;
        at.v6.sin6_port = htons(port);
        std::memcpy(&at.v6.sin6_addr, kResolver6.data(), kResolver6.size());
    }
    // IPv6 asks for an address that an interface bears, even where another is local by its route.
    if (socket && family == AF_INET6) {
        (void)::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_FREEBIND, &yes, sizeof yes);
    }
    if (!socket || ::bind(socket.get(), &at.any, size) != 0) {
        return failErrno("making a socket for the agent's network");
    }
    const bool ready = type == SOCK_STREAM ? ::listen(socket.get(), kBacklog) == 0
                       : family == AF_INET ? ::setsockopt(socket.get(), IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes) == 0
                                           : ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof yes) == 0;
    if (!ready) {
        return failErrno("preparing a socket for the agent's network");
    }
    return socket;
}

Result<UniqueFd> attach(const NetSockets& sockets, int networkNamespace) {
    bpf_attr make{};
    make.map_type = BPF_MAP_TYPE_SOCKMAP;
    make.key_size = sizeof(std::int32_t);
    make.value_size = sizeof(std::uint64_t);
    make.max_entries = kSlots;
    const UniqueFd map(static_cast<int>(bpf(BPF_MAP_CREATE, make)));
    if (!map) {
        return failErrno("making the map of sockets");
    }
    const std::array<const UniqueFd*, kSlots> slots{&sockets.tcp4, &sockets.tcp6, &sockets.dns4, &sockets.dns6, &sockets.ntp4, &sockets.ntp6};
    for (std::int32_t slot = 0; slot < kSlots; ++slot) {
        const auto socket = static_cast<std::uint64_t>(slots[static_cast<std::size_t>(slot)]->get());
        bpf_attr put{};
        put.map_fd = static_cast<std::uint32_t>(map.get());
        put.key = pointer(&slot);
        put.value = pointer(&socket);
        if (bpf(BPF_MAP_UPDATE_ELEM, put) != 0) {
            return failErrno("filling the map of sockets");
        }
    }
    const auto code = steering(map.get());
    bpf_attr load{};
    load.prog_type = BPF_PROG_TYPE_SK_LOOKUP;
    load.expected_attach_type = BPF_SK_LOOKUP;
    load.insns = pointer(code.code().data());
    load.insn_cnt = static_cast<std::uint32_t>(code.code().size());
    load.license = pointer("Apache-2.0");
    const UniqueFd program(static_cast<int>(bpf(BPF_PROG_LOAD, load)));
    if (!program) {
        return failErrno("loading the program that steers connections");
    }
    bpf_attr link{};
    link.link_create.prog_fd = static_cast<std::uint32_t>(program.get());
    link.link_create.target_fd = static_cast<std::uint32_t>(networkNamespace);
    link.link_create.attach_type = BPF_SK_LOOKUP;
    UniqueFd attached(static_cast<int>(bpf(BPF_LINK_CREATE, link)));
    if (!attached) {
        return failErrno("attaching the program that steers connections");
    }
    return attached;
}

} // namespace

Result<NetSockets> steerNetwork(int networkNamespace) {
    if (::setns(networkNamespace, CLONE_NEWNET) != 0) {
        return failErrno("entering the agent's network");
    }
    NetSockets sockets;
    struct Wanted {
        UniqueFd* socket;
        int family;
        int type;
        std::uint16_t port;
    };
    for (const auto& wanted : {Wanted{&sockets.tcp4, AF_INET, SOCK_STREAM, kListenPort},
                               Wanted{&sockets.tcp6, AF_INET6, SOCK_STREAM, kListenPort},
                               Wanted{&sockets.dns4, AF_INET, SOCK_DGRAM, kDnsPort},
                               Wanted{&sockets.dns6, AF_INET6, SOCK_DGRAM, kDnsPort},
                               Wanted{&sockets.ntp4, AF_INET, SOCK_DGRAM, kNtpPort},
                               Wanted{&sockets.ntp6, AF_INET6, SOCK_DGRAM, kNtpPort}}) {
        auto made = socketAt(wanted.family, wanted.type, wanted.port);
        if (!made) {
            return fail(made.error());
        }
        *wanted.socket = std::move(*made);
    }
    auto link = attach(sockets, networkNamespace);
    if (!link) {
        return fail(link.error());
    }
    sockets.link = std::move(*link);
    return sockets;
}

} // namespace carrel::guestd
