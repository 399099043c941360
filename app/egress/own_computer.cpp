// SPDX-License-Identifier: Apache-2.0
#include "app/egress/own_computer.h"

namespace carrel::egress {

bool isOwnComputer(const Destination& to) {
    const auto* name = std::get_if<HostName>(&to.host);
    return name != nullptr && name->text() == kOwnComputer;
}

std::vector<Endpoint> ownComputerAt(std::uint16_t port) {
    Address::V6Bytes one{};
    one.back() = 1;
    return {{Address(Address::V4Bytes{127, 0, 0, 1}), port}, {Address(one), port}};
}

} // namespace carrel::egress
