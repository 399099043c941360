// SPDX-License-Identifier: Apache-2.0
#include "app/egress/connector.h"

#include <boost/asio.hpp>

#include <algorithm>
#include <cstring>
#include <netinet/tcp.h>
#include <set>
#include <thread>

namespace carrel::egress {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// What is told of several that failed: that nobody listens says more than that nobody answered, and that more than no way.
int tells(ErrorCode code) {
    return code == ErrorCode::Refused ? 2 : code == ErrorCode::Expired ? 1 : 0;
}

Error errorOf(const error_code& error) {
    if (error == asio::error::connection_refused) {
        return Error{ErrorCode::Refused, "nobody listens there", {}, error.value(), nullptr};
    }
    if (error == asio::error::timed_out) {
        return Error{ErrorCode::Expired, "nobody answered", {}, error.value(), nullptr};
    }
    return Error{ErrorCode::Unavailable, "no way leads there: " + error.message(), {}, error.value(), nullptr};
}

tcp::endpoint asioEndpoint(const Endpoint& to) {
    sockaddr_storage raw{};
    const auto size = to.address.put(raw, to.port);
    tcp::endpoint out;
    out.resize(size);
    std::memcpy(out.data(), &raw, size);
    return out;
}

// One connection in the making. On the connector's thread alone; kept by what it waits for.
class Dial : public std::enable_shared_from_this<Dial> {
public:
    Dial(asio::io_context& loop, Wanted wanted, SocketConnector::Patience patience, std::function<void(Result<Made>)> done)
        : m_loop(loop)
        , m_to(inTurn(wanted.to))
        , m_through(std::move(wanted.through))
        , m_patience(patience)
        , m_done(std::move(done))
        , m_nextTimer(loop)
        , m_wholeTimer(loop) {}

    void begin() {
        m_wholeTimer.expires_after(m_patience.whole);
        m_wholeTimer.async_wait([self = shared_from_this()](const error_code& error) {
            if (!error) {
                self->end(fail(ErrorCode::Expired, "nobody answered in time"));
            }
        });
        tryNext();
    }
    void end(Result<Made> result) {
        if (!m_done) {
            return;
        }
        const auto done = std::exchange(m_done, nullptr);
        m_nextTimer.cancel();
        m_wholeTimer.cancel();
        error_code ignored;
        for (const auto& each : m_tries) {
            (void)each->close(ignored);
        }
        m_tries.clear();
        if (m_socket) {
            (void)m_socket->close(ignored);
        }
        done(std::move(result));
    }

private:
    using SocketPtr = std::shared_ptr<tcp::socket>;

    void tryNext() {
        while (m_done && m_next < m_to.size()) {
            const auto to = m_to[m_next++];
            auto socket = opened(to);
            if (!socket) {
                failed(socket.error());
                continue;
            }
            m_tries.insert(*socket);
            (*socket)->async_connect(asioEndpoint(to), [self = shared_from_this(), socket = *socket, to](const error_code& error) {
                self->tried(socket, to, error);
            });
            m_nextTimer.expires_after(m_patience.next);
            m_nextTimer.async_wait([self = shared_from_this()](const error_code& error) {
                if (!error) {
                    self->tryNext();
                }
            });
            return;
        }
        if (m_done && m_tries.empty() && !m_socket) {
            end(fail(m_failure.value_or(Error{ErrorCode::Unavailable, "there is no address to connect to", {}, 0, nullptr})));
        }
    }

    Result<SocketPtr> opened(const Endpoint& to) {
        const int family = to.address.isV4() ? AF_INET : AF_INET6;
        UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
        if (!fd) {
            return failErrno("making a socket");
        }
        const int on = 1;
        (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        auto socket = std::make_shared<tcp::socket>(m_loop);
        error_code error;
        (void)socket->assign(to.address.isV4() ? tcp::v4() : tcp::v6(), fd.get(), error);
        if (error) {
            return fail(errorOf(error));
        }
        (void)fd.release();
        return socket;
    }

    void failed(const Error& error) {
        if (!m_failure || tells(error.code) > tells(m_failure->code)) {
            m_failure = error;
        }
    }

    void tried(const SocketPtr& socket, const Endpoint& to, const error_code& error) {
        if (!m_done || m_tries.erase(socket) == 0) {
            return;
        }
        if (error) {
            failed(errorOf(error));
            m_nextTimer.cancel();
            tryNext();
            return;
        }
        m_nextTimer.cancel();
        m_next = m_to.size();
        error_code ignored;
        for (const auto& each : m_tries) {
            (void)each->close(ignored);
        }
        m_tries.clear();
        m_socket = socket;
        m_at = to;
        if (!m_through) {
            return handOver();
        }
        say(m_through->begin());
    }

    void handOver() {
        error_code error;
        const int fd = m_socket->release(error);
        m_socket.reset();
        end(error ? Result<Made>(fail(errorOf(error))) : Made{UniqueFd(fd), *m_at});
    }

    void say(std::string words) {
        auto kept = std::make_shared<std::string>(std::move(words));
        asio::async_write(*m_socket, asio::buffer(*kept), [self = shared_from_this(), kept](const error_code& error, std::size_t) {
            if (self->m_done && error) {
                self->end(fail(errorOf(error)));
            } else if (self->m_done) {
                self->hear();
            }
        });
    }

    // Looked at first, and only then taken: what comes after the proxy's answer is not ours.
    void hear() {
        m_socket->async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code& error) {
            if (self->m_done && error) {
                self->end(fail(errorOf(error)));
            } else if (self->m_done) {
                self->heard();
            }
        });
    }

    void heard() {
        std::array<char, 2048> buffer{};
        const auto room = std::min(buffer.size(), m_answer.size() < kMaxProxyAnswer ? kMaxProxyAnswer - m_answer.size() + 1 : 1);
        const auto seen = ::recv(m_socket->native_handle(), buffer.data(), room, MSG_PEEK | MSG_DONTWAIT);
        if (seen < 0 && (errno == EAGAIN || errno == EINTR)) {
            return hear();
        }
        if (seen <= 0) {
            return end(fail(ErrorCode::Unavailable, "the proxy closed the connection"));
        }
        // Bytes that the last look left because they were too few are in m_answer, and are no longer in the socket.
        const auto before = m_answer.size();
        const auto all = m_answer + std::string(buffer.data(), static_cast<std::size_t>(seen));
        const auto step = m_through->take(all);
        if (!step) {
            return end(fail(step.error()));
        }
        const bool waits = step->used == 0;
        const auto taken = waits ? static_cast<std::size_t>(seen) : step->used - std::min(before, step->used);
        if (::recv(m_socket->native_handle(), buffer.data(), taken, MSG_DONTWAIT) != static_cast<ssize_t>(taken)) {
            return end(fail(ErrorCode::Unavailable, "the proxy's answer cannot be read"));
        }
        m_answer = waits ? all : std::string();
        if (step->done) {
            return handOver();
        }
        if (!step->send.empty()) {
            return say(step->send);
        }
        hear();
    }

    asio::io_context& m_loop;
    std::vector<Endpoint> m_to;
    std::optional<Tunnel> m_through;
    SocketConnector::Patience m_patience;
    std::function<void(Result<Made>)> m_done;
    asio::steady_timer m_nextTimer, m_wholeTimer;
    std::size_t m_next = 0;
    std::set<SocketPtr> m_tries;
    std::optional<Error> m_failure;
    SocketPtr m_socket;
    std::optional<Endpoint> m_at;
    std::string m_answer;
};

} // namespace

std::vector<Endpoint> inTurn(const std::vector<Endpoint>& endpoints) {
    std::vector<Endpoint> out;
    if (endpoints.empty()) {
        return out;
    }
    const auto first = endpoints.front().address.family();
    std::vector<Endpoint> one, other;
    for (const auto& each : endpoints) {
        (each.address.family() == first ? one : other).push_back(each);
    }
    for (std::size_t i = 0; i < std::max(one.size(), other.size()); ++i) {
        for (const auto* of : {&one, &other}) {
            if (i < of->size() && out.size() < kMaxTried) {
                out.push_back((*of)[i]);
            }
        }
    }
    return out;
}

class SocketConnector::Impl {
public:
    explicit Impl(Patience patience)
        : m_patience(patience)
        , m_work(asio::make_work_guard(m_loop))
        , m_thread([this] { m_loop.run(); }) {}
    ~Impl() {
        asio::post(m_loop, [this] {
            const auto all = m_dials;
            for (const auto& each : all) {
                if (const auto one = each.lock()) {
                    one->end(fail(ErrorCode::Cancelled, "Carrel lets go of the network"));
                }
            }
        });
        m_work.reset();
        m_thread.join(); // nothing is left that it could wait for
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void connect(Wanted wanted, std::stop_token stop, std::function<void(Result<Made>)> done) {
        // The callback goes with the answer; it is made on this thread, as it may be called at once.
        struct Off {
            std::optional<std::stop_callback<std::function<void()>>> callback;
        };
        auto off = std::make_shared<Off>();
        auto dial = std::make_shared<Dial>(m_loop, std::move(wanted), m_patience,
                                           [this, off, done = std::move(done)](Result<Made> result) {
                                               off->callback.reset();
                                               std::erase_if(m_dials, [](const auto& each) { return each.expired(); });
                                               done(std::move(result));
                                           });
        asio::post(m_loop, [this, off, dial, stop = std::move(stop)] {
            m_dials.push_back(dial);
            off->callback.emplace(stop, [this, weak = std::weak_ptr(dial)] {
                asio::post(m_loop, [weak] {
                    if (const auto one = weak.lock()) {
                        one->end(fail(ErrorCode::Cancelled, "it was called off"));
                    }
                });
            });
            dial->begin();
        });
    }

private:
    const Patience m_patience;
    asio::io_context m_loop{1};
    asio::executor_work_guard<asio::io_context::executor_type> m_work;
    std::vector<std::weak_ptr<Dial>> m_dials; // the thread's
    std::thread m_thread;                     // last: it uses the rest
};

SocketConnector::SocketConnector()
    : SocketConnector(Patience{}) {}
SocketConnector::SocketConnector(Patience patience)
    : m_impl(std::make_unique<Impl>(patience)) {}
SocketConnector::~SocketConnector() = default;

void SocketConnector::connect(Wanted wanted, std::stop_token stop, std::function<void(Result<Made>)> done) {
    m_impl->connect(std::move(wanted), std::move(stop), std::move(done));
}

} // namespace carrel::egress
