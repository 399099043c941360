// SPDX-License-Identifier: Apache-2.0
#include "app/activity/signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace carrel::activity {

namespace {

constexpr std::string_view kHeadWords{"carrel-head-1\0", 14};
constexpr std::string_view kCutWords{"carrel-cut-1\0", 13};
constexpr std::string_view kHeadLine = "carrel-head-1";
constexpr std::string_view kKeyLine = "carrel-key-1";

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

template <std::size_t size> void append(Bytes& to, const std::array<std::uint8_t, size>& bytes) {
    for (const auto byte : bytes) {
        to.push_back(std::byte{byte});
    }
}

template <class Statement> Bytes begun(std::string_view words, const Statement& statement) {
    Bytes out = toBytes(words);
    append(out, statement.log);
    appendLe(out, statement.seq);
    appendLe(out, statement.timeNs);
    append(out, statement.hash);
    return out;
}

Bytes encoded(const SignedHead& head) {
    Bytes out = begun(kHeadWords, head);
    appendLe(out, std::uint64_t{head.reason.size()});
    const auto reason = asBytes(head.reason);
    out.insert(out.end(), reason.begin(), reason.end());
    return out;
}

Bytes encoded(const SignedCut& cut) {
    return begun(kCutWords, cut);
}

bool verified(const PublicKey& key, const Signature& signature, const Bytes& statement) {
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> opened(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()), &EVP_PKEY_free);
    const Context context(EVP_MD_CTX_new());
    return opened != nullptr && context != nullptr &&
           EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, opened.get()) == 1 &&
           EVP_DigestVerify(context.get(), signature.data(), signature.size(), reinterpret_cast<const unsigned char*>(statement.data()),
                            statement.size()) == 1;
}

template <std::size_t size> std::string hexOf(const std::array<std::uint8_t, size>& bytes) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(size * 2);
    for (const auto byte : bytes) {
        out += kDigits[byte >> 4U];
        out += kDigits[byte & 0xfU];
    }
    return out;
}

template <std::size_t size> bool bytesFrom(std::string_view text, std::array<std::uint8_t, size>& to) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    if (text.size() != size * 2) {
        return false;
    }
    for (std::size_t i = 0; i < size; ++i) {
        const auto high = kDigits.find(text[2 * i]);
        const auto low = kDigits.find(text[2 * i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) {
            return false;
        }
        to[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return true;
}

template <class Number> bool numberFrom(std::string_view text, Number& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    // One way to write each: the text is what is kept and compared.
    return error == std::errc{} && end == text.data() + text.size() && std::to_string(to) == text;
}

// Its words, one space between two; none longer than a whole line may be.
std::vector<std::string_view> wordsOf(std::string_view text) {
    constexpr std::size_t kMaxLine = 1024;
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    std::vector<std::string_view> out;
    if (text.size() > kMaxLine) {
        return out;
    }
    for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find(' ', at), text.size());
        out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

Error keyError() {
    return {ErrorCode::Internal, "Ed25519 is not available in the cryptographic library", {}, 0, nullptr};
}

} // namespace

void SigningKey::Free::operator()(void* key) const {
    EVP_PKEY_free(static_cast<EVP_PKEY*>(key));
}

SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

Result<SigningKey> SigningKey::fromSeed(const std::array<unsigned char, 32>& seed) {
    SigningKey out;
    auto* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size());
    out.m_key.reset(key);
    std::size_t length = out.m_public.size();
    if (key == nullptr || EVP_PKEY_get_raw_public_key(key, out.m_public.data(), &length) != 1 || length != out.m_public.size()) {
        return fail(keyError());
    }
    return out;
}

Result<Signature> SigningKey::signBytes(ByteSpan bytes) const {
    Signature out{};
    std::size_t length = out.size();
    const Context context(EVP_MD_CTX_new());
    if (context == nullptr ||
        EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, static_cast<EVP_PKEY*>(m_key.get())) != 1 ||
        EVP_DigestSign(context.get(), out.data(), &length, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) != 1 ||
        length != out.size()) {
        return fail(keyError());
    }
    return out;
}

Status SigningKey::sign(SignedHead& head) const {
    if (!isReason(head.reason)) {
        return fail(ErrorCode::InvalidArgument, "a head is signed for a reason of letters, digits and '-'");
    }
    head.key = m_public;
    auto signature = signBytes(encoded(head));
    if (!signature) {
        return fail(std::move(signature).error());
    }
    head.signature = *signature;
    return {};
}

Status SigningKey::sign(SignedCut& cut) const {
    cut.key = m_public;
    auto signature = signBytes(encoded(cut));
    if (!signature) {
        return fail(std::move(signature).error());
    }
    cut.signature = *signature;
    return {};
}

bool isGenuine(const SignedHead& head) {
    return isReason(head.reason) && verified(head.key, head.signature, encoded(head));
}

bool isGenuine(const SignedCut& cut) {
    return verified(cut.key, cut.signature, encoded(cut));
}

bool isReason(std::string_view text) {
    return !text.empty() && text.size() <= kMaxReasonBytes && std::all_of(text.begin(), text.end(), [](char each) {
        return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') || (each >= '0' && each <= '9') || each == '-';
    });
}

std::string textOf(const PublicKey& key) {
    return std::string(kKeyLine) + " " + hexOf(key);
}

Result<PublicKey> publicKeyFrom(std::string_view text) {
    PublicKey out{};
    const auto words = wordsOf(text);
    if (words.size() != 2 || words[0] != kKeyLine || !bytesFrom(words[1], out)) {
        return fail(ErrorCode::Malformed, "this is not the public key of a log",
                    "It is one line that begins with \"carrel-key-1\"; \"carrel log head NAME --key\" writes it.");
    }
    return out;
}

std::string textOf(const SignedHead& head) {
    return std::string(kHeadLine) + " " + hexOf(head.log) + " " + std::to_string(head.seq) + " " + std::to_string(head.timeNs) + " " +
           hexOf(head.hash) + " " + head.reason + " " + hexOf(head.key) + " " + hexOf(head.signature);
}

Result<SignedHead> signedHeadFrom(std::string_view text) {
    SignedHead out;
    const auto words = wordsOf(text);
    if (words.size() != 8 || words[0] != kHeadLine || !bytesFrom(words[1], out.log) || !numberFrom(words[2], out.seq) || out.seq == 0 ||
        !numberFrom(words[3], out.timeNs) || !bytesFrom(words[4], out.hash) || !isReason(words[5]) || !bytesFrom(words[6], out.key) ||
        !bytesFrom(words[7], out.signature)) {
        return fail(ErrorCode::Malformed, "this is not the head of a log",
                    "It is one line that begins with \"carrel-head-1\"; \"carrel log head NAME\" writes it.");
    }
    out.reason = words[5];
    return out;
}

} // namespace carrel::activity
