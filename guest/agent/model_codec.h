// SPDX-License-Identifier: Apache-2.0
// One interface of models, as bytes: what a request is, and what the events of its streamed answer mean. No input or output.
// Thread: a codec is read-only and may be shared; a reader belongs to one turn.
#pragma once

#include "guest/agent/model_turn.h"
#include "guest/agent/sse_reader.h"
#include "guest/agent/turn_failure.h"

#include <memory>
#include <utility>

namespace carrel::agent {

class TurnReader {
public:
    virtual ~TurnReader() = default;
    // What this event adds to the turn. What is not known here adds nothing. Malformed: it is not what the interface says. Other kinds:
    // the provider tells of a failure in the midst of the stream.
    [[nodiscard]] virtual TurnResult<std::vector<Delta>> read(const StreamEvent& event) = 0;
    // Nothing more will come: the rest of the stream need not be read.
    [[nodiscard]] virtual bool isOver() const = 0;
    // The stream ended: was the answer whole? Dropped: no.
    [[nodiscard]] virtual TurnStatus ended() const = 0;
};

class ModelCodec {
public:
    virtual ~ModelCodec() = default;
    [[nodiscard]] virtual std::string_view name() const = 0; // stands in Sealed::api
    // Below the provider's base address, which ends before it: "/v1/messages".
    [[nodiscard]] virtual std::string_view path() const = 0;
    // What the request needs beside its body. `key` may be empty: a model on an own computer needs none.
    [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> headers(std::string_view key) const = 0;
    // The messages keep what Conversation promises: they begin with the user's, alternate, and each call has its result.
    [[nodiscard]] virtual std::string body(const TurnRequest& request) const = 0;
    [[nodiscard]] virtual std::unique_ptr<TurnReader> reader() const = 0;
};

// The sentence and the word in the body of an error, {"error": {"message", "type", "code"}} and its relatives, into `answer`; where it is
// no such thing, the beginning of its text.
void readErrorBody(std::string_view body, Answer& answer);
// The failure that an error object within a stream tells of.
[[nodiscard]] TurnFailure streamError(const boost::json::value& error);
// One event's data as an object, bounded like an event. Malformed.
[[nodiscard]] TurnResult<boost::json::object> eventObject(const StreamEvent& event);
[[nodiscard]] tl::unexpected<TurnFailure> malformedTurn(const Error& error);

} // namespace carrel::agent
