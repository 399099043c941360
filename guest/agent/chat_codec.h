// SPDX-License-Identifier: Apache-2.0
// The chat completions interface of OpenAI, as OpenAI and as llama.cpp, Ollama, vLLM, LM Studio and others speak it: POST
// /v1/chat/completions, streamed as unnamed events of one chunk each, the last of them "[DONE]". Where those servers differ, what all of
// them mean is taken: a call may lack its index or its id, several calls may all have index 0, arguments may be an object, the end may
// be told as "stop" although there are calls, and "[DONE]" may be missing.
#pragma once

#include "guest/agent/model_codec.h"

namespace carrel::agent {

// How the bound of the answer is called: OpenAI's later models know only the second, most other servers only the first.
enum class LimitWord { MaxTokens, MaxCompletionTokens };

class ChatCodec final : public ModelCodec {
public:
    explicit ChatCodec(LimitWord limit = LimitWord::MaxTokens)
        : m_limit(limit) {}

    [[nodiscard]] std::string_view name() const override { return "chat"; }
    [[nodiscard]] std::string_view path() const override { return "/v1/chat/completions"; }
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> headers(std::string_view key) const override;
    [[nodiscard]] std::string body(const TurnRequest& request) const override;
    [[nodiscard]] std::unique_ptr<TurnReader> reader() const override;

private:
    LimitWord m_limit;
};

} // namespace carrel::agent
