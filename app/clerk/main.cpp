// SPDX-License-Identifier: Apache-2.0
// carrel-clerk: started by the engine alone, with its end of the link as descriptor 3.
#include "app/clerk/clerk.h"
#include "app/relay/openssl.h"

#include <sys/resource.h>

#include <csignal>
#include <cstdio>

int main() {
    // A caller or a machine that goes away in the middle of its output is an error of one write, not this process's end.
    (void)::signal(SIGPIPE, SIG_IGN);
    // A share of many files wants many descriptors; the soft limit is a relic of select(2).
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)::setrlimit(RLIMIT_NOFILE, &files);
    }
#ifndef CARREL_SANITIZED
    // Every queue has its bound; this is the sum that a guest can make this process hold. Beyond it the clerk dies and the
    // next one begins empty. (Sanitizers reserve more than that for themselves.)
    constexpr rlim_t kMaxMemoryBytes = rlim_t{2} << 30U;
    const rlimit memory{kMaxMemoryBytes, kMaxMemoryBytes};
    (void)::setrlimit(RLIMIT_DATA, &memory);
#endif
    carrel::relay::prepareOpenSsl(); // before the jail, which lets nothing be loaded
    try {
        return carrel::clerk::Clerk(carrel::UniqueFd(carrel::clerk::kLinkDescriptor)).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "carrel-clerk: %s\n", error.what());
        return 1;
    }
}
