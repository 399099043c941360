// SPDX-License-Identifier: Apache-2.0
// What the host says to the agent program that guestd runs (control.h, agent.*): the seven calls as typed values. Read by guestd and
// written by the engine; what the agent does is told in numbered updates (agent_update.h), which the host fetches. Every call is
// answered at once, and what takes long is an update: so a host that went away in between has missed nothing.
//
//   agent.start {run, argv, env, cwd, load?}      starts the program. One at a time: Conflict while another run goes on. The same run again:
//                                                 no error, nothing happens. Then comes `started`, or `ended`
//   agent.prompt {run, turn, text, files:[path…]} turn: 1 … , one more each time. Conflict while a turn goes on. The same turn again: no error,
//                                                 nothing happens. Then come updates, at last `turn_ended`
//   agent.cancel {run}                            the turn that goes on; no error where none does
//   agent.permit {run, request, option?}          the answer to `permission`; without an option: cancelled. One that is over: no error
//   agent.mode {run, mode}                        one of those that `started` named
//   agent.stop {run}                              ends the program; then comes `ended`. No error where there is no such run
//   agent.updates {run, after, seconds} →         those with numbers above `after`, as soon as there is one, at the latest in so many seconds;
//        {updates:[…]}                            those up to `after` are forgotten. NotFound: no such run is known here, for the machine or its
//                                                 guestd has been started anew. Of a run that has ended they stay until the next one
//
// Thread: values, pure functions.
#pragma once

#include "guest/protocol/agent_update.h"
#include "guest/protocol/result.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace carrel::talk {

inline constexpr std::size_t kMaxPromptBytes = 64 * 1024;
// Of a call as JSON, so that it fits a message between engine and clerk, whatever has to be escaped.
inline constexpr std::size_t kMaxCallBytes = 100 * 1024;
inline constexpr std::size_t kMaxFiles = 64;
inline constexpr std::size_t kMaxEnvironment = 64;
inline constexpr std::size_t kMaxEnvironmentBytes = 16 * 1024;
// Short, so that nobody's wait outlives them for long: whoever wants to know asks again.
inline constexpr std::chrono::seconds kMaxUpdatesWait{60};

struct Start {
    std::uint64_t run = 0; // 1 …, chosen by the host, never again for the same agent
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment; // added to what every command of the agent's has
    std::string cwd;                                // absolute
    std::optional<std::string> load;                // go on with that session of the agent's own
    friend bool operator==(const Start&, const Start&) = default;
};
struct Prompt {
    std::uint64_t run = 0, turn = 0;
    std::string text;               // UTF-8
    std::vector<std::string> files; // absolute paths in the machine
    friend bool operator==(const Prompt&, const Prompt&) = default;
};
struct Cancel {
    std::uint64_t run = 0;
    friend bool operator==(const Cancel&, const Cancel&) = default;
};
struct Permit {
    std::uint64_t run = 0, request = 0;
    std::optional<std::string> option; // the id of one of its options
    friend bool operator==(const Permit&, const Permit&) = default;
};
struct SetMode {
    std::uint64_t run = 0;
    std::string mode;
    friend bool operator==(const SetMode&, const SetMode&) = default;
};
struct Stop {
    std::uint64_t run = 0;
    friend bool operator==(const Stop&, const Stop&) = default;
};
struct Updates {
    std::uint64_t run = 0, after = 0;
    std::chrono::seconds most{};
    friend bool operator==(const Updates&, const Updates&) = default;
};
using Call = std::variant<Start, Prompt, Cancel, Permit, SetMode, Stop, Updates>;

[[nodiscard]] bool isMethod(std::string_view method);
[[nodiscard]] std::string_view methodOf(const Call& call);
[[nodiscard]] boost::json::object paramsOf(const Call& call);
// Unsupported: no call of these. Malformed: not of its form, or too long.
[[nodiscard]] Result<Call> callFrom(std::string_view method, const boost::json::object& params);

// The answer to agent.updates: as many of them, from the first, as an answer may hold, which is one at least; then its `updates`.
[[nodiscard]] boost::json::object answerWith(std::span<const Update> updates);
// Malformed: not of its form, or their numbers do not go up, each above `after`.
[[nodiscard]] Result<std::vector<Update>> updatesFrom(std::uint64_t after, const boost::json::object& answer);

} // namespace carrel::talk
