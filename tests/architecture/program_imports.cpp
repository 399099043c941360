// SPDX-License-Identifier: Apache-2.0
#include "tests/architecture/program_imports.h"

#include <QProcess>
#include <QRegularExpression>

namespace carrel::testing {

namespace {

std::optional<QString> outputOf(const QString& tool, const QStringList& arguments) {
    QProcess process;
    process.start(tool, arguments);
    if (!process.waitForFinished(-1) || process.exitStatus() != QProcess::NormalExit ||
        process.exitCode() != 0) {
        return std::nullopt;
    }
    return QString::fromUtf8(process.readAllStandardOutput());
}

} // namespace

QStringList symbolsFromNm(const QString& output) {
    QStringList out;
    for (const auto& line : output.split('\n', Qt::SkipEmptyParts)) {
        out << line.simplified().section(' ', -1).section('@', 0, 0);
    }
    return out;
}

std::optional<QStringList> importedSymbols(const QString& program) {
    const auto output = outputOf("nm", {"-D", "--undefined-only", program});
    return output ? std::optional(symbolsFromNm(*output)) : std::nullopt;
}

std::optional<QStringList> symbolsWantedBy(const QString& archive) {
    const auto output = outputOf("nm", {"--undefined-only", archive});
    return output ? std::optional(symbolsFromNm(*output)) : std::nullopt;
}

std::optional<QStringList> neededLibraries(const QString& program) {
    const auto output = outputOf("readelf", {"-d", program});
    if (!output) {
        return std::nullopt;
    }
    QStringList out;
    static const QRegularExpression needed(R"(\(NEEDED\).*\[([^\]]+)\])");
    for (auto found = needed.globalMatch(*output); found.hasNext();) {
        out << found.next().captured(1);
    }
    return out;
}

QStringList startsProcessesOrLoadsCode(const QStringList& symbols) {
    static const QRegularExpression bad(
        "^_*(exec(l|le|lp|v|ve|vp|vpe|veat)|fexecve|posix_spawnp?(_.*)?|system|libc_system|popen|fork|vfork|"
        "Fork|"
        "libc_fork|clone[0-9]*|dlopen|dlmopen|libc_dlopen_mode|wordexp|ptrace)$");
    return symbols.filter(bad);
}

QStringList opensSomething(const QStringList& symbols) {
    static const QRegularExpression bad(
        "^_*(open(at|at2)?(64)?(_2)?|creat(64)?|f(d|re)?open(64)?|socket(pair)?|connect|bind|listen|accept4?|getaddrinfo|syscall|mkstemp(64)?|"
        "io_uring_setup|opendir|"
        "ZNSt.*basic_(i|o)?f(ile)?(stream|buf).*|ZNSt10filesystem.*|BIO_(new_file|new_fp|s_file|s_connect|s_accept|s_socket|new_connect|new_accept|"
        "new_socket|new_fd|lookup.*)|SSL_CTX_(load_verify.*|set_default_verify.*|use_.*_file)|X509_(LOOKUP_(file|hash_dir)|STORE_load.*|"
        "STORE_set_default.*)|SSL_set_r?w?fd|CONF_modules_load.*|ENGINE_.*|OSSL_PROVIDER_load.*|DSO_.*)$");
    return symbols.filter(bad);
}

QStringList startsThreads(const QStringList& symbols) {
    static const QRegularExpression bad("^(pthread_create|thrd_create|_ZNSt6thread15_M_start_thread.*|_ZN7QThread.*|_ZN11QThreadPool.*|g_.*|secret_.*|vir.*|"
                                        "fuse_.*|timer_create|aio_.*)$");
    return symbols.filter(bad);
}

} // namespace carrel::testing
