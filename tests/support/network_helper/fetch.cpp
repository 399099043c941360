// SPDX-License-Identifier: Apache-2.0
// network-helper NAME: what http://NAME/ answers, by system calls alone, as a static program of another language does it: it
// reads /etc/resolv.conf, asks that resolver itself, connects, and writes what comes to its output.
#include <arpa/inet.h>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace {

in_addr resolver() {
    std::ifstream file("/etc/resolv.conf");
    std::string word;
    in_addr address{};
    while (file >> word) {
        if (word == "nameserver" && file >> word && ::inet_pton(AF_INET, word.c_str(), &address) == 1) {
            break;
        }
    }
    return address;
}

sockaddr_in at(in_addr address, std::uint16_t port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr = address;
    name.sin_port = htons(port);
    return name;
}

bool connectTo(int socket, const sockaddr_in& name) {
    return ::connect(socket, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
}

bool lookUp(const std::string& name, in_addr& found) {
    std::string query("\x07\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
    for (std::size_t start = 0; start < name.size();) {
        const auto dot = std::min(name.find('.', start), name.size());
        query += static_cast<char>(dot - start);
        query += name.substr(start, dot - start);
        start = dot + 1;
    }
    query += std::string("\0\0\x01\0\x01", 5);
    const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
    char answer[512];
    if (!connectTo(socket, at(resolver(), 53)) || ::send(socket, query.data(), query.size(), 0) < 0) {
        return false;
    }
    const ssize_t got = ::recv(socket, answer, sizeof answer, 0);
    ::close(socket);
    if (got < 16 || answer[7] != 1) {
        return false;
    }
    std::memcpy(&found, answer + got - 4, 4);
    return true;
}

} // namespace

int main(int count, char** arguments) {
    in_addr address{};
    if (count != 2 || !lookUp(arguments[1], address)) {
        return 1;
    }
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const std::string request = std::string("GET / HTTP/1.0\r\nHost: ") + arguments[1] + "\r\n\r\n";
    if (!connectTo(socket, at(address, 80)) || ::send(socket, request.data(), request.size(), 0) < 0) {
        std::perror("network-helper");
        return 1;
    }
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(socket, buffer, sizeof buffer)) > 0;) {
        (void)!::write(STDOUT_FILENO, buffer, static_cast<std::size_t>(got));
    }
    return 0;
}
