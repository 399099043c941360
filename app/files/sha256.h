// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) by OpenSSL's EVP, as a value and as a running hash. Thread: a value; one hasher per
// thread.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"

#include <array>
#include <compare>
#include <memory>
#include <string>
#include <string_view>

namespace carrel::files {

struct Sha256 {
    std::array<std::uint8_t, 32> bytes{};
    [[nodiscard]] std::string hex() const; // 64 lower-case digits
    [[nodiscard]] static Result<Sha256> parse(std::string_view hex);
    [[nodiscard]] static Sha256 of(ByteSpan data);
    [[nodiscard]] static Sha256 of(std::string_view text) { return of(asBytes(text)); }
    friend auto operator<=>(const Sha256&, const Sha256&) = default;
};

class Sha256Hasher {
public:
    Sha256Hasher();
    ~Sha256Hasher();
    Sha256Hasher(const Sha256Hasher&) = delete;
    Sha256Hasher& operator=(const Sha256Hasher&) = delete;
    void add(ByteSpan data);
    [[nodiscard]] Sha256 finish(); // once

private:
    struct Context;
    std::unique_ptr<Context> m_context;
};

} // namespace carrel::files
