// SPDX-License-Identifier: Apache-2.0
// From a record of the kernel's ring (guest/bpf/watch_record.h) to the event that the host is told. Thread: pure functions.
#pragma once

#include "guest/protocol/watch_event.h"

#include <functional>
#include <string>

namespace carrel::watch {

// What the guest's own answers gave an address to; empty: nothing.
using NameOf = std::function<std::string(std::string_view address)>;

// `startNs`: when the machine started, since 1970, by its clock as it is now. The event borrows from the record, and from what lives until
// `each` returns. False: it is no record, or one that nobody needs to hear of; then nothing was called.
[[nodiscard]] bool readSeen(ByteSpan record, std::int64_t startNs, const NameOf& nameOf, const std::function<void(const Event&)>& each);

} // namespace carrel::watch
