// SPDX-License-Identifier: Apache-2.0
// Queries from random bytes to the agent's resolver: an answer is bounded, marked as one, of the query's own number, and
// gives out no address but one of the synthetic ranges or loopback. The table stays within its bound.
#include "guest/guestd/synthetic_dns.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::guestd;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static NameTable names(8);
    const ByteSpan query(reinterpret_cast<const std::byte*>(data), size);
    const auto answer = dnsAnswer(query, names);
    require(names.size() <= 8);
    if (answer.empty()) {
        return 0;
    }
    require(size >= 12 && answer.size() >= 12 && answer.size() <= kMaxDnsAnswer);
    require(answer[0] == query[0] && answer[1] == query[1] && (answer[2] & std::byte{0x80}) != std::byte{0});
    const auto records = std::to_integer<unsigned>(answer[7]);
    require(answer[6] == std::byte{0} && records <= 2);
    const bool hasOptions = answer[11] == std::byte{1};
    const std::size_t end = answer.size() - (hasOptions ? 11 : 0);
    if (records == 1 && answer[end - 5] == std::byte{4} && answer[end - 6] == std::byte{0}) {
        net::Ipv4 address;
        std::memcpy(address.data(), answer.data() + end - 4, 4);
        require(address[0] == 127 || (numberOf(address) && names.nameOf(*numberOf(address))));
    }
    return 0;
}
