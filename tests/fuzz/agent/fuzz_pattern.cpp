// SPDX-License-Identifier: Apache-2.0
// What a model writes as a pattern of lines or of names, from random bytes: it is refused, or its cost is known and bounded, and it is held
// against a name without going astray. (The C library's own compiler is not what is looked at.)
#include "guest/agent/tools/line_pattern.h"
#include "guest/agent/tools/name_glob.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto split = text.find('\n');
    const auto pattern = text.substr(0, split);
    const auto name = split == std::string_view::npos ? std::string_view("src/some_file.cpp") : text.substr(split + 1);
    if (const auto words = patternWords(pattern)) {
        if (words->text.find('\0') != std::string::npos || words->text.empty() || words->steps > 100'000) {
            std::abort();
        }
    }
    if (const auto glob = NameGlob::from(pattern); glob && name.size() < 4096) {
        if (glob->matches(name) != glob->matches(name)) {
            std::abort();
        }
    }
    return 0;
}
