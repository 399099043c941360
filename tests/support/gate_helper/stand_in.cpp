// SPDX-License-Identifier: Apache-2.0
// Stands where carrel-guestd does in a machine, to see what no guestd shows: what the kernel keeps while there is none, and what its look
// costs. Speaks on the console, in lines that begin with "stand-in: ".
//
//   the first start    measures: so many starts of a program without the gate, then with it, in turns; then brings a denial into force
//                      and ends by SIGKILL
//   the next           tries the denied content before it does anything else, and goes on with what it finds
#include "guest/bpf/gate_policy.h"
#include "guest/bpf/program_gate.h"
#include "guest/worktree/sha256.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <sched.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace carrel;

namespace {

constexpr int kStarts = 300;
constexpr int kRounds = 5;
constexpr const char* kProgram = "/run/victim"; // not on the machine's own root, whose files run in any case
constexpr const char* kBegun = "/run/carrel/stand-in-began";

void say(const std::string& line) {
    const std::string whole = "stand-in: " + line + "\n";
    [[maybe_unused]] const ssize_t done = ::write(STDOUT_FILENO, whole.data(), whole.size());
}

void copySelf() {
    std::ifstream from("/proc/self/exe", std::ios::binary);
    std::ofstream to(kProgram, std::ios::binary);
    to << from.rdbuf();
    to.close();
    ::chmod(kProgram, 0755);
}

// A start and an end of the program, from a process like the agent's: 0, or the errno of exec.
int startOnce() {
    int answer[2];
    if (::pipe2(answer, O_CLOEXEC) != 0) {
        return errno;
    }
    const pid_t child = ::vfork();
    if (child == 0) {
        char word[] = "nothing";
        char* const arguments[] = {const_cast<char*>(kProgram), word, nullptr};
        char* const environment[] = {nullptr};
        ::execve(kProgram, arguments, environment);
        const int number = errno;
        [[maybe_unused]] const ssize_t done = ::write(answer[1], &number, sizeof number);
        ::_exit(1);
    }
    int number = 0;
    ::close(answer[1]);
    [[maybe_unused]] const ssize_t got = ::read(answer[0], &number, sizeof number);
    ::close(answer[0]);
    ::waitpid(child, nullptr, 0);
    return number;
}

// In a user namespace of its own, as the agent's programs are. What it writes is the outcome.
template <class Work> double asAgent(Work work) {
    int answer[2];
    double out = -1;
    if (::pipe2(answer, O_CLOEXEC) != 0) {
        return out;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        if (::unshare(CLONE_NEWUSER) != 0) {
            ::_exit(1);
        }
        const double value = work();
        [[maybe_unused]] const ssize_t done = ::write(answer[1], &value, sizeof value);
        ::_exit(0);
    }
    ::close(answer[1]);
    [[maybe_unused]] const ssize_t got = ::read(answer[0], &out, sizeof out);
    ::close(answer[0]);
    ::waitpid(child, nullptr, 0);
    return out;
}

double microseconds() {
    (void)startOnce(); // in the page cache, and its content known
    timespec began{};
    timespec ended{};
    ::clock_gettime(CLOCK_MONOTONIC, &began);
    for (int i = 0; i < kStarts; ++i) {
        if (startOnce() != 0) {
            return -1;
        }
    }
    ::clock_gettime(CLOCK_MONOTONIC, &ended);
    return (static_cast<double>(ended.tv_sec - began.tv_sec) * 1e6 + static_cast<double>(ended.tv_nsec - began.tv_nsec) / 1e3) / kStarts;
}

void removeGate() {
    const std::string folder = std::string(bpf::kPins) + "/exec_gate";
    if (DIR* list = ::opendir(folder.c_str())) {
        while (const dirent* entry = ::readdir(list)) {
            ::unlink((folder + "/" + entry->d_name).c_str());
        }
        ::closedir(list);
    }
    ::rmdir(folder.c_str());
}

bpf::ContentHash hashOfProgram() {
    worktree::Sha256 hash;
    std::ifstream from(kProgram, std::ios::binary);
    std::string piece(65536, 0);
    while (from.read(piece.data(), static_cast<std::streamsize>(piece.size())) || from.gcount() > 0) {
        hash.update(asBytes(std::string_view(piece).substr(0, static_cast<std::size_t>(from.gcount()))));
    }
    return *bpf::contentHashFrom(hash.hex());
}

// As many as an image has, so that what is looked up has a real size.
std::vector<bpf::ContentHash> others() {
    std::vector<bpf::ContentHash> out(5000);
    for (std::size_t i = 0; i < out.size(); ++i) {
        std::memcpy(out[i].data(), &i, sizeof i);
    }
    return out;
}

double median(std::vector<double> of) {
    std::sort(of.begin(), of.end());
    return of[of.size() / 2];
}

// In a machine that has just started.
int first() {
    std::ofstream(kBegun) << "1";
    copySelf();
    std::vector<double> without;
    std::vector<double> with;
    std::vector<double> ratios;
    const auto own = hashOfProgram();
    auto allow = others();
    allow.push_back(own);
    for (int round = 0; round < kRounds; ++round) {
        without.push_back(asAgent(microseconds));
        bpf::ProgramGate gate;
        if (const auto begun = gate.start([](const bpf::Refusal&) {}); !begun) {
            say("failed: " + begun.error().text());
            return 1;
        }
        if (const auto set = gate.apply({bpf::GateMode::Allow, 1, {}, allow, {}}); !set) {
            say("failed: " + set.error().text());
            return 1;
        }
        with.push_back(asAgent(microseconds));
        ratios.push_back(with.back() / without.back());
        removeGate();
    }
    if (std::min(*std::min_element(with.begin(), with.end()), *std::min_element(without.begin(), without.end())) <= 0) {
        say("failed: the program did not run");
        return 1;
    }
    say("us-per-start without " + std::to_string(median(without)) + " with " + std::to_string(median(with)) + " ratio " + std::to_string(median(ratios)));
    bpf::ProgramGate gate;
    if (const auto begun = gate.start([](const bpf::Refusal&) {}); !begun) {
        say("failed: " + begun.error().text());
        return 1;
    }
    if (const auto set = gate.apply({bpf::GateMode::Deny, 2, {own}, {}, {}}); !set) {
        say("failed: " + set.error().text());
        return 1;
    }
    say(std::string("denied: ") + (asAgent([] { return static_cast<double>(startOnce()); }) == EPERM ? "refused" : "ran"));
    ::kill(::getpid(), SIGKILL);
    return 1;
}

int next() {
    say(std::string("between: ") + (asAgent([] { return static_cast<double>(startOnce()); }) == EPERM ? "refused" : "ran"));
    bpf::ProgramGate gate;
    std::atomic<int> told = 0;
    if (const auto begun = gate.start([&told](const bpf::Refusal&) { ++told; }); !begun) {
        say("failed: " + begun.error().text());
        return 1;
    }
    say(gate.origin() == bpf::KernelPrograms::Origin::Found ? "found" : "loaded again");
    say(std::string("after: ") + (asAgent([] { return static_cast<double>(startOnce()); }) == EPERM ? "refused" : "ran"));
    while (told == 0) {
        ::sched_yield(); // what was refused while nobody listened is told now
    }
    say("told");
    if (const auto set = gate.apply({bpf::GateMode::Deny, 3, {}, {}, {}}); !set) {
        say("failed: " + set.error().text());
    }
    say(std::string("taken back: ") + (asAgent([] { return static_cast<double>(startOnce()); }) == 0 ? "ran" : "refused"));
    std::ofstream("/run/carrel/poweroff") << "1";
    return 0;
}

} // namespace

int main(int count, char** arguments) {
    if (count == 2 && std::strcmp(arguments[1], "nothing") == 0) {
        return 0;
    }
    const int outcome = ::access(kBegun, F_OK) != 0 ? first() : next();
    if (outcome != 0) {
        std::ofstream("/run/carrel/poweroff") << "1";
    }
    return 0;
}
