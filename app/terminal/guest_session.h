// SPDX-License-Identifier: Apache-2.0
// The caller's end of a session with a terminal (app/api/exec_words.h): its streams, what the guest wrote and nobody took yet, and
// how it ended. At most a stream's window of output is held, since credit goes back only for what was taken. Does no I/O.
// Thread: one owner.
#pragma once

#include "app/api/terminal_wire.h"
#include "guest/protocol/mux.h"

#include <optional>
#include <string>
#include <string_view>

namespace carrel::terminal {

class GuestSession {
public:
    // Typed and not read by the program; beyond it what is typed is lost, as at any terminal whose program does not read.
    static constexpr std::size_t kMaxInputQueued = 2 * 1024 * 1024;

    GuestSession();

    void feed(ByteSpan fromChannel) { m_mux.feed(fromChannel); }
    void channelEnded();
    [[nodiscard]] Bytes takeForChannel() { return m_mux.takeOutput(); }
    [[nodiscard]] bool hasForChannel() const { return m_mux.hasOutput(); }

    // What the guest wrote, in order; taken() gives it up.
    [[nodiscard]] std::string_view output() const { return std::string_view(m_output).substr(m_at); }
    void taken(std::size_t bytes);

    // False: there is no room, and nothing of it was kept.
    [[nodiscard]] bool type(std::string_view bytes);
    void resize(std::uint16_t rows, std::uint16_t columns);

    // Once there is nothing more to be shown. What is typed afterwards goes nowhere.
    [[nodiscard]] std::optional<api::terminal::Ended> ended() const;

private:
    Mux::Events events();
    void onControl(std::string_view text);
    void endAs(api::terminal::Ended how);

    Mux m_mux;
    std::string m_output;
    std::size_t m_at = 0;
    bool m_outputEnded = false;
    std::optional<api::terminal::Ended> m_end;
};

} // namespace carrel::terminal
