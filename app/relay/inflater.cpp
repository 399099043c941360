// SPDX-License-Identifier: Apache-2.0
#include "app/relay/inflater.h"

#include <algorithm>
#include <new>

#include <zlib.h>

namespace carrel::relay {

namespace {

constexpr std::size_t kPiece = 16 * 1024;

int windowBitsOf(Inflater::Format format) { // zlib.h, inflateInit2
    switch (format) {
    case Inflater::Format::Gzip:
        return 16 + MAX_WBITS;
    case Inflater::Format::Zlib:
        return MAX_WBITS;
    case Inflater::Format::Raw:
        return -MAX_WBITS;
    }
    return MAX_WBITS;
}

} // namespace

void Inflater::End::operator()(z_stream_s* stream) const {
    (void)::inflateEnd(stream);
    delete stream;
}

Inflater::Inflater() = default;
Inflater::~Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;

void Inflater::begin(Format format) {
    if (m_stream) {
        if (::inflateReset2(m_stream.get(), windowBitsOf(format)) == Z_OK) {
            return;
        }
        m_stream.reset();
    }
    auto fresh = std::make_unique<z_stream>();
    if (::inflateInit2(fresh.get(), windowBitsOf(format)) != Z_OK) {
        throw std::bad_alloc(); // nothing else can be wrong there
    }
    m_stream.reset(fresh.release());
    m_out.resize(kPiece);
}

Inflater::Step Inflater::next(ByteSpan in) {
    if (!m_stream) {
        return {0, {}, State::Bad};
    }
    const auto given = std::min<std::size_t>(in.size(), 1U << 30U); // zlib counts in 32 bits
    // zlib.h: next_in is not written to; without ZLIB_CONST its type does not say so.
    m_stream->next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    m_stream->avail_in = static_cast<uInt>(given);
    m_stream->next_out = reinterpret_cast<Bytef*>(m_out.data());
    m_stream->avail_out = static_cast<uInt>(m_out.size());
    const int what = ::inflate(m_stream.get(), Z_NO_FLUSH);
    const auto state = what == Z_STREAM_END ? State::Ended : what == Z_OK || what == Z_BUF_ERROR ? State::Going : State::Bad;
    return {given - m_stream->avail_in, ByteSpan(m_out).first(m_out.size() - m_stream->avail_out), state};
}

} // namespace carrel::relay
