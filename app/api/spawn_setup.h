// SPDX-License-Identifier: Apache-2.0
// Starting a program of our own that goes on by itself (posix_spawn(3)): a session of its own, in "/", no signal blocked or ignored,
// standard input from nowhere; everything else that it gets is given by name. Private to app/api. Thread: one owner.
#pragma once

#include "guest/protocol/result.h"

#include <filesystem>
#include <spawn.h>
#include <string>
#include <sys/types.h>
#include <vector>

namespace carrel::api {

class SpawnSetup {
public:
    SpawnSetup();
    ~SpawnSetup();
    SpawnSetup(const SpawnSetup&) = delete;
    SpawnSetup& operator=(const SpawnSetup&) = delete;

    // `from` is another number than `as`: dup2(2) onto itself would leave it close-on-exec.
    void give(int from, int as);
    void giveNothing(int as); // /dev/null, to be written to
    void closeFrom(int first);
    [[nodiscard]] Result<pid_t> start(const std::filesystem::path& program, std::vector<std::string> arguments,
                                      std::vector<std::string> environment);

private:
    posix_spawn_file_actions_t m_actions{};
    posix_spawnattr_t m_attributes{};
};

} // namespace carrel::api
