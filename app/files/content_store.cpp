// SPDX-License-Identifier: Apache-2.0
#include "app/files/content_store.h"

#include <array>
#include <dirent.h>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <random>
#include <sys/stat.h>

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

Status writeAll(int fd, ByteSpan data) {
    while (!data.empty()) {
        const ssize_t wrote = ::write(fd, data.data(), data.size());
        if (wrote < 0) {
            if (errno == EINTR) {
                continue;
            }
            return fail(explain("cannot write a file", errno));
        }
        data = data.subspan(static_cast<std::size_t>(wrote));
    }
    return {};
}

// Reads `from` by position, hashes, and hands every chunk on.
Result<StoredContent> pump(int from, std::uint64_t maxBytes, const std::function<Status(ByteSpan)>& sink) {
    Sha256Hasher hasher;
    std::uint64_t offset = 0;
    Bytes buffer(kChunk);
    while (true) {
        const ssize_t got = ::pread(from, buffer.data(), buffer.size(), static_cast<off_t>(offset));
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
        const ByteSpan chunk(buffer.data(), static_cast<std::size_t>(got));
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

std::string randomName() {
    std::random_device random;
    std::string name(kHalfWritten);
    for (int i = 0; i < 4; ++i) {
        name += std::to_string(random());
    }
    return name;
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

// A half-written object, removed unless it got its name.
class Half {
public:
    Half(int dir, std::string name)
        : m_dir(dir)
        , m_name(std::move(name)) {}
    Half(const Half&) = delete;
    Half& operator=(const Half&) = delete;
    ~Half() {
        if (!m_name.empty()) {
            ::unlinkat(m_dir, m_name.c_str(), 0);
        }
    }
    void done() { m_name.clear(); }
    [[nodiscard]] const std::string& name() const { return m_name; }

private:
    int m_dir;
    std::string m_name;
};

using Fill = std::function<Result<StoredContent>(const std::function<Status(ByteSpan)>&)>;

Result<StoredContent> store(int dir, StepHook* hook, const Fill& fill) {
    CARREL_TRY(ask(hook, "store.create", "", "cannot make a file in the content store"));
    Half half(dir, randomName());
    const UniqueFd fd(
        ::openat(dir, half.name().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) {
        return fail(explain("cannot make a file in the content store", errno));
    }
    CARREL_TRY(ask(hook, "store.write", "", "cannot write to the content store"));
    auto stored = fill([&](ByteSpan chunk) { return writeAll(fd.get(), chunk); });
    if (!stored) {
        return stored;
    }
    CARREL_TRY(ask(hook, "store.flush", "", "cannot flush the content store"));
    if (::fchmod(fd.get(), 0400) != 0 || ::fsync(fd.get()) != 0) {
        return fail(explain("cannot flush the content store", errno));
    }
    const std::string name = stored->sha256.hex();
    CARREL_TRY(ask(hook, "store.rename", name, "cannot name a file in the content store"));
    // Replacing an object of that name is right: the same bytes, and the new ones are known to be sound.
    if (::renameat(dir, half.name().c_str(), dir, name.c_str()) != 0) {
        return fail(explain("cannot name a file in the content store", errno));
    }
    half.done();
    if (::fsync(dir) != 0) {
        return fail(explain("cannot flush the content store", errno));
    }
    return stored;
}

} // namespace

Result<StoredContent> hashFile(int fd, std::uint64_t maxBytes) {
    return pump(fd, maxBytes, {});
}

ContentStore::ContentStore(std::string dir, UniqueFd fd, StepHook* hook)
    : m_dir(std::move(dir))
    , m_fd(std::move(fd))
    , m_hook(hook) {}

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
    if (!fd || ::fchmod(fd.get(), 0700) != 0) {
        return failErrno("cannot open the content store " + dir);
    }
    CARREL_TRY(forEachName(fd.get(), [&](const std::string& name) -> Status {
        if (name.starts_with(kHalfWritten)) {
            ::unlinkat(fd.get(), name.c_str(), 0);
        }
        return {};
    }));
    return ContentStore(dir, std::move(fd), hook);
}

Result<UniqueFd> ContentStore::newIncoming() const {
    CARREL_TRY(ask(m_hook, "store.incoming", "", "cannot make a file in the content store"));
    UniqueFd fd(::openat(m_fd.get(), ".", O_RDWR | O_TMPFILE | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) {
        // Not every file system has O_TMPFILE; a file that loses its name at once is the same to us.
        const std::string name = randomName();
        fd.reset(::openat(m_fd.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!fd) {
            return fail(explain("cannot make a file in the content store", errno));
        }
        ::unlinkat(m_fd.get(), name.c_str(), 0);
    }
    return fd;
}

Result<StoredContent> ContentStore::adopt(int from, std::uint64_t maxBytes) {
    return carrel::files::store(m_fd.get(), m_hook,
                                [&](const auto& sink) { return pump(from, maxBytes, sink); });
}

Result<StoredContent> ContentStore::put(ByteSpan content) {
    return carrel::files::store(m_fd.get(), m_hook, [&](const auto& sink) -> Result<StoredContent> {
        CARREL_TRY(sink(content));
        return StoredContent{Sha256::of(content), content.size()};
    });
}

bool ContentStore::has(const Sha256& id) const {
    struct stat st {};
    return ::fstatat(m_fd.get(), id.hex().c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

namespace {
Result<UniqueFd> openObject(int dir, const Sha256& id) {
    UniqueFd fd(::openat(dir, id.hex().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) {
        if (errno == ENOENT) {
            return fail(ErrorCode::NotFound, "content " + id.hex() + " is not in Carrel's store");
        }
        return failErrno("cannot open content in Carrel's store");
    }
    return fd;
}
} // namespace

Status ContentStore::copyTo(const Sha256& id, int to) const {
    auto fd = openObject(m_fd.get(), id);
    if (!fd) {
        return fail(std::move(fd).error());
    }
    auto copied = pump(fd->get(), UINT64_MAX, [&](ByteSpan chunk) { return writeAll(to, chunk); });
    if (!copied) {
        return fail(std::move(copied).error());
    }
    if (copied->sha256 != id) {
        return fail(damaged(id));
    }
    return {};
}

Result<std::string> ContentStore::read(const Sha256& id, std::uint64_t maxBytes) const {
    auto fd = openObject(m_fd.get(), id);
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
    auto fd = openObject(m_fd.get(), id);
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
