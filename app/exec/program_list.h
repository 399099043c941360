// SPDX-License-Identifier: Apache-2.0
// Lists of programs by their content, as text: what Carrel itself denies (resources/policy/denied-programs.tsv), and what an image
// brings (programs.tsv, made by guest/image/list-programs.sh). A line for each: the SHA-256 in 64 lower-case hexadecimal digits, a mark,
// and a name, with tabs between; lines that begin with # are for people. Mark: "-", or "code" of a program that makes code in memory, as
// just-in-time compilers do, and so may where others may not. Thread: values, pure functions.
#pragma once

#include "guest/protocol/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace carrel::exec {

inline constexpr std::size_t kMaxListed = 100'000; // contents: an image has some thousand
inline constexpr std::size_t kMaxListBytes = 32 * 1024 * 1024;
inline constexpr std::size_t kMaxListedName = 4096;

struct Listed {
    std::string sha256;
    bool makesCode = false;
    std::string name; // a path within the image, or words
    friend bool operator==(const Listed&, const Listed&) = default;
};

// 64 hexadecimal digits, lower case.
[[nodiscard]] bool isContent(std::string_view text);
// Malformed, with the line; LimitExceeded.
[[nodiscard]] Result<std::vector<Listed>> listFrom(std::string_view text);

[[nodiscard]] std::string_view deniedText();             // as the build wrote them into the program
[[nodiscard]] std::string_view makersOfCodeText();
[[nodiscard]] const std::vector<Listed>& deniedByCarrel();
// By its path in a machine: one of guest/image/makes-code.list.
[[nodiscard]] bool isMakerOfCode(std::string_view path);

} // namespace carrel::exec
