// SPDX-License-Identifier: Apache-2.0
// Counts what one request to a model host uses, from what the host answers while that passes by, whatever the program asked for and
// whatever it tells of it. Nothing of it is changed, delayed or refused here, and what cannot be read is no fault of anybody's, but for
// one thing: whether a request that may ask for an answer later does so is told (whyNotOn()). What may be asked at all: model_paths.h.
//
// Told: in JSON, or in events (text/event-stream, as the WHATWG HTML standard has it, section 9.2), whichever the body begins like:
//   Anthropic Messages       message_start and message_delta: usage, of the whole so far
//   OpenAI chat completions  usage, in the last chunk if the program asked for it (stream_options.include_usage)
//   OpenAI responses         usage of response.completed
//   Gemini                   usageMetadata, of the whole so far in each chunk
//   Ollama                   prompt_eval_count, eval_count
// All of these are looked for in each answer, for many hosts speak several of them. Of what is told several times the largest counts:
// they only grow.
//
// Estimated, where nothing is told or the answer broke off before its end: kBytesPerToken bytes of the request are taken for a token of
// input, and so many of the answer's text for one of output. That is the usual length of a token in English prose; other languages and
// code have shorter ones, and a picture in a request counts for far more than it costs. So it is a guess, and marked as one. What a model
// thinks without showing it cannot be guessed at.
//
// Ownership: one for each request. Holds a few KiB (json_scan.h), and what an inflater needs where the answer was packed. Thread: one.
#pragma once

#include "app/relay/http_head.h"
#include "app/relay/json_scan.h"
#include "app/relay/model_use.h"
#include "app/relay/unpacker.h"

#include <array>
#include <optional>

namespace carrel::relay {

inline constexpr std::uint64_t kBytesPerToken = 4;

class ModelUsage {
public:
    ModelUsage(std::string_view method, std::string_view path);
    ModelUsage(const ModelUsage&) = delete;
    ModelUsage& operator=(const ModelUsage&) = delete;

    // As it goes on to the host, and as it comes from it; the coding of a transfer is off.
    void request(ByteSpan piece);
    // Why what has come of the request must not go on, its last piece included: it asks for an answer later, which nobody would count
    // (OpenAI's "background"), or cannot be read where that may stand in it. None: it may.
    [[nodiscard]] std::optional<std::string> whyNotOn() const;
    void response(int status, const Fields& fields); // its head
    void response(ByteSpan piece);

    enum class End {
        Whole,   // of the answer
        Cut,     // of whatever there was of it: the host has the request
        Refused, // the host has not answered it, or not got it
    };
    [[nodiscard]] ModelUse finish(End how) const;

private:
    // Cached, Written: within InputWithCached, and so within Input where they are told of; CacheRead, CacheWrite: beside it.
    enum class What { Input, InputWithCached, Cached, Written, CacheRead, CacheWrite, Tools, Output, OutputSoFar, Thoughts };
    static constexpr std::size_t kCounts = 10;
    struct Path {
        std::string_view path;
        What what;
    };
    static const Path* pathOf(std::string_view path);
    enum class Form { Unknown, Json, Events };
    enum class Line { Name, Blank, Data, Other }; // Blank: one may stand behind the colon

    void readText(std::string_view text);
    void readEvents(std::string_view text);
    void lineEnded();
    void endPart();
    void number(std::string_view path, std::uint64_t value);
    void text(std::string_view path, std::string_view piece, JsonScan::Sinks::Piece which);
    void noteLater(std::string_view path, bool value);
    [[nodiscard]] std::uint64_t told(What what) const { return m_told.at(static_cast<std::size_t>(what)).value_or(0); }
    [[nodiscard]] bool isTold(What what) const { return m_told.at(static_cast<std::size_t>(what)).has_value(); }

    const bool m_isGeneration, m_isNamedByPath; // the latter: the model is
    const bool m_mayAskForLater;
    bool m_asksForLater = false;
    JsonScan m_asked;
    JsonScan m_answer;
    std::uint64_t m_requestBytes = 0;
    std::string m_askedModel, m_model;
    std::string m_askedName, m_name; // of a model, that is coming
    int m_status = 0;
    bool m_isPacked = false;             // in a way that nobody here unpacks
    std::optional<Unpacker> m_unpacker;
    Form m_form = Form::Unknown;
    std::size_t m_mark = 0; // of the byte order mark that a text may begin with
    // Of events.
    Line m_line = Line::Name;
    std::string m_field;   // its name, as far as it could be "data"
    bool m_afterCr = false;
    bool m_isLineEmpty = true;
    // Of one event, or of all that is JSON: what there is of it, and of that is text.
    std::uint64_t m_partBytes = 0, m_partText = 0;
    std::uint64_t m_text = 0; // of those that are over
    std::uint64_t m_packed = 0;
    bool m_stopped = false, m_partStopped = false; // the model has, by its own account; in the event under way
    std::array<std::optional<std::uint64_t>, kCounts> m_told{};
};

} // namespace carrel::relay
