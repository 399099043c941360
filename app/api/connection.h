// SPDX-License-Identifier: Apache-2.0
// One caller of the server. Private to app/api.
#pragma once

#include "app/api/line_reader.h"
#include "app/api/server.h"
#include "guest/protocol/rpc.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>

namespace carrel::api::detail {

class Connection {
public:
    // Without a gate the owner's. With one a client's, which has to present its token first.
    Connection(UniqueFd socket, const Handlers& handlers, const ClientGate* gate);

    // Serves requests until the peer ends, breaks the rules, or cut() is called. On the connection's own
    // thread.
    void serve();
    // From another thread: the peer is gone, or the server ends.
    void cut();

    [[nodiscard]] int descriptor() const { return m_socket.get(); }
    [[nodiscard]] bool gone() const { return m_stop.stop_requested(); }
    [[nodiscard]] bool isClient() const { return m_gate != nullptr; }
    [[nodiscard]] bool unknown() const { return isClient() && !m_admitted.load(); }
    [[nodiscard]] bool finished() const { return m_finished.load(); }
    void markFinished() { m_finished.store(true); }

    [[nodiscard]] bool send(const std::string& line, int attached = -1);
    [[nodiscard]] bool notify(std::string_view method, boost::json::object params);

private:
    enum class Next { GoOn, Close };
    [[nodiscard]] Next answer(const std::string& line);
    [[nodiscard]] Next admit(const RpcRequest& request);
    [[nodiscard]] bool waitForAuth();
    void pause(std::chrono::milliseconds time);
    [[nodiscard]] Result<boost::json::value> run(Call& call);
    [[nodiscard]] Next respond(RpcResponse response, int attached = -1);

    UniqueFd m_socket;
    const Handlers& m_handlers;
    const ClientGate* m_gate;
    LineReader m_reader;
    std::stop_source m_stop;
    std::atomic<bool> m_finished = false;
    std::atomic<bool> m_admitted = false;
    std::mutex m_sending;
    // The connection's thread's. Never leaves the role that it was made with.
    Admission m_admission;
    std::chrono::steady_clock::time_point m_authUntil;
    std::optional<std::stop_callback<std::function<void()>>> m_whenTokenEnds; // last: calls cut()
};

} // namespace carrel::api::detail
