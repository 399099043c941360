// SPDX-License-Identifier: Apache-2.0
// The web by HttpClient, and what the machine knows of why it is not reached. Thread: as Web.
#pragma once

#include "guest/agent/http_client.h"
#include "guest/agent/tools/web.h"

namespace carrel::agent {

class HttpWeb final : public Web {
public:
    // `asker`: the program that is asked "why HOST" (carrel-ask).
    explicit HttpWeb(std::string asker = "/run/carrel/bin/carrel-ask", HttpSettings settings = pageSettings());
    [[nodiscard]] Result<WebPage> get(const WebAddress& address, std::size_t most, const std::stop_token& stop) override;
    [[nodiscard]] std::string whyNot(const std::string& host, const std::stop_token& stop) override;

    // Less patient than with a model.
    [[nodiscard]] static HttpSettings pageSettings();

private:
    std::string m_asker;
    HttpClient m_client;
};

} // namespace carrel::agent
