// SPDX-License-Identifier: Apache-2.0
// A prepared world that is spoiled and put back thousands of times: for the tests that end, fail or cut off every single
// call of an apply.
#pragma once

#include "tests/app/files/files_world.h"

#include <cstring>
#include <set>

namespace carrel::files::test {

// A folder as it was, in memory; restored in place, so that its root stays the same folder.
class FolderImage {
public:
    explicit FolderImage(std::string root)
        : m_root(std::move(root)) {
        for (const auto& item : fs::recursive_directory_iterator(m_root)) {
            m_nodes.push_back(look(item.path().string()));
        }
        m_top = look(m_root);
    }

    // What is still the same inode, unchanged since it was made, stays: most of the content store does.
    void restore() {
        std::map<std::string, Node*> wanted;
        for (auto& node : m_nodes) {
            wanted[node.path] = &node;
        }
        std::set<std::string> kept;
        clear(m_root, wanted, kept);
        for (auto& node : m_nodes) {
            if (!kept.contains(node.path)) {
                make(node);
            }
        }
        for (auto node = m_nodes.rbegin(); node != m_nodes.rend(); ++node) {
            if (S_ISDIR(node->st.st_mode)) {
                finish(*node);
            }
        }
        finish(m_top);
    }

private:
    struct Node {
        std::string path, content;
        struct stat st {}, made {};
        std::map<std::string, std::string> attributes;
    };

    static Node look(const std::string& path) {
        Node node;
        node.path = path;
        check(::lstat(path.c_str(), &node.st), path);
        node.attributes = attributesOf(path);
        if (S_ISREG(node.st.st_mode)) {
            node.content = slurp(path);
        } else if (S_ISLNK(node.st.st_mode)) {
            node.content = fs::read_symlink(path).string();
        }
        return node;
    }

    static bool isStill(const struct stat& now, const struct stat& then) {
        return now.st_ino == then.st_ino && now.st_size == then.st_size && now.st_mode == then.st_mode &&
               now.st_ctim.tv_sec == then.st_ctim.tv_sec && now.st_ctim.tv_nsec == then.st_ctim.tv_nsec &&
               now.st_mtim.tv_sec == then.st_mtim.tv_sec && now.st_mtim.tv_nsec == then.st_mtim.tv_nsec;
    }

    static void clear(const std::string& folder, const std::map<std::string, Node*>& wanted,
                      std::set<std::string>& kept) {
        for (const auto& item : fs::directory_iterator(folder)) {
            const std::string path = item.path().string();
            const auto node = wanted.find(path);
            struct stat st {};
            check(::lstat(path.c_str(), &st), path);
            const bool folders = node != wanted.end() && S_ISDIR(st.st_mode) && S_ISDIR(node->second->st.st_mode);
            if (folders) {
                clear(path, wanted, kept);
            }
            if (folders || (node != wanted.end() && isStill(st, node->second->made))) {
                kept.insert(path);
            } else {
                fs::remove_all(item.path());
            }
        }
    }

    static void make(Node& node) {
        if (S_ISDIR(node.st.st_mode)) {
            check(::mkdir(node.path.c_str(), 0700), node.path);
            return;
        }
        if (S_ISLNK(node.st.st_mode)) {
            check(::symlink(node.content.c_str(), node.path.c_str()), node.path);
        } else {
            const UniqueFd fd(::open(node.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
            const ssize_t wrote = ::write(fd.get(), node.content.data(), node.content.size());
            check(wrote == static_cast<ssize_t>(node.content.size()) ? 0 : -1, node.path);
        }
        finish(node);
        check(::lstat(node.path.c_str(), &node.made), node.path);
    }

    static void finish(const Node& node) {
        for (const auto& [name, value] : node.attributes) {
            check(::lsetxattr(node.path.c_str(), name.c_str(), value.data(), value.size(), 0), node.path);
        }
        if (!S_ISLNK(node.st.st_mode)) {
            check(::chmod(node.path.c_str(), node.st.st_mode & 07777), node.path);
        }
        const timespec times[2] = {{0, UTIME_OMIT}, node.st.st_mtim};
        check(::utimensat(AT_FDCWD, node.path.c_str(), times, AT_SYMLINK_NOFOLLOW), node.path);
    }

    static void check(int result, const std::string& path) {
        if (result != 0) {
            qFatal("cannot put %s back: %s", path.c_str(), std::strerror(errno));
        }
    }

    std::string m_root;
    std::vector<Node> m_nodes; // parents first
    Node m_top;
};

struct WorldImage {
    explicit WorldImage(const World& w)
        : share(w.share)
        , data(w.data) {}
    void restore() {
        share.restore();
        data.restore();
    }
    FolderImage share, data;
};

// A access list that gives one more account a right: version 2, then tag, permission and id of each entry (acl(5),
// linux/posix_acl_xattr.h).
inline std::string accessList() {
    struct Entry {
        std::uint16_t tag, permission;
        std::uint32_t id;
    };
    constexpr std::uint32_t kNobody = 0xffffffff;
    const Entry entries[] = {{0x01, 6, kNobody}, {0x02, 4, 0}, {0x04, 4, kNobody}, {0x10, 4, kNobody}, {0x20, 0, kNobody}};
    std::string text("\2\0\0\0", 4);
    for (Entry entry : entries) {
        entry.id = entry.tag == 0x02 ? ::getuid() : entry.id; // an id that every user namespace knows
        text.append(reinterpret_cast<const char*>(&entry), sizeof entry);
    }
    return text;
}

inline std::string largeText(std::size_t size, unsigned seed) {
    std::string text(size, '\0');
    for (char& c : text) {
        seed = seed * 1664525U + 1013904223U;
        c = static_cast<char>(seed >> 24U);
    }
    return text;
}

// More than mixedSet(): several chunks, nothing at all, attributes, access lists, links and files for one another, whole
// trees, a chain of renames, names of every kind.
inline void wideSet(World& w) {
    mixedSet(w);
    constexpr std::size_t kChunks = 300'000; // more than one of the store's
    writeFile(w.at("empty"), "");
    writeFile(w.at("full"), "will be empty\n");
    writeFile(w.at("large.bin"), largeText(kChunks, 1), 0600);
    writeFile(w.at("large gone.bin"), largeText(kChunks, 2));
    writeFile(w.at("tagged"), "has attributes\n", 0640);
    writeFile(w.at("tagged gone"), "has attributes\n", 0640);
    writeFile(w.at("tagged away"), "has attributes\n", 0640);
    for (const char* name : {"tagged", "tagged gone", "tagged away"}) {
        const std::string list = accessList();
        // Not every file system has these; then there is nothing to keep.
        (void)::setxattr(w.at(name).c_str(), "user.tag", "red\0x", 5, 0);
        (void)::setxattr(w.at(name).c_str(), "system.posix_acl_access", list.data(), list.size(), 0);
    }
    writeFile(w.at("becomes a link"), "a file\n");
    fs::create_symlink("untouched", w.at("becomes a file"));
    fs::create_symlink("untouched", w.at("link gone"));
    fs::create_directories(w.at("whole/tree/gone"));
    writeFile(w.at("whole/a"), "a\n");
    writeFile(w.at("whole/tree/b"), "b\n");
    writeFile(w.at("whole/tree/gone/c"), "c\n", 0400);
    writeFile(w.at("r1"), "one\n");
    writeFile(w.at("r2"), "two\n");
    writeFile(w.at("both"), "mode and content\n", 0644);
    for (const char* folder : {"whole/tree/gone", "whole/tree", "whole"}) {
        setTime(w.at(folder), 1'500'000'000);
    }
    setTime(w.share, 1'500'000'000);

    w.content(ChangeKind::Created, "empty new", "");
    w.content(ChangeKind::Modified, "empty", "no longer\n");
    w.content(ChangeKind::Modified, "full", "");
    w.content(ChangeKind::Modified, "large.bin", largeText(kChunks + 1, 3)).mode = 0600;
    w.content(ChangeKind::Created, "large new.bin", largeText(kChunks - 1, 4));
    w.claim(ChangeKind::Deleted, "large gone.bin");
    w.content(ChangeKind::Modified, "tagged", "keeps them\n").mode = 0640;
    w.claim(ChangeKind::Deleted, "tagged gone");
    w.renamed("tagged away", "tagged here").mode = 0640;
    w.link("becomes a link", "untouched");
    w.content(ChangeKind::Modified, "becomes a file", "a file now\n");
    w.claim(ChangeKind::Deleted, "link gone", EntryType::Symlink);
    for (const char* name : {"whole/a", "whole/tree/b", "whole/tree/gone/c"}) {
        w.claim(ChangeKind::Deleted, name);
    }
    for (const char* name : {"whole", "whole/tree", "whole/tree/gone"}) {
        w.claim(ChangeKind::Deleted, name, EntryType::Directory);
    }
    w.renamed("r2", "r3");
    w.renamed("r1", "r2");
    w.content(ChangeKind::Modified, "both", "both\n").mode = 0750;
    w.claim(ChangeKind::Created, "albums/added", EntryType::Directory);
    w.content(ChangeKind::Created, "albums/added/a\nb", "two lines of name\n");
    w.content(ChangeKind::Created, std::string(255, 'x'), "the longest name\n");
}

// Does something before the Nth announced step.
class AtStep : public StepHook {
public:
    AtStep(int step, std::function<void()> action)
        : m_left(step)
        , m_action(std::move(action)) {}
    int before(std::string_view step, std::string_view) override {
        if (m_left-- == 0) {
            where = step;
            m_action();
        }
        return 0;
    }
    std::string where;

private:
    int m_left;
    std::function<void()> m_action;
};

// Prepared once: before the apply, after it, after its undo.
struct CrashWorld {
    World world;
    FrozenSet set;
    std::string applyId, undoId;
    Snapshot before, after;                     // times of files
    Snapshot beforeExactly, afterExactly;       // and of folders
    std::unique_ptr<WorldImage> frozen, applied, undone;

    // False when the set itself does not go well.
    bool prepare() {
        wideSet(world);
        auto review = world.review();
        FreezeLimits limits;
        limits.diffBytes = 1000; // so that apply itself must keep what it replaces
        auto made = review->freeze(world.root.get(), "s1", world.claims, world.guest, limits);
        if (!made || !made->leftOut.empty()) {
            return false;
        }
        set = *made;
        before = snapshot(world.share, Times::Files);
        beforeExactly = snapshot(world.share, Times::All);
        review.reset();
        frozen = std::make_unique<WorldImage>(world);
        review = world.review();
        auto report = review->apply(world.root.get(), set.id, everything(set));
        if (!report || !report->complete()) {
            qWarning("%s", report ? describe(*report).c_str() : report.error().text().c_str());
            return false;
        }
        applyId = report->id;
        after = snapshot(world.share, Times::Files);
        afterExactly = snapshot(world.share, Times::All);
        applied = std::make_unique<WorldImage>(world);
        report = review->undo(world.root.get(), applyId);
        if (!report || !report->complete() || !same(snapshot(world.share, Times::All), beforeExactly)) {
            return false;
        }
        undoId = report->id;
        undone = std::make_unique<WorldImage>(world);
        return true;
    }
};

} // namespace carrel::files::test
