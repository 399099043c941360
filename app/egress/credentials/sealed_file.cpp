// SPDX-License-Identifier: Apache-2.0
#include "app/egress/credentials/sealed_file.h"

#include "app/files/durable_file.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <memory>
#include <sstream>

namespace carrel::egress {
namespace {

constexpr std::string_view kMark = "carrel-sealed-1";
constexpr std::size_t kMaxFile = 8 * 1024 * 1024;
constexpr std::size_t kKeyBytes = 32, kSaltBytes = 16, kNonceBytes = 12, kTagBytes = 16;
constexpr unsigned kMaxLog2N = 20, kMaxR = 16, kMaxP = 4; // a file that says more would only take the memory away
constexpr std::uint64_t kMaxMemory = 3ULL << 30U;

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* bytesOf(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string toHex(std::string_view bytes) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const char each : bytes) {
        const auto byte = static_cast<unsigned char>(each);
        out += kDigits[byte >> 4U];
        out += kDigits[byte & 15U];
    }
    return out;
}

std::optional<std::string> fromHex(std::string_view text) {
    std::string out;
    if (text.size() % 2 != 0) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < text.size(); i += 2) {
        unsigned char byte = 0;
        const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
        if (error != std::errc{} || end != text.data() + i + 2) {
            return std::nullopt;
        }
        out += static_cast<char>(byte);
    }
    return out;
}

Result<std::string> randomBytes(std::size_t count) {
    std::string out(count, '\0');
    if (::RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1) {
        return fail(ErrorCode::Internal, "This computer gives no random numbers");
    }
    return out;
}

tl::unexpected<Error> damaged(const std::filesystem::path& file) {
    return fail(ErrorCode::Malformed, file.string() + " is damaged",
                "Take it away, then add the credentials that were in it once more: carrel credential list");
}
tl::unexpected<Error> locked() {
    return fail(ErrorCode::Unavailable, "The credentials are locked", "Unlock them: carrel credential unlock");
}

void putNumber(relay::SecretText& to, std::size_t number) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
        to.push_back(static_cast<char>((number >> shift) & 0xffU));
    }
}
std::optional<std::size_t> takeNumber(std::string_view& from) {
    if (from.size() < 4) {
        return std::nullopt;
    }
    std::size_t out = 0;
    for (unsigned i = 0; i < 4; ++i) {
        out |= static_cast<std::size_t>(static_cast<unsigned char>(from[i])) << (8 * i);
    }
    from.remove_prefix(4);
    return out;
}
std::optional<std::string_view> takeBytes(std::string_view& from, std::size_t count) {
    if (from.size() < count) {
        return std::nullopt;
    }
    const auto out = from.substr(0, count);
    from.remove_prefix(count);
    return out;
}

} // namespace

std::string SealedFile::Header::text() const {
    std::string out(kMark);
    for (const auto number : {cost.log2N, cost.r, cost.p}) {
        out += ' ';
        out += std::to_string(number);
    }
    out += ' ';
    out += toHex(salt);
    out += ' ';
    out += toHex(nonce);
    return out;
}

SealedFile::SealedFile(std::filesystem::path file)
    : SealedFile(std::move(file), Cost{}) {}
SealedFile::SealedFile(std::filesystem::path file, Cost cost)
    : m_file(std::move(file))
    , m_cost(cost) {}

Result<std::optional<SealedFile::File>> SealedFile::read() const {
    std::error_code ec;
    const auto what = std::filesystem::symlink_status(m_file, ec);
    if (what.type() == std::filesystem::file_type::not_found) {
        return std::optional<File>();
    }
    if (what.type() != std::filesystem::file_type::regular) {
        return damaged(m_file);
    }
    const auto text = files::readWhole(m_file, kMaxFile);
    if (!text) {
        return fail(text.error());
    }
    std::istringstream in(*text);
    std::string mark, salt, nonce, sealed;
    File file;
    if (!(in >> mark >> file.header.cost.log2N >> file.header.cost.r >> file.header.cost.p >> salt >> nonce >> sealed) || mark != kMark) {
        return damaged(m_file);
    }
    const auto saltBytes = fromHex(salt), nonceBytes = fromHex(nonce), sealedBytes = fromHex(sealed);
    const auto& cost = file.header.cost;
    if (!saltBytes || !nonceBytes || !sealedBytes || saltBytes->size() != kSaltBytes || nonceBytes->size() != kNonceBytes ||
        sealedBytes->size() < kTagBytes || cost.log2N < 1 || cost.log2N > kMaxLog2N || cost.r < 1 || cost.r > kMaxR || cost.p < 1 ||
        cost.p > kMaxP) {
        return damaged(m_file);
    }
    file.header.salt = *saltBytes;
    file.header.nonce = *nonceBytes;
    file.sealed = *sealedBytes;
    return std::optional(std::move(file));
}

Result<SealedFile::Values> SealedFile::open() const {
    if (!m_key) {
        return locked();
    }
    const auto file = read();
    if (!file) {
        return fail(file.error());
    }
    if (!*file) {
        return Values{};
    }
    if ((*file)->header.salt != m_header.salt) {
        return locked(); // another file than the one that was unlocked
    }
    const auto line = (*file)->header.text();
    const auto cipherBytes = (*file)->sealed.size() - kTagBytes;
    std::string tag = (*file)->sealed.substr(cipherBytes);
    relay::SecretText plain(cipherBytes);
    const Cipher cipher(::EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int length = 0, rest = 0;
    unsigned char none = 0;
    auto* out = plain.empty() ? &none : reinterpret_cast<unsigned char*>(plain.data());
    const bool good = cipher &&
                      ::EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytesOf(relay::view(*m_key)),
                                           bytesOf((*file)->header.nonce)) == 1 &&
                      ::EVP_DecryptUpdate(cipher.get(), nullptr, &rest, bytesOf(line), static_cast<int>(line.size())) == 1 &&
                      ::EVP_DecryptUpdate(cipher.get(), out, &length, bytesOf((*file)->sealed), static_cast<int>(cipherBytes)) == 1 &&
                      ::EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
                      ::EVP_DecryptFinal_ex(cipher.get(), out + length, &rest) == 1;
    if (!good) {
        return fail(ErrorCode::Refused, "That is not the passphrase of the credentials, or " + m_file.string() + " is damaged",
                    "Try the passphrase again");
    }
    Values values;
    auto left = relay::view(plain);
    while (!left.empty()) {
        const auto nameBytes = takeNumber(left);
        const auto valueBytes = nameBytes ? takeNumber(left) : std::nullopt;
        const auto name = valueBytes ? takeBytes(left, *nameBytes) : std::nullopt;
        const auto value = name ? takeBytes(left, *valueBytes) : std::nullopt;
        if (!value) {
            return damaged(m_file);
        }
        values[std::string(*name)] = relay::secretText(*value);
    }
    return values;
}

Status SealedFile::write(const Values& values) {
    auto nonce = randomBytes(kNonceBytes);
    if (!nonce) {
        return fail(std::move(nonce).error());
    }
    m_header.nonce = std::move(*nonce);
    relay::SecretText plain;
    for (const auto& [name, value] : values) {
        putNumber(plain, name.size());
        putNumber(plain, value.size());
        plain.insert(plain.end(), name.begin(), name.end());
        plain.insert(plain.end(), value.begin(), value.end());
    }
    const auto line = m_header.text();
    std::string sealed(plain.size() + kTagBytes, '\0');
    const Cipher cipher(::EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int length = 0, rest = 0;
    auto* out = reinterpret_cast<unsigned char*>(sealed.data());
    const bool good =
        cipher &&
        ::EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytesOf(relay::view(*m_key)), bytesOf(m_header.nonce)) == 1 &&
        ::EVP_EncryptUpdate(cipher.get(), nullptr, &rest, bytesOf(line), static_cast<int>(line.size())) == 1 &&
        (plain.empty() ||
         ::EVP_EncryptUpdate(cipher.get(), out, &length, bytesOf(relay::view(plain)), static_cast<int>(plain.size())) == 1) &&
        ::EVP_EncryptFinal_ex(cipher.get(), out + length, &rest) == 1 &&
        ::EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, out + plain.size()) == 1;
    if (!good) {
        return fail(ErrorCode::Internal, "The credentials could not be sealed");
    }
    return files::replaceDurably(m_file, line + "\n" + toHex(sealed) + "\n");
}

Status SealedFile::unlock(const Secret& passphrase) {
    const std::lock_guard lock(m_mutex);
    const auto file = read();
    if (!file) {
        return fail(file.error());
    }
    Header header;
    if (*file) {
        header = (*file)->header;
    } else {
        auto salt = randomBytes(kSaltBytes);
        if (!salt) {
            return fail(std::move(salt).error());
        }
        header.cost = m_cost;
        header.salt = std::move(*salt);
    }
    relay::SecretText key(kKeyBytes);
    const auto word = passphrase.reveal();
    if (::EVP_PBE_scrypt(word.data(), word.size(), bytesOf(header.salt), header.salt.size(), 1ULL << header.cost.log2N, header.cost.r,
                         header.cost.p, kMaxMemory, reinterpret_cast<unsigned char*>(key.data()), key.size()) != 1) {
        return fail(ErrorCode::LimitExceeded, "The key of the credentials could not be made of the passphrase",
                    "Make some memory free on this computer, then try again");
    }
    auto before = std::exchange(m_key, std::move(key));
    const auto headerBefore = std::exchange(m_header, std::move(header));
    // The file is made at once, so that a second passphrase is held against the first.
    auto opened = *file ? Status() : write({});
    if (opened) {
        if (auto values = open(); !values) {
            opened = fail(std::move(values).error());
        }
    }
    if (!opened) {
        m_key = std::move(before);
        m_header = headerBefore;
    }
    return opened;
}

void SealedFile::lock() {
    const std::lock_guard lock(m_mutex);
    m_key.reset();
}

Result<SecretStore::Standing> SealedFile::standing() {
    const std::lock_guard lock(m_mutex);
    const auto file = read();
    if (!file) {
        return fail(file.error());
    }
    return !*file ? Standing::Absent : m_key && m_header.salt == (*file)->header.salt ? Standing::Ready : Standing::Locked;
}

Result<Secret> SealedFile::load(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    auto values = open();
    if (!values) {
        return fail(std::move(values).error());
    }
    const auto at = values->find(name);
    return at == values->end() ? Result<Secret>(fail(ErrorCode::NotFound, m_file.string() + " does not hold the value of " + name,
                                                     "Remove the credential, then add it once more"))
                               : Secret::ofCredential(std::move(at->second));
}

Status SealedFile::keep(const std::string& name, const Secret& value) {
    const std::lock_guard lock(m_mutex);
    auto values = open();
    if (!values) {
        return fail(std::move(values).error());
    }
    (*values)[name] = relay::secretText(value.reveal());
    return write(*values);
}

Status SealedFile::remove(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    auto values = open();
    if (!values) {
        return fail(std::move(values).error());
    }
    return values->erase(name) == 0 ? Status() : write(*values);
}

} // namespace carrel::egress
