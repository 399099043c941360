// SPDX-License-Identifier: Apache-2.0
// One thing in a task's story (taskItem, common.json), read once and made fit for a window: every text of it has passed DisplayText
// (invariant I11) and is plain. What the user and Carrel said is theirs; all else is the agent's claim (I9). Thread: values, pure
// functions.
#pragma once

#include <boost/json/object.hpp>

#include <QString>
#include <QStringList>
#include <QVector>

namespace carrel::ui {

struct StoryDiff {
    QString path;
    QString before;
    QString after;
    bool operator==(const StoryDiff&) const = default;
};

struct StoryItem {
    enum class Kind { User, Text, Thought, Tool, Permission, Note, Other };
    enum class Status { None, Pending, UnderWay, Completed, Failed };
    enum class Tool { Read, Edit, Delete, Move, Search, Execute, Think, Fetch, SwitchMode, Other };

    std::uint64_t number = 0; // its place
    Kind kind = Kind::Other;
    Status status = Status::None;
    Tool tool = Tool::Other;
    std::uint64_t turn = 0;
    QString time; // of the day
    QString text;
    QString title; // one line
    QString input;
    QStringList paths;
    QVector<StoryDiff> diffs;
    QStringList files;
    QString answer; // of a permission; empty: it is open
    bool operator==(const StoryItem&) const = default;

    // The agent says so, and nobody else.
    [[nodiscard]] bool isClaim() const { return kind != Kind::User && kind != Kind::Note; }
    // Shown in one line until it is opened.
    [[nodiscard]] bool folds() const { return kind == Kind::Thought || kind == Kind::Tool || kind == Kind::Other; }
    // In that line.
    [[nodiscard]] QString line() const;
    // All that there is of it, as plain text: for whoever copies or hears it.
    [[nodiscard]] QString whole() const;
};

[[nodiscard]] StoryItem storyItemFrom(const boost::json::object& item);

// In the user's language.
[[nodiscard]] QString whoText(const StoryItem& item);              // "You", "The agent says", "Carrel"
[[nodiscard]] QString toolText(StoryItem::Tool tool);              // "reads"
[[nodiscard]] QString toolSign(StoryItem::Tool tool);              // one letter or sign
[[nodiscard]] QString statusText(StoryItem::Status status);        // "done"

} // namespace carrel::ui
