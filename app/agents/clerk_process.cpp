// SPDX-License-Identifier: Apache-2.0
#include "app/agents/clerk_process.h"

#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>

namespace carrel::agents {

namespace json = boost::json;

namespace {

std::string describeEnd(int status) {
    if (WIFSIGNALED(status)) {
        return "the clerk was ended by signal " + std::to_string(WTERMSIG(status));
    }
    return "the clerk ended with status " + std::to_string(WEXITSTATUS(status));
}

constexpr int kEndPatienceMs = 5000;   // a clerk whose link is closed ends at once
constexpr timeval kSendPatience{30, 0}; // it reads whenever it does not work; only a broken one lets the link fill up

// One that does not end is broken, and nobody may have to wait for it.
int waitForEnd(pid_t pid) {
    const UniqueFd watch(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd ended{watch.get(), POLLIN, 0};
    if (!watch || ::poll(&ended, 1, kEndPatienceMs) <= 0) {
        (void)::kill(pid, SIGKILL);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

} // namespace

Result<std::shared_ptr<ClerkProcess>> ClerkProcess::start(const std::string& program, Events events) {
    auto link = clerk::makeLinkPair();
    if (!link) {
        return fail(std::move(link).error());
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, link->second.get(), clerk::kLinkDescriptor);
    // The engine's threads block signals for the one that waits for them; the clerk starts with none blocked.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    std::string name = "carrel-clerk";
    std::array<char*, 2> argv{name.data(), nullptr};
    std::string locale = "LC_ALL=C.UTF-8"; // and nothing else of the user's environment
    std::array<char*, 2> environment{locale.data(), nullptr};
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) {
        return fail(errnoError("starting the clerk " + program, error)
                        .wrap("The agent's clerk could not be started", "Reinstall Carrel"));
    }
    (void)::setsockopt(link->first.get(), SOL_SOCKET, SO_SNDTIMEO, &kSendPatience, sizeof kSendPatience);
    return std::shared_ptr<ClerkProcess>(new ClerkProcess(pid, std::move(link->first), std::move(events)));
}

ClerkProcess::ClerkProcess(pid_t pid, UniqueFd link, Events events)
    : m_pid(pid)
    , m_link(std::move(link))
    , m_events(std::move(events))
    , m_reader([this] { read(); }) {}

ClerkProcess::~ClerkProcess() {
    leave();
}

void ClerkProcess::leave() {
    if (!m_reader.joinable()) {
        return;
    }
    end();
    if (m_reader.get_id() != std::this_thread::get_id()) {
        m_reader.join();
        return;
    }
    // A call of ours, which may be the end of the last owner: read() touches nothing after it, and what it had left to do is
    // done here.
    *m_readerLeft = true;
    m_reader.detach();
    if (!m_waitedFor) {
        (void)waitForEnd(m_pid);
        m_waitedFor = true;
    }
    failAll(Error{ErrorCode::Unavailable, "the agent's clerk ended", "Try again: another one takes over", 0, {}});
}

void ClerkProcess::end() {
    (void)::shutdown(m_link.get(), SHUT_RDWR); // also wakes the reader
}

void ClerkProcess::waitGone() {
    std::unique_lock lock(m_mutex);
    m_ended.wait(lock, [this] { return !m_alive; });
}

bool ClerkProcess::alive() const {
    const std::lock_guard lock(m_mutex);
    return m_alive;
}

std::future<ClerkProcess::Answer> ClerkProcess::send(std::string_view method, json::object params,
                                                     const std::vector<int>& descriptors) {
    std::promise<Answer> promise;
    auto future = promise.get_future();
    std::uint64_t id = 0;
    {
        const std::lock_guard lock(m_mutex);
        if (!m_alive) {
            promise.set_value(fail(ErrorCode::Unavailable, "the agent's clerk is gone", "Try again"));
            return future;
        }
        id = m_next++;
        m_pending.emplace(id, std::move(promise));
    }
    // Not under the lock: while this waits for room the clerk may be waiting for us to read, and the reader takes the
    // lock. A packet goes as a whole, with its descriptors, so threads do not mix.
    if (auto sent = clerk::sendLink(m_link.get(), toText(RpcRequest{id, std::string(method), std::move(params)}),
                                    descriptors);
        !sent) {
        const std::lock_guard lock(m_mutex);
        if (const auto pending = m_pending.find(id); pending != m_pending.end()) { // else the reader has answered
            pending->second.set_value(fail(std::move(sent).error()));
            m_pending.erase(pending);
        }
    }
    return future;
}

ClerkProcess::Answer ClerkProcess::request(std::string_view method, json::object params,
                                           const std::vector<int>& descriptors, std::stop_token stop,
                                           std::chrono::seconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    auto answer = send(method, std::move(params), descriptors);
    while (answer.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
        if (stop.stop_requested()) {
            return fail(ErrorCode::Cancelled, "stopped on request");
        }
        if (std::chrono::steady_clock::now() >= until) {
            return fail(ErrorCode::Expired, "the agent's machine does not answer",
                        "Stop the agent: where it does not answer its power is cut; what it staged stays on its disk");
        }
    }
    return answer.get();
}

void ClerkProcess::read() {
    std::string why;
    bool left = false;
    m_readerLeft = &left;
    const auto tell = m_events.told; // outlives its own call
    for (;;) {
        auto message = clerk::receiveLink(m_link.get(), clerk::Wait::Block);
        if (!message) {
            why = message.error().code == ErrorCode::Unavailable ? "" : message.error().text();
            break;
        }
        auto parsed = parseRpc(message->text, {clerk::kMaxLinkMessage, 12});
        if (!parsed || !message->descriptors.empty()) {
            why = "the clerk broke the agreed form";
            break;
        }
        if (auto* told = std::get_if<RpcRequest>(&*parsed)) {
            if (told->id) {
                why = "the clerk asked for something";
                break;
            }
            tell(told->method, told->params);
            if (left) {
                return;
            }
            continue;
        }
        auto& response = std::get<RpcResponse>(*parsed);
        std::promise<Answer> promise;
        {
            const std::lock_guard lock(m_mutex);
            const auto found = m_pending.find(response.id);
            if (found == m_pending.end()) {
                continue;
            }
            promise = std::move(found->second);
            m_pending.erase(found);
        }
        if (!response.result) {
            promise.set_value(fail(std::move(response.result).error()));
        } else if (response.result->is_object()) {
            promise.set_value(std::move(response.result->as_object()));
        } else {
            promise.set_value(fail(ErrorCode::Malformed, "the clerk gave an answer of the wrong form"));
        }
    }
    (void)::shutdown(m_link.get(), SHUT_RDWR);
    if (!why.empty()) {
        (void)::kill(m_pid, SIGKILL); // it does not behave; it would end by itself only if it still reads
    }
    const int status = waitForEnd(m_pid);
    m_waitedFor = true;
    failAll(Error{ErrorCode::Unavailable, "the agent's clerk ended", "Try again: another one takes over", 0, {}});
    const auto gone = std::move(m_events.gone);
    gone(why.empty() ? describeEnd(status) : why);
}

void ClerkProcess::failAll(const Error& error) {
    std::unordered_map<std::uint64_t, std::promise<Answer>> pending;
    {
        const std::lock_guard lock(m_mutex);
        m_alive = false;
        pending.swap(m_pending);
        m_ended.notify_all();
    }
    for (auto& [id, promise] : pending) {
        promise.set_value(fail(error));
    }
}

} // namespace carrel::agents
