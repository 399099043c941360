// SPDX-License-Identifier: Apache-2.0
#include "app/api/server.h"

#include "app/api/connection.h"
#include "app/api/socket_io.h"

#include <atomic>
#include <condition_variable>
#include <list>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace carrel::api {

using detail::Connection;

namespace {

Result<UniqueFd> listenAt(const std::filesystem::path& socket) {
    auto address = addressOf(socket);
    if (!address) {
        return fail(std::move(address).error());
    }
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener) {
        return failErrno("cannot make the engine's socket");
    }
    if (::unlink(socket.c_str()) != 0 && errno != ENOENT) {
        return failErrno("cannot remove the old socket " + socket.string());
    }
    // The folder around it is 0700; the socket's own mode is a second lock.
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
        ::chmod(socket.c_str(), 0600) != 0 || ::listen(listener.get(), 64) != 0) {
        return failErrno("cannot listen at " + socket.string());
    }
    return listener;
}

} // namespace

struct Server::Impl {
    // A connection and its thread. The thread never touches the entry after markFinished().
    struct Entry {
        Entry(UniqueFd socket, const Handlers& handlers, const ClientGate* gate)
            : connection(std::move(socket), handlers, gate) {}
        Connection connection;
        std::thread thread;
    };

    Listening where;
    Handlers handlers;
    UniqueFd listener;
    UniqueFd clientListener; // none without a gate
    UniqueFd wake; // eventfd: a connection ended, or stop
    std::atomic<bool> stopping = false;
    std::thread acceptor;
    std::list<Entry> entries; // the acceptor's alone while it runs

    std::mutex waiting;
    std::condition_variable stopRequested;
    bool stopWanted = false;

    void poke() const {
        const std::uint64_t one = 1;
        (void)!::write(wake.get(), &one, sizeof one);
    }
    void acceptOne(int from, const ClientGate* gate);
    [[nodiscard]] Status roomFor(const ClientGate* gate) const;
    void reap();
    void watch();
};

// The owner's and the clients' are counted apart: no number of clients keeps the owner out.
Status Server::Impl::roomFor(const ClientGate* gate) const {
    std::size_t likeIt = 0;
    std::size_t unknown = 0;
    for (const auto& entry : entries) {
        likeIt += entry.connection.isClient() == (gate != nullptr) ? 1 : 0;
        unknown += entry.connection.unknown() ? 1 : 0;
    }
    if (gate == nullptr && likeIt >= kMaxConnections) {
        return fail(ErrorCode::LimitExceeded, "too many programs talk to the engine at once",
                    "End some of the carrel commands that are running.");
    }
    if (gate != nullptr && (likeIt >= kMaxClientConnections || unknown >= kMaxUnknownConnections)) {
        return fail(ErrorCode::LimitExceeded, "too many clients talk to the engine at once", "Try again in a moment.");
    }
    return {};
}

void Server::Impl::acceptOne(int from, const ClientGate* gate) {
    UniqueFd socket(::accept4(from, nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            // Out of descriptors: the connection stays in the queue. Wait until one of ours ends.
            pollfd only{wake.get(), POLLIN, 0};
            ::poll(&only, 1, 1000);
        }
        return;
    }
    const auto refuse = [&](const Error& why) {
        // Small enough for an empty socket buffer: never blocks.
        (void)sendAll(socket.get(), toText(RpcResponse{0, fail(why)}) + "\n");
    };
    if (auto ours = checkPeerIs(socket.get(), where.user); !ours) {
        refuse(ours.error());
        return;
    }
    if (auto room = roomFor(gate); !room) {
        refuse(room.error());
        return;
    }
    Entry& entry = entries.emplace_back(std::move(socket), handlers, gate);
    entry.thread = std::thread([this, &entry] {
        entry.connection.serve();
        entry.connection.markFinished();
        poke();
    });
}

void Server::Impl::reap() {
    for (auto entry = entries.begin(); entry != entries.end();) {
        if (entry->connection.finished()) {
            entry->thread.join();
            entry = entries.erase(entry);
        } else {
            ++entry;
        }
    }
}

// Accepts, and sees callers go: POLLRDHUP and POLLHUP come whether or not a handler is busy, so that a
// handler that waits learns at once that nobody wants its answer.
void Server::Impl::watch() {
    while (!stopping) {
        // poll(2) passes over a negative descriptor.
        std::vector<pollfd> polled{
            {listener.get(), POLLIN, 0}, {clientListener.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}};
        const std::size_t first = polled.size();
        std::vector<Connection*> connections;
        for (auto& entry : entries) {
            if (!entry.connection.gone()) {
                polled.push_back({entry.connection.descriptor(), POLLRDHUP, 0});
                connections.push_back(&entry.connection);
            }
        }
        if (::poll(polled.data(), polled.size(), -1) < 0) {
            continue; // EINTR
        }
        if (polled[first - 1].revents != 0) {
            std::uint64_t count = 0;
            (void)!::read(wake.get(), &count, sizeof count);
        }
        for (std::size_t i = 0; i < connections.size(); ++i) {
            if ((polled[i + first].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
                connections[i]->cut();
            }
        }
        reap();
        if (polled[0].revents != 0 && !stopping) {
            acceptOne(listener.get(), nullptr);
        }
        if (polled[1].revents != 0 && !stopping) {
            acceptOne(clientListener.get(), &*where.clients);
        }
    }
}

Server::Server(std::unique_ptr<Impl> impl)
    : m_impl(std::move(impl)) {}

Server::~Server() {
    stop();
}

Result<std::unique_ptr<Server>> Server::start(const std::filesystem::path& socket, Handlers handlers) {
    return start(Listening{socket, std::nullopt}, std::move(handlers));
}

Result<std::unique_ptr<Server>> Server::start(Listening where, Handlers handlers) {
    auto impl = std::make_unique<Impl>();
    impl->where = std::move(where);
    impl->handlers = std::move(handlers);
    impl->wake = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!impl->wake) {
        return failErrno("cannot make the engine's socket");
    }
    auto listener = listenAt(impl->where.socket);
    if (!listener) {
        return fail(std::move(listener).error());
    }
    impl->listener = std::move(*listener);
    if (impl->where.clients) {
        auto clients = listenAt(impl->where.clients->socket);
        if (!clients) {
            return fail(std::move(clients).error());
        }
        impl->clientListener = std::move(*clients);
    }
    Impl& running = *impl;
    running.acceptor = std::thread([&running] { running.watch(); });
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

void Server::stop() {
    if (m_impl->stopping.exchange(true)) {
        return;
    }
    requestStop();
    m_impl->poke();
    m_impl->acceptor.join();
    for (auto& entry : m_impl->entries) {
        entry.connection.cut();
    }
    for (auto& entry : m_impl->entries) {
        entry.thread.join();
    }
    m_impl->entries.clear();
    m_impl->listener.reset();
    ::unlink(m_impl->where.socket.c_str());
    if (m_impl->where.clients) {
        m_impl->clientListener.reset();
        ::unlink(m_impl->where.clients->socket.c_str());
    }
}

void Server::requestStop() {
    const std::lock_guard lock(m_impl->waiting);
    m_impl->stopWanted = true;
    m_impl->stopRequested.notify_all();
}

void Server::waitStopRequested() {
    std::unique_lock lock(m_impl->waiting);
    m_impl->stopRequested.wait(lock, [this] { return m_impl->stopWanted; });
}

} // namespace carrel::api
