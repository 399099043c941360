// SPDX-License-Identifier: Apache-2.0
// Torture of I3 through the whole mounted way: writers on the host edit files, readers read them through the
// mounted union. Every version of a file says of itself which it is, how long it is, and its SHA-256.
//   host-edits FOLDER MOUNTED EDITS        (started by serve-share, which mounts FOLDER as MOUNTED)
// A read must be one whole version, and none that was replaced more than a second before the read began.
// ESTALE and EBUSY are clean errors, counted and printed. Ends with 1 when anything was torn or stale.
//
// An in-place edit is one write(2) over the whole file, or a truncation and a write: between those two a
// shorter file is a version like any other, so that an empty file and a cut one of the right header are told
// apart: only an empty one is allowed there.
#include "guest/protocol/unique_fd.h"
#include "guest/worktree/sha256.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <mutex>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace carrel;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kFiles = 12;
constexpr auto kFresh = std::chrono::seconds(1);

struct Head {
    std::array<char, 8> magic;
    std::uint64_t version;
    std::uint64_t length; // of the payload
    std::array<char, 64> sha;
};

struct File {
    std::string name;
    std::mutex mutex;                       // of what follows
    std::deque<Clock::time_point> replaced; // by version - 1: when it was known to be gone
    Clock::time_point emptyUntil{};
};

struct Counts {
    std::atomic<std::uint64_t> edits, good, empty, staleHandle, busy, missing, fault, torn, old, other;
};

std::array<File, kFiles> g_files;
Counts g_counts;
std::atomic<bool> g_ends;

std::string shaOf(std::uint64_t version, ByteSpan payload) {
    worktree::Sha256 sha;
    Bytes head;
    appendLe(head, version);
    sha.update(head);
    sha.update(payload);
    return sha.hex();
}

Bytes record(std::uint64_t version, std::size_t payload, unsigned seed) {
    Bytes body(payload);
    for (auto& byte : body) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<Bytes::value_type>(seed >> 24);
    }
    Head head{{'C', 'A', 'R', 'R', 'E', 'L', 'H', 'E'}, version, payload, {}};
    std::memcpy(head.sha.data(), shaOf(version, body).data(), head.sha.size());
    Bytes out(sizeof head);
    std::memcpy(out.data(), &head, sizeof head);
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

// The version that whole records end with; 0: torn.
std::uint64_t versionOf(const Bytes& text) {
    std::uint64_t version = 0;
    for (std::size_t at = 0; at < text.size();) {
        Head head{};
        if (text.size() - at < sizeof head) {
            return 0;
        }
        std::memcpy(&head, text.data() + at, sizeof head);
        at += sizeof head;
        if (std::memcmp(head.magic.data(), "CARRELHE", 8) != 0 || head.length > text.size() - at ||
            shaOf(head.version, ByteSpan(text).subspan(at, head.length)) !=
                std::string(head.sha.data(), head.sha.size()) ||
            head.version <= version) {
            return 0;
        }
        version = head.version;
        at += head.length;
    }
    return version;
}

void edit(const std::string& path, File& file, std::uint64_t version, unsigned& seed) {
    const auto random = [&seed](unsigned below) {
        seed = seed * 1664525 + 1013904223;
        return (seed >> 8) % below;
    };
    struct stat info {};
    const bool there = ::stat(path.c_str(), &info) == 0 && info.st_size > static_cast<off_t>(sizeof(Head));
    const unsigned how = there ? random(4) : 3;
    const std::size_t payload = how == 0 ? static_cast<std::size_t>(info.st_size) - sizeof(Head)
                                         : random(random(8) == 0 ? 400'000 : 20'000);
    const Bytes text = record(version, payload, seed);
    const std::string target = how == 3 ? path + ".new" : path;
    const int flags = how == 1 || how == 3                   ? O_TRUNC
                      : how == 2 && info.st_size < 1'000'000 ? O_APPEND
                                                             : O_TRUNC;
    const UniqueFd fd(::open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (how == 0 ? 0 : flags), 0644));
    if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        (how == 3 && ::rename(target.c_str(), path.c_str()) != 0)) {
        std::perror("writing on the host");
        std::exit(2);
    }
    const std::lock_guard lock(file.mutex);
    file.replaced.push_back(Clock::now()); // the former version's end
    file.emptyUntil = file.replaced.back();
}

void editFiles(const std::string& folder, int first, int step, std::uint64_t edits, unsigned seed) {
    std::vector<std::uint64_t> versions(kFiles, 1);
    while (g_counts.edits < edits) {
        seed = seed * 1664525 + 1013904223;
        const int which = first + static_cast<int>((seed >> 8) % (kFiles / step)) * step;
        // Bursts within the clock's granularity, then a while of calm in which it can be read.
        for (unsigned burst = 1 + (seed >> 20) % 6; burst > 0; --burst) {
            auto& file = g_files[static_cast<std::size_t>(which)];
            edit(folder + "/" + file.name, file, ++versions[static_cast<std::size_t>(which)], seed);
            ++g_counts.edits;
        }
        std::this_thread::sleep_for(
            std::chrono::microseconds((seed >> 10) % 8000)); // pace, nothing is decided
    }
}

void countError(int error) {
    auto& counter = error == ESTALE   ? g_counts.staleHandle
                    : error == EBUSY  ? g_counts.busy
                    : error == ENOENT ? g_counts.missing
                    : error == EFAULT ? g_counts.fault
                                      : g_counts.other;
    ++counter;
    if (&counter == &g_counts.other) {
        std::printf("other error: %s\n", std::strerror(error));
    }
}

std::uint64_t judge(File& file, const Bytes& text, Clock::time_point began, const char* how) {
    const std::lock_guard lock(file.mutex);
    if (text.empty()) {
        ++g_counts.empty;
        if (file.emptyUntil + kFresh < began) {
            ++g_counts.old;
            std::printf("OLD: %s by %s is empty\n", file.name.c_str(), how);
        }
        return 0;
    }
    const auto version = versionOf(text);
    if (version == 0) {
        ++g_counts.torn;
        std::printf("TORN: %s by %s, %zu bytes\n", file.name.c_str(), how, text.size());
        return 0;
    }
    ++g_counts.good;
    // replaced[n] ended version n + 1
    if (version <= file.replaced.size() && file.replaced[version - 1] + kFresh < began) {
        ++g_counts.old;
        std::printf("OLD: %s by %s gave version %llu of %zu\n", file.name.c_str(), how,
                    static_cast<unsigned long long>(version), file.replaced.size() + 1);
    }
    return version;
}

// Everything in the file by read(2); false: an error, counted.
bool readAll(int fd, Bytes& text) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) {
        countError(errno);
        return false;
    }
    text.resize(static_cast<std::size_t>(info.st_size) + 1);
    std::size_t at = 0;
    for (;;) {
        const auto got = ::pread(fd, text.data() + at, text.size() - at, static_cast<off_t>(at));
        if (got < 0) {
            countError(errno);
            return false;
        }
        if (got == 0) {
            break;
        }
        at += static_cast<std::size_t>(got);
        if (at == text.size()) {
            text.resize(text.size() * 2);
        }
    }
    text.resize(at);
    return true;
}

// Through a mapping. The kernel copies from it, so that a page that cannot be had is EFAULT and not SIGBUS.
bool mapAll(int fd, Bytes& text) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) {
        countError(errno);
        return false;
    }
    const auto size = static_cast<std::size_t>(info.st_size);
    text.resize(size);
    if (size == 0) {
        return true;
    }
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED) {
        countError(errno);
        return false;
    }
    const UniqueFd copy(::memfd_create("copy", MFD_CLOEXEC));
    const auto put = ::write(copy.get(), mapped, size);
    const int error = put < 0 ? errno : EFAULT;
    ::munmap(mapped, size);
    if (put != static_cast<ssize_t>(size)) {
        countError(error);
        return false;
    }
    return ::pread(copy.get(), text.data(), size, 0) == static_cast<ssize_t>(size);
}

void readFiles(const std::string& folder, unsigned seed) {
    struct Held {
        UniqueFd fd;
        File* file;
        std::uint64_t version;
    };
    std::deque<Held> held;
    Bytes text;
    while (!g_ends) {
        seed = seed * 1664525 + 1013904223;
        File& file = g_files[(seed >> 8) % kFiles];
        const bool mapped = (seed >> 16) % 2 == 0;
        const auto began = Clock::now();
        UniqueFd fd(::open((folder + "/" + file.name).c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd) {
            countError(errno);
            continue;
        }
        if (mapped ? mapAll(fd.get(), text) : readAll(fd.get(), text)) {
            const auto version = judge(file, text, began, mapped ? "mmap" : "read");
            if (version != 0 && (seed >> 18) % 8 == 0) {
                held.push_back({std::move(fd), &file, version});
            }
        }
        if (held.size() > 32) {
            const Held& first = held.front();
            // An old descriptor gives its own version or an error: never another, never a mixture.
            if (readAll(first.fd.get(), text) && versionOf(text) != first.version) {
                ++g_counts.torn;
                std::printf("TORN: %s, held: version %llu became %llu\n", first.file->name.c_str(),
                            static_cast<unsigned long long>(first.version),
                            static_cast<unsigned long long>(versionOf(text)));
            }
            held.pop_front();
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: host-edits FOLDER MOUNTED EDITS\n");
        return 2;
    }
    const std::uint64_t edits = std::strtoull(argv[3], nullptr, 10);
    unsigned seed = 12345;
    for (int i = 0; i < kFiles; ++i) {
        auto& file = g_files[static_cast<std::size_t>(i)];
        file.name = "file" + std::to_string(i);
        const std::string path = std::string(argv[1]) + "/" + file.name;
        const Bytes text = record(1, 1000, seed);
        const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        (void)!::write(fd.get(), text.data(), text.size());
        file.emptyUntil = Clock::now();
    }
    std::vector<std::thread> readers, writers;
    for (unsigned i = 0; i < 3; ++i) {
        readers.emplace_back(readFiles, argv[2], seed + i * 77);
    }
    for (int i = 0; i < 2; ++i) {
        writers.emplace_back(editFiles, argv[1], i, 2, edits, seed + 5 + static_cast<unsigned>(i));
    }
    for (auto& thread : writers) {
        thread.join();
    }
    g_ends = true;
    for (auto& thread : readers) {
        thread.join();
    }
    const auto& n = g_counts;
    std::printf(
        "edits %llu, reads: good %llu, empty %llu; clean errors: ESTALE %llu, EBUSY %llu, ENOENT %llu, "
        "fault %llu, other %llu; torn %llu, old %llu\n",
        (unsigned long long)n.edits, (unsigned long long)n.good, (unsigned long long)n.empty,
        (unsigned long long)n.staleHandle, (unsigned long long)n.busy, (unsigned long long)n.missing,
        (unsigned long long)n.fault, (unsigned long long)n.other, (unsigned long long)n.torn,
        (unsigned long long)n.old);
    return n.torn + n.old + n.other > 0 || n.good < 100 ? 1 : 0;
}
