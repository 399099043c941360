// SPDX-License-Identifier: Apache-2.0
#include "app/files/sha256.h"

#include <openssl/evp.h>

#include <new>

namespace carrel::files {

namespace {
constexpr std::string_view kDigits = "0123456789abcdef";
}

std::string Sha256::hex() const {
    std::string out;
    out.reserve(64);
    for (const std::uint8_t byte : bytes) {
        out += kDigits[byte >> 4U];
        out += kDigits[byte & 0x0fU];
    }
    return out;
}

Result<Sha256> Sha256::parse(std::string_view hex) {
    if (hex.size() != 64) {
        return fail(ErrorCode::Malformed, "not a SHA-256: it has not 64 digits");
    }
    Sha256 hash;
    for (std::size_t i = 0; i < 64; ++i) {
        const auto value = kDigits.find(hex[i]);
        if (value == std::string_view::npos) {
            return fail(ErrorCode::Malformed, "not a SHA-256: a character that is no lower-case hex digit");
        }
        hash.bytes[i / 2] = static_cast<std::uint8_t>((hash.bytes[i / 2] << 4U) | value);
    }
    return hash;
}

Sha256 Sha256::of(ByteSpan data) {
    Sha256Hasher hasher;
    hasher.add(data);
    return hasher.finish();
}

struct Sha256Hasher::Context {
    EVP_MD_CTX* evp = nullptr;
    ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256Hasher::Sha256Hasher()
    : m_context(std::make_unique<Context>()) {
    m_context->evp = EVP_MD_CTX_new();
    // Both fail for want of memory only, which ends the process everywhere else, too.
    if (m_context->evp == nullptr || EVP_DigestInit_ex(m_context->evp, EVP_sha256(), nullptr) != 1) {
        throw std::bad_alloc();
    }
}

Sha256Hasher::~Sha256Hasher() = default;

void Sha256Hasher::add(ByteSpan data) {
    EVP_DigestUpdate(m_context->evp, data.data(), data.size());
}

Sha256 Sha256Hasher::finish() {
    Sha256 hash;
    unsigned int length = 0;
    EVP_DigestFinal_ex(m_context->evp, hash.bytes.data(), &length);
    return hash;
}

} // namespace carrel::files
