// SPDX-License-Identifier: Apache-2.0
#include "app/export/json_text.h"

#include "guest/protocol/share_path.h"

#include <boost/json.hpp>

namespace carrel::exporting {

namespace json = boost::json;

namespace {

// How many bytes at `at` are one character; 0: none is.
std::size_t characterAt(std::string_view text, std::size_t at) {
    for (std::size_t length = 1; length <= 4 && at + length <= text.size(); ++length) {
        if (isUtf8(text.substr(at, length))) {
            return length;
        }
    }
    return 0;
}

} // namespace

std::string valid(std::string_view text) {
    if (isUtf8(text)) {
        return std::string(text);
    }
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto length = characterAt(text, at);
        out += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(at, length);
        at += length == 0 ? 1 : length;
    }
    return out;
}

std::string jsonString(std::string_view text) {
    return json::serialize(json::string(valid(text)));
}

std::string insideScript(std::string json) {
    std::string out;
    out.reserve(json.size() + json.size() / 16);
    for (std::size_t at = 0; at < json.size(); ++at) {
        const char each = json[at];
        if (each == '<') {
            out += "\\u003c";
        } else if (each == '>') {
            out += "\\u003e";
        } else if (each == '&') {
            out += "\\u0026";
        } else if (each == '\xe2' && (json.compare(at, 3, "\xe2\x80\xa8") == 0 || json.compare(at, 3, "\xe2\x80\xa9") == 0)) {
            out += json[at + 2] == '\xa8' ? "\\u2028" : "\\u2029";
            at += 2;
        } else {
            out += each;
        }
    }
    return out;
}

std::string asMarkupText(std::string_view text) {
    std::string out;
    for (const char each : valid(text)) {
        switch (each) {
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '&':
            out += "&amp;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += each;
        }
    }
    return out;
}

} // namespace carrel::exporting
