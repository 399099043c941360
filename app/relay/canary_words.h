// SPDX-License-Identifier: Apache-2.0
// What is said of a canary that was found (canary_set.h): where, and in which form. Thread: values, pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace carrel::relay {

inline constexpr std::size_t kMinCanary = 12; // its base64 is long enough not to stand somewhere by chance
inline constexpr std::size_t kMaxCanary = 256;

enum class CanaryForm { Plain, Base64, Hex, Percent, Gzip };
[[nodiscard]] constexpr std::string_view toString(CanaryForm form) {
    switch (form) {
    case CanaryForm::Plain:
        return "plain";
    case CanaryForm::Base64:
        return "base64";
    case CanaryForm::Hex:
        return "hex";
    case CanaryForm::Percent:
        return "percent";
    case CanaryForm::Gzip:
        return "gzip";
    }
    return "plain";
}

enum class CanaryPlace { Target, Field, Body };
[[nodiscard]] constexpr std::string_view toString(CanaryPlace place) {
    return place == CanaryPlace::Target ? "target" : place == CanaryPlace::Field ? "field" : "body";
}

} // namespace carrel::relay
