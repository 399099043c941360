// SPDX-License-Identifier: Apache-2.0
#include "app/cli/pager.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace carrel::cli {

namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name); // NOLINT(concurrency-mt-unsafe)
    return value == nullptr ? std::string() : std::string(value);
}

// Ends by itself where the text fits one screen, passes colours, leaves the text on the screen: the question stands below it.
constexpr char kLessOptions[] = "LESS=FRX";

// The user's own, but that no program may work on the text before the pager has it (less's LESSOPEN): nothing on this computer
// parses what came from a machine.
std::vector<std::string> pagerEnvironment() {
    std::vector<std::string> out;
    bool less = false;
    for (char** each = environ; *each != nullptr; ++each) {
        const std::string_view text(*each);
        less = less || text.starts_with("LESS=");
        if (!text.starts_with("LESSOPEN=") && !text.starts_with("LESSCLOSE=")) {
            out.emplace_back(text);
        }
    }
    if (!less) {
        out.emplace_back(kLessOptions);
    }
    return out;
}

std::vector<char*> pointersTo(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (auto& text : texts) {
        out.push_back(text.data());
    }
    out.push_back(nullptr);
    return out;
}

// While it lives, a key that interrupts is the pager's, and one that ends early ends nothing here.
class SignalsAside {
public:
    SignalsAside() {
        struct sigaction ignore {};
        ignore.sa_handler = SIG_IGN;
        for (std::size_t i = 0; i < kWhich.size(); ++i) {
            (void)::sigaction(kWhich[i], &ignore, &m_before[i]);
        }
    }
    ~SignalsAside() {
        for (std::size_t i = 0; i < kWhich.size(); ++i) {
            (void)::sigaction(kWhich[i], &m_before[i], nullptr);
        }
    }
    SignalsAside(const SignalsAside&) = delete;
    SignalsAside& operator=(const SignalsAside&) = delete;

private:
    static constexpr std::array kWhich{SIGINT, SIGQUIT, SIGPIPE};
    std::array<struct sigaction, kWhich.size()> m_before{};
};

// With `input` as its standard input; -1: it did not start.
pid_t spawnPager(int input) {
    const auto wanted = variable("PAGER");
    std::vector<std::string> words{"less"};
    if (!wanted.empty()) {
        words = {"/bin/sh", "-c", wanted};
    }
    auto environment = pagerEnvironment();
    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawnattr_init(&attributes);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    pid_t pid = -1;
    const int failed = ::posix_spawnp(&pid, words.front().c_str(), &actions, &attributes, pointersTo(words).data(),
                                      pointersTo(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed == 0 ? pid : -1;
}

// Until all is written, or the reader has seen enough.
void feed(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno != EINTR) {
            return;
        }
        text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
}

bool page(std::string_view text) {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return false;
    }
    UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    const SignalsAside aside;
    const pid_t pager = spawnPager(reading.get());
    if (pager < 0) {
        return false;
    }
    reading.reset();
    feed(writing.get(), text);
    writing.reset();
    int status = 0;
    pid_t ended = -1;
    do {
        ended = ::waitpid(pager, &status, 0);
    } while (ended < 0 && errno == EINTR);
    return ended == pager && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool pagerWanted() {
    const auto term = variable("TERM");
    return ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0 && !term.empty() && term != "dumb";
}

} // namespace

void printPaged(Context& context, std::string_view text) {
    if (!pagerWanted() || !page(text)) {
        context.print(text);
    }
}

} // namespace carrel::cli
