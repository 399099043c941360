// SPDX-License-Identifier: Apache-2.0
// What a clerk tells of its guest's connections, and what it is told of them.
#include "app/agents/door.h"

#include <algorithm>

namespace carrel::agents {

namespace json = boost::json;

namespace {

// More than can be under way of one agent at once: a clerk that does not take its answers is broken.
constexpr std::size_t kMaxUnanswered = 4 * egress::kMaxStreams;

class NetworkLine final : public egress::ClerkLine {
public:
    explicit NetworkLine(std::weak_ptr<ClerkProcess> clerk)
        : m_clerk(std::move(clerk)) {}

    void say(std::string_view method, json::object params, int descriptor) override {
        const auto clerk = m_clerk.lock();
        if (!clerk) {
            return;
        }
        std::vector<int> descriptors;
        if (descriptor >= 0) {
            descriptors.push_back(descriptor);
        }
        const std::lock_guard lock(m_mutex);
        m_said.push_back(clerk->send(method, std::move(params), descriptors));
        std::erase_if(m_said, [](const auto& each) { return each.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
        if (m_said.size() > kMaxUnanswered) {
            clerk->end();
        }
    }

private:
    std::weak_ptr<ClerkProcess> m_clerk;
    std::mutex m_mutex;
    std::vector<std::future<ClerkProcess::Answer>> m_said; // nobody waits for these answers
};

} // namespace

// Before it has the channel, so that it is told the mode before it hears of a connection.
void Door::joinNetwork(Post& post) {
    if (m_setup.network) {
        post.network = m_setup.network;
        post.clerk = m_setup.network->attach(std::make_shared<NetworkLine>(post.process));
    }
}

void Door::Post::leaveNetwork() {
    if (const auto id = clerk.exchange(0); id != 0) {
        network->detach(id);
    }
}

void Door::toldOfNetwork(Post& from, const std::string& method, const json::object& params) {
    const auto process = from.process; // the call may be the end of this door and of all its posts
    const auto clerk = from.clerk.load();
    if (clerk == 0) {
        return; // it is leaving, or there is no network at all
    }
    const auto network = from.network;
    if (!network->told(clerk, method, params) && process) {
        process->end();
    }
}

} // namespace carrel::agents
