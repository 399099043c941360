// SPDX-License-Identifier: Apache-2.0
// From what is allowed to a connected socket. All on the Egress's own thread, but for the waiting.
#include "app/egress/egress.h"

#include <algorithm>
#include <fcntl.h>

namespace carrel::egress {

using policy::Answer;
using Clock = std::chrono::steady_clock;

namespace {

Outcome outcomeOf(ErrorCode code) {
    switch (code) {
    case ErrorCode::Refused:
        return Outcome::Refused;
    case ErrorCode::Expired:
        return Outcome::TimedOut;
    case ErrorCode::LimitExceeded:
        return Outcome::Limit;
    case ErrorCode::Cancelled:
        return Outcome::Closed;
    default:
        return Outcome::Unreachable;
    }
}

std::vector<Endpoint> endpointsOf(const std::vector<Address>& addresses, std::uint16_t port) {
    std::vector<Endpoint> out;
    for (const auto& each : addresses) {
        out.push_back({each, port});
    }
    return out;
}

} // namespace

void Egress::lookUp(const StreamPtr& stream) {
    if (!m_to.proxies) {
        return refuse(stream, {Outcome::Unreachable, m_to.proxies.error().message});
    }
    const Proxy* proxy = m_to.proxies->proxyFor(stream->to);
    if (proxy != nullptr && stream->to.address() != nullptr) {
        return refuse(stream, {Outcome::Unreachable, "this computer reaches the network through a proxy, and there only names are connected to"});
    }
    if (proxy == nullptr && stream->looked) { // judged by now
        return connect(stream, {stream->candidates, std::nullopt});
    }
    {
        const std::lock_guard lock(m_mutex);
        if (!isThere(stream)) {
            return;
        }
        stream->phase = Phase::Looking;
        stream->unchecked = proxy != nullptr;
    }
    // The proxy is the owner's word, whatever its address.
    const auto target = proxy != nullptr ? proxy->at : stream->to;
    if (const auto* address = target.address()) {
        return connect(stream, {{{*address, target.port}}, Tunnel(*proxy, stream->to)});
    }
    m_to.resolver->resolve(std::get<HostName>(target.host), stream->stop.get_token(),
                           [weak = weak_from_this(), stream, proxy, port = target.port](Addresses addresses) {
                               const auto self = weak.lock();
                               if (!self) {
                                   return;
                               }
                               self->post([raw = self.get(), stream, proxy, port, addresses = std::move(addresses)] {
                                   if (proxy == nullptr || !addresses) {
                                       raw->found(stream, addresses);
                                   } else {
                                       raw->connect(stream, {endpointsOf(*addresses, port), Tunnel(*proxy, stream->to)});
                                   }
                               });
                           });
}

void Egress::found(const StreamPtr& stream, Addresses addresses) {
    if (!addresses) {
        const auto code = addresses.error().code;
        return refuse(stream, {code == ErrorCode::NotFound || code == ErrorCode::Expired || code == ErrorCode::Unavailable
                                   ? Outcome::Unresolved
                                   : outcomeOf(code),
                               addresses.error().message});
    }
    const auto own = m_to.ownNetworks();
    if (!own) {
        return refuse(stream, {Outcome::Denied, "it cannot be told now which addresses are this computer's own"});
    }
    const auto port = stream->to.port;
    std::vector<Endpoint> candidates;
    std::optional<Need> needs; // of an address that is reached only by a word of its own
    bool isAllowed = false;
    std::string why = "the name leads to no address that can be connected to";
    for (const auto& address : *addresses) {
        auto special = specialOf(address);
        special = special ? special : own->specialOf(address);
        if (special && special->naming == Naming::Never) {
            why = "the name leads to " + std::string(special->what);
            continue;
        }
        Need need;
        need.item = requestFor(address, port, special ? policy::Risk::High : policy::Risk::Routine);
        const auto verdict = m_to.rules->decide(std::span(&need.item, 1));
        if (verdict.answer == Answer::Deny) {
            why = "a rule of the owner's denies the address that the name leads to";
        } else if (!special) {
            candidates.push_back({address, port});
        } else if (!needs || (!isAllowed && verdict.answer == Answer::Allow)) {
            isAllowed = verdict.answer == Answer::Allow;
            need.riskReason = stream->to.hostText() + " leads to " + address.text() + ", an address of " + std::string(special->what) +
                              ", and not of the internet";
            needs = std::move(need);
            stream->candidates = {{address, port}};
            why = "the name leads to an address of " + std::string(special->what) + ", which no rule names";
        }
    }
    stream->looked = true;
    if (!candidates.empty()) {
        stream->candidates = std::move(candidates);
        return connect(stream, {stream->candidates, std::nullopt});
    }
    const auto mode = [&] {
        const std::lock_guard lock(m_mutex);
        return m_mode;
    }();
    if (!needs || (!isAllowed && mode != NetMode::Ask)) {
        return refuse(stream, {Outcome::Denied, why});
    }
    {
        const std::lock_guard lock(m_mutex);
        stream->phase = Phase::Deciding;
        stream->needs.push_back(std::move(*needs));
    }
    decide(stream);
}

void Egress::connect(const StreamPtr& stream, Wanted wanted) {
    {
        const std::lock_guard lock(m_mutex);
        if (!isThere(stream)) {
            return;
        }
        stream->phase = Phase::Connecting;
    }
    m_to.connector->connect(std::move(wanted), stream->stop.get_token(), [weak = weak_from_this(), stream](Result<Made> made) {
        const auto self = weak.lock();
        if (!self) {
            return;
        }
        const auto kept = std::make_shared<Result<Made>>(std::move(made)); // a function that is copied holds no socket
        self->post([raw = self.get(), stream, kept] { raw->connected(stream, std::move(*kept)); });
    });
}

Status Egress::grant(const StreamPtr& stream, const std::vector<Need>& needs, std::vector<std::uint64_t> Stream::*into,
                     const std::optional<Endpoint>& to) {
    std::vector<policy::Grant> wanted;
    for (const auto& need : needs) {
        wanted.push_back({m_to.agent, m_to.session, {need.item}, need.approval, need.rule, need.untilMs});
    }
    if (to) { // a rule may deny the address, by whatever name it was come to
        wanted.push_back({m_to.agent, m_to.session, {requestFor(to->address, to->port, policy::Risk::Routine)}, 0, 0, {}, true});
    }
    for (auto& each : wanted) {
        auto added = m_to.grants->add(std::move(each), [weak = weak_from_this(), of = std::weak_ptr(stream)](const policy::Grant&, const std::string& why) {
            const auto self = weak.lock();
            const auto one = of.lock();
            if (self && one) {
                self->cut(one, why);
            }
        });
        if (!added) {
            return fail(std::move(added).error());
        }
        const std::lock_guard lock(m_mutex);
        ((*stream).*into).push_back(*added);
        if (!isThere(stream)) {
            return fail(ErrorCode::Cancelled, "whoever asked has gone");
        }
    }
    return {};
}

void Egress::connected(const StreamPtr& stream, Result<Made> made) {
    if (!made) {
        return refuse(stream, {outcomeOf(made.error().code), made.error().message});
    }
    if (const auto no = limitNow()) {
        return refuse(stream, *no);
    }
    if (!stream->unchecked && std::find(stream->candidates.begin(), stream->candidates.end(), made->to) == stream->candidates.end()) {
        return refuse(stream, {Outcome::Denied, "another address was connected to than the one that was judged"});
    }
    if (stream->treat == Treat::Terminate) {
        if (auto told = tellTrust(stream->clerk); !told) {
            return refuse(stream, {Outcome::Denied, "its requests cannot be read: " + told.error().message});
        }
    } else if (m_to.credentials && stream->treat != Treat::Http) {
        const auto bound = m_to.credentials->boundTo(stream->to.hostText());
        if (!bound || !bound->empty()) {
            return refuse(stream, {Outcome::Closed, "a credential was bound to that host a moment ago: try again"});
        }
    }
    // An error: the rules are others by now, or it was cut already.
    const auto leadsTo = stream->unchecked ? std::nullopt : std::optional(made->to);
    if (auto granted = grant(stream, stream->needs, &Stream::grants, leadsTo); !granted) {
        letGo(stream);
        return refuse(stream, {Outcome::Denied, granted.error().message});
    }
    UniqueFd ours(::fcntl(made->socket.get(), F_DUPFD_CLOEXEC, 0));
    const auto counts = countsOf(made->socket.get());
    if (!ours || !counts) {
        return refuse(stream, {Outcome::Limit, "this computer has no room for another connection"});
    }
    std::optional<No> no;
    {
        const std::lock_guard lock(m_mutex);
        if (!isThere(stream)) {
            return; // what it was granted is gone with it
        }
        const bool byRules = std::all_of(stream->needs.begin(), stream->needs.end(), [](const Need& each) { return each.rule != 0; });
        if (m_mode == NetMode::Offline) {
            no = No{Outcome::Offline, "the agent has no network now"};
        } else if (m_mode == NetMode::Allowlist && !byRules) {
            no = No{Outcome::Denied, "no rule of the owner's allows it"};
        } else {
            stream->phase = Phase::Open;
            stream->socket = std::move(ours);
            stream->before = *counts;
            stream->since = Clock::now();
            if (!stream->unchecked) {
                stream->at = made->to;
            }
            m_traffic.began(stream->to.text(), stream->unchecked, Clock::now());
        }
    }
    if (no) {
        return refuse(stream, *no);
    }
    tellEffect(stream->needs, policy::EffectState::Done, "");
    say(stream->clerk, "net.connected", {{"number", stream->number}, {"treat", toString(stream->treat)}}, made->socket.get());
}

} // namespace carrel::egress
