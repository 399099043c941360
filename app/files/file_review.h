// SPDX-License-Identifier: Apache-2.0
// What the engine uses of this room: the reviews, applies and undos of one agent, in one folder:
//   <dir>/content/   the content store       <dir>/sets/<id>.json   frozen sets       <dir>/applies/<id>/
//   journals
//
// Life: open() → recover() once → freeze / apply / undo / collect in any order. Owner: the engine, one per
// agent; two objects on one folder are refused (flock(2)). Thread: any; every call blocks and holds this
// object's lock, so calls queue up one behind the other. Root descriptors are borrowed for the call. No
// exception leaves. The activity log is the caller's: write the decision there before apply() or undo() (I5),
// the outcomes after.
#pragma once

#include "app/files/applier.h"
#include "app/files/content_store.h"
#include "app/files/freezer.h"
#include "app/files/frozen_set.h"

#include <memory>
#include <string>
#include <vector>

namespace carrel::files {

struct TextDiff {
    std::string unified; // guest text, unescaped: show it through DisplayText only
    bool available = false;
    std::string whyNot; // when not: "binary", "too large to show line by line", …
    bool shortened = false;
};

class FileReview {
public:
    [[nodiscard]] static Result<std::unique_ptr<FileReview>> open(const std::string& dir,
                                                                  StepHook* hook = nullptr);
    virtual ~FileReview() = default;

    [[nodiscard]] virtual Result<std::vector<ApplyReport>> recover(const OpenShare& openShare,
                                                                   RecoverTo to = RecoverTo::Finish) = 0;
    // Freezes and stores the set durably; the answer is what a later set(id) gives. One that fails leaves no content behind.
    [[nodiscard]] virtual Result<FrozenSet> freeze(int root, const std::string& share,
                                                   std::span<const ChangeEntry> claims, ContentSource& source,
                                                   const FreezeLimits& limits = {},
                                                   const Progress& progress = {}) = 0;
    [[nodiscard]] virtual Result<FrozenSet> set(const std::string& id) = 0;
    [[nodiscard]] virtual Result<std::vector<std::string>> sets() = 0; // ids
    // The review is over; the set goes, its content with the next collect() unless an apply refers to it.
    [[nodiscard]] virtual Status forget(const std::string& id) = 0;
    [[nodiscard]] virtual Result<TextDiff> diff(const FrozenEntry& entry,
                                                const FreezeLimits& limits = {}) = 0;

    [[nodiscard]] virtual Result<ApplyReport> apply(int root, const std::string& setId,
                                                    std::span<const Selected> selection,
                                                    const Progress& progress = {}) = 0;
    [[nodiscard]] virtual Result<ApplyReport> undo(int root, const std::string& applyId,
                                                   const Progress& progress = {}) = 0;
    // Applier::settle().
    [[nodiscard]] virtual Status settle(int root, const std::string& share) = 0;
    [[nodiscard]] virtual Result<MadeIn> madeIn(int root, const std::string& applyId) = 0;
    [[nodiscard]] virtual Result<std::vector<ApplySummary>> applies() = 0;
    [[nodiscard]] virtual Result<ApplyReport> report(const std::string& applyId) = 0;

    // Removes content that no set and no apply refers to; bytes given back.
    [[nodiscard]] virtual Result<std::uint64_t> collect() = 0;
    [[nodiscard]] virtual ContentStore& store() = 0;
};

} // namespace carrel::files
