// SPDX-License-Identifier: Apache-2.0
#include "app/recording/player.h"

#include "app/api/player_wire.h"
#include "app/api/terminal_wire.h"
#include "app/recording/chunk.h"
#include "app/terminal/screen.h"
#include "hypervisor/confine/descriptors_only.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <memory>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <utility>

namespace carrel::recording {

namespace wire = api::terminal;
namespace orders = api::player;

namespace {

struct Size {
    std::uint16_t columns, rows;
};

Size within(unsigned columns, unsigned rows) {
    return {static_cast<std::uint16_t>(std::clamp<unsigned>(columns, wire::kMinColumns, wire::kMaxColumns)),
            static_cast<std::uint16_t>(std::clamp<unsigned>(rows, wire::kMinRows, wire::kMaxRows))};
}

// Of "80x24"; nothing: it is no size.
std::optional<Size> sizeFrom(std::string_view text) {
    std::uint16_t columns = 0;
    std::uint16_t rows = 0;
    const char* const end = text.data() + text.size();
    const auto across = std::from_chars(text.data(), end, columns);
    if (across.ec != std::errc() || across.ptr == end || *across.ptr != 'x') {
        return std::nullopt;
    }
    const auto down = std::from_chars(across.ptr + 1, end, rows);
    return down.ec == std::errc() && down.ptr == end ? std::optional(within(columns, rows)) : std::nullopt;
}

class Player {
public:
    Player(UniqueFd pieces, UniqueFd window)
        : m_pieces(std::move(pieces))
        , m_window(std::move(window)) {}

    int run(const wire::Confined& confined);

private:
    void read(const UniqueFd& from, wire::MessageSplitter& splitter, void (Player::*take)(std::string_view));
    void takeOrder(std::string_view message);
    void takeWindows(std::string_view message);
    void send(const UniqueFd& to, std::string& waiting);
    void begin(const orders::Piece& piece);
    void draw(std::string_view text);
    void drawUntil(std::uint64_t us);
    void show();
    void pollOnce();

    UniqueFd m_pieces, m_window;
    wire::MessageSplitter m_orders{orders::kMaxToPlayer};
    wire::MessageSplitter m_fromWindow{wire::kMaxToTerminal};
    std::string m_toWindow, m_answers;
    std::unique_ptr<terminal::Screen> m_screen;
    std::vector<CastEvent> m_events; // of the piece under way
    std::size_t m_next = 0;
    bool m_seen = true; // the last picture was
    std::optional<Error> m_error; // of a piece; nothing more is taken
    bool m_over = false;          // and it was told
    std::optional<int> m_status;
};

void Player::read(const UniqueFd& from, wire::MessageSplitter& splitter, void (Player::*take)(std::string_view)) {
    std::array<char, 64 * 1024> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    const ssize_t got = ::recv(from.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        m_status = 0; // the window is gone
        return;
    }
    splitter.feed({buffer.data(), static_cast<std::size_t>(got > 0 ? got : 0)});
    while (!m_status) {
        auto next = splitter.next();
        if (!next) {
            m_status = 1;
        } else if (*next) {
            (this->*take)(**next);
        } else {
            return;
        }
    }
}

void Player::takeWindows(std::string_view message) {
    const auto decoded = wire::decodeToTerminal(message);
    if (!decoded || std::holds_alternative<wire::Input>(*decoded)) { // nothing can be typed into what has happened
        m_status = 1;
    } else if (std::holds_alternative<wire::Seen>(*decoded)) {
        m_seen = true;
    }
}

void Player::takeOrder(std::string_view message) {
    if (m_error) {
        return;
    }
    const auto order = orders::decodeToPlayer(message);
    if (!order) {
        m_status = 1;
    } else if (const auto* piece = std::get_if<orders::Piece>(&*order)) {
        begin(*piece);
    } else {
        const auto& until = std::get<orders::Until>(*order);
        drawUntil(until.us);
        m_answers += encode(orders::Drawn{until.order, m_next < m_events.size() ? std::optional(m_events[m_next].us) : std::nullopt});
    }
}

void Player::begin(const orders::Piece& piece) {
    auto content = readChunk(piece.data, piece.firstUs);
    if (!content) {
        m_error = std::move(content).error();
        return;
    }
    for (const auto& event : content->events) {
        if (event.code == 'r' && !sizeFrom(event.text)) {
            m_error = Error{ErrorCode::Malformed, "this piece of the recording has a size in it that is none", {}, 0, nullptr};
            return;
        }
    }
    if (!m_screen || piece.how == orders::Piece::How::BeginsAnew) {
        const auto size = within(content->columns, content->rows);
        m_screen = std::make_unique<terminal::Screen>(size.rows, size.columns);
        draw(content->screen);
    } else {
        drawUntil(UINT64_MAX);
    }
    m_events = std::move(content->events);
    m_next = 0;
}

void Player::draw(std::string_view text) {
    for (; !text.empty(); text.remove_prefix(std::min(text.size(), terminal::Screen::kSlice))) {
        m_screen->feed(text.substr(0, terminal::Screen::kSlice));
        m_screen->forgetScrolled(); // what came before is sought by its moment
    }
}

void Player::drawUntil(std::uint64_t us) {
    for (; m_next < m_events.size() && m_events[m_next].us <= us; ++m_next) {
        const auto& event = m_events[m_next];
        if (event.code == 'o') {
            draw(event.text);
        } else if (const auto size = event.code == 'r' ? sizeFrom(event.text) : std::nullopt) {
            m_screen->resize(size->rows, size->columns);
            m_screen->forgetScrolled();
        }
    }
}

void Player::send(const UniqueFd& to, std::string& waiting) {
    const ssize_t sent = ::send(to.get(), waiting.data(), waiting.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        waiting.erase(0, static_cast<std::size_t>(sent));
    } else if (errno == EPIPE || errno == ECONNRESET) {
        m_status = 0;
    }
}

// What came before a piece that cannot be read is shown to its end, then that it cannot.
void Player::show() {
    if (!m_seen || m_over || !m_toWindow.empty()) {
        return;
    }
    if (m_screen && m_screen->changed()) {
        m_toWindow = m_screen->takeFrame();
        m_seen = false;
    } else if (m_error) {
        m_toWindow = wire::encode(wire::Ended{wire::Ended::How::Failed, 0, *m_error});
        m_over = true;
    }
}

void Player::pollOnce() {
    const auto events = [](const std::string& waiting) { return static_cast<short>(waiting.empty() ? POLLIN : POLLIN | POLLOUT); };
    // Orders wait while the answers to those before them do.
    std::array<pollfd, 2> polled{pollfd{m_error ? -1 : m_pieces.get(), m_answers.empty() ? static_cast<short>(POLLIN) : static_cast<short>(POLLOUT), 0},
                                 pollfd{m_window.get(), events(m_toWindow), 0}};
    if (::poll(polled.data(), polled.size(), -1) < 0) {
        return; // EINTR
    }
    constexpr int kReads = POLLIN | POLLHUP | POLLERR;
    if ((polled[1].revents & POLLOUT) != 0) {
        send(m_window, m_toWindow);
    }
    if ((polled[1].revents & kReads) != 0) {
        read(m_window, m_fromWindow, &Player::takeWindows);
    }
    if ((polled[0].revents & POLLOUT) != 0) {
        send(m_pieces, m_answers);
    } else if ((polled[0].revents & kReads) != 0) {
        read(m_pieces, m_orders, &Player::takeOrder);
    }
}

int Player::run(const wire::Confined& confined) {
    m_toWindow = wire::encode(confined);
    while (!m_status && !(m_over && m_toWindow.empty())) {
        show();
        pollOnce();
    }
    return m_status.value_or(0);
}

} // namespace

int play(UniqueFd pieces, UniqueFd window) {
    confine::limitReader();
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    auto confined = confine::keepDescriptorsOnly();
    if (!confined) {
        const auto end = wire::encode(wire::Ended{wire::Ended::How::Unfit, 0, std::move(confined).error()});
        (void)!::send(window.get(), end.data(), end.size(), MSG_NOSIGNAL);
        return 1;
    }
    return Player(std::move(pieces), std::move(window)).run({static_cast<std::uint8_t>(*confined)});
}

} // namespace carrel::recording
