// SPDX-License-Identifier: Apache-2.0
#include "guest/packages/package_search.h"

#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <optional>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace carrel::packages {

namespace {

constexpr const char* kLists = "var/lib/apt/lists";
constexpr const char* kCache = "var/cache/apt/archives";
constexpr std::string_view kListEnd = "_InRelease";
constexpr std::size_t kPiece = 64 * 1024;

// Beneath `folder`, by no link, on the same file system; never waits for whoever holds the other end of a FIFO.
UniqueFd openBeneath(int folder, const std::string& path, int flags) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    return UniqueFd(static_cast<int>(::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how)));
}

UniqueFd openFolder(const std::string& root, const char* path) {
    const UniqueFd top(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return top ? openBeneath(top.get(), path, O_RDONLY | O_DIRECTORY) : UniqueFd();
}

struct OpenFile {
    UniqueFd fd;
    struct stat status {};
};
std::optional<OpenFile> openFile(int folder, const std::string& name) {
    OpenFile out;
    out.fd = openBeneath(folder, name, O_RDONLY);
    if (!out.fd || ::fstat(out.fd.get(), &out.status) != 0 || !S_ISREG(out.status.st_mode)) {
        return std::nullopt;
    }
    return out;
}

// In order, so that what is beyond the limit is the same each time.
std::vector<std::string> namesIn(int folder, std::string_view end, std::size_t most) {
    std::vector<std::string> out;
    const int again = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const listing = again < 0 ? nullptr : ::fdopendir(again);
    if (listing == nullptr) {
        if (again >= 0) {
            ::close(again);
        }
        return out;
    }
    constexpr std::size_t kLookedAt = 20'000;
    std::size_t count = 0;
    while (const dirent* one = ::readdir(listing)) {
        if (++count > kLookedAt) {
            break;
        }
        if (std::string_view(one->d_name).ends_with(end)) {
            out.emplace_back(one->d_name);
        }
    }
    ::closedir(listing);
    std::sort(out.begin(), out.end());
    out.resize(std::min(out.size(), most));
    return out;
}

// All of it, as far as it goes, piece by piece.
Status readAll(int file, std::uint64_t most, const std::function<Status(ByteSpan)>& take) {
    std::vector<std::byte> buffer(kPiece);
    for (std::uint64_t at = 0;;) {
        const auto got = ::pread(file, buffer.data(), buffer.size(), static_cast<off_t>(at));
        if (got < 0) {
            return failErrno("reading what apt fetched");
        }
        if (got == 0) {
            return {};
        }
        at += static_cast<std::uint64_t>(got);
        if (at > most) {
            return fail(ErrorCode::LimitExceeded, "a file of apt's is too long");
        }
        CARREL_TRY(take({buffer.data(), static_cast<std::size_t>(got)}));
    }
}

Result<std::string> textOf(int file, std::size_t most) {
    std::string out;
    CARREL_TRY(readAll(file, most, [&](ByteSpan piece) -> Status {
        out += asText(piece);
        return {};
    }));
    return out;
}

std::string asFileName(std::string path) {
    std::replace(path.begin(), path.end(), '/', '_');
    return path;
}

} // namespace

PackageSearch::PackageSearch(Places places)
    : m_places(std::move(places)) {}

PackageSearch::Folders PackageSearch::foldersNow() const {
    const auto stampOf = [&](const char* path) {
        struct stat status {};
        const auto folder = openFolder(m_places.userland, path);
        if (!folder || ::fstat(folder.get(), &status) != 0) {
            return Stamp{};
        }
        return Stamp{status.st_ino, 0, status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
    };
    return {stampOf(kLists), stampOf(kCache)};
}

bool PackageSearch::isNew() const {
    return !m_seen || *m_seen != foldersNow();
}

Status PackageSearch::look(const std::function<bool(Verified&&)>& found, std::stop_token stop) {
    const UniqueFd keyring(::open(m_places.keyring.c_str(), O_RDONLY | O_CLOEXEC));
    if (!keyring) {
        return fail(ErrorCode::NotFound, "there are no keys of Debian's archive in this machine, so what apt installs cannot be verified",
                    "Make a new image with \"carrel image build\" and an agent from it");
    }
    const auto text = textOf(keyring.get(), kMaxKeyringBytes);
    const auto keys = text ? keysFrom(asBytes(*text)) : fail(text.error());
    if (!keys) {
        return fail(keys.error());
    }
    const auto folders = foldersNow(); // before the look: what changes meanwhile is new
    const auto debs = newDebs(stop);
    if (!debs) {
        return fail(debs.error());
    }
    std::set<std::string, std::less<>> wanted;
    for (const auto& deb : *debs) {
        wanted.insert(deb.sha256);
    }
    const auto known = wanted.empty() ? std::map<std::string, Package>() : signedOnes(*keys, wanted, stop);
    bool all = true;
    for (const auto& deb : *debs) {
        if (stop.stop_requested()) {
            return fail(ErrorCode::Cancelled, "the look at what apt installed was broken off");
        }
        const auto package = known.find(deb.sha256);
        if (package == known.end()) {
            continue;
        }
        auto programs = unpack(deb);
        if (!programs) {
            continue;
        }
        if (!found({package->second, deb.sha256, std::move(*programs)})) {
            all = false;
        } else if (m_done.size() < kMaxRemembered) {
            m_done.insert(deb.stamp);
        }
    }
    if (all) {
        m_seen = folders;
    }
    return {};
}

Result<std::vector<PackageSearch::Deb>> PackageSearch::newDebs(const std::stop_token& stop) {
    std::vector<Deb> out;
    const auto cache = openFolder(m_places.userland, kCache);
    if (!cache) {
        return out;
    }
    for (const auto& name : namesIn(cache.get(), ".deb", kMaxDebs)) {
        if (stop.stop_requested()) {
            return fail(ErrorCode::Cancelled, "the look at what apt installed was broken off");
        }
        const auto file = openFile(cache.get(), name);
        if (!file || file->status.st_size <= 0 || static_cast<std::uint64_t>(file->status.st_size) > kMaxDebBytes) {
            continue;
        }
        Deb deb{name,
                {file->status.st_ino, static_cast<std::uint64_t>(file->status.st_size),
                 file->status.st_ctim.tv_sec * 1'000'000'000 + file->status.st_ctim.tv_nsec},
                {}};
        if (m_done.contains(deb.stamp)) {
            continue;
        }
        worktree::Sha256 hash;
        const auto read = readAll(file->fd.get(), kMaxDebBytes, [&](ByteSpan piece) -> Status {
            hash.update(piece);
            return {};
        });
        if (read) {
            deb.sha256 = hash.hex();
            out.push_back(std::move(deb));
        }
    }
    return out;
}

std::map<std::string, Package> PackageSearch::signedOnes(const std::vector<PublicKey>& keys, const std::set<std::string, std::less<>>& wanted,
                                                         const std::stop_token& stop) const {
    std::map<std::string, Package> out;
    const auto lists = openFolder(m_places.userland, kLists);
    if (!lists) {
        return out;
    }
    for (const auto& name : namesIn(lists.get(), kListEnd, kMaxLists)) {
        const auto file = openFile(lists.get(), name);
        const auto armoured = file ? textOf(file->fd.get(), kMaxSignedBytes) : fail(ErrorCode::NotFound, "");
        const auto list = armoured ? signedText(*armoured, keys) : fail(armoured.error());
        if (!list) {
            continue; // of somebody else's archive, perhaps
        }
        // The names of apt's files say where to look, and nothing more.
        const auto beginning = name.substr(0, name.size() - kListEnd.size() + 1);
        for (const auto& index : indicesIn(*list)) {
            const auto there = openFile(lists.get(), beginning + asFileName(index.path));
            if (!there || stop.stop_requested() || static_cast<std::uint64_t>(there->status.st_size) != index.bytes) {
                continue;
            }
            IndexSearch search(wanted);
            const auto read = readAll(there->fd.get(), index.bytes, [&](ByteSpan piece) -> Status {
                search.feed(piece);
                return {};
            });
            if (auto of = read ? search.finish(index) : fail(read.error())) {
                out.merge(*of);
            }
        }
    }
    return out;
}

// A copy, made while it is hashed once more: what is unpacked is what was compared.
Result<std::vector<Program>> PackageSearch::unpack(const Deb& deb) const {
    const auto cache = openFolder(m_places.userland, kCache);
    const auto file = cache ? openFile(cache.get(), deb.name) : std::nullopt;
    if (!file) {
        return fail(ErrorCode::NotFound, "the package is gone");
    }
    const UniqueFd copy(::open(m_places.scratch.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!copy) {
        return failErrno("making room for a package");
    }
    worktree::Sha256 hash;
    std::uint64_t bytes = 0;
    CARREL_TRY(readAll(file->fd.get(), kMaxDebBytes, [&](ByteSpan piece) -> Status {
        hash.update(piece);
        bytes += piece.size();
        while (!piece.empty()) {
            const auto done = ::write(copy.get(), piece.data(), piece.size());
            if (done <= 0) {
                return failErrno("copying a package");
            }
            piece = piece.subspan(static_cast<std::size_t>(done));
        }
        return {};
    }));
    if (hash.hex() != deb.sha256) {
        return fail(ErrorCode::Conflict, "the package changed while it was looked at");
    }
    return programsIn(copy.get(), bytes);
}

} // namespace carrel::packages
