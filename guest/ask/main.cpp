// SPDX-License-Identifier: Apache-2.0
// carrel-ask: how a program in an agent's machine asks the person whose computer this is.
#include "guest/ask/ask_run.h"

#include <cstdlib>
#include <unistd.h>

namespace {

void write(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t done = ::write(fd, text.data(), text.size());
        if (done <= 0) {
            return;
        }
        text.remove_prefix(static_cast<std::size_t>(done));
    }
}

std::string workingFolder() {
    char* const folder = ::getcwd(nullptr, 0);
    std::string out = folder == nullptr || folder[0] != '/' ? "" : folder;
    std::free(folder);
    return out;
}

} // namespace

int main(int count, char** arguments) {
    carrel::ask::Surroundings at;
    at.workingFolder = workingFolder();
    at.out = [](std::string_view text) { write(STDOUT_FILENO, text); };
    at.err = [](std::string_view text) { write(STDERR_FILENO, text); };
    return carrel::ask::run(std::vector<std::string>(arguments + (count > 0 ? 1 : 0), arguments + count), at);
}
