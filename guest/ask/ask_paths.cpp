// SPDX-License-Identifier: Apache-2.0
#include "guest/ask/ask_paths.h"

#include "guest/protocol/plain_text.h"

#include <algorithm>
#include <filesystem>

namespace carrel::ask {

namespace fs = std::filesystem;

namespace {

Result<std::string> resolve(const std::string& path, const std::string& workingFolder) {
    if (path.empty() || path.find('\0') != std::string::npos || (path.front() != '/' && workingFolder.empty())) {
        return fail(ErrorCode::InvalidArgument, "\"" + plainText(path, kMaxPathBytes) + "\" is no path from here");
    }
    const fs::path full = path.front() == '/' ? fs::path(path) : fs::path(workingFolder) / path;
    const auto last = full.filename();
    const bool isName = !last.empty() && last != "." && last != "..";
    std::error_code error;
    fs::path found = fs::weakly_canonical(isName ? full.parent_path() : full, error);
    if (error) {
        return fail(ErrorCode::InvalidArgument, plainText(path, kMaxPathBytes) + " cannot be followed: " + error.message());
    }
    if (isName) {
        found /= last;
    }
    std::string text = found.string();
    while (text.size() > 1 && text.back() == '/') { // what is not there keeps it
        text.pop_back();
    }
    return text;
}

} // namespace

Result<std::vector<NamedPlace>> placesOf(const std::vector<std::string>& paths, const std::string& workingFolder,
                                         const std::string& workspace) {
    std::vector<NamedPlace> out;
    bool isEverything = false;
    for (const auto& path : paths) {
        auto full = resolve(path, workingFolder);
        if (!full) {
            return fail(std::move(full).error());
        }
        if (*full == workspace) {
            isEverything = true;
            continue;
        }
        const auto within = full->starts_with(workspace + "/") ? SharePath::parse(full->substr(workspace.size() + 1))
                                                               : Result<SharePath>(fail(ErrorCode::NotFound, ""));
        const auto parts = within ? within->components() : std::vector<std::string_view>();
        if (parts.empty() || !isUtf8(parts.front())) {
            return fail(ErrorCode::InvalidArgument, plainText(path, kMaxPathBytes) + " is in no shared folder",
                        "Shared folders are those in " + workspace);
        }
        NamedPlace place{std::string(parts.front()), {}};
        if (parts.size() > 1) {
            auto rest = SharePath::parse(within->text().substr(parts.front().size() + 1));
            if (!rest) {
                return fail(std::move(rest).error());
            }
            place.path = std::move(*rest);
        }
        if (std::find(out.begin(), out.end(), place) == out.end()) {
            out.push_back(std::move(place));
        }
    }
    return isEverything ? std::vector<NamedPlace>() : out;
}

} // namespace carrel::ask
