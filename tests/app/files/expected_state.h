// SPDX-License-Identifier: Apache-2.0
// What the folder must look like if a report tells the truth: what it says is applied is on the disk, all else is as it
// was. For wideSet(), whose one renamed folder is album → albums.
#pragma once

#include "tests/app/files/crash_world.h"

namespace carrel::files::test {

class ExpectedState {
public:
    ExpectedState(const FrozenSet& set, const Snapshot& before, const Snapshot& after)
        : m_set(set)
        , m_before(before)
        , m_after(after) {}

    [[nodiscard]] Snapshot applied(const ApplyReport& report) const {
        Snapshot now = m_before;
        for (const auto& told : report.entries) {
            const FrozenEntry& entry = *m_set.find(told.path);
            const std::string path = entry.path.text();
            const bool renamed = entry.kind == ChangeKind::Renamed;
            if (told.outcome == Outcome::Applied && renamed && entry.type == EntryType::Directory) {
                move(now, entry.from->text(), path);
            } else if (told.outcome == Outcome::Applied) {
                if (renamed) {
                    now.erase(entry.from->text());
                }
                put(now, path, m_after, path);
            } else if (told.outcome == Outcome::Partial && renamed) {
                put(now, path, m_after, path); // the new name is there, the old one still, too
            } else if (told.outcome == Outcome::Partial) {
                now.erase(path); // what stood in the way is gone
            }
        }
        return now;
    }

    [[nodiscard]] Snapshot undone(const ApplyReport& report) const {
        Snapshot now = m_after;
        for (const auto& told : report.entries) {
            const FrozenEntry& entry = *m_set.find(told.path);
            const std::string path = entry.path.text();
            const bool renamed = entry.kind == ChangeKind::Renamed;
            if (told.outcome == Outcome::Applied && renamed && entry.type == EntryType::Directory) {
                move(now, path, entry.from->text());
            } else if (told.outcome == Outcome::Applied && renamed) {
                now.erase(path);
                put(now, entry.from->text(), m_before, entry.from->text());
            } else if (told.outcome == Outcome::Applied) {
                put(now, path, m_before, path.starts_with("albums/") ? "album/" + path.substr(7) : path);
            } else if (told.outcome == Outcome::Partial && renamed) {
                put(now, entry.from->text(), m_before, entry.from->text());
            } else if (told.outcome == Outcome::Partial) {
                now.erase(path);
            }
        }
        return now;
    }

private:
    static void put(Snapshot& now, const std::string& path, const Snapshot& from, const std::string& name) {
        const auto line = from.find(name);
        if (line == from.end()) {
            now.erase(path);
        } else {
            now[path] = line->second;
        }
    }
    static void move(Snapshot& now, const std::string& from, const std::string& to) {
        Snapshot moved;
        for (auto at = now.begin(); at != now.end();) {
            const bool inside = at->first == from || at->first.starts_with(from + "/");
            if (inside) {
                moved[to + at->first.substr(from.size())] = at->second;
            }
            at = inside ? now.erase(at) : std::next(at);
        }
        now.merge(moved);
    }

    const FrozenSet& m_set;
    const Snapshot& m_before;
    const Snapshot& m_after;
};

// A report as a text, for its way out of a child: outcome by outcome in the plan's order.
inline std::string toText(const Result<ApplyReport>& report) {
    if (!report) {
        return "error " + report.error().text();
    }
    std::string text = "report ";
    for (const auto& entry : report->entries) {
        text += entry.path.text() + std::string(1, '\1') + std::string(toString(entry.outcome)) + std::string(1, '\1') +
                entry.reason + std::string(1, '\2');
    }
    return text;
}

inline std::optional<ApplyReport> fromText(const std::string& text) {
    if (!text.starts_with("report ")) {
        return std::nullopt;
    }
    ApplyReport report;
    for (std::size_t at = 7; at < text.size();) {
        const auto first = text.find('\1', at);
        const auto second = text.find('\1', first + 1);
        const auto end = text.find('\2', second);
        const std::string word = text.substr(first + 1, second - first - 1);
        EntryOutcome entry{path(text.substr(at, first - at)), 0, Outcome::NotRun, text.substr(second + 1, end - second - 1)};
        for (const Outcome outcome : {Outcome::Applied, Outcome::Conflict, Outcome::Failed, Outcome::Partial}) {
            if (toString(outcome) == word) {
                entry.outcome = outcome;
            }
        }
        report.entries.push_back(std::move(entry));
        at = end + 1;
    }
    return report;
}

} // namespace carrel::files::test
