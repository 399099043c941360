// SPDX-License-Identifier: Apache-2.0
// The field in which a task is typed: Enter sends it, Shift+Enter begins a new line; it grows with what is typed up to a third of the
// page. Files that are dropped on it or pasted are attached and not typed. Thread: the window's.
#pragma once

#include <QMimeData>
#include <QPlainTextEdit>

namespace carrel::ui {

class TaskEdit : public QPlainTextEdit {
    Q_OBJECT
public:
    explicit TaskEdit(QWidget* parent);

    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override;

signals:
    void sent();
    void filesGiven(const QMimeData* files);

protected:
    void keyPressEvent(QKeyEvent* event) override;
    [[nodiscard]] bool canInsertFromMimeData(const QMimeData* source) const override;
    void insertFromMimeData(const QMimeData* source) override;

private:
    [[nodiscard]] int heightOf(int lines) const;
};

} // namespace carrel::ui
