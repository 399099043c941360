// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/file_search.h"

#include "guest/agent/tools/folder_entries.h"
#include "guest/agent/tools/line_reader.h"
#include "guest/agent/tools/shown_text.h"

#include <algorithm>
#include <linux/magic.h>
#include <sys/vfs.h>

namespace carrel::agent {

namespace {

// Files there have no end, or say something else with each look.
bool isMadeUp(int folder) {
    struct statfs about {};
    if (::fstatfs(folder, &about) != 0) {
        return false;
    }
    const auto type = static_cast<std::uint64_t>(about.f_type);
    return type == PROC_SUPER_MAGIC || type == SYSFS_MAGIC;
}

} // namespace

FileSearch::FileSearch(SearchWanted wanted, const SearchLimits& limits)
    : m_wanted(std::move(wanted))
    , m_limits(limits)
    , m_until(std::chrono::steady_clock::now() + limits.time) {}

void FileSearch::judge() {
    if (m_end.empty()) {
        if (m_hits >= m_limits.hits || m_text.size() >= m_limits.textBytes) {
            m_end = "There may be more: this is as much as is shown. Look in fewer files, or for something rarer.";
        } else if (std::chrono::steady_clock::now() >= m_until) {
            m_end = "The time for one search (" + std::to_string(m_limits.time.count()) +
                    " ms) was over before all was looked at. Look in fewer files.";
        } else if (m_bytes >= m_limits.fileBytes) {
            m_end = "There was more to look at than one search does (" + std::to_string(m_limits.fileBytes) + " bytes). Look in fewer files.";
        }
    }
}

bool FileSearch::isOver() {
    judge();
    return !m_end.empty();
}

void FileSearch::show(std::uint64_t number, char mark, const std::string& line) {
    m_text += "  " + std::to_string(number) + mark + " " + line + "\n";
}

Status FileSearch::searchLines(int file, const std::string& shown) {
    LineReader lines(file, m_limits.heldOfLine, m_limits.fileBytes - std::min(m_limits.fileBytes, m_bytes));
    const auto isText = lines.isText();
    if (!isText) {
        ++m_unread;
        return {};
    }
    if (!*isText) {
        ++m_binary;
        return {};
    }
    ++m_files;
    std::deque<std::string> before; // the lines that would be shown if the next one is found
    std::size_t after = 0;          // how many more are shown
    std::uint64_t shownUpTo = 0;
    for (std::uint64_t number = 1;; ++number) {
        const auto line = lines.next();
        if (!line) {
            ++m_unread;
            break;
        }
        if (!*line || (after == 0 && isOver())) {
            break;
        }
        auto begin = (*line)->begin;
        const bool isCut = begin.size() < (*line)->wholeSize;
        if (!isCut && begin.ends_with('\r')) { // so that $ is where a reader sees the end
            begin.remove_suffix(1);
        }
        const auto found = m_wanted.pattern.matches(begin, isCut ? LinePattern::LineEnd::Cut : LinePattern::LineEnd::Whole);
        if (!found) {
            return fail(found.error());
        }
        const bool isHit = *found && !isOver();
        if (!isHit && after == 0 && m_wanted.context == 0) {
            continue;
        }
        auto text = shownLine(begin, (*line)->wholeSize - (isCut ? 0 : (*line)->begin.size() - begin.size()), m_limits.shownOfLine);
        if (isHit) {
            ++m_hits;
            if (shownUpTo == 0) {
                m_text += shown + "\n";
            } else if (number - before.size() > shownUpTo + 1) {
                m_text += "  --\n";
            }
            for (std::size_t i = 0; i < before.size(); ++i) {
                show(number - before.size() + i, '-', before[i]);
            }
            before.clear();
            show(number, ':', text);
            shownUpTo = number;
            after = m_wanted.context;
        } else if (after > 0) {
            show(number, '-', text);
            shownUpTo = number;
            --after;
        } else {
            before.push_back(std::move(text));
            if (before.size() > m_wanted.context) {
                before.pop_front();
            }
        }
    }
    m_bytes += lines.bytesRead();
    if (lines.isUsedUp()) {
        judge();
    }
    return {};
}

Status FileSearch::file(int at, const std::string& path, const std::string& shown) {
    const auto plain = openPlainFile(at, path, FinalLink::Refuse);
    if (!plain) { // gone, or not ours to read
        ++m_unread;
        return {};
    }
    return searchLines(plain->file.get(), shown);
}

Status FileSearch::folder(UniqueFd root) {
    struct Place {
        std::string path; // from the root
        bool isFolder = true;
    };
    const bool rootIsMadeUp = isMadeUp(root.get());
    std::vector<Place> open{{"", true}}; // the next one last
    while (!open.empty() && !isOver()) {
        const auto place = std::move(open.back());
        open.pop_back();
        if (!place.isFolder) {
            CARREL_TRY(file(root.get(), place.path, shownName(place.path)));
            continue;
        }
        auto folder = openFolder(root.get(), place.path.empty() ? "." : place.path, FinalLink::Refuse);
        if (folder && !rootIsMadeUp && isMadeUp(folder->get())) {
            continue;
        }
        auto entries = folder ? readFolder(std::move(*folder), m_limits.ofOneFolder, {}) : fail(folder.error());
        if (!entries) {
            ++m_unread;
            continue;
        }
        m_unread += entries->isWhole ? 0 : 1;
        for (auto entry = entries->entries.rbegin(); entry != entries->entries.rend(); ++entry) {
            auto path = place.path.empty() ? entry->name : place.path + "/" + entry->name;
            const bool isFolder = S_ISDIR(entry->about.st_mode) && entry->name != ".git";
            const bool isFile = S_ISREG(entry->about.st_mode) && (!m_wanted.glob || m_wanted.glob->matches(path));
            if (isFolder || isFile) {
                open.push_back({std::move(path), isFolder});
            }
        }
    }
    return {};
}

std::string FileSearch::text() const {
    std::string out = m_text;
    out += "[" + std::to_string(m_hits) + (m_hits == 1 ? " line" : " lines") + " found, in " + std::to_string(m_files) +
           (m_files == 1 ? " file" : " files") + " looked through.";
    if (m_binary > 0) {
        out += " Binary files passed over: " + std::to_string(m_binary) + ".";
    }
    if (m_unread > 0) {
        out += " Files and folders that could not be read, or not as a whole: " + std::to_string(m_unread) + ".";
    }
    return out + (m_end.empty() ? "" : " " + m_end) + "]";
}

} // namespace carrel::agent
