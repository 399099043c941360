// SPDX-License-Identifier: Apache-2.0
#include "app/relay/http_body.h"

#include <algorithm>

namespace carrel::relay {

namespace {

constexpr std::size_t kMaxChunkDigits = 15;
constexpr const char* kBadChunk = "a chunk of the HTTP message's body is not in good order";

} // namespace

BodyReader::BodyReader(BodyEnd end)
    : m_state(end.kind == BodyEnd::Kind::Chunked                         ? State::ChunkLine
              : end.kind == BodyEnd::Kind::Connection                    ? State::ToEnd
              : end.kind == BodyEnd::Kind::Length && end.length > 0      ? State::Length
                                                                         : State::Done)
    , m_left(end.length) {}

HttpResult<BodyReader::Step> BodyReader::next(ByteSpan in) {
    if (in.empty()) {
        return Step{};
    }
    switch (m_state) {
    case State::Done:
        return Step{};
    case State::ToEnd:
        return Step{in.size(), in};
    case State::Length:
        return takeData(in, State::Done);
    case State::ChunkData:
        return takeData(in, State::ChunkBreak);
    default:
        return takeLine(in);
    }
}

HttpResult<BodyReader::Step> BodyReader::takeData(ByteSpan in, State next) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), m_left));
    m_left -= count;
    m_state = m_left == 0 ? next : m_state;
    return Step{count, in.first(count)};
}

HttpResult<BodyReader::Step> BodyReader::takeLine(ByteSpan in) {
    const auto most = m_state == State::Trailers ? kMaxTrailers - m_trailers : m_state == State::ChunkBreak ? 1 : kMaxChunkLine;
    for (std::size_t i = 0; i < in.size(); ++i) {
        const char c = static_cast<char>(in[i]);
        const bool afterReturn = !m_line.empty() && m_line.back() == '\r';
        if ((c == '\n') != afterReturn || (c != '\n' && c != '\r' && !isFieldValue({&c, 1}))) {
            return httpFault(400, kBadChunk);
        }
        if (c == '\n') {
            m_line.pop_back();
            return endLine(i + 1);
        }
        if (m_line.size() >= most) {
            return httpFault(400, "a chunk's extensions, or the trailers, of the HTTP message are too long");
        }
        m_line += c;
    }
    return Step{in.size(), {}};
}

HttpResult<BodyReader::Step> BodyReader::endLine(std::size_t taken) {
    const std::string line = std::move(m_line);
    m_line.clear();
    if (m_state == State::ChunkBreak) {
        m_state = State::ChunkLine;
        return line.empty() ? HttpResult<Step>(Step{taken, {}}) : httpFault(400, kBadChunk);
    }
    if (m_state == State::Trailers) {
        m_trailers += line.size() + 1;
        const auto colon = line.find(':');
        if (m_trailers >= kMaxTrailers || (!line.empty() && (colon == std::string::npos || !isToken(line.substr(0, colon))))) {
            return httpFault(400, "the trailers of the HTTP message are too long, or not in good order");
        }
        m_state = line.empty() ? State::Done : m_state;
        return Step{taken, {}};
    }
    const auto digits = std::min(line.find_first_of("; \t"), line.size());
    const auto extension = trimmed(std::string_view(line).substr(digits));
    const auto size = numberFrom(std::string_view(line).substr(0, digits), 16, kMaxChunkDigits);
    m_extensions += line.size() - digits;
    if (!size || m_extensions > kMaxExtensions || (digits < line.size() && !extension.starts_with(';'))) {
        return httpFault(400, kBadChunk);
    }
    m_left = *size;
    m_state = m_left == 0 ? State::Trailers : State::ChunkData;
    return Step{taken, {}};
}

} // namespace carrel::relay
