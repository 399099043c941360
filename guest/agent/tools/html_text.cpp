// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/html_text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace carrel::agent {

namespace {

constexpr std::size_t kMostEntity = 12; // bytes between & and ;
constexpr std::size_t kMostLink = 500;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool isSpace(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}
bool isName(char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

std::string utf8(std::uint32_t code) {
    std::string out;
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return "\xef\xbf\xbd";
    }
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xc0U | (code >> 6U));
        out += static_cast<char>(0x80U | (code & 0x3fU));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0U | (code >> 12U));
        out += static_cast<char>(0x80U | ((code >> 6U) & 0x3fU));
        out += static_cast<char>(0x80U | (code & 0x3fU));
    } else {
        out += static_cast<char>(0xf0U | (code >> 18U));
        out += static_cast<char>(0x80U | ((code >> 12U) & 0x3fU));
        out += static_cast<char>(0x80U | ((code >> 6U) & 0x3fU));
        out += static_cast<char>(0x80U | (code & 0x3fU));
    }
    return out;
}

// What stands between & and ;, or an empty text where it is not known.
std::string entity(std::string_view name) {
    constexpr std::pair<std::string_view, std::uint32_t> kNamed[] = {
        {"amp", '&'},      {"lt", '<'},       {"gt", '>'},       {"quot", '"'},     {"apos", '\''},    {"nbsp", ' '},     {"copy", 0xa9},
        {"reg", 0xae},     {"deg", 0xb0},     {"sect", 0xa7},    {"middot", 0xb7},  {"times", 0xd7},   {"euro", 0x20ac},  {"pound", 0xa3},
        {"ndash", 0x2013}, {"mdash", 0x2014}, {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"ldquo", 0x201c}, {"rdquo", 0x201d}, {"bdquo", 0x201e},
        {"laquo", 0xab},   {"raquo", 0xbb},   {"hellip", 0x2026}, {"bull", 0x2022}, {"auml", 0xe4},    {"ouml", 0xf6},    {"uuml", 0xfc},
        {"Auml", 0xc4},    {"Ouml", 0xd6},    {"Uuml", 0xdc},    {"szlig", 0xdf},   {"eacute", 0xe9},  {"egrave", 0xe8},  {"agrave", 0xe0},
        {"ccedil", 0xe7},  {"ntilde", 0xf1},  {"rarr", 0x2192},  {"larr", 0x2190}};
    if (name.starts_with('#')) {
        const bool isHex = name.size() > 1 && lower(name[1]) == 'x';
        const auto digits = name.substr(isHex ? 2 : 1);
        std::uint32_t code = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, isHex ? 16 : 10);
        return digits.empty() || error != std::errc() || end != digits.data() + digits.size() ? std::string() : utf8(code);
    }
    const auto* found = std::find_if(std::begin(kNamed), std::end(kNamed), [&](const auto& each) { return each.first == name; });
    return found == std::end(kNamed) ? std::string() : utf8(found->second);
}

std::string decoded(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto and_ = std::min(text.find('&'), text.size());
        out += text.substr(0, and_);
        text.remove_prefix(and_);
        if (text.empty()) {
            break;
        }
        const auto end = text.substr(0, kMostEntity + 2).find(';');
        const auto sign = end == std::string_view::npos ? std::string() : entity(text.substr(1, end - 1));
        out += sign.empty() ? "&" : sign;
        text.remove_prefix(sign.empty() ? 1 : end + 1);
    }
    return out;
}

struct Tag {
    std::string name; // in small letters; empty: none
    bool isEnd = false;
    std::string_view rest; // what stands behind the name
    std::size_t size = 0;  // with its brackets
};

// At a '<'. Quotes are heeded: a '>' within them ends nothing.
Tag tagAt(std::string_view text) {
    Tag out;
    std::size_t at = 1;
    if (at < text.size() && text[at] == '/') {
        out.isEnd = true;
        ++at;
    }
    while (at < text.size() && isName(text[at])) {
        out.name += lower(text[at++]);
    }
    const auto begin = at;
    char quote = 0;
    for (; at < text.size() && (quote != 0 || text[at] != '>'); ++at) {
        if (quote != 0) {
            quote = text[at] == quote ? '\0' : quote;
        } else if ((text[at] == '"' || text[at] == '\'') && text[at - 1] == '=') {
            quote = text[at];
        }
    }
    out.rest = text.substr(begin, at - begin);
    out.size = std::min(at + 1, text.size());
    return out;
}

// The value of an attribute, decoded.
std::string attribute(std::string_view rest, std::string_view name) {
    for (std::size_t at = 0; at < rest.size();) {
        while (at < rest.size() && (isSpace(rest[at]) || rest[at] == '/')) {
            ++at;
        }
        const auto begin = at;
        while (at < rest.size() && !isSpace(rest[at]) && rest[at] != '=') {
            ++at;
        }
        const auto key = rest.substr(begin, at - begin);
        if (at >= rest.size() || rest[at] != '=') {
            continue;
        }
        ++at;
        const char quote = at < rest.size() && (rest[at] == '"' || rest[at] == '\'') ? rest[at] : '\0';
        at += quote != 0 ? 1 : 0;
        const auto valueBegin = at;
        while (at < rest.size() && (quote != 0 ? rest[at] != quote : !isSpace(rest[at]))) {
            ++at;
        }
        const auto value = rest.substr(valueBegin, at - valueBegin);
        at += quote != 0 ? 1 : 0;
        if (key.size() == name.size() && std::equal(key.begin(), key.end(), name.begin(), [](char a, char b) { return lower(a) == b; })) {
            return decoded(value);
        }
    }
    return {};
}

template <std::size_t N> bool isOneOf(std::string_view name, const std::string_view (&names)[N]) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

class Page {
public:
    explicit Page(std::string_view html)
        : m_left(html) {}

    std::string text() {
        while (!m_left.empty()) {
            const auto open = std::min(m_left.find('<'), m_left.size());
            words(decoded(m_left.substr(0, open)));
            m_left.remove_prefix(open);
            if (!m_left.empty()) {
                mark();
            }
        }
        while (!m_out.empty() && isSpace(m_out.back())) {
            m_out.pop_back();
        }
        return std::move(m_out);
    }

private:
    void words(const std::string& text) {
        for (const char c : text) {
            if (m_verbatim > 0 ? c == '\r' : isSpace(c)) {
                m_isSpaced = true;
                continue;
            }
            if (m_isSpaced && m_verbatim == 0 && !m_out.empty() && m_out.back() != '\n' && !m_isFresh) {
                m_out += ' ';
            }
            m_isSpaced = false;
            m_isFresh = false;
            m_out += c;
        }
    }
    // A line's end, or an empty line: never more than one.
    void lines(std::size_t count) {
        while (!m_out.empty() && m_out.back() == ' ') {
            m_out.pop_back();
        }
        std::size_t there = m_out.empty() ? count : 0;
        for (auto at = m_out.rbegin(); at != m_out.rend() && *at == '\n' && there < count; ++at) {
            ++there;
        }
        m_out.append(count - there, '\n');
        m_isSpaced = false;
    }
    void begin(std::string_view sign) {
        m_out += sign;
        m_isFresh = true;
    }
    // Leaves out everything up to the end of an element whose content is no text.
    void passOver(std::string_view name) {
        for (;;) {
            const auto end = m_left.find("</");
            if (end == std::string_view::npos) {
                m_left = {};
                return;
            }
            m_left.remove_prefix(end + 2);
            const auto named = m_left.substr(0, name.size());
            if (std::equal(named.begin(), named.end(), name.begin(), name.end(), [](char a, char b) { return lower(a) == b; })) {
                m_left.remove_prefix(std::min(m_left.find('>'), m_left.size() - 1) + 1);
                return;
            }
        }
    }
    void mark() {
        if (m_left.starts_with("<!--")) {
            const auto end = m_left.find("-->", 4);
            m_left.remove_prefix(end == std::string_view::npos ? m_left.size() : end + 3);
            return;
        }
        const char next = m_left.size() > 1 ? m_left[1] : ' ';
        if (!isName(next) && next != '/' && next != '!' && next != '?') {
            words("<"); // a sign in the text
            m_left.remove_prefix(1);
            return;
        }
        const auto tag = tagAt(m_left);
        m_left.remove_prefix(tag.size);
        element(tag);
    }
    void element(const Tag& tag) {
        static constexpr std::string_view kSilent[] = {"script", "style", "noscript", "svg", "template", "iframe", "object", "canvas", "select", "textarea"};
        static constexpr std::string_view kBlocks[] = {"p",       "div",    "section", "article", "header", "footer", "main",  "nav",  "aside", "ul",    "ol",
                                                       "table",   "form",   "figure",  "dl",      "dd",     "dt",     "title", "body", "head",  "address", "blockquote"};
        const auto& name = tag.name;
        if (isOneOf(name, kSilent)) {
            if (!tag.isEnd && !tag.rest.ends_with('/')) {
                passOver(name);
            }
        } else if (name == "br") {
            lines(1);
        } else if (name == "hr") {
            lines(2);
        } else if (name == "tr") {
            lines(1);
        } else if ((name == "td" || name == "th") && tag.isEnd) {
            begin(" | ");
        } else if (name == "li") {
            lines(1);
            if (!tag.isEnd) {
                begin("- ");
            }
        } else if (name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6') {
            lines(2);
            if (!tag.isEnd) {
                begin(std::string(static_cast<std::size_t>(name[1] - '0'), '#') + " ");
            }
        } else if (name == "pre") {
            lines(2);
            m_verbatim = tag.isEnd ? 0 : 1;
        } else if (isOneOf(name, kBlocks)) {
            lines(2);
        } else if (name == "a") {
            link(tag);
        } else if (name == "img") {
            if (const auto alt = attribute(tag.rest, "alt"); !alt.empty()) {
                words(" [" + alt + "] ");
            }
        }
    }
    void link(const Tag& tag) {
        if (!tag.isEnd) {
            m_link = attribute(tag.rest, "href");
            m_linkBegin = m_out.size();
            return;
        }
        const bool leads = !m_link.empty() && m_link.size() <= kMostLink && !m_link.starts_with('#') && !m_link.starts_with("javascript:");
        if (leads && m_out.size() > m_linkBegin) {
            m_out += " (" + m_link + ")";
        }
        m_link.clear();
    }

    std::string_view m_left;
    std::string m_out;
    bool m_isSpaced = false; // a space is due before the next word
    bool m_isFresh = false;  // a sign was set that needs none
    int m_verbatim = 0;
    std::string m_link;
    std::size_t m_linkBegin = 0;
};

} // namespace

std::string htmlText(std::string_view html) {
    return Page(html).text();
}

} // namespace carrel::agent
