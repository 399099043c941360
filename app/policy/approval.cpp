// SPDX-License-Identifier: Apache-2.0
#include "app/policy/approval.h"

#include "app/policy/path_pattern.h"
#include "app/policy/rules_text.h"
#include "guest/protocol/plain_text.h"
#include "guest/protocol/share_path.h"

#include <algorithm>
#include <set>

namespace carrel::policy {
namespace {

constexpr std::size_t kMaxCoverValues = 20; // more than that nobody reads, and the rule says less narrowly what it covers

tl::unexpected<Error> wrong(const std::string& what) {
    return fail(ErrorCode::InvalidArgument, "A request to cross a boundary " + what, "This is a defect of Carrel: please report it");
}

bool isWord(std::string_view text, std::size_t most) {
    return text.size() <= most && isUtf8(text) && std::all_of(text.begin(), text.end(), [](char c) {
               return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
           });
}

// Distinct ones, in order; none where one request has none.
std::vector<std::string> valuesOf(std::span<const Request> items, std::string_view field) {
    std::set<std::string> out;
    for (const auto& item : items) {
        const auto at = item.fields.find(field);
        if (at == item.fields.end()) {
            return {};
        }
        out.insert(at->second);
    }
    return {out.begin(), out.end()};
}

std::string knownBy(std::string about) {
    if (about.size() <= kMaxAboutBytes) {
        return about;
    }
    const auto hash = files::Sha256::of(about).hex();
    return std::string(cutBetweenCharacters(about, kMaxAboutBytes - hash.size() - 4)) + "… " + hash;
}

// As many of the first ones as a row of the log holds. Counted generously: a byte of a name takes up to six as JSON.
std::vector<Request> firstOf(const std::vector<Request>& items) {
    std::vector<Request> out;
    std::size_t bytes = 0;
    for (const auto& item : items) {
        for (const auto& [name, value] : item.fields) {
            const auto plain = static_cast<std::size_t>(std::count_if(value.begin(), value.end(), [](char c) {
                return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
            }));
            bytes += name.size() + 2 * plain + 6 * (value.size() - plain) + 16;
        }
        bytes += 64;
        if (out.size() == kMaxKeptItems || bytes > kMaxKeptItemBytes) {
            break;
        }
        out.push_back(item);
    }
    return out;
}

} // namespace

bool isToBeChosen(const Approval& approval) {
    const auto& items = approval.question.items;
    return approval.action == Action::Folder &&
           std::none_of(items.begin(), items.end(), [](const Request& item) { return item.fields.contains("folder"); });
}

std::string claimOf(std::string_view raw) {
    // Four bytes a character at most; and no more than that of what a guest sent is ever looked at.
    const auto text = plainText(raw.substr(0, 4 * kMaxClaimCharacters + 4), 4 * kMaxClaimCharacters);
    std::string out;
    std::size_t characters = 0;
    for (std::size_t at = 0; at < text.size() && characters < kMaxClaimCharacters; ++characters) {
        std::size_t end = at + 1;
        while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) {
            ++end;
        }
        const auto one = std::string_view(text).substr(at, end - at);
        const auto first = static_cast<unsigned char>(one.front());
        // C0, DEL, C1, and the two separators of Unicode that end a line.
        const bool breaks = first < 0x20 || first == 0x7f || (first == 0xc2 && static_cast<unsigned char>(one[1]) < 0xa0) ||
                            one == "\u2028" || one == "\u2029";
        out += breaks ? std::string_view(" ") : one;
        at = end;
    }
    return out;
}

std::optional<Rule> coveringRule(std::span<const Request> items) {
    if (items.empty()) {
        return std::nullopt;
    }
    Rule rule;
    rule.effect = Effect::Allow;
    rule.action = items.front().action;
    rule.high = std::any_of(items.begin(), items.end(), [](const Request& item) { return item.risk == Risk::High; });
    for (const auto& field : fieldsOf(rule.action)) {
        if (field.kind == FieldKind::PathPrefix || field.of == Field::Of::Requests) {
            continue; // one page of a host would be asked for after the other
        }
        auto values = valuesOf(items, field.name);
        if (rule.action == Action::Apply && field.kind == FieldKind::PathPattern) {
            std::set<std::string> all(values.begin(), values.end());
            for (const auto& item : items) { // of a rename both names
                if (const auto from = item.fields.find("from"); from != item.fields.end()) {
                    all.insert(from->second);
                }
            }
            values.assign(all.begin(), all.end());
        }
        if (values.empty()) {
            continue;
        }
        if (values.size() > kMaxCoverValues) {
            if (field.kind != FieldKind::PathPattern || rule.high) {
                return std::nullopt;
            }
            continue;
        }
        if (field.kind == FieldKind::PathPattern) {
            std::transform(values.begin(), values.end(), values.begin(), [](const std::string& path) { return literalPattern(path); });
        }
        rule.fields[std::string(field.name)] = std::move(values);
    }
    if (!check(rule) || toToml(rule).size() > kMaxCoverBytes / 2) { // as JSON text up to twice as long
        return std::nullopt;
    }
    const auto covered = [&](const Request& item) { return matches(rule, item, 0); };
    return std::all_of(items.begin(), items.end(), covered) ? std::optional(std::move(rule)) : std::nullopt;
}

std::optional<Rule> scopedRule(const Rule& cover, Effect effect, Scope scope, const Approval& of,
                               std::optional<std::int64_t> untilMs) {
    if (scope == Scope::Once) {
        return std::nullopt;
    }
    Rule rule = cover;
    rule.id = 0;
    rule.effect = effect;
    rule.high = effect == Effect::Allow && cover.high;
    rule.agent = scope == Scope::Everywhere ? "" : of.agent;
    rule.session = scope == Scope::Session ? of.session : "";
    rule.untilMs = untilMs;
    return rule;
}

bool isByRule(const Approval& approval) {
    return approval.decision && approval.decision->ruleId != 0 && !approval.decision->rule;
}

Result<PreparedAsk> prepare(Ask ask) {
    if (ask.items.empty() || ask.items.size() > kMaxItems) {
        return fail(ErrorCode::LimitExceeded,
                    "A request about " + std::to_string(ask.items.size()) + " things cannot be asked",
                    "Ask for at least one and at most " + std::to_string(kMaxItems) + " at a time");
    }
    if (ask.about.empty() || !isUtf8(ask.about)) {
        return wrong("does not say in UTF-8 what it is about");
    }
    if (!isWord(ask.evidence.reference, kMaxReferenceBytes) || ask.evidence.reference.empty()) {
        return wrong("has no evidence that can be named");
    }
    if (!isWord(ask.task, kMaxTaskBytes)) {
        return wrong("is of a task whose name is too long, or is not text");
    }
    PreparedAsk out;
    for (const auto& item : ask.items) {
        CARREL_TRY(check(item));
        if (item.action != ask.action || item.agent != ask.agent || item.session != ask.session) {
            return wrong("is of several agents, sessions or kinds");
        }
        if (item.risk == Risk::High) {
            out.question.risk = Risk::High;
        }
    }
    out.agent = std::move(ask.agent);
    out.session = std::move(ask.session);
    out.task = std::move(ask.task);
    out.action = ask.action;
    out.about = knownBy(std::move(ask.about));
    out.question.riskReason = plainText(ask.riskReason, kMaxReasonBytes);
    // What makes the risk high first, for no more than these are shown with it.
    std::stable_partition(ask.items.begin(), ask.items.end(), [](const Request& item) { return item.risk == Risk::High; });
    out.question.items = firstOf(ask.items);
    out.question.itemCount = ask.items.size();
    out.question.evidence = std::move(ask.evidence);
    out.question.claim = claimOf(ask.claim);
    if (!isByPersonAlone(ask.action)) {
        out.question.cover = coveringRule(ask.items);
    }
    out.items = std::move(ask.items);
    return out;
}

} // namespace carrel::policy
