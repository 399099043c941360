// SPDX-License-Identifier: Apache-2.0
#include "app/recording/recorder.h"

#include "app/api/exec_words.h"
#include "app/recording/cast_writer.h"
#include "app/recording/recorder_wire.h"
#include "guest/protocol/frame.h"
#include "guest/protocol/strict_json.h"
#include "hypervisor/confine/descriptors_only.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <memory>
#include <poll.h>
#include <sys/socket.h>

namespace carrel::recording {

namespace {

constexpr std::size_t kMaxWaiting = 256 * 1024;            // on the way to either side
constexpr std::size_t kMaxForEngine = 4 * kMaxChunkRaw;    // pieces that it did not take yet
constexpr std::uint64_t kMicro = 1'000'000;

Result<int> confine() {
    // What libcrypto reads at its first use it reads now, when there is nothing of a guest's yet.
    SecretMarks first;
    (void)first.add("nothing of anybody's");
    return confine::keepDescriptorsOnly();
}

class Recorder {
public:
    Recorder(UniqueFd caller, UniqueFd clerk, UniqueFd engine)
        : m_caller(std::move(caller))
        , m_clerk(std::move(clerk))
        , m_engine(std::move(engine))
        , m_fromClerk(Side::Host, events(&Recorder::onGuestFrame))
        , m_fromCaller(Side::Host, events(&Recorder::onCallerFrame)) {
        m_fromClerk.beginLocal(api::kExecTag);
        m_fromCaller.beginLocal(api::kExecTag);
    }

    int run();

private:
    FrameDecoder::Events events(void (Recorder::*frame)(const Frame&)) {
        FrameDecoder::Events out;
        out.frame = [this, frame](Frame&& got) { (this->*frame)(got); };
        out.spoilt = [this](std::string_view) { m_status = 1; };
        return out;
    }
    void onGuestFrame(const Frame& frame);
    void onCallerFrame(const Frame& frame);
    void readEngine();
    void pass(const UniqueFd& from, FrameDecoder& look, std::string& to, bool& ended);
    void send(const UniqueFd& to, std::string& waiting);
    void keepPiece();
    void pollOnce();
    [[nodiscard]] int patience();
    [[nodiscard]] std::uint64_t nowUs() const;

    UniqueFd m_caller, m_clerk, m_engine;
    FrameDecoder m_fromClerk, m_fromCaller;
    RecorderSplitter m_fromEngine;
    std::unique_ptr<CastWriter> m_cast; // once the engine said how large the terminal is
    std::uint64_t m_startUs = nowUs();
    std::string m_toCaller, m_toClerk, m_toEngine;
    bool m_clerkEnded = false, m_callerEnded = false;
    std::optional<int> m_status;
};

std::uint64_t Recorder::nowUs() const {
    timespec now{};
    (void)::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * kMicro + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

void Recorder::onGuestFrame(const Frame& frame) {
    if (frame.type == FrameType::Data && (frame.stream == api::kExecStdout || frame.stream == api::kExecStderr)) {
        m_cast->output(nowUs() - m_startUs, asText(frame.payload));
    }
}

void Recorder::onCallerFrame(const Frame& frame) {
    if (frame.type != FrameType::Data) {
        return;
    }
    if (frame.stream == api::kExecStdin) {
        m_cast->input(nowUs() - m_startUs, asText(frame.payload));
    } else if (frame.stream == api::kExecControl && (frame.flags & kFlagMore) == 0) {
        const auto message = parseJsonObject(asText(frame.payload), JsonLimits{api::kMaxExecWord, 4});
        const auto* size = message ? message->if_contains("resize") : nullptr;
        if (size != nullptr && size->is_object()) {
            JsonFields fields(size->get_object(), "resize");
            const auto rows = fields.number("rows", 10000);
            const auto columns = fields.number("cols", 10000);
            if (fields.finish()) {
                m_cast->resize(nowUs() - m_startUs, static_cast<std::uint16_t>(columns), static_cast<std::uint16_t>(rows));
            }
        }
    }
}

void Recorder::readEngine() {
    std::array<char, 16 * 1024> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    const ssize_t got = ::recv(m_engine.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        m_status = m_cast ? 0 : 1; // nobody keeps what comes
        return;
    }
    m_fromEngine.feed({buffer.data(), static_cast<std::size_t>(got > 0 ? got : 0)});
    auto message = m_fromEngine.next();
    if (message && !*message) {
        return;
    }
    auto setup = message ? decodeSetup(**message) : Result<RecorderSetup>(fail(std::move(message).error()));
    auto marks = setup ? SecretMarks::decode(setup->marks) : Result<SecretMarks>(fail(std::move(setup).error()));
    if (!marks || m_cast) { // it says one thing, once
        m_status = 1;
        return;
    }
    m_cast = std::make_unique<CastWriter>(setup->columns, setup->rows, std::move(*marks));
}

void Recorder::pass(const UniqueFd& from, FrameDecoder& look, std::string& to, bool& ended) {
    std::array<std::byte, 64 * 1024> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    const ssize_t got = ::recv(from.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
        const ByteSpan bytes{buffer.data(), static_cast<std::size_t>(got)};
        look.feed(bytes); // first: nothing is shown that is not recorded
        to += asText(bytes);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        ended = true;
    }
}

void Recorder::send(const UniqueFd& to, std::string& waiting) {
    const ssize_t sent = ::send(to.get(), waiting.data(), waiting.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        waiting.erase(0, static_cast<std::size_t>(sent));
    } else if (errno == EPIPE || errno == ECONNRESET) {
        waiting.clear(); // the reading side sees the end
        if (&to == &m_engine) {
            m_status = 0;
        }
    }
}

void Recorder::keepPiece() {
    if (auto piece = m_cast->take()) {
        m_toEngine += encode(RecorderPiece{piece->firstUs, piece->lastUs, piece->rawBytes, std::move(piece->data)});
    }
}

int Recorder::patience() {
    const auto due = m_cast ? m_cast->dueUs() : std::nullopt;
    if (!due) {
        return -1;
    }
    const auto now = nowUs() - m_startUs;
    return *due <= now ? 0 : static_cast<int>((*due - now) / 1000 + 1);
}

void Recorder::pollOnce() {
    const auto when = [](bool reads, bool writes, int fd) {
        const int events = (reads ? POLLIN : 0) | (writes ? POLLOUT : 0);
        return pollfd{events != 0 ? fd : -1, static_cast<short>(events), 0};
    };
    const bool begun = m_cast != nullptr;
    std::array<pollfd, 3> polled{
        when(begun && !m_callerEnded && m_toClerk.size() < kMaxWaiting, !m_toCaller.empty(), m_caller.get()),
        when(begun && !m_clerkEnded && m_toCaller.size() < kMaxWaiting && m_toEngine.size() < kMaxForEngine, !m_toClerk.empty(), m_clerk.get()),
        when(true, !m_toEngine.empty(), m_engine.get())};
    const int ready = ::poll(polled.data(), polled.size(), patience());
    if (ready < 0) {
        return; // EINTR
    }
    constexpr int kReads = POLLIN | POLLHUP | POLLERR;
    if ((polled[2].revents & POLLOUT) != 0) {
        send(m_engine, m_toEngine);
    }
    if ((polled[2].revents & kReads) != 0) {
        readEngine();
    }
    if ((polled[0].revents & POLLOUT) != 0) {
        send(m_caller, m_toCaller);
    }
    if ((polled[0].revents & kReads) != 0) {
        pass(m_caller, m_fromCaller, m_toClerk, m_callerEnded);
    }
    if ((polled[1].revents & POLLOUT) != 0) {
        send(m_clerk, m_toClerk);
    }
    if ((polled[1].revents & kReads) != 0) {
        pass(m_clerk, m_fromClerk, m_toCaller, m_clerkEnded);
    }
    if (m_cast && (m_cast->full() || patience() == 0)) {
        keepPiece();
    }
}

int Recorder::run() {
    m_toEngine = recorderMessage({});
    while (!m_status) {
        if ((m_callerEnded && m_toClerk.empty()) || (m_clerkEnded && m_toCaller.empty())) {
            break;
        }
        pollOnce();
    }
    m_caller.reset();
    m_clerk.reset();
    if (m_cast) {
        m_cast->finish();
        keepPiece();
    }
    while (!m_toEngine.empty()) { // also what came before somebody said nonsense
        pollfd engine{m_engine.get(), POLLOUT, 0};
        if (::poll(&engine, 1, -1) < 0 && errno != EINTR) {
            break;
        }
        send(m_engine, m_toEngine);
    }
    return m_status.value_or(0);
}

} // namespace

int run(UniqueFd caller, UniqueFd clerk, UniqueFd engine) {
    confine::limitReader();
    if (!confine()) {
        return 1;
    }
    return Recorder(std::move(caller), std::move(clerk), std::move(engine)).run();
}

} // namespace carrel::recording
