// SPDX-License-Identifier: Apache-2.0
// Brings the kernel's watching programs (guest/bpf/watch.bpf.c) into force, and carries what they see from their ring to the desk.
// They stay in force when guestd is killed; what is in the ring then is told by the next one. Where they cannot be brought into force
// the host is told why, in each answer. Thread: start() and stop() one; the rest is a thread of its own.
#pragma once

#include "guest/bpf/kernel_programs.h"
#include "guest/watch/seen.h"
#include "guest/watch/watch_desk.h"

#include <memory>

struct ring_buffer; // libbpf's

namespace carrel::watch {

class KernelWatch {
public:
    KernelWatch(WatchDesk& desk, NameOf nameOf);
    ~KernelWatch();
    KernelWatch(const KernelWatch&) = delete;
    KernelWatch& operator=(const KernelWatch&) = delete;

    // Those in this control group, and beneath it, are watched from here on. `lent`: where the programs' contents are known (program_gate.h).
    [[nodiscard]] Status start(const std::string& controlGroup, const bpf::KernelPrograms::Lent& lent = {});
    void stop();

private:
    struct CloseRing {
        void operator()(::ring_buffer* ring) const;
    };
    [[nodiscard]] Status bringIntoForce(const std::string& controlGroup, const bpf::KernelPrograms::Lent& lent);
    void carry();
    [[nodiscard]] bool drain(); // whether there was something
    void tellLosses();
    static int take(void* self, void* bytes, std::size_t size);

    WatchDesk& m_desk;
    NameOf m_nameOf;
    std::optional<bpf::KernelPrograms> m_programs;
    std::unique_ptr<::ring_buffer, CloseRing> m_ring;
    std::array<std::uint64_t, 4> m_lossesTold{};
    std::int64_t m_startNs = 0; // of the machine, since 1970
    UniqueFd m_end;
    std::thread m_thread;
};

} // namespace carrel::watch
