// SPDX-License-Identifier: Apache-2.0
// A secret on its way from a person to the engine (secret.open): bytes that are overwritten (OPENSSL_cleanse(3ssl)) before they are
// given back, and the socket of their own that they go through, so that no request holds them (invariant I6).
// Ownership: moved, never copied. Thread: values.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <cstddef>
#include <memory>
#include <string_view>

namespace carrel::api {

class SecretBytes {
public:
    SecretBytes() = default;
    explicit SecretBytes(std::size_t capacity);
    ~SecretBytes() { wipe(); }
    SecretBytes(SecretBytes&& other) noexcept;
    SecretBytes& operator=(SecretBytes&& other) noexcept;
    SecretBytes(const SecretBytes&) = delete;
    SecretBytes& operator=(const SecretBytes&) = delete;

    [[nodiscard]] char* data() { return m_bytes.get(); } // to be written to, as far as the capacity
    [[nodiscard]] std::size_t capacity() const { return m_capacity; }
    [[nodiscard]] std::size_t size() const { return m_size; }
    [[nodiscard]] bool empty() const { return m_size == 0; }
    [[nodiscard]] std::string_view view() const { return {m_bytes.get(), m_size}; }
    void resize(std::size_t size) { m_size = size < m_capacity ? size : m_capacity; }
    [[nodiscard]] bool isSameAs(const SecretBytes& other) const; // in a time that tells nothing of them
    void wipe();                                                 // and empty from now on, without a capacity

private:
    std::unique_ptr<char[]> m_bytes;
    std::size_t m_capacity = 0, m_size = 0;
};

// Through the socket that came with secret.open's answer, which is to be closed then. Never waits: a secret fits into what a socket
// holds. LimitExceeded: this one does not.
[[nodiscard]] Status writeSecret(const UniqueFd& socket, const SecretBytes& secret);

// While one of them exists this process leaves no core file, and no other process of the user's reads its memory (prctl(2),
// PR_SET_DUMPABLE). Thread: one.
class NoCore {
public:
    NoCore();
    ~NoCore();
    NoCore(const NoCore&) = delete;
    NoCore& operator=(const NoCore&) = delete;
};

} // namespace carrel::api
