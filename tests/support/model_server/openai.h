// SPDX-License-Identifier: Apache-2.0
// Chat completions as OpenAI has them, and whoever is compatible (platform.openai.com/docs/api-reference: "Chat Completions", "Chat
// Streaming", "Models"): what it takes, word for word what it says of what it does not take as far as its users have quoted it, and
// what it answers. Thread: pure functions.
#pragma once

#include "tests/support/model_server/exchange.h"

namespace carrel::test::model {

// By Authorization: Bearer.
[[nodiscard]] Judged<void> checkOpenAiHeaders(const HttpRequest& request, const std::string& key);
// POST /v1/chat/completions, after its headers.
[[nodiscard]] Judged<Conversation> readOpenAi(const HttpRequest& request, const Scenario& scenario);
// The error is why a response without a stream cannot say it.
[[nodiscard]] tl::expected<Reply, std::string> openAiReply(const Answer& answer, const Conversation& asked, Numbers& numbers);
[[nodiscard]] std::string openAiModels(const std::vector<std::string>& models);

} // namespace carrel::test::model
