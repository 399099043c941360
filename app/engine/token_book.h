// SPDX-License-Identifier: Apache-2.0
// The tokens that let clients in: made by the owner, for named agents, with an end. Of a token only its SHA-256 is
// kept, in <data folder>/tokens.json (0600, written durably); the token itself is told once, when it is made. 256
// random bits need no slow hash: nobody guesses them.
//
// A token ends when it is revoked or when its time is over, by the clock of the computer or by the time that has passed
// since the engine knew of it, whichever is first: a clock that is set back lengthens no token while the engine runs,
// and one that stands before the token's beginning lets nobody in.
// A book that cannot be read lets nobody in, and is not written over.
// Owned by Clients. Thread: any; create() and revoke() block for the disk.
#pragma once

#include "app/api/auth.h"
#include "app/api/caller.h"
#include "app/files/sha256.h"
#include "guest/protocol/result.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace carrel::engine {

inline constexpr std::size_t kMaxTokens = 64;
inline constexpr std::size_t kMaxTokenAgents = 64;
inline constexpr std::chrono::seconds kShortestToken{60};
inline constexpr std::chrono::seconds kLongestToken = std::chrono::hours(24 * 365);

struct TokenAgent {
    std::string id;
    std::string name; // when the token was made; agents keep their names
};

struct TokenInfo {
    std::string name;
    std::vector<TokenAgent> agents;
    std::int64_t createdMs = 0; // since 1970 UTC
    std::int64_t endsMs = 0;
    std::optional<std::int64_t> usedMs; // last admitted, in this life of the engine
    std::size_t connections = 0;        // now
    bool ended = false;
};

class TokenBook {
public:
    using Clock = std::function<std::chrono::system_clock::time_point()>;
    explicit TokenBook(std::filesystem::path file, Clock clock = std::chrono::system_clock::now);

    // What is in the file. An error is told to every caller from then on, until the file is away or right.
    [[nodiscard]] Status load();

    struct Made {
        TokenInfo info;
        std::string token; // once
    };
    // InvalidArgument: the name, the time or the agents. AlreadyExists: a token of that name has not ended.
    // LimitExceeded: there are too many. `record` is called once all is right, before anything is kept; its error is the
    // end of it (I5). It must not call the book.
    [[nodiscard]] Result<Made> create(const std::string& name, std::vector<TokenAgent> agents, std::chrono::seconds time,
                                      const std::function<Status()>& record);
    // Ends it at once, in memory; an error is that of writing it down: then it is ended until the engine goes.
    // NotFound: there is none of that name.
    [[nodiscard]] Result<TokenInfo> revoke(const std::string& name);
    [[nodiscard]] Result<std::vector<TokenInfo>> list() const; // by name
    [[nodiscard]] Result<api::Admission> admit(std::string_view token);

    // Ends what has come to its end. When to ask again: never later than a minute, as clocks are set; none while no
    // token lives.
    [[nodiscard]] std::optional<std::chrono::milliseconds> endWhatIsOver();

private:
    struct Token {
        TokenInfo info;
        files::Sha256 hash;
        std::chrono::steady_clock::time_point passes; // by the time that passes
        std::stop_source ends;
        std::shared_ptr<std::atomic<std::size_t>> connections = std::make_shared<std::atomic<std::size_t>>(0);
    };
    [[nodiscard]] Status loadLocked();
    [[nodiscard]] Status save(const std::vector<Token>& tokens) const;
    [[nodiscard]] bool isOver(const Token& token) const;
    [[nodiscard]] std::int64_t nowMs() const;
    [[nodiscard]] TokenInfo infoOf(const Token& token) const;

    std::filesystem::path m_file;
    Clock m_clock;
    mutable std::mutex m_mutex;
    std::vector<Token> m_tokens; // by name
    std::optional<Error> m_unreadable;
};

} // namespace carrel::engine
