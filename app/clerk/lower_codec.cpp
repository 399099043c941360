// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/lower_codec.h"

namespace carrel::clerk {

std::optional<Request> parseRequest(ByteSpan message) {
    if (message.size() < sizeof(lower::InHeader)) {
        return std::nullopt;
    }
    Request request{loadLe<lower::InHeader>(message), message.subspan(sizeof(lower::InHeader))};
    if (request.header.len != message.size()) {
        return std::nullopt;
    }
    return request;
}

std::optional<std::string_view> bodyAsName(const Request& request) {
    const std::string_view text = asText(request.body);
    if (text.empty() || text.find('\0') != text.size() - 1) {
        return std::nullopt;
    }
    return text.substr(0, text.size() - 1);
}

Bytes startReply(std::size_t bytes) {
    return Bytes(sizeof(lower::OutHeader) + bytes);
}

void finishReply(Bytes& reply, std::uint64_t unique) {
    const lower::OutHeader header{static_cast<std::uint32_t>(reply.size()), 0, unique};
    std::memcpy(reply.data(), &header, sizeof header);
}

Bytes errorReply(std::uint64_t unique, int error) {
    Bytes reply;
    appendLe(reply, lower::OutHeader{sizeof(lower::OutHeader), -error, unique});
    return reply;
}

namespace {

Bytes startNotification(lower::Notify code) {
    Bytes message;
    appendLe(message, lower::OutHeader{0, static_cast<std::int32_t>(code), 0});
    return message;
}

void setLength(Bytes& message) {
    const auto length = static_cast<std::uint32_t>(message.size());
    std::memcpy(message.data(), &length, sizeof length);
}

} // namespace

Bytes invalInode(std::uint64_t node) {
    Bytes message = startNotification(lower::Notify::InvalInode);
    appendLe(message, lower::NotifyInvalInodeOut{node, 0, 0});
    setLength(message);
    return message;
}

Bytes invalEntry(std::uint64_t parent, std::string_view name) {
    Bytes message = startNotification(lower::Notify::InvalEntry);
    appendLe(message, lower::NotifyInvalEntryOut{parent, static_cast<std::uint32_t>(name.size()), 0});
    const ByteSpan bytes = asBytes(name);
    message.insert(message.end(), bytes.begin(), bytes.end());
    message.push_back(std::byte{0});
    setLength(message);
    return message;
}

Bytes windowReply(std::uint64_t unique, std::uint32_t size) {
    Bytes message;
    appendLe(message, lower::OutHeader{0, lower::kInWindow, unique});
    appendLe(message, lower::WindowOut{size});
    setLength(message);
    return message;
}

bool wouldWrite(std::uint32_t opcode) {
    constexpr std::uint32_t kCopyFileRange = 47;
    constexpr std::uint32_t kTmpfile = 51;
    using lower::Opcode;
    switch (static_cast<Opcode>(opcode)) {
    case Opcode::Setattr:
    case Opcode::Symlink:
    case Opcode::Mknod:
    case Opcode::Mkdir:
    case Opcode::Unlink:
    case Opcode::Rmdir:
    case Opcode::Rename:
    case Opcode::Rename2:
    case Opcode::Link:
    case Opcode::Write:
    case Opcode::Setxattr:
    case Opcode::Removexattr:
    case Opcode::Create:
    case Opcode::Fallocate:
        return true;
    default:
        return opcode == kCopyFileRange || opcode == kTmpfile;
    }
}

} // namespace carrel::clerk
