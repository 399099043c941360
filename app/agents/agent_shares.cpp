// SPDX-License-Identifier: Apache-2.0
// Which folders an agent sees.
#include "app/agents/agent.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

namespace carrel::agents {

namespace fs = std::filesystem;
namespace json = boost::json;
using activity::EventKind;

Result<UniqueFd> Agent::openShareRoot(const ShareRecord& share) const {
    UniqueFd root(::open(share.dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    struct stat now {};
    if (!root || ::fstat(root.get(), &now) != 0) {
        return fail(errnoError("opening " + share.dir)
                        .wrap("The shared folder " + share.name + " cannot be opened",
                              "Bring the folder back, or end the share with: carrel share remove"));
    }
    if (now.st_dev != share.device || now.st_ino != share.inode) {
        // Whoever swaps the folder must not swap what the agent may see.
        return fail(ErrorCode::Refused, "another folder stands where the shared folder " + share.name + " was",
                    "If it is the right one, remove the share and add it again");
    }
    return root;
}

std::vector<ServedShare> Agent::openShares(std::vector<std::string>& missing) {
    std::vector<ServedShare> served;
    for (const auto& share : record().shares) {
        auto root = openShareRoot(share);
        if (!root) {
            missing.push_back(share.name + ": " + root.error().text());
            continue;
        }
        served.push_back({share.id, share.name, std::string(toString(share.mode)), std::move(*root)});
    }
    return served;
}

Result<json::object> Agent::addShare(const NewShare& wanted) {
    const std::lock_guard operation(m_operation);
    std::error_code error;
    const fs::path dir = fs::canonical(wanted.dir, error);
    if (error || !fs::is_directory(dir)) {
        return fail(ErrorCode::NotFound, "there is no folder " + wanted.dir, "Check the path");
    }
    CARREL_TRY(m_services.mayShare(dir));
    struct stat what {};
    if (::stat(dir.c_str(), &what) != 0 || ::access(dir.c_str(), R_OK | X_OK) != 0) {
        return fail(errnoError("looking into " + dir.string()).wrap("The folder cannot be read", "Check its permissions"));
    }
    if (wanted.mode == ShareMode::Review && ::access(dir.c_str(), W_OK) != 0) {
        return fail(ErrorCode::Refused, "the folder " + dir.string() + " cannot be written by you, so nothing could be applied",
                    "Share it read-only: " + dir.string() + ":read-only");
    }
    auto with = record();
    if (with.shares.size() >= clerk::kMaxSharesPerAgent) {
        return fail(ErrorCode::LimitExceeded, "an agent can have at most 64 folders");
    }
    for (const auto& share : with.shares) {
        if (share.device == what.st_dev && share.inode == what.st_ino) {
            return fail(ErrorCode::AlreadyExists, "that folder is shared already, as " + share.name);
        }
        // Two layers over the same file would know nothing of each other.
        const auto inside = [](const fs::path& outer, const fs::path& inner) {
            const auto [end, ignored] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
            return end == outer.end();
        };
        if (inside(share.dir, dir) || inside(dir, share.dir)) {
            return fail(ErrorCode::Refused, "the folder lies inside of, or around, the shared folder " + share.name,
                        "Share only the outer one");
        }
    }
    ShareRecord share;
    share.id = with.nextShareId++;
    share.name = chooseShareName(with.shares, dir);
    share.dir = dir.string();
    share.device = what.st_dev;
    share.inode = what.st_ino;
    share.mode = wanted.mode;
    json::object detail{{"mode", toString(share.mode)}, {"id", share.id}};
    if (isUtf8(share.dir)) {
        detail["dir"] = share.dir;
    } else {
        detail["dir_b64"] = toBase64(share.dir);
    }
    CARREL_TRY(note(EventKind::ShareAdded, share.name, std::move(detail)));
    with.shares.push_back(share);
    CARREL_TRY(saveRecord(with));
    CARREL_TRY(renewClerk());
    return describeShares().back().as_object();
}

Status Agent::removeShare(const std::string& name, Staged staged) {
    auto known = record();
    const auto found =
        std::find_if(known.shares.begin(), known.shares.end(), [&](const ShareRecord& s) { return s.name == name; });
    if (found == known.shares.end()) {
        return fail(ErrorCode::NotFound, "the agent has no shared folder " + name, "See: carrel share list " + known.name);
    }
    const std::uint32_t id = found->id;
    CARREL_TRY(refuseStaged(id, staged));
    const std::lock_guard operation(m_operation);
    CARREL_TRY(note(EventKind::ShareRemoved, name, {{"id", id}, {"discarded", staged == Staged::Discard}}));
    auto without = record();
    std::erase_if(without.shares, [id](const ShareRecord& s) { return s.id == id; });
    CARREL_TRY(saveRecord(without));
    if (auto at = door()) {
        // Cut first, by the clerk that serves it; then a clerk that could not even open the folder.
        (void)at->request("share.revoke", {{"id", id}}, {}, {}, m_services.patience.stopping).has_value();
    }
    return renewClerk();
}

// One that serves what is shared now, also at a machine that does not answer and may do so later.
Status Agent::renewClerk() {
    if (!runs()) {
        return {};
    }
    CARREL_TRY(putClerk());
    return state() == AgentState::Ready ? door()->awaitHello() : Status{};
}

} // namespace carrel::agents
