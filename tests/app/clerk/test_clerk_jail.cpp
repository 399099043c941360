// SPDX-License-Identifier: Apache-2.0
// I1 at a running clerk: after `prepare`, and before the first byte of a guest's, it can start nothing, open
// no socket, and see no file but those of its shares, and those for reading only. Every attempt is made in
// two clerks: in one that was not prepared, where it must succeed, and in one that was, where it must be
// refused.
#include "tests/app/clerk/clerk_rig.h"

#include <QFile>
#include <QIODevice>
#include <QTemporaryDir>
#include <QTest>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

using namespace carrel;
using namespace carrel::clerk;
using carrel::clerk::test::ClerkRig;
using carrel::clerk::test::Outcome;

namespace {

// Made before the clerk is: a signal handler cannot build a string.
std::string g_inside;
std::string g_insideNew;
std::string g_outside;
std::string g_outsideFolder;
std::string g_around; // the outside file, named through the share
sockaddr_un g_address{};
socklen_t g_addressSize = 0;
int g_socket = -1;
struct stat g_share {};

int errnoOf(long result) {
    return result < 0 ? errno : 0;
}

int openAs(const std::string& path, int flags) {
    return errnoOf(::open(path.c_str(), flags | O_CLOEXEC, 0600));
}

int openat2As(const std::string& path, std::uint64_t flags, std::uint64_t mode) {
    open_how how{};
    how.flags = flags;
    how.mode = mode;
    return errnoOf(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how));
}

int runProgram() {
    char name[] = "/bin/true";
    char* argv[] = {name, nullptr};
    char* none[] = {nullptr};
    (void)::execve(name, argv, none);
    return errno; // where it works, nobody comes here
}

int forkOne() {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(0);
    }
    return child > 0 && ::waitpid(child, nullptr, 0) == child ? 0 : errno;
}

struct Refusal {
    const char* name;
    int error; // 0: killed by SIGSYS
    ClerkRig::Attempt attempt;
};

// EPERM is seccomp's answer, EACCES Landlock's.
const Refusal kRefusals[] = {
    {"a file outside", EACCES, [] { return openAs(g_outside, O_RDONLY); }},
    {"a file outside, by way of the share", EACCES, [] { return openAs(g_around, O_RDONLY); }},
    {"a folder outside", EACCES, [] { return openAs(g_outsideFolder, O_RDONLY | O_DIRECTORY); }},
    {"the root of the file system", EACCES, [] { return openAs("/", O_RDONLY | O_DIRECTORY); }},
    {"its own program", EACCES, [] { return openAs("/proc/self/exe", O_RDONLY); }},
    {"a shared file for writing", EPERM, [] { return openAs(g_inside, O_WRONLY); }},
    {"a shared file for writing by openat2", EACCES, [] { return openat2As(g_inside, O_RDWR, 0); }},
    {"a new file in the share", EPERM, [] { return openAs(g_insideNew, O_WRONLY | O_CREAT | O_EXCL); }},
    {"a new file in the share by openat2", EACCES,
     [] { return openat2As(g_insideNew, O_WRONLY | O_CREAT | O_EXCL, 0600); }},
    {"a shared file away", EPERM, [] { return errnoOf(::unlink(g_inside.c_str())); }},
    {"a socket to the internet", EPERM,
     [] { return errnoOf(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }},
    {"a local socket", EPERM, [] { return errnoOf(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }},
    {"a connection by a socket that is there", EPERM,
     [] {
         return errnoOf(::connect(g_socket, reinterpret_cast<const sockaddr*>(&g_address), g_addressSize));
     }},
    {"a signal to its parent", EPERM, [] { return errnoOf(::kill(::getppid(), 0)); }},
    {"another process", 0, forkOne},
    {"another program", 0, runProgram},
};

// Reads the shared file as the broker does, beneath the descriptor of the share's folder, wherever that is.
int readThroughRoot() {
    for (int fd = 3; fd < 256; ++fd) {
        struct stat info {};
        if (::fstat(fd, &info) != 0 || info.st_ino != g_share.st_ino || info.st_dev != g_share.st_dev) {
            continue;
        }
        open_how how{};
        how.flags = O_RDONLY | O_CLOEXEC;
        how.resolve = RESOLVE_BENEATH;
        const long file = ::syscall(SYS_openat2, fd, "inside.txt", &how, sizeof how);
        char byte = 0;
        if (file < 0) {
            return errno;
        }
        return ::pread(static_cast<int>(file), &byte, 1, 0) == 1 && byte == 'x' ? 0 : EIO;
    }
    return EBADF; // the clerk has no such descriptor
}

std::string statusField(pid_t pid, const std::string& name) {
    QFile file(QString("/proc/%1/status").arg(pid));
    if (!file.open(QIODevice::ReadOnly)) {
        return "?";
    }
    for (const QByteArray& line : file.readAll().split('\n')) {
        if (line.startsWith((name + ":").c_str())) {
            return line.mid(static_cast<qsizetype>(name.size()) + 1).trimmed().toStdString();
        }
    }
    return "?";
}

} // namespace

class TestClerkJail : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        QVERIFY(m_share.isValid() && m_elsewhere.isValid());
        g_inside = m_share.filePath("inside.txt").toStdString();
        g_insideNew = m_share.filePath("new.txt").toStdString();
        g_outsideFolder = m_elsewhere.path().toStdString();
        g_outside = g_outsideFolder + "/secret.txt";
        g_around = m_share.path().toStdString() + "/../" + m_elsewhere.path().section('/', -1).toStdString() +
                   "/secret.txt";
        QCOMPARE(::stat(m_share.path().toStdString().c_str(), &g_share), 0);
        // An abstract address (unix(7)), chosen by the kernel.
        m_listener = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        g_address.sun_family = AF_UNIX;
        g_addressSize = sizeof g_address;
        QCOMPARE(
            ::bind(m_listener.get(), reinterpret_cast<sockaddr*>(&g_address), sizeof g_address.sun_family),
            0);
        QCOMPARE(::listen(m_listener.get(), 100), 0);
        QCOMPARE(::getsockname(m_listener.get(), reinterpret_cast<sockaddr*>(&g_address), &g_addressSize), 0);
    }
    void init() {
        for (const auto& path : {g_inside, g_outside}) {
            QFile file(QString::fromStdString(path));
            QVERIFY(file.open(QIODevice::WriteOnly) && file.write("x") == 1);
        }
        (void)::unlink(g_insideNew.c_str());
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
        QFETCH(int, index);
        const Refusal& refusal = kRefusals[index];
        {
            ClerkRig free(refusal.attempt);
            QVERIFY(!free.request("attach", {})); // it runs, and nothing confines it yet
            const Outcome before = free.attempt();
            QVERIFY2(before.done(), std::strerror(before.error.value_or(0)));
        }
        init();
        ClerkRig confined(refusal.attempt);
        const auto answer = confined.prepare(m_share.path().toStdString());
        QVERIFY2(answer, answer ? "" : answer.error().text().c_str());
        const Outcome after = confined.attempt();
        if (refusal.error == 0) {
            QCOMPARE(after.signal, SIGSYS);
            QVERIFY(!after.error);
            return;
        }
        QCOMPARE(after.signal, 0);
        QCOMPARE(after.error.value_or(-1), refusal.error);
        QVERIFY(QFile::exists(QString::fromStdString(g_inside)));
        QVERIFY(!QFile::exists(QString::fromStdString(g_insideNew)));
    }

    // Or the refusals above would prove nothing.
    void readsItsShare() {
        ClerkRig rig(readThroughRoot);
        const auto answer = rig.prepare(m_share.path().toStdString());
        QVERIFY(answer);
        QVERIFY(answer->at("landlock_abi").to_number<int>() > 0);
        QCOMPARE(answer->at("seccomp").as_bool(), true);
        QCOMPARE(rig.attempt().error.value_or(-1), 0);
        QCOMPARE(rig.attempt().error.value_or(-1), 0); // and it is still there
        QVERIFY(rig.request("console.tail", {}));
    }

    // The program as it is shipped, seen by the kernel.
    void program() {
        ClerkRig rig(std::string(CARREL_BIN_DIR "/carrel-clerk"));
        const auto refusedAnswer = rig.request("attach", {});
        QVERIFY(!refusedAnswer);
        QVERIFY(refusedAnswer.error().code == ErrorCode::Refused);
        const std::string filtersBefore = statusField(rig.pid(), "Seccomp_filters");
        QVERIFY(rig.prepare(m_share.path().toStdString()));
        QCOMPARE(statusField(rig.pid(), "Seccomp"), std::string("2"));
        QCOMPARE(statusField(rig.pid(), "NoNewPrivs"), std::string("1"));
#ifndef __SANITIZE_THREAD__ // which has a thread of its own
        QCOMPARE(statusField(rig.pid(), "Threads"),
                 std::string("1")); // a filter confines the thread that sets it
#endif
        QVERIFY(statusField(rig.pid(), "Seccomp_filters") != filtersBefore);
        // Whoever goes away while it writes does not end it.
        QVERIFY((std::stoull(statusField(rig.pid(), "SigIgn"), nullptr, 16) >> (SIGPIPE - 1) & 1U) == 1U);
        // I6: no other process of the user may look into its memory.
        if (::geteuid() != 0) {
            const UniqueFd memory(
                ::open(("/proc/" + std::to_string(rig.pid()) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
            QVERIFY(!memory);
        }
        rig.closeLink();
        QCOMPARE(rig.waitForEnd().status, 0);
    }

    void nothingBeforePrepare_data() {
        QTest::addColumn<QString>("method");
        for (const char* method :
             {"attach", "detach", "hello", "exec", "changes.list", "content.copy", "changes.settle",
              "changes.discard", "share.revoke", "power.off", "console.tail", "net.connected", "net.mode", "no.such"}) {
            QTest::newRow(method) << method;
        }
    }
    void nothingBeforePrepare() {
        QFETCH(QString, method);
        ClerkRig rig(readThroughRoot);
        const auto answer = rig.request(method.toStdString(), {});
        QVERIFY(!answer);
        QVERIFY(answer.error().code == ErrorCode::Refused);
    }

    // A channel that comes too early is let go of, and not a byte of it is read.
    void attachBeforePrepare() {
        ClerkRig rig(readThroughRoot); // first: it would inherit the ends
        int channel[2] = {-1, -1};
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel), 0);
        const UniqueFd guest(channel[0]);
        UniqueFd host(channel[1]);
        QCOMPARE(::write(guest.get(), "guest", 5), ssize_t{5});
        const auto answer = rig.request("attach", {{"channels", {"control"}}}, {host.get()});
        QVERIFY(!answer);
        QVERIFY(answer.error().code == ErrorCode::Refused);
        char bytes[8];
        QCOMPARE(::recv(host.get(), bytes, sizeof bytes, MSG_DONTWAIT), ssize_t{5}); // still there
        host.reset();
        pollfd hungUp{guest.get(), POLLIN, 0};
        QCOMPARE(::poll(&hungUp, 1, 60000), 1);
        QCOMPARE(::recv(guest.get(), bytes, sizeof bytes, MSG_DONTWAIT), ssize_t{0}); // and nobody holds it
    }

    void prepareInAWrongWay() {
        ClerkRig rig(readThroughRoot);
        const boost::json::object agent{{"id", "0123"}, {"name", "desk"}};
        const boost::json::object share{
            {"id", 1}, {"name", "papers"}, {"mode", "review"}, {"hidden", boost::json::array{}}};
        for (const auto& wrong :
             {boost::json::object{},
              boost::json::object{{"agent", agent}, {"shares", {share}}}, // no descriptors
              boost::json::object{{"agent", agent}, {"shares", boost::json::array{}}, {"more", 1}}}) {
            const auto answer = rig.request("prepare", wrong);
            QVERIFY(!answer);
            QVERIFY(answer.error().code == ErrorCode::InvalidArgument);
            QVERIFY(rig.request("attach", {}).error().code == ErrorCode::Refused);
        }
        ClerkRig good(readThroughRoot);
        QVERIFY(good.prepare(m_share.path().toStdString()));
        QVERIFY(good.prepare(m_share.path().toStdString()).error().code ==
                ErrorCode::InvalidArgument); // once only
    }

    void endsWithTheLink_data() {
        QTest::addColumn<bool>("prepared");
        QTest::newRow("before prepare") << false;
        QTest::newRow("after prepare") << true;
    }
    void endsWithTheLink() {
        QFETCH(bool, prepared);
        ClerkRig rig(readThroughRoot);
        if (prepared) {
            QVERIFY(rig.prepare(m_share.path().toStdString()));
        }
        rig.closeLink();
        const Outcome end = rig.waitForEnd();
        QCOMPARE(end.signal, 0);
        QCOMPARE(end.status, 0);
    }

    void endsOnNonsense_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("not JSON") << QByteArray("{");
        QTest::newRow("a notification") << QByteArray(R"({"jsonrpc":"2.0","method":"attach","params":{}})");
        QTest::newRow("an answer") << QByteArray(R"({"jsonrpc":"2.0","id":1,"result":{}})");
    }
    void endsOnNonsense() {
        QFETCH(QByteArray, text);
        ClerkRig rig(readThroughRoot);
        QVERIFY(sendLink(rig.link(), text.toStdString()));
        QCOMPARE(rig.waitForEnd().status, 0);
    }

private:
    QTemporaryDir m_share;
    QTemporaryDir m_elsewhere;
    UniqueFd m_listener;
    UniqueFd m_socket;
};

QTEST_GUILESS_MAIN(TestClerkJail)
#include "test_clerk_jail.moc"
