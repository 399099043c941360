// SPDX-License-Identifier: Apache-2.0
// A key of a home in the user's keyring (keyring_talk.h): that of the rules' seal, that of the logs. One item each; its value is
// policy::textOf().
//
// What goes wrong is told apart, since each needs something else of the user:
//   none          load() finds nothing: there was never a key
//   Unavailable   locked, no service, or no answer in time: trying again may help, and the hint says what to do first
//   Malformed     there is one, and it is not what Carrel wrote; keep(), which rules' reset comes to, writes over it
//
// Owner: a RuleBook. Thread: one at a time. Blocks at most Options::patience for each call; after a service did not answer in
// time, calls fail at once for Options::breather, because everything that a rule decides waits for this one.
#pragma once

#include "app/desktop/keyring_patience.h"
#include "app/desktop/session_bus_address.h"
#include "app/policy/seal.h"

#include <memory>
#include <optional>
#include <string>

namespace carrel::desktop {

class KeyringLine;

// What the key is to a person, and what becomes of things meanwhile. Without a full stop at their ends.
struct KeeperWords {
    std::string key = "the key of the rules' seal";
    std::string meanwhile = "Everything that needs a rule or an answer is denied until then";
    // It is damaged: what to do.
    std::string mend = "Look at the rules' file; then \"carrel rules import FILE\" takes over what is right in it. Everything is denied until then";
    // The same, in a file.
    std::string mendFile = "Take it away, then \"carrel rules import\" the rules' file; everything is denied until then";
    // The keyring is lost for good, and with it the key: what Carrel does once the record of its place is taken away.
    std::string anew = "Carrel then makes a new key, takes the rules' file for one that nobody has sealed, and goes by it again when you have "
                       "looked at it and told it to \"carrel rules import FILE\"";
};

class SecretServiceKeeper final : public policy::SealKeeper {
public:
    struct Options {
        std::optional<std::string> bus;  // its address (sessionBusAddress()); none: there is none
        std::string home;                // which home's key: api::Home::id, and what it is for where that is not the rules' seal
        std::string label;               // what the user reads in a program that lists the keyring
        std::chrono::milliseconds patience = kKeyringPatience;
        std::chrono::milliseconds breather = kKeyringBreather;
        KeeperWords words = {};
    };
    explicit SecretServiceKeeper(Options options);
    ~SecretServiceKeeper() override;
    SecretServiceKeeper(const SecretServiceKeeper&) = delete;
    SecretServiceKeeper& operator=(const SecretServiceKeeper&) = delete;

    [[nodiscard]] Result<std::optional<Kept>> load() override;
    [[nodiscard]] Status keep(const Kept& kept) override;

    // Absent: no bus, no service, or one without a keyring to keep anything in. Holds: it has this home's key, be it locked.
    // Unavailable: it cannot be told now.
    enum class Standing { Absent, Ready, Holds };
    [[nodiscard]] Result<Standing> standing();

private:
    const Options m_options;
    const std::unique_ptr<KeyringLine> m_line;
};

} // namespace carrel::desktop
