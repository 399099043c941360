// SPDX-License-Identifier: Apache-2.0
// What ties the frozen sets of an agent's shares together, in the words of the interface: a review is all of its shares'
// sets under one id, and an apply is a number. Kept in one file, replaced durably, so that a number shown today is the
// same apply after any restart.
//
// A review's id is the SHA-256 over "carrel-review-1\n" and, in order of share ids, "<share id> <set id>\n" each: whoever
// decides on it has decided on every byte of every set (I12).
// Owner: the agent. Thread: the caller serialises.
#pragma once

#include "app/files/frozen_set.h"
#include "guest/protocol/result.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace carrel::agents {

// Reviews kept for looking at again; the oldest go first, those that an apply stands on with their content by files/.
inline constexpr std::size_t kMaxReviews = 20;
// All of it is written anew with each apply.
inline constexpr std::size_t kMaxBookBytes = 64 * 1024 * 1024;

struct ReviewPart {
    std::uint32_t share = 0;
    std::string set; // FrozenSet::id
};
struct Review {
    std::string id;
    std::vector<ReviewPart> parts;
};
struct ApplyPart {
    std::uint32_t share = 0;
    std::string apply; // ApplyReport::id
};
// Who decided: the owner, the owner's standing word for a share (ShareMode::Auto), or a rule (app/policy).
inline constexpr std::string_view kByOwner = "owner";
inline constexpr std::string_view kByAuto = "auto";
inline constexpr std::string_view kByRule = "rule";

// For the list of past applies, so that it needs no journal.
struct ApplyFacts {
    std::string by = std::string(kByOwner);
    std::int64_t atMs = 0;  // since 1970 UTC; 0: not known
    std::uint64_t done = 0; // changes that were made
    std::uint64_t open = 0; // and those that were not: conflicts, failures
    std::string first;      // one path of it, <share>/<path>, to know it by
};
struct NumberedApply {
    std::uint64_t number = 0;
    std::uint64_t undoes = 0; // the number that it took back; 0: it is no undo
    std::string review;
    std::vector<ApplyPart> parts;
    ApplyFacts facts;
};

class ReviewBook {
public:
    // The file stays below `maxBytes` where it can: past that the oldest applies lose the path that they are known by. What
    // undo needs is never given up, and the book never refused for its size.
    [[nodiscard]] static Result<ReviewBook> open(std::filesystem::path file, std::size_t maxBytes = kMaxBookBytes);

    // Remembers the review; `dropped` gets the reviews that had to make room: the oldest that none of `kept` names.
    [[nodiscard]] Result<Review> add(std::vector<ReviewPart> parts, std::vector<Review>& dropped,
                                     const std::set<std::string>& kept = {});
    // Takes a review out; `dropped` gets it. None of that id: nothing happens.
    [[nodiscard]] Status drop(const std::string& id, std::vector<Review>& dropped);
    [[nodiscard]] const Review* find(const std::string& id) const;
    // The number that the next apply or undo will get; used up by record().
    [[nodiscard]] std::uint64_t nextNumber() const { return m_next; }
    [[nodiscard]] Result<std::uint64_t> record(std::uint64_t undoes, std::string review, std::vector<ApplyPart> parts,
                                               ApplyFacts facts = {});
    [[nodiscard]] const NumberedApply* apply(std::uint64_t number) const;
    // The newest apply (no undo) that stands.
    [[nodiscard]] const NumberedApply* lastStanding() const;
    [[nodiscard]] bool isUndone(std::uint64_t number) const;
    // The undo of it that stands; 0: none.
    [[nodiscard]] std::uint64_t undoneBy(std::uint64_t number) const;
    [[nodiscard]] const std::vector<Review>& reviews() const { return m_reviews; }
    [[nodiscard]] const std::vector<NumberedApply>& applies() const { return m_applies; } // undos among them

private:
    ReviewBook(std::filesystem::path file, std::size_t maxBytes)
        : m_file(std::move(file))
        , m_maxBytes(maxBytes) {}
    [[nodiscard]] std::string text() const;
    void shorten(std::size_t by);
    [[nodiscard]] Status store();

    std::filesystem::path m_file;
    std::size_t m_maxBytes;
    std::vector<Review> m_reviews;
    std::vector<NumberedApply> m_applies;
    std::uint64_t m_next = 1;
};

} // namespace carrel::agents
