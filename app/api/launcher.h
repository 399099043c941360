// SPDX-License-Identifier: Apache-2.0
// The engine starts by itself when somebody needs it. Two commands at once start one engine: a lock is held
// from "nobody listens" until the new engine listens. Readiness is told by the engine (a byte on a pipe),
// never guessed by waiting.
//
// How the engine is started: the program carrel-engine that came with our own (own_programs.h), as `carrel-engine --ready-fd 3`, with
// CARREL_HOME set to the home's folder, in a session of its own, standard input /dev/null, output and errors
// appended to Home::engineLog(). It writes one newline to descriptor 3 once its socket accepts connections,
// and closes it; if it ends before, its last lines tell why.
#pragma once

#include "app/api/client.h"
#include "app/api/home.h"
#include "guest/protocol/result.h"

namespace carrel::api {

enum class Start {
    IfNeeded,
    Never, // Unavailable where no engine runs
};

[[nodiscard]] Result<Client> connectEngine(const Home& home, Start start);

} // namespace carrel::api
