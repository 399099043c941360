// SPDX-License-Identifier: Apache-2.0
// Where one Carrel's data lives, and where its engine listens. All data of one home is in one folder, so that
// two homes share nothing; the id derived from the folder's path keeps their sockets and machines apart.
//
// The socket is $XDG_RUNTIME_DIR/carrel-<id>/engine.sock, in a folder that only its owner can enter. Where
// there is no usable runtime folder (unset, not ours, open to others) it is <data folder>/run/engine.sock. A
// socket's path has at most 107 bytes on Linux (unix(7), sun_path); a longer one is refused with words that
// say what to do.
//
// Clients (auth.h) have a socket of their own, client/sock in the same folder, where the owner's verbs are never
// served. It stands alone in its folder, so that a container or another sandbox can be given that folder and
// nothing else, and finds the socket of the next engine there too. Its path is as long as the owner's.
// Thread: pure functions and values; openHome and the socket functions touch the file system.
#pragma once

#include "guest/protocol/result.h"

#include <filesystem>
#include <string>

namespace carrel::api {

inline constexpr std::size_t kMaxSocketPath = 107;

struct Home {
    std::filesystem::path folder; // absolute, symbolic links resolved
    std::string id;               // 16 hexadecimal digits: the beginning of the SHA-256 of `folder`

    [[nodiscard]] std::filesystem::path engineLog() const { return folder / "engine.log"; }
    // flock(2) by whoever starts an engine, and held by the engine for its life: one engine per home.
    [[nodiscard]] std::filesystem::path startLock() const { return folder / "start.lock"; }
    [[nodiscard]] std::filesystem::path engineLock() const { return folder / "engine.lock"; }
};

// CARREL_HOME, else $XDG_DATA_HOME/carrel, else ~/.local/share/carrel; made (0700) where it is missing.
// Refused: not ours, or others may write to it.
[[nodiscard]] Result<Home> openHome();
[[nodiscard]] Result<Home> openHome(const std::filesystem::path& folder);

// Makes the socket's folder (0700) and checks that it is ours and nobody else's.
[[nodiscard]] Result<std::filesystem::path> socketPath(const Home& home);
// The same for the clients' socket and its folder.
[[nodiscard]] Result<std::filesystem::path> clientSocketPath(const Home& home);

// Refused when the effective user is root: machines, shares and files would get root's rights.
[[nodiscard]] Status refuseRoot();

} // namespace carrel::api
