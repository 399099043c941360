// SPDX-License-Identifier: Apache-2.0
// Memory that is overwritten before it is given back (OPENSSL_cleanse(3ssl)): for a secret, and for buffers that one passes.
// Invariant I6 of the design. Thread: values.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include <openssl/crypto.h>

namespace carrel::relay {

template <class T> struct WipingAllocator {
    using value_type = T;
    WipingAllocator() = default;
    template <class U> WipingAllocator(const WipingAllocator<U>&) noexcept {} // NOLINT: allocators convert
    [[nodiscard]] T* allocate(std::size_t count) { return std::allocator<T>().allocate(count); }
    void deallocate(T* memory, std::size_t count) noexcept {
        ::OPENSSL_cleanse(memory, count * sizeof(T));
        std::allocator<T>().deallocate(memory, count);
    }
    template <class U> bool operator==(const WipingAllocator<U>&) const noexcept { return true; }
};

// A vector, because a std::string keeps short text within itself, where nobody wipes it.
using SecretText = std::vector<char, WipingAllocator<char>>;

[[nodiscard]] inline SecretText secretText(std::string_view text) {
    return {text.begin(), text.end()};
}
[[nodiscard]] inline std::string_view view(const SecretText& text) {
    return {text.data(), text.size()};
}

} // namespace carrel::relay
