// SPDX-License-Identifier: Apache-2.0
// One request and its answer, without input or output: what a caller that blocks (client.h) and one that never does
// (async_call.h) have in common. Thread: one owner.
#pragma once

#include "app/api/line_reader.h"
#include "guest/protocol/result.h"

#include <boost/json.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::api {

struct Progress {
    std::string step;
    std::string text; // may hold guest text: through DisplayText before a person sees it
    std::optional<double> fraction;
};

enum class Flow { Continue, Stop };

struct Listener {
    std::function<void(const Progress&)> progress;
    std::function<Flow(const boost::json::object& event)> event; // Stop: the call ends with Cancelled
};

class Exchange {
public:
    Exchange(std::uint64_t id, std::string_view verb, boost::json::object params);

    // What to send, its line end included.
    [[nodiscard]] const std::string& request() const { return m_request; }
    // Takes as much of `bytes` as belongs to this exchange and moves it past that. The result, or the engine's error, once it is
    // there; nothing while more is to come. Malformed, LimitExceeded: the connection is of no use any more.
    [[nodiscard]] std::optional<Result<boost::json::value>> take(std::string_view& bytes, const Listener& listener);

    // Of a connection that ended before the answer came: whether the verb had its effect is unknown.
    [[nodiscard]] static Error wentAway();

private:
    [[nodiscard]] std::optional<Result<boost::json::value>> line(const std::string& text, const Listener& listener) const;

    std::uint64_t m_id;
    std::string m_request;
    LineReader m_reader;
};

} // namespace carrel::api
