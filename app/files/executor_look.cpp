// SPDX-License-Identifier: Apache-2.0
#include "app/files/executor_look.h"

#include <algorithm>

namespace carrel::files {

Place beside(const Place& place, const std::string& name) {
    return {UniqueFd(::dup(place.parent.get())), name};
}

std::optional<std::int64_t> folderTime(const Place& place) {
    struct stat st {};
    if (::fstat(place.parent.get(), &st) != 0) {
        return std::nullopt;
    }
    return toNs(st.st_mtim);
}

Result<std::string> whyNotGone(const Place& place, const std::string& name, const NodeState& old, LookAt what) {
    const Place there = beside(place, name);
    auto kind = observe(there, LookAt::Names);
    if (!kind) {
        return fail(std::move(kind).error());
    }
    // First whether somebody writes, and then what: the other way round a last write behind the place that is being read
    // would be missed.
    if (kind->kind == NodeKind::File) {
        auto fd = openFile(there);
        if (!fd) {
            return fail(std::move(fd).error());
        }
        if (!nobodyWrites(fd->get())) {
            return std::string(kStillWritten);
        }
    }
    auto now = observe(there, what);
    if (!now) {
        return fail(std::move(now).error());
    }
    if (!matches(*now, old)) {
        return difference(*now, old);
    }
    const bool sameAttributes = what != LookAt::ContentAndXattrs || now->xattrs == old.xattrs;
    return std::string(sameAttributes ? "" : kOtherAttributes);
}

std::string shown(std::string_view name) {
    constexpr std::size_t kMost = 300;
    if (isUtf8(name) && name.size() <= kMost) {
        return std::string(name);
    }
    const bool cut = name.size() > kMost;
    std::string out(cut ? name.substr(name.size() - kMost) : name); // the end of it is what tells
    std::replace_if(out.begin(), out.end(), [](char c) { return static_cast<std::uint8_t>(c) >= 0x80; }, '?');
    return (cut ? "..." : "") + out;
}

std::string keptBeside(const std::string& name) {
    return name.empty() ? name : "; what Carrel had put out of the way is kept beside it as " + shown(name);
}

std::string standing(const SharePath& path, std::uint64_t inode, const std::string& was) {
    const std::string text = shown(path.text());
    return inode == 0         ? "; nothing stands at " + text
           : was.empty()      ? "; what stands at " + text + " was put there since"
           : was == path.text() ? "; what stands at " + text + " is what stood there before"
                              : "; what stands at " + text + " was " + shown(was) + " before";
}

Result<std::pair<std::uint64_t, std::uint64_t>> inodesOf(const Place& a, const Place& b) {
    const auto first = inodeOf(a);
    const auto second = inodeOf(b);
    if (!first || !second) {
        return fail(!first ? first.error() : second.error());
    }
    return std::pair(*first, *second);
}

bool isConflict(const Error& error) {
    return error.code == ErrorCode::Conflict || error.code == ErrorCode::AlreadyExists ||
           error.code == ErrorCode::NotFound;
}

} // namespace carrel::files
