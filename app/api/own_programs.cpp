// SPDX-License-Identifier: Apache-2.0
#include "app/api/own_programs.h"

#include <unistd.h>

namespace carrel::api {

namespace fs = std::filesystem;

Result<fs::path> ownProgram(const std::string& name) {
    std::error_code ec;
    const fs::path self = fs::read_symlink("/proc/self/exe", ec);
    if (ec) {
        return failErrno("cannot find out where carrel itself is", ec.value());
    }
    const fs::path folder = self.parent_path();
    for (const fs::path& candidate : {folder / name, folder.parent_path() / "libexec" / "carrel" / name}) {
        if (::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
    }
    return fail(ErrorCode::NotFound, "there is no program " + name + " beside " + self.string(),
                "Install Carrel again: its programs belong in one folder.");
}

} // namespace carrel::api
