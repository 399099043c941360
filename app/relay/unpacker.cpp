// SPDX-License-Identifier: Apache-2.0
#include "app/relay/unpacker.h"

#include <algorithm>

namespace carrel::relay {

namespace {

constexpr std::string_view kGzip = "\x1f\x8b\x08"; // RFC 1952, section 2.3: with the one method that there is
constexpr std::uint64_t kEmptyLine = 0x0d0a0d0a;
constexpr std::uint64_t kGzipBehindEmptyLine = kEmptyLine << 24U | 0x1f8b08;
constexpr std::uint64_t kZipMember = 0x504b0304;
constexpr std::size_t kZipHeader = 26; // without the signature
constexpr unsigned kZipEncrypted = 1, kZipDeflated = 8;
constexpr std::size_t kFormatBytes = 2;

unsigned byteAt(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}
unsigned twoAt(std::string_view text, std::size_t at) { // little-endian
    return byteAt(text, at) | byteAt(text, at + 1) << 8U;
}

} // namespace

Unpacker::Coding Unpacker::codingOf(const Fields& fields) {
    auto out = Coding::None;
    std::size_t count = 0;
    for (const auto& field : fields) {
        if (isField(field, "content-encoding")) {
            eachOfList(field.value, [&](std::string_view coding) {
                if (isSameWord(coding, "identity")) {
                    return;
                }
                ++count;
                out = isSameWord(coding, "gzip") || isSameWord(coding, "x-gzip") ? Coding::Gzip
                      : isSameWord(coding, "deflate")                           ? Coding::Deflate
                                                                                : Coding::None;
            });
        }
    }
    return count == 1 ? out : Coding::None;
}

Unpacker::Unpacker(Coding coding)
    : m_coding(coding)
    , m_state(coding == Coding::None ? State::Seek : coding == Coding::Gzip ? State::Unfold : State::Format)
    , m_last(kEmptyLine) { // the body's own beginning is like that of a part
    if (coding == Coding::Gzip) {
        begin(Inflater::Format::Gzip);
    }
}

Unpacker::Outcome Unpacker::feed(ByteSpan in, const Sink& sink) {
    while (!in.empty() && m_outcome == Outcome::Fine) {
        std::size_t took = 0;
        switch (m_state) {
        case State::Seek:
            took = seek(in);
            break;
        case State::ZipHeader:
            took = takeZipHeader(in);
            break;
        case State::ZipNames:
            took = static_cast<std::size_t>(std::min<std::uint64_t>(m_skip, in.size()));
            m_skip -= took;
            if (m_skip == 0) {
                begin(Inflater::Format::Raw);
            }
            break;
        case State::Format:
            took = takeFormat(in);
            break;
        case State::Unfold:
            took = unfold(in, sink);
            break;
        case State::Rest:
            took = in.size();
            break;
        }
        in = in.subspan(took);
    }
    return m_outcome;
}

// Up to the end of what tells that something begins.
std::size_t Unpacker::seek(ByteSpan in) {
    for (std::size_t i = 0; i < in.size(); ++i) {
        m_last = m_last << 8U | std::to_integer<std::uint64_t>(in[i]);
        if ((m_last & 0xffffffffffffffU) == kGzipBehindEmptyLine) {
            begin(Inflater::Format::Gzip, kGzip);
            return i + 1;
        }
        if ((m_last & 0xffffffffU) == kZipMember) {
            m_head.clear();
            m_state = State::ZipHeader;
            return i + 1;
        }
    }
    return in.size();
}

std::size_t Unpacker::takeZipHeader(ByteSpan in) {
    const auto took = std::min(in.size(), kZipHeader - m_head.size());
    m_head += asText(in.first(took));
    if (m_head.size() < kZipHeader) {
        return took;
    }
    const auto flags = twoAt(m_head, 2), method = twoAt(m_head, 4);
    m_skip = twoAt(m_head, 22) + twoAt(m_head, 24);
    const bool canBe = (flags & kZipEncrypted) == 0 && method == kZipDeflated;
    m_state = canBe ? State::ZipNames : State::Seek;
    m_last = 0;
    if (canBe && m_skip == 0) {
        begin(Inflater::Format::Raw);
    }
    return took;
}

// "deflate" is zlib's format (RFC 9110, section 8.4.1.2), and some send it without its frame.
std::size_t Unpacker::takeFormat(ByteSpan in) {
    const auto took = std::min(in.size(), kFormatBytes - m_head.size());
    m_head += asText(in.first(took));
    if (m_head.size() == kFormatBytes) {
        const auto first = byteAt(m_head, 0), second = byteAt(m_head, 1);
        const bool isZlib = (first & 15U) == 8 && first >> 4U <= 7 && (first << 8U | second) % 31 == 0; // RFC 1950, section 2.2
        begin(isZlib ? Inflater::Format::Zlib : Inflater::Format::Raw, std::string(m_head));
    }
    return took;
}

void Unpacker::begin(Inflater::Format format, std::string_view head) {
    m_head = head;
    m_format = format;
    m_inflater.begin(format);
    m_state = State::Unfold;
}

// Behind gzip another one may follow at once (RFC 1952, section 2.2).
void Unpacker::ended(Inflater::State how) {
    const bool isOver = how == Inflater::State::Ended;
    const bool another = isOver && m_format == Inflater::Format::Gzip;
    if (m_coding != Coding::None && !isOver) {
        m_outcome = Outcome::NotInOrder;
    } else if (m_coding != Coding::None && !another) {
        m_state = State::Rest;
    } else {
        m_state = State::Seek;
        m_last = another ? kEmptyLine : 0;
    }
}

std::size_t Unpacker::unfold(ByteSpan in, const Sink& sink) {
    if (const auto head = std::exchange(m_head, {}); !head.empty()) {
        (void)run(asBytes(head), sink);
    }
    return m_state == State::Unfold && m_outcome == Outcome::Fine ? run(in, sink) : 0;
}

std::size_t Unpacker::run(ByteSpan in, const Sink& sink) {
    for (std::size_t at = 0;;) {
        const auto step = m_inflater.next(in.subspan(at));
        at += step.taken;
        m_taken += step.taken;
        m_given += step.out.size();
        if (m_given > kMostUnfolded || m_given > kUnfoldedFreely + kMostRatio * m_taken) {
            m_outcome = Outcome::TooMuch;
            return at;
        }
        sink(step.out);
        if (step.state != Inflater::State::Going) {
            ended(step.state);
            return at;
        }
        if (step.taken == 0 && step.out.empty()) {
            return at;
        }
    }
}

} // namespace carrel::relay
