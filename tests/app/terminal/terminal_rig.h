// SPDX-License-Identifier: Apache-2.0
// The shipped carrel-terminal between two pretences in the test's own thread: a guest that says what the test wants, and a window
// that takes in frames. Nothing here waits by the clock: pump() goes on until a condition holds, and a guard ends a test that hangs.
#pragma once

#include "app/api/exec_words.h"
#include "app/api/terminal_process.h"
#include "app/api/terminal_wire.h"
#include "guest/protocol/mux.h"

#include <boost/json.hpp>

#include <functional>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace carrel::test {

class TerminalRig {
public:
    enum class Window { TakesFramesIn, Slow }; // Slow: seen() is the test's to call

    explicit TerminalRig(const std::string& program, Window window = Window::TakesFramesIn, std::uint16_t height = 24,
                         std::uint16_t width = 80)
        : m_kind(window)
        , m_guest(Side::Guest, events()) {
        int ends[2] = {-1, -1};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
            return;
        }
        m_channel = UniqueFd(ends[0]);
        if (auto process = api::TerminalProcess::start(program, UniqueFd(ends[1]))) {
            m_process = std::move(*process);
        }
        m_guest.beginLocal(api::kExecTag);
        m_guest.openStream(api::kExecControl, StreamKind::Messages);
        m_guest.openStream(api::kExecStdout, StreamKind::Bytes);
        resize(height, width);
        say({{"started", boost::json::object{}}});
    }

    // --- the guest
    void say(const boost::json::object& message) { (void)m_guest.sendMessage(api::kExecControl, asBytes(boost::json::serialize(message))); }
    void out(std::string_view text) { (void)m_guest.sendBytes(api::kExecStdout, asBytes(text)); }
    void exit(int code) {
        m_guest.sendEnd(api::kExecStdout);
        say({{"exit", {{"code", code}}}});
    }
    void hangUp() { m_channel.reset(); }
    void sayRaw(std::string_view bytes) { (void)!::send(m_channel.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    [[nodiscard]] std::size_t guestQueued() const { return m_guest.queued(api::kExecStdout); }
    void readNoInput() { m_readsInput = false; }

    std::string typed;          // what came to the program's input
    std::vector<std::string> heard; // on the session's control stream

    // --- the window
    void sendRaw(std::string_view bytes) { m_toTerminal += bytes; }
    void type(std::string_view bytes) { m_toTerminal += encode(api::terminal::Input{std::string(bytes)}); }
    void resize(std::uint16_t height, std::uint16_t width) { m_toTerminal += encode(api::terminal::Resize{height, width}); }
    void seen() { m_toTerminal += encode(api::terminal::Seen{}); }

    std::vector<api::terminal::ToWindow> messages; // in order, frames without what they held
    api::terminal::ScreenState screen;
    std::vector<api::terminal::Line> rows;
    std::vector<std::string> scrolled; // as text
    std::size_t frames = 0;
    std::size_t largestMessage = 0;
    bool bell = false;
    bool inputLost = false;
    bool malformed = false; // the program broke the agreement
    bool gone = false;      // it ended
    std::optional<api::terminal::Ended> ended;

    [[nodiscard]] static std::string textOf(const api::terminal::Line& line) {
        std::string out;
        for (const auto& cell : line) {
            if (cell.count == 0) {
                out += ' ';
            }
            for (std::size_t i = 0; i < cell.count; ++i) {
                appendUtf8(out, cell.points[i]);
            }
        }
        return out;
    }
    [[nodiscard]] std::string row(std::size_t number) const { return number < rows.size() ? textOf(rows[number]) : std::string(); }
    [[nodiscard]] bool shows(std::string_view text) const {
        for (const auto& line : rows) {
            if (textOf(line).find(text) != std::string::npos) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] pid_t pid() const { return m_process ? m_process->pid() : -1; }
    void endProcess() { m_process.reset(); }

    // False: the guard ended it.
    [[nodiscard]] bool pump(const std::function<bool()>& until) {
        while (!until()) {
            if (gone && m_channelGone) {
                return false;
            }
            pollfd polled[2] = {{m_channelGone ? -1 : m_channel.get(), POLLIN, 0}, {gone ? -1 : link(), POLLIN, 0}};
            if (!m_toChannel.empty() || m_guest.hasOutput()) {
                polled[0].events |= POLLOUT;
            }
            if (!m_toTerminal.empty()) {
                polled[1].events |= POLLOUT;
            }
            if (::poll(polled, 2, kSilenceMs) <= 0) {
                return false;
            }
            if (polled[0].revents != 0) {
                channel(polled[0].revents);
            }
            if (polled[1].revents != 0) {
                window(polled[1].revents);
            }
        }
        return true;
    }

    static void appendUtf8(std::string& out, std::uint32_t point) {
        const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
        if (point < 0x80) {
            put(point);
        } else if (point < 0x800) {
            put(0xc0U | (point >> 6U));
            put(0x80U | (point & 0x3fU));
        } else if (point < 0x10000) {
            put(0xe0U | (point >> 12U));
            put(0x80U | ((point >> 6U) & 0x3fU));
            put(0x80U | (point & 0x3fU));
        } else {
            put(0xf0U | (point >> 18U));
            put(0x80U | ((point >> 12U) & 0x3fU));
            put(0x80U | ((point >> 6U) & 0x3fU));
            put(0x80U | (point & 0x3fU));
        }
    }

private:
    static constexpr int kSilenceMs = 60000; // it only ends a test that hangs

    [[nodiscard]] int link() const { return m_process ? m_process->link() : -1; }
    Mux::Events events() {
        Mux::Events events;
        events.data = [this](std::uint32_t stream, Bytes&& data) {
            if (stream == api::kExecStdin) {
                typed += asText(data);
                if (!m_readsInput) {
                    return;
                }
            } else {
                heard.emplace_back(asText(data));
            }
            m_guest.consumed(stream, data.size());
        };
        events.accept = [](std::uint32_t stream) -> std::optional<StreamKind> {
            return stream == api::kExecControl ? StreamKind::Messages : StreamKind::Bytes;
        };
        return events;
    }
    void channel(short events) {
        if ((events & POLLOUT) != 0) {
            if (m_toChannel.empty()) {
                m_toChannel = m_guest.takeOutput();
            }
            const auto sent = ::send(m_channel.get(), m_toChannel.data(), m_toChannel.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            m_toChannel.erase(m_toChannel.begin(), m_toChannel.begin() + std::max<ssize_t>(sent, 0));
        }
        if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
            std::byte buffer[65536];
            const auto got = ::recv(m_channel.get(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (got > 0) {
                m_guest.feed({buffer, static_cast<std::size_t>(got)});
            } else {
                m_channelGone = got == 0 || errno != EAGAIN;
            }
        }
    }
    void window(short events) {
        if ((events & POLLOUT) != 0) {
            const auto sent = ::send(link(), m_toTerminal.data(), m_toTerminal.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            m_toTerminal.erase(0, static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
        }
        if ((events & (POLLIN | POLLHUP | POLLERR)) == 0) {
            return;
        }
        char buffer[65536];
        const auto got = ::recv(link(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (got <= 0) {
            gone = got == 0 || errno != EAGAIN;
            return;
        }
        m_splitter.feed({buffer, static_cast<std::size_t>(got)});
        for (;;) {
            auto next = m_splitter.next();
            if (next && !*next) {
                return;
            }
            auto message = next ? api::terminal::decodeToWindow(**next) : Result<api::terminal::ToWindow>(fail(next.error()));
            if (!message) {
                malformed = gone = true;
                return;
            }
            largestMessage = std::max(largestMessage, (*next)->size());
            take(std::move(*message));
        }
    }
    void take(api::terminal::ToWindow message) {
        if (auto* frame = std::get_if<api::terminal::Frame>(&message)) {
            ++frames;
            screen = frame->screen;
            bell = bell || screen.bell;
            inputLost = inputLost || screen.inputLost;
            rows.resize(screen.rows);
            for (const auto& line : frame->scrolled) {
                scrolled.push_back(textOf(api::terminal::decodeLine(line).value()));
            }
            for (auto& [number, line] : frame->rows) {
                rows[number] = std::move(line);
            }
            *frame = {};
            if (m_kind == Window::TakesFramesIn) {
                seen();
            }
        } else if (auto* end = std::get_if<api::terminal::Ended>(&message)) {
            ended = *end;
        }
        messages.push_back(std::move(message));
    }

    Window m_kind;
    Mux m_guest;
    bool m_readsInput = true;
    UniqueFd m_channel;
    std::optional<api::TerminalProcess> m_process;
    api::terminal::MessageSplitter m_splitter{api::terminal::kMaxToWindow};
    Bytes m_toChannel;
    std::string m_toTerminal;
    bool m_channelGone = false;
};

} // namespace carrel::test
