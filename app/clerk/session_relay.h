// SPDX-License-Identifier: Apache-2.0
// Joins one command's four streams (guest/protocol/control.h) on the terminals channel with a local socket whose other
// end the command line holds: bytes both ways with back-pressure (a side that does not read stops only its own
// session), signals and sizes inwards, the outcome outwards. The caller's side may send nothing else.
// Thread: the event loop's.
#pragma once

#include "app/clerk/channel_pump.h"
#include "app/clerk/guest_session.h"
#include "guest/protocol/control.h"

#include <boost/json/object.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>

namespace carrel::clerk {

// Both ends of the local socket agree on it instead of on a random epoch.
inline constexpr std::uint32_t kLocalEpochTag = 0x6c726143; // "Carl"
inline constexpr std::uint32_t kLocalSession = 1;

class SessionRelay final : public GuestSession, public std::enable_shared_from_this<SessionRelay> {
public:
    // What became of the command: {"code": n}, {"signal": n} or {"error": text}.
    using Ended = std::function<void(std::uint32_t session, boost::json::object outcome)>;

    static std::shared_ptr<SessionRelay> create(boost::asio::io_context& loop, std::uint32_t session, UniqueFd socket,
                                                std::shared_ptr<ChannelPump> guest, Ended ended);
    ~SessionRelay() override;

    // Tells the guest to start the command.
    [[nodiscard]] Status start(const boost::json::object& startMessage);

    void guestData(std::uint32_t part, Bytes&& data) override;
    void guestEnd(std::uint32_t part) override;
    void guestReset(std::uint32_t part) override;
    void guestWritable(std::uint32_t part) override;
    void guestGone(const std::string& why) override;

private:
    SessionRelay(std::uint32_t session, std::shared_ptr<ChannelPump> guest, Ended ended);
    void attach(boost::asio::io_context& loop, UniqueFd socket);
    void callerData(std::uint32_t stream, Bytes&& data);
    void callerEnd(std::uint32_t stream);
    void callerGone();
    void tellCaller(const boost::json::object& message);
    void maybeFinish();
    void finish();
    [[nodiscard]] std::uint32_t guestStream(std::uint32_t part) const { return m_session * control::kSessionStreams + part; }
    [[nodiscard]] static std::uint32_t callerStream(std::uint32_t part) {
        return kLocalSession * control::kSessionStreams + part;
    }

    std::uint32_t m_session;
    std::shared_ptr<ChannelPump> m_guest;
    std::shared_ptr<ChannelPump> m_caller;
    Ended m_ended;
    boost::json::object m_outcome;
    std::array<bool, control::kSessionStreams> m_outputEnded{true, true, false, false};
    // Bytes taken from one side and not yet passed on by the other: their credit is still owed.
    std::size_t m_owedToCaller = 0;
    std::array<std::size_t, control::kSessionStreams> m_owedToGuest{};
    bool m_exited = false;
    bool m_finished = false;
};

} // namespace carrel::clerk
