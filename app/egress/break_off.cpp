// SPDX-License-Identifier: Apache-2.0
#include "app/egress/break_off.h"

#include <sys/socket.h>

namespace carrel::egress {

// connect(2): AF_UNSPEC dissolves a connection.
void breakOff(int socket) {
    sockaddr nowhere{};
    nowhere.sa_family = AF_UNSPEC;
    if (::connect(socket, &nowhere, sizeof nowhere) != 0) {
        (void)::shutdown(socket, SHUT_RDWR);
    }
}

} // namespace carrel::egress
