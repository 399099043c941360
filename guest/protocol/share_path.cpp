// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/share_path.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace carrel {

bool isValidName(std::string_view name) {
    return !name.empty() && name.size() <= kMaxNameBytes && name != "." && name != ".." &&
           name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

Result<SharePath> SharePath::parse(std::string_view text) {
    SharePath path;
    if (text.empty()) {
        return path;
    }
    if (text.size() > kMaxPathBytes) {
        return fail(ErrorCode::LimitExceeded, "the path is longer than 4,095 bytes");
    }
    std::size_t start = 0;
    while (start <= text.size()) {
        std::size_t end = text.find('/', start);
        if (end == std::string_view::npos) {
            end = text.size();
        }
        if (!isValidName(text.substr(start, end - start))) {
            return fail(ErrorCode::Malformed, "the path is not a plain relative path");
        }
        start = end + 1;
    }
    path.m_text = text;
    return path;
}

std::string_view SharePath::name() const {
    const auto slash = m_text.rfind('/');
    return slash == std::string::npos ? std::string_view(m_text) : std::string_view(m_text).substr(slash + 1);
}

SharePath SharePath::parent() const {
    SharePath up;
    const auto slash = m_text.rfind('/');
    if (slash != std::string::npos) {
        up.m_text = m_text.substr(0, slash);
    }
    return up;
}

Result<SharePath> SharePath::child(std::string_view name) const {
    if (!isValidName(name)) {
        return fail(ErrorCode::Malformed, "not a valid file name");
    }
    if (m_text.size() + 1 + name.size() > kMaxPathBytes) {
        return fail(ErrorCode::LimitExceeded, "the path is longer than 4,095 bytes");
    }
    SharePath down;
    down.m_text = m_text.empty() ? std::string(name) : m_text + "/" + std::string(name);
    return down;
}

std::vector<std::string_view> SharePath::components() const {
    std::vector<std::string_view> parts;
    std::string_view rest = m_text;
    while (!rest.empty()) {
        const auto slash = rest.find('/');
        parts.push_back(rest.substr(0, slash));
        rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    }
    return parts;
}

bool SharePath::contains(const SharePath& other) const {
    if (isRoot() || m_text == other.m_text) {
        return true;
    }
    return other.m_text.size() > m_text.size() && other.m_text.starts_with(m_text) &&
           other.m_text[m_text.size()] == '/';
}

bool isUtf8(std::string_view text) {
    const auto byteAt = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    for (std::size_t i = 0; i < text.size();) {
        const std::uint8_t lead = byteAt(i);
        std::size_t length = 0;
        std::uint32_t point = 0;
        std::uint32_t smallest = 0;
        if (lead < 0x80) {
            ++i;
            continue;
        }
        if ((lead & 0xe0U) == 0xc0) {
            length = 2, point = lead & 0x1fU, smallest = 0x80;
        } else if ((lead & 0xf0U) == 0xe0) {
            length = 3, point = lead & 0x0fU, smallest = 0x800;
        } else if ((lead & 0xf8U) == 0xf0) {
            length = 4, point = lead & 0x07U, smallest = 0x10000;
        } else {
            return false;
        }
        if (i + length > text.size()) {
            return false;
        }
        for (std::size_t k = 1; k < length; ++k) {
            const std::uint8_t next = byteAt(i + k);
            if ((next & 0xc0U) != 0x80) {
                return false;
            }
            point = (point << 6U) | (next & 0x3fU);
        }
        if (point < smallest || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
            return false;
        }
        i += length;
    }
    return true;
}

namespace {
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoValue = 0xff;
constexpr auto kValues = [] { // of a character; what the guest tells comes in base64, so it has to be quick
    std::array<std::uint8_t, 256> values{};
    values.fill(kNoValue);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<std::uint8_t>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}();
}

std::string toBase64(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4, '=');
    std::size_t to = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
        for (std::size_t k = 0; k < 3; ++k) {
            group = (group << 8U) | (k < have ? static_cast<std::uint8_t>(bytes[i + k]) : 0U);
        }
        for (std::size_t k = 0; k <= have; ++k) {
            out[to + k] = kAlphabet[(group >> (18 - 6 * k)) & 0x3fU];
        }
        to += 4;
    }
    return out;
}

Result<std::string> fromBase64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return fail(ErrorCode::Malformed, "not base64: its length is no multiple of four");
    }
    std::string out(text.size() / 4 * 3, '\0');
    char* to = out.data();
    for (std::size_t i = 0; i < text.size(); i += 4) {
        const bool isLast = i + 4 == text.size();
        const std::size_t padding = !isLast || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        std::uint32_t group = 0;
        std::uint8_t all = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const auto value = k < 4 - padding ? kValues[static_cast<std::uint8_t>(text[i + k])] : std::uint8_t{0};
            all |= value;
            group = (group << 6U) | value;
        }
        if ((all & 0xc0U) != 0) { // kNoValue, and no other, has those bits
            return fail(ErrorCode::Malformed, "not base64: a character that does not belong");
        }
        if ((group & (padding == 0 ? 0U : padding == 1 ? 0xffU : 0xffffU)) != 0) {
            return fail(ErrorCode::Malformed, "not base64: bits set in its padding");
        }
        for (std::size_t k = 0; k < 3; ++k) {
            *to++ = static_cast<char>((group >> (16 - 8 * k)) & 0xffU);
        }
        for (std::size_t k = 0; k < padding; ++k) {
            out.pop_back();
        }
    }
    return out;
}

} // namespace carrel
