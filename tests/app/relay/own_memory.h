// SPDX-License-Identifier: Apache-2.0
// Whether something stands anywhere in this process's own memory (proc(5): maps, mem). What is looked for is given masked, so that
// the search does not find itself.
#pragma once

#include "app/relay/secret_text.h"
#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace carrel::relay::test {

inline constexpr char kMask = 0x5a;

class OwnMemory {
public:
    [[nodiscard]] static bool holds(std::string_view masked) {
        std::ifstream maps("/proc/self/maps");
        const UniqueFd memory(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
        SecretText piece(kPiece); // wiped: what was found once must not be found there again
        for (std::string line; std::getline(maps, line);) {
            unsigned long long begin = 0;
            unsigned long long end = 0;
            char may[5] = {};
            // Those of a sanitizer's own are larger than any memory.
            if (std::sscanf(line.c_str(), "%llx-%llx %4s", &begin, &end, may) != 3 || may[1] != 'w' || end - begin > kLargest) {
                continue;
            }
            for (auto at = begin; at < end; at += kPiece - masked.size()) {
                const auto size = static_cast<std::size_t>(std::min<unsigned long long>(kPiece, end - at));
                const auto got = ::pread(memory.get(), piece.data(), size, static_cast<off_t>(at));
                if (got > 0 && isIn({piece.data(), static_cast<std::size_t>(got)}, masked)) {
                    return true;
                }
            }
        }
        return false;
    }

private:
    static constexpr unsigned long long kPiece = 1U << 20U;
    static constexpr unsigned long long kLargest = 1ULL << 30U;

    static bool isIn(std::string_view text, std::string_view masked) {
        const auto first = static_cast<char>(masked.front() ^ kMask);
        for (std::size_t at = 0; (at = text.find(first, at)) != std::string_view::npos && at + masked.size() <= text.size(); ++at) {
            std::size_t same = 1;
            while (same < masked.size() && static_cast<char>(text[at + same] ^ kMask) == masked[same]) {
                ++same;
            }
            if (same == masked.size()) {
                return true;
            }
        }
        return false;
    }
};

} // namespace carrel::relay::test
