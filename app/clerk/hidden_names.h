// SPDX-License-Identifier: Apache-2.0
// Which names of a share are not shown: patterns of bytes with '*' (any run, not '/') and '?' (one byte, not
// '/'). A pattern without '/' is compared with every single name (".env", "*.pem", ".ssh"); one with '/' with
// the whole path from the share's root ("config/secrets.*"). What lies beneath a hidden folder is hidden with
// it. Thread: value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace carrel::clerk {

class HiddenNames {
public:
    HiddenNames() = default;
    explicit HiddenNames(std::vector<std::string> patterns);
    // `folderPath` has no slash at either end; empty for the root.
    [[nodiscard]] bool hides(std::string_view folderPath, std::string_view name) const;

private:
    std::vector<std::string> m_names;
    std::vector<std::string> m_paths;
};

} // namespace carrel::clerk
