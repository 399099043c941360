// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/viewer_machine.h"

#include "guest/guestd/ports.h"
#include "guest/guestd/viewer_spawner.h"
#include "guest/protocol/control.h"


namespace carrel::guestd {

namespace {
constexpr const char* kUserland = "/disk/rootfs";
}

ViewerMachine::ViewerMachine()
    : m_sessions([spawner = std::make_shared<ViewerSpawner>(kUserland, ViewerLimits{})] { return spawner; }) {}

ViewerMachine::~ViewerMachine() {
    if (m_channel) {
        m_channel->stop(); // nobody calls into what goes first
    }
    m_sessions.stop();
}

Status ViewerMachine::start() {
    auto port = openPort(control::kPortTerminals);
    if (!port) {
        return fail(port.error());
    }
    m_channel = std::make_unique<Channel>(
        std::move(*port),
        Channel::Options{"terminals", SessionServer::accept, [this](ChannelEvent&& event) { m_sessions.handle(std::move(event)); }});
    CARREL_TRY(m_sessions.start(*m_channel));
    return m_channel->start();
}

} // namespace carrel::guestd
