// SPDX-License-Identifier: Apache-2.0
// Values of credentials in one file under a passphrase, for a computer without a keyring: AES-256-GCM (NIST SP 800-38D) under a key
// that scrypt (RFC 7914) makes of it. The first line says how, and is authenticated with the rest:
//
//   carrel-sealed-1 <log2 N> <r> <p> <salt, 16 bytes> <nonce, 12 bytes>          in hexadecimal digits
//   <ciphertext and its tag of 16 bytes>                                          likewise
//
// What is sealed: for each value the length of its name and of itself (4 bytes each, little-endian), then both. A nonce is never used
// twice: each time that the file is written it is a new random one, of at most some thousands under one key.
//
// States: there is no file (Absent) → unlock() makes the key → Ready → lock(), or the engine ends → Locked → unlock() → Ready. The
// passphrase is forgotten at once; the key is kept in memory, and wiped, while it is Ready. There is no way back to what is sealed
// without the passphrase.
// Owner: the book of credentials. Thread: any; unlock() takes about half a second and 128 MiB, on purpose.
#pragma once

#include "app/egress/credentials/secret_store.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

namespace carrel::egress {

class SealedFile final : public SecretStore {
public:
    struct Cost { // of scrypt
        unsigned log2N = 17;
        unsigned r = 8, p = 1;
    };
    explicit SealedFile(std::filesystem::path file);
    SealedFile(std::filesystem::path file, Cost cost);

    // Refused: it is not the passphrase of this file, or the file is damaged. Where there is no file yet it becomes that of the one
    // that the first keep() makes.
    [[nodiscard]] Status unlock(const Secret& passphrase);
    void lock();

    [[nodiscard]] Result<Standing> standing() override;
    [[nodiscard]] Result<Secret> load(const std::string& name) override;
    [[nodiscard]] Status keep(const std::string& name, const Secret& value) override;
    [[nodiscard]] Status remove(const std::string& name) override;

private:
    struct Header {
        Cost cost;
        std::string salt; // bytes
        std::string nonce;
        [[nodiscard]] std::string text() const; // the first line
    };
    struct File {
        Header header;
        std::string sealed; // bytes, with the tag
    };
    using Values = std::map<std::string, relay::SecretText>;
    // Under m_mutex.
    [[nodiscard]] Result<std::optional<File>> read() const;
    [[nodiscard]] Result<Values> open() const;
    [[nodiscard]] Status write(const Values& values);

    const std::filesystem::path m_file;
    const Cost m_cost; // of a file that is made
    mutable std::mutex m_mutex;
    std::optional<relay::SecretText> m_key;
    Header m_header; // that the key is of
};

} // namespace carrel::egress
