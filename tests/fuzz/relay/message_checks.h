// SPDX-License-Identifier: Apache-2.0
// What holds for every message that was taken, whoever sent it.
#pragma once

#include "app/relay/http_body.h"

#include <cstdlib>

namespace carrel::relay::fuzz {

inline void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

// The end of the first head; nullopt: there is none, or a fault. The same whether it comes at once or byte by byte.
inline std::optional<std::size_t> headIn(std::string_view text, HeadSeeker::Kind kind) {
    HeadSeeker whole(kind);
    const auto size = whole.look(text);
    HeadSeeker pieces(kind);
    HttpResult<std::size_t> bit = std::size_t(0);
    for (std::size_t i = 1; i <= text.size() && bit && *bit == 0; ++i) {
        bit = pieces.look(text.substr(0, i));
    }
    require(size.has_value() == bit.has_value() && (!size || *size == *bit));
    return size && *size > 0 ? std::optional(*size) : std::nullopt;
}

inline void requirePlain(const Fields& fields) {
    for (const auto& field : fields) {
        require(isToken(field.name) && isFieldValue(field.value) && trimmed(field.value) == field.value);
    }
}

struct BodyRead {
    bool good = true;
    bool done = false;
    std::string data;
    std::size_t taken = 0;
};
inline BodyRead readBody(BodyEnd end, std::string_view text, std::size_t piece) {
    BodyReader reader(end);
    BodyRead out;
    while (out.taken < text.size()) {
        const auto step = reader.next(asBytes(text.substr(out.taken, piece)));
        if (!step) {
            out.good = false;
            return out;
        }
        if (step->taken == 0) {
            break;
        }
        out.data += asText(step->data);
        out.taken += step->taken;
    }
    out.done = reader.isDone();
    return out;
}
// However it is cut, it is the same body.
inline void checkBody(BodyEnd end, std::string_view text) {
    const auto whole = readBody(end, text, text.size() + 1);
    const auto bits = readBody(end, text, 1);
    require(whole.good == bits.good && whole.done == bits.done && whole.data == bits.data);
    require(!whole.done || whole.taken == bits.taken);
    require(end.kind != BodyEnd::Kind::Length || whole.data.size() <= end.length);
}

} // namespace carrel::relay::fuzz
