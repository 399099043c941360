// SPDX-License-Identifier: Apache-2.0
// Which names of a share are not shown: patterns of bytes with '*' (any run, not '/') and '?' (one byte, not
// '/'). A pattern without '/' is compared with every single name (".env", "*.pem", ".ssh"); one with '/' with
// the whole path from the share's root ("config/secrets.*"). What lies beneath a hidden folder is hidden with
// it. Thread: value.
//
// Upper and lower case are one: on many a disk ".SSH" opens ".ssh" (vfat, exfat, ntfs, ext4 with casefold), and nobody keeps
// a key under the one name and something to share under the other. So are names that such a disk takes for one another: with
// dots or blanks at their end, with letters that fold to ASCII ones, and with characters that show nothing (Unicode
// CaseFolding.txt, Default_Ignorable_Code_Point). The short names that vfat and ntfs make up ("SSH~1") cannot be told from
// other names: on such disks nothing is found by a name that is not listed (guest/protocol/disk_names.h).
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
