// SPDX-License-Identifier: Apache-2.0
// A window's line to carrel-player (app/api/player_wire.h): hands it pieces of a recording, unread, and takes its pictures as a
// terminal's. It believes it nothing, as TerminalLink does: whatever breaks the agreement ends the program, and is said.
// Owner: a player. Thread: the window's.
#pragma once

#include "app/api/player_wire.h"
#include "app/api/terminal_wire.h"
#include "guest/protocol/unique_fd.h"

#include <QObject>

#include <filesystem>
#include <memory>
#include <optional>

class QSocketNotifier;

namespace carrel::ui {

class TerminalLink;

class RecordingLink : public QObject {
    Q_OBJECT
public:
    explicit RecordingLink(QObject* parent);
    ~RecordingLink() override;

    // Once. The program is found where Carrel's programs are.
    [[nodiscard]] Status start();
    [[nodiscard]] Status start(const std::filesystem::path& program);

    // Nothing where it is longer than a piece may be: failed() tells.
    void give(const api::player::Piece& piece);
    void drawUntil(std::uint32_t order, std::uint64_t us);

signals:
    void frame(carrel::api::terminal::Frame& frame); // the listener's to take
    void drawn(const carrel::api::player::Drawn& drawn);
    void failed(const carrel::Error& error); // nothing comes after it, and the program is gone

private:
    void queue(const std::string& message);
    void read();
    void write();
    void fail(Error error);

    TerminalLink* m_pictures; // ours
    UniqueFd m_line;
    std::unique_ptr<QSocketNotifier> m_readable, m_writable;
    api::terminal::MessageSplitter m_splitter{api::player::kMaxToWindow};
    std::string m_out;
    bool m_over = false;
};

} // namespace carrel::ui
