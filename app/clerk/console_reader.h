// SPDX-License-Identifier: Apache-2.0
// Reads the guest's console: keeps its last lines for the explanation of a failed start, and turns the lines that
// carrel-init and carrel-guestd print into progress. All of it is the guest's word.
// Thread: the event loop's.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/unique_fd.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <memory>
#include <string>

namespace carrel::clerk {

inline constexpr std::size_t kConsoleTailBytes = 16 * 1024;
inline constexpr std::size_t kMaxConsoleLine = 512; // longer lines are cut

// The part that does no I/O.
class ConsoleLines {
public:
    // `stage` gets who ("carrel-init", "carrel-guestd"), the stage's name and any text after it; `failed` the same for
    // "failed" lines.
    struct Events {
        std::function<void(std::string_view who, std::string_view name)> stage;
        std::function<void(std::string_view who, std::string_view text)> failed;
    };
    explicit ConsoleLines(Events events);
    void feed(ByteSpan bytes);
    [[nodiscard]] const std::string& tail() const { return m_tail; }

private:
    void line();
    Events m_events;
    std::string m_tail;
    std::string m_line;
};

class ConsoleReader {
public:
    ConsoleReader(boost::asio::io_context& loop, UniqueFd fd, ConsoleLines::Events events,
                  std::function<void()> activity, std::function<void()> closed);
    void start();
    [[nodiscard]] const std::string& tail() const { return m_lines.tail(); }

private:
    void wait();
    boost::asio::posix::stream_descriptor m_stream;
    ConsoleLines m_lines;
    std::function<void()> m_activity;
    std::function<void()> m_closed;
};

} // namespace carrel::clerk
