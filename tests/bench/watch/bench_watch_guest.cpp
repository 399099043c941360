// SPDX-License-Identifier: Apache-2.0
// What observation costs the agent's programs: the same work in two machines that differ in nothing but whether the kernel watches.
//
//   CARREL_TEST_IMAGE=IMAGE bench-watch-guest [ROUNDS]
//
// The work: git clone of a small repository, and a C project of it compiled file by file by the host's own gcc, which is brought along. In
// the machine without observation guestd has kernel programs that cannot be loaded. Rounds alternate between the two. Seconds; medians,
// with lowest and highest, and watched ÷ unwatched.
#include "guest/protocol/watch_event.h"
#include "tests/live/guest/guestd/machine_rig.h"

#include <QCoreApplication>
#include <QDir>
#include <QFile>
#include <QProcess>
#include <QRegularExpression>
#include <QTemporaryDir>

#include <boost/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

using namespace carrel;
using namespace carrel::test;

namespace {

// Thrown, so that the machines end with who holds them.
[[noreturn]] void give(const QByteArray& why) {
    throw std::runtime_error(why.toStdString());
}

QByteArray output(const QString& program, const QStringList& arguments) {
    QProcess process;
    process.start(program, arguments);
    if (!process.waitForFinished(60'000) || process.exitCode() != 0) {
        give((program + " " + arguments.join(' ')).toUtf8());
    }
    return process.readAllStandardOutput();
}

// gcc, what it starts, and the libraries of all that, as they lie here.
QByteArray compiler() {
    QStringList files;
    for (const char* name : {"cc1", "as", "collect2", "ld"}) {
        const auto path = QString::fromUtf8(output("gcc", {QStringLiteral("-print-prog-name=") + name})).trimmed();
        files << (path.startsWith('/') ? path : QString::fromUtf8(output("which", {path})).trimmed());
    }
    files << QString::fromUtf8(output("which", {"gcc"})).trimmed();
    QStringList all = files;
    for (const auto& file : files) {
        for (const auto& word : QString::fromUtf8(output("ldd", {file})).split(QRegularExpression("\\s+"))) {
            if (word.startsWith('/') && !word.contains("libc.so") && !word.contains("ld-linux")) {
                all << word;
            }
        }
    }
    all.removeDuplicates();
    return output("tar", QStringList{"-c", "-z", "-h", "-P", "-f", "-"} + all);
}

// A copy of guestd whose kernel programs for watching are spoilt.
void spoil(const QString& from, const QString& to) {
    QFile in(from);
    if (!in.open(QIODevice::ReadOnly)) {
        give("no guestd");
    }
    auto bytes = in.readAll();
    const QByteArray magic("\x7f"
                           "ELF\x02\x01\x01",
                           7);
    const auto name = bytes.indexOf("tp_btf/sched_process_exec");
    const auto at = bytes.lastIndexOf(magic, name);
    if (name < 0 || at <= 0) {
        give("guestd has no kernel programs");
    }
    bytes[at] = 'X';
    QFile out(to);
    if (!out.open(QIODevice::WriteOnly) || out.write(bytes) != bytes.size()) {
        give("no room");
    }
    out.setPermissions(in.permissions());
}

struct Machine {
    MachineRig rig;
    std::vector<double> clone, build;

    void start(const QByteArray& tools) {
        if (const auto problem = rig.boot(); !problem.isEmpty()) {
            give(problem.toUtf8());
        }
        if (!rig.greet()) {
            give(rig.console());
        }
        constexpr qsizetype kPiece = 192 * 1024; // less than a stream takes at once
        for (qsizetype at = 0; at < tools.size(); at += kPiece) {
            run({"sh", "-c", "cat >> /tmp/tools.tar.gz"}, tools.mid(at, kPiece));
        }
        run({"tar", "-x", "-z", "-P", "-f", "/tmp/tools.tar.gz"});
        run({"sh", "-ec", "mkdir -p /tmp/r && cd /tmp/r && git init -q . && i=0; while [ $i -lt 24 ]; do"
                          " echo \"int f$i(int x) { int s = 0; for (int i = 0; i < x; ++i) { s += i * $i; } return s; }\" > m$i.c; i=$((i+1)); done;"
                          "i=0; while [ $i -lt 100 ]; do mkdir -p d$((i%10)); seq $i 400 > d$((i%10))/t$i.txt; i=$((i+1)); done;"
                          "git add . && git -c user.name=n -c user.email=n@example.org commit -qm all"});
    }
    double run(const std::vector<std::string>& argv, const QByteArray& input = {}) {
        const auto begun = std::chrono::steady_clock::now();
        const auto done = rig.run(argv, input);
        if (done.end != "{\"exit\":{\"code\":0}}") {
            give(done.out + done.err + done.end);
        }
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    }
    void round() {
        clone.push_back(run({"sh", "-ec", "cd /tmp && for i in 1 2 3; do rm -rf c; git clone -q file:///tmp/r c; done"}));
        build.push_back(run({"sh", "-ec", "cd /tmp/c && for m in m*.c; do gcc -c -O1 $m -o ${m%.c}.o; done && ld -r -o all.o m*.o && rm m*.o"}));
    }
    // How many events came, or nothing if it does not watch.
    std::size_t fetched() {
        std::size_t all = 0;
        watch::Ask ask;
        for (;;) {
            const auto answer = rig.call(std::string(watch::kMethod), watch::paramsOf(ask));
            const auto told = answer ? watch::toldFrom(ask, answer->as_object()) : fail(answer.error());
            if (!told || !told->why.empty()) {
                return 0;
            }
            const auto count = watch::readBatch(told->batch, [](const watch::Event&) { return Status(); });
            if (!count || *count == 0) {
                return all;
            }
            all += *count;
            ask = {told->book, told->first + *count - 1, {}};
        }
    }
};

double print(const char* name, std::vector<double> values) {
    std::sort(values.begin(), values.end());
    std::printf("%-24s %8.2f %8.2f %8.2f\n", name, values[values.size() / 2], values.front(), values.back());
    return values[values.size() / 2];
}

void measure(int rounds) {
    const auto tools = compiler();
    const QTemporaryDir folder;
    const QString bin = QStringLiteral(CARREL_BIN_DIR);
    for (const char* name : {"carrel-init", "carrel-ask", "carrel-agent"}) {
        QFile::copy(QDir(bin).filePath(name), folder.filePath(name));
    }
    spoil(QDir(bin).filePath("carrel-guestd"), folder.filePath("carrel-guestd"));
    Machine watched, unwatched;
    watched.start(tools);
    qputenv("CARREL_TEST_BIN", folder.path().toUtf8());
    unwatched.start(tools);
    for (int round = 0; round <= rounds; ++round) { // the first warms both up
        for (auto* machine : round % 2 == 0 ? std::array{&watched, &unwatched} : std::array{&unwatched, &watched}) {
            machine->round();
            if (round == 0) {
                machine->clone.clear();
                machine->build.clear();
            }
        }
        std::printf("%d events told\n", static_cast<int>(watched.fetched()));
    }
    if (unwatched.fetched() != 0) {
        give("the other machine watches, too");
    }
    std::printf("%-24s %8s %8s %8s\n", "seconds", "median", "lowest", "highest");
    const auto cloneOff = print("git clone x3, off", unwatched.clone);
    const auto cloneOn = print("git clone x3, on", watched.clone);
    const auto buildOff = print("build of 24 files, off", unwatched.build);
    const auto buildOn = print("build of 24 files, on", watched.build);
    std::printf("on / off: git clone %.3f, build %.3f, both %.3f\n", cloneOn / cloneOff, buildOn / buildOff, (cloneOn + buildOn) / (cloneOff + buildOff));
}

} // namespace

int main(int count, char** arguments) {
    const QCoreApplication app(count, arguments);
    try {
        measure(count > 1 ? std::max(1, std::atoi(arguments[1])) : 5);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench-watch-guest: %s\n", error.what());
        return 1;
    }
    return 0;
}
