// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/story_blocks.h"

#include <QCoreApplication>
#include <QRegularExpression>

#include <algorithm>

namespace carrel::ui {

using Kind = StoryBlock::Kind;

namespace {

struct StoryWords {
    Q_DECLARE_TR_FUNCTIONS(StoryWords)
};

constexpr int kMostLines = 48; // of a piece
constexpr int kMostDepth = 4;

// The lines of one block, in pieces.
class Pieces {
public:
    explicit Pieces(std::vector<StoryBlock>& out)
        : m_out(out) {}

    void add(Kind kind, QStringView line) {
        if (!m_open || m_out.back().kind != kind) {
            begin({kind, line.toString(), {}, {}, 0, false});
        } else if (++m_lines >= kMostLines) {
            const auto& before = m_out.back();
            begin({before.kind, line.toString(), {}, {}, before.depth, true});
        } else {
            m_out.back().text += '\n';
            m_out.back().text += line;
        }
    }
    void begin(StoryBlock block) {
        m_out.push_back(std::move(block));
        m_open = true;
        m_lines = 0;
    }
    void end() { m_open = false; }
    [[nodiscard]] bool isIn(Kind kind) const { return m_open && m_out.back().kind == kind; }

private:
    std::vector<StoryBlock>& m_out;
    bool m_open = false;
    int m_lines = 0;
};

// Three of ` or ~ at least, at the beginning of a line: how many, or none.
int fenceOf(QStringView line) {
    const auto words = line.trimmed();
    if (words.isEmpty() || (words.front() != '`' && words.front() != '~')) {
        return 0;
    }
    const auto mark = words.front();
    const auto end = std::find_if(words.begin(), words.end(), [&](QChar each) { return each != mark; });
    const auto count = static_cast<int>(end - words.begin());
    return count >= 3 ? count : 0;
}

bool entryOf(QStringView line, StoryBlock& out) {
    static const QRegularExpression form(QStringLiteral("^( *)([-*•]|\\d{1,3}[.)]) +(\\S.*)$"));
    const auto match = form.match(line.toString());
    if (!match.hasMatch()) {
        return false;
    }
    const auto mark = match.captured(2);
    out.kind = Kind::Entry;
    out.text = match.captured(3);
    out.mark = mark == QStringLiteral("-") || mark == QStringLiteral("*") ? QStringLiteral("•") : mark;
    out.depth = std::min<int>(static_cast<int>(match.capturedLength(1)) / 2, kMostDepth);
    return true;
}

void addCode(std::vector<StoryBlock>& out, Kind kind, const QString& text) {
    Pieces pieces(out);
    for (const auto& line : QStringView(text).split('\n')) {
        pieces.add(kind, line);
    }
}

void addLabelled(std::vector<StoryBlock>& out, const QString& label, const QString& text) {
    if (!text.isEmpty()) {
        out.push_back({Kind::Label, label, {}, {}, 0, false});
        addCode(out, Kind::Code, text.endsWith('\n') ? text.chopped(1) : text);
    }
}

void addDiff(std::vector<StoryBlock>& out, const StoryDiff& diff) {
    out.push_back({Kind::Label, StoryWords::tr("What it says that it writes to %1").arg(diff.path), {}, {}, 0, false});
    const auto lines = [&](Kind kind, const QString& text, const QString& sign) {
        if (!text.isEmpty()) {
            addCode(out, kind, sign + QString(text.endsWith('\n') ? text.chopped(1) : text).replace('\n', '\n' + sign));
        }
    };
    lines(Kind::Removed, diff.before, QStringLiteral("- "));
    lines(Kind::Added, diff.after, QStringLiteral("+ "));
}

void addText(std::vector<StoryBlock>& out, const QString& text) {
    auto blocks = textBlocks(text);
    out.insert(out.end(), std::make_move_iterator(blocks.begin()), std::make_move_iterator(blocks.end()));
}

void addFolded(std::vector<StoryBlock>& out, const StoryItem& item, bool opened) {
    const auto sign = item.kind == StoryItem::Kind::Tool ? toolSign(item.tool) : item.kind == StoryItem::Kind::Thought ? QStringLiteral("…") : QStringLiteral("•");
    out.push_back({Kind::Fold, item.line(), sign, statusText(item.status), opened ? 1 : 0, false});
    if (!opened) {
        return;
    }
    out.push_back({Kind::Who, whoText(item), {}, item.time, 0, false});
    constexpr int kSurelyWhole = 40; // in the line above, which is cut where there is no room
    if (item.title.size() > kSurelyWhole) {
        out.push_back({Kind::Paragraph, item.title, {}, {}, 0, false});
    }
    if (item.kind == StoryItem::Kind::Thought) {
        addText(out, item.text);
        return;
    }
    addLabelled(out, StoryWords::tr("Files"), item.paths.join('\n'));
    addLabelled(out, StoryWords::tr("What goes into it"), item.input);
    for (const auto& each : item.diffs) {
        addDiff(out, each);
    }
    addLabelled(out, StoryWords::tr("What came of it"), item.text);
}

} // namespace

std::vector<StoryBlock> textBlocks(const QString& text) {
    std::vector<StoryBlock> out;
    Pieces pieces(out);
    int fence = 0;
    for (const auto& line : QStringView(text).split('\n')) {
        if (const int marks = fenceOf(line); fence > 0) {
            if (marks >= fence && line.trimmed().size() == marks) {
                fence = 0;
                pieces.end();
            } else {
                pieces.add(Kind::Code, line);
            }
            continue;
        } else if (marks > 0) {
            fence = marks;
            pieces.end();
            if (const auto name = line.trimmed().mid(marks).trimmed(); !name.isEmpty()) { // it may say anything: nothing is left out
                pieces.begin({Kind::Code, name.toString(), {}, {}, 0, false});
                pieces.end();
            }
            continue;
        }
        StoryBlock entry;
        if (line.trimmed().isEmpty()) {
            pieces.end();
        } else if (entryOf(line, entry)) {
            pieces.begin(std::move(entry));
        } else if (line.startsWith('|')) { // a table, whose columns are below each other
            pieces.add(Kind::Code, line);
        } else if (pieces.isIn(Kind::Entry) && line.startsWith(QStringLiteral("  "))) {
            pieces.add(Kind::Entry, line.trimmed());
        } else {
            pieces.add(Kind::Paragraph, line);
        }
    }
    return out;
}

std::vector<StoryBlock> itemBlocks(const StoryItem& item, bool opened) {
    std::vector<StoryBlock> out;
    if (item.folds()) {
        addFolded(out, item, opened);
        return out;
    }
    out.push_back({Kind::Who, whoText(item), {}, item.time, 0, false});
    switch (item.kind) {
    case StoryItem::Kind::User: // as it was typed
        for (Pieces pieces(out); const auto& line : QStringView(item.text).split('\n')) {
            pieces.add(Kind::Paragraph, line);
        }
        if (!item.files.isEmpty()) {
            out.push_back({Kind::Label, StoryWords::tr("With %n file(s)", nullptr, static_cast<int>(item.files.size())), {}, {}, 0, false});
            addCode(out, Kind::Code, item.files.join('\n'));
        }
        break;
    case StoryItem::Kind::Permission:
        addText(out, item.title);
        addText(out, item.text);
        addLabelled(out, StoryWords::tr("Files"), item.paths.join('\n'));
        addLabelled(out, StoryWords::tr("What goes into it"), item.input);
        out.push_back(item.answer.isEmpty() ? StoryBlock{Kind::Open, StoryWords::tr("It waits for your answer, below."), {}, {}, 0, false}
                                            : StoryBlock{Kind::Label, StoryWords::tr("Answered: %1").arg(item.answer), {}, {}, 0, false});
        break;
    default:
        addText(out, item.text);
        break;
    }
    return out;
}

} // namespace carrel::ui
