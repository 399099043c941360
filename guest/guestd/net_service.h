// SPDX-License-Identifier: Apache-2.0
// The network of the agent's world: takes every connection that net_steering.h brings, finds the name that its address
// stands for, and carries it on a stream of the network channel; answers DNS, and questions for the time. Nothing else leaves the machine, for it has
// no network device. Whether a connection may be, the host decides, and believes nothing that is said here. And the other way: what
// the host asks to be connected to is a server of the agent's on its loopback.
//
// At most net::kMaxConnections at a time; more are broken off at once, as are those that come while no host is there and
// those of programs to loopback (which are not brought here, unless somebody aims at the resolver's own port).
//
// Thread: one of its own, which lives in the agent's network; handle() from the channel's thread, which carries what comes for a
// program's connection out at once: handing it over would wake the other one for every piece. The others from any.
#pragma once

#include "guest/guestd/dns_stream.h"
#include "guest/guestd/net_connection.h"
#include "guest/guestd/net_steering.h"

#include <functional>
#include <map>
#include <memory>
#include <thread>

namespace carrel::guestd {

// Where an accepted connection was meant to go; nothing: it cannot be told.
using WhereTo = std::function<std::optional<net::Opening>(int socket)>;
// A connection of a program's comes to nothing, and why; before the program finds it broken.
using ConnectionRefused = std::function<void(const net::Opening& meant, const net::Answer& why)>;
[[nodiscard]] std::optional<net::Opening> addressMeant(int socket); // by getsockname(2)

class NetService {
public:
    static constexpr std::size_t kMaxDnsStreams = 32;

    struct World {
        std::function<Result<NetSockets>(int networkNamespace)> steer = steerNetwork;
        WhereTo whereTo = addressMeant;
        std::function<void(std::string_view)> log = [](std::string_view) {};
        ConnectionRefused refused = [](const net::Opening&, const net::Answer&) {}; // on the service's thread
    };
    explicit NetService(World world);
    ~NetService();
    NetService(const NetService&) = delete;
    NetService& operator=(const NetService&) = delete;

    [[nodiscard]] static std::optional<StreamKind> accept(std::uint32_t stream) {
        return stream >= net::kFirstHostStream ? std::optional(StreamKind::Bytes) : std::nullopt;
    }
    [[nodiscard]] Status start();
    // The channel must outlive this and call handle() for every event. Before its first.
    void connect(Channel& channel);
    void handle(ChannelEvent&& event);
    // Serves that agent's world, in place of an earlier one, whose connections are broken off. Soon: see waitUntilServed().
    void adopt(UniqueFd networkNamespace);
    // Until the world adopted last is served, or cannot be (which was logged).
    void waitUntilServed();
    // Of an address in network order, of 4 or 16 bytes: the name that it stands for. Empty: none.
    [[nodiscard]] std::string nameAt(std::string_view address);
    void stop();

private:
    void run();
    void wake();
    [[nodiscard]] bool takeInbox(); // false: stop
    void take(ChannelEvent& event);
    void serveWorld(const UniqueFd& networkNamespace);
    void ready(std::uint64_t key, std::uint32_t events);
    void acceptSome(int listener);
    void begin(UniqueFd socket, net::Opening opening);
    void turnAway(UniqueFd socket, const net::Opening& opening, net::Outcome outcome, const char* why);
    void beginInward(std::uint32_t stream);
    [[nodiscard]] std::uint32_t nextStream();
    using AnswerTo = std::function<Bytes(ByteSpan query)>; // empty: none
    void answerDatagrams(int socket, const AnswerTo& answerTo);
    void answerNames(int socket);
    void answerTimes(int socket);
    void forgetConnections();
    // Asks epoll what the connection wants now, or lets go of it.
    void settle(std::uint32_t stream);

    struct Connection {
        std::unique_ptr<NetConnection> joined;
        int socket = -1; // as epoll knows it, as the next
        std::uint32_t watched = 0;
    };

    const World m_world;
    Channel* m_channel = nullptr;
    UniqueFd m_wake;
    UniqueFd m_epoll;
    std::mutex m_mutex;
    std::vector<ChannelEvent> m_inbox;
    std::optional<UniqueFd> m_newWorld;
    bool m_served = true; // no world waits
    std::condition_variable m_serving;
    bool m_stop = false;
    std::thread m_thread;
    // Below: under m_state, but for the thread's own m_sockets. Held while the channel is called, never the other way about.
    std::mutex m_state;
    NetSockets m_sockets;
    NameTable m_names;
    EpochNumber m_epoch = 0;
    std::map<std::uint32_t, Connection> m_connections; // by stream
    std::uint32_t m_nextStream = 1;
    std::uint32_t m_hostStream = 0; // the last that the host has opened in this epoch
    bool m_isSteered = false;       // this thread is in the agent's world
    std::map<std::uint64_t, DnsStream> m_dnsStreams; // by their key
    std::uint64_t m_nextDns = 0;
};

} // namespace carrel::guestd
