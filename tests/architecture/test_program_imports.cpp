// SPDX-License-Identifier: Apache-2.0
// I1: the programs that read a guest's bytes import nothing that starts a process or loads code.
#include "tests/architecture/program_imports.h"

#include <QFile>
#include <QRegularExpression>
#include <QTest>

using namespace carrel::testing;

class TestProgramImports : public QObject {
    Q_OBJECT

    static inline const QString kPrograms = QStringLiteral(CARREL_BIN_DIR "/");

    static bool isSanitized(const QStringList& symbols) {
        return symbols.contains("__asan_init") || symbols.contains("__tsan_init") ||
               symbols.contains("__ubsan_handle_add_overflow");
    }

private slots:
    void aShellIsFoundOut() {
        const auto symbols = importedSymbols("/bin/sh");
        QVERIFY2(symbols.has_value(), "nm(1) of binutils is needed");
        QVERIFY(!startsProcessesOrLoadsCode(*symbols).isEmpty());
    }

    void namesAreReadWithoutTheirVersions() {
        const auto symbols =
            symbolsFromNm("                 U read@GLIBC_2.2.5\n                 w __cxa_finalize\n"
                          "                 U execve@GLIBC_2.2.5 (2)\n                 U fork\n");
        QVERIFY(symbols.contains("read") && symbols.contains("__cxa_finalize") && symbols.contains("fork"));
    }

    void whatIsForbidden() {
        for (const char* name : {"execl",       "execv",        "execve",
                                 "execvpe",     "execveat",     "fexecve",
                                 "posix_spawn", "posix_spawnp", "posix_spawn_file_actions_init",
                                 "system",      "popen",        "fork",
                                 "vfork",       "_Fork",        "clone",
                                 "clone3",      "__clone",      "dlopen",
                                 "dlmopen",     "__libc_fork",  "ptrace",
                                 "wordexp"}) {
            QVERIFY2(startsProcessesOrLoadsCode({name}).size() == 1, name);
        }
        for (const char* name :
             {"read", "openat2", "system_clock", "forkless", "execute", "syscall", "dlsym_not", "cloned"}) {
            QVERIFY2(startsProcessesOrLoadsCode({name}).isEmpty(), name);
        }
    }

    void whatOpensSomething() {
        for (const char* name : {"open", "open64", "__open_2", "openat", "fopen64", "socket", "connect", "getaddrinfo", "syscall", "BIO_new_file",
                                 "SSL_CTX_load_verify_locations", "SSL_set_fd", "OSSL_PROVIDER_load", "_ZNSt13basic_filebufIcSt11char_traitsIcEEC1Ev"}) {
            QVERIFY2(opensSomething({name}).size() == 1, name);
        }
        for (const char* name : {"BIO_new", "BIO_s_mem", "BIO_new_mem_buf", "SSL_connect_not", "SSL_set_bio", "memcpy", "reopen_not"}) {
            QVERIFY2(opensSomething({name}).isEmpty(), name);
        }
    }

    // The clerk's road for TLS and HTTP: bytes in, bytes out.
    void theRelayOpensNothing() {
        const QString archive = QStringLiteral(CARREL_BIN_DIR "/../app/relay/libcarrel_relay.a");
        const auto symbols = symbolsWantedBy(archive);
        QVERIFY2(symbols.has_value() && symbols->contains("SSL_new"), "it is not built, or nm cannot read it");
        if (isSanitized(*symbols)) {
            QSKIP("a sanitizer's run time imports such functions for itself: judged in other builds");
        }
        const auto bad = opensSomething(*symbols) + startsProcessesOrLoadsCode(*symbols);
        QVERIFY2(bad.isEmpty(), qPrintable("the relay wants " + bad.join(", ")));
    }

    // Those that read a guest's bytes.
    void theClerkCannotNameThem() { cannotNameThem("carrel-clerk"); }
    void theRecorderCannotNameThem() { cannotNameThem("carrel-recorder"); }
    void thePlayerCannotNameThem() { cannotNameThem("carrel-player"); }
    void theTerminalCannotNameThem() { cannotNameThem("carrel-terminal"); }
    void theClerkIsLinkedWithNothingThatItMustNotKnow() { isLinkedWithNothing("carrel-clerk"); }
    void theTerminalIsLinkedWithNothingThatItMustNotKnow() { isLinkedWithNothing("carrel-terminal"); }

    void whatStartsThreads() {
        for (const char* name : {"pthread_create", "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateE", "g_bus_get_sync", "virConnectOpen"}) {
            QVERIFY2(startsThreads({name}).size() == 1, name);
        }
        for (const char* name : {"pthread_mutex_lock", "_ZNSt6thread4joinEv", "_ZN8QProcess5startE", "environ"}) {
            QVERIFY2(startsThreads({name}).isEmpty(), name);
        }
    }
    void whoHasOneThreadCanStartNone() {
        QFile file(QStringLiteral(CARREL_SOURCE_DIR "/tests/one_thread.cmake"));
        QVERIFY(file.open(QIODevice::ReadOnly));
        const auto list = QString::fromUtf8(file.readAll()).section("set(CARREL_ONE_THREAD", 1).section(')', 0, 0);
        int judged = 0;
        for (const auto& name : list.split(QRegularExpression("\\s+"), Qt::SkipEmptyParts)) {
            const auto program = QStringLiteral(CARREL_BIN_DIR "/../tests/") + name;
            const auto symbols = importedSymbols(program);
            if (!symbols && !QFile::exists(program)) {
                continue; // not built in this build folder
            }
            QVERIFY2(symbols.has_value(), qPrintable("nm cannot read " + program));
            if (isSanitized(*symbols)) {
                QSKIP("a sanitizer's run time imports such functions for itself: judged in other builds");
            }
            const auto bad = startsThreads(*symbols);
            QVERIFY2(bad.isEmpty(), qPrintable(name + " imports " + bad.join(", ") + ": take it out of tests/one_thread.cmake"));
            ++judged;
        }
        QVERIFY2(judged > 0, "no such test is built here");
    }

private:
    static void cannotNameThem(const QString& name) {
        const QString program = kPrograms + name;
        if (!QFile::exists(program)) {
            QSKIP("it is not built in this build folder: nothing is proven about it here");
        }
        const auto symbols = importedSymbols(program);
        QVERIFY2(symbols.has_value(), "nm cannot read it");
        QVERIFY2(symbols->contains("read") || symbols->contains("__read_chk") || symbols->size() > 20,
                 "it has no imports to judge: is it static or stripped of its dynamic table?");
        if (isSanitized(*symbols)) {
            QSKIP("a sanitizer's run time imports such functions for itself: judged in other builds");
        }
        const auto bad = startsProcessesOrLoadsCode(*symbols);
        QVERIFY2(bad.isEmpty(), qPrintable(name + " imports " + bad.join(", ")));
    }
    static void isLinkedWithNothing(const QString& name) {
        const QString program = kPrograms + name;
        if (!QFile::exists(program)) {
            QSKIP("it is not built in this build folder: nothing is proven about it here");
        }
        const auto libraries = neededLibraries(program);
        QVERIFY2(libraries.has_value(), "readelf(1) of binutils is needed");
        for (const auto& library : *libraries) {
            for (const char* foreign : {"libvirt", "libQt", "libsqlite", "libsecret"}) {
                QVERIFY2(!library.startsWith(foreign), qPrintable(name + " is linked with " + library));
            }
        }
    }
};

QTEST_GUILESS_MAIN(TestProgramImports)
#include "test_program_imports.moc"
