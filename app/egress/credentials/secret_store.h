// SPDX-License-Identifier: Apache-2.0
// Where values of credentials are kept: the user's keyring, or a file sealed with a passphrase (sealed_file.h). Never plain.
// Thread: any; blocks for the keyring, the disk or the derivation of a key.
#pragma once

#include "app/egress/credentials/secret.h"

#include <string>

namespace carrel::egress {

class SecretStore {
public:
    // Absent: there is no such place on this computer, or it was never made. Locked: it is there, and its owner has to open it first.
    enum class Standing { Absent, Locked, Ready };
    virtual ~SecretStore() = default;
    [[nodiscard]] virtual Result<Standing> standing() = 0;
    // NotFound: it holds none of that name. Unavailable: locked, or no answer; trying again may help.
    [[nodiscard]] virtual Result<Secret> load(const std::string& name) = 0;
    [[nodiscard]] virtual Status keep(const std::string& name, const Secret& value) = 0;
    [[nodiscard]] virtual Status remove(const std::string& name) = 0; // there is none: no error
};

} // namespace carrel::egress
