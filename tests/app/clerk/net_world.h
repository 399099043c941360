// SPDX-License-Identifier: Apache-2.0
// A desk with a guest that a test plays, an engine that it plays, and far ends on this computer's loopback. All take turns on one
// thread.
#pragma once

#include "app/clerk/net_desk.h"
#include "tests/app/clerk/mux_peer.h"

#include <QElapsedTimer>
#include <QTest>
#include <boost/json.hpp>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace carrel::clerk::test {

namespace json = boost::json;

// A connection over loopback: the end that the engine hands over, and the far one.
struct Tcp {
    Tcp() {
        const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        ours = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const int little = 64 * 1024; // so that little of what nobody takes is the kernel's
        for (const int each : {listener.get(), ours.get()}) {
            (void)::setsockopt(each, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
            (void)::setsockopt(each, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
        }
        if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 && ::listen(listener.get(), 1) == 0 &&
            ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0 &&
            ::connect(ours.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0) {
            far = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        }
    }
    // What came so far; "!" where it broke, "$" where it ended.
    QByteArray take() {
        std::array<char, 65536> buffer;
        while (!m_over) {
            const ssize_t got = ::recv(far.get(), buffer.data(), buffer.size(), 0);
            if (got > 0) {
                come.append(buffer.data(), got);
                continue;
            }
            if (got < 0 && errno == EAGAIN) {
                break;
            }
            come += got == 0 ? '$' : '!';
            m_over = true;
        }
        return come;
    }
    [[nodiscard]] bool isOver() const { return m_over; } // and `come` ends with how
    bool say(const QByteArray& bytes) {
        return ::send(far.get(), bytes.constData(), std::size_t(bytes.size()), MSG_NOSIGNAL) == bytes.size();
    }
    UniqueFd ours, far;
    QByteArray come;

private:
    bool m_over = false;
};

struct NetWorld {
    explicit NetWorld(bool online = true) {
        int ends[2] = {-1, -1};
        (void)::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
        guest = std::make_unique<MuxPeer>(UniqueFd(ends[0]), Side::Guest);
        channel = ChannelPump::create(loop, UniqueFd(ends[1]), ChannelPump::Peer::Guest, desk.events(), {}, [](const std::string&) {});
        desk.attach(channel);
        channel->start();
        ready = until([this] { return channel->mux().isOpen(); }) && (!online || desk.setMode({{"offline", false}}).has_value());
    }

    // Everybody's turn until it is so; false when nothing has moved for so long that nothing will.
    bool until(const std::function<bool()>& done) {
        constexpr int kSilenceMs = 20000;
        for (QElapsedTimer silence = started(); silence.elapsed() < kSilenceMs;) {
            loop.restart();
            if (loop.poll() > 0 || guest->pump()) {
                silence.restart();
            }
            if (done()) {
                return true;
            }
            pollfd none{-1, 0, 0};
            (void)::poll(&none, 1, 1); // the kernel's turn: loopback is not at once
        }
        return false;
    }
    static QElapsedTimer started() {
        QElapsedTimer timer;
        timer.start();
        return timer;
    }
    // What was under way has come.
    void settle() {
        for (int quiet = 0; quiet < 20;) {
            loop.restart();
            quiet = loop.poll() > 0 || guest->pump() ? 0 : quiet + 1;
            pollfd none{-1, 0, 0};
            (void)::poll(&none, 1, 1);
        }
    }

    // Streams of MuxPeer that are no multiple of four are of bytes.
    void openStream(std::uint32_t id, const net::Opening& opening) {
        guest->mux().openStream(id, StreamKind::Bytes);
        guestSays(id, toWire(opening));
    }
    void guestSays(std::uint32_t id, ByteSpan bytes) { (void)guest->mux().sendBytes(id, bytes).has_value(); }
    void guestSays(std::uint32_t id, std::string_view text) { guestSays(id, asBytes(text)); }
    std::uint64_t asked() { // the number of the next one
        std::uint64_t number = 0;
        (void)until([&] {
            for (; m_looked < told.size() && number == 0; ++m_looked) {
                number = told[m_looked].method == "net.open" ? told[m_looked].params.at("number").to_number<std::uint64_t>() : 0;
            }
            return number != 0;
        });
        return number;
    }
    bool connect(std::uint64_t number, Tcp& tcp, const char* treat = "raw") {
        std::vector<UniqueFd> descriptors;
        descriptors.push_back(std::move(tcp.ours));
        return desk.connected({{"number", number}, {"treat", treat}}, std::move(descriptors)).has_value();
    }
    QByteArray atGuest(std::uint32_t id) { return QByteArray::fromStdString(guest->streams[id].bytes); }
    std::optional<json::object> closed(std::uint64_t number) {
        for (const auto& each : told) {
            if (each.method == "net.closed" && each.params.at("number").to_number<std::uint64_t>() == number) {
                return each.params;
            }
        }
        return std::nullopt;
    }
    std::string how(std::uint64_t number) {
        return until([&] { return closed(number).has_value(); }) ? std::string(closed(number)->at("how").as_string()) : "?";
    }
    std::size_t live() { return desk.live({})->at("streams").as_array().size(); }

    boost::asio::io_context loop;
    std::vector<Told> told;
    NetDesk::Clock::time_point now{};
    NetDesk desk{loop, [this](Told one) { told.push_back(std::move(one)); }, [this] { return now; }};
    std::unique_ptr<MuxPeer> guest;
    std::shared_ptr<ChannelPump> channel;
    bool ready = false;

private:
    std::size_t m_looked = 0;
};

} // namespace carrel::clerk::test
