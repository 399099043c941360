// SPDX-License-Identifier: Apache-2.0
#include "guest/watch/seen.h"

#include "guest/bpf/watch_record.h"

#include <algorithm>
#include <sched.h>
#include <sys/syscall.h>
#include <utility>

namespace carrel::watch {

namespace {

constexpr std::string_view kCut = "/\u2026"; // before what is left of a path
constexpr std::uint64_t kPageKibibytes = 4;

// The names are there from the last to the first.
std::string pathOf(std::string_view names, bool cut) {
    std::string path;
    while (!names.empty()) {
        names.remove_suffix(1); // its NUL
        const auto before = names.rfind('\0');
        const auto name = before == std::string_view::npos ? names : names.substr(before + 1);
        path += '/';
        path += name;
        names = before == std::string_view::npos ? std::string_view() : names.substr(0, before + 1);
    }
    return path.empty() ? "/" : (cut ? std::string(kCut) + path : path);
}

bool areNames(std::string_view text) {
    return text.empty() || (text.back() == '\0' && text.front() != '\0' && text.find(std::string_view("\0\0", 2)) == std::string_view::npos);
}

std::string namespaceNames(std::uint64_t flags) {
    constexpr std::pair<std::uint64_t, std::string_view> kKinds[] = {
        {CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"},       {CLONE_NEWNET, "network"},
        {CLONE_NEWUTS, "uts"},   {CLONE_NEWIPC, "ipc"},  {CLONE_NEWCGROUP, "cgroup"}, {0x80 /* CLONE_NEWTIME */, "time"}};
    std::string out;
    for (const auto& [flag, name] : kKinds) {
        if ((flags & flag) != 0) {
            out += (out.empty() ? "" : ",") + std::string(name);
        }
    }
    return out;
}

std::string capabilityName(std::uint64_t number) {
    constexpr std::pair<std::uint64_t, std::string_view> kTold[] = {{16, "SYS_MODULE"}, {17, "SYS_RAWIO"}, {19, "SYS_PTRACE"}, {22, "SYS_BOOT"},
                                                                    {25, "SYS_TIME"},   {38, "PERFMON"},   {39, "BPF"}};
    const auto* at = std::find_if(std::begin(kTold), std::end(kTold), [&](const auto& each) { return each.first == number; });
    return at == std::end(kTold) ? std::to_string(number) : std::string(at->second);
}

std::string callName(std::uint64_t number) {
    constexpr std::pair<std::uint64_t, std::string_view> kKnown[] = {
        {SYS_bpf, "bpf"}, {SYS_kexec_load, "kexec_load"}, {SYS_kexec_file_load, "kexec_file_load"}, {SYS_init_module, "init_module"},
        {SYS_finit_module, "finit_module"}, {SYS_delete_module, "delete_module"}, {SYS_perf_event_open, "perf_event_open"},
        {SYS_userfaultfd, "userfaultfd"}, {SYS_keyctl, "keyctl"}, {SYS_add_key, "add_key"}, {SYS_request_key, "request_key"},
        {SYS_io_uring_setup, "io_uring_setup"}, {SYS_io_uring_enter, "io_uring_enter"}, {SYS_io_uring_register, "io_uring_register"},
        {SYS_ptrace, "ptrace"}, {SYS_process_vm_readv, "process_vm_readv"}, {SYS_process_vm_writev, "process_vm_writev"},
        {SYS_reboot, "reboot"}, {SYS_mount, "mount"}, {SYS_umount2, "umount2"}, {SYS_pivot_root, "pivot_root"}, {SYS_unshare, "unshare"},
        {SYS_setns, "setns"}, {SYS_swapon, "swapon"}, {SYS_swapoff, "swapoff"}, {SYS_settimeofday, "settimeofday"},
        {SYS_clock_settime, "clock_settime"}, {SYS_open_by_handle_at, "open_by_handle_at"}, {SYS_fanotify_init, "fanotify_init"},
        {SYS_acct, "acct"}, {SYS_syslog, "syslog"}, {SYS_quotactl, "quotactl"}, {SYS_personality, "personality"},
        {SYS_move_pages, "move_pages"}, {SYS_mbind, "mbind"}, {SYS_kcmp, "kcmp"}, {SYS_lookup_dcookie, "lookup_dcookie"}};
    const auto* at = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const auto& each) { return static_cast<std::uint64_t>(each.first) == number; });
    return at == std::end(kKnown) ? std::to_string(number) : std::string(at->second);
}

std::optional<FileDeed> deedOf(std::uint16_t kind) {
    switch (kind) {
    case CARREL_WATCH_WRITTEN:
        return FileDeed::Written;
    case CARREL_WATCH_CREATED:
        return FileDeed::Created;
    case CARREL_WATCH_FOLDER_MADE:
        return FileDeed::FolderMade;
    case CARREL_WATCH_LINKED:
        return FileDeed::Linked;
    case CARREL_WATCH_DELETED:
        return FileDeed::Deleted;
    case CARREL_WATCH_FOLDER_DELETED:
        return FileDeed::FolderDeleted;
    case CARREL_WATCH_MODE_CHANGED:
        return FileDeed::ModeChanged;
    default:
        return std::nullopt;
    }
}

std::optional<std::pair<Right, std::string>> rightOf(const CarrelWatchRecord& record, std::string_view text) {
    const auto number = record.numbers[0];
    switch (record.kind) {
    case CARREL_WATCH_NAMESPACE:
        return std::pair(Right::Namespace, namespaceNames(number));
    case CARREL_WATCH_MOUNT:
        return std::pair(Right::Mount, std::string(text));
    case CARREL_WATCH_TRACE:
        return std::pair(Right::Trace, std::to_string(number));
    case CARREL_WATCH_BPF:
        return std::pair(Right::BpfCall, std::to_string(number));
    case CARREL_WATCH_PERFORMANCE:
        return std::pair(Right::Performance, std::string());
    case CARREL_WATCH_ACCOUNT:
        return std::pair(Right::Account, std::to_string(number));
    case CARREL_WATCH_REFUSED_CALL:
        return std::pair(Right::RefusedCall, callName(number));
    case CARREL_WATCH_CAPABILITY:
        return std::pair(Right::Capability, capabilityName(number));
    default:
        return std::nullopt;
    }
}

Started startedOf(const CarrelWatchRecord& record, std::string_view path, std::string_view arguments) {
    Started out;
    out.parent = {record.parentPid, record.parentStarted};
    out.user = record.user;
    out.program = path;
    out.cut = record.cut != 0;
    if (record.known != 0) {
        out.content.emplace();
        static_assert(sizeof record.content == sizeof(Digest));
        std::memcpy(out.content->data(), record.content, sizeof record.content);
    }
    while (!arguments.empty()) {
        if (out.arguments.size() == kMaxArguments) {
            out.cut = true;
            break;
        }
        const auto end = arguments.find('\0');
        out.arguments.push_back(arguments.substr(0, end));
        arguments = end == std::string_view::npos ? std::string_view() : arguments.substr(end + 1);
    }
    return out;
}

Ended endedOf(const CarrelWatchRecord& record) {
    Ended out; // as wait(2) has it
    out.signal = static_cast<std::uint8_t>(record.numbers[0] & 0x7fU);
    out.code = out.signal != 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(record.numbers[0] >> 8U);
    out.userMicroseconds = record.numbers[1] / 1000;
    out.systemMicroseconds = record.numbers[2] / 1000;
    out.mostKibibytes = record.numbers[3] * kPageKibibytes;
    return out;
}

} // namespace

bool readSeen(ByteSpan from, std::int64_t startNs, const NameOf& nameOf, const std::function<void(const Event&)>& each) {
    if (from.size() < sizeof(CarrelWatchRecord)) {
        return false;
    }
    const auto record = loadLe<CarrelWatchRecord>(from);
    const auto text = asText(from.subspan(sizeof record));
    if (text.size() < std::size_t{record.first} + record.second) {
        return false;
    }
    const auto first = text.substr(0, record.first);
    const auto second = text.substr(record.first, record.second);
    Event event;
    std::int64_t time = 0;
    if (__builtin_add_overflow(startNs, static_cast<std::int64_t>(record.time), &time)) {
        return false;
    }
    event.timeNs = std::max<std::int64_t>(0, time);
    event.process = {record.pid, record.started};
    const bool cut = record.cut != 0;
    std::string path, to, name;
    if (record.kind == CARREL_WATCH_NET) {
        const auto type = record.numbers[0];
        if (first.size() != 4 && first.size() != 16) {
            return false;
        }
        name = nameOf ? nameOf(first) : std::string();
        event.what = NetTried{type == 1 ? Transport::Tcp : type == 2 ? Transport::Udp : Transport::Other,
                              static_cast<std::uint16_t>(record.numbers[1]), first, name};
    } else if (const auto right = rightOf(record, first)) {
        name = right->second;
        event.what = RightTried{right->first, name};
    } else if (record.kind == CARREL_WATCH_ENDED) {
        event.what = endedOf(record);
    } else if (!areNames(first)) {
        return false;
    } else if (record.kind == CARREL_WATCH_STARTED) {
        path = pathOf(first, false);
        event.what = startedOf(record, path, second);
    } else if (const auto deed = deedOf(record.kind)) {
        path = pathOf(first, cut);
        event.what = FileDone{*deed, static_cast<std::uint16_t>(*deed == FileDeed::ModeChanged ? record.numbers[0] & 07777U : 0), path};
    } else if (record.kind == CARREL_WATCH_RENAMED && areNames(second)) {
        path = pathOf(first, cut);
        to = pathOf(second, cut);
        event.what = Renamed{path, to};
    } else {
        return false;
    }
    each(event);
    return true;
}

} // namespace carrel::watch
