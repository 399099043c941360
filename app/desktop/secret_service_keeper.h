// SPDX-License-Identifier: Apache-2.0
// The seal's key in the user's keyring: the Secret Service of freedesktop.org (draft 0.2), by libsecret, which knows how to
// encrypt the way there. One item a home, found by its attributes; its value is policy::textOf().
//
// What goes wrong is told apart, since each needs something else of the user:
//   none          load() finds nothing: there was never a key
//   Unavailable   locked, no service, or no answer in time: trying again may help, and the hint says what to do first
//   Malformed     there is one, and it is not what Carrel wrote; keep(), which rules' reset comes to, writes over it
// Nothing here opens a window of the keyring's (a prompt): an engine without a terminal must not ask for a password out of
// nowhere, and what waits for a window waits for ever.
//
// Owner: a RuleBook. Thread: one at a time. Blocks at most Options::patience for each call; after a service did not answer in
// time, calls fail at once for Options::breather, because everything that a rule decides waits for this one.
#pragma once

#include "app/desktop/session_bus_address.h"
#include "app/policy/seal.h"

#include <chrono>
#include <optional>
#include <string>

namespace carrel::desktop {

inline constexpr std::chrono::seconds kKeyringPatience{10}; // a keyring is started by the first who asks
inline constexpr std::chrono::seconds kKeyringBreather{10};

class SecretServiceKeeper final : public policy::SealKeeper {
public:
    struct Options {
        std::optional<std::string> bus;  // its address (sessionBusAddress()); none: there is none
        std::string home;                // which home's key (api::Home::id)
        std::string label;               // what the user reads in a program that lists the keyring
        std::chrono::milliseconds patience = kKeyringPatience;
        std::chrono::milliseconds breather = kKeyringBreather;
    };
    explicit SecretServiceKeeper(Options options);

    [[nodiscard]] Result<std::optional<Kept>> load() override;
    [[nodiscard]] Status keep(const Kept& kept) override;

    // Absent: no bus, no service, or one without a keyring to keep anything in. Holds: it has this home's key, be it locked.
    // Unavailable: it cannot be told now.
    enum class Standing { Absent, Ready, Holds };
    [[nodiscard]] Result<Standing> standing();

private:
    [[nodiscard]] Status mayAsk() const;
    // Runs one conversation within the patience.
    template <class T, class Call> [[nodiscard]] Result<T> within(Call&& call);

    const Options m_options;
    std::optional<std::chrono::steady_clock::time_point> m_silentUntil;
};

} // namespace carrel::desktop
