// SPDX-License-Identifier: Apache-2.0
// Who vouches for a log: the installation's Ed25519 key (RFC 8032), and what it signs. A stranger who has the public key, which is
// handed out, checks a log's copy without Carrel's engine and without the private key.
//
// What is signed is a statement about one log, so that it says nothing of another one (its id is in it) and means one thing (its
// first words are):
//   head: "carrel-head-1" 0, log id 16 bytes, seq, time_ns, 8 bytes little-endian each, hash 32, reason: 8 bytes length, bytes
//   cut:  "carrel-cut-1" 0,  log id 16 bytes, seq, time_ns, 8 bytes little-endian each, hash 32
// The chain (event.h) makes a statement about one event one about all before it.
//
// Thread: values, pure functions; a SigningKey may be used from any thread, and wipes itself.
#pragma once

#include "app/activity/event.h"
#include "app/activity/schema.h"
#include "guest/protocol/bytes.h"

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace carrel::activity {

using PublicKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

inline constexpr std::size_t kMaxReasonBytes = 64;

struct SignedHead {
    LogId log{};
    std::uint64_t seq = 0;
    std::int64_t timeNs = 0; // by the signer's clock
    Hash hash{};
    std::string reason; // "session", "asked", "interval": why then
    PublicKey key{};
    Signature signature{};
    friend bool operator==(const SignedHead&, const SignedHead&) = default;
};

// Events up to and with this one were left out, as the owner's limits say; the chain goes on from its hash.
struct SignedCut {
    LogId log{};
    std::uint64_t seq = 0;
    std::int64_t timeNs = 0;
    Hash hash{};
    PublicKey key{};
    Signature signature{};
    friend bool operator==(const SignedCut&, const SignedCut&) = default;
};

class SigningKey {
public:
    // From the 32 secret bytes of RFC 8032, section 5.1.5. Internal: the cryptographic library cannot.
    [[nodiscard]] static Result<SigningKey> fromSeed(const std::array<unsigned char, 32>& seed);
    SigningKey(SigningKey&&) noexcept;
    SigningKey& operator=(SigningKey&&) noexcept;
    ~SigningKey();

    [[nodiscard]] const PublicKey& publicKey() const { return m_public; }
    // Fill in key and signature.
    [[nodiscard]] Status sign(SignedHead& head) const;
    [[nodiscard]] Status sign(SignedCut& cut) const;

private:
    struct Free {
        void operator()(void* key) const;
    };
    SigningKey() = default;
    [[nodiscard]] Result<Signature> signBytes(ByteSpan bytes) const;
    std::unique_ptr<void, Free> m_key; // EVP_PKEY, which wipes itself
    PublicKey m_public{};
};

// True: that very statement was signed by the key that it names. Whose key that is, the caller must know otherwise.
[[nodiscard]] bool isGenuine(const SignedHead& head);
[[nodiscard]] bool isGenuine(const SignedCut& cut);

// A public key and a head, as people keep and hand them on: one line of ASCII each.
//   carrel-key-1 <64 hex digits>
//   carrel-head-1 <log id> <seq> <time_ns> <hash> <reason> <key> <signature>
// Malformed: anything else, an upper-case digit included. A line end at its end is let pass.
[[nodiscard]] std::string textOf(const PublicKey& key);
[[nodiscard]] Result<PublicKey> publicKeyFrom(std::string_view text);
[[nodiscard]] std::string textOf(const SignedHead& head);
[[nodiscard]] Result<SignedHead> signedHeadFrom(std::string_view text);

// A reason that fits into a line: letters, digits and '-', 1 … kMaxReasonBytes.
[[nodiscard]] bool isReason(std::string_view text);

} // namespace carrel::activity
