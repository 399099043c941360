// SPDX-License-Identifier: Apache-2.0
#include "app/recording/chunk.h"

#include <boost/json.hpp>

#include <array>
#include <cmath>
#include <cstdio>
#include <zstd.h>

namespace carrel::recording {

namespace json = boost::json;

namespace {

constexpr int kLevel = 3;
constexpr double kMaxSeconds = 1e9;
constexpr double kMicro = 1e6;

Error malformed() {
    return {ErrorCode::Malformed, "this piece of the recording has no form that can be read", "\"carrel log verify\" tells whether it was changed.", 0, nullptr};
}

Result<std::string> decompress(std::string_view compressed) {
    const auto size = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
        return fail(malformed());
    }
    if (size > kMaxChunkRaw) {
        return fail(ErrorCode::LimitExceeded, "this piece of the recording is longer than one may be");
    }
    std::string out(size, '\0');
    const auto got = ZSTD_decompress(out.data(), out.size(), compressed.data(), compressed.size());
    if (ZSTD_isError(got) != 0 || got != size) {
        return fail(malformed());
    }
    return out;
}

Result<json::value> lineFrom(std::string_view& rest) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) {
        return fail(malformed());
    }
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 4;
    auto value = json::parse({rest.data(), end}, error, {}, options);
    if (error) {
        return fail(malformed());
    }
    rest.remove_prefix(end + 1);
    return value;
}

// A whole number of a size that a terminal has.
bool readSize(const json::object& from, const char* name, std::uint16_t& to) {
    const auto* found = from.if_contains(name);
    if (found == nullptr || !found->is_int64() || found->get_int64() < 1 || found->get_int64() > 10000) {
        return false;
    }
    to = static_cast<std::uint16_t>(found->get_int64());
    return true;
}

} // namespace

std::string chunkHead(std::uint16_t columns, std::uint16_t rows, std::string_view screen) {
    return json::serialize(json::object{{"columns", columns}, {"rows", rows}, {"screen", json::string(screen)}}) + '\n';
}

std::string castLine(const CastEvent& event, std::uint64_t beforeUs) {
    const std::uint64_t passed = event.us > beforeUs ? event.us - beforeUs : 0;
    std::array<char, 64> start{};
    (void)std::snprintf(start.data(), start.size(), "[%llu.%06llu, \"%c\", ", static_cast<unsigned long long>(passed / 1'000'000),
                        static_cast<unsigned long long>(passed % 1'000'000), event.code);
    return start.data() + json::serialize(json::string(event.text)) + "]\n";
}

Result<std::string> compress(std::string_view raw) {
    std::string out(ZSTD_compressBound(raw.size()), '\0');
    const auto size = ZSTD_compress(out.data(), out.size(), raw.data(), raw.size(), kLevel);
    if (ZSTD_isError(size) != 0) {
        return fail(ErrorCode::Internal, "a piece of a recording could not be compressed");
    }
    out.resize(size);
    return out;
}

Result<ChunkContent> readChunk(std::string_view compressed, std::uint64_t firstUs) {
    auto raw = decompress(compressed);
    if (!raw) {
        return fail(std::move(raw).error());
    }
    std::string_view rest = *raw;
    auto head = lineFrom(rest);
    if (!head || !head->is_object()) {
        return fail(malformed());
    }
    ChunkContent out;
    const auto& object = head->get_object();
    const auto* screen = object.if_contains("screen");
    if (object.size() != 3 || screen == nullptr || !screen->is_string() || !readSize(object, "columns", out.columns) ||
        !readSize(object, "rows", out.rows)) {
        return fail(malformed());
    }
    out.screen = std::string(screen->get_string());
    std::uint64_t us = firstUs;
    while (!rest.empty()) {
        auto line = lineFrom(rest);
        if (!line || !line->is_array() || line->get_array().size() != 3) {
            return fail(malformed());
        }
        const auto& parts = line->get_array();
        if (!parts[0].is_double() || !parts[1].is_string() || !parts[2].is_string() || parts[1].get_string().size() != 1) {
            return fail(malformed());
        }
        const double seconds = parts[0].get_double();
        const char code = parts[1].get_string()[0];
        if (!(seconds >= 0 && seconds <= kMaxSeconds) || (code != 'o' && code != 'i' && code != 'r')) {
            return fail(malformed());
        }
        us += static_cast<std::uint64_t>(std::llround(seconds * kMicro));
        out.events.push_back({us, code, std::string(parts[2].get_string())});
    }
    return out;
}

} // namespace carrel::recording
