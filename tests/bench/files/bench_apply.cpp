// SPDX-License-Identifier: Apache-2.0
// What a decision costs on the host: freeze and apply of changed files, beside the floor of the same run, which is to copy
// the same bytes and flush each file (cp --reflink=never, then fsync(2) of each file and of each folder).
//   bench-apply [FOLDER [FILES [REPEAT]]]
// FOLDER is where the made-up share, Carrel's data and the floor's copies go, so it says which disk is measured. Without
// machine, clerk and engine: what those cost is in files_bench.py. Prints medians, the ratio, and every time.
// Not on an ext4 without a journal: that one gives out no inode that was freed within the last minutes, and passes over all of
// them for each new file, so a run pays for what was removed before it (a third of its time and more; perf shows it as
// recently_deleted).
#include "app/files/file_review.h"
#include "guest/protocol/file_time.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace carrel;
using namespace carrel::files;
namespace fs = std::filesystem;

namespace {

constexpr int kFolders = 20;

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "bench-apply: %s\n", what.c_str());
    std::exit(1);
}

double seconds(std::chrono::steady_clock::time_point since) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void writeWhole(const fs::path& file, const std::string& text) {
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        die("cannot write " + file.string());
    }
}

void flush(const fs::path& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) {
        die("cannot flush " + path.string());
    }
}

std::string lines(std::mt19937& random, std::size_t size) {
    std::string text;
    while (text.size() < size) {
        text += std::to_string(random()) + (random() % 8 == 0 ? "\n" : " ");
    }
    return text + "\n";
}

// Stands where clerk and machine stand: the bytes come from a folder.
class FromFolder : public ContentSource {
public:
    explicit FromFolder(fs::path at)
        : m_at(std::move(at)) {}
    Status fetch(const ChangeEntry& entry, int into, std::uint64_t) override {
        const UniqueFd from(::open((m_at / entry.path.text()).c_str(), O_RDONLY | O_CLOEXEC));
        std::string text(entry.size, '\0');
        if (!from || ::read(from.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
            ::pwrite(into, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
            return failErrno("cannot copy");
        }
        return {};
    }

private:
    fs::path m_at;
};

struct Tree {
    fs::path share, changed;
    std::vector<ChangeEntry> claims;
};

// A share with a version of each file, and the changed version of each beside it; all flushed before anything is measured.
Tree makeTree(const fs::path& at, int files, unsigned seed) {
    std::mt19937 random(seed);
    Tree tree{at / "share", at / "changed", {}};
    std::uint64_t generation = 0;
    for (int i = 0; i < files; ++i) {
        const std::string folder = "folder " + std::to_string(i % kFolders);
        const std::string name = folder + "/file " + std::to_string(i) + ".txt";
        fs::create_directories(tree.share / folder);
        fs::create_directories(tree.changed / folder);
        constexpr std::size_t kSizes[] = {300, 1500, 4000, 12000};
        const auto text = lines(random, kSizes[random() % 4]);
        writeWhole(tree.share / name, text);
        writeWhole(tree.changed / name, text + lines(random, 100));
        ChangeEntry claim;
        claim.path = SharePath::parse(name).value();
        claim.kind = ChangeKind::Modified;
        claim.mode = 0644;
        claim.mtimeNs = 1'700'000'000'000'000'000;
        claim.generation = ++generation;
        claim.contentChanged = true;
        struct stat info {};
        if (::stat((tree.changed / name).c_str(), &info) != 0) {
            die("cannot look at " + name);
        }
        claim.size = static_cast<std::uint64_t>(info.st_size);
        if (::stat((tree.share / name).c_str(), &info) != 0) {
            die("cannot look at " + name);
        }
        claim.base = BaseVersion{info.st_ino, static_cast<std::uint64_t>(info.st_size), toNs(info.st_mtim),
                                 toNs(info.st_ctim)};
        tree.claims.push_back(std::move(claim));
    }
    ::sync();
    return tree;
}

double floorTime(const Tree& tree, const fs::path& to) {
    const auto begin = std::chrono::steady_clock::now();
    const std::string command = "cp -r --reflink=never '" + tree.changed.string() + "' '" + to.string() + "'";
    if (std::system(command.c_str()) != 0) {
        die("cp failed");
    }
    for (const auto& item : fs::recursive_directory_iterator(to)) {
        flush(item.path());
    }
    flush(to);
    return seconds(begin);
}

struct Ours {
    double freeze = 0, apply = 0, undo = 0;
};

Ours ourTime(Tree& tree, const fs::path& data) {
    const UniqueFd root(::open(tree.share.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto review = FileReview::open(data.string());
    if (!review || !(*review)->recover([](const std::string&) -> Result<UniqueFd> { return UniqueFd(); })) {
        die("cannot open the review folder");
    }
    FromFolder source(tree.changed);
    Ours took;
    auto begin = std::chrono::steady_clock::now();
    auto set = (*review)->freeze(root.get(), "share", tree.claims, source);
    took.freeze = seconds(begin);
    if (!set || set->entries.size() != tree.claims.size()) {
        die("the freeze failed");
    }
    std::vector<Selected> all;
    for (const auto& entry : set->entries) {
        all.push_back({entry.path});
    }
    begin = std::chrono::steady_clock::now();
    auto applied = (*review)->apply(root.get(), set->id, all);
    took.apply = seconds(begin);
    if (!applied || !applied->complete()) {
        die("the apply failed");
    }
    begin = std::chrono::steady_clock::now();
    auto undone = (*review)->undo(root.get(), applied->id);
    took.undo = seconds(begin);
    if (!undone || !undone->complete()) {
        die("the undo failed");
    }
    return took;
}

} // namespace

int main(int argc, char** argv) {
    const fs::path base = argc > 1 ? fs::path(argv[1]) : fs::temp_directory_path();
    const int files = argc > 2 ? std::atoi(argv[2]) : 1000;
    const int repeat = argc > 3 ? std::atoi(argv[3]) : 5;
    if (files <= 0 || repeat <= 0) {
        die("usage: bench-apply [FOLDER [FILES [REPEAT]]]");
    }
    std::string pattern = (base / "carrel-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
        die("cannot make a folder in " + base.string());
    }
    std::map<std::string, std::vector<double>> times;
    for (int i = 0; i < repeat; ++i) {
        const fs::path at = fs::path(pattern) / std::to_string(i);
        Tree tree = makeTree(at, files, static_cast<unsigned>(i));
        const auto ours = [&] {
            const auto took = ourTime(tree, at / "data");
            times["freeze"].push_back(took.freeze);
            times["apply"].push_back(took.apply);
            times["freeze and apply"].push_back(took.freeze + took.apply);
            times["undo"].push_back(took.undo);
        };
        if (i % 2 == 0) {
            ours();
        }
        times["floor"].push_back(floorTime(tree, at / "floor"));
        if (i % 2 != 0) {
            ours();
        }
    }
    std::error_code ignored;
    fs::remove_all(pattern, ignored);
    const double floor = median(times["floor"]);
    std::printf("%d changed files, median of %d; floor: cp --reflink=never and fsync of each\n", files, repeat);
    for (const char* name : {"floor", "freeze", "apply", "freeze and apply", "undo"}) {
        std::printf("%-18s %8.3f s  ours/floor %6.2f  ", name, median(times[name]), median(times[name]) / floor);
        for (const double each : times[name]) {
            std::printf(" %.3f", each);
        }
        std::printf("\n");
    }
    return 0;
}
