// SPDX-License-Identifier: Apache-2.0
// Small files that were asked for before a program reads them, until it does. A trip to the host costs the
// same for one file and for thirty. A file node is one version (lower_wire.h), so what lies here is what a
// READ of that node would give; when the host disowns the version, drop() takes it away.
//
// The host writes each of them down as read, as it does with everything that it hands over: its record may
// name a few files that no program in the machine opened. It never misses one.
//
// Ownership: WorktreeImpl's. Thread: any; the lower client's calls may come after close().
#pragma once

#include "guest/worktree/lower_client.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace carrel::worktree {

struct LowerNode;

class ReadAhead {
public:
    static constexpr std::uint32_t kMaxFile = 64 * 1024;
    static constexpr std::uint64_t kMaxBytes = 6 * 1024 * 1024; // of all
    static constexpr std::size_t kMaxFiles = 256;

    struct File {
        std::shared_ptr<LowerNode> node; // held until it is read, or makes room
        std::uint64_t id = 0;
        std::uint32_t size = 0; // 1 to kMaxFile
    };

    ReadAhead();
    ~ReadAhead(); // closes
    ReadAhead(const ReadAhead&) = delete;
    ReadAhead& operator=(const ReadAhead&) = delete;

    // Those that are not here or on their way already.
    void ask(LowerClient& lower, std::vector<File> files);
    // None: not asked for, no answer of use, or none within `patience`; then ask the host. Waits for what is
    // on its way; EIO once closed. What was read to its end is here no more: the kernel has it.
    [[nodiscard]] std::optional<SysResult<Bytes>>
    take(std::uint64_t id, std::uint64_t offset, std::uint32_t size, std::chrono::milliseconds patience);
    // The host disowned that version: what came of it is given out no more.
    void drop(std::uint64_t id);
    void close(); // lets go of every node; nothing is taken in any more

private:
    struct Slot;
    struct State;
    std::shared_ptr<State> m_state; // with whoever still has to answer
};

} // namespace carrel::worktree
