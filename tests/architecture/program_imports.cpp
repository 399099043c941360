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

} // namespace carrel::testing
