// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/name_lookup.h"

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <netdb.h>
#include <thread>

namespace carrel::agent {

namespace {

using boost::asio::ip::tcp;

struct Lookup {
    std::mutex mutex;
    std::condition_variable_any changed;
    bool done = false;
    int error = 0;
    std::vector<tcp::endpoint> found;
};

void run(const std::shared_ptr<Lookup>& lookup, const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    std::vector<tcp::endpoint> found;
    for (const auto* each = error == 0 ? list : nullptr; each != nullptr; each = each->ai_next) {
        tcp::endpoint endpoint;
        if (each->ai_addrlen <= endpoint.capacity()) {
            std::memcpy(endpoint.data(), each->ai_addr, each->ai_addrlen);
            endpoint.resize(each->ai_addrlen);
            found.push_back(endpoint);
        }
    }
    if (list != nullptr) {
        ::freeaddrinfo(list);
    }
    const std::scoped_lock lock(lookup->mutex);
    lookup->done = true;
    lookup->error = error;
    lookup->found = std::move(found);
    lookup->changed.notify_all();
}

constexpr const char* kNetworkHint = "\"carrel-ask why\" in this machine says whether Carrel refused it; on the computer, \"carrel net "
                                     "mode AGENT\" shows how an agent may connect";

} // namespace

TurnResult<std::vector<tcp::endpoint>> lookUp(const std::string& host, std::uint16_t port, std::chrono::milliseconds time,
                                              const std::stop_token& stop) {
    boost::system::error_code noAddress;
    if (const auto address = boost::asio::ip::make_address(host, noAddress); !noAddress) {
        return std::vector<tcp::endpoint>{{address, port}};
    }
    const auto lookup = std::make_shared<Lookup>();
    try {
        std::thread(run, lookup, host, port).detach();
    } catch (const std::system_error& error) {
        return failTurn(FailureKind::NoConnection, errnoError("the name of the model's host cannot be looked up", error.code().value()));
    }
    std::unique_lock lock(lookup->mutex);
    const bool done = lookup->changed.wait_until(lock, stop, std::chrono::steady_clock::now() + time, [&] { return lookup->done; });
    if (stop.stop_requested()) {
        return failTurn(FailureKind::Cancelled, "it was stopped");
    }
    if (!done) {
        return failTurn(FailureKind::NoConnection, "nobody said in time where " + host + " is", kNetworkHint);
    }
    if (lookup->error == EAI_NONAME || lookup->error == EAI_NODATA) {
        return failTurn(FailureKind::NoSuchHost, "there is no host " + host,
                        std::string("look at the address that is set for the model; ") + kNetworkHint);
    }
    if (lookup->error != 0 || lookup->found.empty()) {
        return failTurn(FailureKind::NoConnection, "where " + host + " is could not be found out: " + ::gai_strerror(lookup->error),
                        kNetworkHint);
    }
    return std::move(lookup->found);
}

} // namespace carrel::agent
