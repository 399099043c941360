// SPDX-License-Identifier: Apache-2.0
// The engine's end of a link to a real clerk, which runs in a child of the test: the class itself, with
// something to try when it gets SIGUSR1, or the program carrel-clerk.
#pragma once

#include "app/clerk/clerk.h"

#include <csignal>
#include <functional>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <vector>

namespace carrel::clerk::test {

// How an attempt ended: by its errno (0: it could be done), by the clerk's own end (execve), or by a signal.
struct Outcome {
    std::optional<int> error;
    int status = -1; // of exit
    int signal = 0;
    [[nodiscard]] bool done() const { return signal == 0 && error.value_or(status) == 0; }
};

class ClerkRig {
public:
    // Answers the errno of what it tried. Runs in a signal handler: system calls only.
    using Attempt = int (*)();

    explicit ClerkRig(Attempt toTry, std::chrono::nanoseconds drift = kDriftPatience) {
        auto ends = makeLinkPair();
        int report[2] = {-1, -1};
        if (!ends || ::pipe2(report, O_CLOEXEC) != 0) {
            return;
        }
        m_report = UniqueFd(report[0]);
        const UniqueFd reportEnd(report[1]);
        m_pid = ::fork();
        if (m_pid == 0) {
            ends->first.reset();
            s_attempt = toTry;
            s_report = reportEnd.get();
            for (const int signal :
                 {SIGABRT, SIGSEGV}) { // the test library's handlers would start a debugger
                (void)std::signal(signal, SIG_DFL);
            }
            struct sigaction action {};
            action.sa_handler = tryIt;
            (void)::sigaction(SIGUSR1, &action, nullptr);
            ::_exit(Clerk(std::move(ends->second), drift).run());
        }
        m_link = std::move(ends->first);
    }
    // The program itself, its end of the link as descriptor 3, as the engine starts it.
    explicit ClerkRig(const std::string& program) {
        auto ends = makeLinkPair();
        if (!ends) {
            return;
        }
        m_pid = ::fork();
        if (m_pid == 0) {
            const int end = ::dup2(ends->second.get(), kLinkDescriptor);
            (void)::fcntl(end, F_SETFD, 0); // where it was 3 already, dup2 left it close-on-exec
            (void)std::signal(SIGPIPE, SIG_DFL); // it would be handed down
            // Little of an environment, as the engine does it. The leak checker would want what the jail
            // forbids.
            (void)::execle(program.c_str(), "carrel-clerk", nullptr, s_environment);
            ::_exit(127);
        }
        m_link = std::move(ends->first);
    }
    ClerkRig(const ClerkRig&) = delete;
    ClerkRig& operator=(const ClerkRig&) = delete;
    ~ClerkRig() {
        m_link.reset();
        if (m_pid > 0) {
            (void)::kill(m_pid, SIGKILL);
            (void)::waitpid(m_pid, nullptr, 0);
        }
    }

    // What the clerk told while a request waited for its answer, or before.
    [[nodiscard]] const std::vector<RpcRequest>& told() const { return m_told; }
    [[nodiscard]] pid_t pid() const { return m_pid; }
    [[nodiscard]] int link() const { return m_link.get(); }
    void closeLink() { m_link.reset(); }

    Result<boost::json::object> request(std::string_view method, boost::json::object params,
                                        const std::vector<int>& descriptors = {}) {
        const std::uint64_t id = ++m_requests;
        CARREL_TRY(sendLink(m_link.get(), toText(RpcRequest{id, std::string(method), std::move(params)}),
                            descriptors));
        for (;;) {
            pollfd waiting{m_link.get(), POLLIN, 0};
            if (::poll(&waiting, 1, kSilenceMs) <= 0) {
                return fail(ErrorCode::Expired, "the clerk says nothing");
            }
            auto message = receiveLink(m_link.get(), Wait::Block);
            if (!message) {
                return fail(std::move(message).error());
            }
            auto parsed = parseRpc(message->text, {kMaxLinkMessage, 12});
            if (!parsed) {
                return fail(std::move(parsed).error());
            }
            if (auto* response = std::get_if<RpcResponse>(&*parsed);
                response != nullptr && response->id == id) {
                if (!response->result) {
                    return fail(std::move(response->result).error());
                }
                return response->result->as_object();
            }
            if (auto* notification = std::get_if<RpcRequest>(&*parsed)) {
                m_told.push_back(std::move(*notification));
            }
        }
    }

    Result<boost::json::object> prepare(const std::string& folder, const boost::json::value& authority = nullptr) {
        const UniqueFd root(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        const UniqueFd table(::memfd_create("nodes", MFD_CLOEXEC));
        return request(
            "prepare",
            {{"agent", {{"id", "0123"}, {"name", "desk"}}},
             {"shares",
              {boost::json::object{
                  {"id", 1}, {"name", "papers"}, {"mode", "review"}, {"hidden", boost::json::array{}}}}},
             {"authority", authority}},
            {root.get(), table.get()});
    }

    // Lets the clerk try, and tells what became of it.
    Outcome attempt() {
        Outcome outcome;
        (void)::kill(m_pid, SIGUSR1);
        int error = 0;
        pollfd waiting{m_report.get(), POLLIN, 0};
        if (::poll(&waiting, 1, kSilenceMs) <= 0) {
            return outcome;
        }
        if (::read(m_report.get(), &error, sizeof error) == sizeof error) {
            outcome.error = error;
            return outcome;
        }
        return waitForEnd();
    }

    // The clerk's end. The test's time limit guards against one that stays.
    Outcome waitForEnd() {
        Outcome outcome;
        int status = 0;
        if (m_pid > 0 && ::waitpid(std::exchange(m_pid, -1), &status, 0) > 0) {
            if (WIFSIGNALED(status)) {
                outcome.signal = WTERMSIG(status);
            } else {
                outcome.status = WEXITSTATUS(status);
            }
        }
        return outcome;
    }

private:
    static constexpr int kSilenceMs = 60000; // longer than any answer takes: it only ends a test that hangs

    static void tryIt(int) {
        const int kept = errno;
        const int error = s_attempt();
        if (::write(s_report, &error, sizeof error) != sizeof error) {
            ::_exit(99);
        }
        errno = kept;
    }
    static inline char s_locale[] = "LC_ALL=C.UTF-8";
    static inline char s_noLeaks[] = "ASAN_OPTIONS=detect_leaks=0";
    static inline char* s_environment[] = {s_locale, s_noLeaks, nullptr};
    static inline Attempt s_attempt = nullptr;
    static inline int s_report = -1;

    pid_t m_pid = -1;
    UniqueFd m_link;
    UniqueFd m_report;
    std::vector<RpcRequest> m_told;
    std::uint64_t m_requests = 0;
};

} // namespace carrel::clerk::test
