// SPDX-License-Identifier: Apache-2.0
// carrel-clerk: started by the engine alone, with its end of the link as descriptor 3.
#include "app/clerk/clerk.h"

#include <sys/resource.h>

#include <cstdio>

int main() {
    // A share of many files wants many descriptors; the soft limit is a relic of select(2).
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)::setrlimit(RLIMIT_NOFILE, &files);
    }
    try {
        return carrel::clerk::Clerk(carrel::UniqueFd(carrel::clerk::kLinkDescriptor)).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "carrel-clerk: %s\n", error.what());
        return 1;
    }
}
