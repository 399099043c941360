// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/link.h"

#include <sys/socket.h>

#include <cstring>

namespace carrel::clerk {

Status sendLink(int socket, std::string_view text, const std::vector<int>& descriptors) {
    if (text.empty() || text.size() > kMaxLinkMessage || descriptors.size() > kMaxLinkDescriptors) {
        return fail(ErrorCode::LimitExceeded, "a message between engine and clerk is empty or too large");
    }
    iovec data{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    std::vector<char> control(CMSG_SPACE(sizeof(int) * descriptors.size()));
    if (!descriptors.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
        std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof(int) * descriptors.size());
    }
    for (;;) {
        if (::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) {
            return {};
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno == EPIPE || errno == ECONNRESET) {
            return fail(ErrorCode::Unavailable, "the other end of the link is gone");
        }
        return failErrno("sending between engine and clerk");
    }
}

Result<LinkMessage> receiveLink(int socket, Wait wait) {
    LinkMessage out;
    out.text.resize(kMaxLinkMessage);
    std::vector<char> control(CMSG_SPACE(sizeof(int) * kMaxLinkDescriptors));
    iovec data{out.text.data(), out.text.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t got = 0;
    do {
        got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait == Wait::Never ? MSG_DONTWAIT : 0));
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno == EAGAIN) {
            return fail(ErrorCode::Cancelled, "nothing to read yet");
        }
        if (errno == ECONNRESET) {
            return fail(ErrorCode::Unavailable, "the other end of the link is gone");
        }
        return failErrno("receiving between engine and clerk");
    }
    // Take every descriptor first, so that none leaks whatever is wrong with the rest.
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < count; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
                out.descriptors.emplace_back(fd);
            }
        }
    }
    if (got == 0) {
        return fail(ErrorCode::Unavailable, "the other end of the link is gone");
    }
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        return fail(ErrorCode::Malformed, "a message between engine and clerk was cut off");
    }
    out.text.resize(static_cast<std::size_t>(got));
    return out;
}

Result<std::pair<UniqueFd, UniqueFd>> makeLinkPair() {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return failErrno("making the link between engine and clerk");
    }
    std::pair<UniqueFd, UniqueFd> pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
    // The default buffer holds one large packet; a few pages of changes should fit (the kernel caps it silently).
    const int bytes = 1024 * 1024;
    for (const int fd : ends) {
        (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    }
    return pair;
}

} // namespace carrel::clerk
