// SPDX-License-Identifier: Apache-2.0
// One session on the terminals channel (guest/protocol/control.h), as the channel's events see it: a command that a caller
// holds the other end of (session_relay.h), or the reading of a document (document_reader.h).
// Thread: the event loop's.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/control.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>

namespace carrel::clerk {

class GuestSession {
public:
    virtual ~GuestSession() = default;

    // Events of one of this session's streams; part = kSessionControl … kSessionStderr.
    virtual void guestData(std::uint32_t part, Bytes&& data) = 0;
    virtual void guestEnd(std::uint32_t part) = 0;
    virtual void guestReset(std::uint32_t part) = 0;
    virtual void guestWritable(std::uint32_t part) = 0;
    // The channel's epoch ended, or the channel did: the session is lost to us.
    virtual void guestGone(const std::string& why) = 0;

    GuestSession(const GuestSession&) = delete;
    GuestSession& operator=(const GuestSession&) = delete;

protected:
    GuestSession() = default;
};

// The guest's words on a control stream: nothing for "started", else the outcome in one of the three forms that exist,
// {"code": n}, {"signal": n} or {"error": …}; what is in no form is an error of its own.
[[nodiscard]] boost::json::object sessionOutcome(std::string_view message);

} // namespace carrel::clerk
