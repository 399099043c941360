// SPDX-License-Identifier: Apache-2.0
// The program carrel, run beside a scripted engine: on pipes, or at a terminal of its own where somebody types.
#pragma once

#include <QByteArray>
#include <QProcess>
#include <QProcessEnvironment>
#include <QStringList>

#include <csignal>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

namespace carrel::test {

struct Ran {
    int status = -1;
    QByteArray out; // at a terminal: everything
    QByteArray err;
};

inline void prepare(QProcess& process, const QString& program) {
    auto environment = QProcessEnvironment::systemEnvironment();
    environment.insert("ASAN_OPTIONS", "detect_leaks=0"); // it looks for leaks with calls that are refused by then
    process.setProcessEnvironment(environment);
    process.setProgram(program);
}

[[nodiscard]] inline Ran runOnPipes(const QString& program, const QStringList& arguments, const QByteArray& input = {}) {
    QProcess process;
    prepare(process, program);
    process.setArguments(arguments);
    process.start();
    process.write(input);
    process.closeWriteChannel();
    process.waitForFinished(60000);
    return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1, process.readAllStandardOutput(),
            process.readAllStandardError()};
}

// What is typed once the text before it has been shown.
using Typed = std::vector<std::pair<QByteArray, QByteArray>>;

[[nodiscard]] inline Ran runAtTerminal(const QString& program, const QStringList& arguments, const Typed& typed,
                                       const std::vector<std::pair<std::string, std::string>>& variables = {}) {
    std::vector<std::string> words{"carrel"};
    for (const auto& argument : arguments) {
        words.push_back(argument.toStdString());
    }
    std::vector<char*> argv;
    for (auto& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    const std::string path = program.toStdString();
    winsize size{50, 200, 0, 0};
    int master = -1;
    const pid_t child = ::forkpty(&master, nullptr, nullptr, &size);
    if (child == 0) {
        ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
        for (const auto& [name, value] : variables) {
            ::setenv(name.c_str(), value.c_str(), 1);
        }
        ::execv(path.c_str(), argv.data());
        ::_exit(99);
    }
    Ran ran;
    auto next = typed.begin();
    qsizetype from = 0;
    char buffer[4096];
    for (;;) {
        if (next != typed.end()) {
            if (const auto at = ran.out.indexOf(next->first, from); at >= 0) {
                from = at + next->first.size();
                (void)!::write(master, next->second.constData(), std::size_t(next->second.size()));
                ++next;
                continue;
            }
        }
        pollfd readable{master, POLLIN, 0};
        if (::poll(&readable, 1, 30000) == 0) { // it asks something that nobody expected
            (void)::kill(child, SIGKILL);
            ran.out += "\n(killed: nothing more came)\n";
            break;
        }
        const ssize_t got = ::read(master, buffer, sizeof buffer);
        if (got <= 0) { // EIO: the program has ended
            break;
        }
        ran.out.append(buffer, int(got));
    }
    int status = 0;
    (void)::waitpid(child, &status, 0);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ::close(master);
    return ran;
}

} // namespace carrel::test
