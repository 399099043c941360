// SPDX-License-Identifier: Apache-2.0
// Is this build under a sanitizer? Tests that stop at every step of a long work do so in the plain build; a sanitizer
// costs each of their thousands of processes ten times as much, and looks for something else: there some of the steps
// do, spread over the whole.
#pragma once

namespace carrel::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

// The stride through steps of which the plain build takes every `plain`th. Odd, so that it meets every kind of step.
inline constexpr int strideOf(int plain) {
    return kSanitized ? plain * 6 + 1 : plain;
}

} // namespace carrel::test
