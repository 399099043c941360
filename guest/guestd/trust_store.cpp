// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/trust_store.h"

#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace carrel::guestd {

namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
constexpr std::size_t kMaxBundle = 16 * 1024 * 1024; // Debian's has a quarter of one MiB
constexpr int kMostAlike = 64;                       // certificates whose names have one hash

constexpr const char* kAuthorityFolder = "/usr/local/share/ca-certificates";
constexpr const char* kAuthorityName = "carrel-agent.crt";
constexpr const char* kBundleName = "ca-certificates.crt";
constexpr const char* kLinkName = "carrel-agent.pem"; // as update-ca-certificates names it

tl::unexpected<Error> failedAt(const char* step, int number = errno) {
    return fail(Error{ErrorCode::Io, step, {}, number != 0 ? number : EIO, nullptr});
}

// No mount is crossed, so nobody answers here but the disk: what the agent has mounted may never answer. Paths begin at `root`.
UniqueFd openBeneath(int root, const char* path, std::uint64_t flags) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
    return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how)));
}

// With the folders above it, where they are not there. Not open: errno says why.
UniqueFd folderBeneath(int root, const std::string& path) {
    UniqueFd at = openBeneath(root, path.c_str(), O_PATH | O_DIRECTORY);
    if (at || errno != ENOENT) {
        return at;
    }
    const auto slash = path.rfind('/');
    const UniqueFd above = slash == 0 ? openBeneath(root, "/", O_PATH | O_DIRECTORY) : folderBeneath(root, path.substr(0, slash));
    if (!above || (::mkdirat(above.get(), path.substr(slash + 1).c_str(), 0755) != 0 && errno != EEXIST)) {
        return {};
    }
    return openBeneath(root, path.c_str(), O_PATH | O_DIRECTORY);
}

// None: there is no such file. A link is followed; what is no ordinary file is an error, and nobody waits for it.
Result<std::optional<std::string>> readFile(int root, const char* path, const char* step) {
    const UniqueFd file = openBeneath(root, path, O_RDONLY | O_NONBLOCK);
    if (!file) {
        return errno == ENOENT ? Result<std::optional<std::string>>(std::nullopt) : failedAt(step);
    }
    struct stat what {};
    if (::fstat(file.get(), &what) != 0) {
        return failedAt(step);
    }
    if (!S_ISREG(what.st_mode) || static_cast<std::uint64_t>(what.st_size) > kMaxBundle) {
        return failedAt(step, S_ISREG(what.st_mode) ? EFBIG : EINVAL);
    }
    std::string text(static_cast<std::size_t>(what.st_size), '\0');
    std::size_t have = 0;
    while (have < text.size()) {
        const ssize_t got = ::read(file.get(), text.data() + have, text.size() - have);
        if (got <= 0) {
            if (got < 0 && errno == EINTR) {
                continue;
            }
            return failedAt(step, got < 0 ? errno : EBUSY); // it shrinks while it is read
        }
        have += static_cast<std::size_t>(got);
    }
    return std::optional(std::move(text));
}

bool writeAll(int file, std::string_view text) {
    while (!text.empty()) {
        const ssize_t done = ::write(file, text.data(), text.size());
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(done));
    }
    return true;
}

// Whoever reads it meanwhile, or after a loss of power, finds the former text or the new one.
Status replaceFile(int folder, const std::string& name, std::string_view text, const char* step) {
    const std::string beside = name + ".carrel";
    (void)::unlinkat(folder, beside.c_str(), 0); // of an attempt that was cut off
    const UniqueFd file(::openat(folder, beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file || !writeAll(file.get(), text) || ::fchmod(file.get(), 0644) != 0 || ::fdatasync(file.get()) != 0 ||
        ::renameat(folder, beside.c_str(), folder, name.c_str()) != 0) {
        const int number = errno;
        (void)::unlinkat(folder, beside.c_str(), 0);
        return failedAt(step, number);
    }
    return {};
}

std::string targetOf(int folder, const std::string& name) {
    std::array<char, 512> target{};
    const ssize_t size = ::readlinkat(folder, name.c_str(), target.data(), target.size());
    return size > 0 ? std::string(target.data(), static_cast<std::size_t>(size)) : std::string();
}

// As `openssl rehash` does it. That its number is the first free one matters: OpenSSL counts up from 0 and stops at a gap.
Status linkInFolder(int folder, const std::string& nameHash) {
    if (targetOf(folder, kLinkName) != kAuthorityFile) {
        (void)::unlinkat(folder, kLinkName, 0);
        if (::symlinkat(kAuthorityFile, folder, kLinkName) != 0) {
            return failedAt("linking the certificate into /etc/ssl/certs");
        }
    }
    for (int number = 0; number < kMostAlike; ++number) {
        const auto name = nameHash + "." + std::to_string(number);
        if (::symlinkat(kLinkName, folder, name.c_str()) == 0) {
            return {};
        }
        if (errno != EEXIST) {
            return failedAt("linking the certificate by its hash");
        }
        if (targetOf(folder, name) == kLinkName) {
            return {};
        }
    }
    return failedAt("linking the certificate by its hash", EMLINK);
}

std::string withoutSpace(std::string_view text) {
    std::string out;
    std::ranges::copy_if(text, std::back_inserter(out), [](char c) { return c != '\n' && c != '\r' && c != ' ' && c != '\t'; });
    return out;
}

} // namespace

Bundle bundleWith(std::string_view bundle, std::string_view certificate, std::string_view former) {
    const auto wanted = withoutSpace(certificate);
    const auto gone = withoutSpace(former);
    Bundle out;
    bool isThere = false;
    std::size_t at = 0;
    while (at < bundle.size()) {
        auto begin = bundle.find(kBegin, at);
        auto end = begin == std::string_view::npos ? begin : bundle.find(kEnd, begin);
        if (end == std::string_view::npos) {
            break;
        }
        begin = bundle.rfind(kBegin, end - 1); // one before it that does not end is no part of this one
        end += kEnd.size();
        const auto text = withoutSpace(bundle.substr(begin, end - begin));
        const bool isIt = text == wanted;
        if (isIt || text == gone) {
            end += bundle.substr(end).starts_with("\r\n") ? 2 : bundle.substr(end).starts_with('\n') ? 1 : 0;
        } else {
            ++out.others;
        }
        const bool stays = isIt ? !isThere : text != gone;
        out.text += bundle.substr(at, (stays ? end : begin) - at);
        isThere = isThere || isIt;
        at = end;
    }
    out.text += bundle.substr(std::min(at, bundle.size()));
    if (!isThere) {
        if (!out.text.empty() && out.text.back() != '\n') {
            out.text += '\n';
        }
        out.text += certificate;
    }
    return out;
}

Result<TrustStore> keepAuthority(const std::string& root, const AuthorityCertificate& authority) {
    const UniqueFd top(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd own = top ? folderBeneath(top.get(), kAuthorityFolder) : UniqueFd();
    if (!own) {
        return failedAt("opening /usr/local/share/ca-certificates");
    }
    const UniqueFd folder = folderBeneath(top.get(), kTrustFolder);
    if (!folder) {
        return failedAt("opening /etc/ssl/certs");
    }
    const auto former = readFile(top.get(), kAuthorityFile, "reading the certificate of before");
    const auto before = former ? former->value_or("") : std::string();
    // The bundle first: as long as it holds the one of before, that one must be known.
    const auto putInBundle = [&]() -> Result<TrustStore> {
        const auto bundle = readFile(top.get(), kTrustBundle, "reading /etc/ssl/certs/ca-certificates.crt");
        if (!bundle) {
            return fail(bundle.error());
        }
        const auto next = bundleWith(bundle->value_or(""), authority.pem, isCertificatePem(before) ? before : "");
        if (!*bundle || **bundle != next.text) {
            CARREL_TRY(replaceFile(folder.get(), kBundleName, next.text, "writing /etc/ssl/certs/ca-certificates.crt"));
        }
        return next.others > 0 ? TrustStore::Whole : TrustStore::Alone;
    };
    const auto store = putInBundle();
    const Status kept =
        before == authority.pem ? Status() : replaceFile(own.get(), kAuthorityName, authority.pem, "writing the certificate");
    const Status linked = linkInFolder(folder.get(), authority.nameHash);
    CARREL_TRY(kept);
    CARREL_TRY(linked);
    return store;
}

} // namespace carrel::guestd
