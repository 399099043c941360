// SPDX-License-Identifier: Apache-2.0
#include "app/agents/recorder_process.h"

#include "app/api/spawn_setup.h"
#include "app/recording/recorder_wire.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace carrel::agents {

namespace {

constexpr int kFirstClosed = recording::kRecorderEngine + 1;
constexpr int kLookMs = 200; // whether it is to end

void endProcess(pid_t pid) {
    (void)::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

} // namespace

bool RecordingRoom::take(std::uint64_t bytes, Clock::time_point now) {
    const std::lock_guard lock(m_mutex);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - m_refilled);
    m_refilled += seconds;
    m_left = std::min(m_most, m_left + static_cast<std::uint64_t>(seconds.count()) * kPerSecond);
    if (bytes > m_left) {
        return false;
    }
    m_left -= bytes;
    return true;
}

Result<std::unique_ptr<TerminalRecorder>> TerminalRecorder::start(const std::string& program, UniqueFd caller, UniqueFd clerk,
                                                                  activity::ActivityLog& log, RecordingRoom& room, const activity::RecordingStart& what,
                                                                  const recording::SecretMarks& marks, Complain complain) {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return failErrno("cannot make a line to the terminal's recorder");
    }
    UniqueFd ours(ends[0]);
    std::array<UniqueFd, 3> given{std::move(caller), std::move(clerk), UniqueFd(ends[1])};
    api::SpawnSetup setup;
    setup.giveNothing(1);
    setup.giveNothing(2);
    for (std::size_t i = 0; i < given.size(); ++i) {
        // Out of the way of the numbers that the program gets: one could cover another.
        UniqueFd moved(::fcntl(given[i].get(), F_DUPFD_CLOEXEC, kFirstClosed));
        if (!moved) {
            return failErrno("cannot hand a descriptor on");
        }
        given[i] = std::move(moved);
        setup.give(given[i].get(), recording::kRecorderCaller + static_cast<int>(i));
    }
    setup.closeFrom(kFirstClosed);
    auto recording = log.beginRecording(what);
    if (!recording) {
        return fail(recording.error().wrap("The terminal cannot be recorded, so it was not opened"));
    }
    auto pid = setup.start(program, {}, {"LC_ALL=C.UTF-8"});
    if (!pid) {
        (void)log.endRecording(*recording);
        return fail(pid.error().wrap("The terminal's recorder could not be started, so the terminal was not opened"));
    }
    // Before it reads anything; it fits into what a socket holds.
    const auto first = recording::encode(recording::RecorderSetup{static_cast<std::uint16_t>(what.columns), static_cast<std::uint16_t>(what.rows), marks.encode()});
    if (::send(ours.get(), first.data(), first.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(first.size())) {
        const int number = errno;
        endProcess(*pid);
        (void)log.endRecording(*recording);
        return failErrno("telling the terminal's recorder what to record", number);
    }
    return std::unique_ptr<TerminalRecorder>(new TerminalRecorder(*pid, std::move(ours), log, room, *recording, std::move(complain)));
}

TerminalRecorder::TerminalRecorder(pid_t pid, UniqueFd link, activity::ActivityLog& log, RecordingRoom& room, std::uint64_t recording, Complain complain)
    : m_pid(pid)
    , m_link(std::move(link))
    , m_log(log)
    , m_room(room)
    , m_recording(recording)
    , m_complain(std::move(complain))
    , m_thread([this] { keep(); }) {}

TerminalRecorder::~TerminalRecorder() {
    m_leaving = true;
    (void)::shutdown(m_link.get(), SHUT_WR); // it hands over what it has, and ends
    m_thread.join();
}

Status TerminalRecorder::keepFor() {
    recording::RecorderSplitter splitter;
    std::optional<std::chrono::steady_clock::time_point> until;
    bool confined = false;
    std::uint64_t number = 0;
    for (;;) {
        pollfd link{m_link.get(), POLLIN, 0};
        const int ready = ::poll(&link, 1, kLookMs);
        if (m_leaving && !until) {
            until = std::chrono::steady_clock::now() + kPatience;
        }
        if (until && std::chrono::steady_clock::now() >= *until) {
            return fail(ErrorCode::Expired, "the terminal's recorder did not end, so it was ended");
        }
        if (ready <= 0) {
            continue;
        }
        std::array<char, 64 * 1024> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
        const ssize_t got = ::recv(m_link.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        if (got <= 0) {
            return {};
        }
        splitter.feed({buffer.data(), static_cast<std::size_t>(got)});
        for (;;) {
            auto message = splitter.next();
            if (!message) {
                return fail(std::move(message).error());
            }
            if (!*message) {
                break;
            }
            if ((*message)->empty() && !confined) {
                confined = true;
                continue;
            }
            auto piece = recording::decodePiece(**message);
            if (!piece) {
                return fail(std::move(piece).error());
            }
            if (!confined) {
                return fail(ErrorCode::Malformed, "the terminal's recorder did not say that it is confined");
            }
            if (!m_room.take(piece->data.size())) {
                return fail(ErrorCode::LimitExceeded, "more was shown in the agent's terminals of late than is kept of them",
                            "Look at what runs there; what is left grows again with time");
            }
            CARREL_TRY(m_log.addChunk({{m_recording, ++number, piece->firstUs, piece->lastUs, piece->rawBytes}, std::move(piece->data)}));
        }
    }
}

void TerminalRecorder::keep() {
    if (auto kept = keepFor(); !kept) {
        m_complain(kept.error().wrap("A terminal was ended because it could not be recorded any more"));
    }
    endProcess(m_pid); // it has ended, or has to
    if (auto ended = m_log.endRecording(m_recording); !ended) {
        m_complain(ended.error().wrap("The end of a recording could not be written down"));
    }
    m_over = true;
}

} // namespace carrel::agents
