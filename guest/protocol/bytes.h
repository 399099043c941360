// SPDX-License-Identifier: Apache-2.0
// Byte buffers and little-endian fields. All numbers on a channel are little-endian and unaligned.
// Thread: values and pure functions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace carrel {

using Bytes = std::vector<std::byte>;
using ByteSpan = std::span<const std::byte>;

static_assert(std::endian::native == std::endian::little, "the wire format is little-endian; add swaps");

// Reads a number at an offset; the caller has checked that offset + sizeof(T) is within the span.
template <class T> [[nodiscard]] T loadLe(ByteSpan from, std::size_t offset = 0) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, from.data() + offset, sizeof value);
    return value;
}

template <class T> void appendLe(Bytes& to, T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::size_t at = to.size(); // insert() of so few bytes makes GCC 12 warn of an overflow that is none
    to.resize(at + sizeof value);
    std::memcpy(to.data() + at, &value, sizeof value);
}

[[nodiscard]] inline ByteSpan asBytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view asText(ByteSpan bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline Bytes toBytes(std::string_view text) {
    auto span = asBytes(text);
    return {span.begin(), span.end()};
}

} // namespace carrel
