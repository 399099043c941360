// SPDX-License-Identifier: Apache-2.0
// A share, a review folder and a pretended guest in a temporary folder, for the tests of app/files.
#pragma once

#include "app/files/file_review.h"

#include <QTemporaryDir>
#include <QtGlobal>

#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace carrel::files::test {

namespace fs = std::filesystem;

inline SharePath path(std::string_view text) {
    return SharePath::parse(text).value();
}

// Content that the pretended guest sends, by path.
class FakeGuest : public ContentSource {
public:
    std::map<std::string, std::string> contents;
    std::map<std::string, ErrorCode> failures;
    Status fetch(const ChangeEntry& entry, int into, std::uint64_t) override {
        if (const auto bad = failures.find(entry.path.text()); bad != failures.end()) {
            return fail(bad->second, "the guest does not send it");
        }
        const std::string& text = contents[entry.path.text()];
        if (::pwrite(into, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
            return failErrno("test write");
        }
        return {};
    }
};

inline std::string slurp(const std::string& file) {
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat st {};
    if (!fd || ::fstat(fd.get(), &st) != 0) {
        return {};
    }
    std::string text(static_cast<std::size_t>(st.st_size), '\0');
    const ssize_t got = ::pread(fd.get(), text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
}

inline void setTime(const std::string& file, std::int64_t seconds) {
    const timespec times[2] = {{0, UTIME_OMIT}, {seconds, 123456789}};
    if (::utimensat(AT_FDCWD, file.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
        std::abort();
    }
}

inline void writeFile(const std::string& file, std::string_view text, mode_t mode = 0644,
                      std::int64_t time = 1'600'000'000) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
    ::chmod(file.c_str(), mode);
    setTime(file, time);
}

enum class Times { Files, All };

// Without security.*, which is the system's own doing. Access lists (acl(5)) are attributes, too.
inline std::map<std::string, std::string> attributesOf(const std::string& file) {
    std::map<std::string, std::string> out;
    std::string names(4096, '\0');
    const ssize_t length = ::llistxattr(file.c_str(), names.data(), names.size());
    for (std::size_t at = 0; length > 0 && at < static_cast<std::size_t>(length);) {
        const std::string name(names.c_str() + at);
        at += name.size() + 1;
        std::string value(4096, '\0');
        const ssize_t got = ::lgetxattr(file.c_str(), name.c_str(), value.data(), value.size());
        if (got >= 0 && !name.starts_with("security.")) {
            out[name] = value.substr(0, static_cast<std::size_t>(got));
        }
    }
    return out;
}

// Every name with kind, mode, time, attributes and content; one line each, so that a difference reads well.
inline std::map<std::string, std::string> snapshot(const std::string& root, Times times) {
    std::map<std::string, std::string> out;
    for (const auto& item : fs::recursive_directory_iterator(root)) {
        struct stat st {};
        ::lstat(item.path().c_str(), &st);
        std::ostringstream line;
        line << std::oct << st.st_mode << std::dec << " ";
        if (S_ISREG(st.st_mode) || times == Times::All) {
            line << st.st_mtim.tv_sec << "." << st.st_mtim.tv_nsec;
        }
        for (const auto& [name, value] : attributesOf(item.path().string())) {
            line << " " << name << "=" << toBase64(value);
        }
        if (S_ISREG(st.st_mode)) {
            line << " " << slurp(item.path());
        }
        if (S_ISLNK(st.st_mode)) {
            line << " -> " << fs::read_symlink(item.path()).string();
        }
        out[item.path().string().substr(root.size() + 1)] = line.str();
    }
    if (struct stat st {}; times == Times::All && ::lstat(root.c_str(), &st) == 0) {
        out["."] = std::to_string(st.st_mtim.tv_sec) + "." + std::to_string(st.st_mtim.tv_nsec);
    }
    return out;
}

using Snapshot = std::map<std::string, std::string>;

// Says on stderr what differs.
inline bool same(const Snapshot& actual, const Snapshot& expected) {
    for (const auto& [name, line] : expected) {
        const auto found = actual.find(name);
        if (found == actual.end() || found->second != line) {
            qWarning("%s: expected %.200s, is %.200s", name.c_str(), line.c_str(),
                     found == actual.end() ? "not there" : found->second.c_str());
        }
    }
    for (const auto& [name, line] : actual) {
        if (!expected.contains(name)) {
            qWarning("%s: should not be there: %.200s", name.c_str(), line.c_str());
        }
    }
    return actual == expected;
}

struct World {
    QTemporaryDir dir;
    std::string base = dir.path().toStdString();
    std::string share = base + "/share";
    std::string data = base + "/data";
    UniqueFd root;
    FakeGuest guest;
    std::vector<ChangeEntry> claims;
    std::uint64_t generation = 1;

    World() {
        fs::create_directory(share);
        openRoot();
    }
    ~World() { // names that are no UTF-8 are beyond QTemporaryDir
        std::error_code ignored;
        fs::remove_all(base, ignored);
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    void openRoot() { root.reset(::open(share.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }
    [[nodiscard]] std::string at(std::string_view relative) const {
        return share + "/" + std::string(relative);
    }
    [[nodiscard]] OpenShare opener() const {
        return [this](const std::string&) -> Result<UniqueFd> {
            return UniqueFd(::open(share.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        };
    }

    [[nodiscard]] std::optional<BaseVersion> versionOf(std::string_view relative) const {
        struct stat st {};
        if (::lstat(at(relative).c_str(), &st) != 0) {
            return std::nullopt;
        }
        const auto ns = [](const timespec& t) {
            return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
        };
        return BaseVersion{st.st_ino, static_cast<std::uint64_t>(st.st_size), ns(st.st_mtim), ns(st.st_ctim)};
    }
    ChangeEntry& claim(ChangeKind kind, std::string_view name, EntryType type = EntryType::File) {
        ChangeEntry entry;
        entry.path = path(name);
        entry.kind = kind;
        entry.type = type;
        entry.mode = type == EntryType::Directory ? 0755 : 0644;
        entry.mtimeNs = 1'700'000'000'000'000'000 + static_cast<std::int64_t>(generation);
        entry.generation = generation++;
        entry.base = versionOf(name);
        claims.push_back(entry);
        return claims.back();
    }
    ChangeEntry& content(ChangeKind kind, std::string_view name, std::string_view text) {
        guest.contents[std::string(name)] = text;
        ChangeEntry& entry = claim(kind, name);
        entry.contentChanged = true;
        entry.size = text.size();
        return entry;
    }
    ChangeEntry& renamed(std::string_view from, std::string_view to, EntryType type = EntryType::File) {
        ChangeEntry& entry = claim(ChangeKind::Renamed, to, type);
        entry.from = path(from);
        entry.base = versionOf(from);
        return entry;
    }
    ChangeEntry& link(std::string_view name, std::string_view target) {
        ChangeEntry& entry = claim(ChangeKind::Link, name, EntryType::Symlink);
        entry.linkTarget = target;
        return entry;
    }

    std::unique_ptr<FileReview> review(StepHook* hook = nullptr) {
        auto opened = FileReview::open(data, hook);
        if (!opened) {
            std::abort();
        }
        return std::move(*opened);
    }
    Result<FrozenSet> freeze(FileReview& review) { return review.freeze(root.get(), "s1", claims, guest); }
};

inline std::vector<Selected> everything(const FrozenSet& set) {
    std::vector<Selected> all;
    for (const auto& entry : set.entries) {
        all.push_back({entry.path, IfFlagged::Leave});
    }
    return all;
}

inline std::string describe(const ApplyReport& report) {
    std::string out;
    for (const auto& entry : report.entries) {
        out += entry.path.text() + "=" + std::string(toString(entry.outcome)) + "(" + entry.reason + ") ";
    }
    return out;
}

// One change of every kind.
inline void mixedSet(World& w) {
    fs::create_directories(w.at("docs/old"));
    fs::create_directories(w.at("photos"));
    fs::create_directories(w.at("album/inner"));
    fs::create_directories(w.at("tree"));
    writeFile(w.at("docs/report.txt"), "one\ntwo\nthree\n", 0640);
    writeFile(w.at("docs/old/gone.txt"), "to be deleted\n", 0600);
    writeFile(w.at("docs/run"), "echo\n", 0644);
    writeFile(w.at("photos/IMG_1.jpg"), std::string("\xff\xd8\0\x01", 4));
    writeFile(w.at("photos/IMG_2.jpg"), "second");
    writeFile(w.at("album/inner/a.txt"), "in a renamed folder\n");
    writeFile(w.at("album/keep.txt"), "stays\n");
    writeFile(w.at("swap"), "a file that becomes a folder\n");
    writeFile(w.at("tree/x"), "in a folder that becomes a file\n");
    writeFile(w.at("untouched"), "never\n");
    writeFile(w.at("bad\xff.bin"), "name is no UTF-8\n");
    fs::create_symlink("report.txt", w.at("docs/link"));
    for (const char* folder : {"docs/old", "docs", "photos", "album/inner", "album", "tree"}) {
        setTime(w.at(folder), 1'500'000'000);
    }
    setTime(w.share, 1'500'000'000);
    w.content(ChangeKind::Modified, "docs/report.txt", "one\n2\nthree\nfour\n").mode = 0640;
    w.claim(ChangeKind::Deleted, "docs/old/gone.txt");
    w.claim(ChangeKind::Deleted, "docs/old", EntryType::Directory);
    w.claim(ChangeKind::Mode, "docs/run").mode = 0755;
    w.claim(ChangeKind::Mode, "photos", EntryType::Directory).mode = 0700;
    w.renamed("photos/IMG_1.jpg", "photos/beach.jpg");
    ChangeEntry& edited = w.renamed("photos/IMG_2.jpg", "photos/hills.jpg");
    edited.contentChanged = true;
    edited.size = 6;
    w.guest.contents["photos/hills.jpg"] = "edited";
    w.renamed("album", "albums", EntryType::Directory);
    ChangeEntry& inner = w.content(ChangeKind::Modified, "albums/inner/a.txt", "edited in it\n");
    inner.base = w.versionOf("album/inner/a.txt");
    w.claim(ChangeKind::Created, "new", EntryType::Directory);
    w.claim(ChangeKind::Created, "new/deep", EntryType::Directory).mode = 0700;
    w.content(ChangeKind::Created, "new/deep/file.csv", "a,b\n1,2\n");
    w.link("new/shortcut", "../untouched");
    w.link("docs/link", "run");
    w.claim(ChangeKind::Created, "swap", EntryType::Directory);
    w.claim(ChangeKind::Deleted, "tree/x");
    w.content(ChangeKind::Created, "tree", "now a file\n");
    w.content(ChangeKind::Modified, "bad\xff.bin", "still none\n");
    w.content(ChangeKind::Created, "n\xc3\xa4u \xfe", "odd name\n");
}

} // namespace carrel::files::test
