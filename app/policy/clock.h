// SPDX-License-Identifier: Apache-2.0
// The two times that a decision depends on: the one that a person reads, which can be set, and one that only goes on.
//
// Which counts for what. A countdown (how long a request waits, how long an agent is held off) runs on the steady one:
// setting the clock neither ends nor lengthens it, and time that the computer slept through does not count, since nobody
// could answer then. What is shown, and what is kept over a restart, is the other one. The end of a rule is a moment of
// the day, and also as long a time from when this process first saw the rule: whichever comes first, so that a clock that
// is set back never lengthens what was allowed (RuleBook).
// Thread: any.
#pragma once

#include <cstdint>

namespace carrel::policy {

struct Moment {
    std::int64_t wallMs = 0;   // since 1970 UTC; may jump, either way
    std::int64_t steadyMs = 0; // since some start; never goes back; means nothing in another process
};

class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual Moment now() const = 0;
};

class SystemClock final : public Clock {
public:
    [[nodiscard]] Moment now() const override;
};

} // namespace carrel::policy
