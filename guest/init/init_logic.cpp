// SPDX-License-Identifier: Apache-2.0
#include "guest/init/init_logic.h"

#include <algorithm>
#include <cstring>
#include <sys/wait.h>

namespace carrel::init {

namespace {

constexpr std::string_view kHeader = "carrel-modules 1";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

bool isModuleFileName(std::string_view name) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-' || c == '.';
    };
    return name.size() > 3 && name.size() <= 64 && name.ends_with(".ko") && name.front() != '.' &&
           std::all_of(name.begin(), name.end(), plain);
}

std::optional<ModuleGroup> groupOf(std::string_view word) {
    if (word == "base") {
        return ModuleGroup::Base;
    }
    if (word == "hyperv") {
        return ModuleGroup::HyperV;
    }
    return std::nullopt;
}

// The next line, taken off the front of `rest`.
std::string_view takeLine(std::string_view& rest) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return line;
}

} // namespace

ModuleList parseModuleList(std::string_view text) {
    ModuleList list;
    const auto bad = [](std::size_t line, const char* why) {
        return ModuleList{{}, "line " + std::to_string(line) + ": " + why};
    };
    std::size_t number = 1;
    if (trimmed(takeLine(text)) != kHeader) {
        return bad(number, "not a module list of a known version");
    }
    while (!text.empty()) {
        ++number;
        const auto line = trimmed(takeLine(text));
        if (line.empty() || line.front() == '#') {
            continue;
        }
        const auto space = line.find(' ');
        const auto group = groupOf(line.substr(0, space));
        const auto file = space == std::string_view::npos ? std::string_view{} : trimmed(line.substr(space));
        if (!group) {
            return bad(number, "an unknown group");
        }
        if (!isModuleFileName(file)) {
            return bad(number, "not the plain name of a module");
        }
        const auto same = [&](const ModuleEntry& entry) { return entry.file == file; };
        if (std::any_of(list.entries.begin(), list.entries.end(), same)) {
            return bad(number, "a module is named twice");
        }
        if (list.entries.size() == kMaxModules) {
            return bad(number, "too many modules");
        }
        list.entries.push_back({*group, std::string(file)});
    }
    return list;
}

CommandLine parseCommandLine(std::string_view text) {
    CommandLine result;
    while (!text.empty()) {
        const auto end = text.find_first_of(" \t\n");
        const auto word = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        constexpr std::string_view kDisk = "carrel.disk=";
        if (word == "carrel.probe=1") {
            result.probe = true;
        } else if (word == "carrel.viewer=1") {
            result.viewer = true;
        } else if (word.starts_with(kDisk) && word.substr(kDisk.size()).starts_with("/dev/")) {
            result.disk = word.substr(kDisk.size());
        }
    }
    return result;
}

ExitDecision RestartPolicy::afterExit(int waitStatus, std::chrono::milliseconds ranFor, PowerOffWish wish) {
    // The file alone is not enough: a guestd that crashed after writing it may not have saved everything, and
    // one more start lets it finish.
    if (wish == PowerOffWish::Present && WIFEXITED(waitStatus) && WEXITSTATUS(waitStatus) == 0) {
        return {AfterExit::PowerOff, {}};
    }
    if (ranFor >= kHealthyRun) {
        m_next = std::chrono::milliseconds{0};
    }
    const auto delay = m_next;
    m_next = std::clamp(delay * 2, kFirstDelay, kLongestDelay);
    return {AfterExit::Restart, delay};
}

std::string describeWaitStatus(int waitStatus) {
    if (WIFEXITED(waitStatus)) {
        return "exit status " + std::to_string(WEXITSTATUS(waitStatus));
    }
    if (WIFSIGNALED(waitStatus)) {
        const int number = WTERMSIG(waitStatus);
        return "signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
    }
    return "wait status " + std::to_string(waitStatus);
}

} // namespace carrel::init
