// SPDX-License-Identifier: Apache-2.0
// What of a guest's words goes on to the engine. Everything is read strictly, bounded, and written anew by
// this process: nothing passes as it came, every text is valid UTF-8, and every result fits one message of
// the link with room for its envelope. A message that the engine could not read would cost the clerk its
// life, and a guest must not have that in its hand. Methods and forms: guest/protocol/control.h and link.h.
// Thread: pure functions.
#pragma once

#include "app/clerk/link.h"
#include "guest/protocol/agent_talk.h"
#include "guest/protocol/watch_event.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::clerk {

inline constexpr std::size_t kMaxDetailBytes = 300; // of a guest's stage and log texts
// What a result may be as text; the rest of kMaxLinkMessage is for the envelope.
inline constexpr std::size_t kMaxLinkResult = kMaxLinkMessage - 1024;

struct Told {
    std::string method;
    boost::json::object params;
};

// A notification on the control channel. None: nothing that this host knows, or in a wrong form.
[[nodiscard]] std::optional<Told> toldByGuest(std::string_view method, const boost::json::object& params);
// A line of the console: any bytes.
[[nodiscard]] Told toldByConsole(std::string_view who, std::string_view step, std::string_view detail);

// Answers. Malformed: not of the agreed form. Unsupported: hello with another version of the protocol.
[[nodiscard]] Result<boost::json::object> greetingFrom(const boost::json::object& answer);
// changes.list. As many entries as one message holds; `next` is then the last of them.
[[nodiscard]] Result<boost::json::object> changesFrom(const boost::json::object& answer);
// changes.settle, changes.discard
[[nodiscard]] Result<boost::json::object> keptFrom(const boost::json::object& answer);
// power.off. What is no count is left out, for the machine is going off all the same.
[[nodiscard]] boost::json::object lastCountFrom(const boost::json::object& answer);
// Of the call that was made. Of agent.updates as many, from the first, as one message holds: the rest is asked for again.
[[nodiscard]] Result<boost::json::object> agentAnswerFrom(const talk::Call& call, const boost::json::object& answer);
// watch.events
[[nodiscard]] Result<boost::json::object> eventsFrom(const watch::Ask& ask, const boost::json::object& answer);
// content.send
[[nodiscard]] Result<std::uint64_t> sentSizeFrom(const boost::json::object& answer);

} // namespace carrel::clerk
