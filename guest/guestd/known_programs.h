// SPDX-License-Identifier: Apache-2.0
// What the host says of programs, on its way to the kernel, and what the kernel refused, on its way to the host: a policy is collected
// from its parts and applied when it is whole; each refusal is told in a line of the log; and a content that is on no list is asked
// about, once, where the policy wants that, and where it is no package's that Debian has signed (package_desk.h).
//
// A program can make refusals as fast as it likes. So lines are bounded in a minute, and questions in number; what is left out is
// counted and told with the next line.
//
// Ownership: borrows the asks. Thread: any; `apply` and `log` are called without a lock of this object's.
#pragma once

#include "guest/bpf/gate_policy.h"
#include "guest/guestd/control_call.h"
#include "guest/guestd/host_asks.h"

#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace carrel::guestd {

class KnownPrograms {
public:
    using Clock = HostAsks::Clock;
    struct Hands {
        std::function<Status(const bpf::GatePolicy& policy)> apply;
        std::function<void(std::string_view text)> log;
        // Whether the host has it by now among what may run; answered later, at once, or never. None: nobody looks.
        std::function<void(const std::string& sha256, std::function<void(bool added)> looked)> installed = {};
    };
    static constexpr std::size_t kLinesPerMinute = 20;
    static constexpr std::size_t kQuestions = 6;   // at once: most of ask::kMaxUnderWay is the programs' own
    static constexpr std::size_t kRemembered = 1024; // contents that were asked about

    KnownPrograms(HostAsks& asks, Hands hands);

    // From the host. InvalidArgument: a part that does not follow the one before; all parts are then forgotten.
    [[nodiscard]] Status take(const ProgramsPolicyCall& part);
    // Whether a policy of the host's has come into force since this process began.
    [[nodiscard]] bool hasPolicy() const;
    // Whether only what is listed runs, by the policy in force.
    [[nodiscard]] bool onlyListedRuns() const;
    // From the kernel.
    void refused(const bpf::Refusal& refusal, Clock::time_point now);

private:
    enum class Stands { Asking, Open, Refused };
    struct Asked {
        Stands stands = Stands::Asking;
        std::uint64_t id = 0; // of the request, once it is open
    };
    void askAbout(const bpf::Refusal& refusal, Clock::time_point now);
    // With the lock held: the question that is due, if any.
    [[nodiscard]] std::optional<ask::Question> questionFor(const bpf::Refusal& refusal);
    [[nodiscard]] std::optional<std::string> lineFor(const bpf::Refusal& refusal, Clock::time_point now);
    void answered(const bpf::ContentHash& content, const Result<ask::Standings>& answer);

    HostAsks& m_asks;
    Hands m_hands;
    mutable std::mutex m_mutex;
    std::optional<ProgramsPolicyCall> m_coming; // the parts so far, as one
    bool m_hasPolicy = false;
    bool m_asksUnknown = false;
    bool m_onlyListed = false;
    std::map<bpf::ContentHash, Asked> m_asked;
    std::size_t m_underWay = 0;
    Clock::time_point m_minute;
    std::size_t m_lines = 0;   // in this minute
    std::size_t m_leftOut = 0; // since the last line
};

} // namespace carrel::guestd
