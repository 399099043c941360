// SPDX-License-Identifier: Apache-2.0
// What a source file of this project may contain: which rooms it includes from, its licence line, its length,
// and words that have no place in it. The rules themselves are in tree_rules.cpp; this only applies them.
// Thread: values and pure functions; scanTree() reads files.
#pragma once

#include <QRegularExpression>
#include <QString>
#include <QStringList>

#include <vector>

namespace carrel::testing {

// Files whose path begins with `prefix` (the longest that fits counts) include only what begins with one of
// `allowed`.
struct RoomRule {
    QString prefix;
    QStringList allowed;
    bool qt = false;
};

struct ForbiddenWord {
    QRegularExpression pattern;
    QString why;
};

struct SourceRules {
    QStringList topFolders; // what is scanned, and what an include of our own begins with
    std::vector<RoomRule> rooms;
    // System headers that belong to one room only: header prefix, room prefixes.
    std::vector<std::pair<QString, QStringList>> ownedHeaders;
    int maxLines = 600;
    std::vector<ForbiddenWord> words;
    QStringList wordsExempt; // the list of words itself
};

// "path:line: what is wrong" for one file; `path` is relative to the source tree.
[[nodiscard]] QStringList checkFile(const SourceRules& rules, const QString& path, const QByteArray& content);

struct TreeReport {
    int files = 0;
    QStringList violations;
};
[[nodiscard]] TreeReport scanTree(const SourceRules& rules, const QString& root);

// One pattern a line: a regular expression (PCRE), a tab, why. '#' begins a comment.
[[nodiscard]] std::vector<ForbiddenWord> readForbiddenWords(const QString& file);
// The absolute path of this checkout, so that nobody's work tree gets into the files.
[[nodiscard]] std::vector<ForbiddenWord> ownPathAsForbiddenWord(const QString& sourceDir);

// The rules of this project.
[[nodiscard]] SourceRules projectRules(const QString& sourceDir);

} // namespace carrel::testing
