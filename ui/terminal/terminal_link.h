// SPDX-License-Identifier: Apache-2.0
// A window's line to carrel-terminal (app/api/terminal_wire.h): starts it on a session's channel, hands its frames on, and believes
// it nothing: whatever breaks the agreement ends the program, and is said. No more than one frame is under way, so that output
// costs the window what it can take. Owner: a page. Thread: the window's.
#pragma once

#include "app/api/terminal_process.h"
#include "app/api/terminal_wire.h"

#include <QElapsedTimer>
#include <QObject>
#include <QTimer>

#include <memory>
#include <optional>

class QSocketNotifier;

namespace carrel::ui {

class TerminalLink : public QObject {
    Q_OBJECT
public:
    explicit TerminalLink(QObject* parent);
    ~TerminalLink() override;

    // Once. The program is found where Carrel's programs are.
    [[nodiscard]] Status start(UniqueFd channel);
    [[nodiscard]] Status start(const std::filesystem::path& program, UniqueFd channel);

    void type(const QByteArray& bytes);
    void resize(std::uint16_t rows, std::uint16_t columns);
    // At least so long between a picture and the asking for the next: as the last took to paint, so that a screen that is hard to
    // paint leaves the window half its time.
    void rest(qint64 ms) { m_rest = ms; }

signals:
    void frame(carrel::api::terminal::Frame& frame); // the listener's to take
    // Nothing comes after one of these two, and the program is gone.
    void ended(const carrel::api::terminal::Ended& end);
    void failed(const carrel::Error& error); // the program broke down, or broke the agreement

private:
    void read();
    void write();
    void queue(const std::string& message);
    [[nodiscard]] bool take(std::string_view message);
    void seen();
    void fail(Error error);
    void close();

    std::optional<api::TerminalProcess> m_process;
    std::unique_ptr<QSocketNotifier> m_readable;
    std::unique_ptr<QSocketNotifier> m_writable;
    api::terminal::MessageSplitter m_splitter{api::terminal::kMaxToWindow};
    std::string m_out;
    bool m_confined = false; // it said so
    QElapsedTimer m_lastSeen;
    qint64 m_rest = 0; // ms
    QTimer m_pace;
};

} // namespace carrel::ui
