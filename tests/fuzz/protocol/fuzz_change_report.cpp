// SPDX-License-Identifier: Apache-2.0
// Any text as a change entry. What is accepted names a path inside the folder and survives being written
// again.
#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include <cstdlib>

using namespace carrel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto object = parseJsonObject({reinterpret_cast<const char*>(data), size});
    if (!object) {
        return 0;
    }
    const auto entry = changeEntryFrom(*object);
    if (!entry) {
        return 0;
    }
    if (entry->path.isRoot() || !SharePath::parse(entry->path.text()) || entry->mode > 07777 ||
        entry->linkTarget.size() > kMaxPathBytes ||
        (entry->kind == ChangeKind::Renamed) != entry->from.has_value()) {
        std::abort();
    }
    const auto again = changeEntryFrom(toJson(*entry));
    if (!again || *again != *entry) {
        std::abort();
    }
    return 0;
}
