// SPDX-License-Identifier: Apache-2.0
// Compresses, as programs do before they send something (RFC 1950, 1951, 1952, and the ZIP archives of APPNOTE.TXT).
#pragma once

#include <stdexcept>
#include <string>

#include <zlib.h>

namespace carrel::relay::test {

inline constexpr int kGzipBits = 16 + MAX_WBITS, kZlibBits = MAX_WBITS, kRawBits = -MAX_WBITS;

inline std::string packed(const std::string& text, int windowBits = kGzipBits, int level = 9) {
    z_stream stream{};
    if (::deflateInit2(&stream, level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        throw std::runtime_error("zlib");
    }
    std::string out(::deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int what = ::deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    (void)::deflateEnd(&stream);
    return what == Z_STREAM_END ? out : throw std::runtime_error("zlib");
}

// The local header of a member, and its data; `flags`, `method` as APPNOTE.TXT has them. Sizes and checksum are left for what follows
// the data, as programs do that do not know them yet.
inline std::string zipMember(const std::string& name, const std::string& data, char method = 8, char flags = 8) {
    std::string out("PK\3\4\24\0", 6);
    out += {flags, '\0', method, '\0'};
    out += std::string(16, '\0');
    out += {static_cast<char>(name.size()), '\0', '\0', '\0'};
    return out + name + data;
}

} // namespace carrel::relay::test
