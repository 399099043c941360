// SPDX-License-Identifier: Apache-2.0
#include "app/api/spawn_setup.h"

#include <csignal>
#include <fcntl.h>

namespace carrel::api {

SpawnSetup::SpawnSetup() {
    posix_spawn_file_actions_init(&m_actions);
    posix_spawn_file_actions_addopen(&m_actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addchdir_np(&m_actions, "/");
    posix_spawnattr_init(&m_attributes);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&m_attributes, &all);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&m_attributes, &none);
    posix_spawnattr_setflags(&m_attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

SpawnSetup::~SpawnSetup() {
    posix_spawn_file_actions_destroy(&m_actions);
    posix_spawnattr_destroy(&m_attributes);
}

void SpawnSetup::give(int from, int as) {
    posix_spawn_file_actions_adddup2(&m_actions, from, as);
}

void SpawnSetup::giveNothing(int as) {
    posix_spawn_file_actions_addopen(&m_actions, as, "/dev/null", O_WRONLY, 0);
}

void SpawnSetup::closeFrom(int first) {
    posix_spawn_file_actions_addclosefrom_np(&m_actions, first);
}

namespace {
std::vector<char*> pointersTo(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (auto& text : texts) {
        out.push_back(text.data());
    }
    out.push_back(nullptr);
    return out;
}
} // namespace

Result<pid_t> SpawnSetup::start(const std::filesystem::path& program, std::vector<std::string> arguments, std::vector<std::string> environment) {
    arguments.insert(arguments.begin(), program.string());
    pid_t pid = -1;
    const int failed = ::posix_spawn(&pid, program.c_str(), &m_actions, &m_attributes, pointersTo(arguments).data(), pointersTo(environment).data());
    if (failed != 0) {
        return failErrno("cannot start " + program.string(), failed);
    }
    return pid;
}

} // namespace carrel::api
