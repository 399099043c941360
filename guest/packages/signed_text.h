// SPDX-License-Identifier: Apache-2.0
// Text that somebody signed in the clear, as Debian's archive signs its list of indices (InRelease), and the keys that may have.
//
// Read here, and not by gpgv of the machine's disk: that program, its libraries and its keyring are the agent's to change. The keyring
// comes with the image's modules, out of the agent's reach. It counts as it is: whose key is in it may sign, and no date of a key, no
// revocation and no signature among its keys is looked at. What a signature needs besides is small: RSA with SHA-256, as Debian uses it
// (beside others, which are passed over), by an arithmetic that is not ours.
//
// The text and its signatures are the agent's bytes: bounded, strict, and nothing outside the signed part is handed on. RFC 9580,
// sections 4.2, 5.2, 5.5, 6 and 7; RFC 8017, section 8.2. Thread: pure functions.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"

namespace carrel::packages {

inline constexpr std::size_t kMaxKeyringBytes = 1024 * 1024;
inline constexpr std::size_t kMaxKeys = 64;
inline constexpr std::size_t kMaxSignedBytes = 4 * 1024 * 1024; // Debian's largest has a quarter of a megabyte
inline constexpr std::size_t kMaxSignatures = 8;
inline constexpr std::size_t kMinKeyBits = 2048;
inline constexpr std::size_t kMaxKeyBits = 8192;

struct PublicKey { // RSA; both as they stand in the keyring, most significant byte first
    Bytes modulus;
    Bytes exponent;
};

// A keyring without armour, as in /usr/share/keyrings. Malformed; NotFound: no key in it is one that can be used here.
[[nodiscard]] Result<std::vector<PublicKey>> keysFrom(ByteSpan keyring);

// What was signed, its lines ended by a newline each and without the spaces at their ends, which no signature covers. Malformed;
// LimitExceeded; Refused: none of these keys has signed it.
[[nodiscard]] Result<std::string> signedText(std::string_view armoured, const std::vector<PublicKey>& keys);

} // namespace carrel::packages
