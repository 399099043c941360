// SPDX-License-Identifier: Apache-2.0
#include "app/policy/rule_book.h"

#include "app/files/durable_file.h"

#include <algorithm>
#include <sys/stat.h>

namespace carrel::policy {
namespace {

constexpr const char* kWhatNow = "Look at it; then \"carrel rules import FILE\" takes over what is right in it. Everything is "
                                 "denied until then";

} // namespace

RuleBook::RuleBook(std::filesystem::path file, std::unique_ptr<SealKeeper> keeper)
    : m_file(std::move(file))
    , m_keeper(std::move(keeper)) {}

RuleBook::Look RuleBook::look() const {
    Look out;
    struct stat info {};
    if (::stat(m_file.c_str(), &info) == 0) {
        const auto ns = [](const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
        out = {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size), ns(info.st_mtim), ns(info.st_ctim), true};
    }
    return out;
}

void RuleBook::refresh() {
    // A key that was not to be had may be by now, or be mended; what is wrong with the file stays so until it changes.
    const bool again = !m_kept && m_trouble;
    const auto now = look();
    if (m_seen == now && !again) {
        return;
    }
    auto set = read();
    m_seen = now;
    m_trouble = set ? std::nullopt : std::optional(set.error());
    m_set = set ? std::move(*set) : RuleSet{};
}

Result<RuleSet> RuleBook::read() {
    auto kept = m_keeper->load();
    if (!kept) {
        m_kept.reset();
        return fail(kept.error().wrap("The key of the rules' seal is not to be had, so nothing is allowed",
                                      kept.error().hint.empty() ? "Unlock the keyring, then try again" : kept.error().hint));
    }
    m_kept = *kept;
    const bool there = look().there;
    if (!there) {
        // With the file, what it denies is gone, too.
        return m_kept && m_kept->serial > 0 ? Result<RuleSet>(fail(ErrorCode::Refused, "The rules' file has gone: " + m_file.string(), kWhatNow))
                                            : Result<RuleSet>(RuleSet{});
    }
    if (!m_kept) {
        return fail(ErrorCode::Refused, "There is a rules' file that nothing has sealed: " + m_file.string(), kWhatNow);
    }
    const auto sealed = files::readWhole(m_file, kMaxRulesText + 4096);
    if (!sealed) {
        return fail(sealed.error());
    }
    const auto text = unseal(*sealed, m_kept->key);
    if (!text) {
        return fail(text.error());
    }
    auto set = rulesFrom(*text);
    if (set && set->serial < m_kept->serial) {
        return fail(ErrorCode::Refused, "The rules' file is an older one: something else has put it back", kWhatNow);
    }
    return set;
}

RuleBook::Verdict RuleBook::decide(const Request& request, std::int64_t nowMs) {
    const std::lock_guard lock(m_mutex);
    refresh();
    if (m_trouble) {
        return {Answer::Deny, std::nullopt, m_trouble};
    }
    const auto decision = policy::decide(m_set.rules, request, nowMs);
    return {decision.answer, decision.rule == nullptr ? std::nullopt : std::optional(*decision.rule), std::nullopt};
}

Result<RuleSet> RuleBook::rules() {
    const std::lock_guard lock(m_mutex);
    refresh();
    return m_trouble ? Result<RuleSet>(fail(*m_trouble)) : m_set;
}

// The file first: one that is newer than what the keeper knows is still ours, since nobody else can seal.
Status RuleBook::write(RuleSet next) {
    if (!m_kept) {
        auto key = newSealKey();
        if (!key) {
            return fail(key.error());
        }
        CARREL_TRY(m_keeper->keep({*key, 0})); // a file whose key was lost would deny everything
        m_kept = SealKeeper::Kept{*key, 0};
    }
    next.serial = std::max(m_set.serial, m_kept->serial) + 1;
    const auto text = toToml(next);
    if (text.size() > kMaxRulesText || next.rules.size() > kMaxRules) {
        return fail(ErrorCode::LimitExceeded, "There would be more rules than Carrel keeps",
                    "Take rules away that no longer count");
    }
    const auto sealed = seal(text, m_kept->key);
    if (!sealed) {
        return fail(sealed.error());
    }
    CARREL_TRY(files::replaceDurably(m_file, *sealed));
    m_kept->serial = next.serial;
    m_set = std::move(next);
    m_seen = look();
    m_trouble.reset();
    return m_keeper->keep(*m_kept);
}

Result<Rule> RuleBook::add(Rule rule) {
    CARREL_TRY(check(rule));
    const std::lock_guard lock(m_mutex);
    refresh();
    if (m_trouble) {
        return fail(*m_trouble);
    }
    RuleSet next = m_set;
    rule.id = next.nextId++;
    next.rules.push_back(rule);
    CARREL_TRY(write(std::move(next)));
    return rule;
}

Result<Rule> RuleBook::remove(std::uint64_t id) {
    const std::lock_guard lock(m_mutex);
    refresh();
    if (m_trouble) {
        return fail(*m_trouble);
    }
    RuleSet next = m_set;
    const auto at = std::find_if(next.rules.begin(), next.rules.end(), [&](const Rule& each) { return each.id == id; });
    if (at == next.rules.end()) {
        return fail(ErrorCode::NotFound, "There is no rule of the number " + std::to_string(id), "See: carrel rules list");
    }
    Rule gone = std::move(*at);
    next.rules.erase(at);
    CARREL_TRY(write(std::move(next)));
    return gone;
}

Status RuleBook::reset(std::vector<Rule> rules) {
    for (const auto& rule : rules) {
        CARREL_TRY(check(rule));
    }
    const std::lock_guard lock(m_mutex);
    refresh();
    if (m_trouble && m_trouble->code == ErrorCode::Unavailable) {
        return fail(*m_trouble); // a new key would make what the locked one seals a file that is not ours
    }
    RuleSet next;
    next.nextId = m_set.nextId; // numbers are not given again, as far as they are known
    for (auto& rule : rules) {
        rule.id = next.nextId++;
        next.rules.push_back(std::move(rule));
    }
    return write(std::move(next));
}

} // namespace carrel::policy
