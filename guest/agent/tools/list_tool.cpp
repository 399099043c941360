// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/list_tool.h"

#include "guest/agent/tools/folder_entries.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/tool_answer.h"
#include "guest/protocol/strict_json.h"

#include <climits>
#include <cstdio>
#include <ctime>
#include <deque>
#include <fcntl.h>

namespace carrel::agent {

namespace {

constexpr std::uint64_t kMostDepth = 10;

std::string timeText(std::int64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    char space[64];
    if (::gmtime_r(&time, &parts) == nullptr || std::strftime(space, sizeof space, "%Y-%m-%d %H:%M", &parts) == 0) {
        return "no known time";
    }
    return space;
}

std::string targetOf(int root, const std::string& path) {
    char space[PATH_MAX];
    const auto size = ::readlinkat(root, path.c_str(), space, sizeof space);
    return size < 0 ? std::string("?") : shownName({space, static_cast<std::size_t>(size)});
}

std::string lineOf(int root, const std::string& path, const struct stat& about) {
    char columns[64];
    const auto size = S_ISREG(about.st_mode) ? std::to_string(about.st_size) : std::string();
    std::snprintf(columns, sizeof columns, "%-6s %12s  ", typeName(about.st_mode), size.c_str());
    auto out = columns + timeText(about.st_mtim.tv_sec) + "  " + shownName(path);
    if (S_ISDIR(about.st_mode)) {
        out += "/";
    } else if (S_ISLNK(about.st_mode)) {
        out += " -> " + targetOf(root, path);
    }
    return out + "\n";
}

struct Level {
    std::string path; // from the root; empty: the root itself
    std::uint64_t depth = 1;
};

class Listing {
public:
    Listing(UniqueFd root, std::uint64_t depth, const ListLimits& limits)
        : m_root(std::move(root))
        , m_depth(depth)
        , m_limits(limits) {}

    [[nodiscard]] Result<std::string> text(const std::stop_token& stop) {
        m_open.push_back({});
        while (!m_open.empty() && !m_isFull) {
            const auto level = std::move(m_open.front());
            m_open.pop_front();
            auto folder = openFolder(m_root.get(), level.path.empty() ? "." : level.path, FinalLink::Refuse);
            auto entries = folder ? readFolder(std::move(*folder), m_limits.ofOneFolder, stop) : fail(folder.error());
            if (!entries && (level.path.empty() || stop.stop_requested())) {
                return fail(entries.error());
            }
            if (!entries) { // the others are worth seeing all the same
                m_text += "[" + shownName(level.path) + "/ cannot be looked into: " + mended(entries.error().message) + "]\n";
                continue;
            }
            add(level, *entries);
        }
        if (m_isFull) {
            m_text += "[There is more. Only the first " + std::to_string(m_limits.lines) + " are shown: list a folder further down.]";
        }
        return m_text.empty() ? "[The folder is empty.]" : m_text;
    }

private:
    void add(const Level& level, const FolderEntries& entries) {
        for (const auto& entry : entries.entries) {
            if (m_lines == m_limits.lines) {
                m_isFull = true;
                return;
            }
            const auto path = level.path.empty() ? entry.name : level.path + "/" + entry.name;
            m_text += lineOf(m_root.get(), path, entry.about);
            ++m_lines;
            if (S_ISDIR(entry.about.st_mode) && level.depth < m_depth && entry.name != ".git") {
                m_open.push_back({path, level.depth + 1});
            }
        }
        if (!entries.isWhole) {
            m_text += "[" + (level.path.empty() ? "The folder" : shownName(level.path) + "/") + " holds more than " +
                      std::to_string(m_limits.ofOneFolder) + ": the others are not shown.]\n";
        }
    }

    UniqueFd m_root;
    std::uint64_t m_depth;
    const ListLimits& m_limits;
    std::deque<Level> m_open;
    std::string m_text;
    std::size_t m_lines = 0;
    bool m_isFull = false;
};

} // namespace

ToolOutcome ListTool::run(const boost::json::object& input, const std::stop_token& stop) {
    JsonFields of(input, "list");
    const auto path = of.string("path", kMostPath);
    const auto depth = of.optionalNumber("depth", kMostDepth).value_or(1);
    if (depth == 0) {
        of.problem("depth", "is less than 1");
    }
    if (auto read = of.finish(); !read) {
        return failedOutcome(read.error());
    }
    const auto failed = [&path](const Error& error) { return failedOutcome(error.wrap(shownName(path) + " was not listed", error.hint)); };
    const auto place = placeOf(path, m_folder);
    if (!place) {
        return failed(place.error());
    }
    auto root = openFolder(AT_FDCWD, *place, FinalLink::Follow);
    if (!root) {
        return failed(root.error());
    }
    auto text = Listing(std::move(*root), depth, m_limits).text(stop);
    if (!text) {
        return failed(text.error());
    }
    return {std::move(*text), ToolEnd::Done};
}

} // namespace carrel::agent
