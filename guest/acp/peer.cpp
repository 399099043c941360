// SPDX-License-Identifier: Apache-2.0
#include "guest/acp/peer.h"

#include "guest/acp/words.h"

#include <algorithm>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>

namespace carrel::acp {

namespace json = boost::json;

namespace {

constexpr std::size_t kPiece = 64 * 1024; // read at once
constexpr const char* kGone = "the other side of the conversation is gone";

Problem endedProblem(const char* why) {
    return {static_cast<std::int64_t>(Code::Cancelled), why, nullptr, true};
}

// As much as goes without waiting, of a descriptor that poll(2) called writable: a pipe takes PIPE_BUF bytes then, blocking or not, and a
// socket is told not to wait.
ssize_t writeSome(int fd, std::string_view bytes) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || errno != ENOTSOCK) {
        return sent;
    }
    return ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
}

bool mayComeAgain(int error) {
    return error == EINTR || error == EAGAIN || error == EWOULDBLOCK;
}

} // namespace

struct Peer::Core {
    Core(UniqueFd readFrom, UniqueFd writeTo, PeerLimits given)
        : in(std::move(readFrom))
        , out(std::move(writeTo))
        , limits(given) {}

    UniqueFd in;
    UniqueFd out;
    const PeerLimits limits;
    Handler* handler = nullptr;
    UniqueFd closing; // eventfd(2): written once, never read, so that everybody who polls it wakes
    UniqueFd deaf;    // the same: nothing can be written any more

    std::mutex mutex;
    std::condition_variable_any changed;
    std::deque<std::string> queue; // lines with their newlines
    std::size_t queued = 0;        // bytes, of what is being written too
    bool isClosing = false;
    bool isDeaf = false;    // nothing can be written any more
    bool isAtEnd = false;   // nothing more is read
    std::int64_t nextCall = 1;
    std::map<std::int64_t, Done> calls;

    std::thread reader;
    std::thread writer;

    // Under the lock.
    [[nodiscard]] bool isFull() const { return queued > limits.queueBytes; }
    [[nodiscard]] bool canWrite() const { return !isDeaf && !isClosing; }
    void push(std::string line) {
        line += '\n';
        queued += line.size();
        queue.push_back(std::move(line));
        changed.notify_all();
    }

    void read();
    [[nodiscard]] Error readLines();
    void take(std::string_view line);
    void takeAnswer(std::string_view line, Answer answer);
    void write();
    [[nodiscard]] bool writeLine(std::string_view line);
};

void Peer::Core::read() {
    const auto why = readLines();
    std::map<std::int64_t, Done> open;
    {
        const std::scoped_lock lock(mutex);
        isAtEnd = true;
        open.swap(calls);
        changed.notify_all();
    }
    for (auto& [id, done] : open) {
        done(tl::unexpected<Problem>(endedProblem(kGone)));
    }
    handler->ended(why);
}

Error Peer::Core::readLines() {
    std::string buffer;
    std::size_t looked = 0; // up to here there is no newline
    for (;;) {
        std::size_t taken = 0;
        for (auto end = buffer.find('\n', looked); end != std::string::npos; end = buffer.find('\n', taken)) {
            {
                std::unique_lock lock(mutex);
                changed.wait(lock, [this] { return !isFull() || !canWrite(); });
                if (isClosing) {
                    return Error{ErrorCode::Cancelled, "the conversation was ended here", {}, 0, nullptr};
                }
            }
            take(std::string_view(buffer).substr(taken, end - taken));
            taken = end + 1;
        }
        buffer.erase(0, taken);
        looked = buffer.size();
        if (buffer.size() > limits.lineBytes) {
            return Error{ErrorCode::LimitExceeded,
                         "the other side wrote a line of more than " + std::to_string(limits.lineBytes) + " bytes", {}, 0, nullptr};
        }
        pollfd polled[] = {{in.get(), POLLIN, 0}, {closing.get(), POLLIN, 0}, {deaf.get(), POLLIN, 0}};
        if (::poll(polled, 3, -1) < 0 && errno != EINTR) {
            return errnoError("waiting for the other side of the conversation");
        }
        if (polled[1].revents != 0) {
            return Error{ErrorCode::Cancelled, "the conversation was ended here", {}, 0, nullptr};
        }
        if (polled[0].revents == 0) {
            if (polled[2].revents != 0) { // what it had said before it stopped listening was read
                return Error{ErrorCode::Unavailable, "the other side of the conversation does not listen any more", {}, 0, nullptr};
            }
            continue;
        }
        const auto before = buffer.size();
        buffer.resize(before + kPiece);
        const auto got = ::read(in.get(), buffer.data() + before, kPiece);
        const int error = errno;
        buffer.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got == 0) {
            return Error{ErrorCode::Unavailable, "the other side ended the conversation", {}, 0, nullptr};
        }
        if (got < 0 && !mayComeAgain(error)) {
            return errnoError("reading from the other side of the conversation", error);
        }
    }
}

void Peer::Core::take(std::string_view line) {
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    if (line.find_first_not_of(" \t") == std::string_view::npos) {
        return;
    }
    auto message = readMessage(line, {.bytes = limits.lineBytes, .depth = limits.depth});
    if (!message) {
        const auto& bad = message.error();
        if (bad.told) {
            const std::scoped_lock lock(mutex);
            if (canWrite()) {
                push(lineOf(*bad.told, bad.id, bad.why));
            }
        }
        handler->unreadable(line, bad.why);
        return;
    }
    if (auto* request = std::get_if<Request>(&*message)) {
        handler->request(std::move(*request));
    } else if (auto* notification = std::get_if<Notification>(&*message)) {
        handler->notification(std::move(*notification));
    } else {
        takeAnswer(line, std::move(std::get<Answer>(*message)));
    }
}

void Peer::Core::takeAnswer(std::string_view line, Answer answer) {
    const auto* id = std::get_if<std::int64_t>(&answer.id);
    Done done;
    if (id != nullptr) {
        const std::scoped_lock lock(mutex);
        if (const auto found = calls.find(*id); found != calls.end()) {
            done = std::move(found->second);
            calls.erase(found);
        }
    }
    if (!done) {
        handler->unreadable(line, Error{ErrorCode::Malformed, "an answer to nothing that was asked", {}, 0, nullptr});
        return;
    }
    done(std::move(answer.outcome));
}

void Peer::Core::write() {
    sigset_t pipe; // a reader that is gone is an error of write(2) here, and no end of the program
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    for (;;) {
        std::string line;
        {
            std::unique_lock lock(mutex);
            changed.wait(lock, [this] { return !queue.empty() || isClosing; });
            if (isClosing) {
                return;
            }
            line = std::move(queue.front());
            queue.pop_front();
        }
        const bool isWritten = writeLine(line);
        const std::scoped_lock lock(mutex);
        queued -= line.size();
        if (!isWritten) {
            isDeaf = true;
            queue.clear();
            queued = 0;
            (void)::eventfd_write(deaf.get(), 1);
        }
        changed.notify_all();
        if (!isWritten) {
            return;
        }
    }
}

bool Peer::Core::writeLine(std::string_view line) {
    while (!line.empty()) {
        pollfd polled[] = {{out.get(), POLLOUT, 0}, {closing.get(), POLLIN, 0}};
        if (::poll(polled, 2, -1) < 0 && errno != EINTR) {
            return false;
        }
        if (polled[1].revents != 0) {
            return false;
        }
        if (polled[0].revents == 0) {
            continue;
        }
        const auto written = writeSome(out.get(), line);
        if (written < 0 && !mayComeAgain(errno)) {
            return false;
        }
        line.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    return true;
}

Peer::Peer(UniqueFd in, UniqueFd out, PeerLimits limits)
    : m_core(std::make_unique<Core>(std::move(in), std::move(out), limits)) {}

Peer::~Peer() {
    close();
}

Status Peer::start(Handler& handler) {
    auto& core = *m_core;
    core.closing = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    core.deaf = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!core.closing || !core.deaf) {
        return failErrno("starting a conversation");
    }
    core.handler = &handler;
    core.writer = std::thread([&core] { core.write(); });
    core.reader = std::thread([&core] { core.read(); });
    return {};
}

Result<std::int64_t> Peer::call(std::string_view method, json::object params, Done done) {
    const std::scoped_lock lock(m_core->mutex);
    if (m_core->isAtEnd || !m_core->canWrite()) {
        return fail(ErrorCode::Unavailable, kGone);
    }
    if (m_core->isFull() || m_core->calls.size() >= m_core->limits.calls) {
        return fail(ErrorCode::LimitExceeded, "the other side does not listen fast enough");
    }
    const auto id = m_core->nextCall++;
    m_core->calls.emplace(id, std::move(done));
    m_core->push(lineOf(Request{id, std::string(method), std::move(params)}));
    return id;
}

Outcome Peer::ask(std::string_view method, json::object params, const std::stop_token& stop) {
    struct Slot {
        std::mutex mutex;
        std::condition_variable_any changed;
        std::optional<Outcome> outcome;
    };
    const auto slot = std::make_shared<Slot>();
    const auto id = call(method, std::move(params), [slot](Outcome outcome) {
        const std::scoped_lock lock(slot->mutex);
        slot->outcome = std::move(outcome);
        slot->changed.notify_all();
    });
    if (!id) {
        return tl::unexpected<Problem>(problemOf(id.error()));
    }
    std::unique_lock lock(slot->mutex);
    if (slot->changed.wait(lock, stop, [&slot] { return slot->outcome.has_value(); })) {
        return std::move(*slot->outcome);
    }
    lock.unlock();
    cancel(*id);
    return tl::unexpected<Problem>(endedProblem("it was stopped"));
}

void Peer::cancel(std::int64_t call) {
    const std::scoped_lock lock(m_core->mutex);
    if (m_core->calls.contains(call) && m_core->canWrite()) {
        m_core->push(lineOf(Notification{std::string(method::kCancelRequest), {{"requestId", call}}}));
    }
}

Status Peer::notify(std::string_view method, json::object params) {
    auto line = lineOf(Notification{std::string(method), std::move(params)});
    std::unique_lock lock(m_core->mutex);
    if (m_core->isFull() && m_core->limits.whenFull == WhenFull::Fail) {
        return fail(ErrorCode::LimitExceeded, "the other side does not listen fast enough");
    }
    m_core->changed.wait(lock, [this] { return !m_core->isFull() || !m_core->canWrite(); });
    if (!m_core->canWrite()) {
        return fail(ErrorCode::Unavailable, kGone);
    }
    m_core->push(std::move(line));
    return {};
}

void Peer::answer(const Id& id, Outcome outcome) {
    auto line = lineOf(Answer{id, std::move(outcome)});
    const std::scoped_lock lock(m_core->mutex);
    if (m_core->canWrite()) {
        m_core->push(std::move(line));
    }
}

Peer::Drained Peer::drain(std::chrono::milliseconds most) {
    std::unique_lock lock(m_core->mutex);
    const bool isOver = m_core->changed.wait_for(lock, most, [this] { return m_core->queued == 0 || !m_core->canWrite(); });
    return isOver && m_core->queued == 0 && !m_core->isDeaf ? Drained::Yes : Drained::No;
}

void Peer::close() {
    {
        const std::scoped_lock lock(m_core->mutex);
        m_core->isClosing = true;
        if (m_core->closing) {
            (void)::eventfd_write(m_core->closing.get(), 1);
        }
        m_core->changed.notify_all();
    }
    for (auto* thread : {&m_core->reader, &m_core->writer}) {
        if (thread->joinable()) {
            thread->join();
        }
    }
    m_core->in.reset();
    m_core->out.reset();
}

} // namespace carrel::acp
