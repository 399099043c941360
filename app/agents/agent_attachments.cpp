// SPDX-License-Identifier: Apache-2.0
// What the user attaches to a task: the agent's machine reads copies of it.
#include "app/agents/agent.h"

#include "app/agents/attachments.h"

#include <algorithm>

namespace carrel::agents {

namespace fs = std::filesystem;

Result<std::vector<std::string>> Agent::attach(std::uint64_t task, const std::vector<fs::path>& files) {
    const auto folder = file(kAttachments);
    const auto copied = copyAttachments(folder, task, files);
    if (!copied) {
        return fail(copied.error());
    }
    const auto shareName = [&]() -> std::optional<std::string> {
        for (const auto& share : record().shares) {
            if (share.dir == folder.string() && !share.revoked) {
                return share.name;
            }
        }
        return std::nullopt;
    };
    auto name = shareName();
    if (!name) {
        if (const auto added = addShare({folder.string(), ShareMode::ReadOnly, true}); !added) {
            name = shareName(); // it comes when the machine answers again
            if (!name) {
                return fail(added.error());
            }
        } else {
            name = shareName();
        }
    }
    std::vector<std::string> out;
    std::transform(copied->begin(), copied->end(), std::back_inserter(out), [&](const fs::path& each) { return "/workspace/" + *name + "/" + each.string(); });
    return out;
}

} // namespace carrel::agents
