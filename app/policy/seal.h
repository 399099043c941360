// SPDX-License-Identifier: Apache-2.0
// What keeps a file of Carrel's from being changed by anybody else unnoticed: a last line with its HMAC-SHA-256 (RFC
// 2104) under a key that only the keyring, or a file of the user's, has. It does not keep the file secret, nor from being
// deleted or put back to an older state: whoever reads it must know that there is one, and how new (SealKeeper::serial).
// Thread: values, pure functions; a SealKeeper blocks for the disk or the keyring, and has one owner.
#pragma once

#include "guest/protocol/result.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::policy {

struct SealKey {
    std::array<unsigned char, 32> bytes{};
    friend bool operator==(const SealKey&, const SealKey&) = default;
};
[[nodiscard]] Result<SealKey> newSealKey();

// The text with the seal as its last line; the text ends with a line end.
[[nodiscard]] Result<std::string> seal(std::string_view text, const SealKey& key);
// The text, if it is as it was sealed. Refused: it is not, or bears no seal.
[[nodiscard]] Result<std::string> unseal(std::string_view sealed, const SealKey& key);

// Where the key is, with the serial of the newest file that was sealed.
class SealKeeper {
public:
    struct Kept {
        SealKey key;
        std::uint64_t serial = 0;
    };
    virtual ~SealKeeper() = default;
    // None: there was never one. Unavailable: locked, or no service; trying again may help.
    [[nodiscard]] virtual Result<std::optional<Kept>> load() = 0;
    [[nodiscard]] virtual Status keep(const Kept& kept) = 0;
};

// What a keeper keeps, as one line of text. Malformed: it is not one.
[[nodiscard]] std::string textOf(const SealKeeper::Kept& kept);
[[nodiscard]] Result<SealKeeper::Kept> keptFrom(std::string_view text);

// A file that only its owner may read (0600), for where there is no keyring. Another program of the same user could read
// it: then the seal keeps off mistakes, and no more.
class FileSealKeeper final : public SealKeeper {
public:
    // `mend`: what to do when it is damaged.
    explicit FileSealKeeper(std::filesystem::path file,
                            std::string mend = "Take it away, then \"carrel rules import\" the rules' file; everything is denied until then");
    [[nodiscard]] Result<std::optional<Kept>> load() override;
    [[nodiscard]] Status keep(const Kept& kept) override;

private:
    std::filesystem::path m_file;
    std::string m_mend;
};

} // namespace carrel::policy
