// SPDX-License-Identifier: Apache-2.0
#include "guest/watch/kernel_watch.h"

#include "guest/bpf/watch_record.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

CARREL_BPF_OBJECT(watch)

namespace carrel::watch {

namespace {

// The kernel wakes nobody, so that a program costs it nothing but its record. A build fills a tenth of the ring in that time.
constexpr int kLookMs = 100;
constexpr int kRestMs = 1000; // when nothing has happened for a while
constexpr int kLooksUntilRest = 50;

std::int64_t nanoseconds(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

} // namespace

void KernelWatch::CloseRing::operator()(::ring_buffer* ring) const {
    ring_buffer__free(ring);
}

KernelWatch::KernelWatch(WatchDesk& desk, NameOf nameOf)
    : m_desk(desk)
    , m_nameOf(std::move(nameOf))
    , m_end(::eventfd(0, EFD_CLOEXEC)) {}

KernelWatch::~KernelWatch() {
    stop();
}

Status KernelWatch::start(const std::string& controlGroup, const bpf::KernelPrograms::Lent& lent) {
    if (auto done = bringIntoForce(controlGroup, lent); !done) {
        m_desk.setWhy(done.error().text());
        return done;
    }
    m_thread = std::thread([this] { carry(); });
    return {};
}

Status KernelWatch::bringIntoForce(const std::string& controlGroup, const bpf::KernelPrograms::Lent& lent) {
    auto programs = bpf::KernelPrograms::bringIntoForce(carrelBpfObject_watch(), bpf::kPins, lent);
    if (!programs) {
        return fail(programs.error());
    }
    m_programs.emplace(std::move(*programs));
    const auto ring = m_programs->map("ring");
    const auto whom = m_programs->map("whom");
    if (!ring || !whom) {
        return fail(ring ? whom.error() : ring.error());
    }
    struct stat group {};
    if (::stat(controlGroup.c_str(), &group) != 0) {
        return failErrno("looking at " + controlGroup);
    }
    // Its id is that of its folder, and its level how deep that is beneath the mount (cgroups(7)).
    CarrelWatchWhom watched{};
    watched.group = group.st_ino;
    constexpr std::string_view kMount = "/sys/fs/cgroup";
    watched.level = static_cast<std::uint32_t>(std::count(controlGroup.begin() + kMount.size(), controlGroup.end(), '/'));
    const std::uint32_t zero = 0;
    if (bpf_map_update_elem(*whom, &zero, &watched, BPF_ANY) != 0) {
        return failErrno("telling the kernel whom to watch");
    }
    m_ring.reset(ring_buffer__new(*ring, take, this, nullptr));
    if (!m_ring) {
        return failErrno("opening the kernel's ring");
    }
    if (m_programs->origin() == bpf::KernelPrograms::Origin::Found) {
        m_desk.lose({true, 0, 0, 0, 0});
    }
    return {};
}

int KernelWatch::take(void* self, void* bytes, std::size_t size) {
    auto* watch = static_cast<KernelWatch*>(self);
    const ByteSpan record(static_cast<const std::byte*>(bytes), size);
    static_cast<void>(readSeen(record, watch->m_startNs, watch->m_nameOf, [watch](const Event& event) { watch->m_desk.add(event); }));
    return 0;
}

bool KernelWatch::drain() {
    m_startNs = nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_BOOTTIME); // anew: the host sets the clock
    return ring_buffer__consume(m_ring.get()) > 0;
}

void KernelWatch::tellLosses() {
    const auto map = m_programs->map("losses");
    std::array<std::uint64_t, CARREL_LOSSES> more{};
    for (std::uint32_t which = 0; map && which < CARREL_LOSSES; ++which) {
        std::uint64_t now = 0;
        if (bpf_map_lookup_elem(*map, &which, &now) == 0 && now > m_lossesTold[which]) {
            more[which] = now - std::exchange(m_lossesTold[which], now);
        }
    }
    if (std::any_of(more.begin(), more.end(), [](std::uint64_t each) { return each != 0; })) {
        m_desk.lose({false, more[CARREL_LOST_PROGRAMS], more[CARREL_LOST_FILES], more[CARREL_LOST_CONNECTIONS], more[CARREL_LOST_RIGHTS]});
    }
}

void KernelWatch::carry() {
    int quiet = 0;
    for (;;) {
        pollfd end{m_end.get(), POLLIN, 0};
        if (::poll(&end, 1, quiet < kLooksUntilRest ? kLookMs : kRestMs) > 0) {
            return;
        }
        quiet = drain() ? 0 : std::min(quiet + 1, kLooksUntilRest);
        tellLosses();
        m_desk.tellNews();
    }
}

void KernelWatch::stop() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t done = ::write(m_end.get(), &one, sizeof one);
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

} // namespace carrel::watch
