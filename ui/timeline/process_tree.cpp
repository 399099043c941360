// SPDX-License-Identifier: Apache-2.0
#include "ui/timeline/process_tree.h"

#include <algorithm>

namespace carrel::ui {

void ProcessTree::started(const std::string& process, Program program) {
    const auto before = m_programs.find(process);
    if (before != m_programs.end()) { // it runs another program now; who started it stays as it was
        if (program.parent.empty()) {
            program.parent = before->second.parent;
        }
        before->second = std::move(program);
        return;
    }
    m_programs.emplace(process, std::move(program));
    m_inOrder.push_back(process);
    while (m_inOrder.size() > m_most) {
        m_programs.erase(m_inOrder.front());
        m_inOrder.pop_front();
    }
}

std::vector<const ProcessTree::Program*> ProcessTree::lineage(const std::string& process) const {
    std::vector<const Program*> out;
    for (auto at = m_programs.find(process); at != m_programs.end() && out.size() < kMostSteps; at = m_programs.find(at->second.parent)) {
        if (std::find(out.begin(), out.end(), &at->second) != out.end()) {
            break;
        }
        out.push_back(&at->second);
    }
    std::reverse(out.begin(), out.end());
    return out;
}

QString ProcessTree::lineageText(const std::string& process) const {
    QString out;
    for (const auto* program : lineage(process)) {
        out += (out.isEmpty() ? QString() : QStringLiteral(" \u203a ")) + program->name;
    }
    return out;
}

bool ProcessTree::isWithin(const std::string& process, const std::string& ancestor) const {
    auto at = process;
    for (std::size_t step = 0; step < kMostSteps && !at.empty(); ++step) {
        if (at == ancestor) {
            return true;
        }
        const auto program = m_programs.find(at);
        if (program == m_programs.end()) {
            return false;
        }
        at = program->second.parent;
    }
    return false;
}

} // namespace carrel::ui
