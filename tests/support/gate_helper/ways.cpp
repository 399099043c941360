// SPDX-License-Identifier: Apache-2.0
#include "tests/support/gate_helper/ways.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace carrel::test {

namespace {

constexpr std::size_t kPage = 4096;
const unsigned char kReturn[] = {0xc3}; // ret, of x86-64

void outcomeOf(bool good) {
    if (good) {
        say("done");
    } else {
        sayErrno();
    }
}

bool copyInto(int to, const char* file) {
    const int from = ::open(file, O_RDONLY | O_CLOEXEC);
    char buffer[65536];
    for (;;) {
        const ssize_t got = ::read(from, buffer, sizeof buffer);
        if (got <= 0) {
            ::close(from);
            return got == 0;
        }
        if (::write(to, buffer, static_cast<std::size_t>(got)) != got) {
            return false;
        }
    }
}

// Becomes the program behind the descriptor; returns where it may not.
void become(int fd) {
    char name[] = "victim";
    char* const arguments[] = {name, name, nullptr};
    char* const environment[] = {nullptr};
    ::fexecve(fd, arguments, environment);
    sayErrno();
}

// A descriptor for reading alone: execve(2) refuses what is open for writing.
int readOnly(int fd) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    const int again = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ::close(fd);
    return again;
}

void fromMemory(const char* file) {
    const int fd = ::memfd_create("victim", MFD_CLOEXEC);
    if (fd < 0 || !copyInto(fd, file)) {
        sayErrno();
        return;
    }
    become(readOnly(fd));
}

void fromNameless(const char* file) {
    const int fd = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0700);
    if (fd < 0 || !copyInto(fd, file)) {
        sayErrno();
        return;
    }
    become(readOnly(fd));
}

void afterRemoval(const char* file) {
    const char* path = "/tmp/removed";
    const int fd = ::open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0700);
    if (fd < 0 || !copyInto(fd, file)) {
        sayErrno();
        return;
    }
    const int again = readOnly(fd);
    ::unlink(path);
    become(again);
}

void mapped(const char* file, int openFlags, int flags, int first, int then) {
    const int fd = ::open(file, openFlags | O_CLOEXEC);
    void* at = fd < 0 ? MAP_FAILED : ::mmap(nullptr, kPage, first, flags, fd, 0);
    if (at == MAP_FAILED) {
        sayErrno();
        return;
    }
    outcomeOf(then == 0 || ::mprotect(at, kPage, then) == 0);
}

// A private mapping of a file whose content may run, with what the program wrote into it.
void ownPages(const char* file) {
    const int fd = ::open(file, O_RDONLY | O_CLOEXEC);
    auto* at = static_cast<unsigned char*>(::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    if (at == MAP_FAILED) {
        sayErrno();
        return;
    }
    std::memcpy(at, kReturn, sizeof kReturn);
    if (::mprotect(at, kPage, PROT_READ | PROT_EXEC) != 0) {
        sayErrno();
        return;
    }
    reinterpret_cast<void (*)()>(at)();
    say("ran");
}

void anonymous(int flags, int first, int then) {
    void* at = ::mmap(nullptr, kPage, first, flags | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        sayErrno();
        return;
    }
    if ((first & PROT_WRITE) != 0) {
        std::memcpy(at, kReturn, sizeof kReturn);
    }
    outcomeOf(then == 0 || ::mprotect(at, kPage, then) == 0);
}

void sharedMemory() {
    const int id = ::shmget(IPC_PRIVATE, kPage, IPC_CREAT | 0700);
    void* at = id < 0 ? reinterpret_cast<void*>(-1) : ::shmat(id, nullptr, SHM_EXEC); // NOLINT: shmat(2)
    const int number = errno;
    ::shmctl(id, IPC_RMID, nullptr);
    errno = number;
    outcomeOf(at != reinterpret_cast<void*>(-1));
}

// A writer that keeps only a shared mapping, and then a mapping to run of the same file.
void heldWriter(const char* file) {
    const int writer = ::open(file, O_RDWR | O_CLOEXEC);
    void* shared = writer < 0 ? MAP_FAILED : ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, writer, 0);
    ::close(writer);
    if (shared == MAP_FAILED) {
        sayErrno();
        return;
    }
    mapped(file, O_RDONLY, MAP_PRIVATE, PROT_READ | PROT_EXEC, 0);
}

// Mapped to be written by whoever it was, and no writer left.
void onceShared(const char* file) {
    const int writer = ::open(file, O_RDWR | O_CLOEXEC);
    void* shared = writer < 0 ? MAP_FAILED : ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, writer, 0);
    if (shared == MAP_FAILED || ::munmap(shared, kPage) != 0 || ::close(writer) != 0) {
        sayErrno();
        return;
    }
    mapped(file, O_RDONLY, MAP_PRIVATE, PROT_READ | PROT_EXEC, 0);
}

// Memory of a file that is known, made runnable afterwards; then the file is opened to be written.
void protectThenWrite(const char* file) {
    const int fd = ::open(file, O_RDONLY | O_CLOEXEC);
    void* memory = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED || ::mprotect(memory, kPage, PROT_READ | PROT_EXEC) != 0) {
        say("not made runnable");
        return;
    }
    outcomeOf(::open(file, O_WRONLY | O_CLOEXEC) >= 0);
}

void writeMapped(const char* file) {
    const int fd = ::open(file, O_RDONLY | O_CLOEXEC);
    if (::mmap(nullptr, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED) {
        sayErrno();
        return;
    }
    outcomeOf(::open(file, O_WRONLY | O_CLOEXEC) >= 0);
}

void truncateMapped(const char* file) {
    const int fd = ::open(file, O_RDONLY | O_CLOEXEC);
    if (::mmap(nullptr, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED) {
        sayErrno();
        return;
    }
    outcomeOf(::truncate(file, 100) == 0);
}

// Code of its own that it may only read and run, written past the protection.
void ownMemory() {
    const int fd = ::open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    outcomeOf(fd >= 0);
}

void trace() {
    const pid_t child = ::fork();
    if (child == 0) {
        const long answer = ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::_exit(answer == 0 ? 0 : errno);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    outcomeOf(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void attach() {
    int word[2];
    if (::pipe(word) != 0) {
        return;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        char nothing = 0;
        ::close(word[1]);
        [[maybe_unused]] const ssize_t got = ::read(word[0], &nothing, 1);
        ::_exit(0);
    }
    const long answer = ::ptrace(PTRACE_SEIZE, child, nullptr, nullptr);
    outcomeOf(answer == 0);
    ::close(word[1]);
    ::waitpid(child, nullptr, 0);
}

// A heap that runs, by the personality of programs that are too old to know better.
void executableHeap() {
    if (::personality(READ_IMPLIES_EXEC) == -1) {
        sayErrno();
        return;
    }
    auto* at = static_cast<unsigned char*>(::sbrk(static_cast<intptr_t>(kPage)));
    std::memcpy(at, kReturn, sizeof kReturn);
    reinterpret_cast<void (*)()>(at)();
    say("ran");
}

} // namespace

bool tryWay(const char* word, const char* file) {
    const auto is = [word](const char* name) { return std::strcmp(word, name) == 0; };
    if (is("memfd")) {
        fromMemory(file);
    } else if (is("tmpfile")) {
        fromNameless(file);
    } else if (is("removed")) {
        afterRemoval(file);
    } else if (is("map")) {
        mapped(file, O_RDONLY, MAP_PRIVATE, PROT_READ | PROT_EXEC, 0);
    } else if (is("map-shared")) {
        mapped(file, O_RDONLY, MAP_SHARED, PROT_READ | PROT_EXEC, 0);
    } else if (is("map-direct")) {
        mapped(file, O_RDONLY | O_DIRECT, MAP_PRIVATE, PROT_READ | PROT_EXEC, 0);
    } else if (is("protect")) {
        mapped(file, O_RDONLY, MAP_PRIVATE, PROT_READ, PROT_READ | PROT_EXEC);
    } else if (is("writable-code")) {
        mapped(file, O_RDONLY, MAP_PRIVATE, PROT_READ | PROT_WRITE | PROT_EXEC, 0);
    } else if (is("code-made-writable")) {
        mapped(file, O_RDONLY, MAP_PRIVATE, PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC);
    } else if (is("own-pages")) {
        ownPages(file);
    } else if (is("anonymous")) {
        anonymous(MAP_PRIVATE, PROT_READ | PROT_WRITE | PROT_EXEC, 0);
    } else if (is("anonymous-later")) {
        anonymous(MAP_PRIVATE, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC);
    } else if (is("anonymous-shared")) {
        anonymous(MAP_SHARED, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC);
    } else if (is("shared-memory")) {
        sharedMemory();
    } else if (is("held-writer")) {
        heldWriter(file);
    } else if (is("once-shared")) {
        onceShared(file);
    } else if (is("protect-then-write")) {
        protectThenWrite(file);
    } else if (is("write-mapped")) {
        writeMapped(file);
    } else if (is("truncate-mapped")) {
        truncateMapped(file);
    } else if (is("own-memory")) {
        ownMemory();
    } else if (is("executable-heap")) {
        executableHeap();
    } else if (is("device")) {
        mapped("/dev/zero", O_RDONLY, MAP_PRIVATE, PROT_READ | PROT_EXEC, 0);
    } else if (is("trace")) {
        trace();
    } else if (is("attach")) {
        attach();
    } else {
        return false;
    }
    return true;
}

} // namespace carrel::test
