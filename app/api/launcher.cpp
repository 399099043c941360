// SPDX-License-Identifier: Apache-2.0
#include "app/api/launcher.h"

#include "app/api/own_programs.h"
#include "app/api/spawn_setup.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace carrel::api {

namespace fs = std::filesystem;

namespace {

constexpr int kReadyFd = 3;
constexpr off_t kTailBytes = 4096;

Result<UniqueFd> lockStart(const Home& home) {
    UniqueFd lock(::open(home.startLock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) {
        return failErrno("cannot make the file " + home.startLock().string());
    }
    while (::flock(lock.get(), LOCK_EX) != 0) {
        if (errno != EINTR) {
            return failErrno("cannot lock the file " + home.startLock().string());
        }
    }
    return lock;
}

// What an engine that did not come up left in its log, on one line.
std::string tailOf(int log, off_t from) {
    struct stat info {};
    if (::fstat(log, &info) != 0 || info.st_size <= from) {
        return "it left no word in its log";
    }
    from = std::max(from, info.st_size - kTailBytes);
    std::string text(static_cast<std::size_t>(info.st_size - from), '\0');
    const ssize_t got = ::pread(log, text.data(), text.size(), from);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    std::size_t start = text.size();
    for (int lines = 0; lines < 3 && start != std::string::npos && start > 0; ++lines) {
        start = text.rfind('\n', start - 1);
    }
    text = start == std::string::npos ? text : text.substr(start + (text[start] == '\n' ? 1 : 0));
    for (char& c : text) {
        c = c == '\n' ? '/' : c;
    }
    return text;
}

// True: the engine listens. False: it ended (or closed the pipe) before.
bool waitReady(int pipe) {
    char byte = 0;
    ssize_t got = 0;
    do {
        got = ::read(pipe, &byte, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

std::vector<std::string> environmentFor(const Home& home) {
    std::vector<std::string> out{"CARREL_HOME=" + home.folder.string()};
    for (char** variable = environ; *variable != nullptr; ++variable) {
        if (!std::string_view(*variable).starts_with("CARREL_HOME=")) {
            out.emplace_back(*variable);
        }
    }
    return out;
}

Status startEngine(const Home& home) {
    auto program = ownProgram("carrel-engine");
    if (!program) {
        return fail(std::move(program).error());
    }
    const fs::path logPath = home.engineLog();
    const UniqueFd log(::open(logPath.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!log) {
        return failErrno("cannot open the engine's log " + logPath.string());
    }
    const off_t before = std::max<off_t>(0, ::lseek(log.get(), 0, SEEK_END));
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return failErrno("cannot make a pipe");
    }
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    if (writing.get() == kReadyFd) {
        // dup2 onto itself would leave it close-on-exec.
        writing = UniqueFd(::fcntl(writing.get(), F_DUPFD_CLOEXEC, kReadyFd + 1));
    }
    SpawnSetup setup;
    setup.give(log.get(), 1);
    setup.give(log.get(), 2);
    setup.give(writing.get(), kReadyFd);
    CARREL_TRY(setup.start(*program, {"--ready-fd", std::to_string(kReadyFd)}, environmentFor(home)));
    writing.reset();
    if (!waitReady(reading.get())) {
        return fail(ErrorCode::Unavailable, "the engine did not start: " + tailOf(log.get(), before),
                    "Its whole log is " + logPath.string() + ".");
    }
    return {};
}

} // namespace

Result<Client> connectEngine(const Home& home, Start start) {
    auto socket = socketPath(home);
    if (!socket) {
        return fail(std::move(socket).error());
    }
    auto client = Client::connect(*socket);
    if (client || start == Start::Never || client.error().code != ErrorCode::Unavailable) {
        return client;
    }
    auto lock = lockStart(home);
    if (!lock) {
        return fail(std::move(lock).error());
    }
    client = Client::connect(*socket); // somebody else may have started it meanwhile
    if (client || client.error().code != ErrorCode::Unavailable) {
        return client;
    }
    CARREL_TRY(startEngine(home));
    return Client::connect(*socket);
}

} // namespace carrel::api
