// SPDX-License-Identifier: Apache-2.0
#include "app/relay/json_scan.h"

#include <boost/json/basic_parser_impl.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace carrel::relay {

namespace json = boost::json;

namespace {

bool isBlank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// What Boost.JSON's parser calls. Each answers true: it goes on.
struct Handler {
    static constexpr std::size_t max_object_size = SIZE_MAX;
    static constexpr std::size_t max_array_size = SIZE_MAX;
    static constexpr std::size_t max_key_size = SIZE_MAX;
    static constexpr std::size_t max_string_size = SIZE_MAX;
    using Code = json::error_code;

    explicit Handler(JsonScan::Sinks sinks)
        : told(std::move(sinks)) {}

    JsonScan::Sinks told;
    std::string path;
    std::vector<std::size_t> ends; // of the path, where each object began
    std::string name;

    void begin() {
        path.clear();
        ends.clear();
        name.clear();
    }
    bool on_document_begin(Code&) { return true; }
    bool on_document_end(Code&) { return true; }
    bool on_object_begin(Code&) {
        ends.push_back(path.size());
        return true;
    }
    bool on_object_end(std::size_t, Code&) {
        path.resize(ends.back());
        ends.pop_back();
        return true;
    }
    bool on_array_begin(Code&) { return true; }
    bool on_array_end(std::size_t, Code&) { return true; }
    bool on_key_part(json::string_view part, std::size_t, Code&) {
        name.append(part.substr(0, JsonScan::kMostName + 1 - std::min(name.size(), JsonScan::kMostName + 1)));
        return true;
    }
    bool on_key(json::string_view part, std::size_t, Code& code) {
        (void)on_key_part(part, 0, code);
        path.resize(ends.back());
        if (ends.size() <= JsonScan::kMostNamed) {
            const bool isFit = name.size() <= JsonScan::kMostName && name.find('.') == std::string::npos; // a dot of its own would pass for two names
            path.append(path.empty() ? "" : ".").append(isFit ? name : "?");
        } else if (ends.size() == JsonScan::kMostNamed + 1) {
            path.append(".?");
        }
        name.clear();
        return true;
    }
    bool on_string_part(json::string_view part, std::size_t, Code&) {
        told.text(path, part, JsonScan::Sinks::Piece::More);
        return true;
    }
    bool on_string(json::string_view part, std::size_t, Code&) {
        told.text(path, part, JsonScan::Sinks::Piece::Last);
        return true;
    }
    bool on_number_part(json::string_view, Code&) { return true; }
    bool on_int64(std::int64_t number, json::string_view, Code& code) {
        return number < 0 || on_uint64(static_cast<std::uint64_t>(number), {}, code);
    }
    bool on_uint64(std::uint64_t number, json::string_view, Code&) {
        if (number <= JsonScan::kMostTold) {
            told.number(path, number);
        }
        return true;
    }
    bool on_double(double number, json::string_view, Code& code) { // some write 12.0
        const bool isWhole = number >= 0 && number <= static_cast<double>(JsonScan::kMostTold) && std::floor(number) == number;
        return !isWhole || on_uint64(static_cast<std::uint64_t>(number), {}, code);
    }
    bool on_bool(bool value, Code&) {
        told.truth(path, value);
        return true;
    }
    bool on_null(Code&) { return true; }
    bool on_comment_part(json::string_view, Code&) { return true; }
    bool on_comment(json::string_view, Code&) { return true; }
};

json::parse_options options() {
    json::parse_options out;
    out.max_depth = JsonScan::kMostDepth;
    out.allow_invalid_utf8 = true; // it is not kept, and passes on as it came
    return out;
}

} // namespace

class JsonScan::Parser {
public:
    explicit Parser(Sinks sinks)
        : m_parser(options(), std::move(sinks)) {}

    void feed(std::string_view piece) {
        std::size_t taken = 0;
        while (taken < piece.size() && !m_isBad) {
            if (!m_isUnderWay) {
                if (isBlank(piece[taken])) {
                    ++taken;
                    continue;
                }
                m_parser.reset();
                m_parser.handler().begin();
                m_isUnderWay = true;
            }
            json::error_code code;
            const auto rest = piece.substr(taken);
            const auto count = m_parser.write_some(true, rest.data(), rest.size(), code);
            taken += count;
            m_isBad = static_cast<bool>(code);
            m_isUnderWay = !m_parser.done();
        }
    }
    void restart() { m_isUnderWay = m_isBad = false; }
    [[nodiscard]] bool isBad() const { return m_isBad; }

private:
    json::basic_parser<Handler> m_parser;
    bool m_isUnderWay = false;
    bool m_isBad = false;
};

JsonScan::JsonScan(Sinks sinks)
    : m_parser(std::make_unique<Parser>(std::move(sinks))) {}

JsonScan::~JsonScan() = default;

void JsonScan::feed(std::string_view piece) {
    m_parser->feed(piece);
}

void JsonScan::restart() {
    m_parser->restart();
}

bool JsonScan::isBad() const {
    return m_parser->isBad();
}

} // namespace carrel::relay
