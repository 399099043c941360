// SPDX-License-Identifier: Apache-2.0
// The Messages API of Anthropic (platform.claude.com/docs/en/api: "Messages", "Streaming Messages", "Models", "Errors", "Versions";
// versions 2023-06-01 and 2026-10-21): what it takes, word for word what it says of what it does not take as far as its users have
// quoted it, and what it answers. Taken: text, images, documents, thinking, tool_use and tool_result.
// Stricter than the API, so that what runs here runs with each model: a conversation that ends with the assistant (newer models
// take no prefill), max_tokens 0 (it only warms a cache), system messages in the middle, and tools that the API itself runs are
// refused.
// Thread: pure functions.
#pragma once

#include "tests/support/model_server/exchange.h"

namespace carrel::test::model {

// By x-api-key, or by Authorization: Bearer, which counts where there is no x-api-key; with anthropic-version.
[[nodiscard]] Judged<void> checkAnthropicHeaders(const HttpRequest& request, const std::string& key);
// POST /v1/messages, after its headers.
[[nodiscard]] Judged<Conversation> readAnthropic(const HttpRequest& request, const Scenario& scenario);
// The error is why a response without a stream cannot say it.
[[nodiscard]] tl::expected<Reply, std::string> anthropicReply(const Answer& answer, const Conversation& asked, Numbers& numbers);
[[nodiscard]] std::string anthropicModels(const std::vector<std::string>& models);

} // namespace carrel::test::model
