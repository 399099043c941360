// SPDX-License-Identifier: Apache-2.0
// A stored frozen set: whatever parses must be written again as the same bytes.
#include "app/files/frozen_set.h"

#include <cstdlib>

using namespace carrel::files;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string id = Sha256::of(text).hex();
    if (auto set = frozenSetFrom(text, id)) {
        const std::string canonical = toCanonical(*set);
        // Another spelling of the same set (white space, order of fields) has another id; its canonical form
        // is stable.
        const auto again = frozenSetFrom(canonical, Sha256::of(canonical).hex());
        if (!again || again->entries != set->entries || toCanonical(*again) != canonical) {
            std::abort();
        }
    }
    return 0;
}
