// SPDX-License-Identifier: Apache-2.0
#include "tests/app/agents/stand_in_clerk.h"

#include "guest/protocol/watch_event.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace carrel::agents::test {

namespace json = boost::json;

StandInHouse::StandInHouse() {
    const std::string socket = m_folder.filePath("s").toStdString();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
    m_listener.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (::bind(m_listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(m_listener.get(), 16) != 0) {
        std::abort();
    }
    // The engine starts its clerk without words: the kernel adds the one that stands in the first line.
    std::ofstream(program()) << "#!" CARREL_STAND_IN_CLERK " " << socket << "\n";
    (void)::chmod(program().c_str(), 0700);
}

std::optional<StandIn> StandInHouse::take() {
    UniqueFd leash(::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!leash) {
        return std::nullopt;
    }
    auto hello = clerk::receiveLink(leash.get(), clerk::Wait::Block);
    if (!hello || hello->descriptors.size() != 1) {
        return std::nullopt;
    }
    return StandIn(std::move(hello->descriptors.front()), std::move(leash));
}

void StandInHouse::close() {
    (void)::shutdown(m_listener.get(), SHUT_RDWR);
}

StandInClerks::StandInClerks()
    : m_accepting([this] {
        while (auto one = m_house.take()) {
            const std::lock_guard lock(m_mutex);
            auto& kept = m_clerks.emplace_back(std::move(*one));
            const auto number = static_cast<unsigned>(m_clerks.size());
            m_threads.emplace_back([this, &kept, number] { serve(kept, number); });
        }
    }) {}

StandInClerks::~StandInClerks() {
    m_house.close();
    m_accepting.join();
    for (const auto& each : m_clerks) {
        (void)::shutdown(each.link(), SHUT_RDWR);
    }
    for (auto& each : m_threads) {
        each.join();
    }
}

void StandInClerks::on(std::string method, Handler handler) {
    EachHandler each;
    if (handler) {
        each = [handler = std::move(handler)](unsigned, const json::object& params) { return handler(params); };
    }
    onEach(std::move(method), std::move(each));
}

void StandInClerks::onEach(std::string method, EachHandler handler) {
    const std::lock_guard lock(m_mutex);
    m_handlers[std::move(method)] = std::move(handler);
}

void StandInClerks::onContent(Content content) {
    const std::lock_guard lock(m_mutex);
    m_content = std::move(content);
}

void StandInClerks::onDocument(Document document) {
    const std::lock_guard lock(m_mutex);
    m_document = std::move(document);
}

void StandInClerks::onConnected(Connected connected) {
    const std::lock_guard lock(m_mutex);
    m_connected = std::move(connected);
}

void StandInClerks::onPiped(Piped piped) {
    const std::lock_guard lock(m_mutex);
    m_piped = std::move(piped);
}

void StandInClerks::dropAll() {
    const std::lock_guard lock(m_mutex);
    for (const auto& each : m_clerks) {
        (void)::shutdown(each.link(), SHUT_RDWR);
    }
}

void StandInClerks::drop(unsigned clerk) {
    const std::lock_guard lock(m_mutex);
    (void)::shutdown(std::next(m_clerks.begin(), clerk - 1)->link(), SHUT_RDWR);
}

void StandInClerks::tell(std::string method, json::object params) {
    const std::lock_guard lock(m_mutex);
    const bool ofTheNetwork = method.starts_with("net.") || method.starts_with("forward.");
    auto& from = ofTheNetwork && m_network > 0 ? *std::next(m_clerks.begin(), m_network - 1) : m_clerks.back();
    from.tell(std::move(method), std::move(params));
}

void StandInClerks::tellFrom(unsigned clerk, std::string method, json::object params) {
    const std::lock_guard lock(m_mutex);
    std::next(m_clerks.begin(), clerk - 1)->tell(std::move(method), std::move(params));
}

unsigned StandInClerks::count(const std::string& method) const {
    const std::lock_guard lock(m_mutex);
    const auto found = m_counts.find(method);
    return found == m_counts.end() ? 0 : found->second;
}

void StandInClerks::serve(StandIn& one, unsigned number) {
    while (const auto request = one.next()) {
        if (auto answer = answerTo(*request, one.descriptors(), number); answer && request->id) {
            one.answer(*request->id, std::move(*answer));
        }
    }
    one.end();
}

StandInClerks::Answer StandInClerks::answerTo(const RpcRequest& request,
                                             const std::vector<UniqueFd>& descriptors, unsigned number) {
    EachHandler handler;
    Content content;
    Document document;
    Connected connected;
    Piped piped;
    {
        const std::lock_guard lock(m_mutex);
        const auto* channels = request.method == "attach" ? request.params.if_contains("channels") : nullptr;
        if (channels != nullptr && std::ranges::count(channels->as_array(), json::value("network")) > 0) {
            m_network = number;
        }
        piped = m_piped;
        ++m_counts[request.method];
        if (const auto found = m_handlers.find(request.method); found != m_handlers.end()) {
            handler = found->second;
        }
        content = m_content;
        document = m_document;
        connected = m_connected;
    }
    if (request.method == "document.read" && document && descriptors.size() == 2) {
        return document(number, request.params, descriptors[0].get(), descriptors[1].get());
    }
    if ((request.method == "net.connected" || request.method == "forward.connected") && connected && descriptors.size() == 1) {
        connected(request.params, UniqueFd(::fcntl(descriptors.front().get(), F_DUPFD_CLOEXEC, 0)));
        return json::object{};
    }
    if ((request.method == "net.answer" || request.method == "net.authority") && piped && descriptors.size() == 1) {
        piped(request.method, request.params, UniqueFd(::fcntl(descriptors.front().get(), F_DUPFD_CLOEXEC, 0)));
    }
    if (request.method == "content.copy" && content && descriptors.size() == 1) {
        const auto bytes = content(request.params);
        if (!bytes || ::pwrite(descriptors.front().get(), bytes->data(), bytes->size(), 0) !=
                          static_cast<ssize_t>(bytes->size())) {
            return fail(ErrorCode::Conflict, "it has another generation by now");
        }
        return json::object{{"size", bytes->size()}};
    }
    if (handler) {
        return handler(number, request.params);
    }
    if (request.method == "prepare") {
        return json::object{{"landlock_abi", 1}, {"seccomp", true}};
    }
    if (request.method == watch::kMethod) { // nothing happens in its machine
        const auto ask = watch::askFrom(request.params);
        return watch::answerOf({1, ask && ask->book == 1 ? ask->after + 1 : 1, watch::batchOf(0, {}), {}});
    }
    if (request.method == "changes.list") {
        return json::object{{"entries", json::array{}}, {"next", nullptr}, {"staged", 0}};
    }
    if (request.method == "changes.settle" || request.method == "changes.discard") {
        return json::object{{"kept", json::array{}}};
    }
    return json::object{};
}

} // namespace carrel::agents::test
