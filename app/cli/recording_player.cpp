// SPDX-License-Identifier: Apache-2.0
#include "app/cli/recording_player.h"

#include "app/api/terminal_filter.h"
#include "app/cli/session.h"
#include "app/cli/terminal_mode.h"
#include "app/recording/chunk.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

namespace carrel::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kSignalled = 128; // as a shell tells it
constexpr double kMaxWaitMs = 3.6e6;
constexpr char kControlC = '\x03';

class Player {
public:
    Player(const Playing& playing, UniqueFd signals)
        : m_playing(playing)
        , m_signals(std::move(signals))
        , m_hears(::isatty(playing.input) != 0) {}

    Result<int> play();

private:
    void put(std::string_view text);
    void waitUntil(std::uint64_t us);
    void hear();
    void read();

    const Playing& m_playing;
    UniqueFd m_signals;
    bool m_hears; // keys
    bool m_paused = false;
    api::TerminalFilter m_filter;
    Clock::duration m_passed{}; // of playing, up to m_since
    Clock::time_point m_since = Clock::now();
    std::optional<int> m_status;
};

void Player::put(std::string_view text) {
    while (!text.empty() && !m_status) {
        const auto sent = ::write(m_playing.output, text.data(), text.size());
        if (sent < 0 && errno != EINTR && errno != EAGAIN) {
            m_status = kSignalled + SIGPIPE; // the terminal is gone
            return;
        }
        text.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
    }
}

void Player::hear() {
    std::array<char, 256> keys{};
    const auto got = ::read(m_playing.input, keys.data(), keys.size());
    if (got <= 0) {
        m_hears = got < 0 && (errno == EINTR || errno == EAGAIN);
        return;
    }
    for (const char key : std::string_view(keys.data(), static_cast<std::size_t>(got))) {
        if (key == kControlC) {
            m_status = kSignalled + SIGINT;
        } else if (key == 'q') {
            m_status = m_status.value_or(0);
        } else if (key == ' ') {
            if (!m_paused) {
                m_passed += Clock::now() - m_since;
            }
            m_since = Clock::now();
            m_paused = !m_paused;
        }
    }
}

void Player::read() {
    signalfd_siginfo info{};
    if (::read(m_signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info) && info.ssi_signo != SIGWINCH) {
        m_status = kSignalled + static_cast<int>(info.ssi_signo);
    }
}

void Player::waitUntil(std::uint64_t us) {
    const double wantedMs = static_cast<double>(us > m_playing.fromUs ? us - m_playing.fromUs : 0) / 1000.0 / m_playing.speed;
    for (bool over = false; !over && !m_status;) {
        const double passedMs = std::chrono::duration<double, std::milli>(m_passed + (Clock::now() - m_since)).count();
        const double leftMs = wantedMs - passedMs;
        over = !m_paused && leftMs <= 0; // keys and signals are looked for all the same
        std::array<pollfd, 2> polled{pollfd{m_signals.get(), POLLIN, 0}, pollfd{m_hears ? m_playing.input : -1, POLLIN, 0}};
        const int patience = m_paused ? -1 : static_cast<int>(std::clamp(leftMs + 0.999, 0.0, kMaxWaitMs));
        if (::poll(polled.data(), polled.size(), patience) <= 0) {
            continue;
        }
        if (polled[0].revents != 0) {
            read();
        }
        if (polled[1].revents != 0) {
            hear();
            over = over && !m_paused;
        }
    }
}

Result<int> Player::play() {
    bool first = true;
    m_since = Clock::now();
    for (const auto& piece : m_playing.pieces) {
        const auto content = recording::readChunk(piece.data, piece.firstUs);
        if (!content) {
            put(m_filter.restore());
            put("\r\n");
            return fail(content.error());
        }
        if (std::exchange(first, false)) {
            put(m_filter.feed(content->screen));
        }
        for (const auto& event : content->events) {
            if (m_status) {
                break;
            }
            if (event.code == 'o') {
                waitUntil(event.us);
                put(m_filter.feed(event.text));
            }
        }
    }
    const auto status = std::exchange(m_status, std::nullopt).value_or(0); // so that what follows is written
    put(m_filter.restore());
    put("\r\n");
    return status;
}

} // namespace

Result<int> playRecording(const Playing& playing) {
    auto signals = catchSignals();
    if (!signals) {
        return fail(std::move(signals).error());
    }
    RawMode raw;
    if (::isatty(playing.input) != 0) {
        CARREL_TRY(raw.enter(playing.input));
    }
    if (playing.confine) {
        CARREL_TRY(playing.confine());
    }
    return Player(playing, std::move(*signals)).play();
}

} // namespace carrel::cli
