// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/net_service.h"

#include "guest/guestd/ntp_answer.h"

#include <array>
#include <cstring>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace carrel::guestd {

namespace {

// What epoll tells of: a stream's number, or one of these.
constexpr std::uint64_t kWake = 1ULL << 32U;
constexpr std::uint64_t kListener4 = kWake + 1;
constexpr std::uint64_t kListener6 = kWake + 2;
constexpr std::uint64_t kNames4 = kWake + 3;
constexpr std::uint64_t kNames6 = kWake + 4;
constexpr std::uint64_t kTimes4 = kWake + 5;
constexpr std::uint64_t kTimes6 = kWake + 6;
constexpr std::uint64_t kDnsStreams = 1ULL << 33U; // and all from there

constexpr int kAcceptTurn = 64; // then the others have theirs
constexpr std::uint16_t kDnsPort = 53;

bool watch(int epoll, int operation, int fd, std::uint64_t key, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = key;
    return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

bool isLoopback(const net::Host& host) {
    if (const auto* v4 = std::get_if<net::Ipv4>(&host)) {
        return (*v4)[0] == 127 || (*v4)[0] == 0;
    }
    const auto* v6 = std::get_if<net::Ipv6>(&host);
    return v6 != nullptr && std::all_of(v6->begin(), v6->end() - 1, [](auto byte) { return byte == 0; }) && v6->back() <= 1;
}

// The control data that sends an answer from where the question went to.
union PacketInfo {
    in_pktinfo v4;
    in6_pktinfo v6;
};

} // namespace

std::optional<net::Opening> addressMeant(int socket) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
        return std::nullopt;
    }
    if (name.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(name);
        net::Ipv4 address;
        std::memcpy(address.data(), &v4.sin_addr, address.size());
        return net::Opening{address, ntohs(v4.sin_port)};
    }
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(name);
    net::Ipv6 address;
    std::memcpy(address.data(), &v6.sin6_addr, address.size());
    return net::Opening{address, ntohs(v6.sin6_port)};
}

NetService::NetService(World world)
    : m_world(std::move(world))
    , m_wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
    , m_epoll(::epoll_create1(EPOLL_CLOEXEC)) {}

NetService::~NetService() {
    stop();
}

Status NetService::start() {
    if (!m_wake || !m_epoll || !watch(m_epoll.get(), EPOLL_CTL_ADD, m_wake.get(), kWake, EPOLLIN)) {
        return fail(ErrorCode::Io, "preparing the agent's network failed");
    }
    m_thread = std::thread([this] { run(); });
    return {};
}

void NetService::connect(Channel& channel) {
    const std::lock_guard lock(m_mutex);
    m_channel = &channel;
}

void NetService::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t done = ::write(m_wake.get(), &one, sizeof one);
}

void NetService::handle(ChannelEvent&& event) {
    // To connect to a server of the agent's takes its network.
    if (event.kind == ChannelEvent::Kind::Epoch || event.stream < net::kFirstHostStream) {
        const std::lock_guard lock(m_state);
        take(event);
        return;
    }
    {
        // Bounded: data by the streams' credit, the rest by the number of streams.
        const std::lock_guard lock(m_mutex);
        m_inbox.push_back(std::move(event));
    }
    wake();
}

void NetService::adopt(UniqueFd networkNamespace) {
    {
        const std::lock_guard lock(m_mutex);
        m_newWorld = std::move(networkNamespace);
        m_served = false;
    }
    wake();
}

void NetService::waitUntilServed() {
    std::unique_lock lock(m_mutex);
    m_serving.wait(lock, [this] { return m_served || m_stop; });
}

void NetService::stop() {
    {
        const std::lock_guard lock(m_mutex);
        m_stop = true;
        m_serving.notify_all();
    }
    wake();
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

void NetService::run() {
    std::array<epoll_event, 64> events;
    for (;;) {
        const int count = ::epoll_wait(m_epoll.get(), events.data(), static_cast<int>(events.size()), -1);
        if (!takeInbox()) {
            break;
        }
        const std::lock_guard lock(m_state);
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            ready(event.data.u64, event.events);
        }
    }
    const std::lock_guard lock(m_state);
    forgetConnections();
}

bool NetService::takeInbox() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(m_wake.get(), &count, sizeof count);
    std::vector<ChannelEvent> events;
    std::optional<UniqueFd> world;
    {
        const std::lock_guard lock(m_mutex);
        if (m_stop) {
            return false;
        }
        events.swap(m_inbox);
        world = std::exchange(m_newWorld, std::nullopt);
    }
    if (world) {
        serveWorld(*world);
    }
    const std::lock_guard lock(m_state);
    for (auto& event : events) {
        take(event);
    }
    return true;
}

void NetService::serveWorld(const UniqueFd& networkNamespace) {
    {
        const std::lock_guard lock(m_state);
        forgetConnections();
        m_dnsStreams.clear();
        m_isSteered = false;
    }
    m_sockets = {}; // epoll forgets what is closed
    auto sockets = m_world.steer(networkNamespace.get());
    {
        const std::lock_guard lock(m_state);
        m_isSteered = sockets.has_value();
    }
    if (sockets) {
        m_sockets = std::move(*sockets);
    } else { // an agent without a network still works
        m_world.log("the agent has no network: " + sockets.error().text());
    }
    const std::array<std::pair<int, std::uint64_t>, 6> all{{{m_sockets.tcp4.get(), kListener4},
                                                            {m_sockets.tcp6.get(), kListener6},
                                                            {m_sockets.dns4.get(), kNames4},
                                                            {m_sockets.dns6.get(), kNames6},
                                                            {m_sockets.ntp4.get(), kTimes4},
                                                            {m_sockets.ntp6.get(), kTimes6}}};
    for (const auto& [fd, key] : all) {
        if (fd >= 0) {
            (void)watch(m_epoll.get(), EPOLL_CTL_ADD, fd, key, EPOLLIN);
        }
    }
    const std::lock_guard lock(m_mutex);
    m_served = !m_newWorld;
    m_serving.notify_all();
}

void NetService::forgetConnections() {
    m_connections.clear();
}

void NetService::take(ChannelEvent& event) {
    if (event.kind == ChannelEvent::Kind::Epoch) {
        forgetConnections(); // their streams are gone
        m_epoch = event.epoch;
        m_hostStream = 0;
        return;
    }
    if (event.epoch == m_epoch && event.stream >= net::kFirstHostStream && event.stream > m_hostStream) {
        beginInward(event.stream);
    }
    const auto found = m_connections.find(event.stream);
    if (event.epoch != m_epoch || found == m_connections.end()) {
        return; // of a stream that is over
    }
    auto& connection = *found->second.joined;
    switch (event.kind) {
    case ChannelEvent::Kind::Data:
        connection.hostData(std::move(event.data));
        break;
    case ChannelEvent::Kind::End:
        connection.hostEnd();
        break;
    case ChannelEvent::Kind::Reset:
        connection.hostReset();
        break;
    default:
        connection.hostWritable();
    }
    settle(event.stream);
}

void NetService::ready(std::uint64_t key, std::uint32_t events) {
    if (key >= kDnsStreams) {
        const auto stream = m_dnsStreams.find(key);
        if (stream != m_dnsStreams.end() && !stream->second.ready(m_names)) {
            m_dnsStreams.erase(stream);
        }
        return;
    }
    switch (key) {
    case kWake:
        return; // takeInbox() has seen to it
    case kListener4:
        return acceptSome(m_sockets.tcp4.get());
    case kListener6:
        return acceptSome(m_sockets.tcp6.get());
    case kNames4:
        return answerNames(m_sockets.dns4.get());
    case kNames6:
        return answerNames(m_sockets.dns6.get());
    case kTimes4:
        return answerTimes(m_sockets.ntp4.get());
    case kTimes6:
        return answerTimes(m_sockets.ntp6.get());
    default:
        break;
    }
    const auto stream = static_cast<std::uint32_t>(key);
    if (const auto found = m_connections.find(stream); found != m_connections.end()) {
        found->second.joined->ready(events);
        settle(stream);
    }
}

void NetService::settle(std::uint32_t stream) {
    auto& [joined, socket, watched] = m_connections.at(stream);
    if (joined->isOver()) {
        m_connections.erase(stream);
        return;
    }
    if (socket != joined->socket()) { // epoll has forgotten the one before it
        socket = joined->socket();
        watched = 0;
    }
    const auto wanted = joined->wanted();
    if (wanted == watched) {
        return;
    }
    // Nothing wanted, nothing watched: a hang-up would be told for ever.
    const int operation = wanted == 0 ? EPOLL_CTL_DEL : watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    (void)watch(m_epoll.get(), operation, socket, stream, wanted);
    watched = wanted;
}

void NetService::acceptSome(int listener) {
    for (int i = 0; i < kAcceptTurn; ++i) {
        UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket) {
            return;
        }
        auto opening = m_world.whereTo(socket.get());
        if (!opening) {
            resetSocket(std::move(socket));
        } else {
            begin(std::move(socket), std::move(*opening));
        }
    }
}

void NetService::begin(UniqueFd socket, net::Opening opening) {
    if (opening.port == kDnsPort) { // whoever was meant: there is one resolver here
        if (m_dnsStreams.size() >= kMaxDnsStreams) {
            m_dnsStreams.erase(m_dnsStreams.begin()); // the oldest
        }
        const std::uint64_t key = kDnsStreams + m_nextDns++;
        if (watch(m_epoll.get(), EPOLL_CTL_ADD, socket.get(), key, EPOLLIN)) {
            m_dnsStreams.emplace(key, std::move(socket));
        }
        return;
    }
    std::optional<NameNumber> number;
    if (const auto* v4 = std::get_if<net::Ipv4>(&opening.host)) {
        number = numberOf(*v4);
    } else if (const auto* v6 = std::get_if<net::Ipv6>(&opening.host)) {
        number = numberOf(*v6);
    }
    if (number) {
        const auto name = m_names.nameOf(*number);
        if (!name) { // a name's that is forgotten, or nobody's
            return turnAway(std::move(socket), opening, net::Outcome::Unresolved,
                            "No name stands for this address any more: look the name up again.");
        }
        opening.host = *name;
    }
    if (opening.port == 0 || isLoopback(opening.host)) {
        resetSocket(std::move(socket));
        return;
    }
    if (m_epoch == 0) {
        return turnAway(std::move(socket), opening, net::Outcome::Closed, "Carrel was not there to be asked: try again in a moment.");
    }
    if (m_connections.size() >= net::kMaxConnections) {
        return turnAway(std::move(socket), opening, net::Outcome::Limit, "");
    }
    const auto stream = nextStream();
    auto refused = [this, opening](const net::Answer& why) { m_world.refused(opening, why); };
    m_connections.emplace(stream, Connection{std::make_unique<ProgramConnection>(*m_channel, m_epoch, stream, std::move(socket), opening,
                                                                                 std::move(refused))});
    settle(stream);
}

void NetService::turnAway(UniqueFd socket, const net::Opening& opening, net::Outcome outcome, const char* why) {
    m_world.refused(opening, {outcome, why});
    resetSocket(std::move(socket));
}

// It is the host's, which takes each id once: what still comes for one that is over opens no other.
void NetService::beginInward(std::uint32_t stream) {
    m_hostStream = stream;
    if (!m_isSteered || m_connections.size() >= net::kMaxConnections) {
        refuseInward(*m_channel, m_epoch, stream, m_isSteered ? net::Outcome::Limit : net::Outcome::Unreachable);
        return;
    }
    m_connections.emplace(stream, Connection{std::make_unique<ServerConnection>(*m_channel, m_epoch, stream)});
}

std::uint32_t NetService::nextStream() {
    do {
        m_nextStream = m_nextStream >= net::kLastGuestStream ? 1 : m_nextStream + 1;
    } while (m_connections.contains(m_nextStream));
    return m_nextStream;
}

std::string NetService::nameAt(std::string_view address) {
    std::optional<NameNumber> number;
    net::Ipv4 v4{};
    net::Ipv6 v6{};
    if (address.size() == v4.size()) {
        std::copy(address.begin(), address.end(), v4.begin());
        number = numberOf(v4);
    } else if (address.size() == v6.size()) {
        std::copy(address.begin(), address.end(), v6.begin());
        number = numberOf(v6);
    }
    if (!number || *number < kFirstName) {
        return {};
    }
    const std::lock_guard lock(m_state);
    return m_names.nameOf(*number).value_or(std::string());
}

void NetService::answerNames(int socket) {
    answerDatagrams(socket, [this](ByteSpan query) { return dnsAnswer(query, m_names); });
}

void NetService::answerTimes(int socket) {
    answerDatagrams(socket, [](ByteSpan query) {
        const auto came = std::chrono::system_clock::now();
        return ntpAnswer(query, came, came);
    });
}

void NetService::answerDatagrams(int socket, const AnswerTo& answerTo) {
    for (int i = 0; i < kAcceptTurn; ++i) {
        std::array<std::byte, kMaxDnsQuery + 1> buffer;
        sockaddr_storage from{};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(PacketInfo))> control{};
        iovec piece{buffer.data(), buffer.size()};
        msghdr message{};
        message.msg_name = &from;
        message.msg_namelen = sizeof from;
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t got = ::recvmsg(socket, &message, 0);
        if (got < 0) {
            return;
        }
        const Bytes answer = answerTo({buffer.data(), static_cast<std::size_t>(got)});
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        if (answer.empty() || header == nullptr) {
            continue;
        }
        // From the address that was asked, by whichever interface.
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
            auto* info = reinterpret_cast<in_pktinfo*>(CMSG_DATA(header));
            info->ipi_spec_dst = info->ipi_addr;
            info->ipi_ifindex = 0;
        } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
            reinterpret_cast<in6_pktinfo*>(CMSG_DATA(header))->ipi6_ifindex = 0;
        }
        iovec out{const_cast<std::byte*>(answer.data()), answer.size()};
        message.msg_iov = &out;
        message.msg_flags = 0;
        (void)::sendmsg(socket, &message, MSG_NOSIGNAL); // lost is lost, as datagrams are
    }
}

} // namespace carrel::guestd
