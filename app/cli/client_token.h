// SPDX-License-Identifier: Apache-2.0
// When carrel is a client and not the owner: CARREL_TOKEN holds a token, or --token-file names a file of the user's own
// that holds one. Then the clients' socket is used (CARREL_CLIENT_SOCKET, else that of the home), and no engine is
// started. Whatever speaks for a client without being a whole token is an error, never a reason to go on as the owner.
// Thread: main.
#pragma once

#include "app/api/client.h"
#include "guest/protocol/result.h"

#include <filesystem>
#include <optional>
#include <string>

namespace carrel::cli {

struct ClientToken {
    std::string token;
    std::filesystem::path socket; // empty: the home's
};

// None: nothing speaks for a client. `tokenFile` (empty: none) goes before the environment.
[[nodiscard]] Result<std::optional<ClientToken>> clientToken(const std::string& tokenFile);

// A connection that has presented the token.
[[nodiscard]] Result<api::Client> connectAsClient(const ClientToken& token);

} // namespace carrel::cli
