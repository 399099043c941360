// SPDX-License-Identifier: Apache-2.0
#include "app/cli/demo_home.h"

#include "app/cli/render.h"
#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::cli {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr int kMaxRuns = 10000;
constexpr mode_t kPrivate = 0700;

bool liesIn(const fs::path& outer, const fs::path& inner) {
    const auto [end, ignored] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    return end == outer.end();
}

} // namespace

bool DemoHome::made(const json::object& agent) const {
    std::string id;
    std::ifstream(mark()) >> id;
    if (!id.empty() && id == textAt(agent, "id")) {
        return true;
    }
    const auto& shares = listAt(agent, "shares");
    return !shares.empty() && std::all_of(shares.begin(), shares.end(), [this](const json::value& share) {
        return share.is_object() &&
               liesIn(m_folder, fs::path(pathAt(share.get_object(), "dir")).lexically_normal());
    });
}

Status DemoHome::prepare() const {
    if (::mkdir(m_folder.c_str(), kPrivate) != 0 && errno != EEXIST) {
        return failErrno("cannot make the folder " + m_folder.string());
    }
    struct stat what {};
    const bool ours = ::lstat(m_folder.c_str(), &what) == 0 && S_ISDIR(what.st_mode) &&
                      what.st_uid == ::geteuid() && (what.st_mode & (S_IWGRP | S_IWOTH)) == 0;
    std::error_code ec;
    if (!ours || (!fs::exists(mark(), ec) && !fs::is_empty(m_folder, ec)) || ec) {
        return fail(ErrorCode::Refused, m_folder.string() + " is there and no walk-through made it",
                    "Move it away, or rename it.");
    }
    const UniqueFd made(::open(mark().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    return made ? Status{} : failErrno("cannot write " + mark().string());
}

Status DemoHome::remember(const json::object& agent) {
    std::ofstream file(mark(), std::ios::trunc);
    file << textAt(agent, "id") << '\n';
    file.close();
    return file ? Status{} : fail(ErrorCode::Io, "cannot write " + mark().string());
}

Result<fs::path> DemoHome::newSampleFolder() {
    for (int run = 1; run <= kMaxRuns; ++run) {
        const fs::path folder = m_folder / std::to_string(run);
        if (::mkdir(folder.c_str(), kPrivate) == 0) {
            return folder / "Expenses 2026 Q3";
        }
        if (errno != EEXIST) {
            return failErrno("cannot make the folder " + folder.string());
        }
    }
    return fail(ErrorCode::LimitExceeded,
                "there are too many folders of earlier runs in " + m_folder.string(),
                "Delete them with: carrel demo --clean");
}

Status DemoHome::clean() {
    std::error_code ec;
    if (!fs::exists(mark(), ec)) {
        return {};
    }
    fs::remove_all(m_folder, ec); // follows no links
    return ec ? failErrno("cannot delete " + m_folder.string(), ec.value()) : Status{};
}

} // namespace carrel::cli
