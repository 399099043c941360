// SPDX-License-Identifier: Apache-2.0
// One caller of the server. Private to app/api.
#pragma once

#include "app/api/line_reader.h"
#include "app/api/server.h"
#include "guest/protocol/rpc.h"

#include <atomic>
#include <mutex>

namespace carrel::api::detail {

class Connection {
public:
    Connection(UniqueFd socket, const Handlers& handlers);

    // Serves requests until the peer ends, breaks the rules, or cut() is called. On the connection's own
    // thread.
    void serve();
    // From another thread: the peer is gone, or the server ends.
    void cut();

    [[nodiscard]] int descriptor() const { return m_socket.get(); }
    [[nodiscard]] bool gone() const { return m_stop.stop_requested(); }
    [[nodiscard]] bool finished() const { return m_finished.load(); }
    void markFinished() { m_finished.store(true); }

    [[nodiscard]] bool send(const std::string& line, int attached = -1);
    [[nodiscard]] bool notify(std::string_view method, boost::json::object params);

private:
    enum class Next { GoOn, Close };
    [[nodiscard]] Next answer(const std::string& line);
    [[nodiscard]] Result<boost::json::value> run(Call& call);
    [[nodiscard]] Next respond(RpcResponse response, int attached = -1);

    UniqueFd m_socket;
    const Handlers& m_handlers;
    LineReader m_reader;
    std::stop_source m_stop;
    std::atomic<bool> m_finished = false;
    std::mutex m_sending;
};

} // namespace carrel::api::detail
