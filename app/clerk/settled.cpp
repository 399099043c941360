// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/settled.h"

#include "app/clerk/share_broker.h"

#include <cerrno>
#include <fcntl.h>

namespace carrel::clerk {

using std::chrono::nanoseconds;

ReadLease::~ReadLease() {
    if (m_fd >= 0) {
        (void)::fcntl(m_fd, F_SETLEASE, F_UNLCK);
    }
}

ReadLease::Outcome ReadLease::take(int fd) {
    if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        m_fd = fd;
        return Outcome::Held;
    }
    return errno == EAGAIN ? Outcome::WriterThere : Outcome::Unavailable;
}

Settlement judge(int fd, const struct stat& info, nanoseconds now, ReadLease& lease) {
    const bool wholeSeconds = info.st_ctim.tv_nsec == 0 && info.st_mtim.tv_nsec == 0;
    const nanoseconds tick = wholeSeconds ? nanoseconds(kCoarseTick) : nanoseconds(kClockTick);
    const nanoseconds patience = nanoseconds(kBusyAfter) + (wholeSeconds ? tick : nanoseconds(0));
    // Every write sets ctime to now, so only a ctime near now can come twice; one in the future, after the
    // clock was set back, cannot.
    const nanoseconds age =
        now - std::chrono::seconds(info.st_ctim.tv_sec) - nanoseconds(info.st_ctim.tv_nsec);
    if (age > -tick && age < tick) {
        return {Settlement::Kind::Wait, tick - age, patience};
    }
    if (age < nanoseconds(0) || age >= kSettledAge) {
        return {Settlement::Kind::Settled, {}, patience};
    }
    if (lease.take(fd) == ReadLease::Outcome::Held) {
        return {Settlement::Kind::Settled, {}, patience};
    }
    if (age < kQuietWithWriter) {
        return {Settlement::Kind::Wait, kQuietWithWriter - age, patience};
    }
    return {Settlement::Kind::AtRisk, {}, patience};
}

} // namespace carrel::clerk
