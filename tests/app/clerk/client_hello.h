// SPDX-License-Identifier: Apache-2.0
// ClientHellos made to order (RFC 8446, section 4.1.2), and ServerHellos that answer them.
#pragma once

#include "guest/protocol/bytes.h"

#include <string>
#include <vector>

namespace carrel::clerk::test {

inline void put(Bytes& to, unsigned value, unsigned bytes) {
    for (unsigned i = bytes; i-- > 0;) {
        to.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
}
inline void put(Bytes& to, ByteSpan bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}
inline void putVector(Bytes& to, ByteSpan bytes, unsigned lengthBytes) {
    put(to, static_cast<unsigned>(bytes.size()), lengthBytes);
    put(to, bytes);
}

struct Extension {
    unsigned type = 0;
    Bytes body;
};

inline Extension serverName(std::string_view name, unsigned kind = 0) {
    Bytes entry;
    put(entry, kind, 1);
    putVector(entry, asBytes(name), 2);
    Bytes body;
    putVector(body, entry, 2);
    return {0, body};
}

struct Hello {
    unsigned version = 0x0303;
    std::size_t session = 32;
    std::size_t ciphers = 8; // bytes
    std::size_t compressions = 1;
    std::vector<Extension> extensions;
    unsigned type = 1;
    Bytes after; // within the handshake message
};

inline Bytes messageOf(const Hello& hello) {
    Bytes extensions;
    for (const auto& each : hello.extensions) {
        put(extensions, each.type, 2);
        putVector(extensions, each.body, 2);
    }
    Bytes body;
    put(body, hello.version, 2);
    put(body, Bytes(32, std::byte{7}));
    putVector(body, Bytes(hello.session), 1);
    putVector(body, Bytes(hello.ciphers), 2);
    putVector(body, Bytes(hello.compressions), 1);
    putVector(body, extensions, 2);
    put(body, hello.after);
    Bytes message;
    put(message, hello.type, 1);
    putVector(message, body, 3);
    return message;
}

// In records of at most so many bytes.
inline Bytes recordsOf(ByteSpan message, std::size_t most = 16384, unsigned type = 22) {
    Bytes out;
    for (std::size_t at = 0; at < message.size(); at += most) {
        put(out, type, 1);
        put(out, 0x0301, 2);
        putVector(out, message.subspan(at, std::min(most, message.size() - at)), 2);
    }
    return out;
}
inline Bytes helloFor(std::string_view name) {
    return recordsOf(messageOf({.extensions = {{43, Bytes(3)}, serverName(name), {16, Bytes(12)}}, .after = {}}));
}

enum class Answer { Hello, Retry };
inline Bytes serverHello(Answer answer) {
    static constexpr unsigned char kRetry[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                               0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    Bytes body;
    put(body, 0x0303, 2);
    put(body, answer == Answer::Retry ? ByteSpan(std::as_bytes(std::span(kRetry))) : ByteSpan(Bytes(32, std::byte{9})));
    put(body, Bytes(38));
    Bytes message;
    put(message, 2, 1);
    putVector(message, body, 3);
    return recordsOf(message);
}

} // namespace carrel::clerk::test
