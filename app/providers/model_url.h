// SPDX-License-Identifier: Apache-2.0
// Where a model is spoken with, as the owner writes it: "https://api.example.org", "http://localhost:11434/v1". One spelling, so that
// what was shown is what the rules and the clerk hold the agent to.
//
// A server on this computer (localhost, 127.0.0.1, [::1]) is another place seen from a machine, whose own loopback it is not: there it
// is egress::kOwnComputer, at the same port. It is spoken with in plain HTTP, which nobody else on the way hears; no certificate
// would hold for that name.
// Thread: values, pure functions.
#pragma once

#include "app/egress/destination.h"

#include <string>
#include <string_view>

namespace carrel::providers {

inline constexpr std::size_t kMaxUrl = 1024;

class ModelUrl {
public:
    enum class Scheme { Http, Https };
    // InvalidArgument: what is wrong with it, and how it is written. Capitals in the host and slashes at the end go.
    [[nodiscard]] static Result<ModelUrl> parse(std::string_view text);

    [[nodiscard]] Scheme scheme() const { return m_scheme; }
    [[nodiscard]] bool isOnThisComputer() const { return m_onThisComputer; }
    [[nodiscard]] std::string text() const;      // as the owner has it
    [[nodiscard]] std::string guestText() const; // as a program in a machine has to have it
    // Whom an agent's machine asks for.
    [[nodiscard]] const egress::Destination& destination() const { return m_destination; }
    friend bool operator==(const ModelUrl&, const ModelUrl&) = default;

private:
    ModelUrl(Scheme scheme, egress::Destination written, egress::Destination destination, std::string base, bool onThisComputer);

    Scheme m_scheme;
    egress::Destination m_written, m_destination;
    std::string m_base; // without a slash at its end; often empty
    bool m_onThisComputer;
};

} // namespace carrel::providers
