// SPDX-License-Identifier: Apache-2.0
// A model behind an address, by one of the interfaces. Thread: as Model; the codec outlives it.
#pragma once

#include "guest/agent/http_client.h"
#include "guest/agent/model.h"
#include "guest/agent/model_codec.h"

namespace carrel::agent {

class HttpModel final : public Model {
public:
    // `key`: in the machine a placeholder, which is replaced on its way out; empty where the server wants none.
    HttpModel(const ModelCodec& codec, HttpAddress address, std::string key, HttpSettings settings = {});

    [[nodiscard]] TurnStatus turn(const TurnRequest& request, TurnBuilder& builder, const std::function<void(const Delta&)>& shown,
                                  const std::stop_token& stop) override;

private:
    const ModelCodec& m_codec;
    HttpAddress m_address;
    std::string m_key;
    HttpClient m_client;
};

} // namespace carrel::agent
