// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/recording_link.h"

#include "app/api/own_programs.h"
#include "ui/terminal/terminal_link.h"
#include "ui/text/plain.h"

#include <QSocketNotifier>

#include <array>
#include <cerrno>
#include <sys/socket.h>

namespace carrel::ui {

using namespace api::terminal;

namespace {
constexpr std::size_t kMaxWaiting = 3 * api::player::kMaxToPlayer; // pieces that the program did not take yet
} // namespace

RecordingLink::RecordingLink(QObject* parent)
    : QObject(parent)
    , m_pictures(new TerminalLink(this)) {
    connect(m_pictures, &TerminalLink::frame, this, &RecordingLink::frame);
    connect(m_pictures, &TerminalLink::failed, this, [this](const Error& error) { fail(error); });
    connect(m_pictures, &TerminalLink::ended, this, [this](const Ended& end) {
        if (end.how == Ended::How::Unfit) {
            fail(end.error.wrap(tr("the program that draws the recording could not confine itself, so it was not used").toStdString()));
        } else { // its own words, about what a guest wrote
            fail(Error{end.error.code, lineOf(end.error.message).toStdString(), {}, 0, nullptr});
        }
    });
}

RecordingLink::~RecordingLink() = default;

Status RecordingLink::start() {
    auto program = api::ownProgram("carrel-player");
    return program ? start(*program) : carrel::fail(std::move(program).error());
}

Status RecordingLink::start(const std::filesystem::path& program) {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
        return failErrno("cannot make a line to what draws the recording");
    }
    m_line = UniqueFd(ends[0]);
    CARREL_TRY(m_pictures->start(program, UniqueFd(ends[1])));
    m_readable = std::make_unique<QSocketNotifier>(m_line.get(), QSocketNotifier::Read);
    m_writable = std::make_unique<QSocketNotifier>(m_line.get(), QSocketNotifier::Write);
    connect(m_readable.get(), &QSocketNotifier::activated, this, &RecordingLink::read);
    connect(m_writable.get(), &QSocketNotifier::activated, this, &RecordingLink::write);
    m_writable->setEnabled(!m_out.empty());
    return {};
}

void RecordingLink::give(const api::player::Piece& piece) {
    if (piece.data.size() > api::player::kMaxPieceBytes) {
        fail(Error{ErrorCode::LimitExceeded, tr("a piece of the recording is longer than one may be").toStdString(), {}, 0, nullptr});
        return;
    }
    queue(encode(piece));
}

void RecordingLink::drawUntil(std::uint32_t order, std::uint64_t us) {
    queue(encode(api::player::Until{order, us}));
}

void RecordingLink::queue(const std::string& message) {
    if (m_over) {
        return;
    }
    if (m_out.size() + message.size() > kMaxWaiting) {
        fail(Error{ErrorCode::Unavailable, tr("the program that draws the recording does not answer").toStdString(), {}, 0, nullptr});
        return;
    }
    m_out += message;
    write();
}

void RecordingLink::write() {
    bool gone = false; // reading finds that out
    while (m_line && !m_out.empty() && !gone) {
        const auto sent = ::send(m_line.get(), m_out.data(), m_out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
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

void RecordingLink::read() {
    std::array<char, 4096> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    const auto got = ::recv(m_line.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) { // why, comes by the other line
        m_readable->setEnabled(false);
        m_writable->setEnabled(false);
        return;
    }
    m_splitter.feed({buffer.data(), static_cast<std::size_t>(got)});
    while (!m_over) {
        auto next = m_splitter.next();
        if (next && !*next) {
            return;
        }
        const auto drawn = next ? api::player::decodeDrawn(**next) : Result<api::player::Drawn>(carrel::fail(std::move(next).error()));
        if (!drawn) {
            fail(drawn.error());
            return;
        }
        emit this->drawn(*drawn);
    }
}

void RecordingLink::fail(Error error) {
    if (m_over) {
        return;
    }
    m_over = true;
    m_out.clear();
    for (auto* notifier : {&m_readable, &m_writable}) {
        if (*notifier) {
            (*notifier)->setEnabled(false);
            notifier->release()->deleteLater(); // it may be the one that called
        }
    }
    m_pictures->disconnect(this);
    m_pictures->deleteLater();
    m_line.reset();
    error.hint = tr("The rest of the window goes on. \"carrel log verify\" tells whether the recording was changed.").toStdString();
    emit failed(error);
}

} // namespace carrel::ui
