// SPDX-License-Identifier: Apache-2.0
// DNS over one TCP connection of a program's (RFC 7766): each message behind its length. Questions are answered in turn,
// and an answer that the program does not take ends it: nobody who asks properly has so many waiting.
// Thread: the service's. Ownership: owns the socket.
#pragma once

#include "guest/guestd/synthetic_dns.h"
#include "guest/protocol/unique_fd.h"

namespace carrel::guestd {

class DnsStream {
public:
    explicit DnsStream(UniqueFd socket)
        : m_socket(std::move(socket)) {}
    // The socket is readable. False: it is over.
    [[nodiscard]] bool ready(NameTable& names);
    [[nodiscard]] int socket() const { return m_socket.get(); }

private:
    bool answerAll(NameTable& names);

    UniqueFd m_socket;
    Bytes m_come;
};

} // namespace carrel::guestd
