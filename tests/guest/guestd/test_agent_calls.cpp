// SPDX-License-Identifier: Apache-2.0
// The filter of calls as the kernel takes it, on this computer: what it forbids fails, the rest goes on, and a child has it, too. The
// machine's own kernel is asked by test_lockdown_live.
#include "guest/guestd/agent_calls.h"

#include <QTest>

#include <cerrno>
#include <csignal>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::guestd;

namespace {

// What `work` returns, of a process that the filter was put on.
template <class Work> int limited(Work work) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !limitAgentCalls()) {
            ::_exit(100);
        }
        ::_exit(work());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

int errnoOf(long number) {
    return ::syscall(number, 0, 0, 0, 0, 0, 0) == -1 ? errno : 0;
}

} // namespace

class TestAgentCalls : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        // Without it nothing is let through unfiltered.
        QCOMPARE(limited([] { return 0; }), 100);
        const auto prepared = prepareAgentCalls();
        QVERIFY2(prepared.has_value(), prepared ? "" : prepared.error().text().c_str());
    }

    void forbiddenCallsFail() {
        for (const long number : {SYS_bpf, SYS_keyctl, SYS_add_key, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_perf_event_open,
                                  SYS_init_module, SYS_kexec_load, SYS_reboot, SYS_swapon}) {
            QCOMPARE(limited([number] { return errnoOf(number); }), EPERM);
        }
        QCOMPARE(limited([] { return ::prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, 0, 0, 0) == -1 ? errno : 0; }), EPERM);
    }

    void theRestGoesOn() {
        QCOMPARE(limited([] { return ::getpid() > 0 && ::prctl(PR_SET_NAME, "x", 0, 0, 0) == 0 ? 0 : 1; }), 0);
        QCOMPARE(limited([] {
                     const pid_t grandchild = ::fork();
                     if (grandchild == 0) {
                         ::_exit(errnoOf(SYS_keyctl) == EPERM ? 0 : 1);
                     }
                     int status = 0;
                     ::waitpid(grandchild, &status, 0);
                     return WEXITSTATUS(status);
                 }),
                 0);
    }

    void everyNameIsSaidOnce() {
        auto names = namesOfForbiddenCalls();
        std::sort(names.begin(), names.end());
        QVERIFY(std::adjacent_find(names.begin(), names.end()) == names.end());
        QVERIFY(names.size() > 25);
    }
};

QTEST_GUILESS_MAIN(TestAgentCalls)
#include "test_agent_calls.moc"
