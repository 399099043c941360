// SPDX-License-Identifier: Apache-2.0
#include "app/policy/rule_book.h"

#include "app/files/durable_file.h"
#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::policy {
namespace {

constexpr const char* kWhatNow = "Look at it; then \"carrel rules import FILE\" takes over what is right in it. Everything is "
                                 "denied until then";
constexpr std::int64_t kTellKeeperEveryMs = 10'000; // one that is locked is not asked with each question
constexpr std::int64_t kFarMs = std::int64_t{1000} * 365 * 86'400'000;

bool sameButNumber(Rule a, const Rule& b) {
    a.id = b.id;
    return a == b;
}

// Of a regular file, not through a link: a pipe would be waited for, with every decision and the engine's end behind it.
Result<std::string> readFile(const std::filesystem::path& file) {
    constexpr std::size_t kMost = kMaxRulesText + 4096;
    const auto strange = [&](const char* what) {
        return fail(ErrorCode::Refused, "The rules' file is " + std::string(what) + ": " + file.string(), kWhatNow);
    };
    const auto unread = [&] {
        return fail(errnoError("reading " + file.string(), errno).wrap("The rules cannot be read, so nothing is allowed", kWhatNow));
    };
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd) {
        return errno == ELOOP ? strange("a link to another place") : unread();
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return strange("no file");
    }
    std::string out(kMost + 1, '\0');
    std::size_t size = 0;
    while (size < out.size()) {
        const auto got = ::read(fd.get(), out.data() + size, out.size() - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return unread();
        }
        if (got == 0) {
            out.resize(size);
            return out;
        }
        size += static_cast<std::size_t>(got);
    }
    return strange("larger than Carrel makes it");
}

} // namespace

RuleBook::RuleBook(std::filesystem::path file, std::unique_ptr<SealKeeper> keeper, const Clock& clock)
    : m_file(std::move(file))
    , m_keeper(std::move(keeper))
    , m_clock(clock) {}

RuleBook::Look RuleBook::look() const {
    Look out;
    struct stat info {};
    if (::lstat(m_file.c_str(), &info) == 0) {
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
        payKeeper();
        return;
    }
    auto set = read();
    m_seen = now;
    m_trouble = set ? std::nullopt : std::optional(set.error());
    if (m_trouble) { // what is known of the ends of rules is known for when it has gone
        m_set = RuleSet{};
        m_counting = std::make_shared<std::vector<Rule>>();
        return;
    }
    m_set = std::move(*set);
    taken();
    if (m_kept && m_kept->serial < m_set.serial) { // a crash came before the keeper knew
        m_kept->serial = m_set.serial;
        m_owesFrom = m_clock.now().steadyMs;
    }
    payKeeper();
}

// An older file would be taken for the newest as long as the keeper does not know how new that is. It may take a while: a
// keyring locks itself. What has been done counts meanwhile, and nobody is told otherwise.
void RuleBook::payKeeper() {
    const auto now = m_clock.now().steadyMs;
    if (m_owesFrom && m_kept && now >= *m_owesFrom) {
        m_owesFrom = m_keeper->keep(*m_kept) ? std::nullopt : std::optional(now + kTellKeeperEveryMs);
    }
}

// A number means one rule for ever, so what is known of its end holds.
void RuleBook::taken() {
    m_nextId = std::max(m_nextId, m_set.nextId);
    const auto now = m_clock.now();
    std::map<std::uint64_t, std::int64_t> ends;
    for (const auto& rule : m_set.rules) {
        if (rule.untilMs) {
            const auto known = m_ends.find(rule.id);
            // No sum that overflows: what is further off than this is no end that a person set.
            const auto left = std::clamp<std::int64_t>(*rule.untilMs, now.wallMs - kFarMs, now.wallMs + kFarMs) - now.wallMs;
            ends[rule.id] = known == m_ends.end() ? now.steadyMs + left : known->second;
        }
    }
    m_ends = std::move(ends);
    m_counting = std::make_shared<std::vector<Rule>>(m_set.rules);
}

bool RuleBook::over(const Rule& rule, Moment now) const {
    const auto end = m_ends.find(rule.id);
    return rule.untilMs && (now.wallMs >= *rule.untilMs || (end != m_ends.end() && now.steadyMs >= end->second));
}

Result<RuleSet> RuleBook::read() {
    auto kept = m_keeper->load();
    if (!kept) {
        m_kept.reset();
        return fail(kept.error().wrap("The key of the rules' seal is not to be had, so nothing is allowed",
                                      kept.error().hint.empty() ? "Unlock the keyring, then try again" : kept.error().hint));
    }
    const auto known = std::exchange(m_kept, *kept);
    if (known && m_kept && known->key == m_kept->key) { // a keeper that is owed a serial is behind
        m_kept->serial = std::max(m_kept->serial, known->serial);
    }
    const bool there = look().there;
    if (!there) {
        // With the file, what it denies is gone, too.
        return m_kept && m_kept->serial > 0 ? Result<RuleSet>(fail(ErrorCode::Refused, "The rules' file has gone: " + m_file.string(), kWhatNow))
                                            : Result<RuleSet>(RuleSet{});
    }
    if (!m_kept) {
        return fail(ErrorCode::Refused, "There is a rules' file that nothing has sealed: " + m_file.string(), kWhatNow);
    }
    const auto sealed = readFile(m_file);
    if (!sealed) {
        return fail(sealed.error());
    }
    const auto text = unseal(*sealed, m_kept->key);
    if (!text) {
        return fail(text.error());
    }
    auto set = rulesFrom(*text);
    if (!set) {
        return fail(set.error().wrap("The rules' file is Carrel's own, and cannot be read",
                                     set.error().code == ErrorCode::Unsupported ? set.error().hint : kWhatNow));
    }
    if (set->serial < m_kept->serial) {
        return fail(ErrorCode::Refused, "The rules' file is an older one: something else has put it back", kWhatNow);
    }
    return set;
}

Result<std::shared_ptr<const std::vector<Rule>>> RuleBook::counting(Moment now) {
    const std::lock_guard lock(m_mutex);
    refresh();
    if (m_trouble) {
        return fail(*m_trouble);
    }
    const auto isOver = [&](const Rule& rule) { return over(rule, now); };
    if (std::any_of(m_counting->begin(), m_counting->end(), isOver)) {
        auto rest = *m_counting;
        std::erase_if(rest, isOver);
        m_counting = std::make_shared<std::vector<Rule>>(std::move(rest));
    }
    return m_counting;
}

// Without the lock: what one agent has many things of must not hold up the others.
RuleBook::Verdict RuleBook::decide(std::span<const Request> requests) {
    const auto now = m_clock.now();
    const auto rules = counting(now);
    if (!rules) {
        return {Answer::Deny, std::nullopt, rules.error()};
    }
    const auto decision = decideAll(**rules, requests, now.wallMs);
    return {decision.answer, decision.rule == nullptr ? std::nullopt : std::optional(*decision.rule), std::nullopt};
}

std::optional<Request> RuleBook::asRead(const Request& connection) {
    const auto now = m_clock.now();
    const auto rules = counting(now);
    return rules ? policy::asRead(**rules, connection, now.wallMs) : std::nullopt;
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
    // Never below the numbers given, so that reset() knows them by what the keeper has, whatever becomes of the file.
    next.serial = std::max({m_set.serial + 1, m_kept->serial + 1, next.nextId});
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
    taken();
    m_seen = look();
    m_trouble.reset();
    m_owesFrom = m_clock.now().steadyMs;
    payKeeper();
    return {};
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
    if (m_recorder) {
        CARREL_TRY(m_recorder(Change::Added, rule));
    }
    CARREL_TRY(write(std::move(next)));
    return rule;
}

Result<std::optional<Rule>> RuleBook::find(const Rule& like) {
    const std::lock_guard lock(m_mutex);
    refresh();
    if (m_trouble) {
        return fail(*m_trouble);
    }
    const auto at = std::find_if(m_set.rules.begin(), m_set.rules.end(),
                                 [&](const Rule& each) { return sameButNumber(each, like); });
    return at == m_set.rules.end() ? std::optional<Rule>() : std::optional(*at);
}

Result<std::vector<Rule>> RuleBook::removeWhere(const std::function<bool(const Rule&)>& which, const Before& before) {
    const std::lock_guard lock(m_mutex);
    refresh();
    if (m_trouble) {
        return fail(*m_trouble);
    }
    RuleSet next = m_set;
    const auto rest = std::stable_partition(next.rules.begin(), next.rules.end(), [&](const Rule& each) { return !which(each); });
    std::vector<Rule> gone(std::make_move_iterator(rest), std::make_move_iterator(next.rules.end()));
    next.rules.erase(rest, next.rules.end());
    for (const auto& each : gone) {
        if (before) {
            CARREL_TRY(before(each));
        }
    }
    if (!gone.empty()) {
        CARREL_TRY(write(std::move(next)));
    }
    return gone;
}

Result<Rule> RuleBook::remove(std::uint64_t id, const Before& before) {
    auto gone = removeWhere([&](const Rule& each) { return each.id == id; }, before);
    if (!gone) {
        return fail(std::move(gone).error());
    }
    if (gone->empty()) {
        return fail(ErrorCode::NotFound, "There is no rule of the number " + std::to_string(id), "See: carrel rules list");
    }
    return std::move(gone->front());
}

Result<std::vector<Rule>> RuleBook::endSessions(std::string_view agent, std::string_view but) {
    const auto record = [&](const Rule& each) -> Status {
        if (m_recorder) {
            (void)m_recorder(Change::SessionOver, each).has_value(); // what it allowed is over all the same
        }
        return {};
    };
    return removeWhere([&](const Rule& each) { return each.agent == agent && !each.session.empty() && each.session != but; },
                       record);
}

Result<std::vector<Rule>> RuleBook::forget(std::string_view agent) {
    return removeWhere([&](const Rule& each) { return !agent.empty() && each.agent == agent; });
}

Result<RuleBook::Replaced> RuleBook::reset(std::vector<Rule> rules, const BeforeReset& before) {
    for (const auto& rule : rules) {
        CARREL_TRY(check(rule));
    }
    const std::lock_guard lock(m_mutex);
    refresh();
    if (m_trouble && m_trouble->code == ErrorCode::Unavailable) {
        return fail(*m_trouble); // a new key would make what the locked one seals a file that is not ours
    }
    RuleSet next;
    // Numbers are not given again: logs name rules by them. Of a file that cannot be read its serial says how far they went.
    next.nextId = std::max(m_nextId, m_trouble && m_kept ? m_kept->serial + 1 : 1);
    for (auto& rule : rules) {
        rule.id = next.nextId++;
        next.rules.push_back(std::move(rule));
    }
    Replaced replaced{m_trouble ? std::vector<Rule>() : m_set.rules, next.rules};
    if (before) {
        CARREL_TRY(before(replaced));
    }
    CARREL_TRY(write(std::move(next)));
    return replaced;
}

} // namespace carrel::policy
