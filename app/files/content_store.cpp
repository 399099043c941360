// SPDX-License-Identifier: Apache-2.0
#include "app/files/content_store.h"

#include "app/files/flush.h"
#include "guest/protocol/hole_writer.h"

#include <array>
#include <atomic>
#include <dirent.h>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace carrel::files {

namespace {

constexpr std::string_view kHalfWritten = "tmp-";
constexpr std::size_t kChunk = 256 * 1024;

Status ask(StepHook* hook, std::string_view step, std::string_view path, const char* doing) {
    if (hook != nullptr) {
        if (const int number = hook->before(step, path); number != 0) {
            return failErrno(doing, number);
        }
    }
    return {};
}

Error explain(std::string doing, int number) {
    Error error = errnoError(std::move(doing), number);
    if (number == ENOSPC || number == EDQUOT) {
        error.hint = "Free some space on that disk, then try again; nothing half-written was left";
    }
    return error;
}

Status outcome(int error) {
    return error == 0 ? Status{} : fail(explain("cannot write a file", error));
}

// Reads `from` by position, hashes, and hands every chunk on.
Result<StoredContent> pump(int from, std::uint64_t maxBytes, const std::function<Status(ByteSpan)>& sink) {
    Sha256Hasher hasher;
    std::uint64_t offset = 0;
    const std::unique_ptr<std::byte[]> buffer(new std::byte[kChunk]); // not cleared: most files are much smaller
    while (true) {
        const ssize_t got = ::pread(from, buffer.get(), kChunk, static_cast<off_t>(offset));
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return failErrno("cannot read the file");
        }
        if (got == 0) {
            return StoredContent{hasher.finish(), offset};
        }
        offset += static_cast<std::uint64_t>(got);
        if (offset > maxBytes) {
            return fail(ErrorCode::LimitExceeded,
                        "the file is larger than " + std::to_string(maxBytes) + " bytes");
        }
        const ByteSpan chunk(buffer.get(), static_cast<std::size_t>(got));
        hasher.add(chunk);
        if (sink) {
            CARREL_TRY(sink(chunk));
        }
    }
}

Error damaged(const Sha256& id) {
    return Error{ErrorCode::Malformed, "content " + id.hex() + " in Carrel's store is damaged",
                 "It is not used. Open the review again, so that it is copied afresh", 0, nullptr};
}

// Another one each time: random for this process, then counted.
std::string newName() {
    static const std::string begin = [] {
        std::random_device random;
        return std::string(kHalfWritten) + std::to_string(random()) + std::to_string(random()) + "-";
    }();
    static std::atomic<std::uint64_t> count = 0;
    return begin + std::to_string(count++);
}

// Calls `each` for every name; the descriptor stays the caller's.
Status forEachName(int dirFd, const std::function<Status(const std::string&)>& each) {
    UniqueFd copy(::openat(dirFd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(copy ? ::fdopendir(copy.get()) : nullptr, ::closedir);
    if (!dir) {
        return failErrno("cannot list the content store");
    }
    (void)copy.release(); // the listing's now
    errno = 0;
    while (const dirent* entry = ::readdir(dir.get())) {
        CARREL_TRY(each(entry->d_name));
        errno = 0;
    }
    return errno == 0 ? Status{} : Status(failErrno("cannot list the content store"));
}

// An object that has no name yet: removed unless it gets one.
class Nameless {
public:
    Nameless(int dir, std::string name)
        : m_dir(dir)
        , m_name(std::move(name))
        , m_fd(::openat(dir, m_name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) {}
    Nameless(Nameless&& other) noexcept
        : m_dir(other.m_dir)
        , m_name(std::exchange(other.m_name, {}))
        , m_fd(std::move(other.m_fd)) {}
    Nameless& operator=(Nameless&&) = delete;
    ~Nameless() {
        if (!m_name.empty()) {
            ::unlinkat(m_dir, m_name.c_str(), 0);
        }
    }
    [[nodiscard]] int fd() const { return m_fd.get(); }
    [[nodiscard]] const std::string& temporary() const { return m_name; }

    // Replacing an object of that name is right: the same bytes, and the new ones are known to be sound.
    [[nodiscard]] Status become(const std::string& name) {
        if (::renameat(m_dir, m_name.c_str(), m_dir, name.c_str()) != 0) {
            return fail(explain("cannot name a file in the content store", errno));
        }
        m_name.clear();
        return {};
    }

private:
    int m_dir;
    std::string m_name;
    UniqueFd m_fd;
};

struct Stored {
    StoredContent content;
    Nameless object;
};

using Fill = std::function<Result<StoredContent>(const std::function<Status(ByteSpan)>&)>;

Result<Stored> write(int dir, StepHook* hook, const Fill& fill) {
    CARREL_TRY(ask(hook, "store.create", "", "cannot make a file in the content store"));
    Nameless object(dir, newName());
    if (object.fd() < 0) {
        return fail(explain("cannot make a file in the content store", errno));
    }
    CARREL_TRY(ask(hook, "store.write", "", "cannot write to the content store"));
    HoleWriter writer(object.fd());
    auto stored = fill([&](ByteSpan chunk) { return outcome(writer.write(chunk)); });
    if (!stored) {
        return fail(std::move(stored).error());
    }
    CARREL_TRY(outcome(writer.finish()));
    return Stored{*stored, std::move(object)};
}

// Flushed, then named, then the names flushed.
Status settle(int dir, StepHook* hook, std::span<Stored> all, bool& namesUnflushed) {
    std::vector<int> files;
    for (const auto& each : all) {
        CARREL_TRY(ask(hook, "store.flush", "", "cannot flush the content store"));
        if (::fchmod(each.object.fd(), 0400) != 0) {
            return fail(explain("cannot flush the content store", errno));
        }
        files.push_back(each.object.fd());
    }
    if (const int number = flushTogether(files); number != 0) {
        return fail(explain("cannot flush the content store", number));
    }
    for (auto& each : all) {
        const std::string name = each.content.sha256.hex();
        CARREL_TRY(ask(hook, "store.rename", name, "cannot name a file in the content store"));
        namesUnflushed = true;
        CARREL_TRY(each.object.become(name));
    }
    if (namesUnflushed) {
        CARREL_TRY(ask(hook, "store.names", "", "cannot flush the content store"));
        if (::fsync(dir) != 0) {
            return fail(explain("cannot flush the content store", errno));
        }
        namesUnflushed = false;
    }
    return {};
}

} // namespace

Result<StoredContent> hashFile(int fd, std::uint64_t maxBytes) {
    return pump(fd, maxBytes, {});
}

struct ContentStore::Unflushed {
    static constexpr std::size_t kMost = 256; // descriptors
    static constexpr std::uint64_t kMostBytes = 64U << 20U;
    std::mutex mutex;
    std::vector<Stored> objects;
    std::uint64_t bytes = 0;
    Status failed; // of a flush that nobody asked for: the next one that is asked for says it
    bool namesUnflushed = false; // somebody may believe a name already

    // Under the mutex.
    Status flush(int dir, StepHook* hook) {
        auto settled = failed ? settle(dir, hook, objects, namesUnflushed) : std::exchange(failed, {});
        forget();
        return settled;
    }
    void forget() {
        objects.clear();
        bytes = 0;
        failed = {};
    }
};

ContentStore::ContentStore(UniqueFd fd, StepHook* hook)
    : m_fd(std::move(fd))
    , m_hook(hook)
    , m_unflushed(std::make_unique<Unflushed>()) {}
ContentStore::ContentStore(ContentStore&&) noexcept = default;
ContentStore& ContentStore::operator=(ContentStore&&) noexcept = default;
ContentStore::~ContentStore() = default;

Status makeFolder(const std::string& dir) {
    if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail(explain("cannot make the folder " + dir, errno));
    }
    // Also where it is there already: whoever made it may have died before this.
    const auto slash = dir.rfind('/');
    const std::string above = slash == std::string::npos ? "." : dir.substr(0, slash + 1);
    const UniqueFd parent(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent || ::fsync(parent.get()) != 0) {
        return failErrno("cannot flush the folder " + above);
    }
    return {};
}

Result<ContentStore> ContentStore::open(const std::string& dir, StepHook* hook) {
    CARREL_TRY(makeFolder(dir));
    UniqueFd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    // Flushed, since whoever named an object in it may have died before it was: a name that is seen is believed.
    if (!fd || ::fchmod(fd.get(), 0700) != 0 || ::fsync(fd.get()) != 0) {
        return failErrno("cannot open the content store " + dir);
    }
    CARREL_TRY(forEachName(fd.get(), [&](const std::string& name) -> Status {
        if (name.starts_with(kHalfWritten)) {
            ::unlinkat(fd.get(), name.c_str(), 0);
        }
        return {};
    }));
    return ContentStore(std::move(fd), hook);
}

Result<UniqueFd> ContentStore::newIncoming(UniqueFd used) const {
    CARREL_TRY(ask(m_hook, "store.incoming", "", "cannot make a file in the content store"));
    // The position is shared with whoever filled it.
    if (used && ::ftruncate(used.get(), 0) == 0 && ::lseek(used.get(), 0, SEEK_SET) == 0) {
        return used;
    }
    UniqueFd fd(::openat(m_fd.get(), ".", O_RDWR | O_TMPFILE | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) {
        // Not every file system has O_TMPFILE; a file that loses its name at once is the same to us.
        const std::string name = newName();
        fd.reset(::openat(m_fd.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!fd) {
            return fail(explain("cannot make a file in the content store", errno));
        }
        ::unlinkat(m_fd.get(), name.c_str(), 0);
    }
    return fd;
}

Result<StoredContent> ContentStore::store(const std::function<Result<StoredContent>(const Sink&)>& fill) {
    auto stored = write(m_fd.get(), m_hook, fill);
    if (!stored) {
        return fail(std::move(stored).error());
    }
    const std::lock_guard lock(m_unflushed->mutex);
    CARREL_TRY(settle(m_fd.get(), m_hook, {&*stored, 1}, m_unflushed->namesUnflushed));
    return stored->content;
}

Result<StoredContent> ContentStore::adopt(int from, std::uint64_t maxBytes) {
    return store([&](const auto& sink) { return pump(from, maxBytes, sink); });
}

Result<StoredContent> ContentStore::put(ByteSpan content) {
    return store([&](const auto& sink) -> Result<StoredContent> {
        CARREL_TRY(sink(content));
        return StoredContent{Sha256::of(content), content.size()};
    });
}

Result<StoredContent> ContentStore::adoptLater(int from, std::uint64_t maxBytes) {
    auto stored = write(m_fd.get(), m_hook, [&](const auto& sink) { return pump(from, maxBytes, sink); });
    if (!stored) {
        return fail(std::move(stored).error());
    }
    const StoredContent content = stored->content;
    const std::lock_guard lock(m_unflushed->mutex);
    m_unflushed->objects.push_back(std::move(*stored));
    m_unflushed->bytes += content.size;
    if (m_unflushed->objects.size() >= Unflushed::kMost || m_unflushed->bytes >= Unflushed::kMostBytes) {
        const auto flushed = m_unflushed->flush(m_fd.get(), m_hook);
        m_unflushed->failed = flushed;
        CARREL_TRY(flushed);
    }
    return content;
}

Status ContentStore::flush() {
    const std::lock_guard lock(m_unflushed->mutex);
    return m_unflushed->flush(m_fd.get(), m_hook);
}

void ContentStore::forgetUnflushed() {
    const std::lock_guard lock(m_unflushed->mutex);
    m_unflushed->forget();
}

bool ContentStore::has(const Sha256& id) const {
    struct stat st {};
    return ::fstatat(m_fd.get(), id.hex().c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

Result<UniqueFd> ContentStore::openObject(const Sha256& id) const {
    const auto openAt = [&](const std::string& name) {
        return UniqueFd(::openat(m_fd.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    };
    // Under the lock: else it could get its name between the two looks. First where it is newest: one of that name may be
    // damaged.
    const std::lock_guard lock(m_unflushed->mutex);
    std::string name = id.hex();
    for (const auto& each : m_unflushed->objects) {
        if (each.content.sha256 == id) {
            name = each.object.temporary();
        }
    }
    UniqueFd fd = openAt(name);
    if (!fd && errno == ENOENT) {
        return fail(ErrorCode::NotFound, "content " + id.hex() + " is not in Carrel's store");
    }
    if (!fd) {
        return failErrno("cannot open content in Carrel's store");
    }
    return fd;
}

Status ContentStore::copyTo(const Sha256& id, int to) const {
    auto fd = openObject(id);
    if (!fd) {
        return fail(std::move(fd).error());
    }
    HoleWriter writer(to);
    auto copied = pump(fd->get(), UINT64_MAX, [&](ByteSpan chunk) { return outcome(writer.write(chunk)); });
    if (!copied) {
        return fail(std::move(copied).error());
    }
    CARREL_TRY(outcome(writer.finish()));
    if (copied->sha256 != id) {
        return fail(damaged(id));
    }
    return {};
}

Result<std::string> ContentStore::read(const Sha256& id, std::uint64_t maxBytes) const {
    auto fd = openObject(id);
    if (!fd) {
        return fail(std::move(fd).error());
    }
    std::string out;
    auto copied = pump(fd->get(), maxBytes, [&](ByteSpan chunk) -> Status {
        out += asText(chunk);
        return {};
    });
    if (!copied) {
        return fail(std::move(copied).error());
    }
    if (copied->sha256 != id) {
        return fail(damaged(id));
    }
    return out;
}

Result<UniqueFd> ContentStore::openVerified(const Sha256& id) const {
    auto fd = openObject(id);
    if (!fd) {
        return fd;
    }
    auto hashed = hashFile(fd->get(), UINT64_MAX);
    if (!hashed) {
        return fail(std::move(hashed).error());
    }
    if (hashed->sha256 != id) {
        return fail(damaged(id));
    }
    return fd;
}

Result<std::uint64_t> ContentStore::collect(const std::set<Sha256>& keep) {
    std::uint64_t freed = 0;
    CARREL_TRY(forEachName(m_fd.get(), [&](const std::string& name) -> Status {
        const auto id = Sha256::parse(name);
        struct stat st {};
        if (!id || keep.contains(*id) || ::fstatat(m_fd.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
            return {};
        }
        if (auto asked = ask(m_hook, "store.collect", name, "cannot remove unused content"); !asked) {
            return asked;
        }
        if (::unlinkat(m_fd.get(), name.c_str(), 0) == 0) {
            freed += static_cast<std::uint64_t>(st.st_size);
        }
        return {};
    }));
    return freed;
}

} // namespace carrel::files
