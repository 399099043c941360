// SPDX-License-Identifier: Apache-2.0
// What apt installed in the agent's machine and Debian has signed, by guestd's word: written down, kept, and then the machine is told
// that it may run. In that order: what cannot be recorded does not run.
#include "app/agents/agent.h"

#include "app/exec/installed_programs.h"

#include <chrono>

namespace carrel::agents {

using activity::EventKind;

Status Agent::takeInstalled(const ask::Installed& told) {
    {
        const std::lock_guard writing(m_recordMutex);
        auto book = exec::loadInstalled(file(kInstalledFile));
        if (!book) {
            return fail(book.error());
        }
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto added = exec::add(*book, told, std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
        if (!added) {
            return fail(added.error());
        }
        for (const auto& each : *added) {
            CARREL_TRY(note(EventKind::ProgramsInstalled, each.name, {{"version", each.version}, {"architecture", each.architecture}, {"programs", each.programs.size()}},
                            activity::Provenance::Guest));
        }
        if (!added->empty()) {
            CARREL_TRY(exec::save(*book, file(kInstalledFile)));
        }
    }
    if (told.last) {
        return tellPrograms();
    }
    return {};
}

Result<exec::InstalledBook> Agent::installedPackages() const {
    return exec::loadInstalled(file(kInstalledFile));
}

} // namespace carrel::agents
