// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/console_reader.h"

#include <unistd.h>

#include <array>

namespace carrel::clerk {

namespace asio = boost::asio;

ConsoleLines::ConsoleLines(Events events) : m_events(std::move(events)) {}

void ConsoleLines::feed(ByteSpan bytes) {
    const std::string_view text = asText(bytes);
    m_tail += text;
    if (m_tail.size() > kConsoleTailBytes * 2) {
        m_tail.erase(0, m_tail.size() - kConsoleTailBytes);
    }
    for (const char c : text) {
        if (c == '\n') {
            line();
            m_line.clear();
        } else if (c != '\r' && m_line.size() < kMaxConsoleLine) {
            m_line += c;
        }
    }
}

void ConsoleLines::line() {
    for (const std::string_view who : {"carrel-init", "carrel-guestd"}) {
        const std::string prefix = std::string(who) + ": ";
        // The kernel may have printed something without an end of line before it.
        const auto at = m_line.find(prefix);
        if (at == std::string::npos) {
            continue;
        }
        const std::string_view rest = std::string_view(m_line).substr(at + prefix.size());
        if (rest.starts_with("stage ")) {
            m_events.stage(who, rest.substr(6));
        } else if (rest.starts_with("failed ")) {
            m_events.failed(who, rest.substr(7));
        }
        return;
    }
}

ConsoleReader::ConsoleReader(asio::io_context& loop, UniqueFd fd, ConsoleLines::Events events,
                             std::function<void()> activity, std::function<void()> closed)
    : m_stream(loop, fd.release())
    , m_lines(std::move(events))
    , m_activity(std::move(activity))
    , m_closed(std::move(closed)) {
    m_stream.non_blocking(true);
}

void ConsoleReader::start() {
    wait();
}

void ConsoleReader::wait() {
    m_stream.async_wait(asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& ec) {
        if (ec) {
            return;
        }
        std::array<std::byte, 4096> buffer{};
        const auto got = ::read(m_stream.native_handle(), buffer.data(), buffer.size());
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            m_closed();
            return;
        }
        if (got > 0) {
            m_lines.feed({buffer.data(), static_cast<std::size_t>(got)});
            m_activity();
        }
        wait();
    });
}

} // namespace carrel::clerk
