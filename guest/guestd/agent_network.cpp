// SPDX-License-Identifier: Apache-2.0
// No machine of Carrel's has a network device (invariant I3). Programs look for one all the same and give up
// early where only lo exists, so there is a dummy interface with a default route. What decides is another route: every
// address is one of this machine's own, so that connections end at guestd (net_steering.h). rtnetlink(7), netdevice(7).
#include "guest/guestd/agent_root.h"
#include "guest/guestd/net_places.h"
#include "guest/protocol/unique_fd.h"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace carrel::guestd {

namespace {

constexpr const char* kName = "dummy0";
constexpr const char* kGateway = "192.0.2.1"; // nobody; a default route has to name one to be found by who looks for it
constexpr unsigned char kPrefix4 = 24;
constexpr unsigned char kPrefix6 = 64;
constexpr std::uint32_t kLocalMetric = 1;
constexpr std::uint32_t kShownMetric = 100; // never taken, since the other is there

// One netlink request, built up in place.
class Request {
public:
    Request(std::uint16_t type, std::uint16_t flags) {
        auto* header = head();
        header->nlmsg_len = NLMSG_LENGTH(0);
        header->nlmsg_type = type;
        header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    }
    template <class Body> void body(const Body& value) { append(&value, sizeof value); }
    void attribute(std::uint16_t type, const void* data, std::size_t size) {
        const rtattr head{static_cast<std::uint16_t>(RTA_LENGTH(size)), type};
        append(&head, sizeof head);
        append(data, size);
    }
    [[nodiscard]] std::size_t open(std::uint16_t type) {
        const std::size_t at = head()->nlmsg_len;
        attribute(type, nullptr, 0);
        return at;
    }
    void close(std::size_t at) {
        auto* nested = reinterpret_cast<rtattr*>(m_buffer.data() + at);
        nested->rta_len = static_cast<std::uint16_t>(head()->nlmsg_len - at);
    }
    bool run(int socket) {
        if (::send(socket, m_buffer.data(), head()->nlmsg_len, 0) < 0) {
            return false;
        }
        alignas(nlmsghdr) std::array<char, 4096> answer;
        const ssize_t got = ::recv(socket, answer.data(), answer.size(), 0);
        if (got < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr)))) {
            return false;
        }
        const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
        const auto* error = reinterpret_cast<const nlmsgerr*>(NLMSG_DATA(header));
        return header->nlmsg_type == NLMSG_ERROR && error->error == 0;
    }

private:
    nlmsghdr* head() { return reinterpret_cast<nlmsghdr*>(m_buffer.data()); }
    void append(const void* data, std::size_t size) {
        const std::size_t at = head()->nlmsg_len;
        if (at + size > m_buffer.size()) {
            return; // never: all requests are small and fixed
        }
        if (size > 0) {
            std::memcpy(m_buffer.data() + at, data, size);
        }
        head()->nlmsg_len = static_cast<std::uint32_t>(NLMSG_ALIGN(at + size));
    }
    alignas(nlmsghdr) std::array<char, 512> m_buffer{};
};

bool bringUp(int socket, const char* name) {
    ifreq request{};
    std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (::ioctl(socket, SIOCGIFFLAGS, &request) != 0) {
        return false;
    }
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    return ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
}

bool addDummy(int netlink) {
    Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    request.body(ifinfomsg{});
    request.attribute(IFLA_IFNAME, kName, std::strlen(kName) + 1);
    const auto info = request.open(IFLA_LINKINFO);
    request.attribute(IFLA_INFO_KIND, "dummy", 5);
    request.close(info);
    return request.run(netlink);
}

bool addAddress(int netlink, unsigned index, unsigned char family, ByteSpan address, unsigned char prefix) {
    Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    ifaddrmsg body{};
    body.ifa_family = family;
    body.ifa_prefixlen = prefix;
    body.ifa_index = index;
    body.ifa_flags = IFA_F_NODAD; // nobody else is here who could have it
    request.body(body);
    request.attribute(IFA_LOCAL, address.data(), address.size());
    request.attribute(IFA_ADDRESS, address.data(), address.size());
    return request.run(netlink);
}

rtmsg routeOf(unsigned char family, unsigned char type, unsigned char scope) {
    rtmsg body{};
    body.rtm_family = family;
    body.rtm_table = RT_TABLE_MAIN;
    body.rtm_protocol = RTPROT_BOOT;
    body.rtm_scope = scope;
    body.rtm_type = type;
    return body;
}

bool addShownRoute(int netlink, int index) {
    Request request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    request.body(routeOf(AF_INET, RTN_UNICAST, RT_SCOPE_UNIVERSE));
    in_addr gateway{};
    ::inet_pton(AF_INET, kGateway, &gateway);
    request.attribute(RTA_GATEWAY, &gateway, sizeof gateway);
    request.attribute(RTA_OIF, &index, sizeof index);
    request.attribute(RTA_PRIORITY, &kShownMetric, sizeof kShownMetric);
    return request.run(netlink);
}

// In the main table and not in the one of local addresses, which comes first: the networks of containers that an agent
// may come to have are more exact routes here, and what goes to them is still theirs.
bool makeEverythingLocal(int netlink, int loopback, unsigned char family, ByteSpan source) {
    Request request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    request.body(routeOf(family, RTN_LOCAL, RT_SCOPE_HOST));
    request.attribute(RTA_OIF, &loopback, sizeof loopback);
    request.attribute(RTA_PREFSRC, source.data(), source.size());
    request.attribute(RTA_PRIORITY, &kLocalMetric, sizeof kLocalMetric);
    return request.run(netlink);
}

int indexOf(int socket, const char* name) {
    ifreq request{};
    std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    return ::ioctl(socket, SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
}

} // namespace

void setUpAgentNetwork() {
    const UniqueFd plain(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!plain || !netlink || !bringUp(plain.get(), "lo") || !addDummy(netlink.get())) {
        return;
    }
    const int index = indexOf(plain.get(), kName);
    const int loopback = indexOf(plain.get(), "lo");
    const auto v4 = std::as_bytes(std::span(kOwnAddress4));
    const auto v6 = std::as_bytes(std::span(kOwnAddress6));
    if (index == 0 || loopback == 0 || !bringUp(plain.get(), kName)) {
        return;
    }
    if (addAddress(netlink.get(), static_cast<unsigned>(index), AF_INET, v4, kPrefix4) && addShownRoute(netlink.get(), index)) {
        static_cast<void>(makeEverythingLocal(netlink.get(), loopback, AF_INET, v4));
    }
    if (addAddress(netlink.get(), static_cast<unsigned>(index), AF_INET6, v6, kPrefix6)) {
        static_cast<void>(makeEverythingLocal(netlink.get(), loopback, AF_INET6, v6));
    }
}

} // namespace carrel::guestd
