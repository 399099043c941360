// SPDX-License-Identifier: Apache-2.0
// The Messages interface of Anthropic, version 2023-06-01: POST /v1/messages, streamed. Known events: message_start,
// content_block_start, content_block_delta, content_block_stop, message_delta, message_stop, ping, error; the interface promises that
// more may come, and so do blocks of other types: they are passed over. Sealed thoughts go back as they came.
#pragma once

#include "guest/agent/model_codec.h"

namespace carrel::agent {

class AnthropicCodec final : public ModelCodec {
public:
    [[nodiscard]] std::string_view name() const override { return "anthropic"; }
    [[nodiscard]] std::string_view path() const override { return "/v1/messages"; }
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> headers(std::string_view key) const override;
    [[nodiscard]] std::string body(const TurnRequest& request) const override;
    [[nodiscard]] std::unique_ptr<TurnReader> reader() const override;
};

} // namespace carrel::agent
