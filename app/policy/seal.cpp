// SPDX-License-Identifier: Apache-2.0
#include "app/policy/seal.h"

#include "app/files/durable_file.h"

#include <charconv>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::policy {
namespace {

constexpr std::string_view kSealLine = "# seal = ";
constexpr std::size_t kMaxKeyFile = 4096;
using Mac = std::array<unsigned char, 32>;

std::string hexOf(const std::array<unsigned char, 32>& bytes) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const auto byte : bytes) {
        out += kDigits[byte >> 4U];
        out += kDigits[byte & 15U];
    }
    return out;
}

std::optional<std::array<unsigned char, 32>> fromHex(std::string_view text) {
    std::array<unsigned char, 32> out{};
    if (text.size() != 2 * out.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto* begin = text.data() + 2 * i;
        const auto [end, error] = std::from_chars(begin, begin + 2, out[i], 16);
        if (error != std::errc{} || end != begin + 2) {
            return std::nullopt;
        }
    }
    return out;
}

Result<Mac> macOf(std::string_view text, const SealKey& key) {
    Mac mac{};
    unsigned length = 0;
    if (::HMAC(EVP_sha256(), key.bytes.data(), static_cast<int>(key.bytes.size()),
               reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &length) == nullptr ||
        length != mac.size()) {
        return fail(ErrorCode::Internal, "The seal of the rules could not be computed");
    }
    return mac;
}

tl::unexpected<Error> broken() {
    return fail(ErrorCode::Refused, "The rules' file is not as Carrel left it: something else has changed it",
                "Look at it; then \"carrel rules import FILE\" takes over what is right in it. Everything is denied until then");
}

} // namespace

Result<SealKey> newSealKey() {
    SealKey key;
    if (::RAND_bytes(key.bytes.data(), static_cast<int>(key.bytes.size())) != 1) {
        return fail(ErrorCode::Internal, "A key for the rules' seal could not be made");
    }
    return key;
}

Result<std::string> seal(std::string_view text, const SealKey& key) {
    const auto mac = macOf(text, key);
    if (!mac) {
        return fail(mac.error());
    }
    return std::string(text) + std::string(kSealLine) + hexOf(*mac) + "\n";
}

Result<std::string> unseal(std::string_view sealed, const SealKey& key) {
    const auto at = sealed.rfind(kSealLine);
    if (at == std::string_view::npos || (at > 0 && sealed[at - 1] != '\n')) {
        return broken();
    }
    const auto line = sealed.substr(at + kSealLine.size());
    const auto said = line.ends_with('\n') ? fromHex(line.substr(0, line.size() - 1)) : std::nullopt;
    const auto mac = macOf(sealed.substr(0, at), key);
    if (!mac) {
        return fail(mac.error());
    }
    if (!said || ::CRYPTO_memcmp(said->data(), mac->data(), mac->size()) != 0) {
        return broken();
    }
    return std::string(sealed.substr(0, at));
}

std::string textOf(const SealKeeper::Kept& kept) {
    return hexOf(kept.key.bytes) + " " + std::to_string(kept.serial) + "\n";
}

Result<SealKeeper::Kept> keptFrom(std::string_view text) {
    SealKeeper::Kept kept;
    const auto space = text.find(' ');
    const auto key = fromHex(text.substr(0, space));
    const auto serial = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
    const auto [end, error] = std::from_chars(serial.data(), serial.data() + serial.size(), kept.serial);
    if (!key || error != std::errc{} || std::string_view(end, serial.data() + serial.size()) != "\n") {
        return fail(ErrorCode::Malformed, "The key is damaged");
    }
    kept.key.bytes = *key;
    return kept;
}

FileSealKeeper::FileSealKeeper(std::filesystem::path file, std::string mend)
    : m_file(std::move(file))
    , m_mend(std::move(mend)) {}

Result<std::optional<SealKeeper::Kept>> FileSealKeeper::load() {
    struct stat info {};
    if (::lstat(m_file.c_str(), &info) != 0) {
        return errno == ENOENT ? Result<std::optional<Kept>>(std::nullopt) : failErrno("reading " + m_file.string());
    }
    if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 077U) != 0) {
        return fail(ErrorCode::Refused, m_file.string() + " may be read or changed by others",
                    "Make it yours alone: chmod 600 " + m_file.string());
    }
    const auto text = files::readWhole(m_file, kMaxKeyFile);
    if (!text) {
        return fail(text.error());
    }
    auto kept = keptFrom(*text);
    if (!kept) {
        return fail(ErrorCode::Malformed, m_file.string() + " is damaged",
                    m_mend);
    }
    return *kept;
}

Status FileSealKeeper::keep(const Kept& kept) {
    return files::replaceDurably(m_file, textOf(kept));
}

} // namespace carrel::policy
