// SPDX-License-Identifier: Apache-2.0
#include "app/providers/reach.h"

#include "app/egress/own_computer.h"
#include "app/relay/tls_end.h"

#include <array>
#include <future>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace carrel::providers {

using egress::Destination;
using egress::Endpoint;
using egress::HostName;

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kLookAtStopMs = 100;

// What answers by a function, waited for. Both of them answer when `stop` is asked for.
egress::Addresses resolved(egress::Resolver& resolver, const HostName& name, const std::stop_token& stop) {
    const auto answer = std::make_shared<std::promise<egress::Addresses>>();
    auto out = answer->get_future();
    resolver.resolve(name, stop, [answer](egress::Addresses addresses) { answer->set_value(std::move(addresses)); });
    return out.get();
}

Result<egress::Made> connected(egress::Connector& connector, egress::Wanted wanted, const std::stop_token& stop) {
    const auto answer = std::make_shared<std::promise<Result<egress::Made>>>();
    auto out = answer->get_future();
    connector.connect(std::move(wanted), stop, [answer](Result<egress::Made> made) { answer->set_value(std::move(made)); });
    return out.get();
}

std::vector<Endpoint> endpointsOf(const std::vector<egress::Address>& addresses, std::uint16_t port) {
    std::vector<Endpoint> out;
    for (const auto& each : addresses) {
        out.push_back({each, port});
    }
    return out;
}

std::string sentence(std::string text) {
    if (!text.empty() && text.front() >= 'a' && text.front() <= 'z') {
        text.front() = static_cast<char>(text.front() - 'a' + 'A');
    }
    return text.ends_with('.') ? text : text + ".";
}

Result<std::string> rootsFrom(const UniqueFd& fd) {
    std::string out;
    std::array<char, 64 * 1024> buffer{};
    for (;;) {
        const auto got = ::read(fd.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failErrno("reading the certificates that this computer trusts");
        }
        if (got == 0) {
            return out;
        }
        out.append(buffer.data(), static_cast<std::size_t>(got));
        if (out.size() > relay::kMaxRootsPem) {
            return fail(ErrorCode::LimitExceeded, "the list of certificates that this computer trusts is too long");
        }
    }
}

class Trial {
public:
    Trial(const ModelUrl& url, const egress::Networks::Ways& ways, std::stop_token stop, std::chrono::milliseconds patience)
        : m_url(url)
        , m_ways(ways)
        , m_stop(std::move(stop))
        , m_patience(patience) {}

    Reach run() {
        if (auto wanted = whereTo()) {
            if (const auto socket = connect(std::move(*wanted)); socket && m_url.scheme() == ModelUrl::Scheme::Https) {
                certificate(socket);
            }
        }
        return std::move(m_out);
    }

private:
    bool step(std::string_view what, bool good, std::string words) {
        m_out.steps.push_back({what, good, std::move(words)});
        return good;
    }

    std::optional<egress::Wanted> whereTo() {
        const auto& to = m_url.destination();
        const auto no = [&](std::string words) {
            step("address", false, std::move(words));
            return std::nullopt;
        };
        if (m_url.isOnThisComputer()) {
            step("address", true, "It is on this computer; machines reach it as " + to.text() + ", and no other port by it.");
            return egress::Wanted{egress::ownComputerAt(to.port), std::nullopt};
        }
        if (!m_ways.proxies) {
            return no(sentence(m_ways.proxies.error().message));
        }
        const auto* proxy = m_ways.proxies->proxyFor(to);
        if (proxy != nullptr && to.address() != nullptr) {
            return no("This computer reaches the network through a proxy, and there only names are connected to.");
        }
        const auto& first = proxy != nullptr ? proxy->at : to;
        std::vector<egress::Address> addresses;
        if (const auto* address = first.address()) {
            addresses = {*address};
        } else {
            auto found = resolved(*m_ways.resolver, std::get<HostName>(first.host), m_stop);
            if (!found) {
                return no(first.hostText() + ": " + found.error().message + ". Look whether it is written right, and whether this computer has a network.");
            }
            addresses = std::move(*found);
        }
        if (proxy != nullptr) {
            step("address", true, "This computer goes through the proxy " + first.text() + ", which looks names up: where this one leads is not seen here.");
            return egress::Wanted{endpointsOf(addresses, first.port), egress::Tunnel(*proxy, to)};
        }
        return judged(to, addresses);
    }

    std::optional<egress::Wanted> judged(const Destination& to, const std::vector<egress::Address>& addresses) {
        const auto own = m_ways.ownNetworks();
        std::string words = to.hostText() + (to.address() != nullptr ? " is an address" : " leads to " + addresses.front().text()) +
                            (addresses.size() > 1 ? " and " + std::to_string(addresses.size() - 1) + " more" : "") + ".";
        for (const auto& each : addresses) {
            auto special = egress::specialOf(each);
            special = special || !own ? special : own->specialOf(each);
            if (special && to.address() == nullptr) {
                m_out.special.push_back({each, to.port});
                words += " " + each.text() + " is an address of " + std::string(special->what) +
                         (special->naming == egress::Naming::Never ? ", and no agent is let there." : ": agents get there only by a rule that names that address with its port, of high risk.");
            }
        }
        if (m_out.special.size() < addresses.size()) { // the others do
            m_out.special.clear();
        }
        step("address", true, std::move(words));
        return egress::Wanted{endpointsOf(addresses, to.port), std::nullopt};
    }

    UniqueFd connect(egress::Wanted wanted) {
        auto made = connected(*m_ways.connector, std::move(wanted), m_stop);
        if (!made) {
            const bool here = m_url.isOnThisComputer() && made.error().code == ErrorCode::Refused;
            step("connection", false, here ? "Nobody listens there. Start the server, and look at which port it says that it listens."
                                           : sentence(made.error().message));
            return {};
        }
        step("connection", true, "A connection can be made.");
        return std::move(made->socket);
    }

    void certificate(const UniqueFd& socket) {
        const auto no = [&](const std::string& words) { step("certificate", false, sentence(words)); };
        const auto file = m_ways.roots();
        const auto roots = file ? rootsFrom(*file) : Result<std::string>(fail(file.error()));
        const auto context = roots ? relay::ClientContext::create(*roots) : Result<relay::ClientContext>(fail(roots.error()));
        if (!context) {
            return no(context.error().message);
        }
        auto end = relay::TlsClientEnd::create(*context, m_url.destination().hostText());
        if (!end) {
            return no(end.error().message);
        }
        const auto until = Clock::now() + m_patience;
        while ((*end)->state() == relay::End::State::Opening) {
            if (m_stop.stop_requested() || Clock::now() >= until) {
                return no(m_stop.stop_requested() ? "it was called off" : "it did not answer in time as a server with TLS does");
            }
            if (!turn(socket, **end)) {
                return no("it closed the connection, so there is no TLS there perhaps");
            }
        }
        if ((*end)->state() == relay::End::State::Failed) {
            return no((*end)->why());
        }
        step("certificate", true, "Its certificate is valid for " + m_url.destination().hostText() + ".");
    }

    // What is owed to the wire, then what comes; false: that is over.
    bool turn(const UniqueFd& socket, relay::End& end) {
        for (auto out = end.takeOutput(relay::kMostHeld); !out.empty(); out = end.takeOutput(relay::kMostHeld)) {
            // A handshake's side of it is far smaller than what a new socket takes at once.
            if (::send(socket.get(), out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) {
                return false;
            }
        }
        pollfd look{socket.get(), POLLIN, 0};
        if (::poll(&look, 1, kLookAtStopMs) <= 0) {
            return true;
        }
        std::array<std::byte, 16 * 1024> buffer{};
        const auto got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (got <= 0) {
            return got < 0 && (errno == EINTR || errno == EAGAIN);
        }
        (void)end.feed(ByteSpan(buffer).first(static_cast<std::size_t>(got))); // holds more than that
        return true;
    }

    const ModelUrl& m_url;
    const egress::Networks::Ways& m_ways;
    const std::stop_token m_stop;
    const std::chrono::milliseconds m_patience;
    Reach m_out;
};

} // namespace

Reach tryToReach(const ModelUrl& url, const egress::Networks::Ways& ways, std::stop_token stop, std::chrono::milliseconds patience) {
    return Trial(url, ways, std::move(stop), patience).run();
}

} // namespace carrel::providers
