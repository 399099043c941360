// SPDX-License-Identifier: Apache-2.0
// The web as the fetch tool sees it: one GET at a time. guest/agent/http_web.h is the one of the product.
#pragma once

#include "guest/agent/tools/web_address.h"

#include <stop_token>

namespace carrel::agent {

struct WebPage {
    int status = 0;       // of HTTP
    std::string type;     // Content-Type, as it came; may be empty
    std::string location; // where it is now, for a status of 3xx; may be empty
    std::string body;
    bool isWhole = true; // false: there was more than was wanted
};

class Web {
public:
    virtual ~Web() = default;
    // At most `most` bytes of it; no redirect is followed. Thread: as Tool::run(). Cancelled: soon after `stop`. Others: no answer came.
    [[nodiscard]] virtual Result<WebPage> get(const WebAddress& address, std::size_t most, const std::stop_token& stop) = 0;
    // What is known here of why connections to this host do not come about; empty: nothing is.
    [[nodiscard]] virtual std::string whyNot(const std::string& host, const std::stop_token& stop) = 0;
};

} // namespace carrel::agent
