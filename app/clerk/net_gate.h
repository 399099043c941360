// SPDX-License-Identifier: Apache-2.0
// What a program sends on a connection, looked at before it goes on: how the engine wants it treated (link.h, "treat").
// Does no I/O. Ownership: one per connection. Thread: one.
#pragma once

#include "guest/protocol/bytes.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::clerk {

enum class Treat {
    Raw,  // as it is
    Tls,  // passed through, once its ClientHello names the host (tls_hello.h)
    Http, // plain HTTP, each request for the host (http_requests.h)
};
[[nodiscard]] std::optional<Treat> treatFrom(std::string_view text);

class NetGate {
public:
    struct Verdict {
        std::size_t pass = 0; // so many of the bytes may go on now
        bool good = true;     // false: no byte more, ever
        std::string why;      // a sentence, nothing of the guest's in it
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
    // A refusal now can be answered in HTTP: the far end has been asked nothing.
    [[nodiscard]] virtual bool speaksHttp() const = 0;
    // For net.closed: which gate it was.
    [[nodiscard]] virtual std::string_view name() const = 0;

protected:
    NetGate() = default;
};

// `host`: a name in lower case, or an address as text.
[[nodiscard]] std::unique_ptr<NetGate> makeGate(Treat treat, const std::string& host, std::uint16_t port);

} // namespace carrel::clerk
