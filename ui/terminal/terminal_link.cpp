// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_link.h"

#include "app/api/own_programs.h"

#include <QSocketNotifier>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/socket.h>

namespace carrel::ui {

using namespace api::terminal;

namespace {
// What waits for the program to read it. It reads always, unless it is broken.
constexpr std::size_t kMaxWaiting = 4 * 1024 * 1024;
// No screen shows more pictures in a second; a single one, as of a key's echo, does not wait.
constexpr int kFramePaceMs = 8;

Error brokenDown(const QString& what) {
    return Error{ErrorCode::Unavailable, what.toStdString(), {}, 0, nullptr};
}
} // namespace

TerminalLink::TerminalLink(QObject* parent)
    : QObject(parent) {
    m_pace.setSingleShot(true);
    connect(&m_pace, &QTimer::timeout, this, &TerminalLink::seen);
}

TerminalLink::~TerminalLink() = default;

Status TerminalLink::start(UniqueFd channel) {
    auto program = api::ownProgram("carrel-terminal");
    if (!program) {
        return carrel::fail(std::move(program).error());
    }
    return start(*program, std::move(channel));
}

Status TerminalLink::start(const std::filesystem::path& program, UniqueFd channel) {
    auto process = api::TerminalProcess::start(program, std::move(channel));
    if (!process) {
        return carrel::fail(std::move(process).error());
    }
    m_process = std::move(*process);
    m_readable = std::make_unique<QSocketNotifier>(m_process->link(), QSocketNotifier::Read);
    m_writable = std::make_unique<QSocketNotifier>(m_process->link(), QSocketNotifier::Write);
    connect(m_readable.get(), &QSocketNotifier::activated, this, &TerminalLink::read);
    connect(m_writable.get(), &QSocketNotifier::activated, this, &TerminalLink::write);
    m_writable->setEnabled(!m_out.empty());
    return {};
}

void TerminalLink::type(const QByteArray& bytes) {
    for (qsizetype at = 0; at < bytes.size(); at += static_cast<qsizetype>(kMaxInput)) {
        queue(encode(Input{bytes.mid(at, static_cast<qsizetype>(kMaxInput)).toStdString()}));
    }
}

void TerminalLink::resize(std::uint16_t rows, std::uint16_t columns) {
    queue(encode(Resize{rows, columns}));
}

void TerminalLink::queue(const std::string& message) {
    if (!m_process) {
        return;
    }
    if (m_out.size() + message.size() > kMaxWaiting) {
        fail(brokenDown(tr("the program that draws the terminal does not answer")));
        return;
    }
    m_out += message;
    write();
}

void TerminalLink::write() {
    bool gone = false; // reading finds that out, after what there still is to read
    while (m_process && !m_out.empty() && !gone) {
        const auto sent = ::send(m_process->link(), m_out.data(), m_out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0) {
            gone = errno != EAGAIN && errno != EINTR;
            break;
        }
        m_out.erase(0, static_cast<std::size_t>(sent));
    }
    if (m_writable) {
        m_writable->setEnabled(!m_out.empty() && !gone);
    }
}

void TerminalLink::read() {
    std::array<char, 256 * 1024> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    const auto got = ::recv(m_process->link(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        fail(brokenDown(tr("the program that draws the terminal broke down")));
        return;
    }
    m_splitter.feed({buffer.data(), static_cast<std::size_t>(got)});
    for (bool goesOn = true; goesOn && m_process;) {
        auto next = m_splitter.next();
        if (!next) {
            fail(std::move(next).error());
            return;
        }
        goesOn = next->has_value() && take(**next);
    }
}

// False: nothing more is to be taken now, or at all.
bool TerminalLink::take(std::string_view message) {
    auto decoded = decodeToWindow(message);
    if (!decoded) {
        fail(std::move(decoded).error());
        return false;
    }
    const auto* end = std::get_if<Ended>(&*decoded);
    const bool first = std::holds_alternative<Confined>(*decoded) || (end != nullptr && end->how == Ended::How::Unfit);
    // First of all it says that it is confined; and a second picture before the first was taken in breaks the agreement, too.
    if (first == m_confined || (std::holds_alternative<Frame>(*decoded) && m_pace.isActive())) {
        fail(Error{ErrorCode::Malformed, tr("the program that draws the terminal sent something out of turn").toStdString(), {}, 0, nullptr});
        return false;
    }
    m_confined = true;
    if (end != nullptr) {
        close();
        emit ended(*end);
        return false;
    }
    if (auto* picture = std::get_if<Frame>(&*decoded)) {
        const auto since = m_lastSeen.isValid() ? m_lastSeen.elapsed() : kFramePaceMs;
        m_pace.start(static_cast<int>(std::max<qint64>(m_rest, kFramePaceMs - since)));
        emit frame(*picture);
    }
    return m_process.has_value();
}

void TerminalLink::seen() {
    m_lastSeen.start();
    queue(encode(Seen{}));
}

void TerminalLink::fail(Error error) {
    close();
    error.hint = tr("It was ended, and with it what ran in the terminal. Open it again: the agent's machine goes on.").toStdString();
    emit failed(error);
}

void TerminalLink::close() {
    m_pace.stop();
    // The notifier may be the one that called.
    for (auto* notifier : {&m_readable, &m_writable}) {
        if (*notifier) {
            (*notifier)->setEnabled(false);
            notifier->release()->deleteLater();
        }
    }
    m_out.clear();
    m_process.reset();
}

} // namespace carrel::ui
