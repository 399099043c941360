// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/libvirt/domain_operations.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

namespace carrel::hypervisor {
namespace {

constexpr std::string_view kEndMark = ": shutting down, reason=";
constexpr std::string_view kStartMark = ": starting up libvirt version";
constexpr std::size_t kMaxLastLines = 4096;

ExitReason reasonOf(std::string_view word) {
    constexpr std::array kReasons{
        std::pair{std::string_view{"shutdown"}, ExitReason::GuestShutdown},
        std::pair{std::string_view{"destroyed"}, ExitReason::Destroyed},
        std::pair{std::string_view{"crashed"}, ExitReason::Crashed},
        std::pair{std::string_view{"failed"}, ExitReason::Failed},
    };
    for (const auto& [name, reason] : kReasons) {
        if (word.starts_with(name)) {
            return reason;
        }
    }
    return ExitReason::Unknown;
}

// QEMU's own lines, without the start-up message and the argument vector that libvirt writes before them
// ("LC_ALL=C \", "-name guest=… \", … up to a last line that does not end in a backslash).
std::string ownLines(std::string_view log) {
    std::string out;
    bool inArguments = false;
    while (!log.empty()) {
        const std::size_t end = std::min(log.find('\n'), log.size());
        const std::string_view line = log.substr(0, end);
        log.remove_prefix(std::min(end + 1, log.size()));
        if (line.find(kEndMark) != std::string_view::npos) {
            continue;
        }
        const bool continues = line.ends_with('\\');
        const bool partOfStart = inArguments || continues || line.find(kStartMark) != std::string_view::npos;
        inArguments = continues;
        if (!partOfStart && !line.empty()) {
            out += line;
            out += '\n';
        }
    }
    if (out.size() > kMaxLastLines) {
        out.erase(0, out.size() - kMaxLastLines);
    }
    std::ranges::replace_if(
        out, [](char c) { return c != '\n' && (c < 0x20 || c > 0x7e); }, '?');
    return out;
}

} // namespace

Result<MachineNote> checkOwn(VirtApi& api, const MachineId& id) {
    auto element = api.metadata(id.uuid(), std::string(kMetadataSpace));
    if (!element) {
        if (element.error().code == ErrorCode::NotFound || element.error().code == ErrorCode::Unavailable) {
            return fail(element.error());
        }
        return fail(ErrorCode::Refused, "a machine with this identity exists and is not one of Carrel's");
    }
    auto note = readNote(*element);
    if (!note || note->id != id) {
        return fail(ErrorCode::Refused,
                    "a machine with this identity exists and belongs to another data folder");
    }
    return note;
}

Result<std::vector<MachineNote>> listOwn(VirtApi& api, const HomeId& home) {
    auto records = api.listActive();
    if (!records) {
        return fail(records.error());
    }
    const std::string prefix = "carrel-" + home.text().substr(0, 8) + "-";
    std::vector<MachineNote> notes;
    for (const DomainRecord& record : *records) {
        if (!record.name.starts_with(prefix)) {
            continue;
        }
        auto element = api.metadata(record.uuid, std::string(kMetadataSpace));
        if (!element) {
            if (element.error().code == ErrorCode::Unavailable) {
                return fail(element.error());
            }
            continue; // gone, or without a note: not ours
        }
        auto note = readNote(*element);
        if (note && note->id.home == home && note->id.name() == record.name &&
            note->id.uuid() == record.uuid) {
            notes.push_back(std::move(*note));
        }
    }
    return notes;
}

Result<MachineState> liveState(VirtApi& api, const MachineId& id) {
    auto state = api.state(id.uuid());
    if (!state) {
        if (state.error().code == ErrorCode::NotFound) {
            return MachineState::Stopped;
        }
        return fail(state.error());
    }
    switch (*state) {
    case DomainState::Paused:
        return MachineState::Paused;
    case DomainState::Running:
    case DomainState::Asleep: // it wakes when the guest wants
    case DomainState::ShuttingDown:
        return MachineState::Running;
    case DomainState::Gone:
    case DomainState::Crashed:
        break;
    }
    return MachineState::Stopped;
}

ExitReport parseExitLog(std::string_view tail) {
    if (const std::size_t start = tail.rfind(kStartMark); start != std::string_view::npos) {
        tail.remove_prefix(start);
        tail.remove_prefix(std::min(tail.find('\n'), tail.size()));
    }
    ExitReport report;
    if (const std::size_t end = tail.rfind(kEndMark); end != std::string_view::npos) {
        report.reason = reasonOf(tail.substr(end + kEndMark.size()));
    }
    report.lastLines = ownLines(tail);
    return report;
}

Result<UniqueFd> connectSocket(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() > kMaxSocketPath) {
        return fail(ErrorCode::InvalidArgument, "the path of the machine's socket is too long");
    }
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        return failErrno("cannot make a socket");
    }
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        Error error = errnoError("the machine's channel " + path.filename().native() + " does not answer");
        error.code = ErrorCode::Unavailable;
        return fail(std::move(error));
    }
    return fd;
}

} // namespace carrel::hypervisor
