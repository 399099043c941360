// SPDX-License-Identifier: Apache-2.0
// Takes one file's content from the guest into a file that the engine opened: the copy that a review freezes. Bounded by
// what the engine allowed; done when the guest has both answered the request and ended the stream, and the two
// agree about the size. Zeros become holes. Thread: the event loop's. Writes go to the page cache and do not wait for the disk.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/hole_writer.h"
#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <cstdint>
#include <functional>
#include <optional>

namespace carrel::clerk {

class ContentReceiver {
public:
    using Done = std::function<void(Result<std::uint64_t> size)>;
    ContentReceiver(UniqueFd file, std::uint64_t maxBytes, Done done);

    void data(ByteSpan bytes);
    void end();
    void reset(std::uint32_t reason);
    void answered(Result<std::uint64_t> size); // the guest's answer to content.send
    [[nodiscard]] bool isDone() const { return !m_done; }

private:
    void settle(Result<std::uint64_t> outcome);
    void maybeSettle();

    UniqueFd m_file;
    HoleWriter m_writer;
    std::uint64_t m_max;
    std::uint64_t m_received = 0;
    bool m_ended = false;
    std::optional<std::uint64_t> m_announced;
    Done m_done;
};

} // namespace carrel::clerk
