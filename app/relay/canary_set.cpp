// SPDX-License-Identifier: Apache-2.0
#include "app/relay/canary_set.h"

#include "app/relay/base64.h"

namespace carrel::relay {

namespace {

SecretText toHex(std::string_view text, std::string_view digits) {
    SecretText out;
    out.reserve(2 * text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(digits[byte >> 4U]);
        out.push_back(digits[byte & 15U]);
    }
    return out;
}

} // namespace

CanarySet::CanarySet(const std::vector<Canary>& canaries) {
    for (const auto& [name, text] : canaries) {
        if (text.size() < kMinCanary || text.size() > kMaxCanary) {
            continue;
        }
        add(name, CanaryForm::Plain, secretText(text));
        for (const auto alphabet : {Alphabet::Standard, Alphabet::Url}) {
            for (std::size_t offset = 0; offset < 3; ++offset) {
                add(name, CanaryForm::Base64, base64Core(text, offset, alphabet));
            }
        }
        add(name, CanaryForm::Hex, toHex(text, "0123456789abcdef"));
        add(name, CanaryForm::Hex, toHex(text, "0123456789ABCDEF"));
    }
}

void CanarySet::add(const std::string& name, CanaryForm form, SecretText text) {
    const auto lines = form == CanaryForm::Plain ? PatternSearch::Lines::Whole : PatternSearch::Lines::Broken;
    if (m_search.add(std::move(text), lines)) {
        m_meaning.push_back({name, form});
    }
}

std::optional<CanaryHit> CanarySet::hitIn(std::string_view text, const PatternSearch::Place& place) const {
    if (!place.pattern) {
        return std::nullopt;
    }
    auto hit = m_meaning[*place.pattern];
    const bool isLonger = place.length != m_search.text(*place.pattern).size();
    if (hit.form == CanaryForm::Plain && isLonger && text.substr(place.at, place.length).find('%') != std::string_view::npos) {
        hit.form = CanaryForm::Percent;
    }
    return hit;
}

std::optional<CanaryHit> CanarySet::in(std::string_view text) const {
    return hitIn(text, m_search.find(text, 0, PatternSearch::More::None));
}

std::optional<CanaryHit> CanarySearch::scan(ByteSpan in, PatternSearch::More more, ByteQueue* out, std::size_t& clean) {
    const auto place = m_set->search().find(asText(in), 0, more);
    m_tried += place.tried;
    clean = place.at;
    if (out != nullptr) {
        out->append(in.first(clean));
    }
    return m_set->hitIn(asText(in), place);
}

std::optional<CanaryHit> CanarySearch::pass(ByteSpan in, ByteQueue* out) {
    std::size_t clean = 0;
    if (m_held.empty()) {
        if (auto hit = scan(in, PatternSearch::More::MayCome, out, clean)) {
            return hit;
        }
        in = in.subspan(clean);
    }
    if (in.empty()) {
        return std::nullopt;
    }
    m_held.append(in);
    auto hit = scan(m_held.front(), PatternSearch::More::MayCome, out, clean);
    m_held.drop(clean);
    // A whole one may stand within what may be the beginning of another.
    return hit ? hit : scan(m_held.front(), PatternSearch::More::None, nullptr, clean);
}

std::optional<CanaryHit> CanarySearch::finish(ByteQueue* out) {
    std::size_t clean = 0;
    auto hit = scan(m_held.front(), PatternSearch::More::None, out, clean);
    m_held.drop(clean);
    return hit;
}

} // namespace carrel::relay
