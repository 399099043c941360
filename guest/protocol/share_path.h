// SPDX-License-Identifier: Apache-2.0
// A path inside a shared folder: relative, in bytes as Linux has them (any byte but NUL and '/' within a
// name), never escaping upwards. The only way to get one is parse(), so whoever holds a SharePath need not
// check it again. The root of a share is the empty path. Thread: value.
// Bounds: a name has at most 255 bytes (NAME_MAX), a path at most 4,095 (PATH_MAX less its NUL), limits.h(7).
#pragma once

#include "guest/protocol/result.h"

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace carrel {

inline constexpr std::size_t kMaxNameBytes = 255;
inline constexpr std::size_t kMaxPathBytes = 4095;

// A single name that may be a directory entry: not empty, not "." or "..", no '/' and no NUL.
[[nodiscard]] bool isValidName(std::string_view name);

class SharePath {
public:
    SharePath() = default; // the root
    [[nodiscard]] static Result<SharePath> parse(std::string_view text);

    [[nodiscard]] bool isRoot() const { return m_text.empty(); }
    [[nodiscard]] const std::string& text() const { return m_text; }
    [[nodiscard]] std::string_view name() const; // last component; empty for the root
    [[nodiscard]] SharePath parent() const;      // the root's parent is the root
    [[nodiscard]] Result<SharePath> child(std::string_view name) const;
    [[nodiscard]] std::vector<std::string_view> components() const; // views into this object
    // True for the same path and for everything beneath it.
    [[nodiscard]] bool contains(const SharePath& other) const;

    friend auto operator<=>(const SharePath&, const SharePath&) = default;
    friend bool operator==(const SharePath&, const SharePath&) = default;

private:
    std::string m_text;
};

// Valid UTF-8 (RFC 3629: no overlong forms, no surrogates)? JSON can carry such text as it is; other paths
// travel base64-encoded in a field whose name ends in _b64.
[[nodiscard]] bool isUtf8(std::string_view text);
[[nodiscard]] std::string toBase64(std::string_view bytes);
[[nodiscard]] Result<std::string> fromBase64(std::string_view text);

} // namespace carrel
