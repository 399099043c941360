// SPDX-License-Identifier: Apache-2.0
// What apt has installed in an agent's machine and Debian has signed, by the word of guestd, which looked (guest/packages): the contents
// that run there under allow beside the image's. Kept for each agent in a file of its own, installed.tsv: a line "package", its name,
// version, architecture and the moment, with tabs between, and below it a line for each content as in program_list.h. What may make code
// is said here, by guest/image/makes-code.list.
//
// Of the machine's word: a guest whose kernel was taken over can have any content listed, which then runs in this agent's machine alone,
// where such a kernel runs what it likes anyway. It is told in the log, and a rule that denies wins.
//
// Thread: values; load and save touch the file system.
#pragma once

#include "app/exec/program_list.h"
#include "guest/protocol/ask.h"

#include <cstdint>
#include <filesystem>

namespace carrel::exec {

inline constexpr std::size_t kMaxInstalledPackages = 5000;
inline constexpr std::size_t kMaxInstalled = 20'000; // contents: with those of an image, below what a machine takes

struct InstalledPackage {
    std::string name, version, architecture;
    std::int64_t atMs = 0; // since 1970
    std::vector<Listed> programs;
    friend bool operator==(const InstalledPackage&, const InstalledPackage&) = default;
};
using InstalledBook = std::vector<InstalledPackage>; // oldest first; no content twice

// What was not in the book by now, and is from here on. LimitExceeded: that is too much; the book is as before.
[[nodiscard]] Result<std::vector<InstalledPackage>> add(InstalledBook& to, const ask::Installed& told, std::int64_t nowMs);

// An empty book where there is no file. Malformed, with the line.
[[nodiscard]] Result<InstalledBook> loadInstalled(const std::filesystem::path& file);
[[nodiscard]] Status save(const InstalledBook& book, const std::filesystem::path& file);

} // namespace carrel::exec
