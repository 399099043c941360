// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/task_edit.h"

#include <QKeyEvent>
#include <QTextBlock>

#include <algorithm>
#include <cmath>

namespace carrel::ui {

namespace {
constexpr int kLeastLines = 2;
constexpr int kMostLines = 8;
} // namespace

TaskEdit::TaskEdit(QWidget* parent)
    : QPlainTextEdit(parent) {
    setObjectName("taskText");
    setTabChangesFocus(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(document()->documentLayout(), &QAbstractTextDocumentLayout::documentSizeChanged, this, &QWidget::updateGeometry);
}

int TaskEdit::heightOf(int lines) const {
    return static_cast<int>(std::ceil(QFontMetricsF(font()).lineSpacing() * lines + 2 * document()->documentMargin())) + 2 * frameWidth();
}

QSize TaskEdit::sizeHint() const {
    // Of a plain text the document's height is its number of lines.
    const int lines = std::clamp(static_cast<int>(std::ceil(document()->size().height())), kLeastLines, kMostLines);
    return {QPlainTextEdit::sizeHint().width(), heightOf(lines)};
}

QSize TaskEdit::minimumSizeHint() const {
    return {120, heightOf(kLeastLines)};
}

void TaskEdit::keyPressEvent(QKeyEvent* event) {
    if ((event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) && (event->modifiers() & ~Qt::KeypadModifier) == Qt::NoModifier) {
        emit sent();
        return;
    }
    QPlainTextEdit::keyPressEvent(event); // Shift+Enter: a line, as it has it
}

bool TaskEdit::canInsertFromMimeData(const QMimeData* source) const {
    return source->hasUrls() || source->hasText();
}

void TaskEdit::insertFromMimeData(const QMimeData* source) {
    const auto urls = source->urls();
    if (!urls.isEmpty() && std::all_of(urls.begin(), urls.end(), [](const QUrl& each) { return each.isLocalFile(); })) {
        emit filesGiven(source);
        return;
    }
    if (source->hasText()) { // and nothing of how it looked elsewhere
        textCursor().insertText(source->text());
        ensureCursorVisible();
    }
}

} // namespace carrel::ui
