// SPDX-License-Identifier: Apache-2.0
#include "guest/bpf/program_gate.h"

#include "guest/bpf/exec_gate.h"
#include "guest/protocol/control.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

CARREL_BPF_OBJECT(exec_gate)

namespace carrel::bpf {

namespace {

static_assert(sizeof(ContentHash) == GATE_HASH_BYTES);
static_assert(2 * control::kMaxHashes <= GATE_MAX_HASHES);

// As the kernel keeps a device's number (include/linux/kdev_t.h), not as stat(2) gives it out.
std::uint32_t kernelDevice(dev_t device) {
    return (major(device) << 20) | minor(device);
}

std::string textOf(const char* from, std::size_t most) {
    return {from, ::strnlen(from, most)};
}

struct Listener {
    ProgramGate::Refused refused;
};

int takeRecord(void* context, void* data, std::size_t size) {
    if (auto refusal = refusalFrom({static_cast<const std::byte*>(data), size})) {
        static_cast<Listener*>(context)->refused(std::move(*refusal));
    }
    return 0;
}

} // namespace

std::optional<Refusal> refusalFrom(ByteSpan record) {
    if (record.size() != sizeof(gate_event)) {
        return std::nullopt;
    }
    gate_event event;
    std::memcpy(&event, record.data(), sizeof event);
    if (event.why < GATE_WHY_DENIED || event.why > GATE_WHY_FOREIGN) {
        return std::nullopt;
    }
    Refusal out;
    out.why = static_cast<RefusedWhy>(event.why);
    out.age = event.age;
    out.pid = event.pid;
    if (event.has_hash != 0) {
        std::memcpy(out.content.emplace().data(), event.hash, sizeof event.hash);
    }
    if (event.path_bytes > 0) {
        out.path = textOf(event.path, std::min<std::size_t>(static_cast<std::size_t>(event.path_bytes), sizeof event.path));
    }
    out.startedBy.push_back(textOf(event.name, sizeof event.name));
    for (const auto& name : event.ancestors) {
        if (name[0] != '\0') {
            out.startedBy.push_back(textOf(name, sizeof name));
        }
    }
    return out;
}

KernelPrograms::Lent ProgramGate::lent() const {
    const auto files = m_programs ? m_programs->map("gate_files") : Result<int>(fail(ErrorCode::Unavailable, "it is not in force"));
    return files ? KernelPrograms::Lent{{"gate_files", *files}} : KernelPrograms::Lent{};
}

ProgramGate::~ProgramGate() {
    if (m_thread.joinable()) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t done = ::write(m_stop.get(), &one, sizeof one);
        m_thread.join();
    }
}

Status ProgramGate::start(Refused refused) {
    // Programs can be attached without it, and are then never called.
    std::ifstream active("/sys/kernel/security/lsm");
    std::string modules;
    std::getline(active, modules);
    if (("," + modules + ",").find(",bpf,") == std::string::npos) {
        return fail(ErrorCode::Unsupported, "the machine's kernel does not call programs of its own (BPF LSM)",
                    "Build the image anew, with Debian's kernel");
    }
    auto programs = KernelPrograms::bringIntoForce(carrelBpfObject_exec_gate());
    if (!programs) {
        return fail(programs.error().wrap("the control of programs cannot be brought into force"));
    }
    m_programs = std::move(*programs);
    if (m_programs->origin() == KernelPrograms::Origin::Loaded) {
        CARREL_TRY(apply({}));
    }
    return listen(std::move(refused));
}

Status ProgramGate::apply(const GatePolicy& policy) {
    const auto known = m_programs->map("gate_policy");
    const auto config = m_programs->map("gate_config");
    if (!known || !config) {
        return fail(ErrorCode::Internal, "the control of programs has lost its maps");
    }
    std::map<ContentHash, std::uint32_t> wanted;
    for (const auto& [list, bit] : {std::pair{&policy.deny, GATE_DENIED}, {&policy.allow, GATE_ALLOWED}, {&policy.makesCode, GATE_MAKES_CODE}}) {
        for (const auto& content : *list) {
            wanted[content] |= bit;
        }
    }
    std::vector<ContentHash> gone;
    ContentHash key;
    for (void* after = nullptr; bpf_map_get_next_key(*known, after, &key) == 0; after = &gone.back()) {
        gone.push_back(key); // all for now: the next is found by the last
    }
    std::erase_if(gone, [&](const ContentHash& content) { return wanted.contains(content); });
    if (wanted.size() + gone.size() > GATE_MAX_HASHES) {
        return fail(ErrorCode::LimitExceeded, "the policy of programs is too long");
    }
    // What is denied first, then the rest, then the mode, and last what is no longer listed.
    for (const bool denials : {true, false}) {
        for (const auto& [content, bits] : wanted) {
            if (((bits & GATE_DENIED) != 0) == denials && bpf_map_update_elem(*known, &content, &bits, BPF_ANY) != 0) {
                return failErrno("keeping what is known of a program");
            }
        }
    }
    struct stat root {};
    if (::stat("/", &root) != 0) {
        return failErrno("looking at the machine's root");
    }
    const gate_config now{static_cast<std::uint32_t>(policy.mode), kernelDevice(root.st_dev), policy.age};
    const std::uint32_t first = 0;
    if (bpf_map_update_elem(*config, &first, &now, BPF_ANY) != 0) {
        return failErrno("setting the mode of the control of programs");
    }
    for (const auto& content : gone) {
        if (bpf_map_delete_elem(*known, &content) != 0) {
            return failErrno("forgetting a program");
        }
    }
    return {};
}

std::uint64_t ProgramGate::lost() const {
    const auto map = m_programs->map("gate_lost");
    const std::uint32_t first = 0;
    std::uint64_t count = 0;
    return map && bpf_map_lookup_elem(*map, &first, &count) == 0 ? count : 0;
}

Status ProgramGate::listen(Refused refused) {
    const auto events = m_programs->map("gate_events");
    if (!events) {
        return fail(events.error());
    }
    m_stop = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    auto listener = std::make_unique<Listener>(Listener{std::move(refused)});
    ring_buffer* ring = ring_buffer__new(*events, takeRecord, listener.get(), nullptr);
    if (!m_stop || ring == nullptr) {
        ring_buffer__free(ring);
        return failErrno("listening to the control of programs");
    }
    m_thread = std::thread([ring, stop = m_stop.get(), listener = std::move(listener)] {
        for (;;) {
            ring_buffer__consume(ring); // what is there; more wakes the poll
            pollfd wait[] = {{ring_buffer__epoll_fd(ring), POLLIN, 0}, {stop, POLLIN, 0}};
            ::poll(wait, 2, -1);
            if (wait[1].revents != 0) {
                break;
            }
        }
        ring_buffer__free(ring);
    });
    return {};
}

} // namespace carrel::bpf
