// SPDX-License-Identifier: Apache-2.0
// What a benchmark does inside the machine, the same for each file system:
//   bench-files-work read FILE | scan DIR | readall DIR | modify DIR COUNT | run DIR PROGRAM ARGUMENT…
// Prints the nanoseconds that it took and what it saw (so that both sides are known to have done the same).
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

[[noreturn]] void die(const std::string& what) {
    std::perror(what.c_str());
    std::exit(1);
}

std::vector<char> g_buffer(1 << 20);

std::uint64_t readFile(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        die(path);
    }
    std::uint64_t sum = 0;
    for (;;) {
        const auto got = ::read(file, g_buffer.data(), g_buffer.size());
        if (got < 0) {
            die(path);
        }
        if (got == 0) {
            break;
        }
        sum += static_cast<std::uint64_t>(got);
    }
    ::close(file);
    return sum;
}

template <typename EachFile> void walk(const std::string& folder, const EachFile& eachFile) {
    DIR* list = ::opendir(folder.c_str());
    if (list == nullptr) {
        die(folder);
    }
    while (const dirent* entry = ::readdir(list)) {
        if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        const std::string path = folder + "/" + entry->d_name;
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0) {
            die(path);
        }
        if (S_ISDIR(info.st_mode)) {
            walk(path, eachFile);
        } else {
            eachFile(path, info);
        }
    }
    ::closedir(list);
}

// What an editor or a formatter does: reads a file and writes it with a line more.
void modify(const std::string& path) {
    const auto size = readFile(path);
    const int file = ::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (file < 0 || ::write(file, g_buffer.data(), size) != static_cast<ssize_t>(size) ||
        ::write(file, "one line more\n", 14) != 14 || ::close(file) != 0) {
        die(path);
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        return 2;
    }
    const std::string verb = argv[1];
    const std::string path = argv[2];
    std::uint64_t seen = 0;
    const auto begin = std::chrono::steady_clock::now();
    if (verb == "read") {
        seen = readFile(path);
    } else if (verb == "scan") {
        walk(path, [&](const std::string&, const struct stat& info) {
            seen += static_cast<std::uint64_t>(info.st_size);
        });
    } else if (verb == "readall") {
        walk(path, [&](const std::string& file, const struct stat&) { seen += readFile(file); });
    } else if (verb == "modify" && argc > 3) {
        std::uint64_t left = std::strtoull(argv[3], nullptr, 10);
        walk(path, [&](const std::string& file, const struct stat&) {
            if (left > 0) {
                --left;
                ++seen;
                modify(file);
            }
        });
    } else if (verb == "run" && argc > 3) {
        const pid_t child = ::fork();
        if (child == 0) {
            const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
            if (::chdir(path.c_str()) == 0 && ::dup2(nothing, 1) == 1) {
                ::execvp(argv[3], argv + 3);
            }
            die(argv[3]);
        }
        int status = 0;
        if (::waitpid(child, &status, 0) != child || status != 0) {
            die(argv[3]);
        }
    } else {
        return 2;
    }
    const auto took = std::chrono::steady_clock::now() - begin;
    std::printf("%lld %llu\n",
                static_cast<long long>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()),
                static_cast<unsigned long long>(seen));
    return 0;
}
