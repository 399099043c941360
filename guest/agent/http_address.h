// SPDX-License-Identifier: Apache-2.0
// Where a model is spoken with: "https://api.example.org", "http://localhost:11434/v1". Thread: values.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace carrel::agent {

struct HttpAddress {
    enum class Scheme { Http, Https };
    Scheme scheme = Scheme::Https;
    std::string host; // a name or an address, without the brackets of IPv6
    std::uint16_t port = 443;
    std::string base; // a path without a slash at its end; often empty

    // InvalidArgument, with what is wrong: another scheme, a name and password in it, a question or a fragment, anything that is no
    // address.
    [[nodiscard]] static Result<HttpAddress> parse(std::string_view text);
    // For the field Host (RFC 9110, section 7.2): with the port where it is not the scheme's own.
    [[nodiscard]] std::string authority() const;
    // The base and then `path`; where the base ends with what the path begins with ("/v1"), it stands there once, since some write it as
    // a part of the address and some do not.
    [[nodiscard]] std::string target(std::string_view path) const;
};

} // namespace carrel::agent
