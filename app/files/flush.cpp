// SPDX-License-Identifier: Apache-2.0
#include "app/files/flush.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace carrel::files {

int flushTogether(std::span<const int> files) {
#ifdef SYNC_FILE_RANGE_WRITE
    if (files.size() > 1) {
        for (const int file : files) {
            (void)::sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE); // a hint: fsync() is what counts
        }
    }
#endif
    for (const int file : files) {
        if (::fsync(file) != 0) {
            return errno;
        }
    }
    return 0;
}

} // namespace carrel::files
