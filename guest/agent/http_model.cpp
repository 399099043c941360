// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/http_model.h"

namespace carrel::agent {

HttpModel::HttpModel(const ModelCodec& codec, HttpAddress address, std::string key, HttpSettings settings)
    : m_codec(codec)
    , m_address(std::move(address))
    , m_key(std::move(key))
    , m_client(std::move(settings)) {}

TurnStatus HttpModel::turn(const TurnRequest& request, TurnBuilder& builder, const std::function<void(const Delta&)>& shown,
                           const std::stop_token& stop) {
    SseReader sse;
    const auto reader = m_codec.reader();
    const auto take = [&](std::string_view piece) -> TurnResult<More> {
        const auto events = sse.feed(piece);
        if (!events) {
            return failTurn(FailureKind::TooMuch, events.error());
        }
        for (const auto& event : *events) {
            auto deltas = reader->read(event);
            if (!deltas) {
                return failTurn(std::move(deltas).error());
            }
            for (const auto& delta : *deltas) {
                if (auto added = builder.add(delta); !added) {
                    return failTurn(std::move(added).error());
                }
                shown(delta);
            }
            if (reader->isOver()) {
                return More::Enough;
            }
        }
        return More::Wanted;
    };
    const auto posted = m_client.post({m_address, std::string(m_codec.path()), m_codec.headers(m_key), m_codec.body(request)}, take, stop);
    return posted ? reader->ended() : posted;
}

} // namespace carrel::agent
