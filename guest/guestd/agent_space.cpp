// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/agent_space.h"

#include "guest/guestd/agent_calls.h"
#include "guest/guestd/agent_root.h"
#include "guest/guestd/trust_variables.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace carrel::guestd {

namespace {

constexpr int kAgentNamespaces =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;

// What a forked helper says through its pipe before it ends: what it made or found, or the step that failed.
struct HelperWord {
    pid_t pid = 0;
    TrustStore store = TrustStore::None;
    int number = 0;
    char step[64] = {};
};

[[noreturn]] void giveUp(int pipe, const char* step) {
    HelperWord word;
    word.number = errno;
    std::strncpy(word.step, step, sizeof word.step - 1);
    [[maybe_unused]] const ssize_t done = ::write(pipe, &word, sizeof word);
    ::_exit(1);
}

Status writeFile(const std::string& path, std::string_view text) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return failErrno("writing " + path);
    }
    return {};
}

Result<HelperWord> readWord(int pipe, const std::string& doing) {
    HelperWord word;
    ssize_t got = 0;
    do {
        got = ::read(pipe, &word, sizeof word);
    } while (got < 0 && errno == EINTR);
    if (got != sizeof word) {
        return fail(ErrorCode::Internal, doing + " ended without a word");
    }
    if (word.number != 0) {
        return failErrno(doing + ": " + word.step, word.number);
    }
    return word;
}

void reap(pid_t pid) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

// The machine's own root becomes the namespace's: until then the id is not mapped there.
bool becomeNamespaceRoot() {
    return ::setgroups(0, nullptr) == 0 && ::setresgid(0, 0, 0) == 0 && ::setresuid(0, 0, 0) == 0;
}

// Of the agent's programs each is as good as another when memory runs out, and none is as dear as guestd. A program can make itself
// easier to end, never harder (proc(5), oom_score_adj). Written while it may be, before the rights go.
bool forgetStanding() {
    const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    const bool done = file >= 0 && ::write(file, "0", 1) == 1;
    ::close(file);
    return done;
}

// A process in the caller's namespaces for children, with guestd as its parent: an ordinary child would leave
// a go-between that has to live as long. (A PID namespace applies to children only, setns(2).)
pid_t forkToParent() {
    return static_cast<pid_t>(::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0));
}

bool isCgroupEmpty(const std::string& folder) {
    const UniqueFd file(::open((folder + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
    char text[256] = {};
    if (!file || ::read(file.get(), text, sizeof text - 1) <= 0) {
        return true;
    }
    return std::strstr(text, "populated 0") != nullptr;
}

} // namespace

void clearCgroup(const std::string& folder) {
    constexpr std::chrono::milliseconds kPause{2};
    while (::access(folder.c_str(), F_OK) == 0 && !isCgroupEmpty(folder)) {
        if (!writeFile(folder + "/cgroup.kill", "1")) {
            return;
        }
        while (::waitpid(-1, nullptr, WNOHANG) > 0) { // only at start: nobody else waits yet
        }
        std::this_thread::sleep_for(kPause);
    }
}

Result<std::unique_ptr<AgentSpace>> AgentSpace::create(const AgentPlaces& places) {
    std::unique_ptr<AgentSpace> space(new AgentSpace(places));
    CARREL_TRY(space->build());
    return space;
}

AgentSpace::~AgentSpace() {
    reapInit(); // by PID 1 and not by the control group, which the next space may be using already
}

Status AgentSpace::build() {
    CARREL_TRY(prepareAgentCalls());
    if ((::mkdir(m_places.cgroup.c_str(), 0755) != 0 && errno != EEXIST)) {
        return failErrno("making the agent's control group");
    }
    // A bound for runaway forks; guestd itself stays outside. Best effort: a kernel without the controller
    // still works.
    const auto parent = m_places.cgroup.substr(0, m_places.cgroup.rfind('/'));
    if (writeFile(parent + "/cgroup.subtree_control", "+pids")) {
        static_cast<void>(writeFile(m_places.cgroup + "/pids.max", "16384"));
    }
    m_cgroupProcs = UniqueFd(::open((m_places.cgroup + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!m_cgroupProcs) {
        return failErrno("opening the agent's control group");
    }
    if (::mkdir(m_places.root.c_str(), 0755) != 0 && errno != EEXIST) {
        return failErrno("making the agent's root");
    }
    CARREL_TRY(makeUserNamespace());

    const UniqueFd root(
        ::open_tree(AT_FDCWD, m_places.userland.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    mount_attr shift{};
    shift.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NODEV;
    shift.userns_fd = static_cast<std::uint64_t>(m_userNamespace.get());
    if (!root || ::mount_setattr(root.get(), "", AT_EMPTY_PATH, &shift, sizeof shift) != 0) {
        return failErrno("mapping the ids of " + m_places.userland);
    }
    const UniqueFd workspace(::open_tree(AT_FDCWD, m_places.workspace.c_str(),
                                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    mount_attr slave{};
    slave.propagation = MS_SLAVE;
    if (!workspace ||
        ::mount_setattr(workspace.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &slave, sizeof slave) != 0) {
        return failErrno("preparing /workspace");
    }
    const UniqueFd shelf(::open_tree(AT_FDCWD, m_places.shelf.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    mount_attr readOnly{};
    readOnly.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    readOnly.propagation = MS_PRIVATE;
    if (!shelf || ::mount_setattr(shelf.get(), "", AT_EMPTY_PATH, &readOnly, sizeof readOnly) != 0) {
        return failErrno("preparing " + m_places.shelf);
    }
    return startInit(root.get(), workspace.get(), shelf.get());
}

// A user namespace lives on by its descriptor; the process that made it does not have to.
Status AgentSpace::makeUserNamespace() {
    auto word = makePipe();
    auto hold = makePipe();
    if (!word || !hold) {
        return fail(word ? hold.error() : word.error());
    }
    const pid_t maker = ::fork();
    if (maker < 0) {
        return failErrno("making a process");
    }
    if (maker == 0) {
        hold->write.reset();
        if (::unshare(CLONE_NEWUSER) != 0) {
            giveUp(word->write.get(), "making the user namespace");
        }
        const HelperWord done;
        [[maybe_unused]] const ssize_t said = ::write(word->write.get(), &done, sizeof done);
        char nothing = 0;
        [[maybe_unused]] const ssize_t until = ::read(hold->read.get(), &nothing, 1);
        ::_exit(0);
    }
    word->write.reset();
    const auto finish = [&]() -> Status {
        const auto answer = readWord(word->read.get(), "the agent's account");
        if (!answer) {
            return fail(answer.error());
        }
        const std::string folder = "/proc/" + std::to_string(maker);
        const std::string map = "0 " + std::to_string(kAgentFirstId) + " " + std::to_string(kAgentIds);
        CARREL_TRY(writeFile(folder + "/uid_map", map));
        CARREL_TRY(writeFile(folder + "/gid_map", map));
        m_userNamespace = UniqueFd(::open((folder + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
        if (!m_userNamespace) {
            return failErrno("opening the agent's user namespace");
        }
        return {};
    };
    const Status status = finish();
    hold->write.reset();
    reap(maker);
    return status;
}

Status AgentSpace::startInit(int rootMount, int workspaceMount, int shelfMount) {
    auto word = makePipe();
    if (!word) {
        return fail(word.error());
    }
    const UniqueFd program(::open(m_places.self.c_str(), O_PATH | O_CLOEXEC));
    if (!program) {
        return failErrno("opening " + m_places.self);
    }
    const int pipe = word->write.get();
    const pid_t helper = ::fork();
    if (helper < 0) {
        return failErrno("making a process");
    }
    if (helper == 0) {
        if (::write(m_cgroupProcs.get(), "0", 1) != 1) {
            giveUp(pipe, "entering the control group");
        }
        if (!forgetStanding()) {
            giveUp(pipe, "setting what the kernel ends first");
        }
        if (::setns(m_userNamespace.get(), CLONE_NEWUSER) != 0 || !becomeNamespaceRoot()) {
            giveUp(pipe, "entering the user namespace");
        }
        if (::unshare(kAgentNamespaces) != 0) {
            giveUp(pipe, "making the namespaces");
        }
        const pid_t init = forkToParent();
        if (init < 0) {
            giveUp(pipe, "making the first process");
        }
        if (init > 0) {
            HelperWord made;
            made.pid = init;
            [[maybe_unused]] const ssize_t said = ::write(pipe, &made, sizeof made);
            ::_exit(0);
        }
        if (const char* failed = assembleAgentRoot({rootMount, workspaceMount, shelfMount, m_places.root})) {
            giveUp(pipe, failed);
        }
        setUpAgentNetwork();
        if (const char* failed = dropPrivileges()) {
            giveUp(pipe, failed);
        }
        char name[] = "agent-init";
        char* const arguments[] = {name, name, nullptr};
        char* const environment[] = {nullptr};
        // The pipe closes at exec: that is the word that all went well.
        ::execveat(program.get(), "", arguments, environment, AT_EMPTY_PATH);
        giveUp(pipe, "becoming agent-init");
    }
    word->write.reset();
    const auto made = readWord(word->read.get(), "the agent's account");
    reap(helper);
    if (!made) {
        return fail(made.error());
    }
    m_init = made->pid;
    auto pidfd = pidfdOf(m_init);
    if (!pidfd) {
        return fail(pidfd.error());
    }
    m_initPidfd = std::move(*pidfd);
    HelperWord trouble;
    if (::read(word->read.get(), &trouble, sizeof trouble) == sizeof trouble) {
        return failErrno(std::string("the agent's account: ") + trouble.step, trouble.number);
    }
    // Before any of the agent's processes exists, so this is guestd's own devpts and nothing put in its
    // place.
    const std::string ptmx = "/proc/" + std::to_string(m_init) + "/root/dev/pts/ptmx";
    m_ptmx = UniqueFd(::open(ptmx.c_str(), O_PATH | O_CLOEXEC));
    if (!m_ptmx) {
        return failErrno("opening the agent's terminals");
    }
    return {};
}

Result<Spawned> AgentSpace::spawn(const SpawnRequest& request) {
    if (request.terminal == Terminal::None) {
        // Else opening /dev/stdin, /dev/stdout or /dev/stderr is refused: the pipes were made by the
        // machine's root.
        for (const int fd : {request.stdinFd, request.stdoutFd, request.stderrFd}) {
            if (::fchown(fd, kAgentFirstId, kAgentFirstId) != 0) {
                return failErrno("giving a pipe to the agent");
            }
        }
    }
    const PreparedExec prepared(request);
    auto word = makePipe();
    auto status = makePipe();
    if (!word || !status) {
        return fail(word ? status.error() : word.error());
    }
    const int pipe = word->write.get();
    const pid_t helper = ::fork();
    if (helper < 0) {
        return failErrno("starting a process");
    }
    if (helper == 0) {
        if (::write(m_cgroupProcs.get(), "0", 1) != 1) {
            giveUp(pipe, "entering the control group");
        }
        if (!forgetStanding()) {
            giveUp(pipe, "setting what the kernel ends first");
        }
        if (::setns(m_initPidfd.get(), CLONE_NEWUSER | kAgentNamespaces) != 0 || !becomeNamespaceRoot()) {
            giveUp(pipe, "entering the agent's namespaces");
        }
        if (const char* failed = dropPrivileges()) {
            giveUp(pipe, failed);
        }
        const pid_t child = forkToParent();
        if (child < 0) {
            giveUp(pipe, "making a process");
        }
        if (child == 0) {
            prepared.run(status->write.get());
        }
        HelperWord made;
        made.pid = child;
        [[maybe_unused]] const ssize_t said = ::write(pipe, &made, sizeof made);
        ::_exit(0);
    }
    word->write.reset();
    const auto made = readWord(word->read.get(), "starting a process");
    reap(helper);
    if (!made) {
        return fail(made.error());
    }
    auto pidfd = pidfdOf(made->pid);
    if (!pidfd) {
        return fail(pidfd.error());
    }
    return Spawned{made->pid, std::move(*pidfd), std::move(status->read)};
}

Result<PtyPair> AgentSpace::openPty() {
    const std::string path = "/proc/self/fd/" + std::to_string(m_ptmx.get());
    UniqueFd master(::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    const int unlocked = 0;
    if (!master || ::ioctl(master.get(), TIOCSPTLCK, &unlocked) != 0) {
        return failErrno("opening a terminal");
    }
    UniqueFd slave(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!slave) {
        return failErrno("opening a terminal");
    }
    return PtyPair{std::move(master), std::move(slave)};
}

std::map<std::string, std::string> AgentSpace::baseEnvironment() const {
    std::map<std::string, std::string> out{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                                           {"HOME", "/root"},
                                           {"USER", "root"},
                                           {"LOGNAME", "root"},
                                           {"SHELL", "/bin/bash"},
                                           {"LANG", "C.UTF-8"}};
    out.merge(trustVariables(m_trustStore));
    return out;
}

// By a process with the agent's own rights, in its root: whatever the agent has put in the way there, it reaches nothing else. Not
// in its PID namespace, so nothing of the agent's can stop it.
Status AgentSpace::trust(const AuthorityCertificate& authority) {
    if (m_trusted == authority.pem) {
        return {};
    }
    m_trusted.clear(); // a part of it may be done where the rest fails
    auto word = makePipe();
    if (!word) {
        return fail(word.error());
    }
    const pid_t helper = ::fork();
    if (helper < 0) {
        return failErrno("making a process");
    }
    if (helper == 0) {
        const int pipe = word->write.get();
        if (::write(m_cgroupProcs.get(), "0", 1) != 1) {
            giveUp(pipe, "entering the control group");
        }
        if (!forgetStanding()) {
            giveUp(pipe, "setting what the kernel ends first");
        }
        if (::setns(m_initPidfd.get(), CLONE_NEWUSER | CLONE_NEWNS) != 0 || !becomeNamespaceRoot()) {
            giveUp(pipe, "entering the agent's namespaces");
        }
        if (const char* failed = dropPrivileges()) {
            giveUp(pipe, failed);
        }
        ::umask(022);
        HelperWord done;
        if (const auto kept = keepAuthority("/", authority)) {
            done.store = *kept;
        } else {
            errno = kept.error().sysErrno;
            giveUp(pipe, kept.error().message.c_str());
        }
        [[maybe_unused]] const ssize_t said = ::write(pipe, &done, sizeof done);
        ::_exit(0);
    }
    word->write.reset();
    const auto answer = readWord(word->read.get(), "the agent's certificates");
    reap(helper);
    if (!answer) {
        return fail(answer.error());
    }
    m_trusted = authority.pem;
    m_trustStore = answer->store;
    return {};
}

// By its number, which stays its own until reapInit().
UniqueFd AgentSpace::networkNamespace() const {
    const std::string path = "/proc/" + std::to_string(m_init) + "/ns/net";
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

Status AgentSpace::setHostname(const std::string& name) {
    auto word = makePipe();
    if (!word) {
        return fail(word.error());
    }
    const pid_t helper = ::fork();
    if (helper < 0) {
        return failErrno("making a process");
    }
    if (helper == 0) {
        if (::setns(m_initPidfd.get(), CLONE_NEWUSER | CLONE_NEWUTS) != 0 ||
            ::sethostname(name.data(), name.size()) != 0) {
            giveUp(word->write.get(), "naming the machine");
        }
        const HelperWord done;
        [[maybe_unused]] const ssize_t said = ::write(word->write.get(), &done, sizeof done);
        ::_exit(0);
    }
    word->write.reset();
    const auto answer = readWord(word->read.get(), "the agent's account");
    reap(helper);
    if (!answer) {
        return fail(answer.error());
    }
    return {};
}

Status AgentSpace::freeze() {
    return writeFile(m_places.cgroup + "/cgroup.freeze", "1");
}

Status AgentSpace::thaw() {
    return writeFile(m_places.cgroup + "/cgroup.freeze", "0");
}

void AgentSpace::killAll() {
    static_cast<void>(writeFile(m_places.cgroup + "/cgroup.kill", "1"));
}

void AgentSpace::reapInit() {
    const std::lock_guard lock(m_mutex);
    if (m_init > 0) {
        ::kill(m_init, SIGKILL);
        reap(m_init); // returns when the namespace is empty: PID 1 goes last
        m_init = 0;
    }
}

void runAgentInit() {
    ::prctl(PR_SET_NAME, "agent-init", 0, 0, 0);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2 && null >= 0; ++fd) {
        ::dup2(null, fd);
    }
    ::close_range(3, ~0U, 0);
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &children, nullptr);
    for (;;) {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        siginfo_t info{};
        ::sigwaitinfo(&children, &info);
    }
}

} // namespace carrel::guestd
