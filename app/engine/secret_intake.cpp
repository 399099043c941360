// SPDX-License-Identifier: Apache-2.0
#include "app/engine/secret_intake.h"

#include <algorithm>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace carrel::engine {

Result<SecretIntake::Opened> SecretIntake::open() {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return failErrno("making a socket for a secret");
    }
    Opened out{0, UniqueFd(ends[1])};
    const std::lock_guard lock(m_mutex);
    out.id = m_next++;
    m_waiting.push_back({out.id, UniqueFd(ends[0])});
    if (m_waiting.size() > kMaxOpenIntakes) {
        m_waiting.pop_front();
    }
    return out;
}

Result<relay::SecretText> SecretIntake::take(std::uint64_t id) {
    UniqueFd from;
    {
        const std::lock_guard lock(m_mutex);
        const auto at = std::find_if(m_waiting.begin(), m_waiting.end(), [&](const Waiting& each) { return each.id == id; });
        if (at == m_waiting.end()) {
            return fail(ErrorCode::NotFound, "No secret was given under that number", "Try again");
        }
        from = std::move(at->end);
        m_waiting.erase(at);
    }
    relay::SecretText out(egress::kMaxSecretBytes + 2); // with a line end
    std::size_t size = 0;
    const auto until = std::chrono::steady_clock::now() + kIntakePatience;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd one{from.get(), POLLIN, 0};
        const int ready = left.count() <= 0 ? 0 : ::poll(&one, 1, static_cast<int>(left.count()));
        if (ready == 0) {
            return fail(ErrorCode::Expired, "The secret did not come to its end", "Try again");
        }
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (size == out.size()) {
            char more = 0;
            if (::read(from.get(), &more, 1) == 0) {
                break;
            }
            ::OPENSSL_cleanse(&more, sizeof more);
            return fail(ErrorCode::LimitExceeded, "That is longer than a secret may be", "Give the value and nothing else");
        }
        const auto got = ::read(from.get(), out.data() + size, out.size() - size);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return failErrno("reading a secret");
        }
        size += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    out.resize(size);
    return out;
}

} // namespace carrel::engine
