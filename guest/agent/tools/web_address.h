// SPDX-License-Identifier: Apache-2.0
// An address as a page's links and a model write it (RFC 3986, of the schemes http and https). Thread: values, pure functions.
#pragma once

#include "guest/agent/http_address.h"

namespace carrel::agent {

struct WebAddress {
    HttpAddress server; // its base is empty
    std::string target; // path and question, percent-encoded, with a slash at its beginning

    // What stands behind # is left out, and what has no place in an address is percent-encoded. InvalidArgument: it is none.
    [[nodiscard]] static Result<WebAddress> parse(std::string_view text);
    // Where a reference on the page at this address leads. InvalidArgument: to no address of the web.
    [[nodiscard]] Result<WebAddress> resolve(std::string_view reference) const;
    [[nodiscard]] std::string text() const;
};

} // namespace carrel::agent
