// SPDX-License-Identifier: Apache-2.0
// What is drawn of a story's item, from top to bottom. Of a text there are paragraphs, entries of lists and code; all else that a
// guest could mean as markup stays the letters that it is, and a link leads nowhere. Nothing of a text is left out but the fences of
// code and the marks of entries, which are drawn in their place. A long text is in pieces, so that one that grows is laid out
// where it grows alone. Thread: pure functions.
#pragma once

#include "ui/tasks/story_item.h"

#include <QString>

#include <vector>

namespace carrel::ui {

struct StoryBlock {
    enum class Kind {
        Who,       // who says it; `more`: when
        Fold,      // the one line of what is folded; `mark`: its sign, `more`: how it stands
        Paragraph,
        Entry,     // of a list; `mark`: its dot or number
        Code,
        Added,     // of a difference, as code
        Removed,
        Label,     // says what is below it: Carrel's words
        Open,      // a question that is not answered: Carrel's words
    };
    Kind kind = Kind::Paragraph;
    QString text;
    QString mark;
    QString more;
    int depth = 0;       // of an entry
    bool goesOn = false; // is one with the block before it
    bool operator==(const StoryBlock&) const = default;
};

// Of a text, already fit to be shown.
[[nodiscard]] std::vector<StoryBlock> textBlocks(const QString& text);
// Of a whole item; `opened`: it is one that folds and is not folded.
[[nodiscard]] std::vector<StoryBlock> itemBlocks(const StoryItem& item, bool opened);

} // namespace carrel::ui
