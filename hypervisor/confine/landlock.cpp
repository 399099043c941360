// SPDX-License-Identifier: Apache-2.0
// The Landlock half of confine.h: landlock(7). Every right that the running kernel knows is handled, so that
// a newer kernel confines more, and whatever no rule allows is refused.
#include "hypervisor/confine/confine.h"

#include <cstdint>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Rights newer than Debian 12's headers; numbers from the kernel's uapi.
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

namespace carrel::confine {
namespace {

constexpr int kAbiRefer = 2;
constexpr int kAbiTruncate = 3;
constexpr int kAbiNetwork = 4;
constexpr int kAbiIoctl = 5;
constexpr int kAbiScope = 6;

constexpr std::uint64_t kNetBindTcp = 1ULL << 0;
constexpr std::uint64_t kNetConnectTcp = 1ULL << 1;
constexpr std::uint64_t kScopeAbstractUnixSocket = 1ULL << 0;
constexpr std::uint64_t kScopeSignal = 1ULL << 1;

// struct landlock_ruleset_attr as of ABI 6; an older kernel takes it as long as the fields it does not know
// are 0.
struct RulesetAttributes {
    std::uint64_t handledFs = 0;
    std::uint64_t handledNet = 0;
    std::uint64_t scoped = 0;
};

constexpr std::uint64_t kReadRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriteRights =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |
    LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV;
// What a rule on a file, not a folder, may carry; the kernel refuses the others there.
constexpr std::uint64_t kFileRights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                      LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |
                                      LANDLOCK_ACCESS_FS_IOCTL_DEV;

RulesetAttributes everythingHandled(int abi) {
    RulesetAttributes attributes;
    attributes.handledFs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; // all thirteen of ABI 1
    attributes.handledFs |= abi >= kAbiRefer ? LANDLOCK_ACCESS_FS_REFER : 0;
    attributes.handledFs |= abi >= kAbiTruncate ? LANDLOCK_ACCESS_FS_TRUNCATE : 0;
    attributes.handledFs |= abi >= kAbiIoctl ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0;
    attributes.handledNet = abi >= kAbiNetwork ? (kNetBindTcp | kNetConnectTcp) : 0;
    attributes.scoped = abi >= kAbiScope ? (kScopeAbstractUnixSocket | kScopeSignal) : 0;
    return attributes;
}

std::uint64_t rightsOf(Access access) {
    switch (access) {
    case Access::ReadOnly:
        return kReadRights;
    case Access::ReadExecute:
        return kReadRights | LANDLOCK_ACCESS_FS_EXECUTE;
    case Access::ReadWrite:
        return kReadRights | kWriteRights;
    }
    return 0;
}

enum class WhenMissing { Fail, Skip };

Status addRule(int ruleset, const PathRule& rule, std::uint64_t handled, WhenMissing whenMissing) {
    const UniqueFd path(::open(rule.path.c_str(), O_PATH | O_CLOEXEC));
    if (!path) {
        if (whenMissing == WhenMissing::Skip) {
            return {};
        }
        return failErrno("cannot confine the process to " + rule.path);
    }
    struct stat info {};
    if (::fstat(path.get(), &info) != 0) {
        return failErrno("cannot look at " + rule.path);
    }
    std::uint64_t rights = rightsOf(rule.access) & handled;
    if (!S_ISDIR(info.st_mode)) {
        rights &= kFileRights;
    }
    const landlock_path_beneath_attr attributes{.allowed_access = rights, .parent_fd = path.get()};
    if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attributes, 0) != 0) {
        return failErrno("the kernel did not take the rule for " + rule.path);
    }
    return {};
}

} // namespace

int landlockAbi() {
    const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi > 0 ? static_cast<int>(abi) : 0;
}

Status restrictFiles(const FileView& view) {
    const int abi = landlockAbi();
    if (abi == 0) {
        return fail(ErrorCode::Unsupported, "this kernel cannot confine a process to its files (no Landlock)",
                    "use a kernel of version 5.13 or later with Landlock switched on (lsm=…,landlock)");
    }
    const RulesetAttributes attributes = everythingHandled(abi);
    // The fields beyond what an old kernel knows are zero, which it accepts whatever the size.
    const UniqueFd ruleset(
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
    if (!ruleset) {
        return failErrno("the kernel did not make a Landlock rule set");
    }
    for (const PathRule& rule : view.required) {
        CARREL_TRY(addRule(ruleset.get(), rule, attributes.handledFs, WhenMissing::Fail));
    }
    for (const PathRule& rule : view.optional) {
        CARREL_TRY(addRule(ruleset.get(), rule, attributes.handledFs, WhenMissing::Skip));
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failErrno("cannot give up new privileges");
    }
    if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
        return failErrno("the kernel did not confine the process");
    }
    return {};
}

} // namespace carrel::confine
