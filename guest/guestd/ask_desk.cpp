// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/ask_desk.h"

#include "guest/protocol/rpc.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace carrel::guestd {

namespace json = boost::json;

namespace {

constexpr int kBacklog = 16;
constexpr std::chrono::seconds kAcceptPause{1}; // after one that failed, as when descriptors have run out

Result<UniqueFd> listenAt(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return fail(ErrorCode::InvalidArgument, "the socket's path is too long");
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::unlink(path.c_str());
    // For every account in the agent's world; nobody else sees the folder.
    if (!listener || ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::chmod(path.c_str(), 0666) != 0 || ::listen(listener.get(), kBacklog) != 0) {
        return failErrno("opening the socket for questions");
    }
    return listener;
}

std::string lineOf(std::uint64_t id, const Result<json::value>& result) {
    return toText(RpcResponse{id, result}) + "\n";
}

} // namespace

void AskDesk::Shared::answer(std::uint64_t number, Result<json::value> result) {
    {
        const std::lock_guard lock(mutex);
        answers.emplace_back(number, std::move(result));
    }
    knock();
}

void AskDesk::Shared::knock() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t done = ::write(wake.get(), &one, sizeof one);
}

AskDesk::AskDesk(HostAsks& asks, const RefusalBook& refusals, ShareIds shareIds, Bounds bounds)
    : m_asks(asks)
    , m_refusals(refusals)
    , m_shareIds(std::move(shareIds))
    , m_bounds(bounds)
    , m_shared(std::make_shared<Shared>()) {
    m_shared->wake = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

AskDesk::~AskDesk() {
    stop();
}

Status AskDesk::start(const std::string& socketPath) {
    auto listener = listenAt(socketPath);
    if (!listener) {
        return fail(std::move(listener).error());
    }
    m_listener = std::move(*listener);
    m_asks.onChange([shared = m_shared] { shared->knock(); });
    m_thread = std::thread([this] { run(); });
    return {};
}

void AskDesk::stop() {
    {
        const std::lock_guard lock(m_shared->mutex);
        m_shared->stop = true;
    }
    m_shared->knock();
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

int AskDesk::pollTimeout(Clock::time_point now) const {
    auto next = m_asks.nextDeadline();
    const auto take = [&next](Clock::time_point one) { next = next ? std::min(*next, one) : one; };
    for (const auto& [number, one] : m_connections) {
        if (one.doing != Doing::Waiting) {
            take(one.until);
        }
    }
    if (m_acceptAgain > now) {
        take(m_acceptAgain);
    }
    if (!next) {
        return -1;
    }
    // Rounded up, so that it is time when it wakes.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void AskDesk::run() {
    std::vector<pollfd> wait;
    std::vector<std::uint64_t> numbers;
    for (;;) {
        auto now = Clock::now();
        wait = {{m_shared->wake.get(), POLLIN, 0}, {m_acceptAgain > now ? -1 : m_listener.get(), POLLIN, 0}};
        numbers.clear();
        for (const auto& [number, one] : m_connections) {
            const short events = one.doing == Doing::Saying ? POLLIN : one.doing == Doing::Taking ? POLLOUT : 0;
            wait.push_back({one.fd.get(), events, 0});
            numbers.push_back(number);
        }
        (void)::poll(wait.data(), wait.size(), pollTimeout(now));
        now = Clock::now();
        std::uint64_t knocks = 0;
        [[maybe_unused]] const ssize_t got = ::read(m_shared->wake.get(), &knocks, sizeof knocks);
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            auto& one = m_connections.at(numbers[i]);
            auto goes = Goes::On;
            if ((wait[i + 2].revents & (POLLERR | POLLNVAL)) != 0 ||
                (one.doing != Doing::Saying && (wait[i + 2].revents & POLLHUP) != 0) ||
                (one.doing != Doing::Waiting && one.until <= now)) {
                goes = Goes::Away;
            } else if (wait[i + 2].revents != 0) {
                goes = one.doing == Doing::Saying ? read(numbers[i], one, now) : serve(numbers[i], one, now);
            }
            if (goes == Goes::Away) {
                m_connections.erase(numbers[i]);
            }
        }
        m_asks.expire(now);
        handOut(now);
        if (wait[1].revents != 0) {
            acceptAll(now);
        }
        const std::lock_guard lock(m_shared->mutex);
        if (m_shared->stop) {
            return;
        }
    }
}

void AskDesk::acceptAll(Clock::time_point now) {
    for (;;) {
        UniqueFd fd(::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
                m_acceptAgain = now + kAcceptPause;
            }
            return;
        }
        if (m_connections.size() >= m_bounds.connections) {
            const auto line = lineOf(0, fail(ErrorCode::LimitExceeded, "too many programs ask at once", "Try again in a moment"));
            [[maybe_unused]] const ssize_t done = ::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            continue;
        }
        auto& one = m_connections[m_next++];
        one.fd = std::move(fd);
        one.until = now + m_bounds.toSay;
    }
}

// What was answered meanwhile, by whichever thread.
void AskDesk::handOut(Clock::time_point now) {
    for (;;) {
        decltype(Shared::answers) answers;
        {
            const std::lock_guard lock(m_shared->mutex);
            answers.swap(m_shared->answers);
        }
        if (answers.empty()) {
            return;
        }
        for (const auto& [number, result] : answers) {
            const auto at = m_connections.find(number);
            if (at == m_connections.end()) {
                continue;
            }
            answer(at->second, result, now);
            if (serve(number, at->second, now) == Goes::Away) {
                m_connections.erase(at);
            }
        }
    }
}

AskDesk::Goes AskDesk::read(std::uint64_t number, Connection& one, Clock::time_point now) {
    std::array<char, 16 * 1024> buffer;
    const ssize_t got = ::recv(one.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? Goes::On : Goes::Away;
    }
    if (got == 0) {
        return Goes::Away;
    }
    one.in.append(buffer.data(), static_cast<std::size_t>(got));
    return serve(number, one, now);
}

AskDesk::Goes AskDesk::serve(std::uint64_t number, Connection& one, Clock::time_point now) {
    for (;;) {
        if (one.doing == Doing::Taking) {
            if (write(one, now) == Goes::Away) {
                return Goes::Away;
            }
        }
        if (one.doing != Doing::Saying) {
            return Goes::On;
        }
        const auto end = one.in.find('\n');
        if (end == std::string::npos) {
            return one.in.size() > kMaxAskLine ? Goes::Away : Goes::On;
        }
        if (takeLine(number, one, end, now) == Goes::Away) {
            return Goes::Away;
        }
    }
}

AskDesk::Goes AskDesk::takeLine(std::uint64_t number, Connection& one, std::size_t end, Clock::time_point now) {
    auto line = askLineFrom(std::string_view(one.in).substr(0, end), m_shareIds);
    one.in.erase(0, end + 1);
    if (!line) {
        return Goes::Away; // what comes after it means nothing either
    }
    one.id = line->id;
    one.doing = Doing::Waiting;
    if (!line->asked) {
        answer(one, fail(std::move(line->asked).error()), now);
        return Goes::On;
    }
    if (const auto* wanted = std::get_if<net::RefusalsWanted>(&*line->asked)) {
        answer(one, json::value(toJson(m_refusals.list(*wanted))), now);
        return Goes::On;
    }
    if (std::holds_alternative<PackagesWanted>(*line->asked)) {
        if (m_lookAtPackages) {
            m_lookAtPackages([shared = m_shared, number] { shared->answer(number, json::value(json::object())); });
        } else {
            answer(one, json::value(json::object()), now);
        }
        return Goes::On;
    }
    const auto question = std::get<ask::Question>(std::move(*line->asked));
    m_asks.ask(
        question,
        [shared = m_shared, number, question](Result<ask::Standings> standings) {
            Result<json::value> result;
            if (standings) {
                result = json::value(ask::answerTo(question, *standings));
            } else {
                result = fail(std::move(standings).error());
            }
            shared->answer(number, std::move(result));
        },
        now);
    return Goes::On;
}

void AskDesk::answer(Connection& one, const Result<json::value>& result, Clock::time_point now) const {
    one.out = lineOf(one.id, result);
    one.doing = Doing::Taking;
    one.until = now + m_bounds.toTake;
}

AskDesk::Goes AskDesk::write(Connection& one, Clock::time_point now) const {
    const ssize_t done = ::send(one.fd.get(), one.out.data(), one.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done < 0) {
        return errno == EAGAIN || errno == EINTR ? Goes::On : Goes::Away;
    }
    one.out.erase(0, static_cast<std::size_t>(done));
    if (one.out.empty()) {
        one.doing = Doing::Saying;
        one.until = now + m_bounds.toSay;
    }
    return Goes::On;
}

} // namespace carrel::guestd
