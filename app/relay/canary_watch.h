// SPDX-License-Identifier: Apache-2.0
// Looks for canaries (canary_set.h) in one request of a program's: in its head, and in its body, or its half of a WebSocket, as that
// comes. What is compressed in a body is unfolded and searched likewise (unpacker.h), which is bounded: a body that unfolds to more than
// can be searched, or not as its head says, is not to go on at all.
//
// What goes on of a body is held back only as far as it may be the beginning of a canary. Of one that is compressed, or masked in a
// WebSocket's frames, the piece that it ends in is held back.
// Ownership: one for each request. Thread: one.
#pragma once

#include "app/relay/canary_set.h"
#include "app/relay/unpacker.h"
#include "app/relay/websocket_frames.h"

namespace carrel::relay {

struct CanaryFound {
    std::string name;
    CanaryPlace where = CanaryPlace::Body;
    CanaryForm form = CanaryForm::Plain;
};

// In what of a head goes on.
[[nodiscard]] std::optional<CanaryFound> canaryIn(const CanarySet& canaries, const RequestHead& head);

class CanaryWatch {
public:
    CanaryWatch(const std::shared_ptr<const CanarySet>& canaries, const RequestHead& head);

    struct Verdict {
        std::optional<CanaryFound> found;
        std::optional<std::string> refused; // why it must not go on: a sentence without its full stop
        [[nodiscard]] bool isFine() const { return !found && !refused; }
    };
    // Of a body. Appends to `clean` what may go on. After a verdict that is not fine nothing may.
    [[nodiscard]] Verdict body(ByteSpan in, ByteQueue& clean);
    // Of a WebSocket.
    [[nodiscard]] Verdict raw(ByteSpan in, ByteQueue& clean);
    [[nodiscard]] Verdict finish(ByteQueue& clean); // nothing follows

    [[nodiscard]] std::size_t held() const { return m_plain.held(); }
    [[nodiscard]] std::size_t tried() const { return m_plain.tried() + m_inner.tried(); }

private:
    [[nodiscard]] Verdict unfolded(ByteSpan in);
    [[nodiscard]] Verdict plain(ByteSpan in, ByteQueue& clean);

    CanarySearch m_plain;
    CanarySearch m_inner; // of what was unfolded, or unmasked
    Unpacker m_unpacker;
    WebSocketFrames m_frames;
    Bytes m_payload;
};

} // namespace carrel::relay
