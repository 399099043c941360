// SPDX-License-Identifier: Apache-2.0
// LowerClient over a message stream: the guest's half of guest/protocol/lower_wire.h. Does no I/O of its own.
//
// A request outlives the clerk that it was sent to: after onEpoch() everything unanswered is sent again under
// the same `unique`, so that programs in the guest see a pause and no error. Nobody at the door for
// kDoorTimeout: EIO. Each message goes to the clerk of one epoch: what was given up in the meantime is never asked of
// the next one.
//
// The peer is the host, yet its replies are checked: sizes, names, counts; a bad one is EIO for the request
// it names. Thread: any. `send` is called from many threads, one call at a time, and must not block or call
// back.
#pragma once

#include "guest/worktree/lower_client.h"
#include "guest/worktree/read_window.h"

#include <functional>
#include <memory>

namespace carrel::worktree {

class ChannelLower final : public LowerClient {
public:
    // Messages in order, handed over in one go where that saves a trip; dropped when that epoch is over.
    using Send = std::function<void(std::uint64_t epoch, const std::vector<Bytes>&)>;
    // `window`: memory that the host writes to; may be none.
    explicit ChannelLower(Send send, std::chrono::milliseconds doorTimeout = kDoorTimeout,
                          std::shared_ptr<ReadWindow> window = {});
    ~ChannelLower() override;

    void onMessage(ByteSpan message); // from the clerk
    // Connected (again): INIT, then what is unanswered. Epochs are counted upwards from 1 and are those of the whole
    // channel; told of one again, or of one before it, it does nothing.
    void onEpoch(std::uint64_t epoch);
    void stop(); // every request now and later: EIO

    [[nodiscard]] SysResult<LowerEntry> lookup(std::uint64_t parent, std::string_view name) override;
    [[nodiscard]] SysResult<lower::Attr> getattr(std::uint64_t node) override;
    [[nodiscard]] SysResult<std::string> readlink(std::uint64_t node) override;
    [[nodiscard]] SysResult<Bytes> read(std::uint64_t node, std::uint64_t offset,
                                        std::uint32_t size) override;
    void readAhead(std::vector<AheadRead> reads) override;
    [[nodiscard]] SysResult<LowerPage> readdirplus(std::uint64_t node, std::uint64_t cookie) override;
    [[nodiscard]] SysResult<lower::StatfsOut> statfs() override;
    void forget(std::uint64_t node, std::uint64_t lookups) override;
    void setEvents(LowerEvents* events) override;

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

} // namespace carrel::worktree
