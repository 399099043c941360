// SPDX-License-Identifier: Apache-2.0
// Values of credentials in the user's keyring (keyring_talk.h): one item for each, found by its home and name, so that a program that
// lists the keyring shows the user what is there and what it is for.
// Owner: the book of credentials. Thread: any, one conversation at a time.
#pragma once

#include "app/desktop/keyring_patience.h"
#include "app/desktop/session_bus_address.h"
#include "app/egress/credentials/secret_store.h"

#include <memory>
#include <mutex>
#include <optional>

namespace carrel::desktop {

class KeyringLine;

class KeyringSecrets final : public egress::SecretStore {
public:
    struct Options {
        std::optional<std::string> bus; // its address (sessionBusAddress()); none: there is none
        std::string home;               // whose credentials (api::Home::id)
        std::chrono::milliseconds patience = kKeyringPatience;
        std::chrono::milliseconds breather = kKeyringBreather;
    };
    explicit KeyringSecrets(Options options);
    ~KeyringSecrets() override;
    KeyringSecrets(const KeyringSecrets&) = delete;
    KeyringSecrets& operator=(const KeyringSecrets&) = delete;

    // Unavailable: it is locked, or does not answer.
    [[nodiscard]] Result<Standing> standing() override;
    [[nodiscard]] Result<egress::Secret> load(const std::string& name) override;
    [[nodiscard]] Status keep(const std::string& name, const egress::Secret& value) override;
    [[nodiscard]] Status remove(const std::string& name) override;

private:
    const std::string m_home;
    std::mutex m_mutex; // one conversation at a time
    const std::unique_ptr<KeyringLine> m_line;
};

} // namespace carrel::desktop
