// SPDX-License-Identifier: Apache-2.0
#include "app/relay/canary_watch.h"

namespace carrel::relay {

namespace {

CanaryWatch::Verdict inBody(CanaryHit hit, std::optional<CanaryForm> form = {}) {
    return {CanaryFound{std::move(hit.name), CanaryPlace::Body, form.value_or(hit.form)}, std::nullopt};
}

} // namespace

std::optional<CanaryFound> canaryIn(const CanarySet& canaries, const RequestHead& head) {
    if (auto hit = canaries.in(head.method + " " + head.target.path + head.target.query)) {
        return CanaryFound{std::move(hit->name), CanaryPlace::Target, hit->form};
    }
    for (const auto& field : head.fields) {
        if (auto hit = canaries.in(field.name + ": " + field.value)) {
            return CanaryFound{std::move(hit->name), CanaryPlace::Field, hit->form};
        }
    }
    return std::nullopt;
}

CanaryWatch::CanaryWatch(const std::shared_ptr<const CanarySet>& canaries, const RequestHead& head)
    : m_plain(canaries)
    , m_inner(canaries)
    , m_unpacker(Unpacker::codingOf(head.fields)) {}

CanaryWatch::Verdict CanaryWatch::plain(ByteSpan in, ByteQueue& clean) {
    auto hit = m_plain.pass(in, &clean);
    return hit ? inBody(std::move(*hit)) : Verdict{};
}

CanaryWatch::Verdict CanaryWatch::unfolded(ByteSpan in) {
    std::optional<CanaryHit> hit;
    const auto outcome = m_unpacker.feed(in, [&](ByteSpan inner) {
        if (!hit) {
            hit = m_inner.pass(inner, nullptr);
        }
    });
    if (hit) {
        return inBody(std::move(*hit), CanaryForm::Gzip);
    }
    switch (outcome) {
    case Unpacker::Outcome::Fine:
        return {};
    case Unpacker::Outcome::TooMuch:
        return {std::nullopt, "The request's body is compressed, and unfolds to more than is searched for canaries: 64 MiB, or 256 times its size"};
    case Unpacker::Outcome::NotInOrder:
        return {std::nullopt, "The request's body is not compressed as it says, and so cannot be searched for canaries"};
    }
    return {};
}

CanaryWatch::Verdict CanaryWatch::body(ByteSpan in, ByteQueue& clean) {
    auto verdict = unfolded(in); // before any of it goes on
    return verdict.isFine() ? plain(in, clean) : verdict;
}

CanaryWatch::Verdict CanaryWatch::raw(ByteSpan in, ByteQueue& clean) {
    m_payload.clear();
    m_frames.read(in, m_payload);
    if (auto hit = m_inner.pass(m_payload, nullptr)) {
        return inBody(std::move(*hit));
    }
    return plain(in, clean);
}

CanaryWatch::Verdict CanaryWatch::finish(ByteQueue& clean) {
    auto hit = m_plain.finish(&clean);
    return hit ? inBody(std::move(*hit)) : Verdict{};
}

} // namespace carrel::relay
