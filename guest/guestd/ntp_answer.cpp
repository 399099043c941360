// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/ntp_answer.h"

namespace carrel::guestd {

namespace {

constexpr unsigned kClient = 3;
constexpr unsigned kServer = 4;
constexpr unsigned kMaxVersion = 4;
constexpr std::uint8_t kStratum = 10;
constexpr std::uint8_t kPrecision = 0xec;            // 2^-20 seconds: about a microsecond
constexpr std::uint32_t kQuarterSecond = 0x00004000; // in 1/65536 s
constexpr std::uint32_t kLocal = 0x4c4f434c;         // "LOCL"
constexpr std::uint64_t kFrom1900 = 2'208'988'800;   // seconds until 1970
constexpr std::size_t kTransmitted = 40;             // where the query's own time stands

void put32(Bytes& to, std::uint32_t value) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) {
        appendLe(to, static_cast<std::uint8_t>(value >> shift));
    }
}

// Seconds of the era, modulo 2^32 (the next begins in 2036), and their fraction.
void putTime(Bytes& to, std::chrono::system_clock::time_point time) {
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(ns);
    put32(to, static_cast<std::uint32_t>(static_cast<std::uint64_t>(seconds.count()) + kFrom1900));
    put32(to, static_cast<std::uint32_t>((static_cast<std::uint64_t>((ns - seconds).count()) << 32U) / 1'000'000'000U));
}

} // namespace

Bytes ntpAnswer(ByteSpan query, std::chrono::system_clock::time_point came, std::chrono::system_clock::time_point now) {
    if (query.size() != kNtpPacket) {
        return {};
    }
    const auto first = std::to_integer<unsigned>(query[0]);
    const unsigned version = first >> 3U & 7U;
    if ((first & 7U) != kClient || version == 0 || version > kMaxVersion) {
        return {};
    }
    Bytes out;
    appendLe(out, static_cast<std::uint8_t>(version << 3U | kServer)); // no leap second is announced: the host's clock tells of none
    appendLe(out, kStratum);
    out.push_back(query[2]); // how often it means to ask
    appendLe(out, kPrecision);
    put32(out, 0); // the way to the clock: none
    put32(out, kQuarterSecond);
    put32(out, kLocal);
    putTime(out, came); // it was right when it was read
    out.insert(out.end(), query.begin() + kTransmitted, query.end());
    putTime(out, came);
    putTime(out, now);
    return out;
}

} // namespace carrel::guestd
