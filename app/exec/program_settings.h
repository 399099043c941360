// SPDX-License-Identifier: Apache-2.0
// What an owner says of the programs in an agent's machine, beside the lists, which are rules (app/policy/rule.h, action program).
//
//   mode      what runs (guest/bpf/gate_policy.h, which holds it in the machine's kernel)
//   observe   everything
//   deny      everything but what is on the list of what may not: known files are stopped, and nobody who changes one byte of them
//   allow     what the image brought and what its owner lets run; anything else is unknown
//
// Thread: values.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace carrel::exec {

enum class Mode { Observe, Deny, Allow };
// Of what is unknown under allow: the owner is asked, or nobody is.
enum class Unknown { Ask, Refuse };

struct Settings {
    Mode mode = Mode::Deny;
    Unknown unknown = Unknown::Ask;
    friend bool operator==(const Settings&, const Settings&) = default;
};

[[nodiscard]] std::string_view toString(Mode mode);
[[nodiscard]] std::string_view toString(Unknown unknown);
[[nodiscard]] std::optional<Mode> modeFrom(std::string_view text);
[[nodiscard]] std::optional<Unknown> unknownFrom(std::string_view text);

// Whether something may run under `to` that may not under `from`, or be asked for.
[[nodiscard]] bool givesMore(const Settings& from, const Settings& to);

} // namespace carrel::exec
