// SPDX-License-Identifier: Apache-2.0
// A Carrel home of its own and everything said to it, as a person says it: by the command line, in a child
// process. What it starts it ends: agents, engine, machines, the folder. Thread: the test's.
#pragma once

#include <QByteArray>
#include <QJsonArray>
#include <QJsonObject>
#include <QProcess>
#include <QStringList>
#include <QTemporaryDir>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace carrel::live {

// Only a guard against a hang: no time decides whether a test passes.
inline constexpr int kGuardMs = 300'000;

struct Ran {
    int status = -1; // -1: it was ended by a signal or did not end
    QByteArray out;
    QByteArray err;
    [[nodiscard]] QByteArray all() const { return "status " + QByteArray::number(status) + "\n" + out + err; }
};

// A folder as it is: names in bytes, each with what apply and undo promise to keep.
struct Item {
    char type = '?'; // f, d, l
    unsigned mode = 0;
    std::int64_t mtimeNs = 0;
    std::string content; // a file's bytes, a link's target
    bool operator==(const Item&) const = default;
};
using Tree = std::map<std::string, Item>;
[[nodiscard]] Tree treeOf(const std::filesystem::path& folder);
enum class FolderTimes { Compare, Ignore };
// Empty when they are the same; otherwise the first few differences.
[[nodiscard]] std::string difference(const Tree& is, const Tree& wanted,
                                     FolderTimes times = FolderTimes::Compare);

void writeFile(const std::filesystem::path& file, const std::string& content, unsigned mode = 0644);
[[nodiscard]] std::string readFile(const std::filesystem::path& file);
// A file of a process in /proc ("stat", "cmdline"); empty when there is no such process any more.
[[nodiscard]] std::string processFile(qint64 pid, const char* name);
// SIGKILL; true when the process has ended with all its threads (it may wait for its parent).
[[nodiscard]] bool killHard(qint64 pid);
// Gives everything beneath, and the folder, a time long past: what is touched later then shows.
void agePast(const std::filesystem::path& folder);

class ChainWorld {
public:
    // WithHelper: copies of the programs in a folder of this world's own, and in each machine a helper of
    // tests/support/guest_helper. Its QEMU is in no jail.
    enum class Programs { Built, WithHelper };
    explicit ChainWorld(std::string agent, Programs programs = Programs::Built);
    ~ChainWorld();
    ChainWorld(const ChainWorld&) = delete;
    ChainWorld& operator=(const ChainWorld&) = delete;

    // Why no machine can be booted here; empty when one can.
    [[nodiscard]] static QString whyNot();
    [[nodiscard]] bool prepare(); // the home, with the image in it
    // The desktop's bus that all of it is to speak on from now on; none without.
    void useBus(const QString& address) { m_bus = address; }

    [[nodiscard]] std::filesystem::path folder() const { return m_folder.path().toStdString(); }
    [[nodiscard]] QString path(const QString& name) const { return m_folder.filePath(name); }

    [[nodiscard]] Ran carrel(const QStringList& arguments, const QByteArray& input = {}) const;
    [[nodiscard]] Ran carrelIn(const QString& home, const QStringList& arguments) const;
    [[nodiscard]] std::unique_ptr<QProcess> begin(const QStringList& arguments) const;
    // The answer of a verb with --json; empty when it failed.
    [[nodiscard]] QJsonObject ask(const QStringList& arguments) const;
    // Runs a program of Python in the agent's machine.
    [[nodiscard]] Ran python(const QByteArray& program) const;
    [[nodiscard]] Ran shell(const QString& script) const;
    // A folder of the machine as the agent sees it.
    [[nodiscard]] Tree guestTree(const QString& folder) const;

    [[nodiscard]] std::int64_t enginePid() const;
    [[nodiscard]] std::int64_t clerkPid() const; // of the newest clerk
    [[nodiscard]] std::int64_t machinePid() const; // QEMU's; 0 when there is none
    // Says a line to the helper in the machine; its answer, empty when none came.
    [[nodiscard]] QByteArray helper(const QByteArray& line) const;
    [[nodiscard]] std::vector<QJsonObject> timeline(const QStringList& options = {}) const;
    [[nodiscard]] QJsonObject changes() const { return ask({"changes", m_agent}); }
    // What waits for review: path → kind.
    [[nodiscard]] std::map<std::string, std::string> staged() const;

    // Ends everything; a text about what stayed, empty when nothing did.
    [[nodiscard]] QString end();

private:
    [[nodiscard]] QByteArray stateOfThings() const;
    [[nodiscard]] bool copyPrograms() const;
    [[nodiscard]] QString program() const;

    QString m_agent;
    QString m_bus = "none:"; // a home of a test has no business in anybody's keyring
    Programs m_programs;
    QTemporaryDir m_folder;
    bool m_ended = false;
};

// Waits for a line of a running process that holds `text`; false when it ended without.
[[nodiscard]] bool waitFor(QProcess& process, QProcess::ProcessChannel channel, const QByteArray& text,
                           QByteArray& seen);
// Waits for the end of a process that was begun.
[[nodiscard]] Ran finish(QProcess& process);

} // namespace carrel::live
