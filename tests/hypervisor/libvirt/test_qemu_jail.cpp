// SPDX-License-Identifier: Apache-2.0
// What a process confined like QEMU can and cannot reach, asked of the kernel: each question in a child of
// its own that confines itself with the very function that carrel-qemu calls.
#include "hypervisor/libvirt/wrapper/qemu_jail.h"

#include <QTemporaryDir>
#include <QTest>

#include <fcntl.h>
#include <fstream>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::hypervisor;

namespace {

constexpr int kAllowed = 0;
constexpr int kNotConfined = 99;

// Exit status of a confined child: 0, or the errno of `attempt`.
template <class Attempt> int confined(const std::optional<QemuPolicy>& policy, Attempt attempt) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(confineQemu(policy, {}) ? (attempt() >= 0 ? kAllowed : errno) : kNotConfined);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

class TestQemuJail : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        for (const auto* path : {&m_base, &m_overlay, &m_otherOverlay, &m_letter}) {
            std::ofstream(*path) << "content";
        }
        m_policy = QemuPolicy{.readOnly = {m_base}, .readWrite = {m_overlay}};
    }

    void ownFilesOpen() {
        QCOMPARE(confined(m_policy, [&] { return ::open(m_overlay.c_str(), O_RDWR); }), kAllowed);
        QCOMPARE(confined(m_policy, [&] { return ::open(m_base.c_str(), O_RDONLY); }), kAllowed);
        QCOMPARE(confined(m_policy,
                          [] { return ::access(kRealQemu, F_OK) == 0 ? ::open(kRealQemu, O_RDONLY) : 0; }),
                 kAllowed);
    }
    void baseIsReadOnly() {
        QCOMPARE(confined(m_policy, [&] { return ::open(m_base.c_str(), O_RDWR); }), EACCES);
    }
    void anotherMachinesDiskIsOutOfReach() {
        QCOMPARE(confined(m_policy, [&] { return ::open(m_otherOverlay.c_str(), O_RDONLY); }), EACCES);
    }
    void usersFilesAreOutOfReach() {
        QCOMPARE(confined(m_policy, [&] { return ::open(m_letter.c_str(), O_RDONLY); }), EACCES);
        QCOMPARE(confined(m_policy, [] { return ::open("/etc/passwd", O_RDONLY); }), EACCES);
        QCOMPARE(
            confined(m_policy, [&] { return ::open((m_letter + ".new").c_str(), O_CREAT | O_WRONLY, 0600); }),
            EACCES);
    }
    void socketsAreRefused() {
        QCOMPARE(confined(m_policy, [] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }), EPERM);
        QCOMPARE(confined(m_policy, [] { return ::connect(0, nullptr, 0); }), EPERM);
    }
    void noPolicyMeansNoUsersFile() {
        QCOMPARE(confined(std::nullopt, [&] { return ::open(m_overlay.c_str(), O_RDONLY); }), EACCES);
    }
    void missingFileMeansNoStart() {
        const QemuPolicy broken{.readOnly = {m_base + ".gone"}};
        QCOMPARE(confined(broken, [] { return 0; }), kNotConfined);
    }
    void policySurvivesItsText() {
        const QemuPolicy policy{.readOnly = {"/a \"b\"", "/ü"}, .readWrite = {"/c"}, .hardware = true};
        QVERIFY(readQemuPolicy(writeQemuPolicy(policy)) == policy);
        for (const char* bad :
             {"", "{}", "[]", R"({"version":1,"read_only":["x"],"read_write":[],"hardware":false})",
              R"({"version":1,"read_only":[],"read_write":[],"hardware":false,"more":1})"}) {
            QVERIFY2(!readQemuPolicy(bad), bad);
        }
    }
    void argumentsCannotWidenTheView() {
        const auto key = [](const char* path) {
            return domainKeyFile(
                std::vector<std::string>{"-object", "{\"file\":\"" + std::string(path) + "\"}"});
        };
        QCOMPARE(key("/x/libvirt/qemu/lib/domain-1-a/master-key.aes"),
                 std::string("/x/libvirt/qemu/lib/domain-1-a/master-key.aes"));
        QVERIFY(key("/x/libvirt/qemu/lib/domain-1-a/../../../../secret/master-key.aes").empty());
        QVERIFY(key("/home/letter").empty());
        const auto probe = [](const char* path) {
            return capabilityProbeFolder(std::vector<std::string>{"-pidfile", path});
        };
        QCOMPARE(probe("/x/libvirt/qemu/lib/qmp-AB/qmp.pid"), std::string("/x/libvirt/qemu/lib/qmp-AB"));
        QVERIFY(probe("/x/libvirt/qemu/lib/qmp-AB/../qmp.pid").empty());
        QVERIFY(probe("/home/me/qmp.pid").empty());
    }

private:
    QTemporaryDir m_folder;
    const std::string m_at = m_folder.path().toStdString();
    const std::string m_base = m_at + "/base.raw";
    const std::string m_overlay = m_at + "/own.qcow2";
    const std::string m_otherOverlay = m_at + "/other.qcow2";
    const std::string m_letter = m_at + "/letter.txt";
    QemuPolicy m_policy;
};

QTEST_GUILESS_MAIN(TestQemuJail)
#include "test_qemu_jail.moc"
