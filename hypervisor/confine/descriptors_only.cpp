// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/confine/descriptors_only.h"

#include "hypervisor/confine/confine.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace carrel::confine {

void limitReader() {
    const rlimit none{0, 0};
    (void)::setrlimit(RLIMIT_CORE, &none);
    (void)::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#ifndef CARREL_SANITIZED // a sanitizer reserves more than that for itself
    constexpr rlim_t kMaxMemoryBytes = rlim_t{256} << 20U;
    const rlimit memory{kMaxMemoryBytes, kMaxMemoryBytes};
    (void)::setrlimit(RLIMIT_DATA, &memory);
#endif
}

Result<int> keepDescriptorsOnly() {
    const int abi = landlockAbi();
    if (abi > 0) {
        CARREL_TRY(restrictFiles({}));
    }
    CARREL_TRY(restrictSyscalls(SyscallProfile::TerminalViewer));
    return abi;
}

} // namespace carrel::confine
