// SPDX-License-Identifier: Apache-2.0
// A story on the screen. Only what is in view is laid out: all other rows have the height that they had last, or a usual one, until
// they are looked at, so that a story of many thousand items costs no more than a short one. At its end it stays at the end while
// items come. Enter, Space or a click opens what is folded; Ctrl+C copies what is selected. Thread: the window's.
#pragma once

#include "ui/tasks/story_delegate.h"

#include <QTableView>

namespace carrel::ui {

class StoryModel;

class StoryView : public QTableView {
    Q_OBJECT
public:
    StoryView(StoryModel& model, QWidget* parent);

    [[nodiscard]] StoryDelegate::Work work() const { return m_delegate->work(); }
    void goToEnd();

protected:
    void showEvent(QShowEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;
    void keyPressEvent(QKeyEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void settle(); // what is in view has its right height
    [[nodiscard]] bool measure();
    void toggle(int row);
    void copy() const;
    [[nodiscard]] bool scrollWithin(int key);

    StoryModel& m_model;
    StoryDelegate* m_delegate;
    bool m_settling = false;
    bool m_follows = true; // it is at the end
};

} // namespace carrel::ui
