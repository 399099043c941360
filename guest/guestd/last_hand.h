// SPDX-License-Identifier: Apache-2.0
// What is left to do when guestd has died. The kernel ends a FUSE connection when its last descriptor closes,
// so when the last thread of its server has gone. A thread that tells the kernel of a host's edit waits for
// the folder's lock (FUSE_NOTIFY_INVAL_ENTRY, fuse(4)); the program that has the lock waits for an answer of
// guestd's; a killed guestd gives none, and so never goes. Nor is it started again then. A process of its own
// ends the connections instead.
#pragma once

#include <string>

namespace carrel::guestd {

// Forks a process that waits for the end of the calling thread, which must be the main one and the only one
// so far; then it ends the connections of all that is mounted directly beneath `workspace` and goes. It holds
// `lock` for as long as it is there, and none of guestd's descriptors. Waits for the last hand of the guestd
// before, which must not touch what this one mounts.
void leaveLastHand(const std::string& workspace, const std::string& lock);

// umount2(2), MNT_FORCE: every request fails, whoever waits wakes up. The mounts may stay, dead.
void endConnectionsBeneath(const std::string& workspace);

} // namespace carrel::guestd
