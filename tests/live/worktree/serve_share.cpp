// SPDX-License-Identifier: Apache-2.0
// The union of a folder on this computer, without a machine around it: the clerk's own ShareBroker, the wire
// between (ChannelLower, the window included), the Worktree, and the kernel's FUSE. For suites that want an
// ordinary file system under them (tests/suites):
//   unshare -Urm serve-share LOWER UPPER MOUNTPOINT COMMAND [ARGUMENT…]
// Mounts, runs the command, unmounts, and ends with the command's status. What is missing of the real way is
// the virtio port and the virtual machine: messages are handed over between two threads.
#include "app/clerk/share_broker.h"
#include "app/clerk/window.h"
#include "guest/worktree/channel_lower.h"
#include "guest/worktree/fuse_server.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace carrel;

namespace {

constexpr std::size_t kWindowBytes = 16U * 1024 * 1024;

// The clerk's half on a thread of its own, as its event loop would drive it.
class ClerkThread {
public:
    explicit ClerkThread(const std::string& folder) {
        m_wake.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        UniqueFd memory(::memfd_create("window", MFD_CLOEXEC));
        if (::ftruncate(memory.get(), kWindowBytes) == 0) {
            void* mapped = ::mmap(nullptr, kWindowBytes, PROT_READ, MAP_SHARED, memory.get(), 0);
            if (mapped != MAP_FAILED) { // stays mapped until the process ends
                m_room = std::make_shared<worktree::ReadWindow>(
                    std::span(static_cast<const std::byte*>(mapped), kWindowBytes));
            }
        }
        m_window = clerk::Window(std::move(memory));
        m_lower = std::make_shared<worktree::ChannelLower>([this](std::uint64_t, const std::vector<Bytes>& messages) { send(messages); },
                                                           worktree::kDoorTimeout, m_room);
        auto nodes = clerk::NodeTable::adopt(UniqueFd(::memfd_create("nodes", MFD_CLOEXEC)));
        if (!nodes) {
            std::fprintf(stderr, "%s\n", nodes.error().text().c_str());
            return;
        }
        clerk::ShareBroker::Events events;
        events.notify = [this](Bytes&& note) { m_lower->onMessage(note); };
        events.notice = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
        events.window = [this](std::uint64_t offset, std::uint64_t offered, ByteSpan bytes) {
            return m_window.put(offset, offered, bytes);
        };
        auto broker =
            clerk::ShareBroker::create(UniqueFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
                                       std::move(*nodes), {}, std::move(events));
        if (!broker) {
            std::fprintf(stderr, "%s\n", broker.error().text().c_str());
            return;
        }
        m_broker = std::move(*broker);
        m_thread = std::thread([this] { run(); });
        m_lower->onEpoch(1);
    }
    ~ClerkThread() {
        m_lower->stop();
        m_ends = true;
        wake();
        if (m_thread.joinable()) {
            m_thread.join();
        }
    }
    ClerkThread(const ClerkThread&) = delete;
    ClerkThread& operator=(const ClerkThread&) = delete;
    [[nodiscard]] bool serves() const { return m_broker != nullptr; }
    [[nodiscard]] std::shared_ptr<worktree::ChannelLower> lower() const { return m_lower; }

private:
    void send(const std::vector<Bytes>& messages) {
        {
            const std::lock_guard lock(m_mutex);
            m_requests.insert(m_requests.end(), messages.begin(), messages.end());
        }
        wake();
    }
    void wake() {
        const std::uint64_t one = 1;
        (void)!::write(m_wake.get(), &one, sizeof one);
    }
    void answerAll() {
        for (;;) {
            Bytes request;
            {
                const std::lock_guard lock(m_mutex);
                if (m_requests.empty()) {
                    return;
                }
                request = std::move(m_requests.front());
                m_requests.pop_front();
            }
            if (const auto reply = m_broker->handle(request)) {
                m_lower->onMessage(*reply);
            }
        }
    }
    void run() {
        using Clock = clerk::ShareBroker::Clock;
        while (!m_ends) {
            int patience = -1;
            if (const auto next = m_broker->nextDeferred()) {
                const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - Clock::now()).count();
                patience = static_cast<int>(std::max<decltype(left)>(left, 0));
            }
            std::array<pollfd, 2> waits{
                {{m_wake.get(), POLLIN, 0}, {m_broker->watchDescriptor(), POLLIN, 0}}};
            (void)::poll(waits.data(), waits.size(), patience);
            std::uint64_t count = 0;
            (void)!::read(m_wake.get(), &count, sizeof count);
            if ((waits[1].revents & POLLIN) != 0) {
                m_broker->onHostEvents();
            }
            answerAll();
            for (const Bytes& reply : m_broker->runDeferred()) {
                m_lower->onMessage(reply);
            }
        }
    }

    UniqueFd m_wake;
    std::shared_ptr<worktree::ReadWindow> m_room;
    clerk::Window m_window;
    std::shared_ptr<worktree::ChannelLower> m_lower;
    std::unique_ptr<clerk::ShareBroker> m_broker;
    std::mutex m_mutex;
    std::deque<Bytes> m_requests;
    std::atomic<bool> m_ends = false;
    std::thread m_thread;
};

int run(char** command) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::signal(SIGIO, SIG_DFL); // the broker ignores it, and that would be inherited
        ::execvp(command[0], command);
        std::perror(command[0]);
        ::_exit(127);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) {
        return 125;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(stderr, "usage: serve-share LOWER UPPER MOUNTPOINT COMMAND [ARGUMENT…]\n");
        return 125;
    }
    ClerkThread clerk(argv[1]);
    if (!clerk.serves()) {
        return 125;
    }
    auto tree = worktree::Worktree::open({argv[2], worktree::Access::Review, 0, 0}, clerk.lower());
    if (!tree) {
        std::fprintf(stderr, "%s\n", tree.error().text().c_str());
        return 125;
    }
    auto server = worktree::FuseServer::mount(**tree, argv[3]);
    if (!server) {
        std::fprintf(stderr, "%s\n", server.error().text().c_str());
        return 125;
    }
    const int status = run(argv + 4);
    clerk.lower()->stop();
    server->reset();
    return status;
}
