// SPDX-License-Identifier: Apache-2.0
// A home whose engine reaches the world by a played proxy alone, and trusts its authority as this computer's.
#pragma once

#include "tests/live/app/chain_world.h"
#include "tests/live/app/played_proxy.h"

namespace carrel::live {

// For the whole process: the engine is told as any is, by the environment.
inline std::unique_ptr<ChainWorld> worldBehind(const PlayedProxy& proxy, const QString& agent) {
    for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY"}) {
        qputenv(name, QByteArray::fromStdString(proxy.url()));
    }
    for (const char* other : {"http_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"}) {
        qunsetenv(other);
    }
    auto world = std::make_unique<ChainWorld>(agent.toStdString());
    const auto trusted = world->folder() / "trusted.pem";
    writeFile(trusted, proxy.authorityPem());
    qputenv("SSL_CERT_FILE", QByteArray::fromStdString(trusted.string()));
    return world;
}

} // namespace carrel::live
