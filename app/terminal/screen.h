// SPDX-License-Identifier: Apache-2.0
// The screen that a guest's output makes: through the allow-list (app/api/terminal_filter.h) into libvterm, and out as frames of
// terminal_wire.h. Bounded whatever comes: what leaves the screen at its top waits until a frame takes it, and hasRoom() says
// whether more output may be fed meanwhile. Answers to requests that a guest smuggles in are thrown away. Does no I/O; runs only
// in a confined process, since libvterm reads the guest's bytes. Thread: one owner.
#pragma once

#include "app/api/terminal_filter.h"
#include "app/api/terminal_wire.h"
#include "app/terminal/sequence_mender.h"

#include <vterm.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::terminal {

class Screen {
public:
    // Within terminal_wire.h's bounds.
    Screen(std::uint16_t rows, std::uint16_t columns);
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    // So much of output at once that ordinary lines never scroll away unseen. Only a sequence that scrolls by itself, again and
    // again, can push out more than there is room for; the oldest of those go.
    static constexpr std::size_t kSlice = 64;
    void feed(std::string_view slice);
    [[nodiscard]] bool hasRoom() const;

    // What left the screen at its top since the last frame is not told.
    void forgetScrolled();

    void resize(std::uint16_t rows, std::uint16_t columns);
    void noteInputLost() { m_inputLost = true; }

    // Something is to be told since the last frame.
    [[nodiscard]] bool changed() const;
    // A message; what does not fit stays for the next one.
    [[nodiscard]] std::string takeFrame();

    // What draws this screen on one of the same size, whatever is on that: for who begins to look later. Takes nothing.
    [[nodiscard]] std::string redraw() const;

private:
    struct Free {
        void operator()(VTerm* term) const { vterm_free(term); }
    };
    static VTermScreenCallbacks callbacks();

    void write(std::string_view sequences);
    void keepCursorInside();
    void forgetScrollRegion();
    void damaged(int fromRow, int toRow);
    void pushed(const VTermScreenCell* cells, int count);
    void changedProperty(VTermProp property, const VTermValue& value);
    [[nodiscard]] api::terminal::ScreenState state() const;
    [[nodiscard]] api::terminal::Line row(int number) const;

    std::uint16_t m_rows;
    std::uint16_t m_columns;
    api::TerminalFilter m_filter;
    SequenceMender m_mender;
    VTermScreenCallbacks m_callbacks; // libvterm keeps a pointer to it
    std::unique_ptr<VTerm, Free> m_term;
    VTermScreen* m_screen = nullptr; // m_term's
    std::vector<bool> m_dirty;       // rows
    std::deque<std::string> m_scrolled; // encoded
    std::size_t m_scrolledBytes = 0;
    api::terminal::ScreenState m_state; // what libvterm told of the cursor and the screen
    api::terminal::ScreenState m_told;  // of the last frame
    bool m_bell = false;
    bool m_inputLost = false;
};

} // namespace carrel::terminal
