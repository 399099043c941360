// SPDX-License-Identifier: Apache-2.0
#include "app/api/socket_io.h"

#include "app/api/home.h"

#include <array>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

namespace carrel::api {

Result<sockaddr_un> addressOf(const std::filesystem::path& socket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string& text = socket.native();
    if (text.size() > kMaxSocketPath) {
        return fail(ErrorCode::InvalidArgument, "the socket's path is longer than the system allows",
                    "Set CARREL_HOME or XDG_RUNTIME_DIR to a folder with a shorter path.");
    }
    std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
    return address;
}

Result<UniqueFd> connectTo(const std::filesystem::path& socket, Blocking blocking) {
    auto address = addressOf(socket);
    if (!address) {
        return fail(std::move(address).error());
    }
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (blocking == Blocking::No ? SOCK_NONBLOCK : 0), 0));
    if (!fd) {
        return failErrno("cannot make a socket");
    }
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
        if (errno == EAGAIN) { // unix(7): at once, and never later by itself
            return fail(ErrorCode::LimitExceeded, "the engine does not take new connections just now", "Try again in a moment.");
        }
        auto error = errnoError("cannot connect to " + socket.string());
        if (error.sysErrno == ENOENT || error.sysErrno == ECONNREFUSED) {
            error.code = ErrorCode::Unavailable;
        }
        return fail(error.wrap("the engine is not running"));
    }
    CARREL_TRY(checkPeerIs(fd.get(), ::geteuid()));
    return fd;
}

Status sendAll(int socket, std::string_view bytes, int descriptor) {
    while (!bytes.empty()) {
        iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        if (descriptor >= 0) {
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            cmsghdr* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
        }
        const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            return failErrno("cannot write to the local socket");
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
        descriptor = -1;
    }
    return {};
}

Result<std::size_t> receiveSome(int socket, char* into, std::size_t size, UniqueFd* descriptor) {
    iovec piece{into, size};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    // Room for one; the kernel closes what does not fit.
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (descriptor != nullptr) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
    }
    ssize_t got = 0;
    do {
        got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return failErrno("cannot read from the local socket");
    }
    for (cmsghdr* header = descriptor == nullptr ? nullptr : CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
            header->cmsg_len == CMSG_LEN(sizeof(int))) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
            *descriptor = UniqueFd(fd);
        }
    }
    return static_cast<std::size_t>(got);
}

Status checkPeerIs(int socket, uid_t user) {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
        return failErrno("cannot find out whose process is at the other end of the socket");
    }
    if (peer.uid != user) {
        return fail(ErrorCode::Refused, "the other end of the socket belongs to another user");
    }
    return {};
}

} // namespace carrel::api
