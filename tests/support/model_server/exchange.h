// SPDX-License-Identifier: Apache-2.0
// What both APIs have in common, so that a scenario is played alike on both: a request as it came, what it says, how it is refused,
// and the response to send. Ownership: values. Thread: any.
#pragma once

#include "tests/support/model_server/scenario.h"

#include <boost/json.hpp>
#include <tl/expected.hpp>

#include <map>

namespace carrel::test::model {

struct HttpRequest {
    std::string method, target;
    std::map<std::string, std::string> headers; // names in lower case; of several of one name the last
    std::string body;

    [[nodiscard]] std::string header(const std::string& name) const; // empty: none. `name` in lower case
    [[nodiscard]] std::string path() const;                          // the target without its query
};

struct SeenResult {
    std::string tool, text; // the tool's name, found by the call's id
    bool error = false;
};
// A good request, in the words of a scenario.
struct Conversation {
    Api api = Api::Anthropic;
    std::string model, system, user; // user: the last message's with text
    bool stream = false;
    bool usageInStream = false;          // OpenAI's stream_options.include_usage
    std::vector<std::string> texts;      // all there are, arguments and results of tools included
    std::vector<std::string> tools;      // offered
    std::vector<SeenResult> toolResults; // of the calls made last
};

// An answer in the error shape of the API; what a field leaves empty follows from the status.
struct ApiError {
    int status = 400;
    std::string message;
    std::string param, code; // OpenAI's; empty: null
};
[[nodiscard]] std::string errorBody(Api api, const ApiError& error, const std::string& requestId);
// The word for a status: "overloaded_error" for Anthropic's 529.
[[nodiscard]] std::string errorType(Api api, int status);
[[nodiscard]] std::string errorWords(int status); // for a fault without words of its own
[[nodiscard]] std::string errorCode(int status);  // OpenAI's for it; empty: null
[[nodiscard]] std::string reasonPhrase(int status);

template <class T> using Judged = tl::expected<T, ApiError>;
[[nodiscard]] inline tl::unexpected<ApiError> refuse(std::string message, std::string param = {}, std::string code = {}, int status = 400) {
    return tl::unexpected<ApiError>(ApiError{status, std::move(message), std::move(param), std::move(code)});
}
#define CARREL_JUDGE(expression)                                                                              \
    do {                                                                                                      \
        if (auto judged_ = (expression); !judged_) {                                                          \
            return tl::unexpected<::carrel::test::model::ApiError>(std::move(judged_).error());                      \
        }                                                                                                     \
    } while (false)

struct Step {
    enum class Kind { Bytes, Hold, Endless } kind = Kind::Bytes;
    std::string text; // bytes, or a hold's name
};
struct Reply {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers; // without those of the transfer
    bool streamed = false;                                    // in chunks, each step one; else with its length
    std::optional<std::string> hold;                          // before the head
    std::vector<Step> steps;                                  // the body
    std::optional<std::size_t> cutAfter;                      // bytes of the body
};
// A whole body of JSON.
[[nodiscard]] Reply jsonReply(int status, std::string body);
// The steps of a part that both APIs stream alike: a hold, a comment, an event as it stands. False: another part.
[[nodiscard]] bool streamAlike(const Part& part, std::vector<Step>& into);
// Adds a step of bytes or of a hold.
void addBytes(std::vector<Step>& into, std::string bytes);
void addHold(std::vector<Step>& into, const std::string& name);
// The pieces' texts in one; their holds become steps.
[[nodiscard]] std::string joined(const std::vector<Piece>& pieces, std::vector<Step>& holds);
// Of a content without a stream: what a plain response cannot say. Empty: nothing.
[[nodiscard]] std::string onlyStreamed(const Answer& answer);

// Numbers of which the ids are made, so that a scenario's bytes are the same each time.
struct Numbers {
    std::size_t request = 0;
    std::size_t call = 0;
};
[[nodiscard]] std::string numbered(std::string_view prefix, std::size_t number); // "msg_0001"

} // namespace carrel::test::model
