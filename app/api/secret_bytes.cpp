// SPDX-License-Identifier: Apache-2.0
#include "app/api/secret_bytes.h"

#include <cerrno>
#include <openssl/crypto.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <utility>

namespace carrel::api {

SecretBytes::SecretBytes(std::size_t capacity)
    : m_bytes(std::make_unique<char[]>(capacity))
    , m_capacity(capacity) {}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : m_bytes(std::move(other.m_bytes))
    , m_capacity(std::exchange(other.m_capacity, 0))
    , m_size(std::exchange(other.m_size, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
        wipe();
        m_bytes = std::move(other.m_bytes);
        m_capacity = std::exchange(other.m_capacity, 0);
        m_size = std::exchange(other.m_size, 0);
    }
    return *this;
}

bool SecretBytes::isSameAs(const SecretBytes& other) const {
    return m_size == other.m_size && ::CRYPTO_memcmp(m_bytes.get(), other.m_bytes.get(), m_size) == 0;
}

void SecretBytes::wipe() {
    if (m_bytes) {
        ::OPENSSL_cleanse(m_bytes.get(), m_capacity); // what was typed and taken back, too
    }
    m_bytes.reset();
    m_capacity = m_size = 0;
}

Status writeSecret(const UniqueFd& socket, const SecretBytes& secret) {
    auto left = secret.view();
    while (!left.empty()) {
        const auto put = ::send(socket.get(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return fail(ErrorCode::LimitExceeded, "that is longer than a secret may be", "Give the value and nothing else.");
        }
        if (put < 0 && errno != EINTR) {
            return failErrno("giving the engine a secret");
        }
        left.remove_prefix(put > 0 ? static_cast<std::size_t>(put) : 0);
    }
    return {};
}

namespace {
int standing = 0; // how many there are
int before = 1;   // what it was without them
} // namespace

NoCore::NoCore() {
    if (standing++ == 0) {
        before = ::prctl(PR_GET_DUMPABLE);
        (void)::prctl(PR_SET_DUMPABLE, 0);
    }
}

NoCore::~NoCore() {
    if (--standing == 0 && before == 1) { // 2 cannot be set by a program
        (void)::prctl(PR_SET_DUMPABLE, 1);
    }
}

} // namespace carrel::api
