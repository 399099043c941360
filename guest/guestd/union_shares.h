// SPDX-License-Identifier: Apache-2.0
// The shared folders as they are in the machine: for each a union file system (guest/worktree) mounted
// beneath guestd's own workspace folder, from where it propagates into the agent's world, and a stream on the
// files channel.
//
// Thread: any; mounts and removals one at a time. Ownership: borrows the channel, which must outlive it.
#pragma once

#include "guest/guestd/channel.h"
#include "guest/guestd/shares.h"
#include "guest/worktree/read_window.h"

#include <functional>
#include <map>
#include <thread>

namespace carrel::guestd {

class UnionShares final : public ShareMounts {
public:
    struct Options {
        std::string workspace;                        // where the mounts appear
        std::string staged;                           // a folder per share beneath it holds what is staged
        std::uint32_t owner = 0;                      // uid and gid of the host's files
        std::shared_ptr<worktree::ReadWindow> window; // memory that the host writes to; may be none
        std::function<void(std::uint32_t share)>
            touched; // what is staged may have changed; at most one a second
    };
    explicit UnionShares(Options options);
    ~UnionShares() override;

    void start(Channel& files);
    void handle(ChannelEvent&& event); // of the files channel
    [[nodiscard]] static std::optional<StreamKind> accept(std::uint32_t stream);
    // Before power-off: everything staged is on the disk and nothing is mounted.
    void unmountAll();

    [[nodiscard]] std::vector<ShareSpec> mounted() const override;
    [[nodiscard]] Status add(const ShareSpec& share) override;
    [[nodiscard]] Status remove(std::uint32_t id, Host host) override;
    [[nodiscard]] Result<ChangePage> changes(std::uint32_t id, const SharePath& after,
                                             std::size_t limit) override;
    [[nodiscard]] Result<std::unique_ptr<StagedContent>> content(std::uint32_t id, const SharePath& path,
                                                                 std::uint64_t generation) override;
    [[nodiscard]] Result<std::vector<SharePath>> settle(std::uint32_t id,
                                                        const std::vector<EntryRef>& entries) override;
    [[nodiscard]] Result<std::vector<SharePath>> discard(std::uint32_t id,
                                                         const std::vector<EntryRef>& entries) override;

private:
    struct Share;
    struct Living;
    using SharePtr = std::shared_ptr<Share>;
    [[nodiscard]] SharePtr makeShare(const ShareSpec& spec);
    [[nodiscard]] Result<SharePtr> find(std::uint32_t id) const;
    [[nodiscard]] Result<SharePtr> findMounted(std::uint32_t id) const;
    void forget(std::uint32_t id);
    void sendToHost(std::uint32_t id, EpochNumber epoch, const std::vector<Bytes>& messages);
    void everySecond(const std::function<void(Share&)>& look); // at each share where work is staged, until the end
    void lookAt(Share& share);

    Options m_options;
    Channel* m_files = nullptr;
    std::mutex m_mounting; // one mount or removal at a time
    mutable std::mutex m_mutex;
    std::condition_variable m_ended;
    bool m_end = false;
    std::map<std::uint32_t, SharePtr> m_shares;
    std::thread m_watcher; // never waits for the host
    std::thread m_giver;   // may, for as long as nobody is at the door
    std::shared_ptr<Living> m_living;
};

} // namespace carrel::guestd
