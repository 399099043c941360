// SPDX-License-Identifier: Apache-2.0
// What the control service needs from the shared folders: mounts, changes, content. The seam between guestd
// and the union file system, so that dispatch can be tested without a kernel. Thread: every function may be
// called from any thread; they block.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/result.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace carrel::guestd {

enum class ShareMode { ReadOnly, Review };

struct ShareSpec {
    std::uint32_t id = 0;
    std::string name; // a valid name; the folder beneath /workspace
    ShareMode mode = ShareMode::Review;
    friend bool operator==(const ShareSpec&, const ShareSpec&) = default;
};

struct ChangePage {
    std::vector<ChangeEntry> entries;
    std::optional<SharePath> next; // list on after this path
    std::uint64_t staged = 0;      // changes in the whole share
};

struct EntryRef {
    SharePath path;
    std::uint64_t generation = 0;
    std::optional<Left> left = {}; // of a settle
};

// The content of one staged file at one generation.
class StagedContent {
public:
    virtual ~StagedContent() = default;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    // The next bytes; none at the end. Conflict when the file is no longer of that generation.
    [[nodiscard]] virtual Result<Bytes> read(std::size_t max) = 0;
    // Called at the end: Conflict when the file changed meanwhile.
    [[nodiscard]] virtual Status stillTheSame() = 0;
};

class ShareMounts {
public:
    virtual ~ShareMounts() = default;
    [[nodiscard]] virtual std::vector<ShareSpec> mounted() const = 0;
    // The folder is there when it returns. AlreadyExists when the id or the name is in use.
    [[nodiscard]] virtual Status add(const ShareSpec& share) = 0;
    // Its staged work stays on the disk. Gone: the host answers for it no more, so nothing waits for that.
    enum class Host { Serves, Gone };
    [[nodiscard]] virtual Status remove(std::uint32_t id, Host host) = 0;
    [[nodiscard]] virtual Result<ChangePage> changes(std::uint32_t id, const SharePath& after,
                                                     std::size_t limit) = 0;
    [[nodiscard]] virtual Result<std::unique_ptr<StagedContent>>
    content(std::uint32_t id, const SharePath& path, std::uint64_t generation) = 0;
    // Both answer the paths whose staged work was kept because it is younger than the generation named.
    [[nodiscard]] virtual Result<std::vector<SharePath>> settle(std::uint32_t id,
                                                                const std::vector<EntryRef>& entries) = 0;
    [[nodiscard]] virtual Result<std::vector<SharePath>> discard(std::uint32_t id,
                                                                 const std::vector<EntryRef>& entries) = 0;
};

} // namespace carrel::guestd
