// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/known_programs.h"

#include "guest/protocol/control.h"
#include "guest/protocol/plain_text.h"

#include <algorithm>

namespace carrel::guestd {

namespace {

void append(std::vector<bpf::ContentHash>& to, const std::vector<bpf::ContentHash>& from) {
    to.insert(to.end(), from.begin(), from.end());
}

std::size_t sizeOf(const bpf::GatePolicy& policy) {
    return policy.deny.size() + policy.allow.size() + policy.makesCode.size();
}

} // namespace

KnownPrograms::KnownPrograms(HostAsks& asks, Hands hands)
    : m_asks(asks)
    , m_hands(std::move(hands)) {}

Status KnownPrograms::take(const ProgramsPolicyCall& part) {
    ProgramsPolicyCall whole;
    {
        const std::lock_guard lock(m_mutex);
        if (part.part == 0) {
            m_coming = part;
        } else if (m_coming && part.part == m_coming->part + 1 && part.policy.age == m_coming->policy.age &&
                   part.policy.mode == m_coming->policy.mode && part.asks == m_coming->asks) {
            append(m_coming->policy.deny, part.policy.deny);
            append(m_coming->policy.allow, part.policy.allow);
            append(m_coming->policy.makesCode, part.policy.makesCode);
            m_coming->part = part.part;
            m_coming->last = part.last;
        } else {
            m_coming.reset();
            return fail(ErrorCode::InvalidArgument, "the part of the policy does not follow the one before", "Send all of it again");
        }
        if (sizeOf(m_coming->policy) > control::kMaxHashes) {
            m_coming.reset();
            return fail(ErrorCode::LimitExceeded, "the policy of programs is too long");
        }
        if (!m_coming->last) {
            return {};
        }
        whole = std::move(*m_coming);
        m_coming.reset();
    }
    CARREL_TRY(m_hands.apply(whole.policy));
    const std::lock_guard lock(m_mutex);
    m_hasPolicy = true;
    m_asksUnknown = whole.asks;
    m_onlyListed = whole.policy.mode == bpf::GateMode::Allow;
    // What was refused may be asked about again under another policy; what waits for an answer goes on waiting.
    std::erase_if(m_asked, [](const auto& each) { return each.second.stands == Stands::Refused; });
    return {};
}

bool KnownPrograms::hasPolicy() const {
    const std::lock_guard lock(m_mutex);
    return m_hasPolicy;
}

bool KnownPrograms::onlyListedRuns() const {
    const std::lock_guard lock(m_mutex);
    return m_onlyListed;
}

void KnownPrograms::refused(const bpf::Refusal& refusal, Clock::time_point now) {
    std::optional<std::string> line;
    {
        const std::lock_guard lock(m_mutex);
        line = lineFor(refusal, now);
    }
    if (line) {
        m_hands.log(*line);
    }
    if (refusal.why != bpf::RefusedWhy::Unknown || !refusal.content || !m_hands.installed) {
        askAbout(refusal, now);
        return;
    }
    m_hands.installed(bpf::toHex(*refusal.content), [this, refusal](bool added) {
        if (!added) {
            askAbout(refusal, Clock::now());
        }
    });
}

void KnownPrograms::askAbout(const bpf::Refusal& refusal, Clock::time_point now) {
    std::optional<ask::Question> question;
    {
        const std::lock_guard lock(m_mutex);
        question = questionFor(refusal);
    }
    if (question) {
        m_asks.ask(
            std::move(*question), [this, content = *refusal.content](const Result<ask::Standings>& answer) { answered(content, answer); }, now);
    }
}

std::optional<std::string> KnownPrograms::lineFor(const bpf::Refusal& refusal, Clock::time_point now) {
    if (now - m_minute >= std::chrono::minutes(1)) {
        m_minute = now;
        m_lines = 0;
    }
    if (m_lines == kLinesPerMinute) {
        ++m_leftOut;
        return std::nullopt;
    }
    ++m_lines;
    std::string line = "a program was not run";
    if (!refusal.path.empty()) {
        line += ": " + plainText(refusal.path, ask::kMaxProgramPathBytes);
    }
    line += " (" + std::string(bpf::wordsFor(refusal.why));
    if (refusal.content) {
        line += "; its SHA-256 is " + bpf::toHex(*refusal.content);
    }
    line += ")";
    if (!refusal.startedBy.empty()) {
        line += ", wanted by " + plainText(refusal.startedBy.front(), ask::kMaxProgramNameBytes) + ", process " +
                std::to_string(refusal.pid) + " of the machine";
    }
    if (m_leftOut != 0) {
        line += "; before it, " + std::to_string(m_leftOut) + " were refused without a line";
        m_leftOut = 0;
    }
    return line;
}

std::optional<ask::Question> KnownPrograms::questionFor(const bpf::Refusal& refusal) {
    if (refusal.why != bpf::RefusedWhy::Unknown || !refusal.content || !m_asksUnknown || m_underWay == kQuestions) {
        return std::nullopt; // the next attempt asks
    }
    const auto at = m_asked.find(*refusal.content);
    if (at != m_asked.end()) {
        if (at->second.stands != Stands::Open) {
            return std::nullopt;
        }
        at->second.stands = Stands::Asking;
        ++m_underWay;
        return ask::Wait{at->second.id, std::chrono::seconds(0)}; // how it stands by now
    }
    if (m_asked.size() == kRemembered) {
        return std::nullopt;
    }
    m_asked.emplace(*refusal.content, Asked{});
    ++m_underWay;
    ask::Program question;
    question.sha256 = bpf::toHex(*refusal.content);
    question.path = plainText(refusal.path, ask::kMaxProgramPathBytes);
    for (const auto& name : refusal.startedBy) {
        if (question.startedBy.size() < ask::kMaxStarters) {
            question.startedBy.push_back(plainText(name, ask::kMaxProgramNameBytes));
        }
    }
    return question;
}

void KnownPrograms::answered(const bpf::ContentHash& content, const Result<ask::Standings>& answer) {
    const std::lock_guard lock(m_mutex);
    --m_underWay;
    const auto at = m_asked.find(content);
    if (at == m_asked.end()) {
        return;
    }
    if (answer && !answer->empty() && answer->front().state == ask::State::Open) {
        at->second = {Stands::Open, answer->front().id};
    } else if (answer && !answer->empty() && answer->front().state == ask::State::Denied) {
        at->second = {Stands::Refused, 0};
    } else {
        m_asked.erase(at); // allowed: the policy says so; not answered: the next attempt asks anew
    }
}

} // namespace carrel::guestd
