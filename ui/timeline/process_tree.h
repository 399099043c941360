// SPDX-License-Identifier: Apache-2.0
// Which program started which, as an agent's machine told it: its own word, like the events that name them. A process is "PID.START"
// (program.started of the activity log). Bounded: the oldest go. Thread: one.
#pragma once

#include <QString>

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace carrel::ui {

class ProcessTree {
public:
    explicit ProcessTree(std::size_t most = 50'000)
        : m_most(most) {}

    struct Program {
        std::string parent; // empty: none, or none that is known
        QString name;       // of its file, fit to be shown
        QString command;    // with its arguments, likewise
    };
    void started(const std::string& process, Program program);
    // From the first that is known to the process itself. Empty: it is not known.
    [[nodiscard]] std::vector<const Program*> lineage(const std::string& process) const;
    // "sh › make › gcc"
    [[nodiscard]] QString lineageText(const std::string& process) const;
    // It is that process, or was started by it, or by what it started.
    [[nodiscard]] bool isWithin(const std::string& process, const std::string& ancestor) const;
    [[nodiscard]] std::size_t size() const { return m_programs.size(); }

    static constexpr std::size_t kMostSteps = 64; // a machine may say that two started each other

private:
    std::size_t m_most;
    std::unordered_map<std::string, Program> m_programs;
    std::deque<std::string> m_inOrder;
};

} // namespace carrel::ui
