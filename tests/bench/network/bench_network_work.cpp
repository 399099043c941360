// SPDX-License-Identifier: Apache-2.0
// What is measured from within the machine, against the server of network_bench.py. Prints nanoseconds.
//
//   stream ADDRESS PORT STREAMS BYTES   so many connections at once, each is sent so many bytes; until the last has come
//   connect ADDRESS PORT COUNT          one after the other: connected, a byte there and one back, closed
//   idle ADDRESS PORT COUNT             so many connections; says "ready", and keeps them until its input ends
#include <arpa/inet.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <vector>

namespace {

long long now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

int connectTo(const char* address, const char* port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
    if (fd < 0 || ::inet_pton(AF_INET, address, &to.sin_addr) != 1 || ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
        fail("connecting");
    }
    const int yes = 1;
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

void ask(int fd, const std::string& line) {
    if (::send(fd, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
        fail("asking");
    }
}

void stream(const char* address, const char* port, int streams, long long bytes) {
    std::vector<pollfd> open;
    for (int i = 0; i < streams; ++i) {
        open.push_back({connectTo(address, port), POLLIN, 0});
        ask(open.back().fd, "send " + std::to_string(bytes) + "\n");
    }
    std::vector<long long> left(open.size(), bytes);
    std::vector<char> buffer(256 * 1024);
    for (std::size_t running = open.size(); running > 0;) {
        if (::poll(open.data(), open.size(), -1) < 0) {
            fail("waiting");
        }
        for (std::size_t i = 0; i < open.size(); ++i) {
            if (open[i].fd < 0 || open[i].revents == 0) {
                continue;
            }
            const auto got = ::recv(open[i].fd, buffer.data(), buffer.size(), 0);
            if (got <= 0) {
                fail("it ended early");
            }
            left[i] -= got;
            if (left[i] <= 0) {
                ::close(open[i].fd);
                open[i].fd = -1;
                --running;
            }
        }
    }
}

} // namespace

int main(int count, char** words) {
    if (count < 5) {
        return 2;
    }
    const std::string what = words[1];
    const auto began = now();
    if (what == "stream" && count == 6) {
        stream(words[2], words[3], std::atoi(words[4]), std::atoll(words[5]));
    } else if (what == "connect") {
        for (int i = std::atoi(words[4]); i > 0; --i) {
            const int fd = connectTo(words[2], words[3]);
            ask(fd, "echo\n");
            char c = 0;
            if (::recv(fd, &c, 1, 0) != 1) {
                fail("no answer");
            }
            ::close(fd);
        }
    } else if (what == "idle") {
        for (int i = std::atoi(words[4]); i > 0; --i) {
            const int fd = connectTo(words[2], words[3]);
            ask(fd, "echo\n");
            char c = 0;
            if (::recv(fd, &c, 1, 0) != 1) {
                fail("no answer");
            }
        }
        std::puts("ready");
        std::fflush(stdout);
        char c = 0;
        while (::read(0, &c, 1) > 0) {
        }
    } else {
        return 2;
    }
    std::printf("%lld\n", now() - began);
    return 0;
}
