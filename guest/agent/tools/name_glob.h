// SPDX-License-Identifier: Apache-2.0
// Patterns for names of files, as people and models write them: * and ? (not across a slash), ** (across), **/ (any folders, or none),
// [a-z], [!a-z], {one,two}, and a backslash before what is meant as it is. In time that grows with name times pattern and no worse, which
// fnmatch(3) does not promise. Byte by byte. Thread: a value; matches() is read-only.
#pragma once

#include "guest/protocol/result.h"

#include <bitset>
#include <vector>

namespace carrel::agent {

class NameGlob {
public:
    // InvalidArgument: it is empty, has a bracket without its end, or more alternatives than are worth trying.
    [[nodiscard]] static Result<NameGlob> from(std::string_view pattern);
    // `path`: from the folder that is looked in. A pattern without a slash is held against the last name of it.
    [[nodiscard]] bool matches(std::string_view path) const;

private:
    enum class Kind { Set, Star, Any, Folders, InFolder };
    struct Step {
        Kind kind = Kind::Set;
        std::bitset<256> set; // of Set
    };
    using Steps = std::vector<Step>;
    static Result<Steps> stepsOf(std::string_view pattern);
    static bool matches(const Steps& steps, std::string_view name);

    std::vector<Steps> m_alternatives;
    bool m_hasSlash = false;
};

} // namespace carrel::agent
