// SPDX-License-Identifier: Apache-2.0
// What a program sends on a connection whose bytes are passed on as they are, looked at before they go (link.h, "treat").
// Does no I/O. Ownership: one per connection. Thread: one.
#pragma once

#include "guest/protocol/bytes.h"

#include <cstdint>
#include <memory>
#include <string>

namespace carrel::clerk {

class NetGate {
public:
    struct Verdict {
        std::size_t pass = 0; // so many of the bytes may go on now
        bool good = true;     // false: no byte more, ever
    };

    virtual ~NetGate() = default;
    NetGate(const NetGate&) = delete;
    NetGate& operator=(const NetGate&) = delete;

    // `bytes`: all that has come and has not been passed.
    [[nodiscard]] virtual Verdict look(ByteSpan bytes) = 0;
    // What the far end sent, as it comes.
    virtual void serverSaid(ByteSpan bytes) = 0;
    // What is held waits for the far end's words, and not for more of the program's.
    [[nodiscard]] virtual bool waitsForServer() const = 0;
    // Nothing passes before the program has said who it wants.
    [[nodiscard]] virtual bool hasToHear() const = 0;

protected:
    NetGate() = default;
};

[[nodiscard]] std::unique_ptr<NetGate> makeOpenGate(); // all of it passes
// Of TLS that goes through unread, once its ClientHello names the host (tls_hello.h), a name in lower case.
[[nodiscard]] std::unique_ptr<NetGate> makeTlsGate(std::string host);

} // namespace carrel::clerk
