// SPDX-License-Identifier: Apache-2.0
// I1 and I11 at carrel-terminal: before the first byte of a guest's it can start nothing, open no socket and see no file. Every
// attempt is made twice, in a child each: before the loop, where it must succeed, and in it, where it must be refused.
#include "app/api/terminal_process.h"
#include "app/api/terminal_wire.h"
#include "app/terminal/terminal.h"
#include "hypervisor/confine/confine.h"

#include <QFile>
#include <QIODevice>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

using namespace carrel;

namespace {

const std::string kProgram = CARREL_BIN_DIR "/carrel-terminal";

// Made before the child is: a signal handler cannot build a string.
std::string g_file;
std::string g_folder;
std::string g_new;
int g_socket = -1;
sockaddr_un g_address{};
socklen_t g_addressSize = 0;

int errnoOf(long result) {
    return result < 0 ? errno : 0;
}
int forkOne() {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(0);
    }
    return child > 0 && ::waitpid(child, nullptr, 0) == child ? 0 : errno;
}
int runProgram() {
    char name[] = "/bin/true";
    char* argv[] = {name, nullptr};
    char* none[] = {nullptr};
    (void)::execve(name, argv, none);
    return errno; // where it works, nobody comes here
}

struct Refusal {
    const char* name;
    int error; // 0: killed by SIGSYS
    int (*attempt)();
};
const Refusal kRefusals[] = {
    {"a file", EPERM, [] { return errnoOf(::open(g_file.c_str(), O_RDONLY | O_CLOEXEC)); }},
    {"a file for writing", EPERM, [] { return errnoOf(::open(g_file.c_str(), O_WRONLY | O_CLOEXEC)); }},
    {"a new file", EPERM, [] { return errnoOf(::open(g_new.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); }},
    {"a folder", EPERM, [] { return errnoOf(::open(g_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }},
    {"its own program", EPERM, [] { return errnoOf(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)); }},
    {"a file away", EPERM, [] { return errnoOf(::unlink(g_file.c_str())); }},
    {"a socket to the internet", EPERM, [] { return errnoOf(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }},
    {"a local socket", EPERM, [] { return errnoOf(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }},
    {"a connection by a socket that is there", EPERM,
     [] { return errnoOf(::connect(g_socket, reinterpret_cast<const sockaddr*>(&g_address), g_addressSize)); }},
    {"a signal to its parent", EPERM, [] { return errnoOf(::kill(::getppid(), 0)); }},
    {"another process", 0, forkOne},
    {"another program", 0, runProgram},
};

struct Outcome {
    int error = -1;
    int signal = 0;
};

int (*s_attempt)() = nullptr;
int s_report = -1;
void tryIt(int) {
    const int error = s_attempt();
    (void)!::write(s_report, &error, sizeof error);
}

// In a child: free, or by a signal in the loop, once it said that it is confined.
enum class Where { Free, Confined };
Outcome attempted(int (*attempt)(), Where where) {
    int window[2];
    int channel[2];
    int report[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, window) != 0 ||
        ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0 || ::pipe2(report, O_CLOEXEC) != 0) {
        return {};
    }
    const pid_t child = ::fork();
    if (child == 0) {
        for (const int signal : {SIGABRT, SIGSEGV}) { // the test library's handlers would start a debugger
            (void)std::signal(signal, SIG_DFL);
        }
        ::close(window[0]);
        ::close(report[0]);
        s_attempt = attempt;
        s_report = report[1];
        if (where == Where::Free) {
            tryIt(0);
            ::_exit(0);
        }
        struct sigaction action {};
        action.sa_handler = tryIt;
        (void)::sigaction(SIGUSR1, &action, nullptr);
        ::_exit(terminal::run(UniqueFd(channel[1]), UniqueFd(window[1])));
    }
    const UniqueFd ours(window[0]);
    const UniqueFd reading(report[0]);
    for (const int fd : {window[1], channel[0], channel[1], report[1]}) {
        ::close(fd);
    }
    if (where == Where::Confined) {
        char first = 0;
        (void)!::read(ours.get(), &first, 1); // it says so
        (void)::kill(child, SIGUSR1);
    }
    Outcome out;
    if (::read(reading.get(), &out.error, sizeof out.error) != sizeof out.error) {
        out.error = -1;
    }
    (void)::shutdown(ours.get(), SHUT_RDWR);
    int status = 0;
    (void)::waitpid(child, &status, 0);
    out.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (out.error == -1 && WIFEXITED(status) && attempt == runProgram) {
        out.error = WEXITSTATUS(status); // it became that program
    }
    return out;
}

std::string statusField(pid_t pid, const QByteArray& name) {
    QFile file(QString("/proc/%1/status").arg(pid));
    if (file.open(QIODevice::ReadOnly)) {
        for (const QByteArray& line : file.readAll().split('\n')) {
            if (line.startsWith(name + ":")) {
                return line.mid(name.size() + 1).trimmed().toStdString();
            }
        }
    }
    return "?";
}

// The whole first message, which must be that it is confined.
std::optional<api::terminal::Confined> firstWord(int link) {
    api::terminal::MessageSplitter splitter(api::terminal::kMaxToWindow);
    for (;;) {
        pollfd polled{link, POLLIN, 0};
        char bytes[64];
        if (::poll(&polled, 1, 60000) != 1) {
            return std::nullopt;
        }
        const auto got = ::recv(link, bytes, sizeof bytes, 0);
        if (got <= 0) {
            return std::nullopt;
        }
        splitter.feed({bytes, static_cast<std::size_t>(got)});
        if (const auto message = splitter.next(); message && *message) {
            const auto word = api::terminal::decodeToWindow(**message);
            const auto* confined = word ? std::get_if<api::terminal::Confined>(&*word) : nullptr;
            return confined != nullptr ? std::optional(*confined) : std::nullopt;
        }
    }
}

std::pair<UniqueFd, UniqueFd> socketPair() {
    int ends[2] = {-1, -1};
    (void)::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

} // namespace

class TestTerminalJail : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        QVERIFY(m_folder.isValid());
        g_folder = m_folder.path().toStdString();
        g_file = g_folder + "/file";
        g_new = g_folder + "/new";
        m_listener = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        g_address.sun_family = AF_UNIX;
        g_addressSize = sizeof g_address;
        QCOMPARE(::bind(m_listener.get(), reinterpret_cast<sockaddr*>(&g_address), sizeof g_address.sun_family), 0);
        QCOMPARE(::listen(m_listener.get(), 100), 0);
        QCOMPARE(::getsockname(m_listener.get(), reinterpret_cast<sockaddr*>(&g_address), &g_addressSize), 0);
    }
    void init() {
        QFile file(QString::fromStdString(g_file));
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write("x") == 1);
        (void)::unlink(g_new.c_str());
        m_socket = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        g_socket = m_socket.get();
    }

    void refused_data() {
        QTest::addColumn<int>("index");
        for (std::size_t i = 0; i < std::size(kRefusals); ++i) {
            QTest::newRow(kRefusals[i].name) << static_cast<int>(i);
        }
    }
    void refused() {
#ifdef __SANITIZE_THREAD__
        QSKIP("in a child that was forked beside threads this sanitizer holds signals back for ever: judged in other builds");
#endif
        QFETCH(int, index);
        const Refusal& refusal = kRefusals[index];
        const auto before = attempted(refusal.attempt, Where::Free);
        QCOMPARE(before.error, 0);
        init();
        const auto after = attempted(refusal.attempt, Where::Confined);
        if (refusal.error == 0) {
            QCOMPARE(after.signal, SIGSYS);
            return;
        }
        QCOMPARE(after.signal, 0);
        QCOMPARE(after.error, refusal.error);
        QVERIFY(::access(g_file.c_str(), F_OK) == 0 && ::access(g_new.c_str(), F_OK) != 0);
    }

    // The program as it is shipped, seen by the kernel: confined while every byte of the guest's still lies in its channel.
    void program() {
        auto [guest, channel] = socketPair();
        QCOMPARE(::send(guest.get(), "guest", 5, 0), ssize_t{5});
        auto process = api::TerminalProcess::start(kProgram, std::move(channel));
        QVERIFY(process);
        const auto word = firstWord(process->link());
        QVERIFY(word.has_value());
        QCOMPARE(int{word->landlockAbi}, confine::landlockAbi());
        QCOMPARE(statusField(process->pid(), "Seccomp"), std::string("2"));
        QCOMPARE(statusField(process->pid(), "NoNewPrivs"), std::string("1"));
#ifndef __SANITIZE_THREAD__ // which has a thread of its own
        QCOMPARE(statusField(process->pid(), "Threads"), std::string("1"));
#endif
        int unread = 0;
        QCOMPARE(::ioctl(guest.get(), SIOCOUTQ, &unread), 0);
        QVERIFY(unread > 0);
        if (::geteuid() != 0) { // nobody else of the user's looks into what is shown and typed
            const UniqueFd memory(::open(("/proc/" + std::to_string(process->pid()) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
            QVERIFY(!memory);
        }
        const auto size = encode(api::terminal::Resize{24, 80});
        QCOMPARE(::send(process->link(), size.data(), size.size(), 0), static_cast<ssize_t>(size.size()));
        pollfd told{process->link(), POLLIN, 0};
        QCOMPARE(::poll(&told, 1, 60000), 1); // now it reads, and finds that a guest must speak otherwise
    }

    // Nothing of the window goes along: no descriptor that a library left open, no variable.
    void nothingIsInherited() {
        qputenv("CARREL_TEST_SECRET", "secret");
        int left[2];
        QCOMPARE(::pipe(left), 0); // on purpose not close-on-exec
        const UniqueFd reading(left[0]);
        auto [guest, channel] = socketPair();
        {
            auto process = api::TerminalProcess::start(kProgram, std::move(channel));
            QVERIFY(process && firstWord(process->link()));
            ::close(left[1]);
            char byte = 0;
            QCOMPARE(::read(reading.get(), &byte, 1), ssize_t{0}); // nobody holds the other end
        }
        const auto script = m_folder.filePath("tell");
        QFile file(script);
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write("#!/bin/sh\nenv >&4\n") > 0);
        file.close();
        QVERIFY(file.setPermissions(QFile::ReadOwner | QFile::ExeOwner));
        auto [other, second] = socketPair();
        auto process = api::TerminalProcess::start(script.toStdString(), std::move(second));
        QVERIFY(process);
        QByteArray told;
        char bytes[4096];
        for (;;) {
            pollfd polled{process->link(), POLLIN, 0};
            QCOMPARE(::poll(&polled, 1, 60000), 1);
            const auto got = ::recv(process->link(), bytes, sizeof bytes, 0);
            if (got <= 0) {
                break;
            }
            told.append(bytes, got);
        }
        QVERIFY2(told.contains("LC_ALL=C.UTF-8") && !told.contains("CARREL_TEST_SECRET") && !told.contains("HOME="), told.constData());
    }

    void aProgramThatIsNotThere() {
        auto [guest, channel] = socketPair();
        const auto process = api::TerminalProcess::start(g_folder + "/none", std::move(channel));
        QVERIFY(!process && !process.error().message.empty());
        char byte = 0;
        QCOMPARE(::recv(guest.get(), &byte, 1, 0), ssize_t{0}); // the session is let go of
    }

private:
    QTemporaryDir m_folder;
    UniqueFd m_listener;
    UniqueFd m_socket;
};

QTEST_GUILESS_MAIN(TestTerminalJail)
#include "test_terminal_jail.moc"
