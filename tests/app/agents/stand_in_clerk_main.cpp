// SPDX-License-Identifier: Apache-2.0
// Started in a clerk's place: hands its end of the link to the test that listens at the socket named by the
// first argument, and lives for as long as the test keeps that connection.
#include "app/clerk/link.h"

#include <csignal>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char** argv) {
    using namespace carrel;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (argc < 2 || std::strlen(argv[1]) >= sizeof address.sun_path) {
        return 2;
    }
    std::strcpy(address.sun_path, argv[1]);
    const UniqueFd test(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (::connect(test.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        !clerk::sendLink(test.get(), "started", {clerk::kLinkDescriptor})) {
        return 3;
    }
    (void)::close(clerk::kLinkDescriptor);
    const auto word = clerk::receiveLink(test.get(), clerk::Wait::Block);
    if (word && word->text == "stay") {
        (void)::alarm(300); // a test that is cut off leaves nothing behind
        for (;;) {
            (void)::pause();
        }
    }
    return 0;
}
