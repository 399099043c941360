// SPDX-License-Identifier: Apache-2.0
// What may be asked of a model host: a closed list of requests, those by which a model answers at once, so that what it uses is counted,
// and those that tell of models. A host has more than models, under the same key: files, training, batches, the models on the owner's own
// disk; none of that is a model's use, and a rule that lets an agent to its model is no leave for it.
//
//   Anthropic   POST v1/messages, v1/messages/count_tokens
//   OpenAI      POST chat/completions, completions, responses, embeddings
//   Gemini      POST models/NAME:generateContent, :streamGenerateContent, :countTokens
//   Ollama      POST api/chat, api/generate, api/embed, api/embeddings, api/show; GET api/tags, api/version
//   any of them GET models, models/NAME
//
// They are known by the last steps of the path: what stands before them is the provider's (/openai/v1, /v1beta), and whether there is such
// a place the host says. HEAD is let through for each of them, and for "/", by which some programs look whether somebody is there.
// Thread: pure functions.
#pragma once

#include "app/relay/http_head.h"

#include <optional>
#include <string>

namespace carrel::relay {

enum class ModelRequest {
    Answers, // a model works, and answers at once
    Tells    // of models, or how long a text is; nothing is used
};
// `path`: normalised (http_target.h). None: it is not on the list.
[[nodiscard]] std::optional<ModelRequest> modelRequestOf(std::string_view method, std::string_view path);
// OpenAI's responses: the one request on the list that may also ask for something to be done later, in its body.
[[nodiscard]] bool mayAskForLater(std::string_view path);
// Of the model, where the path has it (Gemini's …/models/NAME:generateContent); else empty.
[[nodiscard]] std::string modelNamedBy(std::string_view path);

// Why this is refused at a model host: it is not on the list, is called by another method than it seems, or goes over a WebSocket. None: it may
// be asked.
[[nodiscard]] std::optional<std::string> whyUncountable(const RequestHead& head);

} // namespace carrel::relay
