// SPDX-License-Identifier: Apache-2.0
// carrel-ask: how a program in an agent's machine asks the person whose computer this is. As the one static program that lies there for
// sure, it also reads and writes text files for guestd, with the agent's rights (guest/runner/text_file.h).
#include "guest/ask/ask_run.h"
#include "guest/runner/text_file.h"

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
    const std::vector<std::string> words(arguments + (count > 0 ? 1 : 0), arguments + count);
    if (!words.empty() && words.front() == carrel::runner::kTextFileRole) {
        return carrel::runner::runTextFile({words.begin() + 1, words.end()});
    }
    carrel::ask::Surroundings at;
    at.workingFolder = workingFolder();
    at.out = [](std::string_view text) { write(STDOUT_FILENO, text); };
    at.err = [](std::string_view text) { write(STDERR_FILENO, text); };
    return carrel::ask::run(words, at);
}
