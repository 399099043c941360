// SPDX-License-Identifier: Apache-2.0
// A part of the memory that the host can write to and the guest see (WindowSpec of hypervisor/api/machine_spec.h), cut into slots: a
// Mux puts what it sends in large pieces there, and on the channel goes where it lies (Placed, frame.h). A virtio port hands over 4 KiB
// at a time, each with an interrupt and a notice back; so a piece costs that once.
//
// Only from host to guest. The slots are taken in turn, each for one piece, and belong to the guest from Placed until it says that
// there is Room for another piece, which it has copied by then. In a new epoch there is no room until the guest says so. Without the
// memory on either side everything goes over the channel. So a hostile guest can write to nothing that the host reads, and a host
// can make no more of the guest's than that it copies at most kMaxFramePayload bytes of the ring.
#pragma once

#include "guest/protocol/frame.h"

namespace carrel {

inline constexpr std::size_t kRingSlotBytes = kMaxFramePayload;
inline constexpr std::size_t kMaxRingSlots = 32; // eight streams with a window each

// Which part of the window is for files (lower_wire.h, "Window"), and which the network's ring.
struct WindowParts {
    std::size_t files = 0;
    std::size_t ringAt = 0;
    std::size_t ringSlots = 0;
};
[[nodiscard]] constexpr WindowParts windowParts(std::size_t bytes) {
    const auto slotCount = bytes / 2 / kRingSlotBytes;
    return {bytes / 2, bytes / 2, slotCount < kMaxRingSlots ? slotCount : kMaxRingSlots};
}

// What a Mux is told of it; nothing where there is none.
struct RingWriter { // a host's
    std::size_t slotCount = 0;
    std::function<bool(std::size_t slot, ByteSpan bytes)> put = {}; // false: it cannot be written to
};
struct RingReader { // a guest's: it stays for as long as the Mux lives
    std::size_t slotCount = 0;
    ByteSpan memory = {}; // slotCount * kRingSlotBytes
};

} // namespace carrel
