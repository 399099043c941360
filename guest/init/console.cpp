// SPDX-License-Identifier: Apache-2.0
#include "guest/init/console.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace carrel::init {

void say(std::string_view text) {
    std::string line = "carrel-init: ";
    line += text;
    line += '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
        const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return; // nobody listens; the machine goes on
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
}

void stage(std::string_view name) {
    say("stage " + std::string(name));
}

void failed(std::string_view step, std::string_view why) {
    say("failed " + std::string(step) + ": " + std::string(why));
}

void failedErrno(std::string_view step, std::string_view doing) {
    const int number = errno;
    failed(step, std::string(doing) + ": " + std::strerror(number));
}

void openConsole() {
    const int fd = ::open("/dev/console", O_RDWR | O_NOCTTY);
    if (fd < 0) {
        return; // the kernel's own descriptors, if any, stay
    }
    for (int target = 0; target <= 2; ++target) {
        if (fd != target) {
            ::dup2(fd, target);
        }
    }
    if (fd > 2) {
        ::close(fd);
    }
}

} // namespace carrel::init
