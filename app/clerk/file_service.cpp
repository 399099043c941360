// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/file_service.h"

#include "app/clerk/share_broker.h"
#include "app/clerk/window.h"
#include "guest/protocol/control.h"
#include "guest/protocol/strict_json.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <deque>
#include <fcntl.h>
#include <optional>
#include <utility>

namespace carrel::clerk {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr std::size_t kBatchBytes = 64 * 1024;
constexpr std::size_t kBatchFiles = 500; // the engine takes 1000

// First reads that the engine is asked to write down together. Of one share: the engine refuses a batch that
// names a share that was just removed, and nobody else's reads may fail with it.
struct Batch {
    std::uint32_t share = 0;
    json::array files;
    std::size_t bytes = 0; // as it travels
    std::vector<NodeId> nodes;
};

} // namespace

// Handlers that wait in the loop hold it weakly: the service may be gone when their turn comes, and one that was already due
// is not called off with the timer that it was for.
struct FileService::Impl : std::enable_shared_from_this<Impl> {
    struct Served {
        std::unique_ptr<ShareBroker> broker;
        asio::steady_timer later;
        asio::posix::stream_descriptor watch;
        explicit Served(asio::io_context& loop)
            : later(loop)
            , watch(loop) {}
    };

    Impl(asio::io_context& theLoop, Events theEvents)
        : loop(theLoop)
        , events(std::move(theEvents)) {}

    void watchHost(std::uint32_t id) {
        auto& served = shares.at(id);
        if (!served->watch.is_open()) {
            return;
        }
        served->watch.async_wait(asio::posix::descriptor_base::wait_read,
                                 [weak = weak_from_this(), id](const boost::system::error_code& ec) {
                                     const auto self = weak.lock();
                                     if (self && !ec) {
                                         self->shares.at(id)->broker->onHostEvents();
                                         self->watchHost(id);
                                     }
                                 });
    }

    // Asks again for what the broker put off, when it says so.
    void schedule(std::uint32_t id) {
        auto& served = shares.at(id);
        const auto when = served->broker->nextDeferred();
        if (!when) {
            return;
        }
        served->later.expires_at(*when);
        served->later.async_wait([weak = weak_from_this(), id](const boost::system::error_code& ec) {
            if (const auto self = weak.lock(); self && !ec) {
                self->runDeferred(id);
            }
        });
    }

    void firstRead(std::uint32_t id, const FirstRead& read) {
        json::object item{{"share", id}, {"size", read.version.size}, {"mtime_ns", read.version.mtimeNs}};
        putPath(item, "path", read.path.text());
        const std::size_t bytes = json::serialize(item).size() + 1; // a name may become six times as long
        // The brokers bound how many can wait, whether the guest still waits or not (kMaxDeferred).
        const auto last = std::find_if(waiting.rbegin(), waiting.rend(),
                                       [id](const Batch& batch) { return batch.share == id; });
        const bool room =
            last != waiting.rend() && last->bytes + bytes <= kBatchBytes && last->files.size() < kBatchFiles;
        Batch& batch = room ? *last : waiting.emplace_back();
        batch.share = id;
        batch.files.push_back(std::move(item));
        batch.bytes += bytes;
        batch.nodes.push_back(read.node);
        if (waiting.size() == 1 && batch.files.size() == 1 && !asked) {
            // When the requests at hand are all looked at: a reader that asks ahead asks for several.
            asio::post(loop, [weak = weak_from_this()] {
                if (const auto self = weak.lock()) {
                    self->askNext();
                }
            });
        }
    }

    void askNext() {
        if (asked || waiting.empty()) {
            return;
        }
        asked = std::move(waiting.front());
        waiting.pop_front();
        events.reads({{"batch", ++number}, {"files", std::exchange(asked->files, {})}});
    }

    Status recorded(std::uint64_t batch, Verdict verdict) {
        if (!asked || batch != number) {
            return fail(ErrorCode::InvalidArgument, "no first reads of that number wait");
        }
        const Batch done = std::move(*asked);
        asked.reset();
        settle(done, verdict);
        runDeferred(done.share);
        askNext();
        return {};
    }

    void settle(const Batch& batch, Verdict verdict) {
        for (const NodeId node : batch.nodes) {
            shares.at(batch.share)
                ->broker->settleFirstRead(node, verdict == Verdict::Recorded ? FirstReadVerdict::Recorded
                                                                             : FirstReadVerdict::NotRecorded);
        }
    }

    void runDeferred(std::uint32_t id) {
        for (auto& reply : shares.at(id)->broker->runDeferred()) {
            events.send(id, std::move(reply));
        }
        schedule(id);
    }

    asio::io_context& loop;
    Events events;
    Window window;
    std::map<std::uint32_t, std::unique_ptr<Served>> shares;
    std::deque<Batch> waiting;
    std::optional<Batch> asked; // the engine has been asked to write it down
    std::uint64_t number = 0;   // of it
};

FileService::FileService(asio::io_context& loop, Events events)
    : m_impl(std::make_shared<Impl>(loop, std::move(events))) {}

FileService::~FileService() = default;

Result<std::vector<ShareToServe>> FileService::readShares(const json::array& shares) {
    std::vector<ShareToServe> out;
    for (const auto& item : shares) {
        if (!item.is_object()) {
            return fail(ErrorCode::Malformed, "a share is not an object");
        }
        JsonFields fields(item.get_object(), "share");
        ShareToServe share;
        share.id = static_cast<std::uint32_t>(fields.number("id", control::kMaxShareId));
        share.name = fields.string("name", kMaxNameBytes);
        share.mode = fields.string("mode", 16);
        share.hidden = fields.strings("hidden", 1000, kMaxNameBytes);
        CARREL_TRY(fields.finish());
        out.push_back(std::move(share));
    }
    return out;
}

Status FileService::add(const ShareToServe& share, std::size_t ofShares, UniqueFd root, UniqueFd nodeTable) {
    auto table = NodeTable::adopt(std::move(nodeTable));
    if (!table) {
        return fail(std::move(table).error());
    }
    const std::uint32_t id = share.id;
    ShareBroker::Options options;
    options.hidden = share.hidden;
    options.descriptors = descriptorBudget(ofShares);
    auto broker = ShareBroker::create(
        std::move(root), std::move(*table), std::move(options),
        {[this, id](Bytes&& message) { m_impl->events.send(id, std::move(message)); },
         [this, id](const FirstRead& read) {
             m_impl->firstRead(id, read);
             return FirstReadAnswer::Wait;
         },
         [this, name = share.name](const std::string& text) { m_impl->events.notice(name + ": " + text); },
         [this](std::uint64_t offset, std::uint64_t offered, ByteSpan bytes) {
             return m_impl->window.put(offset, offered, bytes);
         }});
    if (!broker) {
        return fail(std::move(broker).error());
    }
    auto served = std::make_unique<Impl::Served>(m_impl->loop);
    served->broker = std::move(*broker);
    if (const int watch = served->broker->watchDescriptor(); watch >= 0) {
        const int mine = ::fcntl(watch, F_DUPFD_CLOEXEC, 0);
        if (mine < 0) {
            return failErrno("watching a shared folder");
        }
        served->watch.assign(mine);
    }
    m_impl->shares.emplace(id, std::move(served));
    m_impl->watchHost(id);
    return {};
}

void FileService::setWindow(UniqueFd file) {
    m_impl->window = Window(std::move(file));
}

bool FileService::has(std::uint32_t share) const {
    return m_impl->shares.contains(share);
}

void FileService::receive(std::uint32_t share, ByteSpan request) {
    const auto found = m_impl->shares.find(share);
    if (found == m_impl->shares.end()) {
        return;
    }
    if (auto reply = found->second->broker->handle(request)) {
        m_impl->events.send(share, std::move(*reply));
    } else {
        m_impl->schedule(share);
    }
}

void FileService::revoke(std::uint32_t share) {
    const auto found = m_impl->shares.find(share);
    if (found == m_impl->shares.end()) {
        return;
    }
    found->second->broker->revoke();
    for (auto& reply : found->second->broker->runDeferred()) {
        m_impl->events.send(share, std::move(reply));
    }
}

Status FileService::recorded(std::uint64_t batch, Verdict verdict) {
    return m_impl->recorded(batch, verdict);
}

void FileService::newEpoch() {
    for (auto& [id, served] : m_impl->shares) {
        served->broker->dropDeferred();
        // Whatever the last clerk said may be outdated by now: nobody watched in between.
        served->broker->invalidateAll();
    }
    // Nor does anybody wait for what the engine was not asked yet: else a guest that opens epoch after epoch
    // would make the list grow without end. What it sends again is asked again.
    for (const auto& batch : std::exchange(m_impl->waiting, {})) {
        m_impl->settle(batch, Verdict::NotRecorded);
    }
}

} // namespace carrel::clerk
