// SPDX-License-Identifier: Apache-2.0
#include "app/engine/token_book.h"

#include "app/activity/event.h"
#include "app/agents/agent_record.h"
#include "app/agents/review_book.h"
#include "app/files/durable_file.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>
#include <openssl/crypto.h>
#include <sys/random.h>

#include <algorithm>
#include <array>

namespace carrel::engine {

namespace json = boost::json;
using namespace std::chrono;

namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxFileBytes = 1024 * 1024; // 64 tokens of 64 agents are a third of it
constexpr milliseconds kLongestWait = minutes(1);
constexpr milliseconds kClockSlack = minutes(5); // corrections of a clock that runs well are smaller

Result<std::string> newToken() {
    std::array<unsigned char, 32> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
        return failErrno("getting random bits");
    }
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string token(api::kTokenPrefix);
    for (const auto byte : random) {
        token += kDigits[byte >> 4U];
        token += kDigits[byte & 0xfU];
    }
    return token;
}

Status checkName(const std::string& name) {
    // In the log a client's name stands where the owner's word could, or what stands for it: it must not look like it.
    if (name == agents::kByOwner || name == agents::kByAuto || name == agents::kByRule || !agents::checkAgentName(name)) {
        return fail(ErrorCode::InvalidArgument, "that is no name for a client",
                    "Use 1 to 32 lower-case letters, digits and hyphens, beginning with a letter; not owner, auto or rule");
    }
    return {};
}

json::object toJson(const TokenInfo& info, const files::Sha256& hash) {
    json::array agents;
    for (const auto& agent : info.agents) {
        agents.push_back(json::object{{"id", agent.id}, {"name", agent.name}});
    }
    return {{"name", info.name},
            {"created_ms", info.createdMs},
            {"ends_ms", info.endsMs},
            {"sha256", hash.hex()},
            {"agents", std::move(agents)}};
}

} // namespace

TokenBook::TokenBook(std::filesystem::path file, Clock clock)
    : m_file(std::move(file))
    , m_clock(std::move(clock)) {}

std::int64_t TokenBook::nowMs() const {
    return duration_cast<milliseconds>(m_clock().time_since_epoch()).count();
}

bool TokenBook::isOver(const Token& token) const {
    return token.ends.stop_requested() || nowMs() >= token.info.endsMs || steady_clock::now() >= token.passes;
}

TokenInfo TokenBook::infoOf(const Token& token) const {
    auto info = token.info;
    info.connections = token.connections->load();
    info.ended = isOver(token);
    return info;
}

Status TokenBook::load() {
    const std::lock_guard lock(m_mutex);
    m_unreadable.reset();
    if (auto loaded = loadLocked(); !loaded) {
        m_tokens.clear();
        m_unreadable = loaded.error().wrap("the file of the clients' tokens cannot be used, so no client is let in",
                                           "Move it away, stop the engine and make new tokens: " + m_file.string());
        return fail(*m_unreadable);
    }
    return {};
}

Status TokenBook::loadLocked() {
    auto text = files::readWhole(m_file, kMaxFileBytes);
    if (!text) {
        return text.error().sysErrno == ENOENT ? Status{} : fail(std::move(text).error());
    }
    auto object = parseJsonObject(*text, JsonLimits{kMaxFileBytes, 6});
    if (!object) {
        return fail(std::move(object).error());
    }
    JsonFields fields(*object, "tokens");
    if (fields.number("version") != kVersion) {
        return fail(ErrorCode::Unsupported, "it is of another version of Carrel");
    }
    const auto& list = fields.array("tokens", kMaxTokens);
    CARREL_TRY(fields.finish());
    std::vector<Token> tokens;
    for (const auto& value : list) {
        if (!value.is_object()) {
            return fail(ErrorCode::Malformed, "a token in it is none");
        }
        JsonFields each(value.get_object(), "token");
        Token token;
        token.info.name = each.string("name", agents::kMaxAgentName);
        token.info.createdMs = each.signedNumber("created_ms");
        token.info.endsMs = each.signedNumber("ends_ms");
        const auto hash = files::Sha256::parse(each.string("sha256", 64));
        for (const auto& agent : each.array("agents", kMaxTokenAgents)) {
            if (!agent.is_object()) {
                return fail(ErrorCode::Malformed, "an agent in it is none");
            }
            JsonFields inner(agent.get_object(), "agent");
            token.info.agents.push_back({inner.string("id", 64), inner.string("name", agents::kMaxAgentName)});
            CARREL_TRY(inner.finish());
        }
        CARREL_TRY(each.finish());
        CARREL_TRY(checkName(token.info.name));
        const auto time = token.info.endsMs - token.info.createdMs;
        if (!hash || token.info.createdMs < 0 || token.info.endsMs < 0 || time < 0 ||
            time > milliseconds(kLongestToken).count()) {
            return fail(ErrorCode::Malformed, "a token in it has no hash, or lives too long");
        }
        token.hash = *hash;
        const auto left = std::clamp<std::int64_t>(token.info.endsMs - nowMs(), 0, time);
        token.passes = steady_clock::now() + milliseconds(left);
        tokens.push_back(std::move(token));
    }
    const auto byName = [](const Token& a, const Token& b) { return a.info.name < b.info.name; };
    std::sort(tokens.begin(), tokens.end(), byName);
    if (std::adjacent_find(tokens.begin(), tokens.end(), [](const Token& a, const Token& b) {
            return a.info.name == b.info.name;
        }) != tokens.end()) {
        return fail(ErrorCode::Malformed, "two tokens in it have one name");
    }
    m_tokens = std::move(tokens);
    return {};
}

Status TokenBook::save(const std::vector<Token>& tokens) const {
    json::array list;
    for (const auto& token : tokens) {
        list.push_back(toJson(token.info, token.hash));
    }
    return files::replaceDurably(m_file,
                                  json::serialize(json::object{{"version", kVersion}, {"tokens", std::move(list)}}));
}

Result<TokenBook::Made> TokenBook::create(const std::string& name, std::vector<TokenAgent> agents, seconds time,
                                          const std::function<Status()>& record) {
    CARREL_TRY(checkName(name));
    if (agents.empty() || agents.size() > kMaxTokenAgents) {
        return fail(ErrorCode::InvalidArgument, "a client's token is for 1 to 64 agents", "Name them with --agent");
    }
    if (time < kShortestToken || time > kLongestToken) {
        return fail(ErrorCode::InvalidArgument, "a client's token lives for a minute at least and a year at most",
                    "Say for how long: --for 12h, --for 30d");
    }
    auto text = newToken();
    if (!text) {
        return fail(std::move(text).error());
    }
    const std::lock_guard lock(m_mutex);
    if (m_unreadable) {
        return fail(*m_unreadable);
    }
    // Those that have ended make room, also for their name.
    std::vector<Token> tokens;
    for (auto& each : m_tokens) {
        if (isOver(each)) {
            each.ends.request_stop();
        } else {
            tokens.push_back(each);
        }
    }
    const auto at = std::lower_bound(tokens.begin(), tokens.end(), name,
                                     [](const Token& token, const std::string& n) { return token.info.name < n; });
    if (at != tokens.end() && at->info.name == name) {
        return fail(ErrorCode::AlreadyExists, "there is a client's token of that name already",
                    "Choose another name, or end that one: carrel token revoke " + name);
    }
    if (tokens.size() >= kMaxTokens) {
        return fail(ErrorCode::LimitExceeded, "there are 64 clients' tokens already",
                    "End one that is not needed: carrel token list, carrel token revoke NAME");
    }
    Token token;
    token.info.name = name;
    token.info.agents = std::move(agents);
    token.info.createdMs = nowMs();
    token.info.endsMs = token.info.createdMs + milliseconds(time).count();
    token.passes = steady_clock::now() + time;
    token.hash = files::Sha256::of(*text);
    const auto info = token.info;
    tokens.insert(at, std::move(token));
    CARREL_TRY(record());
    CARREL_TRY(save(tokens)); // before it counts
    m_tokens = std::move(tokens);
    return Made{info, std::move(*text)};
}

Result<TokenInfo> TokenBook::revoke(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    if (m_unreadable) {
        return fail(*m_unreadable);
    }
    const auto at = std::find_if(m_tokens.begin(), m_tokens.end(),
                                 [&](const Token& token) { return token.info.name == name; });
    if (at == m_tokens.end()) {
        return fail(ErrorCode::NotFound, "there is no client's token of that name", "See: carrel token list");
    }
    at->ends.request_stop(); // before the disk: what takes away waits for nothing
    auto info = infoOf(*at);
    auto rest = m_tokens;
    rest.erase(rest.begin() + (at - m_tokens.begin()));
    if (auto saved = save(rest); !saved) {
        return fail(saved.error().wrap("the token has ended, but that could not be written down: it would be good again "
                                       "when the engine starts anew",
                                       "Make room on the disk, then repeat: carrel token revoke " + name));
    }
    m_tokens = std::move(rest);
    return info;
}

Result<std::vector<TokenInfo>> TokenBook::list() const {
    const std::lock_guard lock(m_mutex);
    if (m_unreadable) {
        return fail(*m_unreadable);
    }
    std::vector<TokenInfo> out;
    for (const auto& token : m_tokens) {
        out.push_back(infoOf(token));
    }
    return out;
}

Result<api::Admission> TokenBook::admit(std::string_view text) {
    const auto unknown = fail(ErrorCode::Refused, "that token is not known here, or was revoked",
                              "Ask the owner for a new one: carrel token create");
    if (!api::isTokenForm(text)) {
        return unknown;
    }
    const auto hash = files::Sha256::of(text);
    const std::lock_guard lock(m_mutex);
    // All are looked at, each for as long whatever it holds: time tells nothing of how much was right.
    Token* found = nullptr;
    for (auto& token : m_tokens) {
        if (CRYPTO_memcmp(token.hash.bytes.data(), hash.bytes.data(), hash.bytes.size()) == 0) {
            found = &token;
        }
    }
    if (found == nullptr) {
        return unknown;
    }
    if (isOver(*found)) {
        const bool revoked = found->ends.stop_requested() && nowMs() < found->info.endsMs;
        found->ends.request_stop();
        return revoked ? unknown
                       : fail(ErrorCode::Expired, "the time of that token is over",
                              "Ask the owner for a new one: carrel token create");
    }
    if (nowMs() < found->info.createdMs - kClockSlack.count()) {
        return fail(ErrorCode::Unavailable, "the computer's clock stands before the time when that token was made",
                    "Set the clock right.");
    }
    const auto counter = found->connections;
    if (counter->load() >= api::kMaxConnectionsPerToken) {
        return fail(ErrorCode::LimitExceeded, "this client has too many connections already", "End some of them.");
    }
    counter->fetch_add(1);
    found->info.usedMs = nowMs();
    api::Admission out;
    out.place = std::shared_ptr<void>(counter.get(), [counter](void*) { counter->fetch_sub(1); });
    out.caller.role = api::Role::Client;
    out.caller.client = found->info.name;
    out.caller.ends = found->ends.get_token();
    json::array names;
    for (const auto& agent : found->info.agents) {
        out.caller.agents.push_back(agent.id);
        names.push_back(json::string(agent.name));
    }
    out.told = {{"client", found->info.name},
                {"agents", std::move(names)},
                {"ends", activity::formatTime(found->info.endsMs * 1'000'000)}};
    return out;
}

std::optional<milliseconds> TokenBook::endWhatIsOver() {
    const std::lock_guard lock(m_mutex);
    std::optional<milliseconds> next;
    for (auto& token : m_tokens) {
        if (isOver(token)) {
            token.ends.request_stop();
            continue;
        }
        const auto left = std::min(milliseconds(token.info.endsMs - nowMs()),
                                   ceil<milliseconds>(token.passes - steady_clock::now()));
        next = std::clamp(left, milliseconds(1), next.value_or(kLongestWait));
    }
    return next;
}

} // namespace carrel::engine
