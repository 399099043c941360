// SPDX-License-Identifier: Apache-2.0
// Between the queue and a Notifier: what is open is shown, and what no longer is, withdrawn. Of a request only what the host
// itself knows goes on: risk, action, how many things, whose. Not what it is about, not the claim, no name of a file.
// Owner: the engine; outlives the queue, and the notifier outlives it. Thread: any.
#pragma once

#include "app/desktop/notifier.h"
#include "app/policy/approval_queue.h"

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace carrel::desktop {

class ApprovalNotices final : public policy::ApprovalListener {
public:
    // What a person knows the agent by; called without a lock of this object's. Thread: any.
    using NameOf = std::function<std::string(std::string_view agent)>;
    ApprovalNotices(Notifier& to, NameOf nameOf);

    void changed(const policy::Approval& approval, std::uint64_t number) override;

private:
    Notifier& m_to;
    const NameOf m_nameOf;
    std::mutex m_mutex;
    // Calls come from many threads and in any order: the newest of each request. What is over is kept for a while, so that an
    // older word of it that comes late does not show it again.
    struct Last {
        std::uint64_t number = 0;
        bool open = false;
    };
    std::map<std::uint64_t, Last> m_last;
    std::size_t m_over = 0; // of m_last
};

} // namespace carrel::desktop
