// SPDX-License-Identifier: Apache-2.0
#include "app/exec/installed_programs.h"

#include "app/files/durable_file.h"

#include <charconv>
#include <set>

namespace carrel::exec {

namespace {

constexpr std::string_view kHead = "package\t";

std::optional<InstalledPackage> headFrom(std::string_view line) {
    std::vector<std::string_view> words;
    for (;;) {
        const auto end = line.find('\t');
        words.push_back(line.substr(0, end));
        if (end == std::string_view::npos || words.size() == 6) {
            break;
        }
        line.remove_prefix(end + 1);
    }
    if (words.size() != 5) {
        return std::nullopt;
    }
    InstalledPackage out{std::string(words[1]), std::string(words[2]), std::string(words[3]), 0, {}};
    const auto [end, error] = std::from_chars(words[4].data(), words[4].data() + words[4].size(), out.atMs);
    return error == std::errc{} && end == words[4].data() + words[4].size() ? std::optional(std::move(out)) : std::nullopt;
}

std::size_t countOf(const InstalledBook& book) {
    std::size_t out = 0;
    for (const auto& each : book) {
        out += each.programs.size();
    }
    return out;
}

} // namespace

Result<std::vector<InstalledPackage>> add(InstalledBook& to, const ask::Installed& told, std::int64_t nowMs) {
    std::set<std::string, std::less<>> seen;
    for (const auto& package : to) {
        for (const auto& each : package.programs) {
            seen.insert(each.sha256);
        }
    }
    std::vector<InstalledPackage> out;
    std::size_t more = 0;
    for (const auto& package : told.packages) {
        InstalledPackage one{package.name, package.version, package.architecture, nowMs, {}};
        for (const auto& each : package.programs) {
            if (seen.insert(each.sha256).second) {
                one.programs.push_back({each.sha256, isMakerOfCode(each.path), each.path});
            }
        }
        more += one.programs.size();
        if (!one.programs.empty()) {
            out.push_back(std::move(one));
        }
    }
    if (countOf(to) + more > kMaxInstalled || to.size() + out.size() > kMaxInstalledPackages) {
        return fail(ErrorCode::LimitExceeded, "More programs were installed in the agent's machine than its list of them takes",
                    "Allow what you need by itself: carrel policy exec allow NAME SHA256");
    }
    to.insert(to.end(), out.begin(), out.end());
    return out;
}

Result<InstalledBook> loadInstalled(const std::filesystem::path& file) {
    std::error_code error;
    if (!std::filesystem::exists(file, error) && !error) {
        return InstalledBook();
    }
    const auto text = files::readWhole(file, kMaxListBytes);
    if (!text) {
        return fail(text.error());
    }
    InstalledBook out;
    std::string_view left = *text;
    while (!left.empty()) {
        if (!left.starts_with(kHead)) {
            return fail(ErrorCode::Malformed, "The list of what apt installed cannot be read", "Restore installed.tsv from a backup, or delete it: what was installed is then looked at anew");
        }
        const auto head = left.substr(0, left.find('\n'));
        left.remove_prefix(std::min(left.size(), head.size() + 1));
        // The contents below it, up to the next package.
        const auto next = left.starts_with(kHead) ? 0 : left.find("\npackage\t");
        const auto lines = left.substr(0, next == std::string_view::npos || next == 0 ? next : next + 1);
        left.remove_prefix(lines.size());
        auto package = headFrom(head);
        auto programs = listFrom(lines);
        if (!package || !programs || out.size() == kMaxInstalledPackages) {
            return fail(ErrorCode::Malformed, "The list of what apt installed cannot be read: its package " + std::to_string(out.size() + 1),
                        "Restore installed.tsv from a backup, or delete it: what was installed is then looked at anew");
        }
        package->programs = std::move(*programs);
        out.push_back(std::move(*package));
    }
    return out;
}

Status save(const InstalledBook& book, const std::filesystem::path& file) {
    std::string text;
    for (const auto& package : book) {
        text += std::string(kHead) + package.name + "\t" + package.version + "\t" + package.architecture + "\t" + std::to_string(package.atMs) + "\n";
        for (const auto& each : package.programs) {
            text += each.sha256 + "\t" + (each.makesCode ? "code" : "-") + "\t" + each.name + "\n";
        }
    }
    return files::replaceDurably(file, text);
}

} // namespace carrel::exec
