// SPDX-License-Identifier: Apache-2.0
// The seam of the crash tests: asked before every system call of this room that changes something on disk. In
// the product there is none. A test ends the process in before(), or returns an errno to make the call fail
// unperformed. Thread: called on the thread that applies.
#pragma once

#include <string_view>

namespace carrel::files {

class StepHook {
public:
    virtual ~StepHook() = default;
    // `step` names the call, e.g. "swap.exchange"; `path` is the file concerned. 0 = go on, else the errno to
    // fail with.
    [[nodiscard]] virtual int before(std::string_view step, std::string_view path) = 0;
};

} // namespace carrel::files
