// SPDX-License-Identifier: Apache-2.0
#include "guest/packages/byte_source.h"

#include <algorithm>
#include <array>
#include <lzma.h>
#include <optional>
#include <unistd.h>
#include <zlib.h>

namespace carrel::packages {

namespace {

class FilePart final : public ByteSource {
public:
    FilePart(int file, std::uint64_t offset, std::uint64_t bytes)
        : m_file(file)
        , m_at(offset)
        , m_left(bytes) {}

    Result<std::size_t> read(std::span<std::byte> into) override {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), m_left));
        if (wanted == 0) {
            return std::size_t{0};
        }
        const auto got = ::pread(m_file, into.data(), wanted, static_cast<off_t>(m_at));
        if (got < 0) {
            return failErrno("reading a package");
        }
        if (got == 0) {
            return fail(ErrorCode::Malformed, "the package ends too early");
        }
        m_at += static_cast<std::uint64_t>(got);
        m_left -= static_cast<std::uint64_t>(got);
        return static_cast<std::size_t>(got);
    }

private:
    int m_file;
    std::uint64_t m_at, m_left;
};

tl::unexpected<Error> damaged() {
    return fail(ErrorCode::Malformed, "a part of the package cannot be unpacked");
}

// What both compressions share: a buffer of what is still packed.
template <class Codec> class Unpacked final : public ByteSource {
public:
    Unpacked(FilePart from, Codec codec)
        : m_from(std::move(from))
        , m_codec(std::move(codec)) {}

    Result<std::size_t> read(std::span<std::byte> into) override {
        while (!m_ended && !into.empty()) {
            if (m_packed.empty() && !m_noMore) {
                const auto got = m_from.read(m_buffer);
                if (!got) {
                    return fail(got.error());
                }
                m_packed = ByteSpan(m_buffer).first(*got);
                m_noMore = *got == 0;
            }
            const auto before = m_packed.size();
            const auto step = m_codec.unpack(m_packed, into, m_noMore);
            if (!step) {
                return damaged();
            }
            m_ended = step->ended;
            if (step->made != 0) {
                return step->made;
            }
            if (!m_ended && m_packed.size() == before && (m_noMore || before != 0)) {
                return damaged(); // it ends within, or goes no further
            }
        }
        return std::size_t{0};
    }

private:
    FilePart m_from;
    Codec m_codec;
    std::array<std::byte, 64 * 1024> m_buffer{};
    ByteSpan m_packed;
    bool m_noMore = false, m_ended = false;
};

struct Step {
    std::size_t made = 0;
    bool ended = false;
};

class Xz {
public:
    Xz()
        : m_stream(new lzma_stream(LZMA_STREAM_INIT)) {
        m_good = ::lzma_stream_decoder(m_stream.get(), kMaxUnpackMemory, 0) == LZMA_OK;
    }
    std::optional<Step> unpack(ByteSpan& from, std::span<std::byte> into, bool noMore) {
        if (!m_good) {
            return std::nullopt;
        }
        m_stream->next_in = reinterpret_cast<const std::uint8_t*>(from.data());
        m_stream->avail_in = from.size();
        m_stream->next_out = reinterpret_cast<std::uint8_t*>(into.data());
        m_stream->avail_out = into.size();
        const auto said = ::lzma_code(m_stream.get(), noMore ? LZMA_FINISH : LZMA_RUN);
        from = from.last(m_stream->avail_in);
        if (said != LZMA_OK && said != LZMA_STREAM_END) {
            return std::nullopt;
        }
        return Step{into.size() - m_stream->avail_out, said == LZMA_STREAM_END};
    }

private:
    struct End {
        void operator()(lzma_stream* stream) const {
            ::lzma_end(stream);
            delete stream;
        }
    };
    std::unique_ptr<lzma_stream, End> m_stream;
    bool m_good = false;
};

class Gzip {
public:
    Gzip()
        : m_stream(new z_stream{}) {
        constexpr int kGzipOnly = 16;
        m_good = ::inflateInit2(m_stream.get(), MAX_WBITS + kGzipOnly) == Z_OK;
    }
    std::optional<Step> unpack(ByteSpan& from, std::span<std::byte> into, bool) {
        if (!m_good) {
            return std::nullopt;
        }
        auto* const start = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(from.data())); // it does not write there
        const auto room = static_cast<uInt>(std::min<std::size_t>(into.size(), 1U << 30U));
        m_stream->next_in = start;
        m_stream->avail_in = static_cast<uInt>(from.size());
        m_stream->next_out = reinterpret_cast<Bytef*>(into.data());
        m_stream->avail_out = room;
        const int said = ::inflate(m_stream.get(), Z_NO_FLUSH);
        from = from.last(m_stream->avail_in);
        if (said != Z_OK && said != Z_STREAM_END && said != Z_BUF_ERROR) {
            return std::nullopt;
        }
        return Step{room - m_stream->avail_out, said == Z_STREAM_END};
    }

private:
    struct End {
        void operator()(z_stream* stream) const {
            ::inflateEnd(stream);
            delete stream;
        }
    };
    std::unique_ptr<z_stream, End> m_stream;
    bool m_good = false;
};

} // namespace

Status ByteSource::readAll(std::span<std::byte> into) {
    while (!into.empty()) {
        const auto got = read(into);
        if (!got) {
            return fail(got.error());
        }
        if (*got == 0) {
            return fail(ErrorCode::Malformed, "a part of the package ends too early");
        }
        into = into.subspan(*got);
    }
    return {};
}

Result<std::unique_ptr<ByteSource>> openPart(int file, std::uint64_t offset, std::uint64_t bytes, std::string_view name) {
    FilePart part(file, offset, bytes);
    if (name.ends_with(".tar")) {
        return std::make_unique<FilePart>(part);
    }
    if (name.ends_with(".xz")) {
        return std::make_unique<Unpacked<Xz>>(part, Xz());
    }
    if (name.ends_with(".gz")) {
        return std::make_unique<Unpacked<Gzip>>(part, Gzip());
    }
    return fail(ErrorCode::Unsupported, "a part of the package is compressed in a way that is not known here");
}

} // namespace carrel::packages
