// SPDX-License-Identifier: Apache-2.0
#include "app/relay/secret_scrubber.h"

#include "app/relay/base64.h"

namespace carrel::relay {

namespace {

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
        const auto width = widthOfCharacter(text.substr(at), pattern[i], partly);
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
            const auto coded = [&](std::string_view text) { return base64Core(text, offset, alphabet); };
            addPattern(coded(secret), coded(view(mask)));
        }
    }
}

void SecretScrubber::addPattern(SecretText text, SecretText mask) {
    if (m_search.add(std::move(text))) {
        m_masks.push_back(std::move(mask));
    }
}

// How much of `text` was dealt with.
std::size_t SecretScrubber::scan(std::string_view text, PatternSearch::More more, ByteQueue& out, std::size_t& found) const {
    std::size_t at = 0; // written up to here
    for (;;) {
        const auto place = m_search.find(text, at, more);
        out.append(text.substr(at, place.at - at));
        at = place.at;
        if (!place.pattern) {
            return at;
        }
        putMasked(text.substr(at), view(m_masks[*place.pattern]), view(m_search.text(*place.pattern)), place.length, out);
        at += place.length;
        ++found;
    }
}

void SecretScrubber::pass(ByteSpan in, ByteQueue& out) {
    if (m_search.isEmpty()) {
        out.append(in);
        return;
    }
    if (m_held.empty()) {
        const auto done = scan(asText(in), PatternSearch::More::MayCome, out, m_found);
        in = in.subspan(done);
    }
    if (in.empty()) {
        return;
    }
    m_held.appendSecret(asText(in));
    m_held.drop(scan(asText(m_held.front()), PatternSearch::More::MayCome, out, m_found));
}

void SecretScrubber::finish(ByteQueue& out) {
    m_held.drop(scan(asText(m_held.front()), PatternSearch::More::None, out, m_found));
}

std::string SecretScrubber::scrubbed(std::string_view whole) const {
    if (m_search.isEmpty()) {
        return std::string(whole);
    }
    ByteQueue out;
    std::size_t found = 0;
    (void)scan(whole, PatternSearch::More::None, out, found);
    return std::string(asText(out.front()));
}

} // namespace carrel::relay
