// SPDX-License-Identifier: Apache-2.0
// What ending TLS costs, in memory and on one core: a body of 256 MiB from a played host to a played program. Passed through: the
// program's TLS reaches the host, and the clerk copies what is encrypted. Terminated: the clerk takes it out of one TLS, reads the HTTP
// and puts it into another; with a credential, it also looks for the secret. The played ends' own TLS is in both numbers, as it would
// be on a machine with one core; the clerk's part alone is told beside it. Last, small requests, each on a connection of its own, and
// what an idle connection holds.
#include "tests/app/relay/road_rig.h"

#include <cstdio>
#include <ctime>
#include <malloc.h>

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::test;

namespace {

constexpr std::size_t kPiece = 64 * 1024; // what a clerk reads from a socket at a time
constexpr std::size_t kBody = 256UL * 1024 * 1024;
const std::string kHost = "api.example.org";
const std::string kRequest = "GET / HTTP/1.1\r\nHost: api.example.org\r\nAuthorization: Bearer sk-none-0000000000000000\r\n\r\n";

double seconds() {
    timespec now{};
    (void)::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct Spent {
    double all = 0;
    double clerk = 0;
};

// In between: a clerk that copies. Its queue is what a relay holds.
struct Copier {
    ByteQueue queue;
    std::size_t from(ByteSpan wire) {
        const auto count = std::min(wire.size(), kMostHeld - std::min(queue.size(), kMostHeld));
        queue.append(wire.first(count));
        return count;
    }
    Bytes take(std::size_t most) {
        const auto piece = queue.front().first(std::min(most, queue.size()));
        Bytes out(piece.begin(), piece.end());
        queue.drop(out.size());
        return out;
    }
};

template <class ToGuest, class ToHost, class FromGuest, class FromHost>
Spent exchange(End& program, End& host, std::size_t body, FromGuest fromGuest, FromHost fromHost, ToGuest toGuest, ToHost toHost) {
    Spent spent;
    const double begin = seconds();
    const auto clerk = [&](auto what) {
        const double before = seconds();
        auto out = what();
        spent.clerk += seconds() - before;
        return out;
    };
    ByteQueue request;
    ByteQueue heard;
    ByteQueue wire[2];
    request.append(kRequest);
    std::size_t said = 0;
    std::size_t got = 0;
    bool asked = false;
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body) + "\r\n\r\n";
    Bytes piece(kPiece); // like text that is dense: each character of base64 as often as another
    for (std::size_t i = 0, state = 1; i < piece.size(); ++i) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        piece[i] = static_cast<std::byte>("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[state >> 58U]);
    }
    while (got < head.size() + body) {
        request.drop(program.write(request.front()));
        if (wire[0].empty()) {
            wire[0].append(program.takeOutput(kPiece));
        }
        wire[0].drop(clerk([&] { return fromGuest(wire[0].front()); }));
        const auto up = clerk([&] { return toHost(kPiece); });
        (void)host.feed(up);
        (void)host.read(heard, kPiece);
        if (!asked && heard.size() > 0 && asText(heard.front()).ends_with("\r\n\r\n")) {
            asked = host.write(asBytes(head)) == head.size();
        } else if (asked && said < body) {
            said += host.write(ByteSpan(piece).first(std::min(kPiece, body - said)));
        }
        if (wire[1].empty()) {
            wire[1].append(host.takeOutput(kPiece));
        }
        wire[1].drop(clerk([&] { return fromHost(wire[1].front()); }));
        const auto down = clerk([&] { return toGuest(kPiece); });
        (void)program.feed(down);
        ByteQueue in;
        got += program.read(in, kPiece * 4);
    }
    spent.all = seconds() - begin;
    return spent;
}

Spent passedThrough(TlsWorld& world, std::size_t body) {
    auto trusting = ClientContext::create(world.trusted.certificatePem).value();
    auto program = TlsClientEnd::create(trusting, kHost).value();
    auto host = TlsServerEnd::create(world.server, *world.worldIssuer.leafFor(kHost, world.now).value(), kHost).value();
    Copier up;
    Copier down;
    return exchange(
        *program, *host, body, [&](ByteSpan wire) { return up.from(wire); }, [&](ByteSpan wire) { return down.from(wire); },
        [&](std::size_t most) { return down.take(most); }, [&](std::size_t most) { return up.take(most); });
}

enum class Credential { None, Injected };
Spent terminated(TlsWorld& world, std::size_t body, Credential credential) {
    auto program = TlsClientEnd::create(world.program, kHost).value();
    auto host = TlsServerEnd::create(world.server, *world.worldIssuer.leafFor(kHost, world.now).value(), kHost).value();
    HttpRoad* itself = nullptr;
    HttpRoad road(TlsServerEnd::create(world.server, *world.agentIssuer.leafFor(kHost, world.now).value(), kHost).value(),
                  TlsClientEnd::create(world.clerk, kHost).value(), {{Scheme::Https, kHost, 443}, world.placeholders, {}},
                  {[] { return HttpRoad::Clock::now(); },
                   [&](const AskedRequest& request) {
                       RequestAnswer answer{.verdict = Verdict::Allow};
                       if (credential == Credential::Injected) {
                           answer.inject = Injection{"Authorization", secretText("Bearer live-9f8A7b6C5d4e3F2g1H0"), {}, "model"};
                       }
                       itself->answer(request.request, std::move(answer));
                   },
                   nullptr});
    itself = &road;
    return exchange(
        *program, *host, body, [&](ByteSpan wire) { return road.fromGuest(wire); }, [&](ByteSpan wire) { return road.fromHost(wire); },
        [&](std::size_t most) { return road.takeForGuest(most); }, [&](std::size_t most) { return road.takeForHost(most); });
}

void row(const char* name, const Spent& spent, const Spent& peer) {
    constexpr double kMiB = 1024.0 * 1024;
    std::printf("%-34s %8.0f MiB/s   %5.2f of passed through   the clerk alone %8.0f MiB/s\n", name, kBody / kMiB / spent.all, peer.all / spent.all,
                kBody / kMiB / spent.clerk);
}

template <class Once> double perSecond(Once once) {
    constexpr int kTimes = 300;
    const double begin = seconds();
    for (int i = 0; i < kTimes; ++i) {
        once();
    }
    return kTimes / (seconds() - begin);
}

// A road after an exchange of a body, waiting for the next request; the played ends' own TLS is in it.
double idleKiB(TlsWorld& world) {
    constexpr std::size_t kRoads = 50;
    std::vector<std::unique_ptr<RoadRig>> rigs;
    std::vector<std::size_t> used;
    for (std::size_t i = 0; i <= kRoads; ++i) {
        rigs.push_back(world.rig());
        (void)rigs.back()->ask(kRequest);
        (void)rigs.back()->reply("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + std::string(1'000'000, 'x'));
        rigs.back()->program.rest();
        rigs.back()->host.rest();
        used.push_back(::mallinfo2().uordblks + ::mallinfo2().hblkhd);
    }
    return static_cast<double>(used.back() - used.front()) / kRoads / 1024;
}

} // namespace

int main() {
    TlsWorld world;
    (void)passedThrough(world, kPiece * 16);
    const auto passed = passedThrough(world, kBody);
    row("passed through", passed, passed);
    row("terminated", terminated(world, kBody, Credential::None), passed);
    row("terminated, with a credential", terminated(world, kBody, Credential::Injected), passed);
    const double ours = perSecond([&] { (void)terminated(world, 1000, Credential::Injected); });
    const double theirs = perSecond([&] { (void)passedThrough(world, 1000); });
    std::printf("%-34s %8.0f /s      passed through %.0f /s\n", "new connections, one request each", ours, theirs);
    std::printf("%-34s %8.0f KiB     (four ends of TLS, two of them the clerk's)\n", "held by an idle connection", idleKiB(world));
    return 0;
}
