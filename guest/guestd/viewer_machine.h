// SPDX-License-Identifier: Apache-2.0
// guestd's role in a viewer: a machine of which nothing is kept, without shares, an agent or a disk that can be written.
// It serves one channel, "terminals" (guest/protocol/control.h): a session is the reading of one document, which comes by
// standard input and goes as text by standard output. What is run is the host's to say; where it runs is
// viewer_spawner.h's.
// One object, made by main(). Thread: main's; the rest runs on threads of its own.
#pragma once

#include "guest/guestd/session_server.h"

namespace carrel::guestd {

class ViewerMachine {
public:
    ViewerMachine();
    ~ViewerMachine();
    ViewerMachine(const ViewerMachine&) = delete;
    ViewerMachine& operator=(const ViewerMachine&) = delete;

    [[nodiscard]] Status start();

private:
    SessionServer m_sessions;
    std::unique_ptr<Channel> m_channel;
};

} // namespace carrel::guestd
