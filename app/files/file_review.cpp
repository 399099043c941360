// SPDX-License-Identifier: Apache-2.0
#include "app/files/file_review.h"

#include "app/files/journal.h"
#include "app/files/line_diff.h"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <mutex>
#include <sys/file.h>
#include <sys/stat.h>

namespace carrel::files {

namespace {

constexpr std::string_view kEnding = ".json";

class LocalReview final : public FileReview {
public:
    LocalReview(UniqueFd lock, UniqueFd sets, std::string setsDir, ContentStore store, StepHook* hook)
        : m_lock(std::move(lock))
        , m_sets(std::move(sets))
        , m_setsDir(std::move(setsDir))
        , m_store(std::move(store))
        , m_hook(hook) {}

    Status openApplier(const std::string& dir) {
        auto applier = Applier::open(dir, m_store, m_hook);
        if (!applier) {
            return fail(std::move(applier).error());
        }
        m_applier.emplace(std::move(*applier));
        return {};
    }

    Result<std::vector<ApplyReport>> recover(const OpenShare& openShare, RecoverTo to) override {
        const std::lock_guard guard(m_mutex);
        return m_applier->recover(openShare, to);
    }

    Result<FrozenSet> freeze(int root, const std::string& share, std::span<const ChangeEntry> claims,
                             ContentSource& source, const FreezeLimits& limits,
                             const Progress& progress) override {
        const std::lock_guard guard(m_mutex);
        auto frozen = carrel::files::freeze(root, share, claims, source, m_store, limits, progress);
        if (frozen) {
            auto written = writeDurably(m_sets.get(), frozen->id + std::string(kEnding), toCanonical(*frozen), m_hook);
            if (written) {
                return frozen;
            }
            frozen = fail(std::move(written).error());
        }
        (void)collectUnused().has_value(); // a guest could have one freeze after the other come to nothing
        return frozen;
    }

    Result<FrozenSet> set(const std::string& id) override {
        const std::lock_guard guard(m_mutex);
        return loadSet(id);
    }

    Result<std::vector<std::string>> sets() override {
        const std::lock_guard guard(m_mutex);
        return setIds();
    }

    Status forget(const std::string& id) override {
        const std::lock_guard guard(m_mutex);
        if (!Sha256::parse(id)) {
            return fail(ErrorCode::NotFound, "there is no review of that id");
        }
        if (::unlinkat(m_sets.get(), (id + std::string(kEnding)).c_str(), 0) != 0) {
            return errno == ENOENT ? fail(ErrorCode::NotFound, "there is no review of that id")
                                   : Status(failErrno("cannot remove the review"));
        }
        return {};
    }

    Result<TextDiff> diff(const FrozenEntry& entry, const FreezeLimits& limits) override {
        const std::lock_guard guard(m_mutex);
        TextDiff out;
        if (!entry.text) {
            const bool large = entry.base.size > limits.diffBytes || entry.wanted.size > limits.diffBytes;
            const bool bytes = entry.contentChanged || entry.wanted.kind == NodeKind::Absent;
            out.whyNot = !bytes  ? "its content stays as it is"
                         : large ? "too large to show line by line"
                                 : "not text";
            return out;
        }
        const auto side = [&](const NodeState& state) -> Result<std::string> {
            return state.kind == NodeKind::File ? m_store.read(*state.content, limits.diffBytes)
                                                : Result<std::string>(std::string());
        };
        auto before = side(entry.base);
        auto after = side(entry.wanted);
        if (!before || !after) {
            return fail(!before ? before.error() : after.error());
        }
        const LineDiff lines = diffLines(*before, *after);
        out.unified = unified(lines);
        out.shortened = lines.shortened;
        out.available = true;
        return out;
    }

    Result<ApplyReport> apply(int root, const std::string& setId, std::span<const Selected> selection,
                              const Progress& progress) override {
        const std::lock_guard guard(m_mutex);
        auto frozen = loadSet(setId);
        if (!frozen) {
            return fail(std::move(frozen).error());
        }
        return m_applier->apply(root, *frozen, selection, progress);
    }

    Result<ApplyReport> undo(int root, const std::string& applyId, const Progress& progress) override {
        const std::lock_guard guard(m_mutex);
        return m_applier->undo(root, applyId, progress);
    }

    Status settle(int root, const std::string& share) override {
        const std::lock_guard guard(m_mutex);
        return m_applier->settle(root, share);
    }

    Result<MadeIn> madeIn(int root, const std::string& applyId) override {
        const std::lock_guard guard(m_mutex);
        return m_applier->madeIn(root, applyId);
    }

    Result<std::vector<ApplySummary>> applies() override {
        const std::lock_guard guard(m_mutex);
        return m_applier->list();
    }

    Result<ApplyReport> report(const std::string& applyId) override {
        const std::lock_guard guard(m_mutex);
        return m_applier->report(applyId);
    }

    Result<std::uint64_t> collect() override {
        const std::lock_guard guard(m_mutex);
        return collectUnused();
    }

    ContentStore& store() override { return m_store; }

private:
    Result<std::uint64_t> collectUnused() {
        auto keep = m_applier->references();
        auto ids = setIds();
        if (!keep || !ids) {
            return fail(!keep ? keep.error() : ids.error());
        }
        for (const auto& id : *ids) {
            auto frozen = loadSet(id);
            if (!frozen) {
                return fail(std::move(frozen).error()); // better keep too much than lose what it names
            }
            for (const auto& entry : frozen->entries) {
                for (const NodeState* state : {&entry.base, &entry.target, &entry.wanted}) {
                    if (state->content) {
                        keep->insert(*state->content);
                    }
                }
            }
        }
        return m_store.collect(*keep);
    }

    Result<FrozenSet> loadSet(const std::string& id) {
        if (!Sha256::parse(id)) {
            return fail(ErrorCode::NotFound, "there is no review of that id");
        }
        auto text = readWhole(m_sets.get(), id + std::string(kEnding), kMaxSetText);
        if (!text) {
            return fail(std::move(text).error());
        }
        return frozenSetFrom(*text, id);
    }

    Result<std::vector<std::string>> setIds() {
        const std::unique_ptr<DIR, int (*)(DIR*)> names(::opendir(m_setsDir.c_str()), ::closedir);
        if (!names) {
            return failErrno("cannot list the reviews");
        }
        std::vector<std::string> ids;
        errno = 0;
        while (const dirent* item = ::readdir(names.get())) {
            const std::string_view name = item->d_name;
            if (name.ends_with(kEnding) && Sha256::parse(name.substr(0, name.size() - kEnding.size()))) {
                ids.emplace_back(name.substr(0, name.size() - kEnding.size()));
            }
        }
        if (errno != 0) { // collect() would take what the unseen ones need
            return failErrno("cannot list the reviews");
        }
        std::sort(ids.begin(), ids.end());
        return ids;
    }

    UniqueFd m_lock;
    UniqueFd m_sets;
    std::string m_setsDir;
    ContentStore m_store;
    StepHook* m_hook;
    std::optional<Applier> m_applier;
    std::mutex m_mutex;
};

} // namespace

Result<std::unique_ptr<FileReview>> FileReview::open(const std::string& dir, StepHook* hook) {
    for (const std::string& folder : {dir, dir + "/sets"}) {
        CARREL_TRY(makeFolder(folder));
    }
    UniqueFd lock(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail(ErrorCode::Refused, "this agent's reviews are in use by another Carrel engine",
                    "End the other one first");
    }
    UniqueFd sets(::open((dir + "/sets").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!sets) {
        return failErrno("cannot open the folder " + dir + "/sets");
    }
    auto store = ContentStore::open(dir + "/content", hook);
    if (!store) {
        return fail(std::move(store).error());
    }
    auto review = std::make_unique<LocalReview>(std::move(lock), std::move(sets), dir + "/sets",
                                                std::move(*store), hook);
    CARREL_TRY(review->openApplier(dir + "/applies"));
    return std::unique_ptr<FileReview>(std::move(review));
}

} // namespace carrel::files
