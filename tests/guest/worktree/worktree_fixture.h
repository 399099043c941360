// SPDX-License-Identifier: Apache-2.0
// A union over a temporary folder for tests, and an applier that does what the host would, with nothing
// checked.
#pragma once

#include "guest/worktree/worktree.h"
#include "tests/guest/worktree/fake_lower.h"

#include <QTemporaryDir>
#include <QTest>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace fs = std::filesystem;

namespace carrel::worktree {

inline void writeFile(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}
inline std::string readFile(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

// A union over a temporary folder, driven by paths as a kernel would drive it by names.
struct Fixture {
    QTemporaryDir dir;
    fs::path host = fs::path(dir.path().toStdString()) / "host";
    std::shared_ptr<FakeLower> lower;
    std::unique_ptr<Worktree> tree;
    Access access = Access::Review;
    Options options;

    Fixture() {
        fs::create_directory(host);
        open();
    }
    void open() {
        tree.reset();
        lower = std::make_shared<FakeLower>(host.string());
        options.upper = dir.path().toStdString() + "/upper";
        options.access = access;
        auto made = Worktree::open(options, lower);
        if (!made) {
            qFatal("%s", made.error().text().c_str());
        }
        tree = std::move(*made);
    }
    SysResult<NodeEntry> walk(const std::string& path) {
        NodeEntry at;
        at.node = kRoot;
        for (const auto& part : fs::path(path)) {
            auto next = tree->lookup(at.node, part.string());
            if (!next) {
                return next;
            }
            if (next->node == 0) {
                return sysFail(ENOENT);
            }
            at = *next;
        }
        return at;
    }
    NodeId parentOf(const std::string& path) {
        const auto entry = walk(fs::path(path).parent_path().string());
        return entry ? entry->node : 0;
    }
    static std::string nameOf(const std::string& path) { return fs::path(path).filename().string(); }
    std::string read(NodeId node) {
        auto bytes = tree->read(node, 0, 1 << 14); // larger ones cost the thread sanitizer minutes
        return bytes ? std::string(asText(*bytes)) : "error " + std::to_string(bytes.error());
    }
    std::string cat(const std::string& path) {
        const auto entry = walk(path);
        return entry ? read(entry->node) : "error " + std::to_string(entry.error());
    }
    int put(const std::string& path, const std::string& text) { // as O_CREAT|O_TRUNC does
        auto entry = walk(path);
        if (!entry) {
            entry = tree->create(parentOf(path), nameOf(path), 0644, {});
        } else {
            SetAttr set;
            set.size = 0;
            entry = tree->setattr(entry->node, set);
        }
        if (!entry) {
            return entry.error();
        }
        const auto done = tree->write(entry->node, 0, asBytes(text));
        return done ? 0 : done.error();
    }
    void dump(NodeId node, const std::string& prefix, std::map<std::string, std::string>& out) {
        std::uint64_t cookie = 0;
        while (true) {
            std::vector<DirItem> items; // a page of two
            const auto listed = tree->readdir(node, cookie, Plus::Yes, [&](const DirItem& item) {
                if (items.size() == 2) {
                    return false;
                }
                items.push_back(item);
                return true;
            });
            if (!listed || items.empty()) {
                return;
            }
            for (const auto& item : items) {
                const auto path = prefix + item.name;
                const auto mode = " " + std::to_string(item.entry.attr.st_mode & 07777U);
                if (S_ISDIR(item.entry.attr.st_mode)) {
                    out[path] = "dir" + mode;
                    dump(item.entry.node, path + "/", out);
                } else if (S_ISLNK(item.entry.attr.st_mode)) {
                    out[path] = "link " + tree->readlink(item.entry.node).value_or("?");
                } else {
                    out[path] = "file" + mode + " " + read(item.entry.node);
                }
                tree->forget(item.entry.node, 1);
            }
            cookie = items.back().cookie;
        }
    }
    std::map<std::string, std::string> dump() {
        std::map<std::string, std::string> out;
        dump(kRoot, "", out);
        return out;
    }
    std::vector<ChangeEntry> changes() {
        std::vector<ChangeEntry> out;
        SharePath after;
        while (true) {
            auto page = tree->changes(after, 3);
            out.insert(out.end(), page->entries.begin(), page->entries.end());
            if (!page->next) {
                return out;
            }
            after = *page->next;
        }
    }
    std::vector<ChangeRef> refs() {
        std::vector<ChangeRef> out;
        for (const auto& change : changes()) {
            out.push_back({change.path, change.generation});
        }
        return out;
    }
};

inline std::map<std::string, std::string> dumpReal(const fs::path& root) {
    std::map<std::string, std::string> out;
    for (const auto& item : fs::recursive_directory_iterator(root)) {
        const auto path = item.path().lexically_relative(root).string();
        const auto mode =
            " " + std::to_string(static_cast<unsigned>(item.symlink_status().permissions()) & 07777U);
        if (item.is_symlink()) {
            out[path] = "link " + fs::read_symlink(item.path()).string();
        } else if (item.is_directory()) {
            out[path] = "dir" + mode;
        } else {
            out[path] = "file" + mode + " " + readFile(item.path());
        }
    }
    return out;
}

// What the host's applier does, in its order and with nothing checked.
inline void applyTo(const fs::path& root, Fixture& f) {
    const auto all = f.changes();
    const auto pick = [&](auto want) {
        std::vector<ChangeEntry> out;
        std::copy_if(all.begin(), all.end(), std::back_inserter(out), want);
        return out;
    };
    // Everything renamed is set aside by its path on the host first, the deepest before what holds it.
    auto renames = pick([](const auto& c) { return c.kind == ChangeKind::Renamed; });
    std::sort(renames.begin(), renames.end(),
              [](const auto& a, const auto& b) { return b.from->text() < a.from->text(); });
    int number = 0;
    std::map<std::string, fs::path> aside;
    for (const auto& c : renames) {
        aside[c.path.text()] = root / (".aside" + std::to_string(number++));
        fs::rename(root / c.from->text(), aside[c.path.text()]);
    }
    // Removals next, deepest first; those inside a renamed folder lie where it was set aside.
    const auto place = [&](const std::string& path) {
        fs::path best = root / path;
        std::size_t length = 0;
        for (const auto& [to, at] : aside) {
            if (path.size() > to.size() && path.starts_with(to + "/") && to.size() >= length) {
                best = at / path.substr(to.size() + 1);
                length = to.size() + 1;
            }
        }
        return best;
    };
    auto gone = pick([](const auto& c) {
        return c.kind == ChangeKind::Deleted ||
               (c.base && c.kind != ChangeKind::Mode && c.kind != ChangeKind::Renamed);
    });
    for (auto it = gone.rbegin(); it != gone.rend(); ++it) {
        fs::remove(place(it->path.text()));
    }
    for (const auto& c : all) { // ascending: folders before what is in them
        const auto at = root / c.path.text();
        if (c.kind == ChangeKind::Deleted) {
            continue;
        }
        if (c.kind == ChangeKind::Renamed) {
            fs::rename(aside[c.path.text()], at);
            aside.erase(c.path.text());
        } else if (c.type == EntryType::Directory && c.kind != ChangeKind::Mode) {
            fs::create_directory(at);
        } else if (c.type == EntryType::Symlink) {
            fs::create_symlink(c.linkTarget, at);
        }
        if (c.contentChanged) {
            auto reader = f.tree->content(c.path, c.generation);
            if (!reader) {
                qFatal("%s: %s", c.path.text().c_str(), reader.error().text().c_str());
            }
            std::string text;
            while (text.size() < (*reader)->size()) {
                text += asText(*(*reader)->read(text.size(), 4096));
            }
            if (!(*reader)->finish()) {
                qFatal("content changed");
            }
            writeFile(at, text);
        }
        if (c.type != EntryType::Symlink) {
            fs::permissions(at, static_cast<fs::perms>(c.mode));
        }
    }
}

inline std::string describe(const std::map<std::string, std::string>& tree) {
    std::string out;
    for (const auto& [path, what] : tree) {
        out += path + " = " + what + "\n";
    }
    return out;
}

} // namespace carrel::worktree
