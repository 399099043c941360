// SPDX-License-Identifier: Apache-2.0
// I1: a process that reads a guest's bytes can start nothing, open no socket, and see nothing but what it may
// read. Every attempt is made twice, in a child each: free, where it must succeed, and confined, where it
// must be refused.
#include "hypervisor/confine/confine.h"

#include <QFile>
#include <QIODevice>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <fcntl.h>
#include <functional>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

using namespace carrel;

namespace {

constexpr int kNotConfined = 200; // exit status of a child that could not confine itself

struct Ended {
    int status = -1; // of exit, or -1
    int signal = 0;
};

Ended inChild(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        for (const int signal : {SIGABRT, SIGSEGV}) { // the test library's handlers would start a debugger
            (void)std::signal(signal, SIG_DFL);
        }
        ::_exit(work());
    }
    int status = 0;
    (void)::waitpid(child, &status, 0);
    Ended ended;
    if (WIFEXITED(status)) {
        ended.status = WEXITSTATUS(status);
    } else if (WIFSIGNALED(status)) {
        ended.signal = WTERMSIG(status);
    }
    return ended;
}

int errnoOf(long result) {
    return result < 0 ? errno : 0;
}

std::string g_inside; // a folder that the confined child may read
std::string g_outside;

enum class Refusal { Killed, Eperm, NoSuchCall, Files };

struct Attempt {
    Refusal refusal;
    std::function<int()> work; // 0: it could be done; else errno
};

int startThread() {
    pthread_t thread{};
    const int error = ::pthread_create(
        &thread, nullptr, [](void* nothing) { return nothing; }, nullptr);
    return error == 0 ? ::pthread_join(thread, nullptr) : error;
}

int runProgram(bool at) {
    char name[] = "/bin/true";
    char* argv[] = {name, nullptr};
    char* none[] = {nullptr};
    if (at) {
        (void)::syscall(SYS_execveat, AT_FDCWD, name, argv, none, 0);
    } else {
        (void)::execve(name, argv, none);
    }
    return errno; // not reached when it works: true's own status is 0
}

int forkOne() {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(0);
    }
    return child > 0 && ::waitpid(child, nullptr, 0) == child ? 0 : errno;
}

int connectSomewhere() {
    // The other end is this child's own; only the call counts.
    const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const int error = errnoOf(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
    return error == ENOTSOCK ? 0 : error;
}

int writeInside() {
    return errnoOf(::open((g_inside + "/file").c_str(), O_WRONLY | O_CLOEXEC));
}

int writeInsideByOpenat2() {
    open_how how{};
    how.flags = O_RDWR;
    return errnoOf(::syscall(SYS_openat2, AT_FDCWD, (g_inside + "/file").c_str(), &how, sizeof how));
}

int mapCode() {
    void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : 0;
}

int setUpRing() {
    io_uring_params params{};
    return errnoOf(::syscall(SYS_io_uring_setup, 4, &params));
}

int traceMe() {
    return errnoOf(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
}

const std::map<std::string, Attempt>& attempts() {
    static const std::map<std::string, Attempt> all{
        {"execve", {Refusal::Killed, [] { return runProgram(false); }}},
        {"execveat", {Refusal::Killed, [] { return runProgram(true); }}},
        {"fork", {Refusal::Killed, forkOne}},
        {"vfork",
         {Refusal::Killed,
          [] {
              const long child =
                  ::syscall(SYS_clone, CLONE_VFORK | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
              if (child == 0) {
                  ::_exit(0);
              }
              return errnoOf(child);
          }}},
        {"ptrace", {Refusal::Killed, traceMe}},
        {"unshare", {Refusal::Killed, [] { return errnoOf(::unshare(CLONE_FS)); }}},
        {"io_uring_setup", {Refusal::Killed, setUpRing}},
        {"process_vm_readv",
         {Refusal::Killed,
          [] {
              int from = 1;
              int to = 0;
              const iovec source{&from, sizeof from};
              const iovec target{&to, sizeof to};
              return errnoOf(::syscall(SYS_process_vm_readv, ::getpid(), &target, 1, &source, 1, 0));
          }}},
        {"socket", {Refusal::Eperm, [] { return errnoOf(::socket(AF_UNIX, SOCK_STREAM, 0)); }}},
        {"socket inet", {Refusal::Eperm, [] { return errnoOf(::socket(AF_INET, SOCK_STREAM, 0)); }}},
        {"socketpair",
         {Refusal::Eperm,
          [] {
              int pair[2];
              return errnoOf(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
          }}},
        {"connect", {Refusal::Eperm, connectSomewhere}},
        {"thread", {Refusal::Eperm, startThread}},
        {"open for writing", {Refusal::Eperm, writeInside}},
        {"create",
         {Refusal::Eperm,
          [] { return errnoOf(::open((g_inside + "/new").c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600)); }}},
        {"unlink", {Refusal::Eperm, [] { return errnoOf(::unlink((g_inside + "/victim").c_str())); }}},
        {"map code", {Refusal::Eperm, mapCode}},
        {"signal another", {Refusal::Eperm, [] { return errnoOf(::kill(::getppid(), 0)); }}},
        {"memfd", {Refusal::Eperm, [] { return errnoOf(::memfd_create("x", 0)); }}},
        {"clone3",
         {Refusal::NoSuchCall,
          [] {
              const int error = errnoOf(::syscall(SYS_clone3, nullptr, 0));
              return error == EINVAL ? 0 : error; // the kernel looked at it
          }}},
        {"unknown call", {Refusal::NoSuchCall, [] { return errnoOf(::syscall(SYS_sched_getscheduler, 0)); }}},
        {"open for writing by openat2", {Refusal::Files, writeInsideByOpenat2}},
        {"open outside",
         {Refusal::Files, [] { return errnoOf(::open((g_outside + "/secret").c_str(), O_RDONLY)); }}},
        {"list outside",
         {Refusal::Files, [] { return errnoOf(::open(g_outside.c_str(), O_RDONLY | O_DIRECTORY)); }}},
    };
    return all;
}

int confined(confine::SyscallProfile profile, const std::function<int()>& work) {
    const confine::FileView view{{{g_inside, confine::Access::ReadOnly}}, {}};
    if (!confine::restrictFiles(view) || !confine::restrictSyscalls(profile)) {
        return kNotConfined;
    }
    return work();
}

} // namespace

class TestSyscalls : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        QVERIFY(m_inside.isValid() && m_outside.isValid());
        g_inside = m_inside.path().toStdString();
        g_outside = m_outside.path().toStdString();
        if (confine::landlockAbi() == 0) {
            QSKIP("this kernel has no Landlock");
        }
    }
    void init() {
        for (const std::string& path : {g_inside + "/file", g_inside + "/victim", g_outside + "/secret"}) {
            QFile file(QString::fromStdString(path));
            QVERIFY(file.open(QIODevice::WriteOnly) && file.write("x") == 1);
        }
        (void)::unlink((g_inside + "/new").c_str());
    }

    void refused_data() {
        QTest::addColumn<QString>("name");
        for (const auto& [name, attempt] : attempts()) {
            QTest::newRow(name.c_str()) << QString::fromStdString(name);
        }
    }
    void refused() {
        QFETCH(QString, name);
        const Attempt& attempt = attempts().at(name.toStdString());
#ifdef __SANITIZE_THREAD__
        if (name == "thread") {
            QSKIP("the thread sanitizer starts no thread after a fork");
        }
#endif
        const Ended before = inChild(attempt.work);
        if (before.signal == 0 && before.status != 0 && (name == "io_uring_setup" || name == "ptrace")) {
            QSKIP("not to be had here even unconfined");
        }
        QCOMPARE(before.signal, 0);
        QCOMPARE(before.status, 0);
        init();
        const Ended after =
            inChild([&] { return confined(confine::SyscallProfile::GuestReader, attempt.work); });
        switch (attempt.refusal) {
        case Refusal::Killed:
            QCOMPARE(after.signal, SIGSYS);
            break;
        case Refusal::Eperm:
            QCOMPARE(after.status, EPERM);
            break;
        case Refusal::NoSuchCall:
            QCOMPARE(after.status, ENOSYS);
            break;
        case Refusal::Files:
            QCOMPARE(after.status, EACCES);
            break;
        }
    }

    // What an event loop and a file server need still works, or the refusals above would prove nothing.
    void workGoesOn() {
        const int pipeEnds = 2;
        int sockets[pipeEnds];
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        const int root = ::open(g_inside.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        const Ended ended = inChild([&] {
            return confined(confine::SyscallProfile::GuestReader, [&] {
                const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
                const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
                if (epoll < 0 || event < 0 || timer < 0) {
                    return 1;
                }
                open_how how{};
                how.flags = O_RDONLY | O_CLOEXEC;
                how.resolve = RESOLVE_BENEATH;
                const long file = ::syscall(SYS_openat2, root, "file", &how, sizeof how);
                char byte = 0;
                if (file < 0 || ::pread(static_cast<int>(file), &byte, 1, 0) != 1 || byte != 'x') {
                    return 2;
                }
                if (::fcntl(static_cast<int>(file), F_SETLEASE, F_RDLCK) != 0 && errno != EAGAIN &&
                    errno != EINVAL) {
                    return 3;
                }
                const int inotify = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
                const std::string self = "/proc/self/fd/" + std::to_string(root);
                if (::inotify_add_watch(inotify, self.c_str(), IN_CREATE | IN_ONLYDIR) < 0) {
                    return 4;
                }
                msghdr message{};
                iovec part{&byte, 1};
                message.msg_iov = &part;
                message.msg_iovlen = 1;
                if (::sendmsg(sockets[0], &message, MSG_NOSIGNAL) != 1 ||
                    ::recvmsg(sockets[1], &message, 0) != 1) {
                    return 5;
                }
                std::vector<char> much(std::size_t{8} << 20, 'y'); // the allocator maps
                return much.back() == 'y' ? 0 : 6;
            });
        });
        QCOMPARE(ended.signal, 0);
        QCOMPARE(ended.status, 0);
        ::close(root);
        ::close(sockets[0]);
        ::close(sockets[1]);
    }

    void terminalViewerOpensNothing() {
        const auto open = [] { return errnoOf(::open((g_inside + "/file").c_str(), O_RDONLY | O_CLOEXEC)); };
        QCOMPARE(inChild([&] { return confined(confine::SyscallProfile::GuestReader, open); }).status, 0);
        QCOMPARE(inChild([&] { return confined(confine::SyscallProfile::TerminalViewer, open); }).status,
                 EPERM);
        const auto abort = [] {
            std::abort();
            return 0;
        };
        QCOMPARE(inChild([&] { return confined(confine::SyscallProfile::TerminalViewer, abort); }).signal,
                 SIGABRT);
    }

private:
    QTemporaryDir m_inside;
    QTemporaryDir m_outside;
};

QTEST_GUILESS_MAIN(TestSyscalls)
#include "test_syscalls.moc"
