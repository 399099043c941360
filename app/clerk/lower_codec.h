// SPDX-License-Identifier: Apache-2.0
// Requests and replies of guest/protocol/lower_wire.h as bytes. Thread: pure functions.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/lower_wire.h"

#include <optional>
#include <string_view>

namespace carrel::clerk {

struct Request {
    lower::InHeader header{};
    ByteSpan body;
};

// Nothing when it is too short to be answered at all, or its length is not what it says.
[[nodiscard]] std::optional<Request> parseRequest(ByteSpan message);
// The body as exactly one struct.
template <class T> [[nodiscard]] std::optional<T> bodyAs(const Request& request) {
    if (request.body.size() != sizeof(T)) {
        return std::nullopt;
    }
    return loadLe<T>(request.body);
}
// The body as one name and its NUL; the name may still be none (isValidName).
[[nodiscard]] std::optional<std::string_view> bodyAsName(const Request& request);

[[nodiscard]] Bytes errorReply(std::uint64_t unique, int error);
// A reply of header and room for `bytes`; the caller fills the rest and trims it by finishReply().
[[nodiscard]] Bytes startReply(std::size_t bytes);
void finishReply(Bytes& reply, std::uint64_t unique);
template <class T> [[nodiscard]] Bytes structReply(std::uint64_t unique, const T& out) {
    Bytes reply = startReply(0);
    appendLe(reply, out);
    finishReply(reply, unique);
    return reply;
}

// The bytes of a READ are in the part of the window that was offered.
[[nodiscard]] Bytes windowReply(std::uint64_t unique, std::uint32_t size);

[[nodiscard]] Bytes invalInode(std::uint64_t node);
[[nodiscard]] Bytes invalEntry(std::uint64_t parent, std::string_view name);

[[nodiscard]] bool wouldWrite(std::uint32_t opcode);

} // namespace carrel::clerk
