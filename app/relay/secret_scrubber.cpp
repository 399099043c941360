// SPDX-License-Identifier: Apache-2.0
#include "app/relay/secret_scrubber.h"

#include "app/relay/base64.h"
#include "app/relay/http_words.h"

namespace carrel::relay {

namespace {

constexpr std::size_t kMinPattern = 6;

enum class Fit { No, Partly, Whole };

Fit fitsLiterally(std::string_view text, std::string_view pattern) {
    const auto count = std::min(text.size(), pattern.size());
    if (text.substr(0, count) != pattern.substr(0, count)) {
        return Fit::No;
    }
    return count == pattern.size() ? Fit::Whole : Fit::Partly;
}

// How many bytes stand for one at the beginning of `text`; 0: it is another one. `partly`: not all of them are there.
std::size_t widthOf(std::string_view text, char wanted, bool& partly) {
    if (text.front() == '%') {
        const std::string_view digits = text.substr(1, 2);
        bool same = true;
        for (std::size_t i = 0; i < digits.size(); ++i) {
            const auto value = hexDigit(digits[i]);
            const unsigned expected = static_cast<unsigned char>(wanted) >> (i == 0 ? 4U : 0U) & 15U;
            same = same && value == expected;
        }
        if (same) {
            partly = digits.size() < 2;
            return 3;
        }
    }
    if (text.front() == '\\' && wanted == '/') {
        partly = text.size() < 2;
        if (partly || text[1] == '/') {
            return 2;
        }
    }
    return text.front() == wanted ? 1 : 0;
}

Fit fitsEncoded(std::string_view text, std::string_view pattern, std::size_t& length) {
    std::size_t at = 0;
    for (const char wanted : pattern) {
        bool partly = false;
        const auto width = at < text.size() ? widthOf(text.substr(at), wanted, partly) : 1;
        if (width == 0) {
            return Fit::No;
        }
        if (at >= text.size() || partly) {
            return Fit::Partly;
        }
        at += width;
    }
    length = at;
    return Fit::Whole;
}

std::size_t pairOf(char first, char second) {
    return static_cast<std::size_t>(static_cast<unsigned char>(first)) * 256 + static_cast<unsigned char>(second);
}

// `placeholder`, again and again, to that length.
SecretText maskFor(std::string_view placeholder, std::size_t length) {
    SecretText mask(length, '*');
    for (std::size_t i = 0; i < length && !placeholder.empty(); ++i) {
        mask[i] = placeholder[i % placeholder.size()];
    }
    return mask;
}

// Writes the mask in the coding of what it stands for.
void putMasked(std::string_view text, std::string_view mask, std::string_view pattern, std::size_t length, ByteQueue& out) {
    static constexpr std::string_view kDigits = "0123456789ABCDEF";
    if (length == mask.size()) {
        out.append(mask);
        return;
    }
    std::size_t at = 0;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        bool partly = false;
        const auto width = widthOf(text.substr(at), pattern[i], partly);
        const auto code = static_cast<unsigned char>(mask[i]);
        const char coded[] = {'%', kDigits[code >> 4U], kDigits[code & 15U]};
        out.append(width == 3 ? std::string_view(coded, 3) : width == 2 ? std::string_view("**") : std::string_view(&mask[i], 1));
        at += width;
    }
}

} // namespace

void SecretScrubber::add(std::string_view secret, std::string_view placeholder) {
    secret = secret.substr(0, kMaxSecret);
    if (secret.size() < kMinSecret) {
        return;
    }
    const auto mask = maskFor(placeholder, secret.size());
    addPattern(secretText(secret), mask);
    for (const auto alphabet : {Alphabet::Standard, Alphabet::Url}) {
        for (std::size_t offset = 0; offset < 3; ++offset) {
            // Behind `offset` bytes of something else. Only the characters that depend on nothing but the secret are looked for.
            const auto coded = [&](std::string_view text) {
                SecretText shifted(offset, '\0');
                shifted.insert(shifted.end(), text.begin(), text.end());
                const auto all = toBase64(view(shifted), alphabet);
                const auto begin = (8 * offset + 5) / 6;
                const auto end = 8 * shifted.size() / 6;
                return SecretText(all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end));
            };
            addPattern(coded(secret), coded(view(mask)));
        }
    }
}

void SecretScrubber::addPattern(SecretText text, SecretText mask) {
    const bool known = std::any_of(m_patterns.begin(), m_patterns.end(), [&](const Pattern& each) { return each.text == text; });
    if (known || text.size() < kMinPattern) {
        return;
    }
    noteBeginning(text[0], text[1]);
    m_patterns.push_back({std::move(text), std::move(mask)});
}

// The two bytes with which it may begin, in each way that it may be written.
void SecretScrubber::noteBeginning(char first, char second) {
    m_pairs.resize(std::size_t(256) * 256 / 64);
    const auto note = [&](char a, char b) {
        const auto pair = pairOf(a, b);
        m_pairs[pair / 64] |= std::uint64_t(1) << pair % 64;
        m_first[static_cast<unsigned char>(a)] = 1;
    };
    static constexpr std::string_view kDigits = "0123456789abcdef0123456789ABCDEF";
    const auto high = static_cast<unsigned char>(first) >> 4U;
    note('%', kDigits[high]);
    note('%', kDigits[16 + high]);
    note(first, second);
    note(first, '%');
    note(first, '\\');
    if (first == '/') {
        note('\\', '/');
    }
}

SecretScrubber::Match SecretScrubber::matchAt(std::string_view text) const {
    Match best;
    for (const auto& pattern : m_patterns) {
        std::size_t length = pattern.text.size();
        auto fit = fitsLiterally(text, view(pattern.text));
        if (fit != Fit::Whole) {
            const auto encoded = fitsEncoded(text, view(pattern.text), length);
            fit = encoded == Fit::No ? fit : encoded;
        }
        best.mayBe = best.mayBe || fit == Fit::Partly;
        if (fit == Fit::Whole && length > best.length) {
            best.pattern = &pattern;
            best.length = length;
        }
    }
    return best;
}

// How much of `text` was dealt with.
std::size_t SecretScrubber::scan(std::string_view text, More more, ByteQueue& out, std::size_t& found) const {
    std::size_t clean = 0; // written up to here
    std::size_t at = 0;
    const auto flush = [&] { out.append(text.substr(clean, at - clean)); };
    const auto pairAt = [&](std::size_t i) {
        const auto pair = pairOf(text[i], text[i + 1]);
        return m_pairs[pair / 64] >> pair % 64 & 1U;
    };
    while (at < text.size()) {
        // Several at a time, without a branch between them: nearly all are none.
        while (at + 4 < text.size() && (pairAt(at) | pairAt(at + 1) | pairAt(at + 2) | pairAt(at + 3)) == 0) {
            at += 4;
        }
        const bool mayBegin = at + 1 < text.size() ? pairAt(at) != 0 : m_first[static_cast<unsigned char>(text[at])] != 0;
        if (!mayBegin) {
            ++at;
            continue;
        }
        const auto match = matchAt(text.substr(at));
        if (match.pattern != nullptr) {
            flush();
            putMasked(text.substr(at), view(match.pattern->mask), view(match.pattern->text), match.length, out);
            at += match.length;
            clean = at;
            ++found;
        } else if (match.mayBe && more == More::MayCome) {
            break;
        } else {
            ++at;
        }
    }
    flush();
    return at;
}

void SecretScrubber::pass(ByteSpan in, ByteQueue& out) {
    if (m_patterns.empty()) {
        out.append(in);
        return;
    }
    if (m_held.empty()) {
        const auto done = scan(asText(in), More::MayCome, out, m_found);
        in = in.subspan(done);
    }
    if (in.empty()) {
        return;
    }
    m_held.appendSecret(asText(in));
    m_held.drop(scan(asText(m_held.front()), More::MayCome, out, m_found));
}

void SecretScrubber::finish(ByteQueue& out) {
    m_held.drop(scan(asText(m_held.front()), More::None, out, m_found));
}

std::string SecretScrubber::scrubbed(std::string_view whole) const {
    if (m_patterns.empty()) {
        return std::string(whole);
    }
    ByteQueue out;
    std::size_t found = 0;
    (void)scan(whole, More::None, out, found);
    return std::string(asText(out.front()));
}

} // namespace carrel::relay
