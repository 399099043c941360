// SPDX-License-Identifier: Apache-2.0
// Disks that open a file by more names than they list: vfat and ntfs make up short ones ("SSH~1" for ".ssh"), others take upper
// and lower case, blanks at an end or two spellings of an accent for one another. What is hidden or reviewed by its name must
// not be reached by such a one, so on such a disk a name counts only if its folder lists it byte for byte.
//
// Not by comparing what was opened with what is hidden: vfat makes the numbers of its files up, and they may be others at the
// second look; and a file under two names would be two files to whoever changes one of them.
//
// For both rooms of the host that look names up for a guest. Thread: any, no state. statfs(2), readdir(3).
#pragma once

#include "guest/protocol/result.h"

#include <functional>
#include <string_view>

namespace carrel {

// By the kind of file system: ext4, btrfs, xfs, tmpfs and f2fs, where nothing more needs to be asked. Any other may have other
// names. (Folders of these that know no case are among them: which spellings those take for one another is known, and what is
// hidden is hidden in each of them, see app/clerk/hidden_names.h.)
[[nodiscard]] bool hasOnlyListedNames(int folder);
// Its names, in no order, until `goesOn` says no.
[[nodiscard]] Status forEachName(int folder, const std::function<bool(std::string_view name)>& goesOn);
// Is it one of the names in that folder? Reads as far as to that name. EMFILE and the like in Error::sysErrno.
[[nodiscard]] Result<bool> lists(int folder, std::string_view name);

} // namespace carrel
