// SPDX-License-Identifier: Apache-2.0
#include "app/terminal/terminal.h"

#include "app/terminal/guest_session.h"
#include "app/terminal/screen.h"
#include "hypervisor/confine/descriptors_only.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

namespace carrel::terminal {

using namespace api::terminal;

namespace {

class Terminal {
public:
    Terminal(UniqueFd channel, UniqueFd window)
        : m_channel(std::move(channel))
        , m_window(std::move(window)) {}

    int run(const Confined& confined);

private:
    void readWindow();
    void fromWindow(const ToTerminal& message);
    void writeWindow();
    void readChannel();
    void writeChannel();
    void show();
    void pollOnce();

    UniqueFd m_channel;
    UniqueFd m_window;
    GuestSession m_session;
    std::unique_ptr<Screen> m_screen; // once the window said how large it is
    MessageSplitter m_fromWindow{kMaxToTerminal};
    std::string m_toWindow;
    Bytes m_toChannel;
    bool m_seen = true; // the last frame was
    bool m_channelEnded = false;
    bool m_told = false; // of the end
    std::optional<int> m_status;
};

void Terminal::readWindow() {
    std::array<char, 64 * 1024> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    const ssize_t got = ::recv(m_window.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        m_status = 0; // the window is gone
        return;
    }
    m_fromWindow.feed({buffer.data(), static_cast<std::size_t>(got > 0 ? got : 0)});
    for (;;) {
        auto next = m_fromWindow.next();
        if (next && !*next) {
            return;
        }
        const auto message = next ? decodeToTerminal(**next) : Result<ToTerminal>(fail(std::move(next).error()));
        if (!message) {
            m_status = 1;
            return;
        }
        fromWindow(*message);
    }
}

void Terminal::fromWindow(const ToTerminal& message) {
    if (const auto* input = std::get_if<Input>(&message)) {
        if (!m_session.type(input->bytes) && m_screen) {
            m_screen->noteInputLost();
        }
    } else if (const auto* size = std::get_if<Resize>(&message)) {
        if (m_screen) {
            m_screen->resize(size->rows, size->columns);
        } else {
            m_screen = std::make_unique<Screen>(size->rows, size->columns);
        }
        m_session.resize(size->rows, size->columns);
    } else {
        m_seen = true;
    }
}

void Terminal::writeWindow() {
    const ssize_t sent = ::send(m_window.get(), m_toWindow.data(), m_toWindow.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        m_toWindow.erase(0, static_cast<std::size_t>(sent));
    } else if (errno == EPIPE || errno == ECONNRESET) {
        m_status = 0;
    }
}

void Terminal::readChannel() {
    std::array<std::byte, 64 * 1024> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    const ssize_t got = ::recv(m_channel.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
        m_session.feed({buffer.data(), static_cast<std::size_t>(got)});
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        m_channelEnded = true;
        m_session.channelEnded();
    }
}

void Terminal::writeChannel() {
    if (m_toChannel.empty()) {
        m_toChannel = m_session.takeForChannel();
    }
    if (m_toChannel.empty()) {
        return;
    }
    const ssize_t sent = ::send(m_channel.get(), m_toChannel.data(), m_toChannel.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        m_toChannel.erase(m_toChannel.begin(), m_toChannel.begin() + sent);
    } else if (errno == EPIPE || errno == ECONNRESET) {
        m_toChannel.clear(); // the reading side sees the end, after what there still is to read
    }
}

// Draws as far as there is room, and tells the window if it waits for something.
void Terminal::show() {
    while (!m_session.output().empty() && m_screen->hasRoom()) {
        const auto slice = m_session.output().substr(0, Screen::kSlice);
        m_screen->feed(slice);
        m_session.taken(slice.size());
    }
    if (!m_seen || !m_toWindow.empty()) {
        return;
    }
    if (m_screen->changed()) {
        m_toWindow = m_screen->takeFrame();
        m_seen = false;
    } else if (const auto end = m_session.ended(); end && !m_told) {
        m_toWindow = encode(*end);
        m_told = true;
    }
}

void Terminal::pollOnce() {
    const bool hears = m_screen != nullptr && !m_channelEnded;
    const bool says = !m_toChannel.empty() || m_session.hasForChannel();
    std::array<pollfd, 2> polled{pollfd{hears ? m_channel.get() : -1, static_cast<short>(says ? POLLIN | POLLOUT : POLLIN), 0},
                                 pollfd{m_window.get(), static_cast<short>(m_toWindow.empty() ? POLLIN : POLLIN | POLLOUT), 0}};
    if (::poll(polled.data(), polled.size(), -1) < 0) {
        return; // EINTR
    }
    if ((polled[1].revents & POLLOUT) != 0) {
        writeWindow();
    }
    if ((polled[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        readWindow();
    }
    if ((polled[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        readChannel();
    }
    if ((polled[0].revents & POLLOUT) != 0) {
        writeChannel();
    }
}

int Terminal::run(const Confined& confined) {
    m_toWindow = encode(confined);
    while (!m_status) {
        if (m_screen) {
            show();
        }
        if (m_told && m_toWindow.empty()) {
            return 0;
        }
        pollOnce();
    }
    return *m_status;
}

} // namespace

int run(UniqueFd channel, UniqueFd window) {
    confine::limitReader();
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    auto confined = confine::keepDescriptorsOnly();
    if (!confined) {
        const auto end = encode(Ended{Ended::How::Unfit, 0, std::move(confined).error()});
        (void)!::send(window.get(), end.data(), end.size(), MSG_NOSIGNAL);
        return 1;
    }
    return Terminal(std::move(channel), std::move(window)).run({static_cast<std::uint8_t>(*confined)});
}

} // namespace carrel::terminal
