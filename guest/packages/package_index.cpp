// SPDX-License-Identifier: Apache-2.0
#include "guest/packages/package_index.h"

#include <algorithm>
#include <charconv>

namespace carrel::packages {

namespace {

bool isHash(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Of a package, its version or its architecture (deb-control(5)), with some room.
bool isName(std::string_view text) {
    return !text.empty() && text.size() <= kMaxNameBytes && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("+-.:~_").find(c) != std::string_view::npos;
    });
}

std::string_view nextWord(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const auto word = line.substr(0, line.find(' '));
    line.remove_prefix(word.size());
    return word;
}

bool isOfPrograms(std::string_view path) {
    return path.ends_with("/Packages") && path.find("/binary-") != std::string_view::npos && path.find("..") == std::string_view::npos &&
           path.size() <= 256 && path.front() != '/';
}

} // namespace

std::vector<Index> indicesIn(std::string_view list) {
    std::vector<Index> out;
    bool inside = false;
    while (!list.empty() && out.size() < kMaxIndices) {
        const auto end = list.find('\n');
        auto line = list.substr(0, end);
        list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
        if (!line.starts_with(' ')) {
            inside = line == "SHA256:";
            continue;
        }
        if (!inside) {
            continue;
        }
        const auto hash = nextWord(line);
        const auto size = nextWord(line);
        const auto path = nextWord(line);
        Index one{std::string(path), std::string(hash), 0};
        const auto [last, error] = std::from_chars(size.data(), size.data() + size.size(), one.bytes);
        if (isHash(hash) && error == std::errc{} && last == size.data() + size.size() && one.bytes <= kMaxIndexBytes && line.empty() &&
            isOfPrograms(path)) {
            out.push_back(std::move(one));
        }
    }
    return out;
}

IndexSearch::IndexSearch(const std::set<std::string, std::less<>>& wanted)
    : m_wanted(wanted) {}

void IndexSearch::feed(ByteSpan piece) {
    m_hash.update(piece);
    m_bytes += piece.size();
    auto text = asText(piece);
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto part = text.substr(0, end);
        m_tooLong = m_tooLong || m_line.size() + part.size() > kMaxIndexLine;
        if (!m_tooLong) {
            m_line += part;
        }
        if (end == std::string_view::npos) {
            return;
        }
        if (!m_tooLong) {
            line(m_line);
        }
        m_line.clear();
        m_tooLong = false;
        text.remove_prefix(end + 1);
    }
}

void IndexSearch::line(std::string_view text) {
    if (text.empty()) {
        endOfOne();
        return;
    }
    const auto take = [&](std::string_view field, std::string& to) {
        if (text.starts_with(field)) {
            to = text.substr(field.size());
        }
    };
    take("Package: ", m_one.name);
    take("Version: ", m_one.version);
    take("Architecture: ", m_one.architecture);
    take("SHA256: ", m_sha256);
}

void IndexSearch::endOfOne() {
    if (m_wanted.contains(m_sha256) && isName(m_one.name) && isName(m_one.version) && isName(m_one.architecture)) {
        m_found.emplace(m_sha256, m_one);
    }
    m_one = {};
    m_sha256.clear();
}

Result<std::map<std::string, Package>> IndexSearch::finish(const Index& meant) {
    if (!m_line.empty() && !m_tooLong) {
        line(m_line);
    }
    endOfOne();
    if (m_bytes != meant.bytes || m_hash.hex() != meant.sha256) {
        return fail(ErrorCode::Refused, "the index " + meant.path + " is not the one that was signed");
    }
    return std::move(m_found);
}

} // namespace carrel::packages
